"""Many jobs of one pipeline that begin in the same second, as real sessions against a real server."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_automation_report.api.models import PostgresDatabase
from support.service import API, option
from support.serving import asking, served
from support.sessions import TOKEN, reporting_arguments, session_environment

TESTS = 3
SUITE = f"""
import pytest

@pytest.mark.parametrize("number", range({TESTS}))
def test_ok(number):
    pass
"""

LOADED = {
    "request": 60.0, "exit_all": 150.0, "exit_progress": 90.0, "exit_down": 1.0, "alone": 30.0, "retry_base": 0.5,
    "read_back": 2.0,
}  # fmt: skip
"""The limits of users, but for those that a machine stretches that has two processes a session for its two cores."""


def _begun(folder: Path, address: str, number: int, count: int) -> subprocess.Popen[str]:
    """Start a job in a folder that is its alone, as in a container."""
    own = folder / f"job-{number}"
    own.mkdir()
    (own / "pytest.ini").write_text("[pytest]\n")
    (own / "test_suite.py").write_text(SUITE)
    command = [*reporting_arguments(address), "--automation-report-run-key", "build-7", "--automation-report-strict"]
    return subprocess.Popen(
        command,
        cwd=own,
        env=session_environment(LOADED, AUTOMATION_REPORT_SHARD=f"{number + 1}/{count}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("new_place", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.slow
def test_sessions_that_join_a_run_at_once_deliver_before_they_end(
    tmp_path: Path, new_place: Path | PostgresDatabase, pytestconfig: pytest.Config
) -> None:
    """Of many strict sessions of one key each ends with all its results delivered, in one run, and leaves no spool."""
    count = int(pytestconfig.getoption("--joins") or 0)
    given = {"AUTOMATION_REPORT_SERVER_TOKEN": TOKEN, "AUTOMATION_REPORT_DATABASE": option(new_place)}
    with served(tmp_path, **given) as (address, _), ExitStack() as jobs:
        begun = [jobs.enter_context(_begun(tmp_path, address, number, count)) for number in range(count)]
        outputs = [job.communicate(timeout=300)[0] for job in begun]
        with asking(TOKEN) as session:
            runs = session.get(f"{address}{API}/projects/1/automation/runs").json()["result"]
    failed = [output for output, job in zip(outputs, begun, strict=True) if job.returncode]
    assert failed == []
    assert [(run["thread_count"], run["total_count"]) for run in runs] == [(count, count * TESTS)]
    assert list(tmp_path.glob("job-*/.automation-report/spool/*/session.json")) == []
