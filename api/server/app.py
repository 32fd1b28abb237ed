"""The application: routes behind the gate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from api.server import commands, robot, runs
from api.server.archive import Archive
from api.server.desk import Desk
from api.server.gate import App, Gate, Rules
from api.server.mcp_route import add_mcp, running
from api.server.page import add_page
from api.server.problems import body_of, headers_of, status_of
from api.server.replays import Replays
from api.server.schema import ErrorAnswer
from api.server.settings import Settings
from traces.errors import TandemError

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer} for status in (400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 503)
}
_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


def create_app(settings: Settings, desk: Desk, token: str) -> App:
    """The whole application, gate included."""
    routes = create_routes(settings, desk, token)
    rules = Rules(
        hosts=settings.allowed_hosts(settings.port),
        origins=settings.origins,
        token=token,
        free=_is_page,
        policy=page_policy(settings),
    )
    return Gate(routes, rules)


def create_routes(settings: Settings, desk: Desk, token: str) -> FastAPI:
    """The routes without the gate."""
    app = FastAPI(
        title="Tandem",
        version=version("tandem-robot"),
        description="One robot, commanded in plain words.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        responses=PROBLEMS,
        redirect_slashes=False,
    )
    app.state.desk = desk
    app.state.archive = Archive(settings.runs)
    app.state.replays = Replays()
    # Routes are tried in turn: what is asked most comes first.
    app.include_router(robot.router)
    app.include_router(commands.router)
    app.include_router(runs.router)
    app.state.mcp = add_mcp(app, settings, token)
    add_page(app)
    app.add_exception_handler(TandemError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    desk: Desk = app.state.desk
    linked = asyncio.create_task(desk.link.run())
    try:
        async with running(app.state.mcp):
            yield
    finally:
        desk.feed.close()
        await app.state.replays.close()
        await desk.link.close()
        linked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await linked


def _is_page(path: str) -> bool:
    """What can be read without a token: the page, which holds no secrets."""
    return path == "/" or path.startswith("/assets/")


def page_policy(settings: Settings) -> str:
    """What the page may load: its own files, and the stop's listener."""
    stop = settings.stop_url.removesuffix("/v1/robot/stop")
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "font-src 'self'; "
        f"connect-src 'self' {stop}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _answer(error: TandemError) -> Response:
    return Response(
        body_of(error), status_of(error.code), dict(headers_of(error)), media_type="application/json"
    )


async def _told(_request: Request, error: Exception) -> Response:
    return _answer(error if isinstance(error, TandemError) else TandemError("INTERNAL", "?"))


async def _invalid(_request: Request, error: Exception) -> Response:
    """Says where and what, and never repeats what was sent."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    told = "; ".join(f"{'.'.join(str(p)[:40] for p in f['loc'])}: {f['msg'][:120]}" for f in faults[:3])
    too_long = any(f["type"] == "string_too_long" for f in faults)
    code = "INSTRUCTION_TOO_LONG" if too_long else "INVALID"
    return _answer(TandemError(code, told.encode("ascii", "replace").decode(), fix="see /v1/openapi.json"))


async def _http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(getattr(error, "headers", None) or {})
    code = _CODES.get(status, "BAD_REQUEST")
    told = {
        "code": code,
        "message": "there is nothing here" if status == 404 else "this cannot be asked",
        "fix": "",
    }
    return JSONResponse({"error": told}, status, headers)
