from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from traces import names
from traces.recorder import Recorder


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def record_small_run(folder: Path) -> Path:
    """A command with a perception, two chunks that link it, one log record, blobs and a result."""
    with Recorder.open(folder, {names.COMMAND_TEXT: "clear the table", names.SEED: 7}) as recorder:
        with recorder.span(names.COMMAND) as root:
            with recorder.span(names.PERCEIVE) as seen:
                seen.set(names.OVERHEAD_REF, recorder.image(np.full((8, 8, 3), 9, np.uint8)))
            for k in range(2):
                links = [(seen.ref, names.LinkKind.OBSERVED)]
                with recorder.span(names.CHUNK.format(k=k), {names.CHUNK_ID: k}, links) as chunk:
                    chunk.set(names.CHUNK_REF, recorder.arrays(actions=np.full((3, 7), k, np.float32)))
                    chunk.log(names.GUARD_EVENT, {names.GUARD_LIMIT: "ee_speed", names.GUARD_VALUE: 1.5})
            root.set(names.OUTCOME, "succeeded")
        recorder.result({"outcome": "succeeded", "code": "", "wall_s": 1.5, "chunks": 2})
    return folder


@pytest.fixture
def small_run(tmp_path: Path) -> Path:
    return record_small_run(tmp_path / "run")


@pytest.fixture
def make_run() -> Callable[[Path], Path]:
    return record_small_run
