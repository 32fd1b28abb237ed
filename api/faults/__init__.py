"""Faults of the mind: wrappers at the seams of perceiver, planner, router and policies."""
