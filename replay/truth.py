"""Where things really were: a run re-simulated with the simulator's privilege, for those who look back.

The agent that made the run never saw any of this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from replay.motion import ChunkMotion, recorded_motion
from replay.physics import repeat_other
from replay.recorded import LOCKSTEP, recorded_scene
from sim.faults.record import recorded_injection
from sim.robot import SimRobot
from sim.truth import SceneTruth
from traces.run import Run

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TrueMoment:
    """The world after a chunk.

    Attributes:
        start_ns: When the chunk began in the recorded run, since the epoch, ns.
        body_s: The body's clock after it, s.
        truth: Every object.
        exact: The physical state is the recorded one to the last bit.
    """

    start_ns: int
    body_s: float
    truth: SceneTruth
    exact: bool


def true_moments(run: Run, progress: Progress = lambda _done, _of: None) -> list[TrueMoment]:
    """The true scene after every chunk of a lockstep run.

    Raises:
        TandemError: `REPLAY_INCOMPLETE`, `BLOB_MISSING`, `BLOB_CORRUPT`, `BODY_LOST`.
    """
    motions = recorded_motion(run)
    found: list[TrueMoment] = []
    faults = recorded_injection(run)
    with SimRobot.start(recorded_scene(run), clock=LOCKSTEP, privileged=True, faults=faults) as robot:
        for number, motion in enumerate(motions, 1):
            if not isinstance(motion, ChunkMotion):
                repeat_other(robot, motion.name, motion.reason)
                continue
            report = robot.execute(motion.chunk, motion.max_steps)
            exact = report.state_hash == motion.state_hash
            found.append(TrueMoment(motion.start_ns, report.time_s, robot.truth(), exact))
            progress(number, len(motions))
    return found
