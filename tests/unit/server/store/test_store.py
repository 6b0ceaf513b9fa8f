import re
import sqlite3
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.store import migrations
from pytest_automation_report.server.store import store as connections
from pytest_automation_report.server.store.database import StoreConnection
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.values import ApiError
from pytest_automation_report.server.store.writes import Writer
from support.contract import Contract
from support.service import ON_SQLITE, Service, a_test

Place: TypeAlias = Path | PostgresDatabase


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_store_is_for_its_owner_only(tmp_path: Path) -> None:
    """The folder is made with 0700; the file, and what SQLite puts beside it, with 0600."""
    database = tmp_path / "made" / "store.db"
    store = Store(database)
    assert _mode(database.parent) == 0o700
    assert {path.name for path in database.parent.iterdir()} >= {"store.db", "store.db-wal"}
    assert {_mode(path) for path in database.parent.iterdir()} == {0o600}
    store.close()


@ON_SQLITE
def test_a_store_is_durable_by_its_settings(service: Service) -> None:
    """Commits are synced to the write-ahead log, and references are checked."""
    for side in (service.file._writer, service.reader):
        assert [side.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")] == ["wal", 2, 1]
    assert service.file._writer.pragma("busy_timeout") == 10_000


def test_what_was_stored_is_there_after_opening_again(tmp_path: Path, contract: Contract) -> None:
    """A closed store can be opened again, and closing twice is harmless."""
    first = Service(tmp_path / "store.db", contract)
    run_id = first.new_run()
    first.append(first.new_thread(run_id), a_test())
    first.store.close()
    first.store.close()
    second = Service(tmp_path / "store.db", contract)
    assert second.run(run_id)["total_count"] == 1
    second.store.close()


def test_several_stores_live_in_one_process(tmp_path: Path, contract: Contract) -> None:
    """Stores in one process know nothing of each other, also when they work at the same time."""
    services = [Service(tmp_path / f"{number}.db", contract) for number in range(4)]
    barrier = threading.Barrier(4)

    def fill(number: int) -> None:
        barrier.wait()
        thread_id = services[number].new_thread(services[number].new_run())
        for each in range(5 + number):
            services[number].append(thread_id, a_test(each))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(4)))
    assert [service.run(1)["total_count"] for service in services] == [5, 6, 7, 8]
    for service in services:
        service.store.close()


def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Somebody's file is not filled with our tables, nor switched to another journal; the error names the path."""
    notes, other, file = tmp_path / "notes.txt", tmp_path / "other.db", tmp_path / "file"
    notes.write_text("these are notes, not a database " * 100)
    file.write_text("")
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE things (id INTEGER)")
        database.commit()
    before = {path: path.read_bytes() for path in (notes, other, file)}
    for path, words in ((notes, "not a database"), (other, "something else"), (tmp_path, ""), (file / "store.db", "")):
        with pytest.raises(StoreError, match=f"{re.escape(str(path))}.*{words}"):
            Store(path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@ON_SQLITE
def test_a_store_that_stays_locked_is_429(service: Service, tmp_path: Path) -> None:
    """When another process holds the file for too long, nothing was done and the client may repeat."""
    service.file._writer.pragma("busy_timeout = 0")
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = service.post("/projects/1/automation/runs", {"name": "n", "source": "s"})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert service.get("/projects/1/automation/runs").status_code == 404, "reading does not wait"
        other.execute("ROLLBACK")
    assert service.new_run() == 1


def test_a_new_store_waits_for_who_holds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening goes on once the other process lets go, and gives up with an error when it does not."""
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0)
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with monkeypatch.context() as patch:
            patch.setattr(connections, "_OPEN_SECONDS", -1)
            with pytest.raises(StoreError, match=r"store\.db.*locked"):
                Store(path)
        monkeypatch.setattr(time, "sleep", lambda _: other.execute("ROLLBACK"))
        Store(path).close()


@pytest.mark.parametrize(
    ("line", "journal"),
    [
        *((f"{mount} rw 0 0", "delete") for mount in ("s:/x {} nfs4", "//s/share {} cifs", "u@host: {} fuse.sshfs")),
        *(
            (f"{mount} rw 0 0", "wal")
            for mount in ("/dev/sda1 {} ext4", "s:/x {}other nfs4", "o {} fuse.fuse-overlayfs")
        ),
        ("s:/x {} nfs4 rw 0 0\ntmpfs {} tmpfs rw 0 0", "wal"),
        ("nonsense", "wal"),
        (None, "wal"),
    ],
)
def test_a_store_on_a_network(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch, line: str | None, journal: str
) -> None:
    """A store on a network has a rollback journal and says so; the nearest mount decides, the unknown is local."""
    folder = tmp_path / "a folder"
    mounts = tmp_path / "mounts"
    if line is not None:
        shown = str(folder).replace(" ", "\\040")
        mounts.write_text("/dev/root / ext4 rw 0 0\n" + line.replace("{}", shown) + "\n")
    Store(folder / "store.db").close()
    monkeypatch.setattr(connections, "MOUNTS", mounts)
    service = Service(folder / "store.db", contract)
    with service.file.reading() as reading:
        assert reading.pragma("journal_mode") == journal
    assert service.file._writer.pragma("synchronous") == 2
    assert ("store.db is on a network file system" in service.store.note) == (journal == "delete")
    assert service.new_run() == 1
    service.store.close()


@ON_SQLITE
def test_a_long_read_blocks_neither_readers_nor_appends(service: Service) -> None:
    """While a report is read, other threads read and append: they do not wait for its end."""
    thread_id = service.new_thread(service.new_run())

    def long_read(_: StoreConnection) -> bool:
        other = threading.Thread(target=service.append, args=(thread_id, a_test()))
        other.start()
        other.join(30)
        return not other.is_alive()

    assert service.store.read(long_read)
    assert service.run(1)["total_count"] == 1


def test_a_reader_that_keeps_a_writer_waiting_makes_429(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a rollback journal a commit waits for readers; when that takes too long, all of it is undone."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/export {tmp_path} nfs rw 0 0\n")
    monkeypatch.setattr(connections, "MOUNTS", mounts)
    service = Service(tmp_path / "store.db", contract)
    service.file._writer.pragma("busy_timeout = 0")
    with closing(sqlite3.connect(tmp_path / "store.db")) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM run").fetchall()
        answer = service.post("/projects/1/automation/runs", {"name": "n", "source": "s"})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert service.new_run() == 1
    assert service.get("/projects/1/automation/runs").json["total"] == 1
    service.store.close()


def _execute(place: Place, *statements: str) -> None:
    """Change a store as nobody does, with ``PRAGMA`` for SQLite alone."""
    with closing(Store(place)) as store:
        for sql in statements:
            if isinstance(place, Path) or not sql.startswith("PRAGMA"):
                store.write(partial(_apply, sql))


def _apply(sql: str, writer: Writer) -> None:
    writer.connection.execute(sql)


def test_a_store_of_a_later_version_names_the_release_that_wrote_it(new_place: Place) -> None:
    """Other tables are not guessed at: the error says what to install, and the store stays as it is."""
    later = migrations.SCHEMA_VERSION + 1
    _execute(
        new_place,
        f"UPDATE store_version SET version = {later}, release = '9.8.7', step = 3",
        f"PRAGMA user_version = {later}",
    )
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"version {later}, written by automation-report 9\.8\.7, .* upgrade"):
            Store(new_place)


@pytest.mark.parametrize("version", [1, 2, 10])
def test_a_store_of_code_that_was_never_released_is_refused(new_place: Place, version: int) -> None:
    """Numbers began again once, so that a number says nothing alone: such a store is not taken for one of a release."""
    _execute(
        new_place,
        "DROP TABLE store_version",
        f"CREATE TABLE store_version AS SELECT {version} AS version",
        "ALTER TABLE run DROP COLUMN speed" if version == 1 else "SELECT 1",
        f"PRAGMA user_version = {version}",
    )
    for _ in range(2):
        with pytest.raises(StoreError, match=f"version {version} as no release of automation-report has made them: na"):
            Store(new_place)


TODAY = migrations.SCHEMA_VERSION


class StoppedError(Exception):
    """Ends a migration where it is."""


@dataclass
class Filled:
    """The ranges of a migration, and those at which it stops once, after it has changed their rows."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    stops: list[tuple[int, int]] = field(default_factory=list)

    def fill(self, connection: StoreConnection, first: int, last: int) -> None:
        connection.execute('UPDATE "result" SET "extra" = "id" * 2 WHERE "id" BETWEEN ? AND ?', (first, last))
        if (first, last) in self.stops:
            self.stops.remove((first, last))
            raise StoppedError
        self.ranges.append((first, last))


@pytest.fixture
def filled_store(new_place: Place, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """Fill a store of today, and update the package: it has two more versions, one of which changes all results."""
    service = Service(new_place, contract)
    service.completed_run(*map(a_test, range(5)))
    service.store.close()
    filled = Filled()
    steps: dict[int, tuple[migrations.MigrationStep, ...]] = {
        **migrations.MIGRATIONS,
        TODAY + 1: (
            'ALTER TABLE "result" ADD COLUMN "extra" BIGINT',
            migrations.Ranges("result", filled.fill, rows=2),
            "CREATE INDEX result_extra ON result (extra /*id*/)",
            lambda connection: connection.execute('UPDATE "run" SET "name" = "name" || \'!\''),
        ),
        TODAY + 2: ("ALTER TABLE project ADD COLUMN note TEXT NOT NULL DEFAULT 'none'",),
    }
    monkeypatch.setattr(migrations, "MIGRATIONS", steps)
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", TODAY + 2)
    return filled


def _assert_whole(place: Place, filled: Filled) -> None:
    """Check that each step was done once, and that nothing is left to do."""
    columns = '"id", "extra", (SELECT "name" FROM "run"), (SELECT "note" FROM "project")'
    told: list[str] = []
    with closing(Store(place, opening=migrations.Opening(told.append))) as store:
        rows = store.read(lambda connection: connection.execute(f'SELECT {columns} FROM "result" ORDER BY "id"'))
    assert rows == [(number, 2 * number, "a run!", "none") for number in range(1, 6)]
    assert (filled.ranges, told) == ([(1, 2), (3, 4), (5, 5)], [])


def test_a_migration_that_stopped_goes_on_there(new_place: Place, filled_store: Filled) -> None:
    """What is done stays done, what was begun is undone, and neither is done twice."""
    filled_store.stops += [(1, 2), (3, 4), (5, 5)]
    for _ in range(3):
        with pytest.raises(StoppedError):
            Store(new_place)
    Store(new_place).close()
    _assert_whole(new_place, filled_store)


def test_a_migration_says_how_far_it_is(new_place: Place, filled_store: Filled) -> None:
    """It can be done in pieces: who has no time for all of it is told how much is done, and to come again."""
    said, told = [], list[str]()
    for _ in range(4):
        with pytest.raises(ApiError) as caught:
            Store(new_place, opening=migrations.Opening(told.append, -1))
        said.append((caught.value.status, caught.value.message))
    words = "The tables of the store are being changed: "
    shares = [f"version {TODAY + 1}, step 2 of 4, {share} %." for share in (40, 80, 100)]
    assert said == [(429, words + each) for each in (*shares, f"they are of version {TODAY + 1}.")]
    begun = f"{new_place}: its tables are of version {TODAY}; they are changed to version {TODAY + 2}"
    assert told == [begun, *[begun.replace(f"of version {TODAY}", f"of version {TODAY + 1}")] * 3]
    Store(new_place, opening=migrations.Opening(told.append)).close()
    assert told[-1] == f"{new_place}: its tables are of version {TODAY + 2} now, after 0 s"
    _assert_whole(new_place, filled_store)


def test_processes_that_meet_an_old_store_share_its_migration(new_place: Place, filled_store: Filled) -> None:
    """Several may open it at the same moment: each does the next part of it, and each gets the newest tables."""
    with ThreadPoolExecutor(4) as threads:
        for store in threads.map(lambda _: Store(new_place), range(4)):
            store.close()
    _assert_whole(new_place, filled_store)
