"""Words that stop the robot at once, in whichever way they reach it. No model is asked."""

from __future__ import annotations

import unicodedata

# What people shout. Each is a whole utterance, perhaps repeated, perhaps with words of `_BESIDE`.
STOP_WORDS = frozenset(
    {
        # English
        *("stop", "halt", "freeze", "abort", "emergency", "emergency stop", "e-stop", "estop", "whoa"),
        # German
        *("stopp", "anhalten", "halte an", "notaus", "nothalt", "not-aus", "aufhören", "hör auf"),
        # French
        *("arrête", "arrêtez", "arrêt", "arrete", "arretez", "arret d'urgence", "arrêt d'urgence"),
        # Spanish and Portuguese
        *("alto", "para", "pare", "parar", "detente", "deténgase", "detengase", "detener", "basta"),
        # Italian
        *("ferma", "fermo", "fermati", "fermati subito", "alt"),
        # Dutch, the Scandinavian languages, Polish, Turkish
        *("hou op", "stoppen", "stanna", "stans", "stoppe", "pysähdy", "zatrzymaj", "zatrzymaj się", "dur"),
        # Russian and Ukrainian
        *("стоп", "стой", "стойте", "остановись", "остановитесь", "стій", "зупинись"),
        # Chinese, Japanese, Korean
        *("停", "停止", "停下", "停下来", "停下來", "止まれ", "止まって", "ストップ", "やめて"),
        *("멈춰", "멈춰요", "정지", "그만", "스톱"),
        # Arabic, Hebrew, Hindi
        *("قف", "توقف", "עצור", "עצרי", "रुको", "रुकिए", "रुक जाओ", "बंद करो"),
    }
)
_BESIDE = frozenset(
    {
        *(
            "please",
            "now",
            "it",
            "that",
            "moving",
            "everything",
            "the",
            "robot",
            "arm",
            "right",
            "immediately",
        ),
        *(
            "bitte",
            "sofort",
            "jetzt",
            "s'il",
            "te",
            "vous",
            "plaît",
            "plait",
            "tout",
            "por",
            "favor",
            "ya",
            "ahora",
        ),
        *("subito", "per", "favore", "robô", "roboter", "le", "el", "il", "lo", "der", "den", "self"),
    }
)
_LONGEST = 80


def is_stop(text: str) -> bool:
    """Whether a text is nothing but a call to stop: "STOP!", "stop stop stop", "halt, bitte", "停！".

    A text that says what to do to something ("stop at the sink", "put the stop sign away") is not one.
    """
    if len(text) > _LONGEST:
        return False
    words = _words(text)
    whole = " ".join(words)
    if whole in _WHOLE:
        return True
    return any(word in _WHOLE for word in words) and all(word in _WHOLE or word in _BESIDE for word in words)


def _words(text: str) -> list[str]:
    """Folded words: no case, no punctuation but the apostrophe and hyphen within, no invisible characters."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    kept = "".join(
        c
        if unicodedata.category(c)[0] in "LM" or c in "'-"
        else ""
        if unicodedata.category(c) == "Cf"
        else " "
        for c in folded
    )
    return [word.strip("'-") for word in unicodedata.normalize("NFC", kept).split() if word.strip("'-")]


_WHOLE = frozenset(" ".join(_words(word)) for word in STOP_WORDS)
