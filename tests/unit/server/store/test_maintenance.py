import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.cli.main import main
from pytest_automation_report.cli.store import remove_old
from pytest_automation_report.server.http import serving
from pytest_automation_report.server.store import removal
from pytest_automation_report.server.store.checks import store_numbers
from pytest_automation_report.server.store.database import used_bytes
from pytest_automation_report.server.store.removal import old_runs
from pytest_automation_report.server.store.retention import Retention, apply_retention, fits
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.values import ApiError
from pytest_automation_report.server.store.writes import Writer
from pytest_automation_report.text.limits import quantity
from support.commands import command_runner
from support.contract import Contract
from support.service import ON_SQLITE, SECOND, Service, a_test, option

HOUR = 3600 * SECOND
DAY = 24 * HOUR


@pytest.fixture
def filled(
    tmp_path: Path, place: Path | PostgresDatabase, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """Return a service with runs 1 to 6 of two sources, one a day and the last one now; each has four results."""
    monkeypatch.setenv("AUTOMATION_REPORT_DATABASE", option(place))
    monkeypatch.chdir(tmp_path)
    service = Service(place, contract)
    now = time.time_ns() // 1000
    for number in range(1, 7):
        service.clock.now = now - (6 - number) * DAY - SECOND
        run_id = service.new_run(source=f"s{number % 2}", tags=["t"], fields=[{"type": 1, "name": "f"}], config="c")
        thread_id = service.new_thread(run_id, artifacts=[{"name": "a", "url": "https://a"}])
        statuses = ("passed", "failed", "skipped", "untested")
        service.append(thread_id, *(a_test(number * 10 + each, status) for each, status in enumerate(statuses)))
        service.append(thread_id, a_test(1))
        service.post(f"/automation/runs/{run_id}/complete", {})
    yield service
    service.store.close()
    assert contract.violations == []


def _store(*arguments: str) -> Result:
    return command_runner().invoke(main, ["store", *arguments])


def _problems() -> tuple[list[str], str]:
    """Return what the check of the store finds wrong, which it must, and what it says of it."""
    done = _store("check")
    assert (done.exit_code, done.exception.__class__) == (1, SystemExit), done.output
    return json.loads(done.stdout)["errors"], done.stderr


def _ids(service: Service) -> list[int]:
    return [run["id"] for run in service.get("/projects/1/automation/runs", "order=asc").json["result"]]


@pytest.mark.parametrize(
    ("option", "value", "gone"),
    [
        ("--keep-runs", "1", 4), ("--keep-runs", "2", 2), ("--keep-runs", "3", 0), ("--older-than", "3d", 3),
        ("--older-than", "2940m", 3), ("--older-than", "1w", 0), ("--older-than", "0h", 5),
    ],
)  # fmt: skip
def test_old_runs_are_removed_with_all_they_have(filled: Service, option: str, value: str, gone: int) -> None:
    """A dry run tells the same ids and removes nothing; the rest is whole, the newest run stays, ids go on."""
    told = _store("prune", option, value, "--dry-run")
    assert (told.exit_code, told.stdout.split()) == (0, [str(each) for each in range(1, gone + 1)]), told.output
    assert f"{quantity(gone, 'run')} with {5 * gone} results would be removed" in told.stderr
    assert _ids(filled) == [1, 2, 3, 4, 5, 6]
    done = _store("prune", option, value)
    assert (done.exit_code, done.stdout) == (0, told.stdout), done.output
    kept = list(range(gone + 1, 7))
    assert _ids(filled) == kept
    assert filled.run(6)["total_count"] == filled.get("/automation/runs/6/tests").json["total"] == 5
    assert (filled.new_run(source="s0"), filled.new_thread(7)) == (7, 7)
    filled.append(7, a_test(1))
    checked = _store("check")
    assert checked.exit_code == 0, checked.output
    runs = len(kept) + 1
    found = {"runs": runs, "threads": runs, "results": 5 * len(kept) + 1, "errors": []}
    assert json.loads(checked.stdout) == found
    with filled.store._connections.reading() as connection:
        for table in ("thread", "run_tag", "attachment", "result"):
            ids = connection.execute(f"SELECT DISTINCT run_id FROM {table}")
            assert {each for (each,) in ids} - {7} == set(kept), table
        unused = 'SELECT count(*) FROM "case" WHERE id NOT IN (SELECT case_id FROM result)'
        assert connection.execute(unused) == [(0,)]


def test_a_pruned_store_is_smaller(filled: Service) -> None:
    """The space of many results is given back to the disk."""
    run_id = filled.completed_run(*(a_test(each, file="f" * 500) for each in range(3_000)))
    filled.completed_run(a_test())
    before = filled.store.read(used_bytes)
    assert str(run_id) in _store("prune", "--older-than", "0h", "--compact").stdout.split()
    assert filled.store.read(used_bytes) < before - 1_000_000


def test_a_removal_that_was_killed_goes_on(filled: Service) -> None:
    """Large runs are removed in parts: from the first one on the run takes nothing, and no page has it.

    That ends as well if the process that did it was killed in between.
    """
    run_id = filled.run_of_jobs(("a", 1, [a_test(1), a_test(2)]))
    filled.completed_run(a_test())
    (old,) = filled.store.read(lambda connection: old_runs(connection, filled.clock.now, beyond=1))[-1:]
    assert (old.id, filled.store.write(partial(removal.remove_unchanged, old))) == (run_id, True)
    part = f"DELETE FROM result WHERE name = 'test_1' AND run_id = {run_id}"
    filled.store.write(lambda writer: writer.connection.execute(part))
    for path in (f"/automation/runs/{run_id}", f"/automation/runs/{run_id}/tests"):
        assert filled.get(path).status_code == 404
    assert filled.post(f"/automation/runs/{run_id}/append", {"tags": ["a"]}).status_code == 404
    assert filled.post(f"/automation/runs/{run_id}/threads", {}).status_code == 404
    assert filled.post(f"/automation/runs/threads/{run_id}/append", {"tests": [a_test(3)]}).status_code == 404
    assert _store("check").exit_code == 0
    assert str(run_id) in _store("prune", "--keep-runs", "1").stdout.split()
    assert run_id not in _ids(filled)
    assert _store("check").exit_code == 0


def test_a_run_that_is_being_filled_stays(filled: Service) -> None:
    """An open run is not old while it changes, also between the choice of the old runs and their removal.

    One that nobody touched for a day is like any other.
    """
    now = time.time_ns() // 1000
    filled.clock.now = now - 100 * DAY
    busy, late, left = (filled.new_run(source="open") for _ in range(3))
    threads = [filled.new_thread(run_id) for run_id in (busy, late, left)]
    filled.clock.now = now - DAY // 2
    filled.append(threads[0], a_test())
    filled.new_thread(filled.new_run(source="open"))
    old = filled.store.read(lambda connection: old_runs(connection, now, before=now - 50 * DAY))
    beyond = filled.store.read(lambda connection: old_runs(connection, now, beyond=1))
    assert [run.id for run in old] == [run.id for run in beyond if run.id > 6] == [late, left]
    filled.append(threads[1], a_test())
    removed, _ = remove_old(filled.store, old)
    assert [run.id for run in removed] == [left]
    assert filled.get(f"/automation/runs/{late}/tests").json["total"] == 1
    assert filled.get(f"/automation/runs/{left}").status_code == 404


def _on(branch: str) -> dict[str, Any]:
    return {"fields": [{"type": 1, "name": "Branch", "value": branch}]} if branch else {}


def test_runs_stay_as_long_as_their_branch_says(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """The first pattern that fits a branch has its days, a run that none fits stays; each removal is a line."""
    caplog.set_level("INFO", "pytest_automation_report.server.store")
    ages = {"main": (100, 364, 366), "release/1": (89, 91), "topic": (29, 31), "": (31,), "kept/x": (900,)}
    now = service.clock.now
    runs = {}
    for branch, days in ages.items():
        for age in days:
            service.clock.now = now - age * DAY
            runs[branch, age] = service.completed_run(a_test(), **_on(branch))
    service.clock.now = now
    service.append(service.new_thread(service.new_run()), a_test())
    completed: list[int] = []
    rules = {"main": 365, "release/*": 90, "kept/*": 1000, "*": 30}
    apply_retention(service.store, Retention(rules), completed.append, lambda: True)
    assert set(_ids(service)) == {*runs.values(), len(runs) + 1}, "the server ends"
    for _ in range(2):
        apply_retention(service.store, Retention(rules), completed.append)
    gone = {key: run for key, run in runs.items() if key in {("main", 366), ("release/1", 91), ("topic", 31), ("", 31)}}
    assert set(_ids(service)) == {*runs.values(), len(runs) + 1} - {*gone.values()}
    for (branch, age), run in gone.items():
        name = f" of branch {branch}" if branch else ""
        assert f"removed run {run}{name} with 1 result, {age} days old" in caplog.messages
    assert (len(caplog.messages), completed) == (len(gone), [])
    assert service.store.read(store_numbers)["pruned"] == now
    apply_retention(service.store, Retention({"kept/*": 1}), completed.append)
    assert set(_ids(service)) == {*runs.values(), len(runs) + 1} - {*gone.values(), runs["kept/x", 900]}


@pytest.mark.parametrize(
    ("pattern", "branch", "is_fit"),
    [
        ("fix[12]", "fix[12]", True),
        ("fix[12]", "fix1", False),
        ("fix?", "fix1", False),
        ("main", "Main", False),
        ("release/*", "release/1/rc", True),
        ("*", "", True),
    ],
)
def test_only_a_star_stands_for_other_text(pattern: str, branch: str, *, is_fit: bool) -> None:
    """No other character of a pattern removes runs of a branch that has another name."""
    assert fits(pattern, branch) == is_fit


def test_each_removal_is_a_line_at_once(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was removed is in the log, although the store is too busy for the next one."""
    caplog.set_level("INFO", "pytest_automation_report.server.store")
    now = service.clock.now
    service.clock.now = now - 40 * DAY
    runs = [service.completed_run(a_test()) for _ in range(2)]
    service.clock.now = now
    service.append(service.new_thread(service.new_run()), a_test())
    remove = removal.remove_unchanged

    def busy(run: removal.OldRun, writer: Writer) -> bool:
        if run.id == runs[1]:
            raise ApiError(429, "busy")
        return remove(run, writer)

    monkeypatch.setattr(removal, "remove_unchanged", busy)
    with pytest.raises(ApiError, match="busy"):
        apply_retention(service.store, Retention({"*": 30}), lambda _: None)
    assert caplog.messages == [f"removed run {runs[0]} with 1 result, 40 days old"]


def test_a_run_that_changes_keeps_its_files(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A late job opens an old run again while older ones are removed: it stays, and so do its files in the bucket."""
    now, gone = service.clock.now, list[str]()
    service.clock.now = now - 40 * DAY
    files = ["a" * 64, "b" * 64]
    runs = [
        service.completed_run(a_test(artifacts=[{"name": "f", "url": f"https://files.test/{file}/f"}]))
        for file in files
    ]
    service.clock.now = now
    service.append(service.new_thread(service.new_run()), a_test())

    def remove(_: object, hashes: list[str], __: int) -> None:
        gone.extend(hashes)
        if gone == files[:1]:
            service.new_thread(runs[1], job={"name": "late"})

    monkeypatch.setattr(removal, "open_bucket", lambda *_: "a bucket")
    monkeypatch.setattr(removal, "remove_files", remove)
    apply_retention(service.store, Retention({"*": 30}, bucket="s3://files"), lambda _: None)
    assert (gone, _ids(service)) == (files[:1], [runs[1], runs[1] + 1])


def test_runs_that_were_left_open_are_completed(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """One that did not change for so long, by the server's clock, is completed with the reason, in a full store too."""
    caplog.set_level("INFO", "pytest_automation_report.server.store")
    left, busy = service.new_run(), service.new_run()
    threads = [service.new_thread(run) for run in (left, busy)]
    service.append(threads[0], a_test(status="failed"))
    service.clock.now += 4 * HOUR
    service.append(threads[1], a_test())
    service.clock.now += 2 * HOUR + SECOND
    completed: list[int] = []
    with closing(Store(service.place, clock=service.clock, max_bytes=1)) as full:
        apply_retention(full, Retention(complete_seconds=6 * 3600), completed.append)
    run = service.run(left)
    assert (completed, run["is_completed"], run["status"]) == ([left], True, 3)
    assert [each["is_completed"] for each in run["threads"]] == [True]
    (reason,) = run["fields"]
    assert (reason["name"], reason["value"]) == ("Completed", "by the server: nothing changed for 6h")
    assert not service.run(busy)["is_completed"]
    assert caplog.messages == [f"completed run {left}, which did not change for 6h"]
    service.append(threads[1], a_test(2))


@pytest.mark.parametrize(("error", "told"), [(ApiError(429, "gone", kind="database"), 0), (ApiError(429, "busy"), 1)])
def test_upkeep_repeats_no_bad_state(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: ApiError, told: int
) -> None:
    """A database that is gone for hours is no line every ten minutes: the store tells its begin and its end."""
    caplog.set_level("INFO", "pytest_automation_report")
    was_tried = threading.Event()

    def away(*_: object) -> None:
        was_tried.set()
        raise error

    monkeypatch.setattr(serving, "apply_retention", away)
    with serving.upkeep(service.store, Retention(), lambda _: None):
        assert was_tried.wait(30)
    assert len(caplog.messages) == told


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("UPDATE run SET success_count = 9 WHERE id = 3", "run 3: success_count is 9, counted are 2"),
        ("UPDATE thread SET total_count = 1 WHERE id = 2", "thread 2: total_count is 1, counted are 5"),
        ("UPDATE thread SET status3_count = 1 WHERE id = 2", "thread 2: status3_count is 1, counted are 0"),
        ("UPDATE run SET completed_count = 5 WHERE id = 1", "run 1: completed_count is 5, counted are 4"),
        ("UPDATE run SET thread_active_count = 1 WHERE id = 1", "run 1: thread_active_count is 1, counted are 0"),
        ("DELETE FROM result WHERE id = 1", "run 1: total_count is 5, counted are 4"),
        ("UPDATE result SET run_id = 2 WHERE id = 1", "result 1 is of run 2, but its thread is of run 1"),
        (
            "UPDATE result SET case_id = 999 WHERE id = 1",
            "1 record of result with the case_id 999: there is no such case",
        ),
        ("DELETE FROM source WHERE id = 1", "3 records of run with the source_id 1: there is no such source"),
    ],
)
def test_a_store_that_is_wrong_is_told(filled: Service, request: pytest.FixtureRequest, harm: str, told: str) -> None:
    """Each wrong count and each broken reference is a sentence, in the JSON and for people, and the exit code is 1."""
    if isinstance(filled.place, Path):
        with closing(sqlite3.connect(filled.place)) as database:
            database.execute(harm)
            database.commit()
    else:  # it does not let everybody break a reference
        request.getfixturevalue("cluster").execute(f"SET session_replication_role = replica; {harm}")
    problems, said = _problems()
    assert (told in problems, told in said) == (True, True)


@ON_SQLITE
def test_a_damaged_file_is_told(filled: Service, tmp_path: Path) -> None:
    """An index that lost its entries is found by SQLite itself."""
    filled.store.close()
    change = "UPDATE sqlite_master SET sql = replace(sql, '(thread_id', '(status') WHERE name = 'result_thread_id'"
    with closing(sqlite3.connect(tmp_path / "store.db")) as database:
        database.execute("PRAGMA writable_schema = 1")
        database.execute(change)
        database.commit()
    assert any(each.startswith("the file is damaged") for each in _problems()[0])


@ON_SQLITE
def test_a_file_with_lost_pages_is_told(filled: Service, tmp_path: Path) -> None:
    """When the file cannot be read at all places, what is known of it is told, without a traceback."""
    filled.store.close()
    path = tmp_path / "store.db"
    whole = bytearray(path.read_bytes())
    for offset in range(0, len(whole), 4096):
        if b"tests.a" in whole[offset : offset + 4096]:
            whole[offset : offset + 64] = b"\xff" * 64
    path.write_bytes(whole)
    assert any("is damaged" in each for each in _problems()[0])
    pruned = _store("prune", "--older-than", "0h")
    assert (pruned.exit_code, "store.db" in pruned.stderr) == (3, True), pruned.output


def test_the_ids_of_threads_are_not_given_twice(filled: Service) -> None:
    """A run that got the last thread stays as long as no later thread is there, however old it is."""
    filled.clock.now -= 50 * DAY
    old = filled.new_run()
    filled.clock.now += 50 * DAY
    newest = filled.new_run()
    last = filled.new_thread(old)
    filled.append(last, a_test())
    filled.complete(old)
    assert _store("prune", "--older-than", "0h").exit_code == 0
    assert _ids(filled) == [old, newest]
    assert filled.new_thread(newest) == last + 1
    filled.append(last + 1, a_test())
    assert _store("prune", "--older-than", "0h").stdout.split() == [str(old)]


def test_the_ids_of_results_and_tests_are_not_given_twice(filled: Service) -> None:
    """A link to a test leads to no other one, once the run with the newest result, or the newest test, is removed."""
    filled.clock.now -= 50 * DAY
    old = [filled.new_run() for _ in range(2)]
    filled.clock.now += 50 * DAY
    runs = [*old, filled.new_run()]
    threads = [filled.new_thread(run) for run in runs]
    for key, place in ((90, 2), (91, 0), (92, 1)):
        filled.append(threads[place], a_test(key))
        filled.complete(runs[place])

    def ids() -> dict[str, list[int]]:
        sql = 'SELECT c."key", c."id", r."id" FROM "case" AS c JOIN "result" AS r ON r."case_id" = c."id"'
        return {key: each for key, *each in filled.store.read(lambda connection: connection.execute(sql))}

    before = ids()
    for _ in range(2):
        assert _store("prune", "--older-than", "0h").exit_code == 0
        filled.completed_run(a_test(93))
    new, gone = ids()["key93"], [before[f"key{key}"] for key in (91, 92)]
    assert not any(mine == other for each in gone for mine, other in zip(each, new, strict=True))
    assert not set(old) & set(_ids(filled))
