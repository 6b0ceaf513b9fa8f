"""Evidence of a test on the whole way: colours, files at their steps, and each attempt's own output."""

from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.api.models import ATTEMPTS, COLOURS, STEPS
from support.checked_server import CheckedServer
from support.sessions import run_session

SUITE = r"""
import sys
from pytest_automation_report import artifact, field, step

RED, END = "\x1b[1;31m", "\x1b[0m"
runs = 0

def test_evidence():
    global runs
    runs += 1
    print(f"{RED}attempt {runs}{END}")
    print("\x1b[2J\x1b]8;;https://e.example\x07link\x1b]8;;\x07 \x1b[33", file=sys.stderr)
    artifact(b"first of all", "0.txt")
    with step("outer"):
        artifact(f"one {runs}".encode(), "1.txt")
        with step("inner"):
            artifact("https://e.example/2.txt")
            artifact(f"three {runs}".encode(), "3.txt")
    field("Report", f"plain {RED}red{END}", type="console")
    assert runs == 3, f"{RED}wrong{END}"

def test_plain():
    print("nothing but text")
"""
RERUNS = ("--reruns=2", "--automation-report-output=all")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    pytest.importorskip("pytest_rerunfailures")
    (tmp_path / "test_it.py").write_text(SUITE)
    return tmp_path


def _coloured(text: str, spans: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - JSON
    return [(text[start:end], style) for start, end, style in spans]


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["plain", "workers"])
def test_a_server_of_ours_gets_what_attempts_left(suite: Path, server: CheckedServer, options: tuple[str, ...]) -> None:
    """Colours stand at their characters, files at their steps, and each attempt has its own output and steps."""
    assert run_session(suite, *RERUNS, *options, address=server.address).exit == 0
    tests = {test["name"]: test for _, test in server.tests()}
    assert tests["test_plain"].keys().isdisjoint({COLOURS, ATTEMPTS, STEPS})
    test = tests["test_evidence"]
    values = {**test["output"], **{field["name"]: field["value"] for field in test["fields"]}}
    assert (values["Output"], values["Errors"]) == ("attempt 3\n", "link \\x1b[33\n")
    assert {name: _coloured(values[name], spans) for name, spans in test[COLOURS].items()} == {
        "Output": [("attempt 3", "1;31")],
        "Report": [("red", "1;31")],
    }
    _check_steps(test[STEPS])
    names = [artifact["name"] for artifact in test["artifacts"]]
    assert names == ["0.txt", "1.txt", "2.txt", "3.txt"] * 3
    assert [attempt["number"] for attempt in test[ATTEMPTS]] == [1, 2]
    for attempt in test[ATTEMPTS]:
        number = attempt["number"]
        assert attempt["output"]["Output"] == f"attempt {number}\n"
        assert len(attempt["phases"]) == 3
        _check_steps(attempt[STEPS])
        assert _coloured(attempt["output"]["Output"], attempt[COLOURS]["Output"]) == [(f"attempt {number}", "1;31")]
        (cause,) = attempt["causes"]
        assert set(_coloured(cause["text"], attempt[COLOURS][cause["name"]])) == {("wrong", "1;31")}


def _check_steps(steps: Any) -> None:  # noqa: ANN401 - JSON
    ((outer,), (inner,)) = steps, steps[0]["steps"]
    assert (outer["files"], inner["files"]) == ([1], [2, 3])
