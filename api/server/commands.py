"""Routes of commands and events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from api.server.desk import Desk
from api.server.schema import (
    COMMAND_ID,
    Amendment,
    AnswerBody,
    Command,
    Commands,
    NewCommand,
    Nothing,
    State,
)

router = APIRouter(prefix="/v1", tags=["commands"])


async def desk_of(request: Request) -> Desk:
    """The one desk. `async`, or FastAPI would ask a thread for it, which costs as much as all the rest."""
    desk: Desk = request.app.state.desk
    return desk


TheDesk = Annotated[Desk, Depends(desk_of)]
Id = Annotated[str, Path(pattern=COMMAND_ID, examples=["c-0123456789abcdef"])]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="The same key, the same command.",
    ),
]
After = Annotated[int | None, Query(ge=0, le=2**62, description="Events after this number.")]
LastId = Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,18}$")]


@router.post("/commands", status_code=202)
async def give(body: NewCommand, desk: TheDesk, response: Response, key: Key = None) -> Command:
    """Give a command. A word that stops, in any of many languages, stops the robot at once."""
    command = desk.submit(body.instruction, key)
    response.headers["location"] = f"/v1/commands/{command.id}"
    return command


@router.get("/commands")
async def list_commands(
    desk: TheDesk, state: State | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> Commands:
    """Commands, newest first."""
    return Commands(commands=desk.commands(state, limit))


@router.get("/commands/{command_id}")
async def get_command(command_id: Id, desk: TheDesk) -> Command:
    """A command as it is."""
    return desk.command(command_id)


@router.post("/commands/{command_id}/cancel")
async def cancel(command_id: Id, desk: TheDesk, _body: Nothing | None = None) -> Command:
    """End it after the chunk that runs; at once while it waits."""
    return desk.cancel(command_id)


@router.post("/commands/{command_id}/answer")
async def answer(command_id: Id, body: AnswerBody, desk: TheDesk) -> Command:
    """Answer its question, with an option or in your own words."""
    return desk.answer(command_id, body.question, body.answer)


@router.post("/commands/{command_id}/amend")
async def amend(command_id: Id, body: Amendment, desk: TheDesk) -> Command:
    """Correct it while it runs: what is done stays, what is left is planned again."""
    return desk.amend(command_id, body.text)


@router.post("/commands/{command_id}/resume", status_code=202)
async def resume(command_id: Id, desk: TheDesk, key: Key = None, _body: Nothing | None = None) -> Command:
    """Go on with what is left of it, as a new command: what is done is not done again."""
    return desk.resume(command_id, key)


@router.get("/commands/{command_id}/questions/{question}/snapshot", response_class=Response)
async def snapshot(
    command_id: Id, question: Annotated[int, Path(ge=1, le=1_000_000)], desk: TheDesk
) -> Response:
    """What the robot saw when it asked (JPEG)."""
    return Response(desk.snapshot(command_id, question), media_type="image/jpeg")


@router.get("/commands/{command_id}/events", response_class=StreamingResponse)
async def command_events(
    command_id: Id, desk: TheDesk, after: After = None, last_event_id: LastId = None
) -> StreamingResponse:
    """What happens with a command, from its beginning or after a number, to its outcome."""
    desk.command(command_id)
    begin = int(last_event_id) if last_event_id is not None else after or 0
    return _stream(desk, begin, command_id)


@router.get("/events", response_class=StreamingResponse)
async def events(desk: TheDesk, after: After = None, last_event_id: LastId = None) -> StreamingResponse:
    """Everything that happens, from now on or after a number."""
    begin = int(last_event_id) if last_event_id is not None else after
    return _stream(desk, desk.feed.latest if begin is None else begin, None)


def _stream(desk: Desk, after: int, command: str | None) -> StreamingResponse:
    return StreamingResponse(desk.feed.read(after, command), media_type="text/event-stream")
