"""The ground truth of faults in a run's record: written while it runs, read by those who score."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sim.faults.happening import BEGIN, END, Happening
from sim.faults.spec import Fault, Injection
from traces import names
from traces.errors import TandemError
from traces.recorder import Recorder
from traces.run import Run


@dataclass(frozen=True, slots=True)
class FaultTime:
    """What became of one injected fault.

    Attributes:
        fault: What was asked for; who is to blame is `fault.failure`.
        began_s: The body's clock when it first had an effect; None when it never had.
        ended_s: When it was over; None when it lasted to the end.
    """

    fault: Fault
    began_s: float | None
    ended_s: float | None


def injection_facts(injection: Injection) -> dict[str, object]:
    """What a run's first record says of its faults; nothing where there are none."""
    return {names.FAULTS: json.dumps([str(f) for f in injection.faults])} if injection.faults else {}


def record_fault(recorder: Recorder, injection: Injection, happened: Happening) -> None:
    """Write down that a fault has begun or ended. Raises `TandemError` when the disk fails."""
    recorder.log(
        names.FAULT_EVENT,
        {
            names.FAULT_INDEX: happened.fault,
            names.FAULT_NAME: injection.faults[happened.fault].name,
            names.FAULT_PHASE: happened.phase,
            names.FAULT_TIME_S: happened.time_s,
        },
    )


def recorded_injection(run: Run) -> Injection:
    """What was to go wrong in a run. Raises `TandemError` (`REPLAY_INCOMPLETE`) when that cannot be read."""
    try:
        texts = json.loads(str(run.attributes.get(names.FAULTS, "[]")))
        return Injection.parse(texts, int(run.attributes.get(names.SEED, 0)))
    except (ValueError, TypeError, TandemError) as cause:
        raise TandemError(
            "REPLAY_INCOMPLETE",
            f"the faults of {run.folder} cannot be injected again: {cause}",
            fix="replay it with the version that recorded it",
        ) from cause


def fault_times(run: Run) -> tuple[FaultTime, ...]:
    """When the injected faults really acted, in the order in which they were asked for."""
    logs = [*run.logs, *(log for _, span in run.walk() for log in span.logs)]
    at = {
        (log.attributes[names.FAULT_INDEX], log.attributes[names.FAULT_PHASE]): float(
            log.attributes[names.FAULT_TIME_S]
        )
        for log in logs
        if log.name == names.FAULT_EVENT
    }
    faults = recorded_injection(run).faults
    return tuple(FaultTime(fault, at.get((k, BEGIN)), at.get((k, END))) for k, fault in enumerate(faults))
