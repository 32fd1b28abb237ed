"""From camera pixels to objects."""
