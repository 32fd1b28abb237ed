import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_low_level.rotations import (
    nearest_turn,
    rotation_matrix,
    rotation_vector,
    tool_down,
    wrap,
    yaw_of,
)

axis = st.tuples(*[st.floats(-1, 1) for _ in range(3)]).filter(lambda v: np.linalg.norm(v) > 0.1)
angle = st.floats(0, math.pi)


@given(axis, angle)
def test_exponential_then_logarithm_is_the_same_rotation(direction: tuple[float, ...], turn: float) -> None:
    vector = np.array(direction) / np.linalg.norm(direction) * turn
    matrix = rotation_matrix(vector)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation_matrix(rotation_vector(matrix)), matrix, atol=2e-5)


@pytest.mark.parametrize("yaw", [-3.0, -0.5, 0.0, 1.2, 3.1])
def test_a_hand_pointing_down_has_its_fingers_where_yaw_says(yaw: float) -> None:
    tool = tool_down(yaw)
    np.testing.assert_allclose(tool @ [0, 0, 1], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(tool @ [0, 1, 0], [math.cos(yaw), math.sin(yaw), 0], atol=1e-12)
    assert np.linalg.det(tool) == pytest.approx(1.0)
    assert yaw_of(tool) == pytest.approx(yaw)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_nearest_turn_stays_within_half_a_period(turn: float, reference: float) -> None:
    near = nearest_turn(turn, reference, math.pi)
    assert abs(near - reference) <= math.pi / 2 + 1e-9
    assert abs(wrap(2 * (near - turn))) < 1e-6
