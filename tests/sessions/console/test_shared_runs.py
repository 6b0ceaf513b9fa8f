"""Several jobs in one run: found by its key, created once, completed when all are in."""

import json
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from pytest_automation_report.api.models import NewRun
from pytest_automation_report.api.responses import UnknownAnswerError
from pytest_automation_report.delivery.launch import Runtime, Timeouts
from pytest_automation_report.delivery.shared_run import LEFT_FIELD, SharedRunLookup
from pytest_automation_report.settings.sharing import key_tag
from support.checked_server import CheckedServer
from support.projects import PAUSED, Project, console, paused
from support.result_files import written
from support.scripted_adapter import client_of
from support.scripted_server.checked import checked_scripted_server
from support.scripted_server.faults import Rule, answer
from support.session_processes import eventually
from support.sessions import reporting_arguments, session_environment

KEY = ["--run-key", "build-7"]
TAG = key_tag("suite", "build-7")


def _session(project: Project, server: CheckedServer, *arguments: str, **env: str) -> subprocess.Popen[str]:
    command = [*reporting_arguments(server.address), "--automation-report-run-key", "build-{build}", *arguments]
    return subprocess.Popen(
        command,
        cwd=project.root,
        env=session_environment({"join_poll": 0.1}, AUTOMATION_REPORT_BUILD="7", **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _shown(project: Project, server_options: list[str]) -> dict[str, object]:
    document = json.loads(console(project.root, "run", "show", *KEY, "--json", *server_options).out)
    shown: dict[str, object] = document["result"]
    return shown


def test_sessions_of_one_key_share_one_run(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """Sessions that start together are threads of one run, made once, and say in them who they are and how they ended.

    The run stays open until it is completed by its key, once however often that is asked for.
    """
    project.tests("import pytest\n@pytest.mark.parametrize('n', range(3))\ndef test_ok(n): pass\n")
    shards = [_session(project, server, f"--automation-report-shard={number}/3") for number in (1, 2, 3)]
    outputs = [each.communicate(timeout=120)[0] for each in shards]
    assert [each.returncode for each in shards] == [0, 0, 0], outputs
    assert all("in the run of the key build-7\n" in each for each in outputs)
    assert {each.answer["id"] for each in server.posts("/automation/runs")} == {1}
    run = server.runs()[0]
    assert (run["name"], TAG in run["tags"]) == ("suite build-7", True)
    assert {each["name"] for each in run.get("fields", ())} & {"Session id", "Shard"} == set()
    shown = _shown(project, server_options)
    assert (shown["is_completed"], shown["total_count"]) == (False, 3)
    threads: list[dict[str, list[dict[str, str]]]] = shown["threads"]  # type: ignore[assignment]
    fields = [{each["name"]: each["value"] for each in thread["fields"]} for thread in threads]
    assert sorted(each["Shard"] for each in fields) == ["1/3", "2/3", "3/3"]
    told: list[Any] = [thread["session"] for thread in threads]
    assert [each["ending"] for each in told] == [{"state": "ended"}] * 3
    assert len({each["Job"] for each in fields}) == 3
    for word in ("is completed", "was completed before"):
        ran = console(project.root, "run", "complete", *KEY, "--expect-jobs", "3", "--timeout", "20s", *server_options)
        assert (ran.exit, ran.out) == (0, "1\n"), ran.text
        assert f"run 1 {word}\n" in ran.err
        assert f"look at it: {server.address}/automation/runs/view/1\n" in ran.err
    assert project.sessions == []


def _race(address: str, jobs: int) -> list[int | None]:
    """Let so many jobs look for a run of one key, none of which has looked before all are there; return their runs."""
    together = threading.Barrier(jobs)
    found: list[int | None] = [None] * jobs
    timeouts = Timeouts(read_back=0.2, join_poll=0.05)
    run = NewRun("shared", "suite", tags=(TAG,))

    def job(place: int) -> None:
        runtime = Runtime(clock=time.monotonic, random=lambda: 0.5, log=lambda _: None)
        with client_of(address, deadline_seconds=60.0) as client:
            joining = SharedRunLookup(client, run, TAG, timeouts, runtime)
            assert [joining.step(), joining.step()] == [None, None]  # it has seen that there is no run
            together.wait(30)
            while found[place] is None:
                with suppress(UnknownAnswerError):  # another job's creation with the same key is under way
                    found[place] = joining.step()

    threads = [threading.Thread(target=job, args=[place]) for place in range(jobs)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    return found


def test_server_without_keys_ends_with_the_oldest_run() -> None:
    """Where several were created, all jobs go to the oldest; the others are completed, empty, and say why."""
    with checked_scripted_server() as server:
        found = _race(server.address, 5)
        assert len(set(found)) == 1
        with client_of(server.address) as client:
            page = client.runs()
    runs = [each for each in reversed(page.result) if TAG in each.tags]
    assert len(runs) == 5
    assert {each.id for each in runs if not each.is_completed} == set(found) == {min(each.id for each in runs)}
    for each in runs[1:]:
        assert each.total == 0
        (why,) = [field.value for field in each.fields if field.name == LEFT_FIELD]
        assert f"run {found[0]}" in str(why)


class _Clock:
    """A clock that a test sets, and what a job does by it."""

    def __init__(self) -> None:
        self.now = 0.0

    def runtime(self) -> Runtime:
        return Runtime(clock=lambda: self.now, random=lambda: 0.5, log=lambda _: None)


@pytest.mark.parametrize("comes", [True, False])
def test_shards_wait_for_the_first(*, comes: bool) -> None:
    """A job that is not the first shard waits for its run, but not for ever: then it creates one itself."""
    clock, run = _Clock(), NewRun("shared", "suite", tags=(TAG,))
    timeouts = Timeouts(join_poll=2.0, join_wait=30.0)

    def run_of(job: SharedRunLookup, seconds: int) -> int | None:
        for _ in range(seconds):
            if run_id := job.step():
                return run_id
            clock.now += 1.0
        return None

    with checked_scripted_server() as other, client_of(other.address) as client:
        first, second = (
            SharedRunLookup(client, run, TAG, timeouts, clock.runtime(), is_first=is_first)
            for is_first in (True, False)
        )
        assert run_of(second, 20) is None
        made = run_of(first, 9) if comes else None
        found = run_of(second, 20)
        assert found == made if comes else found
        assert sum(each.method == "POST" for each in other.log) == 1


def test_jobs_that_differ_in_the_run_they_would_make_share_it() -> None:
    """A job whose run would have other fields, and whose creation is refused for it, goes to the run that is there."""
    with checked_scripted_server() as other, client_of(other.address) as client:
        joining = SharedRunLookup(client, NewRun("a", "suite", tags=(TAG,)), TAG, Timeouts(), _Clock().runtime())
        assert [joining.step(), joining.step()] == [None, None]
        made = client.create_run(NewRun("b", "suite", tags=(TAG,)))
        other.script([Rule("POST", r"automation/runs$", answer(422, {"message": "This key was used."}))])
        assert joining.step() == made


def test_completion_waits_for_all_jobs(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """A run with a job that is still running stays open, with exit code 3 and the number of jobs that are in."""
    run_id = console(project.root, "run", "create", *server_options).out.strip()
    written(project.root / "a.xml", ["one"])
    assert console(project.root, "submit", "a.xml", "--run-id", run_id, *server_options[:4]).exit == 0
    with paused(project, "--automation-report-run-id", run_id, address=server.address):
        early = console(
            project.root, "run", "complete", run_id, "--expect-jobs", "2", "--timeout", "0s", *server_options[:4]
        )
        assert (early.exit, early.out) == (3, ""), early.text
        assert early.err.startswith(f"run {run_id} stays open after 0 seconds: 1 of 2 jobs are in")
    console(
        project.root, "run", "complete", run_id, "--expect-jobs", "2", "--timeout", "30s", *server_options[:4], exits=0
    )


def test_completion_waits_for_a_job_that_runs_again(project: Project, server: CheckedServer) -> None:
    """A job whose first session has ended is not in while a later session of it runs."""
    run_id = console(project.root, "run", "create", *server.options, "--source", "suite").out.strip()
    shared = (f"--automation-report-run-id={run_id}", "-oautomation_report_job=unit", "-p", "no:cacheprovider")
    project.report(*shared, address=server.address, exits=0)
    command = ("run", "complete", run_id, "--expect-jobs", "1", "--timeout")
    with paused(project, *shared, address=server.address):
        eventually(lambda: len(server.posts("/threads")) == 2, "thread of the second session")
        early = console(project.root, *command, "0s", *server.options, exits=3)
        assert "stays open after 0 seconds: 0 of 1 job is in; missing: unit\n" in early.err
        assert f"run complete {run_id} --url={server.address} --project-id=1\n" in early.err
    console(project.root, *command, "30s", *server.options, exits=0)


def test_completion_waits_for_the_server_and_for_the_first_job(project: Project) -> None:
    """A last job that comes while the server is down, or before any other job, waits for both within its time."""
    with checked_scripted_server() as server:
        server.down()
        words = ["run", "complete", "--expect-jobs", "1", "--timeout", "60s", *KEY]
        words += [*server.options, "--source", "suite"]
        with subprocess.Popen(
            [sys.executable, "-m", "pytest_automation_report.cli", *words],
            cwd=project.root,
            env=session_environment({"join_poll": 0.1}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as last:
            assert last.stderr is not None
            assert "Connection refused; trying again for" in last.stderr.readline()
            server.up()
            assert "there is no run of the key 'build-7'" in last.stderr.readline()
            project.report("--automation-report-run-key", "build-7", address=server.address, exits=0)
            out, err = last.communicate(timeout=60)
    assert last.returncode == 0, err
    assert f"run {out.strip()} is completed\n" in err


GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_JOB": "test", "GITHUB_RUN_ATTEMPT": "2"}
PYTHON = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
CUT = "--automation-report-shard=1/4"
NAMED_JOBS = [
    ((CUT,), GITHUB, f"test 1/4 ({PYTHON})", rf"test 1/4 \({PYTHON}\)", 2),
    ((), GITHUB, f"test ({PYTHON})", rf"test \({PYTHON}\) \(\S+\)", 2),
    ((), {**GITHUB, "AUTOMATION_REPORT_JOB": "mine"}, "mine", "mine", 2),
    ((CUT,), {**GITHUB, "AUTOMATION_REPORT_JOB": "mine"}, "mine 1/4", "mine 1/4", 2),
    ((CUT,), {"AUTOMATION_REPORT_JOB": "mine 1/4"}, "mine 1/4", "mine 1/4", 1),
    ((CUT,), {}, "shard 1/4", "shard 1/4", 1),
    (
        (),
        {"GITLAB_CI": "1", "CI_JOB_NAME": "unit 1/3", "CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "3"},
        "unit 1/3",
        "unit 1/3",
        1,
    ),
]


@pytest.mark.parametrize(("arguments", "environ", "name", "label", "attempt"), NAMED_JOBS)
def test_the_server_is_told_whose_results_they_are(
    project: Project,
    server: CheckedServer,
    arguments: tuple[str, ...],
    environ: dict[str, str],
    name: str,
    label: str,
    attempt: int,
) -> None:
    """A thread has the user's name of the job, else the provider's with its part, and its attempt.

    Where the provider gives one name to all jobs of a matrix, the Python tells them apart, and each session counts.
    The number of a shard that this plugin cuts belongs to each name.
    """
    session = _session(project, server, *arguments, **environ)
    out, _ = session.communicate(timeout=120)
    assert session.returncode == 0, out
    (thread,) = server.posts("/threads")
    assert thread.body["job"] == {"name": name, "attempt": attempt}
    (job,) = [field["value"] for field in thread.body["fields"] if field["name"] == "Job"]
    assert re.fullmatch(label, job)


def test_workers_that_run_every_test_are_jobs(project: Project, server: CheckedServer) -> None:
    """With ``--dist each`` the result of one worker does not stand for that of another: each is a job of its own."""
    project.report("-n", "2", "--dist", "each", address=server.address, exits=0)
    assert sorted(thread.body["job"]["name"] for thread in server.posts("/threads")) == ["gw0", "gw1"]


def _key_options(address: str) -> list[str]:
    return [*KEY, "--url", address, "--project-id", "1", "--source", "suite"]


def test_a_completed_run_takes_the_rest(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """A job whose run another command completes goes on in a new thread of that run: nothing is lost."""
    run_id = console(project.root, "run", "create", *_key_options(server.address)).out.strip()
    with paused(project, "--automation-report-run-key", "build-7", address=server.address):
        console(project.root, "run", "complete", run_id, *_key_options(server.address)[2:], exits=0)
    shown = _shown(project, server_options)
    assert (shown["is_completed"], shown["total_count"]) == (True, PAUSED.count("def test_"))
    assert project.sessions == []


def test_another_server_gets_a_run_for_late_results() -> None:
    """Where a completed run takes nothing, a later attempt shares a new run, which names the earlier one."""
    with checked_scripted_server() as server, client_of(server.address) as client:
        run = NewRun("suite 7", "suite", tags=(TAG,))
        first = client.create_run(run)
        client.complete_run(first, measure_elapsed=False)
        found = []
        for _ in range(2):
            lookup = SharedRunLookup(client, run, TAG, Timeouts(read_back=0.0), _Clock().runtime())
            while (run_id := lookup.step()) is None:
                pass
            found.append((run_id, lookup.remark))
        second = client.run(found[0][0])
    assert second.name == f"suite 7 (again, after run {first})"
    assert found[1] == (second.id, "")
    assert found[0][1] == (
        f"run {first} with this key was already completed, so these results are in run {second.id}; it stays open "
        f"until automation-report run complete {second.id}"
    )
