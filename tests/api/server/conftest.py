import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.server.app import create_app, create_routes
from api.server.desk import Desk
from api.server.gate import App
from api.server.settings import Settings
from api.server.store import Store
from vla_low_level.wire import Message

TOKEN = "the-token-of-the-tests"
GOOD = {"authorization": f"Bearer {TOKEN}", "host": "127.0.0.1:8420"}


@dataclass
class Site:
    """The whole application, gate included, without sockets; and what would have gone to the mind."""

    settings: Settings
    desk: Desk
    app: App
    routes: FastAPI
    sent: list[tuple[str, dict[str, Any]]]
    runner: asyncio.Runner

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**GOOD, **more.pop("headers", {})}

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420") as client:
                return await client.request(method, path, headers=headers, **more)

        response: httpx.Response = self.runner.run(go())
        return response

    def hear(self, kind: str, **fields: Any) -> None:
        """The mind says something."""
        self.desk._heard(Message(kind, fields))

    def ready(self) -> None:
        self.hear("hello", busy=None, pid=1, scene=None)

    def give(self, words: str) -> dict[str, Any]:
        answer = self.ask("POST", "/v1/commands", json={"instruction": words})
        assert answer.status_code == 202, answer.text
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[[], Site]]:
    stores: list[Store] = []
    runner = asyncio.Runner()

    def make() -> Site:
        settings = Settings(state=tmp_path, runs=tmp_path / "runs")
        settings.runs.mkdir(exist_ok=True)
        store = Store(tmp_path / "server.sqlite")
        stores.append(store)
        desk = Desk(settings, store)
        sent: list[tuple[str, dict[str, Any]]] = []

        def send(kind: str, **fields: Any) -> bool:
            sent.append((kind, fields))
            return True

        desk.link.send = send  # type: ignore[method-assign]
        desk.link.stop = lambda reason: send("STOP", reason=reason)  # type: ignore[method-assign]
        routes = create_routes(settings, desk, TOKEN)
        return Site(settings, desk, create_app(settings, desk, TOKEN), routes, sent, runner)

    yield make
    runner.close()
    for store in stores:
        store.close()


@pytest.fixture
def site(make_site: Callable[[], Site]) -> Site:
    return make_site()
