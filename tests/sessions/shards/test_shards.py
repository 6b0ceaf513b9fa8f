"""``--automation-report-shard``: jobs run each a part of the tests, which are all tests together."""

import re
import subprocess
import sys
from collections import Counter

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.scripted_server.faults import Rule, answer, hang, reset_before
from support.scripted_server.server import ScriptedServer
from support.scripted_server.sources import PAGE
from support.sessions import Ran, reporting_arguments, session_environment

SUITE = """
import time
import pytest

@pytest.mark.parametrize("n", range({tests}))
def test_{name}(n):
    time.sleep({seconds})
"""
MODULES = {"a": (4, 0.1), "b": (8, 0.0), "c": (12, 0.0), "d": (2, 0.1)}
TESTS = {f"test_{name}.test_{name}[{number}]" for name, (count, _) in MODULES.items() for number in range(count)}


@pytest.fixture
def project(project: Project) -> Project:
    """Return a project of four modules, of which two take long."""
    (project.root / "test_suite.py").unlink()
    for name, (tests, seconds) in MODULES.items():
        project.write(f"test_{name}.py", SUITE.format(tests=tests, name=name, seconds=seconds))
    return project


def gitlab(index: int, total: int, pipeline: int = 1) -> dict[str, str]:
    """Return the environment of a parallel job of GitLab."""
    job = {
        "CI_JOB_ID": "1",
        "CI_JOB_NAME": f"unit {index}/{total}",
        "CI_NODE_INDEX": str(index),
        "CI_NODE_TOTAL": str(total),
    }
    ref = {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_SHA": "ab" * 20}
    key = {"CI_PIPELINE_ID": str(pipeline), "AUTOMATION_REPORT_RUN_KEY": "{pipeline}"}
    return {**session_environment(), "GITLAB_CI": "true", "CI": "true", **key, **job, **ref}


def job(project: Project, address: str | None, index: int, *arguments: str, total: int = 3, pipeline: int = 1) -> Ran:
    """Run one job of a pipeline, which passes."""
    shard = ("--automation-report-shard=auto", *arguments)
    return project.report(*shard, address=address, env=gitlab(index, total, pipeline), exits=0)


def summary_of(ran: Ran) -> str:
    """Return the line of the summary on the shard."""
    (line,) = re.findall(r"automation report: (shard .*)", ran.out)
    return str(line)


def ran_in(server: CheckedServer, run: int) -> Counter[str]:
    """Return how often each test of a run ran."""
    threads = {seen.answer["id"] for seen in server.posts(f"/runs/{run}/threads")}
    appends = [seen for seen in server.posts("/append") if "/threads/" in seen.path]
    return Counter(
        f"{test['folder']}.{test['name']}"
        for seen in appends
        if int(seen.path.split("/")[-2]) in threads
        for test in seen.body.get("tests", [])
    )


def completed(project: Project, server: CheckedServer, pipeline: int = 1) -> str:
    """Complete the run of a pipeline by its key; return what is said of it."""
    options = ("--run-key", str(pipeline), "--source", "suite")
    return console(project.root, "run", "complete", *options, *server.options, exits=0).err


def test_jobs_run_each_test_once(project: Project, server: CheckedServer) -> None:
    """Jobs of a provider run all tests together, each once, with and without workers, and the server proves it.

    From the second pipeline on the tests are cut by their durations, whole modules where that is even.
    """
    for index in (1, 2, 3):
        workers = ("-n", "2") if index == 2 else ()
        by = summary_of(job(project, server.address, index, *workers)).partition(", ")[2]
        assert by == "cut by number: no run has durations yet"
    assert "26 tests, each once" in completed(project, server)
    assert ran_in(server, 1) == Counter(TESTS)
    lines = [summary_of(job(project, server.address, index, total=2, pipeline=2)) for index in (1, 2)]
    assert "26 tests, each once" in completed(project, server, 2)
    assert ran_in(server, 2) == Counter(TESTS)
    assert [re.sub(r" [0-9]+ of", " N of", line) for line in lines] == [
        f"shard {index}/2: N of 26 tests, cut by durations in run 1" for index in (1, 2)
    ]
    slow = [{name for _, name in names_of(server, thread) if name[5] in "ad"} for thread in (-2, -1)]
    assert sorted(map(len, slow)) == [3, 3]


def names_of(server: CheckedServer, thread: int) -> list[tuple[str, str]]:
    """Return folder and name of the tests of one of the threads, by its place among all of them."""
    number = [seen.answer["id"] for seen in server.posts("/threads")][thread]
    appends = server.posts(f"/threads/{number}/append")
    return [(test["folder"], test["name"]) for seen in appends for test in seen.body.get("tests", [])]


def test_a_selection_is_cut_and_proven(project: Project, server: CheckedServer) -> None:
    """What ``-k``, ``--deselect`` and other plugins leave out is in no shard, and is not missing."""
    project.write(
        "conftest.py",
        """
        def pytest_collection_modifyitems(items):
            items[:] = [each for each in items if "[1]" not in each.nodeid]
        """,
    )
    for index in (1, 2, 3):
        job(project, server.address, index, "-k", "not test_c", "--deselect", "test_b.py::test_b[0]")
    assert "10 tests, each once" in completed(project, server)


def test_a_shard_that_is_missing_is_named(project: Project, server: CheckedServer) -> None:
    """A job that did not run, and one that ran with the number of another, are named with the tests they lack."""
    for index in (1, 3):
        job(project, server.address, index)
    assert re.search(r"\n[0-9]+ missing, from unit 2/3\n", completed(project, server))
    for index, number in ((1, 1), (2, 2), (3, 2)):
        shard = f"--automation-report-shard={number}/3"
        project.report(shard, address=server.address, env=gitlab(index, 3, 2), exits=0)
    assert re.search(r"\n[0-9]+ missing, [0-9]+ twice, from ", completed(project, server, 2))


def test_jobs_of_a_pipeline_use_the_same_runs(project: Project, server: CheckedServer) -> None:
    """Jobs that start together, and one that comes when other runs were completed, have one cut."""
    project.report(address=server.address, env=session_environment(AUTOMATION_REPORT_BRANCH="main"), exits=0)
    jobs = [
        subprocess.Popen(
            [*reporting_arguments(server.address), "--automation-report-shard=auto"],
            cwd=project.root,
            env=gitlab(index, 3),
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in (1, 2)
    ]
    outputs = [each.communicate(timeout=120)[0] for each in jobs]
    assert [each.returncode for each in jobs] == [0, 0]
    project.write("test_a.py", SUITE.format(tests=4, name="a", seconds=0))
    for _ in range(2):
        project.report(address=server.address, env=session_environment(AUTOMATION_REPORT_BRANCH="main"), exits=0)
    last = job(project, server.address, 3)
    assert all("cut by durations in run 1\n" in each for each in (*outputs, last.out))
    assert "26 tests, each once" in completed(project, server)
    # The job runs again, when the run is completed and a newer one has other durations.
    assert summary_of(job(project, server.address, 3)) == summary_of(last)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "hangs"])
def test_without_an_answer_the_tests_are_cut_by_number(project: Project, address: str) -> None:
    """Where the server is down or does not answer in 3 seconds, each test still runs in one job, and it is said."""
    with ScriptedServer() as silent:
        silent.script([Rule("GET", "/runs", hang(), count=None)])
        url = silent.address if address == "hangs" else address
        why = f"{url}: {'no complete response within 3 s' if address == 'hangs' else 'Connection refused'}"
        order = "-oautomation_report_order=failed-first"
        jobs = [job(project, url, index, "-v", order, "--automation-report-delivery=later") for index in (1, 2, 3)]
    tests = Counter(name for each in jobs for name in re.findall(r"::(\S+) PASSED", each.out))
    assert tests == Counter(name.partition(".")[2] for name in TESTS)
    for each in jobs:
        assert re.fullmatch(rf"shard ./3: [89] of 26 tests, cut by number: {why}", summary_of(each))
        assert f"ordered: as collected: {why}" in each.out


def test_jobs_that_get_no_answer_have_another_cut_and_the_proof_says_so(
    project: Project, server: CheckedServer
) -> None:
    """Where one of three jobs gets none in 3 seconds, ``run finish`` names what is missing and twice, and ends with 3.

    When that job runs again, it has the cut of the others, and its first tests count no more.
    """
    project.report(address=server.address, env=session_environment(AUTOMATION_REPORT_BRANCH="main"), exits=0)
    lines = []
    for index, held in ((1, "nothing"), (2, "/durations"), (3, "nothing")):
        server.held = held
        lines.append(summary_of(job(project, server.address, index)).partition("tests, ")[2])
    server.goes_on.set()
    by_durations = "cut by durations in run 1"
    by_number = f"cut by number: {server.address}: no complete response within 3 s"
    assert lines == [by_durations, by_number, by_durations]
    options = ("--run-key", "1", "--expect-jobs", "3", "--source", "suite", *server.options)
    finished = console(project.root, "run", "finish", *options, exits=3)
    assert re.search(r"\n(?:[0-9]+ missing, )?[0-9]+ twice, from unit 2/3", finished.err)
    again = project.report(
        "--automation-report-shard=auto", address=server.address, env={**gitlab(2, 3), "CI_JOB_ID": "99"}, exits=0
    )
    assert summary_of(again).endswith(by_durations)
    assert "26 tests, each once in 3 jobs" in console(project.root, "run", "finish", *options, exits=0).err


def test_the_limit_is_for_the_answer_and_not_for_the_start_of_the_process(
    project: Project, server: CheckedServer
) -> None:
    """On a busy machine to import the client may take longer than a request may; then durations count, too."""
    project.report(address=server.address, env=session_environment(AUTOMATION_REPORT_BRANCH="main"), exits=0)
    slow = project.write(
        "slow",
        f"""\
        #!{sys.executable}
        import os, sys
        begin = "from pytest_automation_report.cli.findings"
        words = [word.replace(begin, "import time; time.sleep(4)\\n" + begin) for word in sys.argv[1:]]
        os.execv({sys.executable!r}, [{sys.executable!r}, *words])
        """,
    )
    slow.chmod(0o755)
    project.write("conftest.py", f"import sys\nsys.executable = {str(slow)!r}\n")
    ran = job(project, server.address, 1, "--automation-report-delivery=later")
    assert summary_of(ran).endswith("cut by durations in run 1")


def test_a_missing_token_is_said_once(project: Project) -> None:
    """The line on the shard does not repeat where a token can be set, which another line of the summary says."""
    environ = {name: value for name, value in gitlab(1, 3).items() if "TOKEN" not in name}
    ran = project.pytest(
        "--automation-report",
        "--automation-report-shard=auto",
        env={**environ, "AUTOMATION_REPORT_URL": "http://127.0.0.1:9", "AUTOMATION_REPORT_PROJECT_ID": "1"},
        exits=0,
    )
    assert summary_of(ran).endswith("cut by number: no token can be used")
    assert ran.out.count("no token: set") == 1


def test_testmo_gives_the_durations_of_its_newest_run(project: Project, testmo: ScriptedServer) -> None:
    """With a server that is none of ours the newest completed run of the branch counts, and its id is shown."""
    for branch in ("main", "main", "other"):
        environ = session_environment(AUTOMATION_REPORT_BRANCH=branch)
        project.report(address=testmo.address, env=environ, exits=0)
    _, newest, _ = sorted({run for run, _, _ in testmo.results})
    sources = {**PAGE, "result": [{"id": 1, "name": "suite"}]}
    testmo.script([Rule("GET", "/sources", answer(200, sources), count=None)])
    ran = job(project, testmo.address, 1)
    assert summary_of(ran).endswith(f"of 26 tests, cut by durations in run {newest}")
    options = ("--source", "suite", "--url", testmo.address, "--project-id", "1")
    console(project.root, "run", "complete", "--run-key", "1", *options, exits=0)
    # When the job runs again, its own run does not count.
    assert summary_of(job(project, testmo.address, 1)) == summary_of(ran)


def ran_on(testmo: ScriptedServer, run: int) -> Counter[str]:
    """Return how often each test of a run ran."""
    return Counter(f"{test['folder']}.{test['name']}" for of, _, test in testmo.results if of == run)


def branch_run(project: Project, address: str, branch: str = "main") -> None:
    """Report a completed run of a branch."""
    project.report(address=address, env=session_environment(AUTOMATION_REPORT_BRANCH=branch), exits=0)


def test_runs_that_complete_between_the_starts_change_no_shard(project: Project, testmo: ScriptedServer) -> None:
    """With a server that is none of ours all jobs are cut by a run that was completed before theirs was created.

    Other runs are completed before the next job starts; a job that runs again, when its run is completed and its
    results go to another one, has the tests that it had. Nothing runs twice or nowhere.
    """
    branch_run(project, testmo.address)
    newest = max(run for run, _, _ in testmo.results)
    lines = []
    for index in (2, 3, 1):
        lines.append(summary_of(job(project, testmo.address, index)))
        project.write("test_a.py", SUITE.format(tests=4, name="a", seconds=0.3 * (index == 2)))
        for _ in range(2):
            branch_run(project, testmo.address)
    assert [line.partition("cut by ")[2] for line in lines] == [f"durations in run {newest}"] * 3
    shared = max(run.id for run in testmo.store.runs.values() if run.body["name"].endswith(" 1"))
    assert ran_on(testmo, shared) == Counter(TESTS)
    options = ("--source", "suite", "--url", testmo.address, "--project-id", "1")
    console(project.root, "run", "complete", "--run-key", "1", *options, exits=0)
    again = job(project, testmo.address, 2)
    assert (summary_of(again), "was already completed" in again.out) == (lines[0], True)


def test_a_run_of_the_same_second_cuts_nothing(project: Project, testmo: ScriptedServer) -> None:
    """A server that shows whole seconds does not tell which was first, so such a run counts for no job."""
    testmo.store.is_clock_still = True
    branch_run(project, testmo.address)
    by = [summary_of(job(project, testmo.address, index)).partition("cut by ")[2] for index in (1, 2)]
    assert by == ["number: no run has durations yet"] * 2


def test_a_job_asks_for_a_while(project: Project, testmo: ScriptedServer) -> None:
    """A server that fails at first decides no cut: the job asks again."""
    branch_run(project, testmo.address)
    testmo.script([Rule("GET", "/runs", reset_before(), count=3)])
    env = {**gitlab(1, 3), **session_environment({"cut": 30})}
    ran = project.report("--automation-report-shard=auto", address=testmo.address, env=env, exits=0)
    assert "cut by durations in run" in summary_of(ran)


def test_shards_that_began_without_an_answer_go_on_by_number(project: Project, testmo: ScriptedServer) -> None:
    """If the first jobs got no answer, their run says so, and jobs that get one fit: each test runs once."""
    branch_run(project, testmo.address)
    testmo.down()
    first = summary_of(job(project, testmo.address, 1, "--automation-report-delivery=later"))
    assert "cut by number: " in first
    testmo.up()
    options = ("--url", testmo.address, "--project-id", "1")
    console(project.root, "send", *options, exits=0)
    shared = max(testmo.store.runs)
    for index in (2, 3):
        by = summary_of(job(project, testmo.address, index)).partition("cut by ")[2]
        assert by == f"number: as the first jobs of run {shared}, which got no answer"
    assert ran_on(testmo, shared) == Counter(TESTS)
    assert "Cut by number" in {each["name"] for each in testmo.store.runs[shared].resources["fields"]}
    finished = console(project.root, "run", "finish", "--run-key", "1", "--source", "suite", *options, exits=0)
    assert "cut by number" not in finished.err


def test_a_shard_without_an_answer_is_named_on_testmo(project: Project, testmo: ScriptedServer) -> None:
    """Where one of three jobs got none, `run finish` names it and ends with 3, until it has run again."""
    branch_run(project, testmo.address)
    job(project, testmo.address, 1)
    testmo.script([Rule("GET", "/runs", hang(), count=8)])
    assert "cut by number: " in summary_of(job(project, testmo.address, 2, "--automation-report-delivery=later"))
    testmo.forget()
    options = ("--url", testmo.address, "--project-id", "1")
    console(project.root, "send", *options, exits=0)
    job(project, testmo.address, 3)
    finish = ("run", "finish", "--run-key", "1", "--source", "suite", *options)
    again = "run unit 2/3 again: it got no answer, so it was cut by number, and tests may be missing or have run twice"
    assert again in console(project.root, *finish, exits=3).err


def test_shard_without_tests_passes(project: Project, server: CheckedServer) -> None:
    """A job that gets no test ends with exit code 0, also with workers, and is in; a suite without tests does not."""
    (project.root / "test_c.py").unlink()
    for name in "abd":
        project.write(f"test_{name}.py", f"def test_{name}(): pass\n")
    for index in (1, 2, 3, 4, 5):
        ran = job(project, server.address, index, *(("-n", "2") if index == 5 else ()), total=5)
    assert summary_of(ran) == "shard 5/5: 0 of 3 tests, cut by number: no run has durations yet"
    run = console(project.root, "run", "complete", "--run-key", "1", "--expect-jobs", "5", "--timeout", "20s",
                  "--source", "suite", *server.options, exits=0)  # fmt: skip
    assert "3 tests, each once" in run.err
    assert project.pytest("--automation-report-shard=1/2", "-k", "nothing").exit == 5


def test_auto_without_a_number(project: Project) -> None:
    """Outside of CI, and in a job that is not parallel, ``auto`` runs all tests; one without numbers is named."""
    teamcity = session_environment(TEAMCITY_VERSION="2026")
    for environ in (session_environment(), session_environment(GITLAB_CI="true"), teamcity):
        ran = project.pytest("--automation-report-shard=auto", env=environ, exits=0)
        assert ("26 passed" in ran.out, "shard" in ran.out) == (True, False)
    github = project.pytest("--automation-report-shard=auto", env=session_environment(GITHUB_ACTIONS="1"), exits=4)
    assert "GitHub does not number parallel jobs: write the number, as in 3/8" in github.err


def test_jobs_without_a_key_have_runs_of_their_own(project: Project, server: CheckedServer) -> None:
    """Without a run key each job's run is a part of the suite, and the summary says how jobs share one.

    A session that is not reported runs the same part.
    """
    ran = project.report("--automation-report-shard=1/3", address=server.address, exits=0)
    assert "each shard gets a run of its own; set automation_report_run_key so that the jobs share one" in ran.out
    fields = {each["name"]: each["value"] for each in server.runs()[0]["fields"]}
    assert (fields["Selection"], fields["Shard"]) == ("--automation-report-shard=1/3", "1/3")
    bare = project.pytest("--automation-report-shard=1/3", exits=0)
    assert summary_of(bare) == summary_of(ran)
    assert "run_key" not in bare.out


def test_tests_that_depend_on_each_other_are_in_one_shard(project: Project, server: CheckedServer) -> None:
    """Tests of a module whose markers bind them together are not split, also with groups of pytest-xdist."""
    project.write("pytest.ini", "[pytest]\nmarkers =\n    dependency\n    xdist_group\n")
    for path in project.root.glob("test_*.py"):
        path.unlink()
    marks = "@pytest.mark.dependency\n@pytest.mark.xdist_group('one')\n"
    project.write("test_a.py", "import pytest\n" + "".join(f"{marks}def test_{n}(): pass\n" for n in range(8)))
    grouped = ("-n", "2", "--dist", "loadgroup")
    lines = [summary_of(job(project, server.address, index, *grouped, total=2)) for index in (1, 2)]
    assert [line[:21] for line in lines] == ["shard 1/2: 8 of 8 tes", "shard 2/2: 0 of 8 tes"]
    assert "8 tests, each once" in completed(project, server)
