"""Demonstrations: tasks in plain words, a teacher that can do them, and recordings of it."""
