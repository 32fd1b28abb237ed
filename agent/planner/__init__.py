"""From plain words to a proved skill graph."""
