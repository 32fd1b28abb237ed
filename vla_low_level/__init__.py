"""Floor 1: System 1. Contracts of observation, action and robot; policies; guard; monitor."""
