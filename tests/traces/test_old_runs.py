"""Runs that older versions recorded stay readable; the page of the vocabulary is the vocabulary's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.schemas import Schemas

from traces import names
from traces.html import render
from traces.index import list_runs
from traces.page_of_names import render as page
from traces.reader import read_run
from traces.verify import verify
from traces.why import why

OLD = Path(__file__).with_name("old")
DOCS = Path(__file__).parents[2] / "docs" / "traces.md"


@pytest.mark.parametrize("version", names.READABLE_VERSIONS)
def test_a_run_of_every_readable_version_is_read_shown_and_verified(version: int, tmp_path: Path) -> None:
    folder = OLD / f"v{version}"
    run = read_run(folder)
    assert run.attributes[names.SCHEMA] == version
    assert [span.name for span in run.roots[0].children] == ["tandem.perceive", "chunk 0", "chunk 1"]
    assert verify(folder).ok
    assert len(why(run, run.named(names.CHUNK)[1])) == 3
    assert "clear the table" in render(run)
    shutil.copytree(folder, tmp_path / "run")
    assert [(r.command, r.outcome, r.chunks) for r in list_runs(tmp_path)] == [
        ("clear the table", "succeeded", 2)
    ]


def test_the_current_version_has_a_run_on_record() -> None:
    assert names.READABLE_VERSIONS[-1] == names.SCHEMA_VERSION
    assert (
        json.loads((OLD / f"v{names.SCHEMA_VERSION}" / "result.json").read_text())["outcome"] == "succeeded"
    )


def test_the_page_is_up_to_date() -> None:
    assert page() == DOCS.read_text(encoding="utf-8"), "python -m traces.page_of_names > docs/traces.md"


def test_genai_names_are_those_of_the_pinned_conventions() -> None:
    known = {value for value in vars(gen_ai_attributes).values() if isinstance(value, str)}
    ours = {name for name in names.ATTRIBUTES if name.startswith("gen_ai.")}
    assert ours <= known
    assert names.SEMCONV_URL in {schema.value for schema in Schemas}
