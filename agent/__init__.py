"""Floor 3: System 2. Perceive, plan, execute, ask."""
