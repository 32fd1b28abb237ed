"""What `tandem serve` was told, and where it keeps its things."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from traces.errors import TandemError

PORT = 8420
TOKEN_FILE = "token"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def state_folder() -> Path:
    """Where this user's server keeps token, lock, commands and socket: `TANDEM_STATE`, else XDG's place."""
    told = os.environ.get("TANDEM_STATE")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(told) if told else Path(base) / "tandem"


@dataclass(frozen=True, slots=True)
class Settings:
    """A server's settings.

    Attributes:
        robot: Fields of `api.assemble.RunOptions` that make the robot.
        host: Address to listen on.
        port: Port of page and API.
        stop_port: Port of the stop's own listener.
        hosts: Further names under which clients may reach it (`Host`, and with http:// or https:// `Origin`).
        runs: Folder of the records.
        state: Folder of token, lock, commands and socket.
    """

    robot: dict[str, Any] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = PORT
    stop_port: int = PORT + 1
    hosts: tuple[str, ...] = ()
    runs: Path = Path("runs")
    state: Path = field(default_factory=state_folder)

    @property
    def names(self) -> tuple[str, ...]:
        """Host names by which it may be called."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        wild = self.host in ("0.0.0.0", "::")
        return tuple(dict.fromkeys([*LOOPBACK, *([] if wild else [shown]), *self.hosts]))

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self._shown}:{self.port}"

    @property
    def stop_url(self) -> str:
        """The stop's own address."""
        return f"http://{self._shown}:{self.stop_port}/v1/robot/stop"

    @property
    def _shown(self) -> str:
        return self.names[0] if self.host in LOOPBACK or self.host == "::1" else self.names[3]

    @property
    def dial(self) -> str:
        """Where the server reaches itself."""
        wild = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
        return wild.get(self.host, self._shown)

    def allowed_hosts(self, port: int) -> frozenset[str]:
        """Values of `Host` that are meant for us."""
        return frozenset(f"{name}:{port}" for name in self.names) | (
            frozenset(self.names) if port == 80 else frozenset()
        )

    @property
    def origins(self) -> frozenset[str]:
        """Values of `Origin` that our own page has."""
        return frozenset(
            f"{scheme}://{name}:{self.port}" for name in self.names for scheme in ("http", "https")
        )


def load_token(folder: Path) -> str:
    """The secret that every request carries; made at the first start, readable by this user alone.

    Raises:
        TandemError: `TOKEN_EXPOSED` when others can read it, `STORE_IO` when it cannot be kept.
    """
    path = folder / TOKEN_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
        return read_token(folder)
    except OSError as cause:
        raise TandemError(
            "STORE_IO", f"cannot keep a token in {folder}: {cause}", fix="set TANDEM_STATE"
        ) from cause


def read_token(folder: Path) -> str:
    """The token of a server that was started before.

    Raises:
        TandemError: `TOKEN_EXPOSED` when others can read it, `TOKEN_MISSING` when there is none.
    """
    path = folder / TOKEN_FILE
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError as cause:
        raise TandemError(
            "TOKEN_MISSING", f"there is no token in {folder}", fix="start the server once: tandem serve"
        ) from cause
    with os.fdopen(fd) as file:
        mode = os.fstat(fd).st_mode & 0o777
        if mode & 0o077:
            raise TandemError(
                "TOKEN_EXPOSED",
                f"others can read {path} (mode {mode:o})",
                fix=f"rm {path}, then start the server",
            )
        return file.read(256).strip()
