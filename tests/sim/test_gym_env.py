import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import sim  # noqa: F401  registers the environment

NAME = "tandem/Tabletop-v0"


@pytest.fixture
def env():
    made = gymnasium.make(NAME, scene="one_of_each", render_mode="rgb_array")
    yield made
    made.close()


def test_the_environment_passes_gymnasiums_own_checker(env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


def test_registering_does_not_load_the_simulator():
    code = f"import sys, gymnasium, sim; gymnasium.spec({NAME!r}); sys.exit('pybullet' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_row_moves_the_hand_by_what_it_says(env):
    before, _ = env.reset(seed=3)
    rows = np.tile(np.array([0.005, -0.005, -0.005, 0, 0, 0, 1], np.float32), (10, 1))
    for row in [*rows, *(np.array([0, 0, 0, 0, 0, 0, 1], np.float32),) * 10]:
        after, reward, terminated, truncated, info = env.step(row)
        assert (reward, terminated, truncated, info["verdict"]) == (0.0, False, False, "pass")
    np.testing.assert_allclose(
        after["ee_position_m"] - before["ee_position_m"], [0.05, -0.05, -0.05], atol=2e-3
    )


def test_a_bad_action_is_refused_and_the_arm_stays(env):
    raw = env.unwrapped
    before, _ = raw.reset(seed=3)
    after, _, _, _, info = raw.step(np.full(7, np.nan, np.float32))
    assert (info["verdict"], info["limit"]) == ("hold", "finite")
    np.testing.assert_allclose(after["ee_position_m"], before["ee_position_m"], atol=1e-3)


def test_the_reward_comes_when_nothing_is_left_on_the_table(tmp_path):
    scene = tmp_path / "done.yaml"
    scene.write_text("objects: [{category: cube, colour: red, place: sink, yaw: 0}]")
    env = gymnasium.make(NAME, scene=str(scene))
    env.reset(seed=1)
    _, reward, terminated, _, _ = env.step(np.array([0, 0, 0, 0, 0, 0, 1], np.float32))
    env.close()
    assert (reward, terminated) == (1.0, True)


def test_stepping_before_reset_is_an_error():
    raw = gymnasium.make(NAME).unwrapped
    with pytest.raises(gymnasium.error.ResetNeeded):
        raw.step(raw.action_space.sample())
