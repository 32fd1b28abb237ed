"""`tandem faults`: what can be made to go wrong."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sim.faults.catalogue import CATALOGUE
from sim.faults.kinds import Kind
from sim.faults.spec import GRAMMAR


def faults(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON list on stdout, and nothing else there.")
    ] = False,
) -> None:
    """List what `tandem run --fault` can make go wrong.

    A fault is written NAME/AIM:MAGNITUDE@ONSETs+DURATIONs; all but the name can be left out. It acts from
    the onset on, counted from the beginning of the command, for the duration or to the end. The robot is not
    told; the record is.

    \b
    Examples:
      tandem run "clear the table" --fault camera_shift:0.05@3s
      tandem run "clear the table" --fault frame_freeze/wrist@4s+2s --fault slip@0s
    """  # noqa: D301 (the backspace keeps the lines apart)
    if as_json:
        sys.stdout.write(json.dumps([_facts(kind) for kind in CATALOGUE.values()], indent=1) + "\n")
        return
    table = Table(box=None, pad_edge=False, caption=Text(GRAMMAR))
    for column in ("fault", "", "class", "default", "what it does"):
        table.add_column(column, no_wrap=column == "fault")
    for kind in CATALOGUE.values():
        table.add_row(kind.name, f"F{kind.number}", kind.failure.value, kind.size.text, kind.meaning)
    Console().print(table)


def _facts(kind: Kind) -> dict[str, object]:
    size = kind.size
    return {
        "name": kind.name,
        "number": f"F{kind.number}",
        "class": kind.failure.value,
        "site": kind.site.value,
        "unit": size.unit,
        "default": size.default,
        "low": size.low,
        "high": size.high,
        "lasts_s": kind.lasts_s,
        "meaning": kind.meaning,
        "revert": kind.revert,
    }
