import pytest

from agent.stop_words import is_stop


@pytest.mark.parametrize(
    "text",
    [
        *(
            "stop",
            "Stop!",
            "STOP STOP STOP",
            "please stop now",
            "stop it",
            "halt",
            "freeze",
            "e-stop",
            "stop\u200b!",
        ),
        *(
            "Stopp!",
            "anhalten",
            "Halt, bitte",
            "hör auf",
            "arrête !",
            "s'il te plaît arrête",
            "arrêt d\u2019urgence",
        ),
        *("¡Alto!", "para", "detente", "basta", "pare", "ferma!", "fermati", "стоп", "Стой!", "остановись"),
        *(
            "停\uff01",
            "停止",
            "停下来",
            "止まれ",
            "ストップ",
            "멈춰!",
            "정지",
            "قف",
            "עצור",
            "रुको",
            "dur",
            "zatrzymaj się",
        ),
    ],
)
def test_a_call_to_stop(text: str) -> None:
    assert is_stop(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "!",
            "put the cup in the sink",
            "stop at the sink",
            "put the stop sign away",
            "don't stop until done",
        ),
        *("non-stop tidy the table", "open the drawer, then stop", "it", "please", "the robot", "x" * 5000),
        *(
            "stop putting cups in the sink",
            "halt die Tasse",
            "para el vaso rojo en el fregadero",
            "ya",
            "停车标志",
        ),
    ],
)
def test_no_call_to_stop(text: str) -> None:
    assert not is_stop(text)
