"""Floor 4: explain it."""
