"""Where commands come in: holds the ledger, writes everything down, and speaks with the mind."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from agent.outcome import CommandResult, Outcome
from agent.planner.instruction import clean_instruction
from agent.stop_words import is_stop
from api.options import RunOptions
from api.server import lifecycle
from api.server.feed import Feed
from api.server.frames import Frames
from api.server.lifecycle import Ledger
from api.server.link import Link, MindLine
from api.server.robot_view import RobotView
from api.server.schema import Command, EventType, Question, Robot, SceneView, State
from api.server.settings import Settings
from api.server.store import Store
from traces.errors import TandemError
from traces.storage import RESULT_FILE, TRACE_FILE, write_whole
from vla_low_level.wire import Message

STOPPED_CODE = "STOPPED"

Connect = Callable[[Settings, Callable[[Message], None], Callable[[str], None]], MindLine]


class Desk:
    """One robot's front desk. Everything runs in the event loop's thread, and nothing here waits."""

    def __init__(self, settings: Settings, store: Store, connect: Connect = Link) -> None:
        """`connect` makes the line to the mind."""
        self._settings = settings
        self._store = store
        self._ledger = Ledger({command.id: command for command in store.commands()})
        self._ledger.restarted(_now())
        self.feed = Feed(store)
        self.frames = Frames()
        self.link = connect(settings, self._heard, self._gone)
        self._view = RobotView(settings, version("tandem-robot"))
        self._scene = SceneView()
        self._settle()

    def submit(self, instruction: str, key: str | None, resumes: str | None = None) -> Command:
        """Take a command; the same key again gives the same command, never two motions.

        Raises:
            TandemError: `EMPTY_INSTRUCTION`, `BAD_TEXT`, `INSTRUCTION_TOO_LONG`, `QUEUE_FULL`,
                `ROBOT_STOPPED`, `ROBOT_LOST`, `KEY_REUSED`.
        """
        if is_stop(instruction):
            return self._stopped_by_words(instruction)
        cleaned = clean_instruction(instruction)
        body = json.dumps([cleaned, resumes])
        if key is not None and (known := self._store.recall(key)):
            if known[1] != body:
                raise TandemError("KEY_REUSED", "this key was used for another command", fix="use a new one")
            return self._ledger.get(known[0])
        self._ledger.expire(_now())
        command = Command(
            id=_new_id(), instruction=cleaned, state=State.ACCEPTED, created_at=_now(), resumes=resumes
        )
        options = RunOptions(cleaned, record=None)
        run = f"{options.settled().folder.name}-{command.id[2:6]}"
        self._ledger.submit(command.model_copy(update={"run": run}))
        if key is not None:
            self._store.remember(key, command.id, body)
        self._settle()
        return self._ledger.get(command.id)

    def resume(self, command_id: str, key: str | None) -> Command:
        """Go on with what a command that did not end well has left. Raises as `submit`; `NOT_RESUMABLE`.

        A mind that did the first part knows what is done; another one has its words, and what it sees.
        """
        old = self._ledger.get(command_id)
        if old.state not in lifecycle.RESUMABLE:
            raise TandemError("NOT_RESUMABLE", f"the command is {old.state}", fix="give a new command")
        words = [old.instruction, *old.amendments]
        return self.submit(". ".join(words) if len(words) > 1 else words[0], key, old.id)

    def cancel(self, command_id: str) -> Command:
        """End a command. Raises as `Ledger.cancel`."""
        self._ledger.cancel(command_id, _now())
        return self._settled(command_id)

    def answer(self, command_id: str, question: int, text: str) -> Command:
        """Answer a question; a word that stops stops. Raises as `Ledger.answer`."""
        asked = self._ledger.get(command_id).question
        if is_stop(text):
            self.stop(text)
        else:
            self._ledger.answer(command_id, question, clean_instruction(text))
            if asked is not None:
                told = asked.model_copy(update={"answer": text}).model_dump(mode="json")
                self.feed.tell(EventType.QUESTION, command_id, told)
        return self._settled(command_id)

    def amend(self, command_id: str, text: str) -> Command:
        """Correct a command that runs; a word that stops stops. Raises as `Ledger.amend`."""
        if is_stop(text):
            self._ledger.get(command_id)
            self.stop(text)
        else:
            self._ledger.amend(command_id, clean_instruction(text))
        return self._settled(command_id)

    def stop(self, reason: str) -> None:
        """Stop the arm, first of all; then see to the commands. Raises `TandemError` (`ROBOT_LOST`)."""
        there = self.link.stop(reason)
        self._ledger.stop(reason, _now())
        self._settle()
        self._robot_changed()
        if not there:
            raise TandemError(
                "ROBOT_LOST", "there is no body to stop; nothing moves", fix="look at GET /v1/robot"
            )

    def reset(self, reason: str) -> Robot:
        """Clear the latch. Raises `TandemError` (`STILL_ENDING`, `ROBOT_LOST`)."""
        self._ledger.reset()
        if not self.link.send("reset", reason=reason):
            self._ledger.latched = self._view.latched
            raise TandemError("ROBOT_LOST", "there is no body to reset", fix="look at GET /v1/robot")
        self._view.resetting()
        self._robot_changed()
        return self.robot()

    def command(self, command_id: str) -> Command:
        """A command as it is. Raises `TandemError` (`COMMAND_UNKNOWN`)."""
        return self._ledger.get(command_id)

    def commands(self, state: State | None, most: int) -> tuple[Command, ...]:
        """Commands, newest first."""
        fitting = (c for c in reversed(self._ledger.commands.values()) if state is None or c.state is state)
        return tuple(command for command, _ in zip(fitting, range(most), strict=False))

    def snapshot(self, command_id: str, question: int) -> bytes:
        """The picture that goes with a question. Raises `TandemError` (`SNAPSHOT_UNKNOWN`)."""
        jpeg = self._store.snapshot(command_id, question)
        if jpeg is None:
            raise TandemError("SNAPSHOT_UNKNOWN", "there is no such picture")
        return jpeg

    def robot(self) -> Robot:
        """The robot as it is."""
        return self._view.robot(self._ledger)

    def scene(self) -> SceneView:
        """The scene as it was last perceived."""
        return self._scene

    def _stopped_by_words(self, instruction: str) -> Command:
        self.stop(instruction)
        message = "the arm is stopped, and stays so until it is reset"
        result = CommandResult(
            outcome=Outcome.SUCCEEDED, code=STOPPED_CODE, message=message, instruction=instruction[:80]
        )
        now = _now()
        command = Command(
            id=_new_id(),
            instruction=instruction[:80],
            state=State.SUCCEEDED,
            terminal=True,
            created_at=now,
            started_at=now,
            ended_at=now,
            result=result,
        )
        self._ledger.note(command)
        return self._settled(command.id)

    def _settled(self, command_id: str) -> Command:
        self._settle()
        return self._ledger.get(command_id)

    def _settle(self) -> None:
        """Carry out what the ledger has decided: on disk first, then to the mind, then to who watches."""
        for effect in self._ledger.effects():
            match effect:
                case lifecycle.Changed(command):
                    self._store.put(command)
                    self.feed.tell(EventType.COMMAND, command.id, command.model_dump(mode="json"))
                    if command.terminal and command.result is not None:
                        self._close_record(command)
                        told = command.result.model_dump(mode="json")
                        self.feed.tell(EventType.OUTCOME, command.id, told)
                case lifecycle.Start(command):
                    folder = str((self._settings.runs / (command.run or command.id)).resolve())
                    told = {"instruction": command.instruction, "resumes": command.resumes}
                    self.link.send("start", command=command.id, folder=folder, **told)
                case lifecycle.Cancel(command_id):
                    self.link.send("cancel", command=command_id)
                case lifecycle.Answer(command_id, question, text):
                    self.link.send("answer", command=command_id, question=question, text=text)
                case lifecycle.Amend(command_id, text):
                    self.link.send("amend", command=command_id, text=text)

    def _close_record(self, command: Command) -> None:
        """A record whose writer has died gets the result that the ledger gives it."""
        if command.state is not State.INTERRUPTED or command.run is None or command.result is None:
            return
        folder = self._settings.runs / command.run
        if (folder / TRACE_FILE).exists() and not (folder / RESULT_FILE).exists():
            told = command.result.model_dump_json().encode() + b"\n"
            write_whole(folder / RESULT_FILE, told)

    def _heard(self, message: Message) -> None:
        told = dict(message.fields)
        match message.kind:
            case "hello":
                self._hello(told)
            case "told":
                self._told(told["command"], EventType(told["type"]), told["data"])
            case "asked":
                self._asked(told, message)
            case "unasked":
                self._ledger.unasked(told["command"])
            case "finished":
                result = CommandResult.model_validate(told["result"])
                self._ledger.finished(told["command"], result, _now())
                self._ledger.mind_ready(_now())
            case "robot":
                self._body(told)
            case "was_reset":
                self._view.was_reset()
            case "frame":
                self.frames.put(told["camera"], message.arrays["jpeg"].tobytes())
        self._settle()

    def _hello(self, told: dict[str, Any]) -> None:
        """The mind is there. What it does for a server that died it is ending; nothing begins before."""
        self._view.there()
        if told["scene"] is not None:
            self._scene = SceneView.model_validate(told["scene"])
        if told["busy"] is None:
            self._ledger.mind_ready(_now())
        self._robot_changed()

    def _told(self, command: str, kind: EventType, data: dict[str, Any]) -> None:
        if kind is EventType.SCENE:
            self._scene = SceneView.model_validate({**data, "seen_at": _now()})
        self.feed.tell(kind, command, data)

    def _asked(self, told: dict[str, Any], message: Message) -> None:
        command, number, now = told["command"], told["id"], _now()
        snapshot = None
        if "jpeg" in message.arrays:
            self._store.put_snapshot(command, number, message.arrays["jpeg"].tobytes())
            snapshot = f"/v1/commands/{command}/questions/{number}/snapshot"
        question = Question(
            id=number,
            text=told["text"],
            options=tuple(told["options"]),
            asked_at=now,
            expires_at=now + timedelta(seconds=told["seconds"]),
            snapshot=snapshot,
        )
        self._ledger.asked(command, question)
        if self._ledger.commands[command].question is not None:
            self.feed.tell(EventType.QUESTION, command, question.model_dump(mode="json"))

    def _body(self, told: dict[str, Any]) -> None:
        if self._view.take(told):
            if self._view.latched and not self._ledger.latched:
                self._ledger.stop(self._view.latched, _now())
            self._robot_changed()

    def _gone(self, why: str) -> None:
        self._view.gone(why)
        self._ledger.mind_lost(_now())
        self._settle()
        self._robot_changed()

    def _robot_changed(self) -> None:
        self.feed.tell(EventType.ROBOT, None, self.robot().model_dump(mode="json"))


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return f"c-{secrets.token_hex(8)}"
