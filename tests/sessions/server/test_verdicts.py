"""A session of each kind is looked at in every place: all of them say the same of it, and it is true."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.contract import Contract
from support.projects import Project, console
from support.report_file import text_of
from support.session_processes import wait_for_senders
from support.sessions import session_environment
from support.website import Site, missing

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
COLLECTION = ("test_b.py could not be collected, so 5 tests of it did not run", "1 file not collected")
INTERRUPTED = ("Interrupted after 3 of 10 tests", "interrupted after 3 of 10", "skip")
CTRL_C = IN_THIRD.format("raise KeyboardInterrupt")
KINDS = {
    "broken": Kind(
        *COLLECTION, second=BROKEN, arguments=("--continue-on-collection-errors",), gate=5, not_run=ALL[5:]
    ),
    "broken-n2": Kind(*COLLECTION, second=BROKEN, arguments=("-n2",), gate=5, not_run=ALL[5:]),
    "collection-stops": Kind(
        "Collection failed: test_b.py, so no test ran", "collection failed", second=BROKEN, gate=5, not_run=ALL,
    ),
    "ctrl-c": Kind(*INTERRUPTED, first=CTRL_C, gate=3, not_run=ALL[3:]),
    # xdist ends the session in words of its own.
    "ctrl-c-n1": Kind(*INTERRUPTED, first=CTRL_C, arguments=("-n1",), gate=3, not_run=ALL[3:]),
    "x": Kind(
        "Stopped at the first failure (-x) after 4 of 10", "stopped after 4 of 10, 1 failed",
        first=IN_THIRD.format("assert 0"), arguments=("-x",), gate=5, not_run=ALL[4:],
    ),
    "killed": Kind(
        "The session died after 3 of 10 tests", "died after 3 of 10",
        first=IN_THIRD.format("os.kill(os.getpid(), 9)"), gate=3, not_run=ALL[4:],
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
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project in a repository, with one run in which all ten tests passed."""
    project = Project(tmp_path_factory.mktemp("good") / "suite")
    (project.root / "test_suite.py").unlink()
    for name in "ab":
        project.write(f"test_{name}.py", TESTS.format(name=name, first=PLAIN))
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project.root, check=True)
    commit(project)
    project.report()
    return project.root


def commit(project: Project) -> None:
    for command in (("add", "."), ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-qm", "one")):
        subprocess.run(["git", *command], cwd=project.root, check=True)


@pytest.fixture
def good(suite: Path, tmp_path: Path) -> Project:
    shutil.copytree(suite, tmp_path / "suite")
    project = object.__new__(Project)
    object.__setattr__(project, "root", tmp_path / "suite")
    return project


@pytest.fixture
def site(good: Project, contract: Contract) -> Iterator[Site]:
    site = Site(good.state / "store.sqlite3", contract)
    yield site
    site.service.store.close()


def tail_of(html: str) -> str:
    return text_of(html.partition('<li class="run-row"')[2].partition("</li>")[0])


@pytest.mark.parametrize("name", KINDS)
def test_each_place_says_the_same_of_a_session(good: Project, site: Site, tmp_path: Path, name: str) -> None:
    """Run page, suite page, suites, list, title, chart, terminal, job summary, Markdown, console, gate and file."""
    kind, summary = KINDS[name], tmp_path / "summary.md"
    good.write("test_a.py", TESTS.format(name="a", first=kind.first))
    if kind.second:
        good.write("test_b.py", kind.second)
    env = session_environment(GITHUB_STEP_SUMMARY=str(summary))
    ran = good.report(*kind.arguments, "-oautomation_report_job_summary=true", env=env)
    wait_for_senders(good.root)
    said = ", ".join(filter(None, (kind.long, kind.part)))
    # A suite speaks of its last whole run, and names the part after it.
    of_suite = ("All 10 tests passed", "After it, #2 ran a part of the suite") if kind.part else (kind.long,)
    for place, words in (("/runs/2", (kind.long, kind.part)), ("/sources/1", of_suite), ("/", of_suite)):
        assert missing(site.text(place), *words) == [], place
    title = {"fail": "✗", "pass": "✓", "skip": "–"}[kind.tone] + f" {kind.short}"  # noqa: RUF001 - typography
    title += ", part of the suite" if kind.part else ""
    for place in ("/runs/2", "/sources/1")[: 1 if kind.part else 2]:
        assert f"<title>{title} ·" in site.shown(place)
        head = site.shown(place).partition("<title>")[2].partition("</head>")[0]
        assert ("icon-pass" in head) == (kind.tone == "pass")
    row = tail_of(site.shown("/projects/1"))
    if kind.tone != "fail" or kind.not_run:
        assert kind.short.capitalize() in row or kind.short == "passed"
    assert ("part of the suite" in row) == bool(kind.part)
    chart = site.shown("/runs/2").partition('class="spark"')[2].partition("</svg>")[0]
    assert (' part"' in chart) == (bool(kind.part) or name != "failed")
    names = site.text("/runs/2?view=changes&change=not_run")
    assert missing(names, *(test.partition("[")[0] for test in kind.not_run)) == []
    if kind.not_run:
        assert missing(names, f"Not run {len(kind.not_run)}", f"{len(kind.not_run)} not run") == []
    texts = {
        "show": console(good.root, "run", "show", "2").err,
        "findings": console(good.root, "run", "findings", "2").err,
        "markdown": console(good.root, "run", "export", "2", "--format", "markdown").out.replace("`", ""),
        "file": text_of(_file(good)),
    }
    assert {place for place, text in texts.items() if said not in text} == set()
    gate = console(good.root, "gate", "2", "--new-failures", "0")
    assert gate.exit == kind.gate, gate.text
    if (name != "failed" and ran.exit != -9) or kind.part:
        assert said in gate.err
        # The results by status stand above: neither repeats their numbers.
        beside = kind.part.replace("part", "Part", 1) or re.sub(r", \d+ failed$", "", said)
        for text in (ran.out + ran.err, re.sub(r"&#(\d+);", lambda match: chr(int(match[1])), summary.read_text())):
            assert beside in text
            assert said not in text or said == beside
            assert "collected:" not in text


def _shown(project: Project, *runs: int) -> list[str]:
    return [console(project.root, "run", "show", str(run)).err for run in runs]


def _file(project: Project) -> str:
    written = project.root / "report.html"
    assert console(project.root, "html", "2", "-o", str(written)).exit == 0
    return written.read_text()


def test_a_known_flaky_test_that_fails_is_not_new_and_is_not_fixed(good: Project, site: Site) -> None:
    """It has its mark on card, row and list, and passes again where nobody has mended it."""
    for broken in ("a3", "", "a3", ""):
        good.report(env=session_environment(BROKEN=broken))
    first, second, last = _shown(good, 2, 4, 5)
    assert "  1 new failure" in first
    assert "  1 failure of a flaky test" in second
    assert missing(last, "1 flaky test passed again", "fixed") == ["fixed"]
    assert "nothing new , 1 of a flaky test" in site.text("/runs/4")
    assert '<span class="badge flaky">Flaky</span>' in site.shown("/runs/4")
    assert '<b class="badge flaky">Flaky</b>' in site.shown("/runs/4?view=tests&group=none")
    assert "New" not in site.text("/runs/4?view=tests&group=none")
    rows = [text_of(row) for row in site.shown("/projects/1").split('<li class="run-row"')[1:]]
    assert ["1 flaky" in row for row in rows] == [False, True, False, False, False]
    assert ("1 passed again" in rows[0], "1 new" in rows[3]) == (True, True)
    tests = [site.text(f"/results/{result}") for result in site.result_ids(5)]
    assert ["Passed again. It failed in #4" in page for page in tests].count(True) == 1
    assert not any("Fixed." in page for page in tests)


def test_a_failure_that_was_away_is_back(good: Project) -> None:
    """New, back and still are three words; without evidence nothing is flaky."""
    for number, broken in enumerate(("a3", "", "a3", "a3")):
        good.write("state.txt", str(number))
        commit(good)
        good.report(env=session_environment(BROKEN=broken))
    new, back, still = _shown(good, 2, 4, 5)
    assert (" 1 new failure since " in new, " 1 new failure (back)" in back) == (True, True)
    assert "  1 still failing" in still


def test_new_tests_are_a_change_everywhere(good: Project) -> None:
    """A run with new tests is not one in which nothing changed: neither its session nor a command says so."""
    good.write("test_c.py", TESTS.format(name="c", first=PLAIN))
    said = [good.report().out, *_shown(good, 2), console(good.root, "run", "findings", "2").err]
    assert all("5 new tests, compared with run 1" in each for each in said)


DESELECTING = """
import os

def pytest_collection_modifyitems(items, config):
    left = items[: int(os.environ.get("MOST", "99"))]
    config.hook.pytest_deselected(items=items[len(left):])
    items[:] = left
"""


@pytest.mark.parametrize("options", [(), ("-n1",)])
def test_tests_that_a_plugin_deselects_are_not_gone(good: Project, options: tuple[str, ...]) -> None:
    """A session of what changed, as pytest-testmon chooses it, is a part of the suite: no run is compared with it."""
    good.write("conftest.py", DESELECTING)
    good.report(*options, env=session_environment(MOST="2"))
    good.report(*options)
    few, all_again = (console(good.root, "run", "findings", run).err for run in ("2", "3"))
    assert "gone" not in few
    assert missing(all_again, "run 1", "new") == ["new"]


def test_a_session_without_tests_makes_no_run_of_its_own(good: Project) -> None:
    """Nothing that was collected is nothing to report."""
    assert good.report("-k", "nothing").exit == 5
    assert console(good.root, "run", "list").out == "1\n"


def test_a_file_that_can_be_imported_again_is_mended_and_its_tests_are_not_new(good: Project) -> None:
    """The error of its collection is fixed; the tests that it has again were never gone and are not new."""
    for text in (BROKEN, BROKEN, TESTS.format(name="b", first=PLAIN)):
        good.write("test_b.py", text)
        good.report("--continue-on-collection-errors")
    broken, mended = _shown(good, 3, 4)
    assert missing(broken, COLLECTION[0], "  1 still failing") == []
    assert missing(mended, "  1 fixed, compared with run 3", "new") == ["new"]


def test_the_controller_of_workers_is_no_worker(good: Project, site: Site) -> None:
    """Two workers are two, in the facts, in lanes and in shares of the time, although the controller has an error."""
    good.write("test_b.py", BROKEN)
    assert "delivered from 2 workers: " in good.report("-n2").out
    assert "on 2 workers" in site.text("/runs/2")
    document = site.service.get("/automation/runs/2/findings").json["result"]
    assert len(document["time"]["workers"]) == 2
    assert "controller" not in site.text("/runs/2?view=time")


def test_a_file_that_no_job_could_collect_is_one_file_and_no_failed_test(good: Project) -> None:
    """Each job of the run has an error for it: neither is a test that failed."""
    good.write("test_b.py", BROKEN)
    for job in ("linux", "macos"):
        options = (f"-oautomation_report_job={job}", "--automation-report-run-key=k")
        good.report("--continue-on-collection-errors", *options)
    assert console(good.root, "run", "complete", "--run-key", "k").exit == 0
    assert f"\n  {COLLECTION[0]}\n" in _shown(good, 2)[0]


def test_a_test_of_another_tool_is_no_module(tmp_path: Path) -> None:
    """Jest writes the whole name of a test as its class, too, with or without its file."""
    project = Project(tmp_path / "suite")
    cases = "".join(
        f'<testcase classname="cart {name}" name="cart {name}"{file}><failure>Error: {name}</failure></testcase>'
        for name, file in (("adds", ""), ("pays", ""), ("sends", ' file="cart.test.js"'))
    )
    project.write("a.xml", f'<testsuite>{cases}<testcase classname="cart" name="cart"/></testsuite>')
    assert console(project.root, "submit", "a.xml", "--source", "shop").exit == 0
    assert "\n  3 of 4 tests failed, for 3 reasons\n" in _shown(project, 1)[0]
