"""What a person sees while a command runs: each subgoal as it goes, and how it ended."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from agent.events import (
    Asked,
    Event,
    Finished,
    MonitorRaised,
    NodeEnded,
    NodeProgress,
    NodeStarted,
    PlanMade,
    SceneSeen,
)
from agent.outcome import CommandResult, Outcome
from api.pictures import plan_tree, scene_table
from api.text import printable
from traces.storage import SHEET_FILE, VIDEO_FILE

_STYLE = {Outcome.SUCCEEDED: "green", Outcome.CANCELLED: "yellow", Outcome.NEEDS_HELP: "yellow"}
_BECAUSE = {
    "recheck": ", because things are left",
    "postcondition": ", because something failed",
    "proof": ", because the last one could not work",
    "human": ", as you said",
}


class Terminal:
    """A listener that prints. On a terminal the running subgoal has a live bar; elsewhere plain lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._scene_shown = False
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._subgoal = ""
        self._steps = 0
        self._done = 0
        self._clock_s: float | None = None
        self._began_s: float | None = None
        self._raised = {"warn": 0, "alarm": 0}

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case SceneSeen():
                self._scene(event)
            case PlanMade():
                self._plan(event)
            case NodeStarted():
                self._start(event)
            case NodeProgress():
                self._progress(event)
            case NodeEnded():
                self._end(event)
            case MonitorRaised():
                self._monitor(event)
            case Asked() | Finished():
                self._stop_bar()
                self._last_words(event)

    def _scene(self, event: SceneSeen) -> None:
        """The first look; what changes later shows in the steps."""
        if not self._scene_shown:
            self._console.print(scene_table(event.scene))
        self._scene_shown = True

    def _plan(self, event: PlanMade) -> None:
        self._steps, self._done = len(event.graph.nodes), 0
        title = f"plan {event.version + 1}" + _BECAUSE.get(event.reason, "")
        self._console.print(plan_tree(event.graph, title))

    def _start(self, event: NodeStarted) -> None:
        self._stop_bar()
        self._began_s = self._clock_s
        retry = f" (try {event.attempt})" if event.attempt > 1 else ""
        self._subgoal = f"{self._done + 1:>2}/{self._steps} {event.subgoal}{retry}"
        if self._console.is_terminal:
            columns = (TextColumn("    {task.description}", markup=False), BarColumn(20))
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._subgoal, total=1.0)

    def _progress(self, event: NodeProgress) -> None:
        self._clock_s = event.elapsed_s
        if self._began_s is None:
            self._began_s = event.elapsed_s
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=event.progress)

    def _end(self, event: NodeEnded) -> None:
        self._stop_bar()
        self._done += event.succeeded
        mark, style = ("✓", "green") if event.succeeded else ("✗", "red")
        text = Text.assemble((f"  {mark} ", style), self._subgoal)
        if self._clock_s is not None and self._began_s is not None:
            text.append(f"  {self._clock_s - self._began_s:.1f} s", style="dim")
        if not event.succeeded:
            text.append(f"  {printable(event.reason)}", style=style)
        self._console.print(text)

    def _monitor(self, event: MonitorRaised) -> None:
        self._raised[event.level] = self._raised.get(event.level, 0) + 1
        style = "red" if event.level == "alarm" else "yellow"
        line = f"monitor {event.level}: {event.name} {event.score:.3g}, bound {event.threshold:.3g}"
        self._console.print(Text(f"  ! {line}", style=style))

    def _last_words(self, event: Asked | Finished) -> None:
        if isinstance(event, Asked):
            if event.answer is None:
                self._console.print(Text(f"? {printable(event.question)}", style="bold yellow"))
        elif event.result.chunks:
            warnings, alarms = self._raised["warn"], self._raised["alarm"]
            said = f"{warnings} warnings, {alarms} alarms" if warnings or alarms else "all quiet"
            self._console.print(Text(f"monitor: {said}", style="dim"))

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar, self._task = None, None


def outcome_panel(result: CommandResult, folder: Path) -> Panel:
    """How it ended, what it took, and where to look."""
    style = _STYLE.get(result.outcome, "red")
    lines = [Text(printable(result.message or result.outcome.value))]
    if result.code:
        lines.append(Text(result.code, style="bold"))
    if result.fix:
        lines.append(Text("fix: " + printable(result.fix)))
    if result.chunks:
        counts = f"{result.steps_done} steps, {result.retries} retries, {result.replans} replans"
        ratio = result.sim_s / result.wall_s if result.wall_s else 0.0
        times = f"{result.sim_s:.0f} s simulated in {result.wall_s:.0f} s ({ratio:.1f}x)"
        lines.append(Text(f"{counts}; {times}", style="dim"))
    files = [name for name in (VIDEO_FILE, SHEET_FILE) if (folder / name).exists()]
    lines.append(Text(f"trace {folder}" + (f"  with {', '.join(files)}" if files else ""), style="dim"))
    return Panel(Group(*lines), title=result.outcome.value, title_align="left", border_style=style)
