"""Figures about the server: `python -m scenarios.bench_api stop|status|events|slow|idle|kill`.

`stop`, `idle` and `kill` start the real thing (`tandem serve`) in a folder of its own; `status` and `slow`
ask only the server, with a mind that is played.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
import uvicorn
from fastapi import FastAPI

from api.server.protocol import LimitedProtocol
from api.server.schema import EventType, Robot
from scenarios.browser import open_page
from scenarios.kills import kill_model, kill_once
from scenarios.played import TOKEN, played_app
from scenarios.progress import until_interrupted
from scenarios.service import Service
from scenarios.stand_in_model import StandIn
from scenarios.traffic import Traffic, rss_mb

app = typer.Typer(add_completion=False)
Count = Annotated[int, typer.Option(min=1)]


def told(**figures: Any) -> None:
    """Print the figures, with how busy the machine was."""
    load, cores = os.getloadavg()[0], os.cpu_count()
    typer.echo(json.dumps({**figures, "load": round(load, 1), "cores": cores}))


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and maximum."""
    p50, p99, most = np.percentile(values, [50, 99, 100])
    return {"n": len(values), "p50": round(p50, 2), "p99": round(p99, 2), "max": round(most, 2)}


def spread_ms(times_s: Sequence[float]) -> dict[str, float]:
    """The same of times in seconds, in ms."""
    return spread([1e3 * each for each in times_s])


@app.command()
def stop(
    count: Count = 2000,
    rate: Annotated[int, typer.Option(help="Status reads a second.")] = 1000,
    per: Count = 4,
) -> None:
    """Stop request at its listener to targets overwritten, and the arm's way after it, while others read.

    Of every `per` stops the first meets a moving arm and the others follow in the next half second.
    """
    latencies: list[float] = []
    travels_mm: list[float] = []
    with Service.start() as service, Traffic(service.url, service.token, rate) as traffic:
        pick = random.Random(0)
        for _ in until_interrupted(range(math.ceil(count / per)), "stopping"):
            service.post("/v1/commands", {"instruction": "clear the table"})
            moves = service.wait_until_it_moves()
            time.sleep(pick.uniform(0.0, 0.5))
            for _ in range(per):
                latencies.append(service.timed_stop())
                time.sleep(pick.uniform(0.0, 0.05))
            if moves:
                travels_mm.append(1e3 * service.stop_travel_m())
            service.free()
        read = traffic.rate()
    told(stop_ms=spread_ms(latencies), travel_mm=spread(travels_mm), other_requests_per_s=read)


@app.command()
def status(count: Count = 2000) -> None:
    """Status reads over one connection, beside a bare FastAPI endpoint that answers as much, in turns."""
    asyncio.run(_status(count))


async def _status(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours, desk, mind = played_app(Path(folder))
        bare = FastAPI()
        said = desk.robot().model_dump()

        @bare.get("/v1/robot")
        async def robot() -> Robot:
            return Robot(**said)

        headers = {"authorization": f"Bearer {TOKEN}", "host": "127.0.0.1:8420"}
        times: dict[str, list[float]] = {"ours": [], "bare": []}
        servers = {"ours": _listening(ours, limited=True), "bare": _listening(bare, limited=False)}
        running = [asyncio.create_task(server.serve()) for server in servers.values()]
        while not all(server.started for server in servers.values()):
            await asyncio.sleep(0.02)
        await mind.run()
        ports = {k: s.servers[0].sockets[0].getsockname()[1] for k, s in servers.items()}
        async with httpx.AsyncClient(headers=headers) as client:
            for _ in range(count):
                for name, port in ports.items():
                    began = time.perf_counter()
                    (await client.get(f"http://127.0.0.1:{port}/v1/robot")).raise_for_status()
                    times[name].append(time.perf_counter() - began)
        for server in servers.values():
            server.should_exit = True
        await asyncio.gather(*running)
        per_s = {name: round(len(each) / sum(each)) for name, each in times.items()}
        told(per_s=per_s, **{f"{name}_ms": spread_ms(each) for name, each in times.items()})


@app.command()
def events(count: Count = 2000, readers: Count = 4) -> None:
    """From an event in the server to its readers having it, over sockets."""
    asyncio.run(_events(count, readers))


async def _events(count: int, readers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours, desk, mind = played_app(Path(folder))
        server = _listening(ours, limited=True)
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        await mind.run()
        port = server.servers[0].sockets[0].getsockname()[1]
        times: list[float] = []

        async def read() -> None:
            headers = {"authorization": f"Bearer {TOKEN}", "host": "127.0.0.1:8420"}
            url = f"http://127.0.0.1:{port}/v1/events?after={desk.feed.latest}"
            async with (
                httpx.AsyncClient(headers=headers) as client,
                client.stream("GET", url, timeout=60.0) as got,
            ):
                seen = 0
                async for line in got.aiter_lines():
                    if line.startswith("data: "):
                        times.append(time.perf_counter() - json.loads(line[6:])["data"]["sent"])
                        seen += 1
                        if seen == count:
                            return

        reading = [asyncio.create_task(read()) for _ in range(readers)]
        await asyncio.sleep(1.0)
        for _ in range(count):
            desk.feed.tell(EventType.PROGRESS, None, {"sent": time.perf_counter()})
            await asyncio.sleep(0.005)
        await asyncio.gather(*reading)
        server.should_exit = True
        await running
        told(readers=readers, event_ms=spread_ms(times))


def _listening(application: Any, *, limited: bool) -> uvicorn.Server:
    http: Any = LimitedProtocol if limited else "h11"
    return uvicorn.Server(
        uvicorn.Config(application, port=0, http=http, log_level="critical", access_log=False)
    )


@app.command()
def slow(connections: Count = 1000) -> None:
    """Connections that send half a head: when the last one was closed, and what memory they took."""
    asyncio.run(_slow(connections))


async def _slow(connections: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = _listening(played_app(Path(folder))[0], limited=True)
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        before_mb, closed_s = rss_mb(os.getpid()), []

        async def one() -> None:
            began = time.monotonic()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /v1/robot HTTP/1.1\r\nHost: 127.0.0.1:8420\r\nX-Slow: ")
                await asyncio.wait_for(reader.read(), 30.0)
                writer.close()
            except OSError:
                pass  # Turned away at once.
            closed_s.append(time.monotonic() - began)

        await asyncio.gather(*(one() for _ in range(connections)))
        grown = rss_mb(os.getpid()) - before_mb
        server.should_exit = True
        await running
        told(connections=connections, all_closed_after_s=round(max(closed_s), 2), grown_mb=round(grown, 1))


@app.command()
def idle(seconds: Count = 30) -> None:
    """CPU of each process while nothing is asked and one page is open."""
    with Service.start() as service, open_page(service.link):
        before = service.cpu_s()
        time.sleep(seconds)
        after = service.cpu_s()
        used = {name: round(100 * (after[name] - before[name]) / seconds, 1) for name in after}
        told(cpu_percent=used)


@app.command()
def kill(
    who: Annotated[str, typer.Option(metavar="server|mind|body|model")] = "server",
    count: Count = 50,
    seed: int = 0,
) -> None:
    """Kill a process at random moments of a command: is the arm still, the state right, the next one done?

    `model` is the language model's server; the time is then how long its command went on.
    """
    pick = random.Random(seed)
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(StandIn()) if who == "model" else None
        service = stack.enter_context(Service.start(planner=model.spec if model else "embedded"))
        strike = partial(kill_model, service, model) if model else partial(kill_once, service, who)
        done = [strike(pick) for _ in until_interrupted(range(count), f"killing the {who}")]
    wrong = [f"{number}: {fault}" for number, each in enumerate(done) for fault in each.faults]
    ended = Counter(each.ended for each in done)
    told(who=who, kills=len(done), ended=ended, back_s=spread([each.back_s for each in done]), wrong=wrong)
    raise typer.Exit(bool(wrong))


if __name__ == "__main__":
    app()
