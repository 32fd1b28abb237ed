import pytest

from agent.planner.instruction import clean_instruction
from traces.errors import TandemError


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "EMPTY_INSTRUCTION"),
        ("   \n\t ", "EMPTY_INSTRUCTION"),
        ("\u200b\u200d", "EMPTY_INSTRUCTION"),
        ("x" * 100_000, "INSTRUCTION_TOO_LONG"),
        ("clear\x00the table", "BAD_TEXT"),
        ("\x1b[2Jclear the table", "BAD_TEXT"),
        (b"\xff\xfe\x00clear".decode("utf-8", "surrogateescape"), "BAD_TEXT"),
    ],
)
def test_what_is_not_an_instruction_is_refused_with_a_cause_and_a_fix(text: str, code: str) -> None:
    with pytest.raises(TandemError) as caught:
        clean_instruction(text)
    assert caught.value.code == code
    assert caught.value.message
    assert caught.value.fix


def test_spaces_and_invisible_characters_go_and_accents_are_composed() -> None:
    assert clean_instruction("  clear \u202e the\n\ttable ") == "clear the table"
    assert clean_instruction("cafe\u0301") == "café"
