"""``--automation-report-rerun-failed``: what failed before is run again, and nothing else."""

import json

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.sessions import session_environment

SUITE = """
import os
import pytest

IS_FIXED = "FIXED" in os.environ

@pytest.mark.parametrize("n", range(3))
def test_number(n):
    assert n != 1 or IS_FIXED

class TestForm:
    def test_ok(self): pass
    def test_setup(self, broken): pass

@pytest.fixture
def broken():
    assert IS_FIXED
"""
BROKEN = "import os\nassert 'FIXED' in os.environ\ndef test_inside(): pass\n"


@pytest.mark.parametrize(
    ("place", "workers"), [("embedded", ()), ("server", ("-n", "2"))], ids=["alone-embedded", "xdist-server"]
)
def test_only_failures_run_again(project: Project, server: CheckedServer, place: str, workers: tuple[str, ...]) -> None:
    """Failed tests, those with errors and those of modules that could not be collected run again, in every process."""
    project.write("test_suite.py", SUITE)
    project.write("test_broken.py", BROKEN)
    address = server.address if place == "server" else None
    project.report("--continue-on-collection-errors", address=address, exits=1)
    arguments = ["-v", "--automation-report-rerun-failed", *workers]
    again = project.report(*arguments, address=address, env=session_environment(FIXED="1"), exits=0)
    assert "running again the failed tests of run 1: 3 tests" in again.out
    assert "3 tests deselected that did not fail in run 1" in again.out
    passed = {line.rpartition("::")[2] for line in again.out.splitlines() if "PASSED" in line}
    assert {each.split()[0] for each in passed} == {"test_number[1]", "test_setup", "test_inside"}
    named = project.report(
        "--automation-report-rerun-failed", "2", address=address, env=session_environment(FIXED="1"), exits=0
    )
    assert (
        named.out.count("nothing failed in run 2, so no test runs (--automation-report-rerun-failed=all runs all)") == 2
    )
    assert "passed" not in named.out.splitlines()[-1]


def test_a_part_of_the_suite_hides_no_failure(project: Project) -> None:
    """What fails since the last whole run is run again, whatever parts of the suite ran after it."""
    project.write("test_suite.py", SUITE)
    project.write("test_other.py", "def test_a(): assert 0\ndef test_b(): pass\n")
    project.report(exits=1)  # test_number[1], test_setup and test_a fail
    project.report("test_suite.py", "-k", "number", env=session_environment(FIXED="1"), exits=0)
    project.report("-x", exits=1)  # test_a fails, and nothing else runs
    again = project.report("--automation-report-rerun-failed", exits=1)
    assert "running again what failed last in runs 1 to 3: 2 tests" in again.out
    assert "5 tests deselected that did not fail last in runs 1 to 3" in again.out
    assert {line.split()[1] for line in again.out.splitlines() if line.startswith(("FAILED", "ERROR "))} == {
        "test_other.py::test_a",
        "test_suite.py::TestForm::test_setup",
    }


OF_TWO_REASONS = """
import os
import pytest

@pytest.mark.parametrize("n", range(4))
@pytest.mark.parametrize("function", "abcdef")
def test_case(function, n):
    if n == int(os.environ["NEW"]):
        raise ValueError("new")
    assert n != 3
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_only_new_failures_or_those_of_a_reason_run_again(project: Project, workers: tuple[str, ...]) -> None:
    """With ``:new`` after the run its new failures run, with a reason's fingerprint its tests, and no other."""
    project.write("test_suite.py", OF_TWO_REASONS)
    project.report(env=session_environment(NEW="9"), exits=1)
    environment = session_environment(NEW="2")
    project.report(env=environment, exits=1)
    new = project.report("--automation-report-rerun-failed=2:new", *workers, env=environment)
    assert "running again the new failures of run 2: 6 tests" in new.out
    assert "18 tests deselected that were not chosen in run 2" in new.out
    assert "6 failed" in new.out.splitlines()[-1]
    found = json.loads(console(project.root, "run", "findings", "--json", "2").out)
    reason = next(each for each in found["reasons"] if each["kind"] == "still")
    still = project.report(f"--automation-report-rerun-failed=2:{reason['fingerprint']}", *workers, env=environment)
    assert "running again the failures for one reason of run 2: 6 tests" in still.out
    assert "6 failed" in still.out.splitlines()[-1]
    none = project.report("--automation-report-rerun-failed=1:new", *workers, env=environment, exits=0)
    assert "no new failures in run 1, so no test runs" in none.out
    unknown = project.report(f"--automation-report-rerun-failed=2:{'0' * 16}", env=environment, exits=4)
    assert f"no failure of run 2 is for the reason '{'0' * 16}'" in unknown.err


DESCRIBED = """
from pytest_automation_report import Additions
def pytest_automation_report_describe_test(item, report):
    return Additions({additions})
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
@pytest.mark.parametrize("additions", ["key='case-7'", "key='case-7', folder='Team A'"])
def test_failed_tests_that_a_hook_has_named(project: Project, additions: str, workers: tuple[str, ...]) -> None:
    """A failed test whose key and folder a hook has set runs again, and no other."""
    project.write("conftest.py", DESCRIBED.format(additions=additions))
    project.write("test_suite.py", "def test_a(): assert 0\n")
    project.write("test_other.py", "def test_b(): pass\n")
    assert project.report("--deselect", "test_other.py").exit == 1
    again = project.report("--automation-report-rerun-failed", *workers)
    assert (again.exit, "1 failed" in again.out) == (1, True), again.text
    assert "1 test deselected that did not fail in run 1" in again.out
