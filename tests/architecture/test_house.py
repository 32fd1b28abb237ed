import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("agent", "api", "replay", "scenarios", "sim", "skills", "traces", "vla_low_level")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
WEIGHTS = sorted(
    path for folder in FOLDERS for path in (ROOT / folder).glob("**/weights/**/*") if path.is_file()
)

BANNED_CALLS = {
    "eval",
    "exec",
    "torch.load",
    "yaml.load",
    "pickle.load",
    "pickle.loads",
    "time.time",
    "os.system",
}


def name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_imports_go_only_downwards() -> None:
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_short_and_calls_nothing_dangerous(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            assert not any(m.split(".")[0] in {"pickle", "dill", "cloudpickle"} for m in modules)
        if isinstance(node, ast.Call):
            assert name_of(node.func) not in BANNED_CALLS
            shell = [k for k in node.keywords if k.arg == "shell"]
            assert not shell
            allow = [k for k in node.keywords if k.arg == "allow_pickle"]
            assert all(isinstance(k.value, ast.Constant) and k.value.value is False for k in allow)


def test_weights_are_safetensors_and_small() -> None:
    assert WEIGHTS
    assert not [p for p in WEIGHTS if p.suffix not in {".safetensors", ".json", ".jinja", ".md"}]
    assert max(p.stat().st_size for p in WEIGHTS) < 40e6
    assert sum(p.stat().st_size for p in WEIGHTS) < 120e6


@pytest.mark.parametrize(
    "folder", sorted({p.parent for p in WEIGHTS}), ids=lambda p: str(p.relative_to(ROOT))
)
def test_weights_come_with_a_model_card(folder: Path) -> None:
    card = (folder / "README.md").read_text().lower()
    for word in ("command", "seed", "data"):
        assert word in card


def test_every_package_and_weight_is_in_the_wheel() -> None:
    declared = (ROOT / "pyproject.toml").read_text()
    for folder in FOLDERS:
        assert f'"{folder}*"' in declared
    for suffix in {p.suffix for p in WEIGHTS}:
        assert f'"*{suffix}"' in declared


def test_every_dependency_is_pinned_and_justified() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    base = re.search(r"^dependencies = \[(.*?)^\]", text, re.S | re.M)
    extras = [re.search(rf"^{name} = \[(.*?)^\]", text, re.S | re.M) for name in ("train", "dev")]
    assert base
    assert all(extras)
    pins = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    own = re.search(r'^name = "(.*)"$', text, re.M).group(1)
    lines = [line for found in (base, *extras) for line in found.group(1).strip().splitlines()]
    for line in lines:
        found = re.match(r'\s*"([a-zA-Z0-9_-]+)[^"]*",\s+# \S+', line)
        assert found, f"no reason given: {line}"
        assert found.group(1).lower() in pins | {own}
