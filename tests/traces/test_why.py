"""Any span leads back to what was seen, ruled and said; two runs part where they part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from traces import names
from traces.diff import diff_runs
from traces.errors import TandemError
from traces.reader import read_run
from traces.recorder import Recorder
from traces.run import Run
from traces.why import evidence, find_span, resolve_all, why


def record(folder: Path, *, rows: float = 0.0, label: str = "false", state: str = "0" * 64) -> Run:
    """Two plans: a pick whose judgement fails, and the plan that this made necessary."""
    with Recorder.open(folder, {names.COMMAND_TEXT: "clear the table"}) as recorder:
        with recorder.span(names.COMMAND), recorder.span(names.AGENT):
            cause = None
            for version in range(2):
                with recorder.span(names.PERCEIVE) as seen:
                    seen.set(names.PERCEIVED_REF, recorder.json({"objects": []}))
                links = [(seen.ref, names.LinkKind.OBSERVED)]
                links += [(cause, names.LinkKind.CAUSED_BY)] if cause else []
                trigger = "postcondition" if cause else "initial"
                with recorder.span(names.PLAN, {names.PLAN_TRIGGER: trigger}, links) as plan:
                    pass
                skill = names.SKILL.format(skill="pick")
                with recorder.span(
                    skill, {names.ROUTE: "specialist"}, [(plan.ref, names.LinkKind.CAUSED_BY)]
                ):
                    chunks = []
                    for k in range(2):
                        actions = np.full((2, 7), rows if (version, k) == (0, 1) else 0.0, np.float32)
                        facts = {
                            names.CHUNK_ID: 2 * version + k,
                            names.CHUNK_REF: recorder.arrays(actions=actions),
                            names.PROPRIOCEPTION_REF: recorder.arrays(ee_position_m=np.zeros(3)),
                        }
                        observed = [(seen.ref, names.LinkKind.OBSERVED)]
                        with recorder.span(names.CHUNK.format(k=k), facts, observed) as chunk:
                            chunk.set(names.MONITOR_SCORES, json.dumps({"time_s": [19.0, 20.0]}))
                            chunk.set(names.STATE_HASH, state)
                        chunks.append((chunk.ref, names.LinkKind.JUDGES))
                    told = {names.EVALUATION_NAME: "held(red_cup_1)", names.EVALUATION_LABEL: label}
                    with recorder.span(names.EVALUATE, told, chunks) as judged:
                        cause = judged.ref
    return read_run(folder)


def test_a_chunk_leads_to_the_failed_judgement_that_made_the_plan_necessary(tmp_path: Path) -> None:
    run = record(tmp_path)
    reasons = why(run, find_span(run, "2"))
    told = [(reason.relation, reason.span.name) for reason in reasons]
    assert told[0] == ("", "chunk 0")
    assert ("caused_by", "tandem.evaluate") in told
    assert ("part_of", names.COMMAND) in told
    judgement = next(reason for reason in reasons if reason.span.name == "tandem.evaluate")
    assert any("held(red_cup_1)" in line for line in evidence(judgement))
    assert len({reason.span.ref for reason in reasons}) == len(reasons)


def test_scores_and_bounds_stand_in_the_evidence(tmp_path: Path) -> None:
    run = record(tmp_path)
    assert "scores: time_s 19 of 20" in evidence(why(run, find_span(run, "0"))[0])


def test_a_judgement_names_the_last_chunk_and_counts_the_others(tmp_path: Path) -> None:
    run = record(tmp_path)
    (judges,) = [r for r in why(run, run.named(names.EVALUATE)[0]) if r.relation == "judges"]
    assert (judges.span.name, judges.more) == ("chunk 1", 1)


def test_spans_are_found_by_number_name_and_id(tmp_path: Path) -> None:
    run = record(tmp_path)
    chunk = run.named(names.CHUNK)[3]
    assert find_span(run, "3") is chunk
    assert find_span(run, chunk.ref.span_id[:10]).ref == chunk.ref
    assert find_span(run, names.COMMAND) is run.roots[0]
    for unknown in ("99", "chunk 0", "nothing", "zz", ""):
        with pytest.raises(TandemError, match="SPAN_UNKNOWN") as caught:
            find_span(run, unknown)
        assert caught.value.fix


def test_every_chunk_is_accounted_for_or_named(tmp_path: Path) -> None:
    run = record(tmp_path)
    assert resolve_all(run).dangling == ()
    assert resolve_all(run).chunks == 4
    ref = str(run.named(names.CHUNK)[1].attributes[names.PROPRIOCEPTION_REF])
    (tmp_path / "blobs" / ref).unlink()
    assert len(resolve_all(run).dangling) == 4


def test_equal_runs_do_not_part(tmp_path: Path) -> None:
    diff = diff_runs(record(tmp_path / "a"), record(tmp_path / "b"))
    assert (diff.facts, diff.parting) == ((), None)


@pytest.mark.parametrize(
    ("change", "number", "key", "whose"),
    [
        ({"rows": 1.0}, 5, names.CHUNK_REF, "the policy"),
        ({"label": "true"}, 6, names.EVALUATION_LABEL, "the success test"),
        ({"state": "1" * 64}, 4, names.STATE_HASH, "the body"),
    ],
)
def test_the_first_difference_is_found_and_laid_at_the_right_door(
    tmp_path: Path, change: dict[str, object], number: int, key: str, whose: str
) -> None:
    parting = diff_runs(record(tmp_path / "a"), record(tmp_path / "b", **change)).parting  # type: ignore[arg-type]
    assert parting is not None
    assert (parting.number, parting.key) == (number, key)
    assert parting.whose.startswith(whose)


def test_a_run_that_ends_earlier_parts_there(tmp_path: Path, small_run: Path) -> None:
    whole = (small_run / "trace.wal").read_bytes().splitlines(keepends=True)
    short = tmp_path / "short"
    short.mkdir()
    first_chunk = next(n for n, line in enumerate(whole) if b'"chunk 1"' in line)
    (short / "trace.wal").write_bytes(b"".join(whole[:first_chunk]))
    parting = diff_runs(read_run(small_run), read_run(short)).parting
    assert parting is not None
    assert (parting.first and parting.first.name, parting.second) == ("chunk 1", None)
