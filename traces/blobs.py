"""Content-addressed files: everything large in a run, named by the sha256 of its bytes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from traces.errors import TandemError
from traces.storage import storage_error, write_file
from traces.values import as_json

MAX_BLOB_BYTES = 1 << 28
_SHA256 = re.compile(r"[0-9a-f]{64}")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError)
_MAGIC = {
    b"\x89PNG\r\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"PK\x03\x04": "application/x-npz",
    b"{": "application/json",
    b"[": "application/json",
}


def is_sha(name: object) -> bool:
    """Whether this can name a blob: 64 lower-case hex digits and nothing else."""
    return isinstance(name, str) and _SHA256.fullmatch(name) is not None


class BlobStore:
    """The blobs of one run. Equal bytes are stored once; a name is never overwritten.

    A blob is whole or absent after the death of the process. Whoever wants it on the disk itself is told
    of every file that was written.
    """

    def __init__(self, folder: Path, written: Callable[[Path], None] = lambda _path: None) -> None:
        self._folder = folder
        self._written = written
        self._there: set[str] = set()

    def put(self, data: bytes) -> str:
        """Store bytes and return their sha256.

        Raises:
            TandemError: `STORE_FULL`, `STORE_READ_ONLY` or `STORE_IO`.
        """
        name = hashlib.sha256(data).hexdigest()
        if name in self._there:
            return name
        target = self._folder / name
        partial = self._folder / f".{name}.{os.getpid()}.part"
        try:
            if not self._there:
                self._folder.mkdir(parents=True, exist_ok=True)
            write_file(partial, data)
            partial.replace(target)
        except OSError as cause:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise storage_error(cause, target) from cause
        self._there.add(name)
        self._written(target)
        return name

    def get(self, name: str) -> bytes:
        """Read a blob and check it against its name.

        Raises:
            TandemError: `BLOB_MISSING`, or `BLOB_CORRUPT` when the bytes are not those that were stored.
        """
        if not is_sha(name):
            raise TandemError("BLOB_CORRUPT", f"{name[:80]!r} cannot name a blob")
        target = self._folder / name
        try:
            if target.stat().st_size > MAX_BLOB_BYTES:
                raise TandemError("BLOB_CORRUPT", f"blob {name} is larger than {MAX_BLOB_BYTES} bytes")
            data = target.read_bytes()
        except OSError as cause:
            raise TandemError("BLOB_MISSING", f"blob {name} is not there: {cause.strerror}") from cause
        if hashlib.sha256(data).hexdigest() != name:
            raise TandemError("BLOB_CORRUPT", f"blob {name} does not hold the bytes that were stored")
        return data

    def names(self) -> Iterator[str]:
        """Every blob that is there, sorted; other files are passed over."""
        if self._folder.is_dir():
            yield from sorted(path.name for path in self._folder.iterdir() if is_sha(path.name))

    def get_json(self, name: str) -> Any:
        """Read a JSON blob. Raises as `get`."""
        try:
            return json.loads(self.get(name))
        except (ValueError, RecursionError) as cause:
            raise TandemError("BLOB_CORRUPT", f"blob {name} is not JSON") from cause

    def get_image(self, name: str) -> NDArray[np.uint8]:
        """Read an image blob: uint8 [H, W, 3]. Raises as `get`."""
        try:
            with Image.open(io.BytesIO(self.get(name)), formats=("PNG", "JPEG")) as image:
                return np.array(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as cause:
            raise TandemError("BLOB_CORRUPT", f"blob {name} holds no image") from cause

    def get_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Read an array blob; nothing in it is unpickled. Raises as `get`."""
        data = self.get(name)
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_BLOB_BYTES:
                    raise TandemError("BLOB_CORRUPT", f"blob {name} unpacks to too much")
                return {
                    member.removesuffix(".npy"): np.lib.format.read_array(
                        io.BytesIO(archive.read(member)), allow_pickle=False
                    )
                    for member in archive.namelist()
                }
        except (ValueError, OSError, EOFError, MemoryError, *_BAD_ZIP) as cause:
            raise TandemError("BLOB_CORRUPT", f"blob {name} holds no arrays") from cause


def encode_image(rgb: NDArray[np.uint8], jpeg_quality: int | None = None) -> bytes:
    """PNG bytes of a uint8 [H, W, 3] image, or JPEG bytes where a quality (1..95) is given."""
    buffer = io.BytesIO()
    if jpeg_quality is None:
        Image.fromarray(rgb).save(buffer, format="PNG", compress_level=1)
    else:
        Image.fromarray(rgb).save(buffer, format="JPEG", quality=jpeg_quality)
    return buffer.getvalue()


def media_type(data: bytes) -> str:
    """What a blob holds, told from its first bytes."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    return "application/octet-stream"


def encode_arrays(arrays: Mapping[str, NDArray[Any] | np.generic], *, compress: bool = False) -> bytes:
    """An npz whose bytes depend on the arrays alone: fixed dates and sorted names.

    Raises:
        ValueError: An array holds Python objects.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for key in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(arrays[key], order="C"), allow_pickle=False)
            archive.writestr(
                zipfile.ZipInfo(f"{key}.npy", _EPOCH),
                member.getvalue(),
                zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED,
                compresslevel=1,
            )
    return buffer.getvalue()


def encode_json(value: object) -> bytes:
    """Canonical JSON bytes."""
    return as_json(value).encode("utf-8", "backslashreplace")
