"""Extensions on the whole way: a server that announces them gets them, every other server the contract alone.

Every test with a scripted server shows the latter, too: it refuses properties that the contract does not have.
"""

import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.checked_server import CheckedServer
from support.scripted_server.checked import checked_scripted_server
from support.sessions import clean_environment, run, run_session, send, session_environment

SUITE = """
import time
from dataclasses import dataclass
import pytest
from pytest_automation_report import step

@dataclass
class Point:
    x: int
    y: int = 0

@pytest.fixture
def prepared():
    time.sleep(0.03)
    yield
    time.sleep(0.02)

def test_passes(prepared):
    with pytest.raises(AssertionError):
        assert [1] == [2]

def test_steps(prepared):
    with step("outer"), step("inner"):
        time.sleep(0.01)
    print("kept")

@pytest.mark.parametrize(("left", "right"), [
    ("a text", "a test"), (b"ab", b"ac"), (1, 2.5), ([1, 2], [1, 3]), ((1,), (1, 2)), ({1}, {2}),
    ({"user": {"name": "n", "password": "hunter2-x"}}, {"user": {"name": "m", "password": "hunter3-x"}}),
    (Point(1), Point(2)), (object, 1), ("long " * 3000 + "a", "long " * 3000 + "b"), (pytest.approx(1), 2),
], ids=list("abcdefghijk"))
def test_compares(left, right):
    assert (
        left
        == right
    )

def test_other_error():
    with pytest.raises(AssertionError):
        assert [1] == [2]
    raise ValueError("another")

def first(values):
    assert values[0] == 1

def test_other_error_of_the_line():
    with pytest.raises(AssertionError):
        first([2])
    first([])

def both(left, right, third):
    assert left == right and third

def test_expects_it():
    with pytest.raises(AssertionError):
        both(1, 2, 0)

def test_other_part_of_the_line():
    both(1, 1, 0)

def test_contains():
    assert 3 not in [1, 3] or 5 in {4: 5}

def check(left, right):
    __tracebackhide__ = True
    assert left == right

def test_helper():
    check({"a": 1}, {"a": 2})
"""

CONFTEST = """
def pytest_assertrepr_compare(op, left, right):
    if type(left) is tuple:
        return ["the other plugin's words", f"{left} {op} {right}"]
"""

COMPARED = {*(f"test_compares[{letter}]" for letter in "abcdefghijk"), "test_contains", "test_helper"}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "test_it.py").write_text(SUITE)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    return tmp_path


def _failures(text: str) -> list[str]:
    section = re.split(r"^=+ (?:automation report|short test summary info) =+$", text, flags=re.MULTILINE)[0]
    section = section.partition("= FAILURES =")[2].replace("[gw0] linux", "")
    return sorted(re.split(r"^_{5,} ", section, flags=re.MULTILINE))


@pytest.mark.parametrize("options", [(), ("-vv", "-n1")], ids=["plain", "workers"])
def test_a_server_of_ours_gets_extensions(suite: Path, server: CheckedServer, options: tuple[str, ...]) -> None:
    """Starts, phases, steps and the sides of failed comparisons arrive, and pytest's output is that without us."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    plain = run(command, suite, clean_environment())
    ran = run_session(suite, *options, address=server.address)
    assert ran.exit == plain.exit == 1
    assert len(_failures(plain.out)) > len(COMPARED)
    assert _failures(ran.out) == _failures(plain.out)

    tests = {test["name"]: test for _, test in server.tests()}
    assert {name for name, test in tests.items() if "comparison" in test} == COMPARED
    assert "hunter" not in str([test.get("comparison") for test in tests.values()])
    assert tests["test_helper"]["comparison"]["right"]["entries"][0][1] == {"type": "int", "text": "2"}
    assert [entry["status"] for entry in tests["test_steps"]["steps"]] == ["passed"]
    assert tests["test_steps"]["steps"][0]["steps"][0]["elapsed"] >= 10_000
    for name in ("test_passes", "test_steps"):
        setup, call, teardown = tests[name]["phases"]
        assert (setup >= 30_000, teardown >= 20_000) == (True, True)
        assert setup + call + teardown == tests[name]["elapsed"]
    _check_times(server)


def _check_times(server: CheckedServer) -> None:
    """Check that the tests of a thread follow each other on one axis, and that nothing runs at its end."""
    appends: list[Any] = [seen.body for seen in server.posts("/append") if "/threads/" in seen.path]
    assert len({append["session_started"] for append in appends}) == 1
    assert appends[-1]["running"] == []
    times = [(test["started"], test["elapsed"]) for append in appends for test in append["tests"]]
    assert all(start + elapsed <= following for (start, elapsed), (following, _) in pairwise(times))


def test_another_server_gets_the_contract_alone(suite: Path) -> None:
    """A server that announces nothing gets no extension: not while tests run, by workers, or later by ``send``."""
    with checked_scripted_server() as server:
        assert run_session(suite, "-n1", address=server.address).exit == 1
        count = len(server.results)
        later = session_environment(AUTOMATION_REPORT_DELIVERY="later")
        assert run_session(suite, address=server.address, env=later).exit == 1
        assert len(server.results) == count
        send(suite, *server.options, exits=0)
        assert len(server.results) == 2 * count > 0
        assert server.violations == []


COLLECTING = """
import gc
import time

HEAP = [[number] for number in range(500_000)]

def test_quiet():
    gc.disable()
    time.sleep(0.05)

def test_collects():
    gc.collect()
    time.sleep(0.05)

def test_moves_the_clock(monkeypatch):
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    gc.collect()

def test_removes():
    gc.callbacks.clear()
    gc.collect()

def test_goes_on():
    gc.collect()
    assert len(gc.callbacks) == 1
    gc.enable()
"""


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["plain", "workers"])
def test_pauses_of_garbage_collection_are_measured(
    tmp_path: Path, server: CheckedServer, options: tuple[str, ...]
) -> None:
    """A test that Python interrupted has that part of its time; one that removes the callback ends only its own."""
    (tmp_path / "test_it.py").write_text(COLLECTING)
    run_session(tmp_path, *options, address=server.address, exits=0)
    tests = {test["name"]: test for _, test in server.tests()}
    assert [name for name in tests if "paused" in tests[name]] == [
        "test_collects", "test_moves_the_clock", "test_goes_on",
    ]  # fmt: skip
    assert all(1_000 <= test["paused"] <= test["elapsed"] for test in tests.values() if "paused" in test)
    assert tests["test_collects"]["elapsed"] - tests["test_collects"]["paused"] >= 50_000
