"""What a person sees while a command runs: the scene, the plan, each subgoal, the outcome."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

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
from api.text import printable
from skills.graph import SkillGraph
from skills.library import Put
from skills.scene import Scene
from traces.storage import SHEET_FILE, VIDEO_FILE

_STYLE = {Outcome.SUCCEEDED: "green", Outcome.CANCELLED: "yellow", Outcome.NEEDS_HELP: "yellow"}


class Terminal:
    """A listener that prints. On a terminal the running subgoal has a live bar; elsewhere plain lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._scene_shown = False
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._subgoal = ""

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case SceneSeen(scene=scene):
                self._scene(scene)
            case PlanMade(graph=graph, version=version, reason=reason):
                self._console.print(plan_tree(graph, f"plan {version + 1}" + _because(reason)))
            case NodeStarted(attempt=attempt, subgoal=subgoal):
                self._start(subgoal, attempt)
            case NodeProgress(progress=progress):
                if self._bar is not None and self._task is not None:
                    self._bar.update(self._task, completed=progress)
            case NodeEnded(succeeded=succeeded, reason=reason):
                self._end(reason, succeeded=succeeded)
            case MonitorRaised(name=name, level=level, score=score, threshold=threshold):
                style = "red" if level == "alarm" else "yellow"
                line = f"monitor {level}: {name} {score:.3g}, bound {threshold:.3g}"
                self._console.print(Text("  ! " + line, style=style))
            case Asked(question=question, answer=None):
                self._stop_bar()
                self._console.print(Text(f"? {printable(question)}", style="bold yellow"))
            case Asked() | Finished():
                self._stop_bar()

    def _scene(self, scene: Scene) -> None:
        """The first look; what changes later shows in the steps."""
        if not self._scene_shown:
            self._console.print(scene_table(scene))
        self._scene_shown = True

    def _start(self, subgoal: str, attempt: int) -> None:
        self._stop_bar()
        words = subgoal + (f" (try {attempt})" if attempt > 1 else "")
        self._subgoal = words
        if self._console.is_terminal:
            columns = (TextColumn("  {task.description}"), BarColumn(24))
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(words, total=1.0)

    def _end(self, reason: str, *, succeeded: bool) -> None:
        self._stop_bar()
        mark, style = ("✓", "green") if succeeded else ("✗", "red")
        text = Text(f"  {mark} {self._subgoal}", style=style)
        if not succeeded:
            text.append(f"  {printable(reason)}", style="dim")
        self._console.print(text)

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar, self._task = None, None


def _because(reason: str) -> str:
    words = {
        "recheck": ", because things are left",
        "postcondition": ", because something failed",
        "proof": ", because the last one could not work",
        "human": ", as you said",
    }
    return words.get(reason, "")


def scene_table(scene: Scene) -> Table:
    """The scene as perceived: what is where."""
    table = Table(title="I see", title_justify="left", box=None, padding=(0, 2, 0, 2), show_header=False)
    for item in scene.objects:
        x, y, _ = item.position_m
        where = f"in the {item.place.phrase}" if item.place else "on the table"
        table.add_row(item.id, where, f"x {x:.2f}  y {y:+.2f} m", f"{item.confidence:.0%}")
    if not scene.objects:
        table.add_row("nothing", "", "", "")
    return table


def plan_tree(graph: SkillGraph, title: str) -> Tree:
    """The skill graph: a branch per independent chain, arrows for what waits for what."""
    tree = Tree(Text(title, style="bold"))
    branches: dict[str, Tree] = {}
    for node in graph.nodes:
        waits = list(graph.digraph.predecessors(node.id))
        parent = branches.get(waits[-1], tree) if waits else tree
        skill = node.skill
        words = f"{skill.name} {skill.object}" + (
            f" → {skill.place.phrase}" if isinstance(skill, Put) else ""
        )
        others = f"  (after {', '.join(waits[:-1])})" if len(waits) > 1 else ""
        branches[node.id] = parent.add(Text(words + others))
    return tree


def outcome_panel(result: CommandResult, folder: Path) -> Panel:
    """How it ended, what it took, and where to look."""
    style = _STYLE.get(result.outcome, "red")
    lines = [Text(printable(result.message or result.outcome.value))]
    if result.code:
        lines.append(Text(result.code, style="bold"))
    if result.fix:
        lines.append(Text("fix: " + printable(result.fix)))
    counts = f"{result.steps_done} steps, {result.retries} retries, {result.replans} replans"
    ratio = result.sim_s / result.wall_s if result.wall_s else 0.0
    times = f"{result.sim_s:.0f} s simulated in {result.wall_s:.0f} s ({ratio:.1f}x)"
    lines.append(Text(f"{counts}; {times}", style="dim"))
    files = [name for name in (VIDEO_FILE, SHEET_FILE) if (folder / name).exists()]
    lines.append(Text(f"trace {folder}" + (f"  with {', '.join(files)}" if files else ""), style="dim"))
    return Panel(Group(*lines), title=result.outcome.value, title_align="left", border_style=style)
