"""The page's files keep what the page promises: text only, nothing inline, nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "api/page"
ASSETS = PAGE / "assets"
SCRIPTS = sorted(ASSETS.glob("*.js"))
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|setHTML|srcdoc"
)
OWN = re.compile(
    r"https?://(www\.w3\.org/2000/svg|127\.0\.0\.1:8420)"
)  # a namespace, and an example of a link


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed((PAGE / "index.html").read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_a_script_sets_text_only_and_is_short(path: Path) -> None:
    text = path.read_text()
    assert not MARKUP.search(text)
    assert len(text.splitlines()) <= 150
    for module in re.findall(r'from "\./([^"]+)"', text):
        assert (ASSETS / module).is_file(), module


@pytest.mark.parametrize(
    "path", [*SCRIPTS, ASSETS / "style.css", ASSETS / "icon.svg", PAGE / "index.html"], ids=lambda p: p.name
)
def test_no_address_outside_the_machine(path: Path) -> None:
    assert "://" not in OWN.sub("", path.read_text())


def test_nothing_is_inline() -> None:
    for tag, attributes in Tags().found:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes.get("src", "").startswith("/assets/")


def test_every_file_that_is_named_exists_and_every_icon_too() -> None:
    named = [a.get("src") or a.get("href") or "" for _, a in Tags().found]
    for address in named:
        if address.startswith("/assets/"):
            assert (PAGE / address.removeprefix("/")).is_file(), address
    symbols = {attributes.get("id") for tag, attributes in Tags().found if tag == "symbol"}
    used = set(re.findall(r'icon\("(\w+)"\)', "\n".join(p.read_text() for p in SCRIPTS)))
    assert {f"i-{name}" for name in used} <= symbols


def test_the_page_is_in_the_wheel() -> None:
    declared = (ROOT / "pyproject.toml").read_text()
    for suffix in {path.suffix for path in PAGE.rglob("*") if path.is_file()}:
        assert f'"*{suffix}"' in declared, suffix


def test_the_page_is_light() -> None:
    assert sum(path.stat().st_size for path in PAGE.rglob("*") if path.is_file()) < 200_000
