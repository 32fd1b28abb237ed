"""A run as one HTML file that opens from disk: tree, frames, scores against their bounds, a scrubber.

Everything from the record reaches the page as JSON and is shown as text; the page may load nothing and run
nothing but its own script, whose hash its policy names.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from PIL import Image

from traces import names
from traces.errors import TandemError
from traces.facts import facts_of
from traces.run import RecordedSpan, Run
from traces.storage import write_whole
from traces.timeline import Frame, frames_of, samples_of

QUALITY: Final = 80
MAX_FRAMES: Final = 2000
_MAX_TEXT: Final = 2000


def write_html(run: Run, target: Path) -> int:
    """Write the page; returns its size in bytes.

    Raises:
        TandemError: `STORE_FULL`, `STORE_READ_ONLY` or `STORE_IO`.
    """
    page = render(run).encode()
    write_whole(target, page)
    return len(page)


def render(run: Run) -> str:
    """The page as text."""
    script, style = _part("view.js"), _part("view.css")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    # `<` could end the element; JSON has another way to write it.
    data = json.dumps(_data(run), separators=(",", ":")).replace("<", "\\u003c")
    title = html.escape(str(run.attributes.get(names.COMMAND_TEXT, run.folder.name)))
    about = html.escape(_about(run))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><style>{style}</style></head><body>'
        f"<header><b>{title}</b><span>{about}</span></header>"
        '<nav id="tree" aria-label="spans"></nav>'
        '<main><div id="frames"></div><div id="scores"></div><div id="detail"></div></main>'
        '<footer><button id="play" aria-label="play">▶</button>'
        '<input id="time" type="range" min="0" step="0.01" value="0" aria-label="time">'
        '<output id="clock"></output></footer>'
        f'<script id="run" type="application/json">{data}</script><script>{script}</script></body></html>'
    )


def _part(name: str) -> str:
    return (files("traces") / "page" / name).read_text(encoding="utf-8")


def _about(run: Run) -> str:
    outcome = next((root.attributes.get(names.OUTCOME) for root in run.roots), None) or "killed"
    facts = (names.SCENE_NAME, names.SEED, names.EMBODIMENT, names.PLANNER_ID)
    told = [f"{key.removeprefix('tandem.')} {run.attributes[key]}" for key in facts if key in run.attributes]
    return " · ".join([str(outcome), *told, f"trace {run.trace_id}"])


def _data(run: Run) -> dict[str, Any]:
    images: dict[str, str] = {}
    frames = _frames(run, images)
    return {**spans_data(run), "frames": frames, "images": images, "scores": _scores(run)}


def spans_data(run: Run) -> dict[str, Any]:
    """What every viewer of a run shows beside pictures: its length, s, its spans, and when each chunk was.

    Times `start`, `end` and `t` are in seconds since the command began; links name spans by id.
    """
    end_ns = max([run.last_ns, *(span.end_ns or 0 for _, span in run.walk())])
    return {
        "length": max(0.01, seconds_in(run, end_ns)),
        # The body's work on a chunk says nothing that the chunk beside it does not.
        "spans": [_span(run, span, depth) for depth, span in run.walk() if span.name != names.BODY_EXECUTE],
        "moments": [
            {"t": seconds_in(run, s.time_ns), "body": s.body_s or 0.0, "chunk": s.number, "node": s.node}
            for s in samples_of(run)
        ],
    }


def seconds_in(run: Run, ns: int) -> float:
    """Seconds since the command began, or the recording where it never did."""
    return round((ns - (run.roots[0].start_ns if run.roots else run.started_ns)) / 1e9, 4)


def _span(run: Run, span: RecordedSpan, depth: int) -> dict[str, Any]:
    return {
        "id": span.ref.span_id,
        "name": span.name,
        "depth": depth,
        "status": span.status.value,
        "start": seconds_in(run, span.start_ns),
        "end": None if span.end_ns is None else seconds_in(run, span.end_ns),
        "message": f"{span.code}: {span.message}" if span.code else "",
        "told": " · ".join(_short(value) for _, value in facts_of(span) if value != ""),
        "facts": [[key, _short(value, _MAX_TEXT)] for key, value in sorted(span.attributes.items())],
        "links": [[link.kind, link.target.span_id] for link in span.links],
        "logs": [
            {
                "t": seconds_in(run, log.time_ns),
                "text": f"{log.name} {_short(dict(log.attributes), _MAX_TEXT)}",
            }
            for log in span.logs
            if log.name != names.STEP
        ],
    }


def _short(value: object, most: int = 120) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def _frames(run: Run, images: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Frames by camera; each picture once, evenly thinned out where there are too many."""
    every = list(frames_of(run))
    kept = every[:: 1 + len(every) // MAX_FRAMES]
    frames: dict[str, list[dict[str, Any]]] = {}
    for frame in kept:
        if _load(run, frame, images):
            frames.setdefault(frame.camera, []).append(
                {"t": seconds_in(run, frame.time_ns), "image": frame.ref}
            )
    return frames


def _load(run: Run, frame: Frame, images: dict[str, str]) -> bool:
    if frame.ref not in images:
        try:
            rgb = run.blobs.get_image(frame.ref)
        except TandemError:
            return False
        buffer = io.BytesIO()
        Image.fromarray(rgb).save(buffer, format="JPEG", quality=QUALITY)
        images[frame.ref] = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    return True


def _scores(run: Run) -> list[dict[str, Any]]:
    """Scores that have a bound, as shares of it."""
    lines: dict[str, list[list[float]]] = {}
    for sample in samples_of(run):
        for name, (score, bound) in sample.scores.items():
            if bound:
                lines.setdefault(name, []).append([seconds_in(run, sample.time_ns), round(score / bound, 4)])
    return [{"name": name, "points": points} for name, points in sorted(lines.items())]
