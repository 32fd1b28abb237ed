"""The page's own logic, in a real browser: the graph's layout, the fold of events, the reader of streams."""

import json
import random
from itertools import pairwise
from typing import Any

import pytest

pytestmark = pytest.mark.web


def call(modules: Any, module: str, function: str, *arguments: object) -> Any:
    script = f"async (args) => {{ const m = await import('/assets/{module}'); return {function}; }}"
    return modules.evaluate(script, list(arguments))


LAYOUT = """(() => { const l = m.layered(args[0], args[1]);
  return {layers: l.layers, rows: l.rows, at: [...l.at].map(([id, s]) => [id, {layer: s.layer, row: s.row}]),
    lines: l.lines.map((line) => line.map((p) =>
      ({layer: p.layer, row: p.row, joint: Boolean(p.joint), id: p.id ?? null})))}; })()"""


def layout(modules: Any, ids: list[str], edges: list[tuple[str, str]]) -> dict[str, Any]:
    told = call(modules, "layers.js", LAYOUT, ids, edges)
    told["at"] = dict(told["at"])
    return told  # type: ignore[no-any-return]


def test_chains_lie_on_rows(modules: Any) -> None:
    ids = [f"{verb}{k}" for k in range(4) for verb in ("pick", "place")]
    told = layout(modules, ids, [(f"pick{k}", f"place{k}") for k in range(4)])
    assert (told["layers"], told["rows"]) == (2, 4)
    for k in range(4):
        assert told["at"][f"pick{k}"] == {"layer": 0, "row": k}
        assert told["at"][f"place{k}"] == {"layer": 1, "row": k}


def test_all_of_these_before_all_of_those_meet_in_one_joint(modules: Any) -> None:
    first, then = ["a", "b", "c"], ["x", "y", "z"]
    told = layout(modules, first + then, [(a, b) for a in first for b in then])
    assert len(told["lines"]) == 6  # not nine
    assert all(sum(p["joint"] for p in line) == 1 for line in told["lines"])


def test_an_edge_that_follows_from_others_is_not_drawn(modules: Any) -> None:
    told = layout(modules, ["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    assert [(line[0]["id"], line[-1]["id"]) for line in told["lines"]] == [("a", "b"), ("b", "c")]


@pytest.mark.parametrize("seed", range(25))
def test_any_graph_has_room(modules: Any, seed: int) -> None:
    dice = random.Random(seed)
    ids = [f"n{k}" for k in range(dice.randint(1, 30))]
    edges = [(a, b) for i, a in enumerate(ids) for b in ids[i + 1 :] if dice.random() < 2 / len(ids)]
    told = layout(modules, ids, edges)
    assert set(told["at"]) == set(ids)
    for a, b in edges:
        assert told["at"][a]["layer"] < told["at"][b]["layer"]
    for layer in range(told["layers"]):
        rows = sorted(spot["row"] for spot in told["at"].values() if spot["layer"] == layer)
        assert rows[0] >= -1e-9
        assert all(below - above >= 1 - 1e-9 for above, below in pairwise(rows))


NODES = [
    {
        "id": "pick_red_cup_1",
        "skill": "pick",
        "subgoal": "pick red cup 1",
        "arguments": {"object": "red_cup_1"},
    }
]


def event(seq: int, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"seq": seq, "at": f"2026-11-26T03:00:{seq:02d}Z", "type": kind, "command": "c-1", "data": data}


PLAN = {"version": 0, "reason": "initial", "nodes": NODES, "edges": []}
FOLD = """(() => { const w = m.nothing(); for (const e of args[0]) m.fold(w, e);
  return {t: w.t, before: w.before, plan: w.plan && w.plan.version, nodes: Object.fromEntries(w.nodes),
  scores: Object.fromEntries(w.scores), log: w.log}; })()"""


def node(status: str, attempt: int = 1, reason: str = "") -> dict[str, Any]:
    return {"node": "pick_red_cup_1", "status": status, "attempt": attempt, "subgoal": "", "reason": reason}


def test_events_are_folded_once_however_often_they_come(modules: Any) -> None:
    events = [event(1, "plan", PLAN), event(2, "node", node("running"))]
    events.append(event(3, "score", {"name": "ood", "level": "pass", "score": 0.5, "threshold": 1.0}))
    told = call(modules, "work.js", FOLD, [*events, *events])
    assert told["nodes"]["pick_red_cup_1"]["status"] == "running"
    assert told["scores"] == {"ood": [[2, 0.5, 1.0]]}
    assert [entry["text"] for entry in told["log"]] == ["Plan: 1 step"]


def test_whatever_the_monitor_finds_strangest_is_one_line(modules: Any) -> None:
    told = {"level": "pass", "score": 0.5, "threshold": 1.0}
    high = {"name": "monitor_aim_off", "level": "alarm", "score": 1.5, "threshold": 1.0}
    events = [
        event(1, "plan", PLAN),
        event(2, "score", {**told, "name": "monitor_entropy_table"}),
        event(3, "score", high),
    ]
    found = call(modules, "work.js", FOLD, events)
    assert found["scores"] == {"ood": [[1, 0.5, 1.0], [2, 1.5, 1.0]]}
    assert found["log"][-1]["text"] == "OOD 1.5, threshold 1.0 (aim off)"


def test_nothing_left_keeps_what_was_done_in_view(modules: Any) -> None:
    again = {"version": 1, "reason": "recheck", "nodes": [], "edges": []}
    events = [event(1, "plan", PLAN), event(2, "node", node("done")), event(3, "plan", again)]
    told = call(modules, "work.js", FOLD, events)
    assert told["plan"] == 0
    assert told["nodes"]["pick_red_cup_1"]["status"] == "done"
    assert told["log"][-1]["text"] == "Looked again: nothing is left"


def test_a_new_plan_counts_what_the_old_one_did_and_says_why_it_came(modules: Any) -> None:
    later = {**PLAN, "version": 1, "reason": "postcondition"}
    events = [
        event(1, "plan", PLAN),
        event(2, "node", node("done")),
        event(3, "plan", later),
        event(4, "node", node("failed", 2, "slipped")),
    ]
    told = call(modules, "work.js", FOLD, events)
    assert (told["before"], told["plan"]) == (1, 1)
    lines = [entry["text"] for entry in told["log"]]
    assert "Plan 2: 1 step, because something failed" in lines
    assert lines[-1] == "Pick up the red cup (try 2): slipped"


def test_a_recorded_run_at_any_second(modules: Any) -> None:
    tried = [
        {
            "node": "pick_red_cup_1",
            "attempt": 1,
            "start": 2.0,
            "end": 6.0,
            "succeeded": True,
            "reason": "seen",
        }
    ]
    timeline = {
        "length": 10.0,
        "spans": [],
        "frames": {},
        "scores": [],
        "plans": [{**PLAN, "t": 1.0}],
        "nodes": tried,
        "moments": [],
    }
    at = "Object.fromEntries(m.workAt({...args[0], scoreMap: new Map()}, args[1]).nodes)"
    assert call(modules, "work.js", at, timeline, 1.5) == {}
    assert call(modules, "work.js", at, timeline, 4.0)["pick_red_cup_1"] == {
        "status": "running",
        "attempt": 1,
        "reason": "seen",
        "progress": 0.5,
    }
    assert call(modules, "work.js", at, timeline, 6.0)["pick_red_cup_1"]["status"] == "done"


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ('id: 3\nevent: robot\ndata: {"seq": 3}', {"seq": 3}),
        ('data: {"a":\ndata: 1}', {"a": 1}),
        (": alive", None),
        ("data: not json", None),
        ("", None),
    ],
)
def test_blocks_of_a_stream(modules: Any, block: str, told: object) -> None:
    assert call(modules, "stream.js", "m.parse(args[0])", block) == told


def test_twins_are_told_apart_by_number_and_others_are_not(modules: Any) -> None:
    cups = [
        {"id": f"pick_{k}", "skill": "pick", "subgoal": "", "arguments": {"object": f"red_cup_{k}"}}
        for k in (1, 2)
    ]
    line = "m.stepLine(args[0], args[1])"
    assert call(modules, "words.js", line, cups[0], cups) == "Pick up the red cup 1"
    assert call(modules, "words.js", line, cups[0], cups[:1]) == "Pick up the red cup"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("tracking_m", 0.0149, "15 mm"),
        ("still_s", 2.0, "2.0 s"),
        ("clamped_share", 0.25, "25 %"),
        ("ood", 1.234, "1.2"),
    ],
)
def test_scores_have_units(modules: Any, name: str, value: float, told: str) -> None:
    assert call(modules, "words.js", f"m.scoreValue({json.dumps(name)}, {value})") == told
