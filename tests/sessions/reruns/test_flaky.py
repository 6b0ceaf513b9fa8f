"""The plugin flaky repeats tests and hides reports of them: each test has the result that pytest shows last."""

import json
import re

import pytest

from support.projects import Project, console

pytest.importorskip("flaky")
FLAKY = ("-p", "no:rerunfailures", "-p", "flaky", "--force-flaky")

SUITE = """
import pytest, unittest
from collections import Counter
from flaky import flaky

runs = Counter()

def run(name):
    runs[name] += 1
    return runs[name]

@pytest.fixture
def broken(): assert 0

@pytest.fixture
def leaky(request):
    yield
    assert run(request.node.name + " teardown") > 1

xfail, strict = pytest.mark.xfail, pytest.mark.xfail(strict=True)

def test_ok(): pass
def test_second(): assert run("second") > 1
def test_never(): assert 0
@xfail
def test_xfail(): assert 0
@strict
def test_strict(): assert 0
@xfail(raises=AssertionError)
def test_raises(): assert 0
@xfail(raises=ValueError)
def test_raises_another(): assert 0
@xfail(run=False)
def test_does_not_run(): pass
def test_xfail_inside(): pytest.xfail("now")
@xfail
def test_xpass(): pass
@xfail
def test_xpass_second(): assert run("xpass second") > 1
@xfail
def test_setup(broken): pass
def test_setup_always(broken): pass
@flaky(max_runs=3, min_passes=2)
@xfail
def test_twice(): assert run("twice") > 1
@strict
def test_strict_teardown(broken_later): pass
@pytest.fixture
def broken_later():
    yield
    assert 0
def test_leaky(leaky): assert run("leaky") > 1
def test_skip(): pytest.skip("no")

class TestUnit(unittest.TestCase):
    @unittest.expectedFailure
    def test_expected(self): assert 0
    def test_second(self): assert run("unit") > 1
"""
EXPECTED = {
    "skipped": {
        *("test_xfail", "test_strict", "test_raises", "test_does_not_run", "test_xfail_inside", "test_setup"),
        *("test_expected", "test_strict_teardown", "test_skip"),
    },
    "passed": {"test_ok", "test_second", "test_xpass", "test_xpass_second", "test_twice"},
    # pytest has counted the teardown's error before it passed.
    "failed": {"test_never", "test_raises_another", "test_setup_always", "test_leaky"},
}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "workers"])
def test_each_test_has_one_result(project: Project, workers: tuple[str, ...]) -> None:
    """A test that flaky repeats has one result, with the outcome that pytest reports last, or an error it counted."""
    project.tests(SUITE)
    ran = project.report(*FLAKY, *workers, exits=1)
    tests = json.loads(console(project.root, "run", "export", "--format", "json", exits=0).out)["tests"]
    found: dict[str, list[str]] = {status: [] for status in EXPECTED}
    for test in tests:
        found[{1: "skipped", 2: "passed", 3: "failed"}[test["status"]]].append(test["name"])
    assert {status: sorted(names) for status, names in found.items()} == {
        status: sorted([*names, *(["test_second"] if status == "passed" else [])]) for status, names in EXPECTED.items()
    }
    assert not re.search(r" -\d|error in reporting|not run", ran.out.partition("= automation report")[2]), ran.out


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "workers"])
def test_a_test_of_which_pytest_says_nothing_has_no_result(project: Project, workers: tuple[str, ...]) -> None:
    """Flaky hides that a strict xfail passed: pytest counts no outcome of the test, and it has no result."""
    project.tests(
        """
        import pytest
        from flaky import flaky
        strict = pytest.mark.xfail(strict=True)
        runs = []
        def test_ok(): pass
        @strict
        def test_passes(): pass
        @flaky(max_runs=3)
        @strict
        def test_passes_later():
            runs.append(1)
            assert len(runs) > 1
        """
    )
    ran = project.report(*FLAKY, *workers, exits=0)
    assert "1 passed, 1 xfailed in" in ran.out
    assert ": 1 passed, 1 skipped\n" in ran.out
    assert "3 tests collected: 2 reported, 1 not run" in ran.out or "Ended after 2 of 3 tests" in ran.out
