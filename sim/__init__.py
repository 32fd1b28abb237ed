"""Floor 1: the PyBullet world. Scenes, bodies, cameras, the arm, the scripted expert."""
