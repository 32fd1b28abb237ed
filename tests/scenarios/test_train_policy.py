"""What is recorded while a policy trains is learned from as if it had lain there before."""

import json

import pyarrow.parquet as pq
import pytest
import torch

from scenarios.taught import Taught
from scenarios.train_policy import SEEDS, drawn, recorded
from sim.demos.record import Order
from vla_low_level.dataset.assemble import TEXT, part_path
from vla_low_level.dataset.schema import STATE
from vla_low_level.dataset.statistics import column
from vla_low_level.vla.text import SentenceEncoder

SCENES = (9_400_001, 9_400_002)


@pytest.fixture(scope="module")
def orders(tmp_path_factory) -> list[Order]:
    folder = tmp_path_factory.mktemp("recorded")
    return [Order(folder, seed) for seed in SCENES]


@pytest.fixture(scope="module")
def taught(orders) -> Taught:
    kept = Taught(16, "cpu", SentenceEncoder())
    for order in orders:
        kept.add(recorded("glances", order, None))
        kept.take()
    return kept


def test_every_frame_keeps_its_numbers_and_its_words(taught, orders) -> None:
    tables = [pq.read_table(part_path(order.folder, order.seed)) for order in orders]
    said = [text for table in tables for (text,) in json.loads(table.schema.metadata[TEXT])]
    batches = taught.batches
    assert len(batches) == len(said) == sum(table.num_rows for table in tables)
    states = torch.cat([torch.tensor(column(table, STATE)) for table in tables])
    assert torch.equal(batches.numbers[STATE], states)
    heard = batches.text[batches.numbers["task_index"]]
    assert torch.allclose(heard, SentenceEncoder().encode(said), atol=1e-5)


def test_a_batch_is_drawn_from_what_there_is(taught) -> None:
    kinds = {kind: Taught(16, "cpu", SentenceEncoder()) for kind in SEEDS} | {"glances": taught}
    batch = drawn(kinds, 12, step=3, horizon=8)
    assert batch.chunk.shape == (12, 8, 7)
    assert torch.equal(batch.inputs.state, drawn(kinds, 12, step=3, horizon=8).inputs.state)
