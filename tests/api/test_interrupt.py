"""Ctrl-C by phase, and what people type that looks like markup."""

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from api.asker import TerminalAsker
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
        interrupt.hand_over(session)
        press()
        assert session.calls == ["cancel"]
        press()
        assert session.calls == ["cancel", "stop", "cancel"]
        with pytest.raises(KeyboardInterrupt):
            press()  # And the third does not wait for a mind that is busy.


def test_while_things_are_put_together_only_the_first_press_breaks_in() -> None:
    with Interrupt() as interrupt:
        with pytest.raises(KeyboardInterrupt):
            press()
        press()
    assert interrupt.pressed


def ask(monkeypatch: pytest.MonkeyPatch, typed: bytes, *, gone: bool = False) -> str | None:
    reading, writing = os.pipe()
    os.write(writing, typed)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        asker = TerminalAsker(Console(file=io.StringIO()), lambda: gone)
        if not typed:
            os.close(writing)
        answer = asker("which?", ("red_cup_1", "red_cup_2"))
        if typed:
            os.close(writing)
    return answer


@pytest.mark.parametrize(
    ("typed", "answer"),
    [(b"2\n", "red_cup_2"), (b" the left one\n", "the left one"), (b"7\n", "7"), (b"\n", None), (b"", None)],
)
def test_a_person_answers_by_number_or_in_words(monkeypatch, typed: bytes, answer: str | None) -> None:
    assert ask(monkeypatch, typed) == answer


def test_a_person_who_pressed_ctrl_c_is_not_waited_for(monkeypatch) -> None:
    assert ask(monkeypatch, b"2\n", gone=True) is None


def on_a_terminal(folder: Path, text: str, scene: str) -> tuple[subprocess.Popen, int]:
    words = ["run", text, "--scene", scene, "--record", str(folder)]
    outside, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", *words], stdin=inside, stdout=inside, stderr=inside
    )
    os.close(inside)
    return process, outside


def read_until(terminal: int, text: bytes) -> bytes:
    """What is printed until `text` comes, the other side is closed, or two minutes have passed."""
    seen, until_s = b"", time.monotonic() + 120
    while text not in seen and time.monotonic() < until_s:
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                seen += os.read(terminal, 4096)
            except OSError:
                break
    return seen


def test_ctrl_c_at_a_question_ends_the_command(tmp_path: Path) -> None:
    process, terminal = on_a_terminal(tmp_path / "r", "put the red cup in the sink", "two_red_cups")
    try:
        seen = read_until(terminal, b"answer")
        assert b"  2  " in seen
        process.send_signal(signal.SIGINT)
        rest = read_until(terminal, b"never printed")
        assert process.wait(timeout=60) == 130
    finally:
        os.close(terminal)
        process.kill()
        process.wait()
    assert b"Traceback" not in seen + rest
    assert json.loads((tmp_path / "r" / "result.json").read_text())["outcome"] == "cancelled"


def test_what_is_typed_is_never_markup(tandem, tmp_path: Path) -> None:
    done = tandem("run", "put the [/b] away", "--scene", "[/x]", "--record", tmp_path / "r")
    assert done.returncode == 1
    assert "'[/x]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert "[/b]" in tandem("trace", "ls", tmp_path).stdout
