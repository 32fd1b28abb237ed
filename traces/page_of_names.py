"""The reference page of the vocabulary: `python -m traces.page_of_names > docs/traces.md`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable

from traces import names

_HEAD = f"""# Traces

Made from `traces/names.py` by `python -m traces.page_of_names > docs/traces.md`; a test compares the two.

Schema version {names.SCHEMA_VERSION}; versions {", ".join(map(str, names.READABLE_VERSIONS))} can be read.
Names under `gen_ai.`, `error.` and `server.` are those of the OpenTelemetry semantic conventions
{names.SEMCONV_VERSION}; `openinference.`, `input.`, `output.` and `llm.` are OpenInference's; `tandem.` is
for what has no name elsewhere.

## What lies in a run's folder

`trace.wal`: the log, one checked line per record (`crc32 length JSON`), appended before the work it tells of
begins. Kinds of records: `run` (facts of the whole run), `start`, `set`, `link`, `log` and `end` of a span,
`set` and `log` of the run, `close`. A line that was cut short at the end is dropped and reported; anything
else that does not check is damage. At plans, ends of skills, alarms, stops and resets everything up to there,
blobs first, is forced to the disk itself: a power cut costs at most what came after.

`blobs/`: everything large, each file named by the sha256 of its bytes: pictures as PNG (or JPEG, by camera),
arrays as npz, the rest as JSON or text. `result.json`: how the command ended. `run.json`: its settings.

## The tree

```
{{tree}}
```

Parent is containment; links are causes. Time is in ns since the epoch, from a clock that never jumps.
"""


def render() -> str:
    """The page as Markdown."""
    doc = inspect.getdoc(names) or ""
    tree = "\n".join(line[4:] for line in doc.splitlines() if line.startswith("    "))
    parts = [_HEAD.replace("{tree}", tree)]
    spans = [
        (
            f"`{kind.template}`",
            f"`{kind.operation}`" if kind.operation else "",
            kind.openinference,
            kind.meaning,
        )
        for kind in names.SPANS.values()
    ]
    parts.append(
        _table("Spans", ("span", "gen_ai.operation.name", "openinference.span.kind", "what it is"), spans)
    )
    links = [(f"`{kind.value}`", meaning) for kind, meaning in _link_meanings().items()]
    parts.append(_table("Links", ("kind", "why one span points at another"), links))
    logs = [
        (f"`{name}`", "yes" if name in names.DURABLE_LOGS else "", meaning)
        for name, meaning in names.LOGS.items()
    ]
    parts.append(_table("Log records", ("name", "forced to disk", "what it tells"), logs))
    attributes = [(f"`{name}`", a.type, a.unit, a.meaning) for name, a in sorted(names.ATTRIBUTES.items())]
    parts.append(_table("Attributes", ("name", "type", "unit", "what it holds"), attributes))
    return "\n".join(parts)


def _link_meanings() -> dict[names.LinkKind, str]:
    """The text under each member, which Python does not keep."""
    source = inspect.getsource(names.LinkKind)
    found = re.findall(r'= "(\w+)"\s+"""(.*?)"""', source, re.S)
    return {names.LinkKind(value): text for value, text in found}


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"## {title}\n", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
