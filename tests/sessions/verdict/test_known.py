"""Known failures are reported as they are, and pytest's exit code does not count them until their day is past."""

import json
import re
from datetime import datetime, timedelta, timezone
from hashlib import sha256

import pytest

from docs.written import block
from support.projects import Project, console
from support.sessions import session_environment
from support.website import missing

TODAY = datetime.now(tz=timezone.utc).date()

SUITE = """
    import os, pytest

    @pytest.fixture
    def own():
        raise ValueError("of this test alone")

    @pytest.fixture
    def own_teardown():
        yield
        raise ValueError("of this test alone")

    @pytest.fixture(scope="module")
    def shared():
        raise ValueError("of the module")

    @pytest.fixture
    def above(shared):
        pass

    @pytest.fixture(scope="module")
    def shared_teardown():
        yield
        raise ValueError("of the module")

    def test_passes(): pass
    def test_call(): assert 1 == 2
    def test_setup(own): pass
    def test_teardown(own_teardown): pass
    def test_shared(above): pass
    @pytest.mark.xfail(strict=True)
    def test_xpass(): pass
    @pytest.mark.xfail
    def test_xfail(): assert 0
    def test_kills():
        os._exit(1)
    def test_last(shared_teardown): pass
"""


def known(project: Project, *names: str, until: object = TODAY, reason: str = "SHOP-1") -> None:
    """Name tests of the suite as known to fail, in the file that the ini file names."""
    project.write("pytest.ini", "[pytest]\nautomation_report_known = known.txt\n")
    project.write("known.txt", "".join(f"until {until} test_suite.py::{name} {reason}\n" for name in names))


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["one process", "a worker"])
def test_known_failures_do_not_fail_a_session(project: Project, workers: list[str]) -> None:
    """Known tests that fail, also in their own fixtures, leave exit code 0, and -x goes on, reported or not."""
    project.tests(SUITE)
    known(project, "test_call", "test_setup", "test_teardown", "test_xfail")
    for report in ([], ["--automation-report"]):
        ran = project.pytest("-x", "-k", "not (xpass or shared or kills or last)", *workers, *report, exits=0)
        assert re.search(r"\b3 known\b", ran.out), ran.out
        assert "3 known failures of known.txt do not count: test_suite.py::" in ran.out
    assert "1 passed, 1 failed, 2 errors, 1 skipped" in ran.out


def test_only_a_group_is_a_group(project: Project) -> None:
    """An error with an attribute of the name `exceptions` is excused as any other; in a group a shared one counts."""
    project.tests(
        """
        import pytest, sys
        if sys.version_info < (3, 11):
            from exceptiongroup import ExceptionGroup

        class SdkError(Exception):
            def __init__(self, exceptions):
                self.exceptions = exceptions

        @pytest.fixture(scope="module")
        def shared():
            raise ExceptionGroup("of the module", [ValueError()])

        @pytest.mark.parametrize("members", [None, (), ["a text"], 7, ValueError], ids=str)
        def test_call(members):
            raise SdkError(members)
        def test_group():
            raise ExceptionGroup("its own", [SdkError(None)])
        def test_shared(shared): pass
        """
    )
    known(project, "test_*")
    assert "6 known" in project.report("-k", "not shared", exits=0).out.splitlines()[-1]
    assert missing(project.report(exits=1).out.splitlines()[-1], "1 error", "6 known") == []


@pytest.mark.parametrize(
    ("names", "workers", "counted"),
    [
        ("shared or last or xpass", [], ["1 failed", "2 passed", "2 errors"]),
        ("shared or kills", ["-n1"], ["1 failed", "1 passed", "1 error"]),
    ],
    ids=["one process", "a worker"],
)
def test_failure_that_is_not_the_tests_own_counts(
    project: Project, names: str, workers: list[str], counted: list[str]
) -> None:
    """Errors of a fixture that tests share, crashes and strict xfails that pass count, whatever the file says."""
    project.tests(SUITE)
    known(project, "test_*")
    last = project.report("-k", f"{names} or passes", *workers, exits=1).out.splitlines()[-1]
    assert missing(last, *counted) == []
    assert " known" not in last


def test_collection_error_counts(project: Project) -> None:
    """A file that cannot be collected is no test that an entry can name."""
    project.tests("import nothing_of_this_name\n")
    known(project, "*")
    assert project.report().exit == 2


def test_the_day_is_the_last_that_excuses(project: Project) -> None:
    """Past its day, in UTC, a failure counts again, and the summary says so."""
    project.tests("def test_call(): assert 0\n")
    known(project, "test_call", until=TODAY - timedelta(days=2))
    ran = project.report(exits=1)
    assert f"known.txt:1: test_suite.py::test_call was known until {TODAY - timedelta(days=2)}: its failure counts" in (
        ran.out
    )


def test_each_attempt_keeps_its_outcome(project: Project) -> None:
    """With reruns a known test is tried again as ever, and its last failure is excused."""
    pytest.importorskip("pytest_rerunfailures")
    project.tests("def test_call(): assert 0\n")
    known(project, "test_call")
    ran = project.report("--reruns=1", exits=0)
    assert "1 rerun, 1 known" in ran.out
    shown = console(project.root, "run", "export", "--format", "json", exits=0).out
    assert shown.count(f'"known": {{"until": "{TODAY}", "reason": "SHOP-1') == 1, shown
    (test,) = json.loads(shown)["tests"]
    assert [each["number"] for each in test["attempts"]] == [1]
    assert test["fields"] == []


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["one process", "a worker"])
def test_subtests(project: Project, workers: list[str]) -> None:
    """The failures of a known test's subtests are excused together with it."""
    project.tests(
        """
        import unittest
        class TestIt(unittest.TestCase):
            def test_call(self):
                for number in range(3):
                    with self.subTest(number=number):
                        assert number != 1
        def test_fixture(subtests):
            for number in range(3):
                with subtests.test(number=number):
                    assert number != 1
        def test_last(): pass
        """
    )
    known(project, "TestIt::test_call", "test_fixture")
    ran = project.report("-x", *workers, exits=0)
    assert " failed" not in ran.out.splitlines()[-1]


def test_keys(project: Project) -> None:
    """An entry names a test by its key, too, which has the prefix of its folder."""
    project.tests("def test_a(): assert 0\n")
    key = sha256(b"web.test_suite.test_a").hexdigest()
    project.write("known.txt", f"until 2999-12-31 {key}\n")
    project.write(
        "pytest.ini", "[pytest]\nautomation_report_known = known.txt\nautomation_report_folder_prefix = web\n"
    )
    assert "1 known failure of known.txt" in project.report(exits=0).out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("until 2026-12-31\n", "line 1: 'until 2026-12-31': write: until 2026-12-31 tests/test_cart.py::test_total"),
        ("\nuntil tomorrow a.py::b\n", "known.txt: line 2: 'tomorrow' is not a date"),
        (None, "No such file or directory"),
    ],
)
def test_file_that_cannot_be_read(project: Project, text: str | None, message: str) -> None:
    """A wrong line is a usage error with its number, before any test runs; so is a file that is not there."""
    project.write("pytest.ini", "[pytest]\nautomation_report_known = known.txt\n")
    if text is not None:
        project.write("known.txt", text)
    ran = project.pytest(exits=4)
    assert message in ran.err
    assert "passed" not in ran.out
    if text is not None:
        assert message.partition(":")[0] in console(project.root, "known", exits=2).err


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["one process", "a worker"])
def test_entry_that_names_no_test(project: Project, workers: list[str]) -> None:
    """An entry of no test is named with the test that may be meant, unless a part of the suite was selected."""
    known(project, "test_okk")
    line = "known.txt:1: no test is named test_suite.py::test_okk: did you mean test_suite.py::test_ok?"
    assert line in project.report(*workers, exits=0).out
    assert "known.txt:1" not in project.report("-k", "ok", *workers, exits=0).out


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one process", "workers"])
def test_entry_of_a_test_whose_file_was_renamed(project: Project, workers: list[str]) -> None:
    """It excuses the test under its new name, and the line to write is told; of two candidates it excuses none."""
    known(project, "test_a[x y]", "test_b", "test_c")
    named = (project.root / "known.txt").read_text()
    project.write("known.txt", named.replace("test_suite.py::test_a[x y]", '"test_suite.py::test_a[x y]"'))
    (project.root / "test_suite.py").unlink()
    failing = "import pytest\n@pytest.mark.parametrize('x', ['x y'])\ndef test_a(x): assert 0\n"
    project.write(
        "test_renamed.py", f"{failing}def test_b(): assert 0\nclass TestIt:\n    def test_c(self): assert 0\n"
    )
    project.write("test_other.py", "def test_b(): pass\n")
    ran = project.pytest(*workers, exits=1)
    assert "2 failed" in ran.out
    assert (
        f'known.txt:1: test_suite.py::test_a[x y] was moved: write: until {TODAY} "test_renamed.py::test_a[x y]" SHOP-1'
        in ran.out
    )
    assert "known.txt:2: no test is named test_suite.py::test_b" in ran.out
    assert "test_a" not in "".join(line for line in ran.out.splitlines() if line.startswith("FAILED"))
    assert "3 failed" in project.pytest("-k", "a or b or c", *workers, exits=1).out, (
        "who selects may have left out others"
    )
    project.write("test_suite.py", "def test_d(): pass\n")
    assert "3 failed" in project.pytest(*workers, exits=1).out, "the file is there, so the test was removed"


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["one process", "a worker"])
def test_entry_of_a_test_that_another_job_runs(project: Project, workers: list[str]) -> None:
    """In each shard, also of another plugin, only an entry that names no test of the suite is called wrong."""
    project.tests("def test_a(): pass\ndef test_b(): pass\n")
    known(project, "test_a", "test_b", "test_c")
    for shard in ("1/2", "2/2"):
        ran = project.pytest(f"--automation-report-shard={shard}", *workers, exits=0)
        assert re.findall("known.txt:[0-9]: no test", ran.out) == ["known.txt:3: no test"]
    project.write("conftest.py", "def pytest_collection_modifyitems(items): items.pop()\n")
    ran = project.pytest(*workers, exits=0)
    assert re.findall("known.txt:[0-9]: no test", ran.out) == ["known.txt:3: no test"]


def test_the_verdict_everywhere(project: Project) -> None:
    """Summary, digest, findings and gate tell known failures from new ones by what the session sent with the run."""
    project.tests("def test_a(): pass\ndef test_b(): pass\n")
    known(project, "test_a", until="2999-12-31")
    project.report(exits=0)
    project.tests("def test_a(): assert 1 == 2\ndef test_b(): pass\n")
    ran = project.report(exits=0)
    words = "1 known until 31 December 2999 (SHOP-1)"
    assert words in ran.out
    assert "1 known (failed here)" in ran.out
    assert words in console(project.root, "failures", exits=0).out
    assert '"kind":"known"' in console(project.root, "failures", "--format", "json", exits=0).out
    assert "no new failure compared with run 1" in console(project.root, "gate", exits=0).err
    page = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(project.root / "summary.md")}
    arguments = ("run", "finish", "2", "--summary")
    shown = console(project.root, *arguments, env={**session_environment(), **page}, exits=0)
    assert "::warning file=test_suite.py" in shown.err
    assert "::error" not in shown.err
    assert (project.root / "summary.md").read_text().startswith("### \u26a0\ufe0f 1 of 2 tests failed, known\n")
    project.tests("def test_a(): assert 1 == 2\ndef test_b(): assert 0\n")
    assert project.report(exits=1).out.count("1 new failure, ") == 1
    assert "new failure: test_suite.test_b" in console(project.root, "gate", exits=5).err


def test_past_entry_stops_the_gate(project: Project) -> None:
    """An entry past its day stops gate and `run finish --gate`, be it of the session or of --known, until renewed."""
    project.tests("def test_a(): assert 1 == 2\ndef test_b(): pass\n")
    known(project, "test_a", until="2020-12-31")
    for _ in range(2):
        project.report(exits=1)
    past = "its date 2020-12-31 is past (SHOP-1)"
    for command in (("gate",), ("gate", "--known", "known.txt"), ("run", "finish", "2", "--gate")):
        ran = console(project.root, *command, exits=5)
        assert ran.err.count(past) == 1
        assert "run 2: no new failure compared with run 1; 1 known failure is past its date" in ran.err
    known(project, "test_a", until="2999-12-31")
    assert "no new failure" in console(project.root, "gate", "--known", "known.txt", exits=0).err


def test_example_of_the_page(project: Project) -> None:
    """The page's file and its setting excuse what they name, on days that are not past."""
    lines = re.sub("until [0-9]{4}", "until 2999", block("docs/known.md", "until 2026-12-31 tests"))
    (project.root / "pytest.ini").unlink()
    project.write("pyproject.toml", block("docs/known.md", "automation_report_known"))
    project.write("known-failures.txt", lines)
    project.write(
        "tests/test_cart.py",
        """
        import pytest
        @pytest.mark.parametrize("currency", ["eur", "us d", "gbp"])
        def test_total(currency): assert currency == "gbp"
    """,
    )
    project.write("tests/test_export.py", "def test_a(): assert 0\ndef test_b(): assert 0\n")
    assert "2 passed, 4 known" in project.report(exits=0).out


def test_check(project: Project) -> None:
    """`known --check` ends with 1 for lines that are past, did not fail in ten runs, or name no test."""
    project.tests("def test_a(): assert 0\ndef test_b(): pass\n")
    known(project, "test_a", "test_b", until="2999-12-31")
    project.report(exits=0)
    project.report("-k", "test_b", exits=0)
    assert console(project.root, "known", "--check", exits=0).out == "", "a part of the suite is no last run"
    project.write("below/readme.txt", "")
    shown = console(project.root / "below", "known", exits=0).err
    assert "\n../known.txt:2: test_suite.py::test_b: known until 2999-12-31\n" in shown, "as pytest finds the file"
    for _ in range(9):
        project.report(exits=0)
    checked = console(project.root, "known", "--check", exits=1)
    assert "test_suite.py::test_b: no longer fails: not in the last 10 runs" in checked.err
    known(project, "test_a", "test_c", until="2020-12-31")
    checked = console(project.root, "known", "known.txt", "--check", exits=1)
    assert "known.txt:1: test_suite.py::test_a: past: it was known until 2020-12-31" in checked.err
    known(project, "test_a", "test_c", until="2999-12-31")
    checked = console(project.root, "known", "--check", exits=1)
    assert checked.out == "test_suite.py::test_c\n"
    assert "names no test of the last run: did you mean test_suite.py::test_b?" in checked.err
