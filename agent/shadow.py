"""Shadow decisions: what would have been done had the monitor kept silent, on record where it differs."""

from __future__ import annotations

from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder
from vla_low_level.monitor import Finding
from vla_low_level.observation import Observation
from vla_low_level.policy import Instruction, Policy, PolicyOutput

DONE, CHUNK, NOTHING = "done", "chunk", "nothing"


def record_shadow(
    recorder: Recorder,
    finding: Finding,
    last: PolicyOutput,
    policy: Policy,
    told: tuple[Observation, Instruction],
) -> None:
    """Write down what an alarm has changed: the arm holds, and without it the policy would have gone on.

    Args:
        recorder: Where to.
        finding: The alarm.
        last: What the policy had said last; it may have believed itself done.
        policy: It is asked for the chunk that is now not carried out.
        told: What it sees and what it was told.

    Raises:
        TandemError: The disk failed.
    """
    facts: dict[str, object] = {
        names.MONITOR_NAME: finding.name,
        names.MONITOR_SCORE: finding.score,
        names.MONITOR_THRESHOLD: finding.threshold,
        names.SHADOW_TAKEN: "hold",
    }
    if last.progress >= 1.0:
        recorder.log(names.SHADOW, {**facts, names.SHADOW_DECISION: DONE})
        return
    try:
        chunk = policy.act(*told).chunk
    except (TandemError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as fault:
        recorder.log(names.SHADOW, {**facts, names.SHADOW_DECISION: NOTHING, names.REASON: str(fault)})
        return
    ref = recorder.arrays(actions=chunk.actions[: policy.replan_rows])
    recorder.log(names.SHADOW, {**facts, names.SHADOW_DECISION: CHUNK, names.SHADOW_CHUNK_REF: ref})
