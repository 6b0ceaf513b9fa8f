"""Each CI recipe is run: its lines in their order, under the variables of its provider, against a server."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from docs.recipes import FOLDER, RECIPES, REPORTS, Job, Step, github, gitlab, recipe
from docs.runner import Runner, run_count, write_passing_tests
from docs.written import block
from support.checked_server import CheckedServer
from support.ci_environments import PUSHES
from support.junit_schema import mistakes
from support.sessions import TOKEN

STORE = ".automation-report/store.sqlite3"
URL = "https://github.example.com/artifacts/1"

CLOSED = "http://127.0.0.1:9"  # nothing listens there
KILLED = """
import os, signal

def pytest_runtest_setup(item):
    if item.name == "test_unknown_article_is_refused":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def impatient(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs, the last one at the end, with a second for what may take five minutes."""
    return [
        replace(
            job,
            steps=tuple(replace(step, script=step.script.replace("timeout 5m", "timeout 1s")) for step in job.steps),
        )
        for job in sorted(jobs, key=lambda job: job.is_last)
    ]


@pytest.mark.parametrize("provider", RECIPES)
def test_recipe(provider: str, tmp_path: Path, server: CheckedServer) -> None:
    """All jobs of the recipe report to one run, which the last completes; the tests' failures stay the jobs'."""
    runner = Runner(tmp_path, provider, server)
    jobs = sorted(RECIPES[provider](), key=lambda job: job.is_last)
    statuses = [runner.run(job) for job in jobs]
    assert any(any(each) for each in statuses[:4]), runner.said  # two tests of the shop fail
    assert not any(any(each) for each in statuses[4:]), runner.said
    assert "15 tests, each once in 4 jobs\n" in runner.said
    assert run_count(server) == 1, runner.said
    assert server.posts("/complete")[-1].path.endswith("/runs/1/complete"), runner.said
    assert len(server.tests()) == 15, runner.said
    assert not [line for line in runner.said.splitlines() if TOKEN in line]
    for job in jobs:
        assert not list(runner.workspace(job).glob(".automation-report/spool/2*")), runner.said


def test_failed_jobs_that_run_again(tmp_path: Path, server: CheckedServer) -> None:
    """In GitHub's second attempt, of one job alone, the last job waits for no other one and completes the same run."""
    runner = Runner(tmp_path, "GitHub", server)
    jobs = sorted(RECIPES["GitHub"](), key=lambda job: job.is_last)
    for job in jobs:
        runner.run(job)
    statuses = [runner.run(job, GITHUB_RUN_ATTEMPT="2") for job in (jobs[0], jobs[-1])]
    assert not any(statuses[-1]), runner.said
    assert run_count(server) == 1, runner.said
    assert "run 1 with this key was already completed, and takes these results, too" in runner.said
    assert runner.said.count("15 tests, each once") == 2, runner.said


@pytest.mark.parametrize("provider", ["GitHub", "Bitbucket"])  # with a last job, and without one
def test_matrix(provider: str, tmp_path: Path, server: CheckedServer) -> None:
    """Two Pythons, each with its configuration and all four parts, have a run each; the last job completes both."""
    runner = Runner(tmp_path, provider, server)
    jobs = sorted(RECIPES[provider](), key=lambda job: job.is_last)
    eight = [
        replace(job, steps=tuple(replace(step, script=step.script.replace("jobs 4", "jobs 8")) for step in job.steps))
        for job in jobs
    ]
    written = yaml.safe_load(block("docs/matrix.md", "# GitHub Actions: one job"))
    env, versions = written["env"], written["strategy"]["matrix"]["python"]
    assert len(versions) == 2
    for version in versions:
        given = {name: value.replace("${{ matrix.python }}", version) for name, value in env.items()}
        for job in eight[:4]:
            runner.run(job, **given)
    assert not any(any(runner.run(job)) for job in eight[4:]), runner.said
    assert run_count(server) == 2, runner.said
    assert runner.said.count("15 tests, each once") == 2, runner.said
    assert len({post.path for post in server.posts("/complete") if "/threads/" not in post.path}) == 2


@pytest.mark.parametrize("provider", RECIPES)
def test_cancelled_job(provider: str, tmp_path: Path, server: CheckedServer) -> None:
    """When a job dies in the middle its next step sends what it left, and the run is completed all the same."""
    runner = Runner(tmp_path, provider, server)
    jobs = sorted(RECIPES[provider](), key=lambda job: job.is_last)
    for job in jobs:
        (runner.workspace(job) / "conftest.py").write_text(KILLED)
    statuses = [runner.run(job) for job in jobs]
    assert sum(bool({137, -9} & {*each}) for each in statuses) == 1, runner.said
    assert run_count(server) == 1, runner.said
    assert server.posts("/complete")[-1].path.endswith("/runs/1/complete"), runner.said
    tests = [test for _, test in server.tests()]
    keys = [each["key"] for each in tests]
    assert len(keys) == len(set(keys)), runner.said
    assert any("died" in str(each) for each in tests), runner.said


@pytest.mark.parametrize("provider", RECIPES)
def test_recipe_without_secrets(provider: str, tmp_path: Path, server: CheckedServer) -> None:
    """A pull request from a fork has no token: the tests run, nothing is sent, and only failed tests make a job red."""
    runner = Runner(tmp_path, provider, server, has_secrets=False)
    jobs = sorted(RECIPES[provider](), key=lambda job: job.is_last)
    for job in (jobs[0], *jobs[4:]):  # the second, third and fourth job differ from the first in their number alone
        write_passing_tests(runner.workspace(job))
        assert not any(runner.run(job)), runner.said
    assert " 2 passed, 6 deselected in " in runner.said
    assert server.log == []


@pytest.mark.parametrize("provider", RECIPES)
def test_server_that_is_down_makes_no_job_red(provider: str, tmp_path: Path) -> None:
    """Jobs whose tests pass are green when nothing answers, the last one, too; they say what they kept."""
    runner = Runner(tmp_path, provider, limits={"alone": 0.2, "reach": 0.2})
    runner.address = CLOSED
    jobs = impatient(RECIPES[provider]())
    for job in (jobs[0], *jobs[4:]):  # the second, third and fourth job differ from the first in their number alone
        write_passing_tests(runner.workspace(job))
        assert not any(runner.run(job)), runner.said
    assert "kept in .automation-report/spool" in runner.said
    assert f"warning: {CLOSED}: Connection refused" in runner.said


@pytest.mark.parametrize(("provider", "jobs"), [("GitHub", github), ("GitLab", gitlab)])
def test_gate_that_cannot_be_asked_makes_its_job_red(
    provider: str, jobs: Callable[[str], Iterator[Job]], tmp_path: Path
) -> None:
    """With a gate a server that is down stops the last job alone."""
    runner = Runner(tmp_path, provider, limits={"alone": 0.2, "reach": 0.2})
    tests, *_, report = impatient(jobs(f"gate/{provider.lower()}.yml"))
    write_passing_tests(runner.workspace(tests))
    given = {"AUTOMATION_REPORT_URL": CLOSED, "TESTS": "success"}
    assert not any(runner.run(tests, **given)), runner.said
    assert [status for status in runner.run(report, **given) if status] == [3], runner.said
    assert not (runner.workspace(report) / "comment.md").exists()


@pytest.mark.parametrize("provider", RECIPES)
def test_recipe_says_which_steps_may_be_red(provider: str) -> None:
    """A line at the top of a recipe names the commands whose exit status counts, and no other."""
    file = FOLDER / ("Jenkinsfile" if provider == "Jenkins" else f"{provider.lower()}.yml")
    text = file.read_text(encoding="utf-8")
    (told,) = re.findall("^(?:#|//) Red: (.*)$", text, re.MULTILINE)
    commands = {"pytest": "pytest --automation", "send": "automation-report send", "run finish": "run finish"}
    scripts = [step.script for job in RECIPES[provider]() for step in job.steps if not step.may_fail]
    lines = [line for script in scripts for line in script.splitlines() if "|| true" not in line]
    assert {name for name in commands if name in told} == {
        name for name, command in commands.items() if any(command in line for line in lines)
    }


def test_what_the_jobs_of_a_fork_kept_is_sent(tmp_path: Path, server: CheckedServer) -> None:
    """The page's second workflow sends the spools of a fork's jobs, whose tests failed, and completes their run.

    It is a run of the pull request, also if the fork's branch is called main.
    """
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder in (theirs, ours):
        folder.mkdir()
    fork, runner = Runner(theirs, "GitHub", server, has_secrets=False), Runner(ours, "GitHub", server)
    jobs = sorted(RECIPES["GitHub"](), key=lambda job: job.is_last)
    request = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/12/merge", "GITHUB_HEAD_REF": "main"}
    for job in jobs:
        fork.run(job, **request)
    assert server.log == []
    written = yaml.load(block("docs/ci-github.md", "# .github/workflows/forks.yml"), Loader=yaml.BaseLoader)
    (sending,) = written["jobs"].values()
    send = Job("send", tuple(Step(step["run"]) for step in sending["steps"] if "run" in step), sending["env"])
    for job in jobs[:4]:
        spool = fork.workspace(job) / ".automation-report" / "spool"
        shutil.copytree(spool, runner.workspace(send) / "kept" / f"kept-{job.name}")
    (ours / "bin" / "gh").write_text(
        '#!/bin/sh\ntest "$*" = "api -X GET repos/ann/shop/pulls -f head=bob:main --jq .[0].number" && echo 12\n'
    )
    # In a workflow_run branch and commit are those of the main branch.
    statuses = runner.run(send, KEY=PUSHES["GitHub"]["GITHUB_RUN_ID"], HEAD="bob:main", GITHUB_SHA="b" * 40)
    assert not any(statuses), runner.said
    (sent,) = server.runs()
    assert {"name": "Branch", "type": 1, "value": "pull/12"} in sent["fields"]
    assert "15 tests, each once in 4 jobs\n" in runner.said
    assert len(server.tests()) == 15, runner.said


def test_gate_of_a_pull_request(tmp_path: Path, server: CheckedServer) -> None:
    """Old failures leave each job green; a new one stops the last job alone, in each attempt, and is in the comment."""
    runner = Runner(tmp_path, "GitHub", server)
    *tests, report = github("gate/github.yml")
    given = {"AUTOMATION_REPORT_URL": server.address, "TESTS": "success", "PULL_REQUEST": "12"}
    assert not any(any(runner.run(job, **given)) for job in (*tests, report)), runner.said  # two tests of the shop fail
    for job in tests:
        (runner.workspace(job) / "tests" / "test_new.py").write_text("def test_new():\n    assert not 'mended'\n")
    given |= {"GITHUB_RUN_ID": "8", "GITHUB_SHA": "b" * 40, "GITHUB_HEAD_REF": "feature/x", "GITHUB_BASE_REF": "main"}
    for attempt, again in (("1", tests), ("2", tests[:1])):
        runner.called.unlink()
        runner.said = ""
        given["GITHUB_RUN_ATTEMPT"] = attempt
        assert not any(any(runner.run(job, **given)) for job in again), runner.said
        assert [status for status in runner.run(report, **given) if status] == [5], runner.said
        assert "16 tests, each once in 4 jobs\n" in runner.said
        assert "gh pr comment 12 --body-file comment.md --edit-last" in runner.called.read_text()
    assert "test_new" in (runner.workspace(report) / "comment.md").read_text(encoding="utf-8")
    assert run_count(server) == 2, runner.said


def test_failed_tests_of_a_fork_stop_the_gates_pipeline(tmp_path: Path, server: CheckedServer) -> None:
    """Without a token no gate judges failed tests: they make their job and the last one red."""
    runner = Runner(tmp_path, "GitHub", server, has_secrets=False)
    *tests, report = github("gate/github.yml")
    assert any(any(runner.run(job)) for job in tests), runner.said
    assert not any(runner.run(report, TESTS="success")), runner.said
    assert any(runner.run(report, TESTS="failure")), runner.said
    assert "gh " not in runner.called.read_text()
    assert server.log == []


def test_comment_on_a_merge_request(tmp_path: Path) -> None:
    """The page's lines post the file to the merge request, and nothing without file, merge request or token."""
    runner = Runner(tmp_path, "GitLab")
    written = yaml.safe_load(block("docs/ci-gitlab.md", "# .gitlab-ci.yml: pipelines"))
    job = Job("report", (Step("\n".join(written["report"]["after_script"])),), {})
    api = {"CI_API_V4_URL": "https://gitlab.test/api/v4", "CI_MERGE_REQUEST_PROJECT_ID": "3"}
    given = api | {"CI_MERGE_REQUEST_IID": "12", "COMMENT_TOKEN": "canary-2"}
    assert not any(runner.run(job, **given)), runner.said
    (runner.workspace(job) / "report.md").write_text("### 1 of 2 tests failed")
    for name in ("CI_MERGE_REQUEST_IID", "COMMENT_TOKEN"):
        assert not any(runner.run(job, **given | {name: ""})), runner.said
    assert not runner.called.exists()
    assert not any(runner.run(job, **given)), runner.said
    (call,) = runner.called.read_text().splitlines()
    address = "https://gitlab.test/api/v4/projects/3/merge_requests/12/notes"
    assert call.endswith(f"--header PRIVATE-TOKEN: canary-2 --data-urlencode body@report.md {address}")


@pytest.mark.parametrize("provider", REPORTS)
def test_report_without_a_server(provider: str, tmp_path: Path) -> None:
    """Tests fail and the report is there: the second one is compared with the first, whose store the provider kept."""
    runner = Runner(tmp_path, provider)
    summary = tmp_path / "summary.md"
    (tests,) = REPORTS[provider]()
    first, second = (replace(tests, name=name) for name in ("first", "second"))
    for job in (first, second):
        workspace = runner.workspace(job)
        if job is second:
            (workspace / STORE).parent.mkdir()
            shutil.copy(runner.workspace(first) / STORE, workspace / STORE)
        statuses = runner.run(job, GITHUB_STEP_SUMMARY=str(summary), REPORT=URL, PULL_REQUEST="7")
        assert [status for status in statuses if status] == [1], runner.said  # pytest's: tests of the shop fail
    assert "Compared with run 1: 0 new failures" in (workspace / "report.html").read_text(encoding="utf-8"), runner.said
    if provider == "GitHub":
        comment = (workspace / "comment.md").read_text(encoding="utf-8")
        assert comment.startswith("### ❌ ")
        assert comment.endswith(f"[The whole report]({URL})\n")
        assert summary.read_text(encoding="utf-8").endswith(comment)
        assert "gh pr comment 7 --body-file comment.md --edit-last" in runner.called.read_text()
    else:
        assert mistakes((workspace / "junit.xml").read_text(encoding="utf-8")) == []


def test_the_files_that_providers_keep_are_written() -> None:
    """Each recipe of a report keeps the files that its lines write, and the store where it has a cache."""
    steps = recipe("report/github.yml")["jobs"]["tests"]["steps"]
    assert [step["with"]["path"] for step in steps if "path" in step.get("with", {})] == [STORE, "report.html", STORE]
    job = recipe("report/gitlab.yml")["tests"]
    assert job["cache"]["paths"] == [STORE]
    assert (job["artifacts"]["paths"], job["artifacts"]["reports"]) == (["report.html"], {"junit": "junit.xml"})
    archived = re.findall("artifacts: '(.*)'", (FOLDER / "report" / "Jenkinsfile").read_text(encoding="utf-8"))
    assert archived == ["report.html"]


def test_every_recipe_is_run() -> None:
    """Each file of the folder is one of the recipes that are run here."""
    for folder, recipes in ((FOLDER, RECIPES), (FOLDER / "report", REPORTS), (FOLDER / "gate", ["GitHub", "GitLab"])):
        assert len([path for path in folder.iterdir() if path.is_file()]) == len(recipes)
