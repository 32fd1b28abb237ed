"""Floor 1: the PyBullet world. Scenes, bodies, cameras, the arm, the scripted expert.

Importing it registers the Gymnasium environment `tandem/Tabletop-v0`, without loading PyBullet.
"""

from gymnasium.envs.registration import register

# 200 s: eight objects at 20 Hz, with room to spare.
register(id="tandem/Tabletop-v0", entry_point="sim.gym_env:TabletopEnv", max_episode_steps=4000)
