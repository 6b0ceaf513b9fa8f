"""What the plugin sends is what the official tool makes of the same XML, but for what docs/migration.md lists."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from compatibility.real.verdicts import SEVERITY
from compatibility.vendor.official import submitted, tool
from compatibility.world.differing import differ
from pytest_automation_report.api.models import Json
from support.repository import ROOT

HERE = Path(__file__).parent
MIGRATION = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")

_OURS_ALONE: Mapping[str, str] = {
    "Output": "captured output", "Errors": "captured output", "Log": "captured output",
    "Unexpected pass": "unexpected pass", "Subtests": "subtests", "Steps": "subtests", "Attempts": "reruns",
}  # fmt: skip
_COLOUR = re.compile(r"#x1B\[[0-9;]*m")


def _listed() -> set[str]:
    """Return the first column of the page's table of differences."""
    section = MIGRATION.partition("## What stays, and what does not")[2].partition("\n#")[0]
    return set(re.findall(r"^\| ([a-z ]+) \|", section, re.MULTILINE)) - {"what"}


def _fields(test: Json) -> list[Json]:
    return [
        {"is_highlight": False, **each, "meta": each.get("meta") or {}, "value": each.get("value") or ""}
        for each in test.get("fields", ())
    ]


def _differences(theirs: list[Json], ours: Json) -> Iterator[str]:
    """Yield the differences of one key, in the page's words; what it has no word for in words of its own."""
    statuses, names = [each["status"] for each in theirs], {each["name"] for each in ours.get("fields", ())}
    if ours["folder"] != theirs[0]["folder"]:
        yield "modules" if theirs[0]["folder"] == "Unnamed folder" else f"folder of {ours['name']}"
    if ours["name"] != theirs[0]["name"]:
        yield f"name of {ours['name']}"
    if ours["status"] != max(statuses, key=SEVERITY.index):
        yield f"status of {ours['name']}"
    if ours.get("file") != theirs[0].get("file"):
        yield f"file of {ours['name']}"
    if ours.get("line") != theirs[0].get("line"):
        yield "lines" if ours["line"] == theirs[0]["line"] + 1 else f"line of {ours['name']}"
    if len(theirs) == 1:
        yield from _elapsed_differences(theirs[0]["elapsed"], ours.get("elapsed", 0), is_counted_twice="Steps" in names)
    if len(theirs) > 1:
        yield "reruns" if any(each["name"] == "Attempts" for each in _fields(ours)) else "call and teardown"
    yield from _field_differences([field for each in theirs for field in _fields(each)], _fields(ours))


def _elapsed_differences(theirs: int, ours: int, *, is_counted_twice: bool) -> Iterator[str]:
    """Compare microseconds: the XML has thousandths of a second, rounded, and counts subtests and their test."""
    if theirs != ours:
        yield "times" if abs(theirs - ours) <= 600 or is_counted_twice else f"elapsed of {ours}"


def _field_differences(theirs: list[Json], ours: list[Json]) -> Iterator[str]:
    left = list(theirs)
    for field in ours:
        name = field["name"]
        match = next((each for each in left if each["name"] == name.partition(" [")[0]), None)
        if match is None:
            yield "reruns" if re.fullmatch(r"Attempt \d+", name) else _OURS_ALONE.get(name, f"field {name}")
            continue
        left.remove(match)
        if match["name"] != name:
            yield "subtests"
        if match["is_highlight"] != field["is_highlight"]:
            yield f"highlight of {name}"
        yield from _value_differences(match, field)
        yield from _meta_differences(match["meta"], field["meta"])
    for each in left:
        counts = each["value"].startswith("contains ")
        yield "subtests" if counts else f"no field {each['name']}"


def _value_differences(theirs: Json, ours: Json) -> Iterator[str]:
    if theirs["type"] != ours["type"]:
        is_property = not ours["is_highlight"]
        yield "properties" if is_property and theirs["value"] == ours["value"] else f"type of {ours['name']}"
    if theirs["value"] == ours["value"]:
        return
    if "skip" in ours["meta"].get("type", "") and "Skipped" in theirs["value"]:
        yield "modules"
    elif len(theirs["value"]) >= 16_000 <= len(ours["value"]):
        is_alike = theirs["value"][:4000] == ours["value"][:4000] and theirs["value"][-4000:] == ours["value"][-4000:]
        yield "long texts" if is_alike else "ends of a long text"
    else:
        yield "colours" if _COLOUR.sub("", theirs["value"]) == ours["value"] else f"value of {ours['name']}"


def _meta_differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[str]:
    for name in theirs.keys() | ours.keys():
        one, other = theirs.get(name), ours.get(name)
        if one == other:
            continue
        if one is None:
            yield {"type": "exception types", "message": "reasons", "phase": "phases"}.get(name, f"meta {name}")
        elif other is None:
            yield f"no meta {name}"
        elif one in {"collection failure", "collection skipped"}:
            yield "modules"
        elif "full report in element text" in one and one[:200] == other[:200]:
            yield "long texts"
        else:
            yield "colours" if _COLOUR.sub("", one) == other else f"meta {name}"


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "2"])
def test_plugin_sends_what_the_tool_sends(tmp_path: Path, processes: str) -> None:
    """Keys, folders, names, statuses and fields are the official tool's, but for the page's table of differences."""
    tool()
    arguments = ("-n", processes, "--dist", "loadfile", "--continue-on-collection-errors")
    pair = differ(tmp_path, HERE / "suites", *arguments)
    theirs: dict[str, list[Json]] = {}
    for test in submitted(pair.reported.folder / "junit.xml", tmp_path).tests:
        theirs.setdefault(test["key"], []).append(test)
    ours = {test["key"]: test for _, test in pair.tests}
    assert len(ours) == len(pair.tests) > 30
    assert ours.keys() == theirs.keys()
    found = {each for key, test in ours.items() for each in _differences(theirs[key], test)}
    assert found == _listed()
