import json
import subprocess

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.sessions import reporting_arguments, session_environment, skip_without_workers


def connection(server: CheckedServer) -> list[str]:
    return ["--url", server.address, "--project-id", "1"]


def started(command: list[str], project: Project, env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=project.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_sessions_join_one_run_at_the_same_time(project: Project, server: CheckedServer) -> None:
    """Two sessions, told by option and by variable, add threads to a run made before and leave it open."""
    made = console(project.root, "run", "create", *connection(server), "--source", "suite", "--name", "shared", exits=0)
    run_id = made.out.strip()
    by_option = [*reporting_arguments(server.address), "--automation-report-run-id", run_id]
    by_variable = [*reporting_arguments(server.address), "-n2"]
    skip_without_workers(by_variable)
    sessions = [
        started(by_option, project, session_environment()),
        started(by_variable, project, session_environment(AUTOMATION_REPORT_RUN_ID=run_id)),
    ]
    outputs = [each.communicate(timeout=120)[0] for each in sessions]
    assert [each.returncode for each in sessions] == [0, 0], outputs
    assert all(f"joining run {run_id}" in each for each in outputs)
    shown = json.loads(console(project.root, "run", "show", run_id, "--json", *connection(server)).out)["result"]
    assert not shown["is_completed"]
    assert [each["is_completed"] for each in shown["threads"]] == [True, True]
    assert shown["total_count"] == 2
    assert len(server.runs()) == 1
    assert console(project.root, "run", "complete", run_id, *connection(server)).exit == 0
    shown = json.loads(console(project.root, "run", "show", run_id, "--json", *connection(server)).out)["result"]
    assert shown["is_completed"]
    assert project.sessions == []


def test_run_that_cannot_be_joined_is_told_and_results_are_kept(project: Project, server: CheckedServer) -> None:
    """Joining a run that the server does not have keeps the results and tells why."""
    ran = project.report("--automation-report-run-id", "77", address=server.address, exits=0)
    assert "1 result kept" in ran.out
    assert "refused" in ran.out
    assert len(project.sessions) == 1
