import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.store.schema import SCHEMA_VERSION, statements_after
from pytest_automation_report.server.store.store import Store


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 10])
def test_a_store_of_another_version_is_refused(tmp_path: Path, version: int) -> None:
    """Other tables are not guessed at: the error names file, version and remedy, and the file stays as it is."""
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
