import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from api.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def commands(page: Path) -> list[str]:
    text = page.read_text().replace("\\\n", " ")
    blocks = re.findall(r"```(?:bash|sh|console)?\n(.*?)```", text, re.S)
    lines = [line.split("#")[0].strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`((?:make|tandem|python -m) [^`]+)`", text)
    return [line for line in [*lines, *inline] if re.match(r"(\.venv/bin/)?(make|tandem|python) ", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_in_the_docs_exists(page: Path) -> None:
    for line in commands(page):
        words = shlex.split(line.replace("…", ""))
        tool = words[0].rsplit("/", 1)[-1]
        if tool == "make":
            assert {w for w in words[1:] if "=" not in w} <= TARGETS, line
        elif tool == "python" and words[1] == "-m":
            file = ROOT / words[2].replace(".", "/")
            known = words[2].split(".")[0] in {"pip", "vllm", "venv"}
            assert known or file.with_suffix(".py").is_file() or (file / "__main__.py").is_file(), line
        elif tool == "tandem":
            check_tandem(words[1:], line)


def check_tandem(words: list[str], line: str) -> None:
    command = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {w.split("=")[0] for w in words if w.startswith("--")} <= known | {"--help"}, line


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
