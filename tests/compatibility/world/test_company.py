"""Other plugins and pytest-xdist's ways: each line of the table in docs/plugins.md is a test here."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from compatibility.conformance.conforming import on_other_hosts
from compatibility.real.verdicts import IS_OLD_PYTEST
from compatibility.world.differing import (
    ONLY_FLAKY,
    ONLY_RETRY,
    Pair,
    check_same,
    check_told,
    differ,
)
from compatibility.world.plugins import search_path
from support.projects import Project, console
from support.repository import ROOT
from support.sessions import session_environment

_SUITE = """
import pytest

@pytest.fixture
def broken():
    yield
    raise OSError("a broken teardown")

@pytest.mark.parametrize("value", range(6))
def test_each(value):
    print("value", value)
    assert value != 3

@pytest.mark.xdist_group("together")
class TestClass:
    def test_one(self): pass
    def test_two(self, broken): pass

@pytest.mark.skip(reason="so")
def test_skipped(): pass

@pytest.mark.xfail(strict=True)
def test_passes_unexpectedly(): pass
"""
_UNLOADABLE = """
import os, sys

if "PYTEST_XDIST_WORKER" in os.environ:
    sys.modules["pytest_automation_report.recording.collector"] = None
"""
_AGAIN = (
    "runs = []\ndef test_again():\n    runs.append(1)\n    assert len(runs) == 3\n\ndef test_never(): assert False\n"
)
_ASYNC = """
import asyncio

import pytest

@pytest.fixture
async def number():
    await asyncio.sleep(0)
    yield 1
    await asyncio.sleep(0)

@pytest.mark.MARKER
async def test_passes(number): assert number == 1

@pytest.mark.MARKER
async def test_fails(number):
    await asyncio.sleep(0.001)
    assert number == 2
"""
_SLOW = "import time\ndef test_before(): pass\ndef test_slow(): time.sleep(60)\ndef test_after(): pass\n"
_CRASH = "import os\ndef test_a(): pass\ndef test_crash(): os.abort()\ndef test_b(): pass\n"
_SUBTESTS = """
import unittest

def test_some(subtests):
    for number in range(3):
        with subtests.test(number=number):
            assert number != 1

class TestCase(unittest.TestCase):
    def test_more(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)
"""
_FEATURE = """Feature: Cart

  Scenario: Pay by card
    Given a cart with 3 articles
    Then the total is 4

  Scenario Outline: Discounts
    Given a cart with <n> articles
    Then the total is <t>

    Examples:
      | n | t |
      | 1 | 1 |
      | 2 | 3 |
"""
_STEPS = """
from pytest_bdd import given, parsers, scenarios, then

scenarios("features/cart.feature")

@given(parsers.parse("a cart with {n:d} articles"), target_fixture="cart")
def cart(n):
    return n

@then(parsers.parse("the total is {t:d}"))
def total(cart, t):
    assert cart == t
"""

TESTED = {
    "`--dist load`, `loadscope`, `loadfile`, `loadgroup`, `worksteal`": "test_distribution",
    "`--dist each`": "test_distribution_to_each", "`--max-worker-restart`": "test_worker_restarts",
    "`--tx popen//python=...`": "test_other_interpreter",
    "`--tx ssh=...` and others without the controller's disk": "test_other_hosts",
    "`--looponfail`": "test_loop_on_failures", "pytest-randomly": "test_random_order",
    "pytest-repeat": "test_repeated_tests", "pytest-timeout": "test_timeouts",
    "pytest-rerunfailures, pytest-retry, flaky": "test_tests_run_again", "pytest-asyncio, anyio": "test_async_tests",
    "pytest-bdd": "test_scenarios", "pytest-subtests (pytest 8.4)": "test_subtests_of_a_plugin",
    "pytest-cov": "test_coverage",
    "pytest-html, allure-pytest": "test_other_reports", "pytest-forked": "test_forked_tests",
}  # fmt: skip


def _checked(pair: Pair, count: int = 10) -> Pair:
    check_same(pair)
    assert len(pair.tests) == count
    return pair


def test_table_is_tested() -> None:
    """The page of other plugins names what is tested here, in its order, and nothing else."""
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \|", page, re.MULTILINE)[2:]
    assert rows == list(TESTED)
    assert all(each in globals() for each in TESTED.values())


# Others run under `load`, which is the default here, and `loadfile` (test_world.py).
@pytest.mark.parametrize("mode", ["loadscope", "loadgroup", "worksteal"])
def test_distribution(tmp_path: Path, mode: str) -> None:
    """Whatever way xdist shares tests out, each is once on the server, in the thread of the worker that ran it."""
    pair = _checked(differ(tmp_path, _SUITE, "-n", "2", "--dist", mode))
    assert {worker for worker, _ in pair.tests} <= {"gw0", "gw1"}


def test_distribution_to_each(tmp_path: Path) -> None:
    """Under ``--dist each`` every worker's thread has every test once."""
    pair = _checked(differ(tmp_path, _SUITE, "-n", "2", "--dist", "each"), 20)
    assert Counter(worker for worker, _ in pair.tests) == {"gw0": 10, "gw1": 10}


def test_worker_restarts(tmp_path: Path) -> None:
    """A crash is one result without another worker after it, too; what no worker ran is counted as not run."""
    pair = differ(tmp_path, _CRASH, "-n", "1", "--max-worker-restart=0")
    check_told(pair)
    assert pair.reported.ran.exit == pair.bare.ran.exit
    assert pair.statuses()["test_crash"] == "error"
    assert len(pair.tests) == 2
    assert pair.run_fields["Not run"] == "1"


def test_other_interpreter(tmp_path: Path) -> None:
    """Workers that are told their interpreter record as others do."""
    spec = f"popen//python={sys.executable}"
    pair = _checked(differ(tmp_path, _SUITE, "--dist", "load", "--tx", spec, "--tx", spec))
    assert {worker for worker, _ in pair.tests} <= {"gw0", "gw1"}


def test_interpreter_that_cannot_load_the_plugin(tmp_path: Path) -> None:
    """A worker whose Python cannot load the plugin, as another version's, changes no outcome; its results arrive.

    xdist gives its workers the search path of its own Python, from which another version cannot load extensions.
    """
    pair = _checked(differ(tmp_path, _SUITE, "-n", "2", conftest=_UNLOADABLE))
    out = pair.reported.ran.out
    assert out.count(": its results are without annotations: its Python cannot load the plugin: ") == 2


def test_other_hosts(tmp_path: Path) -> None:
    """Results of workers that do not see the spool arrive, each once, in the thread of the worker that ran them."""
    conftest = on_other_hosts("gw0", "gw1")
    pair = _checked(differ(tmp_path, _SUITE, "-n", "2", conftest=conftest))
    assert {worker for worker, _ in pair.tests} <= {"gw0", "gw1"}


def test_loop_on_failures(tmp_path: Path) -> None:
    """A session that waits for changes for ever reports nothing, whatever else its command line says."""
    pytest.importorskip("xdist")
    (tmp_path / "test_it.py").write_text("def test_a(): pass\n")
    command = [sys.executable, "-m", "pytest", "--looponfail", "--automation-report"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=session_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines = list(iter_until(process.stdout, "waiting for changes"))
        process.kill()
    assert any("1 passed" in line for line in lines), lines
    assert not any("automation report" in line for line in lines)
    assert not (tmp_path / ".automation-report").exists()


def iter_until(lines: Iterable[str], words: str) -> Iterator[str]:
    """Yield lines up to the one with these words."""
    for line in lines:
        yield line
        if words in line:
            return


def test_random_order(tmp_path: Path) -> None:
    """Tests in an order at random arrive in that order."""
    env = search_path("pytest-randomly")
    pair = _checked(differ(tmp_path, _SUITE, "-v", env=env))
    ran = re.findall(r"::(\w+(?:\[\d\])?) [A-Z]+ ", pair.reported.ran.out)
    told = [test["name"] for _, test in pair.tests]
    assert told == list(dict.fromkeys(ran))
    assert told != sorted(told)


def test_repeated_tests(tmp_path: Path) -> None:
    """Each repetition of pytest-repeat is a test of its own, by the number in its name."""
    pair = differ(tmp_path, "def test_a(): pass\n", "--count=3", env=search_path("pytest-repeat"))
    _checked(pair, 3)
    assert sorted(pair.statuses()) == ["test_a[1-3]", "test_a[2-3]", "test_a[3-3]"]


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_timeouts(tmp_path: Path, method: str) -> None:
    """A time-out by signal is a failure with its traceback; by thread it ends pytest, and the test is an error."""
    arguments = ("--timeout=1", f"--timeout-method={method}")
    pair = differ(tmp_path, _SLOW, *arguments, env=search_path("pytest-timeout"))
    assert pair.reported.ran.exit == pair.bare.ran.exit == 1
    if method == "signal":
        _checked(pair, 3)
        assert "Timeout" in pair.fields("test_slow")["Failure"]
    else:
        assert pair.statuses() == {"test_before": "passed", "test_slow": "error"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--reruns=2",), "3"),
        # pytest-retry reports the first attempt and the last, none between.
        (("--retries=2", "--retry-delay=0", *ONLY_RETRY), "2"),
        (("-n", "2", "--retries=2", "--retry-delay=0", *ONLY_RETRY), "2"),
        (("--force-flaky", "--max-runs=3", *ONLY_FLAKY), "3"),
    ],
    ids=["rerunfailures", "retry", "retry-on-workers", "flaky"],
)
def test_tests_run_again(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    """A test that is run again is one result with its last outcome and the number of its attempts."""
    pair = differ(tmp_path, _AGAIN, *arguments)
    check_told(pair)
    assert pair.reported.ran.exit == pair.bare.ran.exit == 1
    assert pair.statuses() == {"test_again": "passed", "test_never": "failure"}
    assert [pair.fields(name)["Attempts"] for name in ("test_again", "test_never")] == [told, told]


@pytest.mark.parametrize("plugin", ["pytest-asyncio", "anyio"])
def test_async_tests(tmp_path: Path, plugin: str) -> None:
    """Tests and fixtures that are coroutines are reported like others."""
    marker = "asyncio" if plugin == "pytest-asyncio" else "anyio"
    suite = _ASYNC.replace("MARKER", marker)
    if plugin == "pytest-asyncio":
        suite = suite.replace("import pytest\n", "import pytest\nimport pytest_asyncio\n", 1)
        suite = suite.replace("@pytest.fixture", "@pytest_asyncio.fixture")
    else:
        suite += "\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    pair = _checked(differ(tmp_path, suite, env=search_path(plugin)), 2)
    assert pair.statuses() == {"test_passes": "passed", "test_fails": "failure"}


@pytest.mark.parametrize("options", [(), ("-n1",)], ids="".join)
def test_scenarios(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Node ids that the digest prints are those that pytest finds, and a field has the line of the feature."""
    project, env = Project(tmp_path), {**session_environment(), **search_path("pytest-bdd")}
    project.write("tests/features/cart.feature", _FEATURE)
    project.write("tests/test_cart.py", _STEPS)
    project.report(*options, env=env, exits=1)
    names = ["tests/test_cart.py::test_pay_by_card", "tests/test_cart.py::test_discounts[2-3]"]
    shown = console(project.root, "failures").out
    assert [name for name in names if name not in shown.partition("pytest ")[2]] == []
    fields = console(project.root, "run", "export", "1", "--format", "json").out
    assert [place for place in (":3", ":7") if f"tests/features/cart.feature{place}" not in fields] == []
    assert "site-packages/pytest_bdd/scenario.py" not in fields.replace("\\", "/").partition("Traceback")[0][:400]
    project.report(*names, env=env, exits=1)


@pytest.mark.skipif(not IS_OLD_PYTEST, reason="pytest 9 has subtests of its own")
def test_subtests_of_a_plugin(tmp_path: Path) -> None:
    """Before pytest 9, the subtests of pytest-subtests are part of their test: steps, and a field for each failure."""
    pair = differ(tmp_path, _SUBTESTS, env=search_path("pytest-subtests"))
    check_told(pair)
    assert pair.statuses() == {"test_some": "failure", "test_more": "failure"}
    for name in ("test_some", "test_more"):
        fields = pair.fields(name)
        assert fields["Subtests"] == "3: 2 passed, 1 failed"
        assert [each for each in fields if each.startswith("Failure")] == ["Failure [number=1]"]


def test_coverage(tmp_path: Path) -> None:
    """pytest-cov measures the same lines, and the sender leaves no data of its own."""
    pair = _checked(differ(tmp_path, _SUITE, "-n", "2", "--cov=.", env=search_path("pytest-cov")))
    totals = [re.findall(r"^TOTAL .*$", each.ran.out, re.MULTILINE) for each in (pair.bare, pair.reported)]
    assert totals[0] == totals[1] != []
    assert [each.name for each in pair.reported.folder.glob(".coverage*")] == [".coverage"]


def test_other_reports(tmp_path: Path) -> None:
    """pytest-html and allure-pytest write what they write without the plugin, at the same time."""
    arguments = ("--html={folder}/report.html", "--alluredir={folder}/allure")
    pair = _checked(differ(tmp_path, _SUITE, *arguments, env=search_path("pytest-html", "allure-pytest")))
    for side in (pair.bare, pair.reported):
        assert (side.folder / "report.html").stat().st_size > 1000
        assert len(list((side.folder / "allure").glob("*-result.json"))) == 10


def test_forked_tests(tmp_path: Path) -> None:
    """Tests that pytest-forked runs in children of their own are recorded once, crashes included."""
    suite = _SUITE + "\ndef test_crashes():\n    import os\n    os.abort()\n"
    pair = _checked(differ(tmp_path, suite, "--forked", env=search_path("pytest-forked")), 11)
    assert "CRASHED" in str(pair.fields("test_crashes"))
