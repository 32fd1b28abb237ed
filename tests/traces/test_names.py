"""The vocabulary is a contract with everyone who reads traces: it changes only on purpose."""

from __future__ import annotations

from pathlib import Path

from traces import names

GOLDEN = Path(__file__).with_name("names.golden.txt")


def vocabulary() -> str:
    lines = [f"schema {names.SCHEMA_VERSION}"]
    lines += [f"span {k.template!r} {k.operation or '-'} {k.openinference}" for k in names.SPANS.values()]
    lines += [f"attribute {name} {a.type} {a.unit or '-'}" for name, a in sorted(names.ATTRIBUTES.items())]
    lines += [f"link {kind.value}" for kind in names.LinkKind]
    lines += [f"log {name}" for name in sorted(names.LOGS)]
    return "\n".join(lines) + "\n"


def test_vocabulary_is_the_one_on_record() -> None:
    assert vocabulary() == GOLDEN.read_text(encoding="utf-8")


def test_every_name_says_what_it_means() -> None:
    meanings = [k.meaning for k in names.SPANS.values()] + [a.meaning for a in names.ATTRIBUTES.values()]
    assert all(meaning.endswith(".") for meaning in [*meanings, *names.LOGS.values()])


def test_blob_attributes_are_those_that_end_in_ref() -> None:
    for name, attribute in names.ATTRIBUTES.items():
        assert names.is_blob(name) == (attribute.type == "blob"), name


def test_units_stand_in_names() -> None:
    suffixes = {"s": "_s", "m": "_m", "Hz": "_hz"}
    for name, attribute in names.ATTRIBUTES.items():
        if attribute.unit:
            assert name.endswith(suffixes[attribute.unit]), name


def test_genai_and_openinference_kinds_follow_from_the_name() -> None:
    assert names.span_defaults(names.SKILL.format(skill="pick")) == {
        "gen_ai.operation.name": "execute_tool",
        "openinference.span.kind": "TOOL",
    }
    assert names.span_defaults("something else") == {}
