"""Stores that each release has left (`tests/data/stores`), opened by the code of today."""

import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.cli.main import main
from support.commands import command_runner
from support.contract import Contract
from support.kept_stores import VERSIONS, dies_at, kept_database, kept_file, rows_of, schema_of
from support.service import ON_BOTH, option
from support.session_processes import wait_for_senders
from support.sessions import run, run_session, send, session_environment
from support.website import Site

CONSOLE = [sys.executable, "-m", "pytest_automation_report.cli"]
Place: TypeAlias = Path | PostgresDatabase
EACH = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
def kept(place: Place, version: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], Place]:
    """Return a function that makes one more store as this version's release has left it."""
    if isinstance(place, Path):
        return partial(kept_file, tmp_path, version)
    return partial(kept_database, request.getfixturevalue("cluster"), version)


@ON_BOTH
@EACH
def test_its_tables_become_those_of_a_new_store(kept: Callable[[], Place], place: Place) -> None:
    """A store that was migrated differs in nothing from one that is made today, but for the order of columns."""
    assert schema_of(kept()) == schema_of(place)


@ON_BOTH
@EACH
def test_it_has_all_that_it_had(kept: Callable[[], Place], contract: Contract) -> None:
    """Runs, results, known failures, artifacts, tokens and pages are as they were, and its counts are right."""
    place = kept()
    runner = command_runner()
    done = runner.invoke(main, ["store", "check", "--database", option(place)])
    assert (done.exit_code, "42 results in 6 runs: all right" in done.stderr) == (0, True), done.output
    tokens = runner.invoke(main, ["server", "token", "list", "--database", option(place)])
    assert tokens.stdout.split() == ["boss", "ci", "reader"]
    site = Site(place, contract)
    for number, words in {2: "1 of 2 tests failed", 4: "All 8 tests passed", 5: "4 of 10 tests failed"}.items():
        assert words in site.text(f"/runs/{number}")
    assert "SHOP-1" in site.text("/runs/5")
    assert site.get("/runs/1").status_code == 410
    broken = site.service.run(5)
    assert (broken["total_count"], len(broken["threads"])) == (10, 2)
    for path in ("", "projects/2", "sources/1", "tests/3", "search?q=cart", "runs/6", "runs/7", "results/20"):
        site.shown(f"/{path}")
    site.service.store.close()
    assert contract.violations == []


@ON_BOTH
@pytest.mark.parametrize("version", ["1"])  # later ones tell values
def test_what_its_sessions_told_in_texts_are_values(kept: Callable[[], Place], contract: Contract) -> None:
    """How sessions ended, their numbers and known failures are values, and pages show them where the texts stood."""
    site = Site(kept(), contract)
    runs = [site.service.run(number) for number in (2, 4, 5, 6, 7)]
    holders = [each for run in runs for each in (run, *run["threads"])]
    told = [each["session"]["ending"] for each in holders if "ending" in each["session"]]
    assert {"state": "ended", "status": 1} in told
    assert {ending["state"] for ending in told} == {"ended", "other"}
    names = {field["name"] for each in holders for field in each["fields"]}
    assert names & {"Session", "Not run", "Collected", "Deselected"} == set()
    (number, shown) = next((run["id"], run["session"]) for run in runs if run["session"].get("collected"))
    details = site.text(f"/runs/{number}?view=details")
    assert f"Collected {shown['collected']}" in details
    assert "exit status" in details
    results = [
        each
        for run in runs
        for each in site.service.get(f"/automation/runs/{run['id']}/results").json["result"]["tests"]
    ]
    (known, *_) = [each for each in results if each["known"]]
    assert known["known"] == {"until": "2999-12-31", "reason": "SHOP-1 the bank is closed"}
    assert "Known until" not in {field["name"] for field in known["fields"]}
    assert "Known until 2999-12-31 SHOP-1" in site.text(f"/results/{known['automation_test_id']}")
    site.service.store.close()


@ON_BOTH
@EACH
def test_its_files_are_of_the_projects_that_used_them(kept: Callable[[], Place], contract: Contract) -> None:
    """Files are shown where they were, and a token for another project does not get them."""
    place = kept()
    site = Site(place, contract)
    pages = [site.shown(f"/results/{each}") for each in site.result_ids(5)]
    files = re.findall("/artifacts/[0-9a-f]{64}", "".join(pages))
    assert files
    for project, status in ((site.service.run(5)["project_id"], 200), (77, 404)):
        words = ["server", "token", "create", f"of-{project}", "--role", "report", "--project", str(project)]
        made = command_runner().invoke(main, [*words, "--database", option(place)])
        headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        assert {site.client.simulate_get(path, headers=headers).status_code for path in files} == {status}
    site.service.store.close()


@ON_BOTH
@EACH
def test_a_kill_at_any_statement_of_its_migration_loses_nothing(kept: Callable[[], Place]) -> None:
    """Whoever opens the store after that goes on or begins again, and it ends as if nothing had happened."""
    whole, number = rows_of(kept()), 0
    while dies_at(number := number + 1, place := kept()):
        assert rows_of(place) == whole, f"killed at statement {number}"
    assert number > 12


@pytest.fixture
def kept_project(version: str, tmp_path: Path) -> Path:
    """Return the folder of a project whose sessions reported to its own store before the update."""
    (tmp_path / ".automation-report").mkdir(mode=0o700)
    kept_file(tmp_path, version).rename(tmp_path / ".automation-report" / "store.sqlite3")
    (tmp_path / "test_shop.py").write_text("def test_cart(): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


@EACH
def test_a_session_reports_to_it(kept_project: Path) -> None:
    """A session migrates the store of its project; a command that comes later finds old and new runs."""
    told = run_session(kept_project, exits=0).text
    assert "1 of 1 result delivered: 1 passed" in told, told
    listed = run([*CONSOLE, "run", "list"], kept_project, session_environment(), exits=0)
    assert listed.out.split() == ["8", "7", "6", "5", "4"]


@EACH
def test_a_command_says_that_it_migrates(kept_project: Path, version: str) -> None:
    """Whoever waits for it reads on stderr what is done; stdout stays that of the command."""
    listed = run([*CONSOLE, "run", "list"], kept_project, session_environment(), exits=0)
    place = ".automation-report/store.sqlite3: its tables are of version"
    assert re.search(
        rf"{place} {version}; they are changed to version \d+\n.*{place} \d+ now, after \d+ s\n", listed.err
    )
    assert listed.out.split() == ["7", "6", "5", "4"]
    again = run([*CONSOLE, "run", "list"], kept_project, session_environment(), exits=0)
    assert (again.out, place in again.err) == (listed.out, False)


@EACH
def test_a_session_keeps_its_results_while_another_process_migrates(kept_project: Path, version: str) -> None:
    """It does not wait for that without end: it says why, and the results are delivered later."""
    limits = {"exit_all": 11.0, "exit_progress": 11.0}
    with closing(sqlite3.connect(kept_project / ".automation-report" / "store.sqlite3")) as other:
        other.execute("BEGIN IMMEDIATE")
        told = run_session(kept_project, env=session_environment(limits), exits=0).text
        wait_for_senders(kept_project)
    why = "the server asks to wait (429: The tables of the store are being changed: they are of version"
    assert f": {why} {version}, waiting for another process.)" in told, told
    assert "1 result" in send(kept_project, exits=0).text
    listed = run([*CONSOLE, "run", "list"], kept_project, session_environment(), exits=0)
    assert listed.out.split() == ["8", "7", "6", "5", "4"]
