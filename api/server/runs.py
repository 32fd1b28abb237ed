"""Routes of recorded runs and their replays."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api.server.archive import Archive
from api.server.replays import Replays
from api.server.schema import Replay, ReplayBody, RunPage, Runs
from traces.index import Filter

router = APIRouter(prefix="/v1", tags=["runs"])


async def archive_of(request: Request) -> Archive:
    """The one archive."""
    archive: Archive = request.app.state.archive
    return archive


async def replays_of(request: Request) -> Replays:
    """The one place of replays."""
    replays: Replays = request.app.state.replays
    return replays


TheArchive = Annotated[Archive, Depends(archive_of)]
TheReplays = Annotated[Replays, Depends(replays_of)]
Name = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", examples=["20261126-030000-clear-the-table-0123"]),
]
Sha = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Words = Annotated[str, Query(max_length=200)]


@router.get("/runs")
def list_runs(
    archive: TheArchive,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    outcome: Words = "",
    text: Words = "",
    skill: Words = "",
    code: Words = "",
) -> Runs:
    """Recorded runs, latest first."""
    wanted = Filter(outcome=outcome, text=text, skill=skill, code=code)
    return Runs(runs=tuple(archive.find(wanted, limit)))


@router.get("/runs/{name}")
def get_run(name: Name, archive: TheArchive) -> RunPage:
    """One run."""
    return archive.page(name)


@router.get("/runs/{name}/timeline")
def run_timeline(name: Name, archive: TheArchive) -> dict[str, Any]:
    """Everything that a run's page shows, on one clock: spans, pictures, scores, plans, nodes."""
    return archive.timeline(name)


@router.get("/runs/{name}/blobs/{sha}", response_class=Response)
def run_blob(name: Name, sha: Sha, archive: TheArchive) -> Response:
    """A blob of a run: a picture, a plan, a prompt."""
    data, kind = archive.blob(name, sha)
    forever = {"cache-control": "private, max-age=31536000, immutable"}
    return Response(data, media_type=kind, headers=forever)


@router.post("/runs/{name}/replay", status_code=202)
async def start_replay(name: Name, archive: TheArchive, replays: TheReplays, body: ReplayBody) -> Replay:
    """Replay a run: view it, re-simulate it, or decide it again."""
    return replays.start(name, archive.folder(name), body.level)


@router.get("/replays/{replay_id}")
async def get_replay(
    replay_id: Annotated[str, Path(pattern=r"^r-[0-9a-f]{16}$")], replays: TheReplays
) -> Replay:
    """How a replay stands."""
    return replays.get(replay_id)
