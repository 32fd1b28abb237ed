"""Floor 4: command it."""
