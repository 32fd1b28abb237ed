"""Blobs from anywhere: nothing is unpickled, nothing escapes the folder, nothing unpacks without bound."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from traces import blobs
from traces.blobs import BlobStore, encode_arrays
from traces.errors import TandemError


def _plant(folder: Path, data: bytes) -> str:
    name = hashlib.sha256(data).hexdigest()
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return name


@pytest.mark.parametrize(
    "name",
    ["", "../trace.wal", "/etc/hostname", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n", "0" * 32 + "/" * 32],
)
def test_only_hashes_name_blobs(tmp_path: Path, name: str) -> None:
    with pytest.raises(TandemError, match="BLOB_CORRUPT"):
        BlobStore(tmp_path).get(name)


def test_arrays_survive_with_shape_and_type(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    arrays = {
        "actions": np.arange(14, dtype=np.float32).reshape(2, 7),
        "empty": np.zeros((0, 3), np.int16),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "nan": np.array(np.nan),
    }
    read = store.get_arrays(store.put(encode_arrays(arrays)))
    assert set(read) == set(arrays)
    for key, array in arrays.items():
        assert (read[key].dtype, read[key].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(read[key], array)


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([{"a": 1}], dtype=object))
    bare = io.BytesIO()
    np.save(bare, np.array([{"a": 1}], dtype=object))
    for data in (buffer.getvalue(), bare.getvalue(), b"\x80\x04K\x01.", b"", b"PK\x03\x04"):
        with pytest.raises(TandemError, match="BLOB_CORRUPT"):
            BlobStore(tmp_path).get_arrays(_plant(tmp_path, data))


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "MAX_BLOB_BYTES", 1 << 20)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(1 << 21))
    with pytest.raises(TandemError, match="unpacks to too much"):
        BlobStore(tmp_path).get_arrays(_plant(tmp_path, buffer.getvalue()))


def test_an_array_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "<f8", "fortran_order": False, "shape": (1 << 44,)}
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", member.getvalue())
    with pytest.raises(TandemError, match="BLOB_CORRUPT"):
        BlobStore(tmp_path).get_arrays(_plant(tmp_path, buffer.getvalue()))


def test_json_is_canonical_and_broken_json_is_named(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    assert store.get_json(store.put(b'{"a":1}')) == {"a": 1}
    for data in (b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(TandemError, match="BLOB_CORRUPT"):
            store.get_json(_plant(tmp_path, data))


def test_a_half_written_blob_is_not_a_blob(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    name = store.put(b"x")
    (tmp_path / f".{name}.1.part").write_bytes(b"half")
    assert list(store.names()) == [name]
