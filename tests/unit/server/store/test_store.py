import re
import sqlite3
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.store import store as connections
from pytest_automation_report.server.store.database import SCHEMA_VERSION, StoreConnection, statements_after
from pytest_automation_report.server.store.store import Store
from support.contract import Contract
from support.service import ON_SQLITE, Service, a_test


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


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 10])
def test_a_store_of_another_version_is_refused(tmp_path: Path, version: int) -> None:
    """Other tables are not guessed at: the error names file, version and hint, and the file stays as it is."""
    Store(path := tmp_path / "store.db").close()
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"store\.db.*version {version}, .* reads {SCHEMA_VERSION}: upgrade, or name"):
        Store(path)
    assert path.read_bytes() == before


def test_a_later_version_is_reached_by_each_version_s_statements() -> None:
    """A store gets what came after its own version, in order, in the words of its database."""
    later = {3: ("CREATE INDEX run_b ON run (b /*id*/)",), 2: ("ALTER TABLE run ADD COLUMN b TEXT",)}
    assert statements_after(1, is_postgres=True, later=later) == (
        'ALTER TABLE run ADD COLUMN b TEXT COLLATE "C"',
        "CREATE INDEX run_b ON run (b, id)",
    )
    assert statements_after(2, is_postgres=False, later=later) == ("CREATE INDEX run_b ON run (b)",)
    assert statements_after(3, is_postgres=False, later=later) == ()
