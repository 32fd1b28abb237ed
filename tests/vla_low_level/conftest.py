from pathlib import Path

import pytest

from sim.demos.record import orders_for, record_scene
from vla_low_level.dataset.assemble import assemble


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of a few episodes, recorded by the real teacher in the real world."""
    folder = tmp_path_factory.mktemp("demos")
    for order in orders_for(folder, 11, 2):
        record_scene(order)
    assemble(folder, "test", {})
    return folder
