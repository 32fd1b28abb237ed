"""Floor 2: what can be done. Skills, predicates, skill graphs and the proof that a plan works."""
