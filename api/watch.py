"""A command on a server, watched from a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from agent.outcome import CommandResult
from api.client import Client
from api.server.schema import Event, EventType
from api.text import printable

Ask = Callable[[str, Sequence[str]], str | None]


class Watcher:
    """Prints what happens and puts the robot's questions to the person at the keyboard."""

    def __init__(self, client: Client, console: Console, ask: Ask | None) -> None:
        self._client = client
        self._console = console
        self._ask = ask

    def follow(self, command_id: str) -> CommandResult:
        """To the end of the command. Raises `TandemError` when the server is lost."""
        result = CommandResult(outcome="interrupted", code="SERVER_LOST", message="the stream has ended")  # type: ignore[arg-type]
        for event in self._client.events(command_id):
            self._show(event, command_id)
            if event.type is EventType.OUTCOME:
                result = CommandResult.model_validate(event.data)
        return result

    def _show(self, event: Event, command_id: str) -> None:
        told = event.data
        match event.type:
            case EventType.SCENE:
                self._say(f"sees {len(told['objects'])} things", "dim")
            case EventType.PLAN:
                self._say(f"plan {told['version'] + 1} ({told['reason']})", "cyan")
                for number, node in enumerate(told["nodes"], 1):
                    self._say(f"  {number:>2} {node['subgoal']}")
            case EventType.NODE:
                mark, style = _MARKS.get(told["status"], ("?", ""))
                reason = f"  {told['reason']}" if told["status"] == "failed" else ""
                again = f" (try {told['attempt']})" if told["attempt"] > 1 else ""
                self._say(f"{mark} {told['subgoal']}{again}{reason}", style)
            case EventType.SCORE if told["level"] != "ok":
                self._say(f"! monitor {told['level']}: {told['name']} {told['score']}", "yellow")
            case EventType.QUESTION if told["answer"] is None:
                self._question(told["id"], told["text"], told["options"], command_id)

    def _question(self, number: int, text: str, options: Sequence[str], command_id: str) -> None:
        self._say(f"? {text}", "bold yellow")
        current = self._client.get(command_id).question
        if self._ask is None or current is None or current.id != number:
            return
        answer = self._ask(text, options)
        if answer:
            self._client.answer(command_id, number, answer)

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text(printable(text), style=style))


_MARKS = {"running": ("…", "dim"), "done": ("✓", "green"), "failed": ("✗", "red")}
