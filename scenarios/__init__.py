"""Floor 4: test it."""
