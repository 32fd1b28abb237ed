"""Ctrl-C by phase, and what people type that looks like markup."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from api.interrupt import Interrupt


class Recorded:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.robot = SimpleNamespace(stop=lambda _reason: self.calls.append("stop"))
        self.executive = SimpleNamespace(cancel=lambda: self.calls.append("cancel"))


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_the_first_press_cancels_and_the_second_stops_the_arm() -> None:
    session = Recorded()
    with Interrupt() as interrupt:
        interrupt.hand_over(session, None)
        press()
        assert session.calls == ["cancel"]
        press()
    assert session.calls == ["cancel", "stop", "cancel"]


def test_while_things_are_put_together_only_the_first_press_breaks_in() -> None:
    with Interrupt() as interrupt:
        with pytest.raises(KeyboardInterrupt):
            press()
        press()
    assert interrupt.pressed


def test_a_question_is_broken_off() -> None:
    session = Recorded()
    with Interrupt() as interrupt:
        interrupt.hand_over(session, SimpleNamespace(waiting=True))
        with pytest.raises(KeyboardInterrupt):
            press()
    assert session.calls == ["cancel"]


def on_a_terminal(folder: Path) -> tuple[subprocess.Popen, int]:
    words = ["run", "put the red cup in the sink", "--scene", "two_red_cups", "--record", str(folder)]
    outside, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", *words], stdin=inside, stdout=inside, stderr=inside
    )
    os.close(inside)
    return process, outside


def read_until(terminal: int, text: bytes) -> bytes:
    seen, until = b"", time.monotonic() + 120
    while text not in seen and time.monotonic() < until:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # The other side has been closed.
            break
    return seen


def test_ctrl_c_at_a_question_ends_the_command(tmp_path: Path) -> None:
    process, terminal = on_a_terminal(tmp_path / "r")
    try:
        seen = read_until(terminal, b"answer")
        assert b"  2  " in seen
        process.send_signal(signal.SIGINT)
        rest = read_until(terminal, b"never printed")
    finally:
        os.close(terminal)
    assert process.wait(timeout=60) == 130
    assert b"Traceback" not in seen + rest
    assert json.loads((tmp_path / "r" / "result.json").read_text())["outcome"] == "cancelled"


def test_what_is_typed_is_never_markup(tandem, tmp_path: Path) -> None:
    done = tandem("run", "put the [/b] away", "--scene", "[/x]", "--record", tmp_path / "r")
    assert done.returncode == 1
    assert "'[/x]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert "[/b]" in tandem("trace", "ls", tmp_path).stdout
