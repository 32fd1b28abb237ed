"""The command line of the server and of those who talk to it: `tandem serve | command | mcp`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from api.errors import FAILED, told_errors
from api.text import printable
from traces.errors import TandemError

if TYPE_CHECKING:
    from agent.outcome import CommandResult
    from api.client import Client
    from api.interrupt import ServerInterrupt

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
    lockstep: Annotated[
        bool, typer.Option("--lockstep", help="The arm waits for thinking: for slow or busy machines.")
    ] = False,
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
            "clock": "lockstep" if lockstep else "realtime",
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


Url = Annotated[
    str | None, typer.Option(metavar="URL", help="The server; default TANDEM_URL, else this machine's.")
]


def command(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to do; a stop word stops the robot.")],
    watch: Annotated[
        bool, typer.Option("--watch", help="Show what happens, answer its questions, wait for the end.")
    ] = False,
    url: Url = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the command as JSON, and nothing else.")
    ] = False,
) -> None:
    """Give a command to a server that runs (`tandem serve`).

    With --watch the exit code is 0 only when it succeeded, and Ctrl-C cancels it; again stops the robot.

    \b
    Examples:
      tandem command "put the red cup in the sink" --watch
      tandem command stop
      tandem command "clear the table" --url http://127.0.0.1:9000 --json
    """  # noqa: D301 (as above)
    from api.interrupt import ServerInterrupt

    console = Console(stderr=as_json, highlight=False)
    with told_errors(as_json=as_json):
        from api.client import Client

        with Client(url) as client:
            given = client.command(text)
            console.print(Text(f"▸ {given.id} {given.state.value}", style="cyan"))
            if watch and not given.terminal:
                with ServerInterrupt(client, given.id) as interrupt:
                    _watch(client, given.id, console, interrupt)
                given = client.get(given.id)
            if as_json:
                sys.stdout.write(given.model_dump_json() + "\n")
            elif given.result is not None:
                console.print(_ending(given.result))
            if given.result is not None and given.result.outcome != "succeeded":
                raise typer.Exit(FAILED)


def _watch(client: Client, command_id: str, console: Console, interrupt: ServerInterrupt) -> None:
    from api.asker import TerminalAsker
    from api.watch import Watcher

    ask = TerminalAsker(console, lambda: interrupt.pressed) if sys.stdin.isatty() else None
    Watcher(client, console, ask).follow(command_id)


def _ending(result: CommandResult) -> Text:
    style = {"succeeded": "green", "cancelled": "yellow"}.get(result.outcome.value, "red")
    told = Text.assemble(
        (result.outcome.value, style), " ", (result.code, "bold"), " ", printable(result.message)
    )
    return told.append(f"\nfix: {printable(result.fix)}") if result.fix else told


def mcp(url: Url = None) -> None:
    """Offer the robot of a running server to other agents: Model Context Protocol over stdin and stdout.

    The server itself offers the same over streamable HTTP at /mcp, with its token.

    \b
    Examples:
      tandem mcp
      tandem mcp --url http://127.0.0.1:9000
    """  # noqa: D301 (as above)
    with told_errors():
        from api.client import Client

        try:
            from api.mcp_server import make_server
        except ModuleNotFoundError as cause:
            fix = "pip install 'tandem-robot[mcp]'"
            raise TandemError("MCP_MISSING", f"{cause.name} is not installed", fix=fix) from cause
        make_server(lambda: Client(url)).run("stdio")
