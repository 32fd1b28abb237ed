"""Policies: anything that turns an observation and an instruction into an action chunk."""
