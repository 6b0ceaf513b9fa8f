"""``compare_junit``: the summary tells what differs between pytest's XML and the run."""

import os
from pathlib import Path

import pytest

from support.sessions import run_session

_SUITE = """
import pytest

@pytest.fixture
def broken():
    yield
    assert False

def test_passes(): pass
def test_fails(broken): assert False
@pytest.mark.parametrize("value", [1, 2])
def test_skips(value): pytest.skip("so")
"""


def _told(folder: Path, *arguments: str) -> list[str]:
    ran = run_session(folder, *arguments)
    lines = ran.text.splitlines()
    (first,) = (number for number, line in enumerate(lines) if "compared" in line)
    rest = [line for line in lines[first + 1 :] if line.startswith("  ")]
    return [lines[first], *rest[:12]]


@pytest.mark.parametrize("processes", ["0", "2"])
def test_same_session_is_the_same(tmp_path: Path, processes: str) -> None:
    """The XML and the run of one session have the same keys and statuses, a failed teardown and skips included."""
    (tmp_path / "test_suite.py").write_text(_SUITE)
    arguments = ("-n", processes, "--junitxml=out/junit.xml", "-oautomation_report_compare_junit=out/junit.xml")
    assert _told(tmp_path, *arguments) == ["compared with out/junit.xml: keys and statuses are the same (4 compared)"]


def test_differences_are_named(tmp_path: Path) -> None:
    """A key that only one has and a status that differs stand in the summary with their names, the exit code stays."""
    (tmp_path / "test_suite.py").write_text(_SUITE)
    (tmp_path / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_terminal_summary(config):\n"
        "    path = config.rootpath / 'junit.xml'\n"
        "    text = path.read_text().replace('name=\"test_passes\"', 'name=\"test_other\"')\n"
        "    path.write_text(text.replace('<skipped', '<error').replace('</skipped', '</error'))\n"
    )
    assert _told(tmp_path, "--junitxml=junit.xml", "-oautomation_report_compare_junit=junit.xml") == [
        "compared with junit.xml: 4 of 5 tests differ",
        "  only in junit.xml: test_suite.test_other (passed)",
        "  test_suite.test_skips[1]: error in junit.xml, skipped in the run",
        "  test_suite.test_skips[2]: error in junit.xml, skipped in the run",
        "  only in the run: test_suite.test_passes (passed)",
    ]


def test_reruns_compare_by_their_last_attempt(tmp_path: Path) -> None:
    """A test that passes when it is run again is the same in both."""
    suite = "runs = []\ndef test_again():\n    runs.append(1)\n    assert len(runs) == 2\n"
    (tmp_path / "test_suite.py").write_text(suite)
    arguments = ("--reruns=1", "-p", "no:pytest-retry", "-p", "no:flaky", "--junitxml=junit.xml")
    assert _told(tmp_path, *arguments, "-oautomation_report_compare_junit=junit.xml") == [
        "compared with junit.xml: keys and statuses are the same (1 compared)"
    ]


@pytest.mark.parametrize("kind", ["missing", "old", "broken"])
def test_file_that_cannot_be_compared_is_told(tmp_path: Path, kind: str) -> None:
    """A file that is missing, of an earlier session or no XML is told with what to do, and changes no exit code."""
    (tmp_path / "test_suite.py").write_text("def test_a(): pass\n")
    path = tmp_path / "junit.xml"
    if kind == "old":
        path.write_text("<testsuites/>")
        os.utime(path, (1_000_000_000, 1_000_000_000))
    if kind == "broken":
        suite = f"def test_a():\n    with open({str(path)!r}, 'w') as file: file.write('<!DOCTYPE a><a/>')\n"
        (tmp_path / "test_suite.py").write_text(suite)
    words = {"missing": "No such file", "old": "did not write junit.xml: add --junitxml", "broken": "document type"}
    ran = run_session(tmp_path, "-oautomation_report_compare_junit=junit.xml", exits=0)
    (line,) = (line for line in ran.out.splitlines() if line.startswith("not compared: "))
    assert words[kind] in line


def test_comparison_is_told_without_a_terminal(tmp_path: Path) -> None:
    """What was asked for is told on stderr where there is no summary, from the folder where the session began."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "inner" / "test_suite.py").write_text("def test_a(): pass\n")
    arguments = ("-p", "no:terminal", "-p", "no:pytest-retry", "--junitxml=junit.xml")
    ran = run_session(tmp_path / "inner", *arguments, "-oautomation_report_compare_junit=junit.xml")
    assert "keys and statuses are the same (1 compared)" in ran.err
