"""Faults on purpose: what can be made to go wrong, when and how much, and how the body does it."""
