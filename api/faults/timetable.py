"""When the faults of the mind act, by the clock of the observations that pass through it."""

from __future__ import annotations

from collections.abc import Callable

from sim.faults.happening import BEGIN, END, Happening
from sim.faults.kinds import Site
from sim.faults.spec import Fault, Injection


class Timetable:
    """What is due at a site now, and what has begun. One for all wrappers of a run.

    Attributes:
        seed: Of the run.
    """

    def __init__(
        self,
        injection: Injection,
        told: Callable[[Happening], None] | None = None,
        *,
        realtime: bool = False,
    ) -> None:
        """`told` hears of every begin and end. Time begins at 0 in lockstep, else with an observation."""
        self.seed = injection.seed
        self._told = told
        self._faults = injection.faults
        self._zero_s = None if realtime else 0.0
        self._now_s = 0.0
        self._standing: list[Fault] = []
        self._began: dict[int, bool] = {}

    def observe(self, time_s: float) -> None:
        """An observation of this time is being used."""
        if self._zero_s is None:
            self._zero_s = time_s
        self._now_s = time_s
        while self._standing:
            self.acts(self._standing.pop(0))

    def of(self, site: Site) -> tuple[Fault, ...]:
        """What will ever happen there."""
        return tuple(fault for fault in self._faults if fault.kind.site is site)

    def has(self, site: Site) -> bool:
        """Whether anything will ever happen there."""
        return bool(self.of(site))

    def due(self, site: Site) -> tuple[Fault, ...]:
        """What is to act there at the time of the latest observation, in the order of the injection."""
        found = []
        passed_s = self._now_s - (self._zero_s or 0.0)
        for index, fault in enumerate(self._faults):
            if fault.kind.site is not site or passed_s < fault.onset_s:
                continue
            if fault.lasts_s is None or passed_s < fault.onset_s + fault.lasts_s:
                found.append(fault)
            elif self._began.get(index):
                self._began[index] = False
                self._tell(index, END)
        return tuple(found)

    def acts(self, fault: Fault) -> None:
        """It has an effect now; the first time is its beginning."""
        index = next(k for k, item in enumerate(self._faults) if item is fault)
        if index not in self._began:
            self._began[index] = True
            self._tell(index, BEGIN)

    def stands(self, fault: Fault) -> None:
        """It has an effect from before the first observation on."""
        if fault not in self._standing:
            self._standing.append(fault)

    def _tell(self, index: int, phase: str) -> None:
        if self._told is not None:
            self._told(Happening(index, phase, self._now_s))
