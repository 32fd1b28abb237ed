"""Videos that play, pictures that open."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from traces.errors import TandemError
from traces.media import VideoWriter, contact_sheet


def _frame(shade: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), shade, np.uint8)


def _decode(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_every_frame_is_in_the_video(tmp_path: Path) -> None:
    path = tmp_path / "run.mp4"
    with VideoWriter(path, 20) as video:
        for k in range(30):
            video.write(_frame(8 * k))
    frames = _decode(path)
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 30
    assert np.allclose([frame.mean() for frame in frames], [8 * k for k in range(30)], atol=4)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert container.streams.video[0].average_rate == 20
    assert [item.name for item in tmp_path.iterdir()] == ["run.mp4"]


def test_ctrl_c_leaves_a_playable_file(tmp_path: Path) -> None:
    path = tmp_path / "run.mp4"

    def film_until_interrupted() -> None:
        with VideoWriter(path, 20) as video:
            for _ in range(7):
                video.write(_frame(100))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film_until_interrupted()
    assert len(_decode(path)) == 7


def test_without_frames_there_is_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "run.mp4", 20):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "bad", [_frame(0, 47), _frame(0).astype(np.float32), _frame(0)[..., 0], _frame(0, 48, 66)]
)
def test_a_wrong_frame_is_refused_and_the_rest_survives(tmp_path: Path, bad: np.ndarray) -> None:
    path = tmp_path / "run.mp4"
    with VideoWriter(path, 20) as video:
        video.write(_frame(1))
        with pytest.raises(ValueError, match="frame"):
            video.write(bad)
    assert len(_decode(path)) == 1


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with (
        VideoWriter(tmp_path / "none" / "run.mp4", 20) as video,
        pytest.raises(TandemError, match="STORE_IO"),
    ):
        video.write(_frame(1))
    with pytest.raises(TandemError, match="STORE_IO"):
        contact_sheet([(_frame(1), "a")], tmp_path / "none" / "sheet.png")


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_the_sheet_holds_every_frame(tmp_path: Path, count: int) -> None:
    path = tmp_path / "sheet.png"
    contact_sheet([(_frame(20 * k + 10), f"step {k} " + "long " * k * 5) for k in range(count)], path)
    with Image.open(path) as sheet:
        shades = {int(shade) for shade in np.unique(np.asarray(sheet.convert("RGB"))[..., 0])}
    assert {20 * k + 10 for k in range(count)} <= shades


def test_a_sheet_of_nothing_or_of_different_sizes_is_refused(tmp_path: Path) -> None:
    for frames in ([], [(_frame(1), "a"), (_frame(1, 50), "b")]):
        with pytest.raises(ValueError, match="size"):
            contact_sheet(frames, tmp_path / "sheet.png")
