"""A run in others' forms by console command: from the embedded store, from a server of ours, and from others."""

import csv
import io
import json
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.junit_schema import mistakes
from support.projects import Project, console
from support.scripted_server.faults import Rule, answer
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN, Ran

SUITE = """
import pytest

def test_ok():
    print("fine")

def test_total():
    assert 1 == 2

@pytest.fixture
def server():
    raise ConnectionRefusedError("no server")

@pytest.mark.parametrize("port", [1, 2])
def test_server(server, port):
    pass
"""
FORMS = ("junit", "ctrf", "json", "markdown", "csv")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with one run in its embedded store."""
    project = Project(tmp_path_factory.mktemp("project"), SUITE)
    assert project.report().exit == 1
    return project


def export(project: Project, form: str, *arguments: str) -> Ran:
    return console(project.root, "run", "export", "--format", form, *arguments)


def test_each_form_goes_to_stdout(project: Project) -> None:
    """Without a file a form is all of stdout, and each shows the same results."""
    texts = {form: export(project, form) for form in FORMS}
    assert {form: (ran.exit, ran.err) for form, ran in texts.items()} == dict.fromkeys(FORMS, (0, ""))
    assert mistakes(texts["junit"].out) == []
    assert texts["junit"].out.count("<testcase ") == 4
    assert json.loads(texts["ctrf"].out)["results"]["summary"]["failed"] == 3
    document = json.loads(texts["json"].out)
    assert (document["run"]["id"], document["run"]["failure_count"], len(document["tests"])) == (1, 3, 4)
    assert document["findings"]["run"] == 1
    assert texts["markdown"].out.startswith("### ❌ 3 of 4 tests failed, for 2 reasons\n")
    rows = list(csv.DictReader(io.StringIO(texts["csv"].out)))
    assert [row["status"] for row in rows] == ["passed", "failed", "error", "error"]
    assert [row["message"] for row in rows[1:3]] == [
        "assert 1 == 2",
        'failed on setup with "ConnectionRefusedError: no server"',
    ]


def test_a_file_is_whole_or_not_there(project: Project, tmp_path: Path) -> None:
    """A file has the same bytes as stdout and at each export; one that cannot be written is refused with the remedy."""
    file = tmp_path / "report.xml"
    assert export(project, "junit", "1", "-o", str(file)).out == ""
    first = file.read_bytes()
    assert first.decode() == export(project, "junit", "1", "-o", "-").out
    export(project, "junit", "1", "-o", str(file))
    assert file.read_bytes() == first
    assert list(tmp_path.iterdir()) == [file]
    for wrong in (tmp_path, tmp_path / "none" / "report.xml"):
        refused = export(project, "junit", "1", "-o", str(wrong))
        assert refused.exit == 2
        assert f"-o {wrong}" in refused.err.replace("\n", "")
        assert "name a file in a folder that exists" in " ".join(refused.err.split())
    assert list(tmp_path.iterdir()) == [file]


def test_what_there_is_not(project: Project, tmp_path: Path) -> None:
    """A run that does not exist leaves no file, and keeps an earlier one."""
    file = tmp_path / "report.csv"
    file.write_text("before")
    refused = export(project, "csv", "99", "-o", str(file))
    assert (refused.exit, refused.out) == (1, "")
    assert "there is no run 99 in the embedded store" in refused.err
    assert file.read_text() == "before"


def test_from_a_server(project: Project, server: CheckedServer) -> None:
    """A server of ours has the same as the embedded store."""
    assert project.report(address=server.address).exit == 1
    place = ["--url", server.address, "--project-id", "1"]
    for form in ("csv", "markdown"):
        ran = export(project, form, *place)
        assert (ran.exit, ran.err) == (0, "")
        assert "no server" in ran.out


def test_from_a_testmo_instance(project: Project) -> None:
    """A Testmo instance lists names, statuses and times: these are exported, and nothing is made up."""
    with ScriptedServer(token=TOKEN) as server:
        assert project.report(address=server.address).exit == 1
        place = ["--url", server.address, "--project-id", "1"]
        texts = {form: export(project, form, *place) for form in FORMS}
        shown = console(project.root, "run", "show", "--markdown", *place)
        assert {ran.exit for ran in texts.values()} == {0}, [ran.err for ran in texts.values()]
        assert mistakes(texts["junit"].out) == []
        assert (texts["junit"].out.count("<testcase "), texts["junit"].out.count("<failure/>")) == (4, 3)
        document = json.loads(texts["json"].out)
        assert (document["findings"], len(document["tests"])) == (None, 4)
        assert "#### Failed (3)" in texts["markdown"].out
        assert shown.out.count("### `") == 3
        server.script([Rule("GET", "/tests", answer(404, {"message": "Not found."}))] * 3)
        refused = export(project, "junit", "1", *place)
    assert refused.exit == 2
    assert "the results of run 1 need the embedded store or a server of automation-report serve" in " ".join(
        refused.err.split()
    )


def test_failures_as_markdown(project: Project) -> None:
    """``run show --markdown`` prints a failure of each reason in full, with the command that runs it again."""
    shown = console(project.root, "run", "show", "--markdown", exits=0)
    assert shown.err == "2 of 3 failures, one of each reason; --test names one\n"
    headings = [line for line in shown.out.splitlines() if line.startswith("### ")]
    assert headings == ["### `test_suite.test_total`", "### `test_suite.test_server[1]`"]
    assert "```sh\npytest test_suite.py::test_total\n```" in shown.out
    assert "**`AssertionError: assert 1 == 2`**" in shown.out
    assert "ConnectionRefusedError: no server" in shown.out


@pytest.mark.parametrize("name", ["test_suite.test_ok", "test_suite.py::test_ok"])
def test_one_test_as_markdown(project: Project, name: str) -> None:
    """``--test`` names any test of the run, by folder and name or by its node id."""
    shown = console(project.root, "run", "show", "1", "--test", name)
    assert (shown.exit, shown.out.splitlines()[0]) == (0, "### `test_suite.test_ok`")


def test_mistakes_in_names(project: Project) -> None:
    """A test that the run has not is a usage error with the nearest name; two forms at once are one, too."""
    refused = console(project.root, "run", "show", "1", "--test", "test_suite.test_tota", exits=2)
    assert "is it test_suite.test_total?" in refused.err
    assert console(project.root, "run", "show", "--json", "--markdown").exit == 2


def test_the_report_in_one_file(project: Project, tmp_path: Path) -> None:
    """``html`` writes the file of the newest run, the same each time; a run that is not there leaves none."""
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    written = console(project.root, "html", "-o", str(first))
    assert (written.exit, written.out) == (0, "")
    assert written.err.startswith(f"run 1 is in {first} (")
    console(project.root, "html", "1", "-o", str(second))
    assert first.read_bytes() == second.read_bytes()
    assert "<h1>3 of 4 tests failed" in first.read_text(encoding="utf-8")
    refused = console(project.root, "html", "99", "-o", str(tmp_path / "none.html"))
    assert (refused.exit, "there is no run 99 in " in refused.err) == (1, True)
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_a_server_without_pages_has_no_report(project: Project, tmp_path: Path) -> None:
    """A Testmo instance has no pages: the command says so, with exit code 2, and writes nothing."""
    with ScriptedServer(token=TOKEN) as server:
        place = ["--url", server.address, "--project-id", "1"]
        refused = console(project.root, "html", "1", "-o", str(tmp_path / "report.html"), *place)
    assert refused.exit == 2
    assert "the report needs the embedded store or a server of automation-report serve" in " ".join(refused.err.split())
    assert list(tmp_path.iterdir()) == []
