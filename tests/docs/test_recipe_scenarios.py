"""What a team lives through with the recipes: pushes, forks, plugins, time limits and shards, as providers run them."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from docs.recipes import RECIPES, Job, gitlab, recipe
from docs.runner import Runner, write_passing_tests
from docs.written import block
from support.checked_server import CheckedServer
from support.scripted_server.server import ScriptedServer

BREAKS = "def test_new():\n    assert not 'mended'\n"
MENDED = "def test_new():\n    pass\n"


def gated(provider: str) -> list[Job]:
    """Return the jobs of a recipe, the last one at the end, with the two changes of the page about the gate."""
    line = block("docs/gate.md", "automation-report run finish --expect-jobs 4 --gate").splitlines()[0]
    _, bars, judged = line.partition(" || ")
    changes = {"pytest --automation-report.*": rf"\g<0>{bars}{judged}", "run finish": "run finish --gate"}

    def changed(script: str) -> str:
        for old, new in changes.items():
            script = re.sub(old, new, script)
        return script

    jobs = sorted(RECIPES[provider](), key=lambda job: job.is_last)
    steps = [tuple(replace(step, script=changed(step.script)) for step in job.steps) for job in jobs]
    return [replace(job, steps=each) for job, each in zip(jobs, steps, strict=True)]


def pushed(provider: str, number: int, branch: str) -> dict[str, str]:
    """Return the variables of the pipeline with this number, of a push to a branch: nothing names a pull request."""
    sha = f"{number:x}".ljust(40, "0")
    return {
        "GitLab": {
            "CI_PIPELINE_ID": f"{number}", "CI_COMMIT_BRANCH": branch, "CI_COMMIT_REF_NAME": branch,
            "CI_COMMIT_SHA": sha,
        },
        "Jenkins": {
            "BUILD_TAG": f"jenkins-shop-{number}", "BUILD_NUMBER": f"{number}", "GIT_BRANCH": f"origin/{branch}",
            "GIT_COMMIT": sha,
        },
        "Buildkite": {
            "BUILDKITE_BUILD_ID": f"0{number}-build", "BUILDKITE_BUILD_NUMBER": f"{number}",
            "BUILDKITE_BRANCH": branch, "BUILDKITE_COMMIT": sha,
        },
    }[provider]  # fmt: skip


LIMIT = """
import signal
import pytest

def over(*_):
    pytest.fail("the limit is over")

@pytest.fixture(autouse=True)
def limit():
    signal.signal(signal.SIGALRM, over)  # as pytest-timeout does
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
"""
HANGS = """
import time
import pytest_automation_report

def hangs():
    time.sleep(60)
    return b""

def test_page():
    pytest_automation_report.artifact(hangs, "page.png")
"""
FAILS = """
import pytest

@pytest.hookimpl(wrapper=True)
def {hook}(session):
    done = yield
    {ends}
    return done
"""
MODULES = 8
SLOW = "import time\ndef test_ok():\n    time.sleep(0.5)\n"


def alone(jobs: Iterable[Job]) -> list[Job]:
    """Return the first and the last job, as of a recipe for a single part."""
    first, *_, last = jobs
    return [
        replace(
            job,
            steps=tuple(replace(step, script=re.sub("(PART/|jobs )4", r"\g<1>1", step.script)) for step in job.steps),
            env={name: "1" if value == "4" else value for name, value in job.env.items()},
        )
        for job in (first, last)
    ]


class Pipelines:
    """The pipelines of a project with one recipe, one after the other; ``said`` is what the last one printed."""

    def __init__(self, runner: Runner, jobs: list[Job]) -> None:
        self._runner = runner
        self.jobs = jobs
        self.said = ""

    def write(self, text: str, name: str = "tests/test_new.py") -> None:
        """Write a file into the checkout of each job."""
        for job in self.jobs:
            (self._runner.workspace(job) / name).write_text(text)

    def pass_all(self) -> None:
        """Replace the tests of each checkout by some that pass."""
        for job in self.jobs:
            write_passing_tests(self._runner.workspace(job))

    def run(self, **variables: str) -> list[int]:
        """Run all jobs; return the exit statuses other than 0 that the provider counts."""
        self._runner.said = ""
        statuses = [status for job in self.jobs for status in self._runner.run(job, **variables) if status]
        self.said = self._runner.said
        return statuses


def test_widgets_of_a_merge_request(tmp_path: Path, server: CheckedServer) -> None:
    """The pipeline for an own server leaves GitLab's files, which the job names, whatever the gate says."""
    runner = Runner(tmp_path, "GitLab", server)
    jobs = alone(gitlab("gate/gitlab.yml"))
    pipelines, (_, report) = Pipelines(runner, jobs), jobs
    given = {"AUTOMATION_REPORT_URL": server.address}
    assert pipelines.run(**given, **pushed("GitLab", 7, "main")) == [], pipelines.said
    pipelines.write(BREAKS)
    request = {"CI_MERGE_REQUEST_IID": "3", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_COMMIT_REF_NAME": "feat"}
    assert pipelines.run(**given, **pushed("GitLab", 8, "feat") | request) == [5], pipelines.said
    artifacts = recipe("gate/gitlab.yml")["report"]["artifacts"]
    names = {**artifacts["reports"], "comment": artifacts["paths"][0]}
    written = {kind: (runner.workspace(report) / name).read_text(encoding="utf-8") for kind, name in names.items()}
    cases = {case.get("name"): case for case in ET.fromstring(written["junit"]).iter("testcase")}
    assert (len(cases), cases["test_new"].get("file")) == (16, "tests/test_new.py")
    assert (cases["test_new"].findtext("failure") or "").startswith(f"{server.address}/results/")
    assert "tests/test_new.py" in {entry["location"]["path"] for entry in json.loads(written["codequality"])}
    assert "1 new failure" in written["comment"]


@pytest.mark.parametrize("provider", ["GitLab", "Jenkins", "Buildkite"])
def test_a_second_push_opens_no_gate(provider: str, tmp_path: Path, server: CheckedServer) -> None:
    """A branch that breaks a test stays red with each further push, until the test is mended."""
    pipelines = Pipelines(Runner(tmp_path, provider, server), alone(gated(provider)))
    pipelines.write(MENDED)
    assert pipelines.run(**pushed(provider, 7, "main")) == [], pipelines.said  # two tests of the shop fail
    pipelines.write(BREAKS)
    for number in (8, 9):
        assert pipelines.run(**pushed(provider, number, "feat")) == [5], pipelines.said
        assert "new failure: tests.test_new.test_new" in pipelines.said
    pipelines.write(MENDED)
    assert pipelines.run(**pushed(provider, 10, "feat")) == [], pipelines.said


@pytest.mark.parametrize("ends", ["session.testsfailed += 1", "session.exitstatus = 1"], ids=["coverage", "snapshots"])
def test_a_plugin_that_fails_the_session_makes_the_pipeline_red(
    ends: str, tmp_path: Path, server: CheckedServer
) -> None:
    """A session ends with 1 and no test failed: the job is green for the gate's sake, and the gate ends with 3."""
    hook = "pytest_runtestloop" if "testsfailed" in ends else "pytest_sessionfinish"
    plugin = FAILS.format(hook=hook, ends=ends)
    pipelines = Pipelines(Runner(tmp_path, "GitLab", server), alone(gated("GitLab")))
    pipelines.pass_all()
    pipelines.write(plugin, "conftest.py")
    assert pipelines.run(**pushed("GitLab", 7, "main")) == [3], pipelines.said
    assert "pytest ended with 1 although no test failed" in pipelines.said


def test_a_forks_branch_called_main_is_no_base(tmp_path: Path, server: CheckedServer) -> None:
    """What a pull request of a fork's main breaks is new on the main branch, too: its run is none of that branch."""
    pipelines = Pipelines(Runner(tmp_path, "Buildkite", server), alone(gated("Buildkite")))
    assert pipelines.run(**pushed("Buildkite", 7, "main")) == [], pipelines.said
    pipelines.write(BREAKS)
    fork = {
        "BUILDKITE_PULL_REQUEST": "12", "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main",
        "BUILDKITE_PULL_REQUEST_REPO": "https://github.com/bob/shop.git",
    }  # fmt: skip
    assert pipelines.run(**pushed("Buildkite", 8, "main") | fork) == [5], pipelines.said
    assert pipelines.run(**pushed("Buildkite", 9, "main")) == [5], pipelines.said
    assert "compared with run 1 (main)" in pipelines.said


def test_a_time_limit_makes_the_job_red(tmp_path: Path, server: CheckedServer) -> None:
    """A test whose limit is over while its screenshot is taken fails, and the job with it."""
    pipelines = Pipelines(Runner(tmp_path, "GitLab", server), alone(RECIPES["GitLab"]()))
    pipelines.pass_all()
    pipelines.write(LIMIT, "conftest.py")
    pipelines.write(HANGS)
    assert pipelines.run(**pushed("GitLab", 7, "main")) == [1], pipelines.said
    assert "FAILED tests/test_new.py::test_page - Failed: the limit is over" in pipelines.said


@pytest.mark.parametrize("kind", ["server", "testmo"])
def test_shards_agree_though_a_run_completes_meanwhile(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A pipeline that ends between the starts of two jobs of another one changes no cut: each test runs once.

    By its durations the modules would be cut otherwise.
    """
    server: CheckedServer | ScriptedServer = request.getfixturevalue(kind)
    runner = Runner(tmp_path, "GitLab", server)
    jobs = sorted(RECIPES["GitLab"](), key=lambda job: job.is_last)
    all_jobs, one = (
        Pipelines(runner, jobs),
        Pipelines(runner, [replace(job, name=f"other-{job.name}") for job in alone(jobs)]),
    )
    for pipelines, slow in ((all_jobs, 0), (one, MODULES - 1)):
        pipelines.pass_all()
        pipelines.write(SLOW, f"tests/test_{slow}.py")
    all_jobs.run(**pushed("GitLab", 6, "main"))
    first, second, third, fourth, last = jobs
    for job in (first, second):
        runner.run(job, **pushed("GitLab", 7, "main"))
    one.run(**pushed("GitLab", 8, "main"))
    for job in (third, fourth):
        runner.run(job, **pushed("GitLab", 7, "main"))
    cuts, runner.said = runner.said, ""
    assert runner.run(last, **pushed("GitLab", 7, "main")) == [0, 0], cuts + runner.said
    if isinstance(server, CheckedServer):
        assert f"{MODULES} tests, each once in 4 jobs\n" in runner.said
    else:
        counts = Counter(test["key"] for run, _, test in server.results if run == 2)
        assert [*counts.values()] == [1] * MODULES, cuts
