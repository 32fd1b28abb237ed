"""The recorded dataset, read by the rules of LeRobotDataset v3.0 alone, and by ours."""

import io
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sim.demos.record import orders_for, record, record_scene
from traces.errors import TandemError
from vla_low_level.dataset.assemble import assemble
from vla_low_level.dataset.read import read


def test_another_reader_finds_every_frame_by_the_metadata(demos) -> None:
    info = json.loads((demos / "meta/info.json").read_text())
    episodes = pq.read_table(demos / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    tasks = {
        row["task_index"]: row["__index_level_0__"]
        for row in pq.read_table(demos / "meta/tasks.parquet").to_pylist()
    }
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_tasks"]) == (len(episodes), len(tasks))
    seen = 0
    for episode in episodes:
        name = info["data_path"].format(
            chunk_index=episode["data/chunk_index"], file_index=episode["data/file_index"]
        )
        rows = pq.read_table(demos / name).to_pylist()
        mine = [row for row in rows if row["episode_index"] == episode["episode_index"]]
        assert len(mine) == episode["length"] == episode["dataset_to_index"] - episode["dataset_from_index"]
        assert [row["frame_index"] for row in mine] == list(range(len(mine)))
        assert mine[0]["index"] == episode["dataset_from_index"] == seen
        np.testing.assert_allclose(
            [r["timestamp"] for r in mine], np.arange(len(mine)) / info["fps"], atol=1e-5
        )
        assert {tasks[row["task_index"]] for row in mine} <= set(episode["tasks"])
        seen += len(mine)
    assert seen == info["total_frames"]


def test_every_feature_has_the_shape_that_is_declared(demos) -> None:
    info = json.loads((demos / "meta/info.json").read_text())
    stats = json.loads((demos / "meta/stats.json").read_text())
    row = pq.read_table(demos / "data/chunk-000/file-000.parquet").slice(3, 1).to_pylist()[0]
    for name, feature in info["features"].items():
        if feature["dtype"] == "image":
            with Image.open(io.BytesIO(row[name]["bytes"])) as image:
                assert np.asarray(image).shape == tuple(feature["shape"])
            assert np.asarray(stats[name]["mean"]).shape == (3, 1, 1)
        elif len(feature["shape"]) == 1 and feature["shape"][0] > 1:
            assert len(row[name]) == feature["shape"][0] == len(feature["names"])
            assert len(stats[name]["mean"]) == feature["shape"][0]


def test_pandas_readers_get_the_sentences_as_the_index(demos) -> None:
    told = json.loads(pq.read_schema(demos / "meta/tasks.parquet").metadata[b"pandas"])
    named = {column["field_name"] for column in told["columns"]}
    assert set(told["index_columns"]) == {"__index_level_0__"} <= named


def test_the_same_seeds_give_the_same_bytes(demos, tmp_path) -> None:
    for order in orders_for(tmp_path, 11, 2):
        record_scene(order)
    assemble(tmp_path, "test", {})
    files = [p.relative_to(demos) for p in sorted(demos.rglob("*")) if p.is_file() and "parts" not in p.parts]
    for file in files:
        assert (tmp_path / file).read_bytes() == (demos / file).read_bytes(), file


def test_recording_goes_on_where_it_was(demos, tmp_path) -> None:
    shutil.copytree(demos / "parts", tmp_path / "parts")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "parts").iterdir()}
    done = list(record(orders_for(tmp_path, 10, 3), workers=1))
    assert [result.seed for result in done] == [10]
    assert {p: p.stat().st_mtime_ns for p in before} == before


def _without_target(info) -> None:
    del info["features"]["target.position"]


def _other_action(info) -> None:
    info["features"]["action"]["shape"] = [6]


def _other_rate(info) -> None:
    info["fps"] = 30


def _older(info) -> None:
    info["codebase_version"] = "v2.1"


def _too_many(info) -> None:
    info["total_frames"] += 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without_target, "feature target.position .* is missing"),
        (_other_action, r"action has shape \[6\], not \[7\]"),
        (_other_rate, "30 frames a second, not 10"),
        (_older, "version v2.1, not v3.0"),
        (_too_many, "number of frames"),
    ],
)
def test_a_dataset_that_does_not_fit_is_named_with_what_does_not(demos, tmp_path, change, says) -> None:
    folder = tmp_path / "d"
    shutil.copytree(demos, folder)
    path = folder / "meta/info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))
    with pytest.raises(TandemError, match=says) as caught:
        read(folder)
    assert caught.value.code == "DATASET_MISMATCH"


def test_a_folder_without_a_dataset_says_how_to_make_one(tmp_path) -> None:
    with pytest.raises(TandemError, match="tandem data record") as caught:
        read(tmp_path)
    assert caught.value.code == "DATASET_MISSING"
