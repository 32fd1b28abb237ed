"""Is every ink readable on the grounds it is used on? Computed from the stylesheet, by WCAG 2.2's formula."""

import re
from pathlib import Path

import pytest

STYLE = (Path(__file__).parents[2] / "api/page/assets/style.css").read_text()
TOKENS = dict(re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\);", STYLE))
TEXT, CONTROL = 4.5, 3.0

GROUNDS = ("paper", "card", "sunk")
TONES = ("ok", "bad", "ask", "accent")
PAIRS = [
    *[(ink, ground, TEXT) for ink in ("ink", "dim", *TONES) for ground in GROUNDS],
    *[(ink, f"{tone}-soft", TEXT) for tone in TONES for ink in ("ink", "dim", tone)],
    ("accent-ink", "accent", TEXT),
    *[(mark, ground, CONTROL) for mark in ("edge", "stop", "accent") for ground in ("paper", "card")],
    ("edge", "ask-soft", CONTROL),
    ("edge", "bad-soft", CONTROL),
]


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS, ids=str)
def test_contrast(ink: str, ground: str, least: float, scheme: str) -> None:
    tones = {name: pair.split(", ")[scheme == "dark"] for name, pair in TOKENS.items()}
    assert contrast(tones[ink], tones[ground]) >= least, f"{ink} {tones[ink]} on {ground} {tones[ground]}"


@pytest.mark.parametrize("scheme", [0, 1])
def test_the_stop_button(scheme: int) -> None:
    assert contrast("#ffffff", TOKENS["stop"].split(", ")[scheme]) >= TEXT
