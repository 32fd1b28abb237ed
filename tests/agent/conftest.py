"""What the agent's tests share."""

import pytest
import torch


@pytest.fixture
def one_thread():
    """Sums come out the same, whatever the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
