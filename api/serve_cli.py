"""The command line of the server and of those who talk to it: `tandem serve | command | mcp`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from api.errors import told_errors
from traces.errors import TandemError

INSTALL = "pip install 'tandem-robot[serve]'"


def serve(  # noqa: PLR0913
    scene: Annotated[str, typer.Option(metavar="NAME|FILE", help="What is on the table.")] = "table",
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, metavar="N", help="Of everything random.")] = 0,
    planner: Annotated[
        str, typer.Option(metavar="embedded|subgoal|openai:URL#MODEL", help="Who understands the words.")
    ] = "embedded",
    arm: Annotated[str, typer.Option(metavar="panda|kuka_iiwa|xarm6", help="Which arm.")] = "panda",
    policy: Annotated[str, typer.Option(metavar="auto|specialist|generalist", help="Who moves.")] = "auto",
    weights: Annotated[Path | None, typer.Option(metavar="DIR", help="A generalist of your own.")] = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of page and API.")] = 8420,
    stop_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Of the stop's own listener; default the next port.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A further name of this machine. Repeatable.")
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Where records go.")] = Path("runs"),
) -> None:
    """Serve one robot: page, HTTP API, events, MCP.

    Prints the page's address; whoever has that link commands the robot. Only this machine can reach it
    unless --host says otherwise. Ctrl-C ends what runs, holds the arm and leaves.

    \b
    Examples:
      tandem serve
      tandem serve --scene kitchen --arm xarm6 --port 9000
      tandem serve --planner openai:http://HOST:8000/v1#MODEL
    """  # noqa: D301 (the backspace keeps the lines apart)
    console = Console(stderr=True, highlight=False)
    with told_errors():
        try:
            from api.server.serve import serve as run
        except ModuleNotFoundError as cause:
            raise TandemError("SERVE_MISSING", f"{cause.name} is not installed", fix=INSTALL) from cause
        from api.server.settings import Settings

        robot = {
            "instruction": "",
            "scene": scene,
            "seed": seed,
            "planner": planner,
            "policy": policy,
            "weights": str(weights) if weights else None,
            "arm": arm,
            "film": False,
        }
        settings = Settings(robot, host, port, stop_port or port + 1, tuple(allow_host or ()), runs)

        def ready(address: str) -> None:
            console.print(
                Text.assemble("Tandem listens; the robot is waking up. Open\n  ", (address, "bold cyan"))
            )
            console.print(
                Text(f"  stop: {settings.stop_url}   records: {runs}   Ctrl-C ends it", style="dim")
            )

        run(settings, ready)
