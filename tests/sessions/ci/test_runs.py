"""What sessions in CI and in git checkouts tell with their runs."""

import importlib.metadata
import os
import platform
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.session.run import installed_packages
from sessions.ci.test_git import commit, git, new_repository
from support.checked_server import CheckedServer
from support.ci_environments import EVENT, JOBS, MERGE, PUSHES, SHA
from support.projects import console
from support.result_files import written
from support.sessions import run_session, session_environment

SOFTWARE = ["Python", "pytest", "Plugins", "OS", "Packages"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "test_suite.py").write_text("def test_ok():\n    pass\n")
    return root


def told(server: CheckedServer) -> tuple[dict[str, str], dict[str, str], Any]:
    """Return the only run's fields and links by their names, and the run."""
    (run,) = server.runs()
    fields = {each["name"]: each["value"] for each in run["fields"]}
    return fields, {each["name"]: each["url"] for each in run.get("links", ())}, run


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_pull_request(project: Path, server: CheckedServer, tmp_path: Path, workers: tuple[str, ...]) -> None:
    """A session of a pull request tells branch, the author's commit, the build, and links to job and commit."""
    event = tmp_path / "event.json"
    event.write_text(EVENT)
    environ = {**PUSHES["GitHub"], **JOBS["GitHub"]["pull request"].more, "GITHUB_EVENT_PATH": str(event)}
    options = ("-oautomation_report_branch_tag=true", "--automation-report-tags=nightly")
    run_session(project, *workers, *options, address=server.address, env={**session_environment(), **environ}, exits=0)
    fields, links, run = told(server)
    assert list(fields) == [
        "Session id", *SOFTWARE, "CI", "Branch", "Commit", "Merge commit", "Pull request", "Target branch", "Build",
        "Attempt", "Collected",
        *(["Ended"] if "Ended" in fields else []),
    ]  # fmt: skip
    assert (fields["CI"], fields["Branch"], fields["Commit"]) == ("GitHub", "pull/12", SHA)
    told_of = [fields[name] for name in ("Merge commit", "Pull request", "Build", "Attempt")]
    assert told_of == [MERGE, "12", "7", "1"]
    assert links == {
        "CI job": "https://github.com/ann/shop/actions/runs/99/attempts/1",
        "Commit": f"https://github.com/ann/shop/commit/{SHA}",
    }
    assert run["tags"] == ["nightly", "pull-12"]
    assert run["name"] == "suite pull/12 #7"


def test_software(project: Path, server: CheckedServer) -> None:
    """A run tells the versions of Python, pytest and its plugins, and the system, as this interpreter has them."""
    assert run_session(project, address=server.address).exit == 0
    fields, _, _ = told(server)
    assert fields["pytest"] == pytest.__version__
    plugins = fields["Plugins"].split(", ")
    assert "pytest-automation-report 0.1.0" in plugins
    installed = [dist.metadata for dist in importlib.metadata.distributions()]
    assert set(plugins) <= {f"{metadata['Name']} {metadata['Version']}" for metadata in installed}
    packages = dict(line.split(" ") for line in fields["Packages"].split("\n"))
    assert packages == {re.sub("[-_.]+", "-", metadata["Name"]).lower(): metadata["Version"] for metadata in installed}
    system = platform.uname()
    assert fields["OS"].endswith(f"{system.system} {system.release} {system.machine}")


def test_packages_are_found_by_their_folders(tmp_path: Path) -> None:
    """The package that Python imports counts, in both forms of metadata; other folders and files are none."""
    for name in (
        "a/site-packages/Shop_Front-2.0.dist-info",
        "a/site-packages/cart-1.4.0-py3.11.egg-info",
        "c/other-1.dist-info",
        "a/site-packages/cart",
        "a/site-packages/notes-1.txt",
        "a/site-packages/x.dist-info",
        "b/dist-packages/cart-1.0.dist-info",
        "b/dist-packages/till-3.dist-info",
    ):
        (tmp_path / name).mkdir(parents=True)
    path = [str(tmp_path / folder) for folder in ("c", "a/site-packages", "gone/site-packages", "b/dist-packages")]
    assert installed_packages([*path, path[1]]) == "cart 1.4.0\nshop-front 2.0\ntill 3"


def test_git_where_ci_tells_nothing(project: Path, server: CheckedServer) -> None:
    """Outside of CI, branch, commit, its subject and its page come from git."""
    commit(new_repository(project), "one", "two")
    git(project, "remote", "add", "origin", "https://ann:secret@github.com/ann/shop.git")
    assert run_session(project, address=server.address).exit == 0
    fields, links, run = told(server)
    head, before = git(project, "rev-parse", "HEAD", "HEAD~1").split()
    assert (fields["Branch"], fields["Commit"], fields["Commit subject"]) == ("main", head, "two")
    assert fields["Commits"] == f"{head[:7]} two\n{before[:7]} one"
    assert links == {"Commit": f"https://github.com/ann/shop/commit/{head}"}
    assert run["name"].startswith("suite 20")


def test_changes_and_children(project: Path, server: CheckedServer) -> None:
    """A session tells of changed files, not of touched ones nor of its own; its tests find no git that still runs."""
    (project / "test_suite.py").write_text(
        "import os, pytest\n"
        "def test_ok():\n    with pytest.raises(ChildProcessError):\n        os.waitpid(-1, os.WNOHANG)\n"
    )
    git(new_repository(project), "add", ".")
    commit(project, "one")
    git(project, "update-index", "--index-version", "4")
    for change in (os.utime, lambda path: path.write_text("[pytest]\n# changed\n")):
        change(project / "pytest.ini")
        run_session(project, address=server.address, exits=0)
    fields = [{each["name"]: each["value"] for each in run["fields"]} for run in server.runs()]
    assert [each["Commit subject"] for each in fields] == ["one", "one"]
    clean, changed = sorted(each.get("Changes", "") for each in fields)
    assert (clean, len(changed)) == ("", 12)


@pytest.mark.parametrize(
    ("facts", "names"),
    [("ci", ["Session id", *SOFTWARE, "Selection", "CI", "Shard"]), ("none", ["Session id", "Selection", "Shard"])],
)
def test_less_is_told(project: Path, server: CheckedServer, facts: str, names: list[str]) -> None:
    """A run tells nothing of git, or nothing but what was said, when it is to."""
    new_repository(project)
    options = (f"-oautomation_report_facts={facts}", "--automation-report-shard=1/1")
    run_session(project, *options, address=server.address, env=session_environment(CI="true", BUILD="9"), exits=0)
    assert [each for each in told(server)[0] if each not in {"Ended", "Collected"}] == names


def test_what_is_said_counts(project: Path, server: CheckedServer) -> None:
    """Each value that was said goes before the provider's, from any of the places that settings come from."""
    said = {
        "AUTOMATION_REPORT_BRANCH": "mine", "AUTOMATION_REPORT_BUILD": "b8", "AUTOMATION_REPORT_ATTEMPT": "3",
        "AUTOMATION_REPORT_JOB_URL": "https://ann:secret@concourse.example.org/7",
        "AUTOMATION_REPORT_FIELDS": "CI=Concourse,Commit=c0ffee1,Pull request=13",
        "AUTOMATION_REPORT_LINKS": "Commit=https://git.example.org/c0ffee1",
    }  # fmt: skip
    environ = {**PUSHES["GitHub"], **JOBS["GitHub"]["tag"].more, **said}
    assert run_session(project, address=server.address, env={**session_environment(), **environ}).exit == 0
    fields, links, run = told(server)
    values = {
        name: value for name, value in fields.items() if name not in {*SOFTWARE, "Session id", "Ended", "Collected"}
    }
    assert values == {
        "CI": "Concourse", "Branch": "mine", "Commit": "c0ffee1", "Pull request": "13", "Build": "b8", "Attempt": "3",
    }  # fmt: skip
    assert links == {"CI job": "https://concourse.example.org/7", "Commit": "https://git.example.org/c0ffee1"}
    assert run["name"] == "suite mine #b8"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--automation-report-shard=6/5", "--automation-report-shard: '6/5' cannot be used: write 3/8"),
        ("--automation-report-shard=3", "--automation-report-shard: '3' cannot be used: write 3/8"),
        ("-oautomation_report_shard=6/5", "-o automation_report_shard: is not a setting"),
        ("-oautomation_report_attempt=0", "-o automation_report_attempt: 0 cannot be used: write a whole number"),
        (
            "-oautomation_report_job_url=https://ann:secret@[",
            "-o automation_report_job_url: 'https://***@[' cannot be used: write a web address",
        ),
    ],
)
def test_mistakes(project: Path, option: str, message: str) -> None:
    """A value that cannot be used ends the session before collection with its option, the value and what to write."""
    ran = run_session(project, option, exits=4)
    assert message in ran.err
    assert "secret" not in ran.text


def test_console_command_tells_the_same(project: Path, server: CheckedServer) -> None:
    """A run that the console command creates tells the same facts."""
    environ = {**PUSHES["GitLab"], **JOBS["GitLab"]["parallel"].more, "AUTOMATION_REPORT_BRANCH_TAG": "1"}
    options = ("run", "create", "--url", server.address, "--project-id=1", "--source=suite", "--attempt=2")
    console(project, *options, env={**session_environment(), **environ}, exits=0)
    fields, links, run = told(server)
    assert fields == {"CI": "GitLab", "Branch": "main", "Commit": SHA, "Build": "7", "Attempt": "2", "Shard": "2/5"}
    assert set(links) == {"CI job", "Commit"}
    assert run["tags"] == ["main"]


@pytest.mark.parametrize("way", ["submit", "exec", "session", "joined session"])
def test_every_way_of_reporting_a_branch_finds_where_it_left_main(project: Path, way: str) -> None:
    """Imports, commands, sessions and those that join a run by its id tell the commits that led to theirs."""
    new_repository(project)
    (project / ".gitignore").write_text("*.xml\n.automation-report\n")
    git(project, "add", ".")

    def report(name: str, commits: str, failed: str) -> None:
        commit(project, commits)
        written(project / f"{name}.xml", ["one", "two"], failed=failed)
        if name != "topic" or way == "submit":
            console(project, "submit", f"{name}.xml", "--source", "suite", exits=0)
        elif way == "exec":
            copied = "cp topic.xml made.xml; exit 1"
            console(project, "exec", "--results", "made.xml", "--source", "suite", "--", "sh", "-c", copied, exits=1)
        else:
            (project / "test_suite.py").write_text("def test_ok():\n    assert 0\n")
            options = ["--automation-report-source=suite"]
            if way == "joined session":
                run_id = console(project, "run", "create", "--source", "suite", exits=0).out.strip()
                options = [f"--automation-report-run-id={run_id}"]
            run_session(project, *options, exits=1)

    report("base", "where the branch begins", "one")
    git(project, "branch", "topic")
    report("main", "later", "")
    git(project, "switch", "--quiet", "topic")
    report("topic", "mine", "one")
    assert "compared with run 1 (main)" in console(project, "gate", "3").text
