"""What a person types while the robot works."""

import io
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from agent.planner.instruction import clean_instruction, is_stop
from api.asker import TerminalAsker
from api.bystander import Bystander
from tests.api.test_interrupt import on_a_terminal, read_until


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writing
    os.close(writing)


def test_lines_are_passed_on_and_empty_ones_are_not(keyboard: int) -> None:
    said: queue.Queue[str] = queue.Queue()
    with Bystander(Console(file=io.StringIO()), threading.Lock(), said.put):
        os.write(keyboard, b"\n")
        os.write(keyboard, b"no, the blue one\n")
        assert said.get(timeout=20) == "no, the blue one"
    assert said.empty()


def test_words_that_cannot_be_used_are_answered_and_the_next_are_heard(keyboard: int) -> None:
    said: queue.Queue[str] = queue.Queue()
    told = io.StringIO()
    with Bystander(Console(file=told), threading.Lock(), lambda text: said.put(clean_instruction(text))):
        os.write(keyboard, b"no\x07t\n")
        while "U+0007" not in told.getvalue():
            pass
        os.write(keyboard, b"not the plate\n")
        assert said.get(timeout=20) == "not the plate"


def test_what_is_typed_while_a_question_is_open_is_left_to_it(keyboard: int) -> None:
    said: queue.Queue[str] = queue.Queue()
    lock = threading.Lock()
    console = Console(file=io.StringIO())
    with lock, Bystander(console, lock, said.put):
        os.write(keyboard, b"2\n")
        time.sleep(0.5)
        assert said.empty()
        # The lock is the test's own here; the asker has one that nobody else wants.
        answer = TerminalAsker(console, lambda: False)("which?", ("red_cup_1", "red_cup_2"))
    assert answer == "red_cup_2"


@pytest.mark.parametrize(
    "text", ["stop", "STOP!", "no, stop", "stop it", "please stop now", "halt", "stop stop"]
)
def test_a_word_to_stop_is_one(text: str) -> None:
    assert is_stop(text)


@pytest.mark.parametrize(
    "text", ["stop, the blue one", "do not stop", "stop when the sink is full", "no", "put it in the stop"]
)
def test_more_than_a_word_to_stop_is_none(text: str) -> None:
    assert not is_stop(text)


def test_a_correction_typed_on_a_terminal_changes_what_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    process, terminal = on_a_terminal(folder, "put the red cup in the sink", "one_of_each")
    try:
        read_until(terminal, b"plan 1")
        os.write(terminal, b"no, in the tray\n")
        seen = read_until(terminal, b"trace ")
        assert process.wait(timeout=240) == 0, seen
    finally:
        os.close(terminal)
        process.kill()
        process.wait()
    assert b"as you said" in seen
    result = json.loads((folder / "result.json").read_text())
    assert result["outcome"] == "succeeded"
