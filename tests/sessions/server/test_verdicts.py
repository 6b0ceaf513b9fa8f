"""A session of each kind is looked at in every place: all of them say the same of it, and it is true."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.contract import Contract
from support.projects import Project, console
from support.report_file import text_of
from support.session_processes import wait_for_senders
from support.sessions import Ran, session_environment
from support.website import Site

TESTS = """
import os, pytest

@pytest.mark.parametrize("number", range(5))
def test_{name}(number):
    {first}
    assert os.environ.get("BROKEN") != f"{name}{{number}}"
"""
IN_THIRD = "if number == 3: {}"
PLAIN = "number += 0"
BROKEN = "import nonsense\n"


@dataclass(frozen=True)
class Kind:
    """A session after a good one of ten tests, and what is to be said of it."""

    long: str
    short: str
    tone: str = "fail"
    first: str = PLAIN
    second: str = ""
    arguments: tuple[str, ...] = ()
    part: str = ""
    gate: int = 0
    not_run: tuple[str, ...] = ()


ALL = tuple(f"test_{name}[{number}]" for name in "ab" for number in range(5))
KINDS = {
    "broken": Kind(
        "1 file could not be collected, so 5 tests of it did not run", "1 file not collected",
        second=BROKEN, arguments=("--continue-on-collection-errors",), gate=5, not_run=ALL[5:],
    ),
    "broken-n2": Kind(
        "1 file could not be collected, so 5 tests of it did not run", "1 file not collected",
        second=BROKEN, arguments=("-n2",), gate=5, not_run=ALL[5:],
    ),
    "collection-stops": Kind(
        "Collection failed: 1 file, so no test ran", "collection failed", second=BROKEN, gate=5, not_run=ALL,
    ),
    "ctrl-c": Kind(
        "Interrupted after 3 of 10 tests", "interrupted after 3 of 10", "skip",
        first=IN_THIRD.format("raise KeyboardInterrupt"), gate=3, not_run=ALL[3:],
    ),
    "x": Kind(
        "Stopped at the first failure (-x) after 4 of 10", "stopped after 4 of 10, 1 failed",
        first=IN_THIRD.format("assert 0"), arguments=("-x",), gate=5, not_run=ALL[4:],
    ),
    "killed": Kind(
        "The session died after 3 of 10 tests", "died after 3 of 10",
        first=IN_THIRD.format("os.kill(os.getpid(), 9)"), gate=5, not_run=ALL[4:],
    ),
    "part": Kind(
        "All 5 tests passed", "passed", "pass", arguments=("-k", "test_a"), part="part of the suite: -k test_a",
    ),
    "skipped": Kind(
        "All 10 tests skipped", "10 skipped", "skip", first="pytest.skip()",
        second=TESTS.format(name="b", first="pytest.skip()"),
    ),
    "failed": Kind("1 of 10 tests failed", "1 failed", first=IN_THIRD.format("assert 0"), gate=5),
}  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project in a repository, with one run in which all ten tests passed."""
    project = Project(tmp_path_factory.mktemp("good") / "suite")
    (project.root / "test_suite.py").unlink()
    for name in "ab":
        project.write(f"test_{name}.py", TESTS.format(name=name, first=PLAIN))
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*identity, "commit", "-qm", "one")):
        subprocess.run(["git", *command], cwd=project.root, check=True)
    project.report()
    return project


def copied(good: Project, folder: Path) -> Project:
    shutil.copytree(good.root, folder / "suite")
    project = object.__new__(Project)
    object.__setattr__(project, "root", folder / "suite")
    return project


def tail_of(html: str) -> str:
    """Return the row of the newest run in a list."""
    return text_of(html.partition('<li class="run-row"')[2].partition("</li>")[0])


@pytest.mark.parametrize("name", KINDS)
def test_each_place_says_the_same_of_a_session(good: Project, tmp_path: Path, contract: Contract, name: str) -> None:
    """Run page, suite page, suites, list, title, chart, terminal, job summary, Markdown, console, gate and file."""
    kind, project, summary = KINDS[name], copied(good, tmp_path), tmp_path / "summary.md"
    project.write("test_a.py", TESTS.format(name="a", first=kind.first))
    if kind.second:
        project.write("test_b.py", kind.second)
    env = session_environment(GITHUB_STEP_SUMMARY=str(summary))
    ran = project.report(*kind.arguments, "-oautomation_report_job_summary=true", env=env)
    wait_for_senders(project.root)
    said = ", ".join(filter(None, (kind.long, kind.part)))
    site = Site(project.state / "store.sqlite3", contract)
    for place in ("/runs/2", "/sources/1", "/"):
        assert kind.long in site.text(place), place
        assert kind.part in site.text(place), place
    title = {"fail": "✗", "pass": "✓", "skip": "–"}[kind.tone] + f" {kind.short}"  # noqa: RUF001 - typography
    for place in ("/runs/2", "/sources/1"):
        assert f"<title>{title} ·" in site.shown(place)
        head = site.shown(place).partition("<title>")[2].partition("</head>")[0]
        assert ("icon-pass" in head) == (kind.tone == "pass")
    row = tail_of(site.shown("/projects/1"))
    if kind.tone != "fail" or kind.not_run:
        assert kind.short.capitalize() in row or kind.short == "passed"
    assert ("part of the suite" in row) == bool(kind.part)
    chart = site.shown("/runs/2").partition('class="spark"')[2].partition("</svg>")[0]
    is_hollow = bool(kind.part) or name != "failed"
    assert (' part"' in chart) == is_hollow
    names = site.text("/runs/2?view=changes&change=not_run")
    assert all(f"{test.partition('[')[0]}" in names for test in kind.not_run)
    texts = {
        "show": console(project.root, "run", "show", "2").err,
        "findings": console(project.root, "run", "findings", "2").err,
        "markdown": console(project.root, "run", "export", "2", "--format", "markdown").out.replace("`", ""),
        "file": text_of(_file(project)),
    }
    assert {place for place, text in texts.items() if said not in text} == set()
    gate = console(project.root, "gate", "2", "--new-failures", "0")
    assert gate.exit == kind.gate, gate.text
    if (name != "failed" and ran.exit != -9) or kind.part:
        assert said in ran.out + ran.err
        assert said in gate.err
        assert said in re.sub(r"&#(\d+);", lambda match: chr(int(match[1])), summary.read_text())
    site.service.store.close()


def _file(project: Project) -> str:
    written = project.root / "report.html"
    assert console(project.root, "html", "2", "-o", str(written)).exit == 0
    return written.read_text()


def _findings(project: Project, run: int) -> Ran:
    return console(project.root, "run", "show", str(run))


def test_a_known_flaky_test_that_fails_is_not_new_and_is_not_fixed(
    good: Project, tmp_path: Path, contract: Contract
) -> None:
    """It has its mark on card, row and list, and passes again where nobody has mended it."""
    project = copied(good, tmp_path)
    for broken in ("a3", "", "a3", ""):
        project.report(env=session_environment(BROKEN=broken))
    shown = [_findings(project, run).err for run in (2, 4, 5)]
    assert "  1 new failure since run 1" in shown[0]
    assert "  1 failure of a test known to be flaky" in shown[1]
    assert "1 flaky test passed again" in shown[2]
    assert "fixed" not in shown[2]
    site = Site(project.state / "store.sqlite3", contract)
    assert "nothing new , 1 of a test that is known to be flaky" in site.text("/runs/4")
    assert '<span class="badge flaky">Flaky</span>' in site.shown("/runs/4")
    assert '<b class="badge flaky">Flaky</b>' in site.shown("/runs/4?view=tests&group=none")
    assert "New" not in site.text("/runs/4?view=tests&group=none")
    rows = site.shown("/projects/1").split('<li class="run-row"')[1:]
    assert ["1 flaky" in text_of(row) for row in rows] == [False, True, False, False, False]
    assert "1 passed again" in text_of(rows[0])
    assert "1 new" in text_of(rows[3])
    tests = [site.text(f"/results/{result}") for result in site.result_ids(5)]
    assert ["Passed again. It failed in #4" in page for page in tests].count(True) == 1
    assert not any("Fixed." in page for page in tests)
    site.service.store.close()


def test_a_failure_that_was_away_is_back(good: Project, tmp_path: Path) -> None:
    """New, back and still are three words; without evidence nothing is flaky."""
    project = copied(good, tmp_path)
    for number, broken in enumerate(("a3", "", "a3", "a3")):
        project.write("state.txt", str(number))
        for command in (("add", "."), ("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", str(number))):
            subprocess.run(["git", *command], cwd=project.root, check=True)
        project.report(env=session_environment(BROKEN=broken))
    shown = [_findings(project, run).err for run in (2, 4, 5)]
    assert "  1 new failure since run 1" in shown[0]
    assert "  1 back after a while" in shown[1]
    assert "  1 still failing" in shown[2]


def test_new_tests_are_a_change_everywhere(good: Project, tmp_path: Path) -> None:
    """A run with new tests is not one in which nothing changed: neither its session nor a command says so."""
    project = copied(good, tmp_path)
    project.write("test_c.py", TESTS.format(name="c", first=PLAIN))
    said = [project.report().out, _findings(project, 2).err, console(project.root, "run", "findings", "2").err]
    assert all("5 new tests since run 1" in each for each in said)


DESELECTING = """
import os

def pytest_collection_modifyitems(items, config):
    left = items[: int(os.environ.get("MOST", "99"))]
    config.hook.pytest_deselected(items=items[len(left):])
    items[:] = left
"""


@pytest.mark.parametrize("options", [(), ("-n1",)])
def test_tests_that_a_plugin_deselects_are_not_gone(good: Project, tmp_path: Path, options: tuple[str, ...]) -> None:
    """A session of what changed, as pytest-testmon chooses it, is a part of the suite: no run is compared with it."""
    project = copied(good, tmp_path)
    project.write("conftest.py", DESELECTING)
    project.report(*options, env=session_environment(MOST="2"))
    project.report(*options)
    few, all_again = (console(project.root, "run", "findings", run).err for run in ("2", "3"))
    assert "gone" not in few
    assert "new" not in all_again
    assert "run 1" in all_again


def test_a_session_without_tests_makes_no_run_of_its_own(good: Project, tmp_path: Path) -> None:
    """Nothing that was collected is nothing to report."""
    project = copied(good, tmp_path)
    assert project.report("-k", "nothing").exit == 5
    assert console(project.root, "run", "list").out == "1\n"


def test_a_file_that_can_be_imported_again_is_mended_and_its_tests_are_not_new(good: Project, tmp_path: Path) -> None:
    """The error of its collection is fixed; the tests that it has again were never gone and are not new."""
    project = copied(good, tmp_path)
    for text in (BROKEN, BROKEN, TESTS.format(name="b", first=PLAIN)):
        project.write("test_b.py", text)
        project.report("--continue-on-collection-errors")
    broken, mended = (_findings(project, run).err for run in (3, 4))
    assert "1 file could not be collected, so 5 tests of it did not run" in broken
    assert "  1 still failing" in broken
    assert "  1 fixed since run 3" in mended
    assert "new" not in mended


def test_a_worker_that_is_interrupted_interrupts_the_session(good: Project, tmp_path: Path) -> None:
    """A session that xdist ends in words of its own is told as any interrupted one."""
    project = copied(good, tmp_path)
    project.write("test_a.py", TESTS.format(name="a", first=IN_THIRD.format("raise KeyboardInterrupt")))
    assert "Interrupted after 3 of 10 tests\n" in project.report("-n1").out


def test_the_controller_of_workers_is_no_worker(good: Project, tmp_path: Path, contract: Contract) -> None:
    """Two workers are two, in the facts, in lanes and in shares of the time, although the controller has an error."""
    project = copied(good, tmp_path)
    project.write("test_b.py", BROKEN)
    project.report("-n2")
    site = Site(project.state / "store.sqlite3", contract)
    assert "on 2 workers" in site.text("/runs/2")
    document = site.service.get("/automation/runs/2/findings").json["result"]
    assert len(document["time"]["workers"]) == 2
    assert "controller" not in site.text("/runs/2?view=time")
    site.service.store.close()


def test_a_file_that_no_job_could_collect_is_one_file_and_no_failed_test(good: Project, tmp_path: Path) -> None:
    """Each job of the run has an error for it: neither is a test that failed."""
    project = copied(good, tmp_path)
    project.write("test_b.py", BROKEN)
    for job in ("linux", "macos"):
        options = (f"-oautomation_report_job={job}", "--automation-report-run-key=k")
        project.report("--continue-on-collection-errors", *options)
    assert console(project.root, "run", "complete", "--run-key", "k").exit == 0
    assert "\n  1 file could not be collected, so 5 tests of it did not run\n" in _findings(project, 2).err


def test_a_test_of_another_tool_is_no_module(tmp_path: Path) -> None:
    """Jest writes the whole name of a test as its class, too, with or without its file."""
    project = Project(tmp_path / "suite")
    cases = "".join(
        f'<testcase classname="cart {name}" name="cart {name}"{file}><failure>Error: {name}</failure></testcase>'
        for name, file in (("adds", ""), ("pays", ""), ("sends", ' file="cart.test.js"'))
    )
    project.write("a.xml", f'<testsuite>{cases}<testcase classname="cart" name="cart"/></testsuite>')
    assert console(project.root, "submit", "a.xml", "--source", "shop").exit == 0
    assert "\n  3 of 4 tests failed, for 3 reasons\n" in _findings(project, 1).err
