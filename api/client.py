"""A Python client of `tandem serve`: typed answers, events as they happen, errors as `TandemError`."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from api.server.schema import Command, Commands, Event, Robot, RunPage, Runs, SceneView
from api.server.settings import PORT, read_token, state_folder
from traces.errors import TandemError

Model = TypeVar("Model", bound=BaseModel)

REPLY_S = 10.0
SILENCE_S = 30.0
"""The server says something every ten seconds; a stream that is silent for longer is dead."""
MAX_LINE = 1 << 20


def default_url() -> str:
    """`TANDEM_URL`, or this machine's."""
    return os.environ.get("TANDEM_URL", f"http://127.0.0.1:{PORT}")


class Client:
    """Talks to one server; a context manager.

    Example:
        >>> with Client() as robot:                                    # doctest: +SKIP
        ...     command = robot.command("put the red cup in the sink")
        ...     for event in robot.events(command.id):
        ...         print(event.type, event.data)
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Where and who: by default this machine's server and this user's token (or `TANDEM_TOKEN`).

        Raises:
            TandemError: `TOKEN_MISSING`, `TOKEN_EXPOSED`.
        """
        token = token or os.environ.get("TANDEM_TOKEN") or read_token(state_folder())
        url = url or default_url()
        self._http = httpx.Client(
            base_url=url,
            # Reading the certificates takes longer than a call, and plain HTTP has no use for them.
            verify=not url.startswith("http://"),
            headers={"authorization": f"Bearer {token}"},
            timeout=REPLY_S,
            transport=transport,
        )

    def command(self, instruction: str, key: str | None = None) -> Command:
        """Give a command. Asked again after a lost connection it is still one motion: `key` sees to that."""
        headers = {"idempotency-key": key or secrets.token_hex(16)}
        return self._ask(Command, "POST", "/v1/commands", {"instruction": instruction}, headers)

    def get(self, command_id: str) -> Command:
        """A command as it is."""
        return self._ask(Command, "GET", f"/v1/commands/{command_id}")

    def commands(self, limit: int = 50) -> tuple[Command, ...]:
        """Commands, newest first."""
        return self._ask(Commands, "GET", f"/v1/commands?limit={limit}").commands

    def cancel(self, command_id: str) -> Command:
        """End it after the chunk that runs."""
        return self._ask(Command, "POST", f"/v1/commands/{command_id}/cancel", {})

    def answer(self, command_id: str, question: int, answer: str) -> Command:
        """Answer its question."""
        told = {"question": question, "answer": answer}
        return self._ask(Command, "POST", f"/v1/commands/{command_id}/answer", told)

    def amend(self, command_id: str, text: str) -> Command:
        """Correct it while it runs."""
        return self._ask(Command, "POST", f"/v1/commands/{command_id}/amend", {"text": text})

    def resume(self, command_id: str) -> Command:
        """Go on with what it has left, as a new command."""
        return self._ask(Command, "POST", f"/v1/commands/{command_id}/resume", {})

    def robot(self) -> Robot:
        """The robot as it is."""
        return self._ask(Robot, "GET", "/v1/robot")

    def stop(self, reason: str = "stop") -> None:
        """Stop the arm at once. Tries the stop's own listener too when the server does not answer."""
        try:
            self._send("POST", "/v1/robot/stop", {"reason": reason})
        except TandemError as error:
            if error.code != "SERVER_UNREACHABLE":
                raise
            port = (self._http.base_url.port or PORT) + 1
            try:
                httpx.post(str(self._http.base_url.copy_with(port=port, path="/v1/robot/stop")), timeout=2.0)
            except httpx.HTTPError:
                raise error from None

    def reset(self, reason: str) -> Robot:
        """Let it move again."""
        return self._ask(Robot, "POST", "/v1/robot/reset", {"reason": reason})

    def scene(self) -> SceneView:
        """What it saw last."""
        return self._ask(SceneView, "GET", "/v1/scene")

    def runs(self, limit: int = 50) -> Runs:
        """Recorded runs, latest first."""
        return self._ask(Runs, "GET", f"/v1/runs?limit={limit}")

    def run(self, name: str) -> RunPage:
        """One recorded run."""
        return self._ask(RunPage, "GET", f"/v1/runs/{name}")

    def events(self, command_id: str | None = None, after: int | None = None) -> Iterator[Event]:
        """What happens, as it happens; goes on by itself after a lost connection.

        Those of a command begin with its first and end with its outcome; without one it is everything from
        now on. Raises `TandemError` (`SERVER_UNREACHABLE`) when the server does not come back.
        """
        path = f"/v1/commands/{command_id}/events" if command_id else "/v1/events"
        last, failures = after, 0
        while True:
            headers = {} if last is None else {"last-event-id": str(last)}
            try:
                with self._http.stream("GET", path, headers=headers, timeout=SILENCE_S) as response:
                    if response.status_code != 200:
                        response.read()
                        raise _problem(response)
                    for event in _events(response.iter_lines()):
                        last, failures = event.seq, 0
                        yield event
                        if command_id and event.type == "outcome":
                            return
            except httpx.HTTPError as cause:
                failures += 1
                if failures > 3:
                    raise _unreachable(cause) from cause

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(
        self,
        model: type[Model],
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Model:
        return model.model_validate_json(self._send(method, path, body, headers).content)

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as cause:
            raise _unreachable(cause) from cause
        if response.status_code >= 400:
            raise _problem(response)
        return response


def _events(lines: Iterator[str]) -> Iterator[Event]:
    for line in lines:
        if line.startswith("data: ") and len(line) < MAX_LINE:
            yield Event.model_validate_json(line[6:])


def _problem(response: httpx.Response) -> TandemError:
    """What the server says went wrong."""
    with suppress(ValueError, KeyError, TypeError):
        told = json.loads(response.content)["error"]
        return TandemError(str(told["code"]), str(told["message"]), fix=str(told["fix"]))
    return TandemError("SERVER_STRANGE", f"the server answers {response.status_code}", fix="is it Tandem?")


def _unreachable(cause: httpx.HTTPError) -> TandemError:
    return TandemError(
        "SERVER_UNREACHABLE",
        f"no server answers: {cause or type(cause).__name__}",
        fix="start one with `tandem serve`, or say where it is with --url",
    )
