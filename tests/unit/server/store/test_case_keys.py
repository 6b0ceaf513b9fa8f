from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.server.store import case_keys
from pytest_automation_report.server.store.case_keys import add_cases, find_cases
from pytest_automation_report.server.store.maintenance import check
from pytest_automation_report.server.store.schema import CASE_KEY_TABLES, key_hash
from pytest_automation_report.server.store.sqlite import Connections
from support.service import ON_SQLITE, Service, a_test

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.contract import Contract


@pytest.fixture
def connections(tmp_path: Path) -> Iterator[Connections]:
    """Return the connections to a new store with the sources 1 and 2."""
    opened = Connections(tmp_path / "store.db")
    with opened.writing() as connection:
        connection.change('INSERT INTO "project" VALUES (1, 1)')
        for source in (1, 2):
            connection.change(f"INSERT INTO \"source\" VALUES ({source}, 1, 's{source}', 1, NULL)")
    yield opened
    opened.close()


def _amounts(connections: Connections) -> list[int]:
    """Return the number of entries of each table, the largest table first."""
    with connections.reading() as connection:
        return [connection.execute(f'SELECT COUNT(*) FROM "{table}"')[0][0] for table in CASE_KEY_TABLES]


def _added(connections: Connections, *keys: str, source: int = 1) -> dict[str, int]:
    with connections.writing() as connection:
        return add_cases(connection, source, keys)


def test_a_test_keeps_its_id_wherever_its_entry_is(connections: Connections) -> None:
    """Entries move from the small table to the larger ones, and each key is found in each of them."""
    keys = [f"key{number}" for number in range(80_000)]
    found: dict[str, int] = {}
    seen = set()
    for first in range(0, len(keys), 1000):
        found |= _added(connections, *keys[first : first + 1000])
        seen.add(tuple(amount > 0 for amount in _amounts(connections)))
        assert sum(_amounts(connections)) == len(found)
    assert {(False, False, True), (False, True, False), (True, False, True), (True, True, False)} <= seen
    assert list(found.values()) == list(range(1, len(keys) + 1))
    assert _added(connections, *keys[::-1]) == found
    with connections.reading() as connection:
        assert find_cases(connection, 1, ["key0", "other", "key79999"]) == {"key0": 1, "key79999": 80_000}


def test_sources_have_separate_tests(connections: Connections) -> None:
    """A key of another source is another test."""
    assert (_added(connections, "a", "b"), _added(connections, "b", source=2)) == ({"a": 1, "b": 2}, {"b": 3})
    assert (_added(connections, "b", "b"), _added(connections, "b", source=2)) == ({"b": 2}, {"b": 3})


def test_keys_with_one_hash_are_different_tests(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key decides and not its hash."""
    monkeypatch.setattr(case_keys, "key_hash", lambda _: 7)
    assert _added(connections, "a", "b") == {"a": 1, "b": 2}
    assert _added(connections, "c", "b", "a") == {"c": 3, "b": 2, "a": 1}


def test_an_append_of_new_tests_changes_few_pages(connections: Connections) -> None:
    """With 50,000 tests in the store, 250 new ones change less than 60 pages; in one index of keys it would be 250."""
    _added(connections, *(f"key{number}" for number in range(50_000)))
    with connections.outside_transaction() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _added(connections, *(f"new{number}" for number in range(250)))
    with connections.outside_transaction() as connection:
        ((_, pages, _),) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    assert 0 < pages < 60


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("DELETE FROM case_key_new WHERE case_id = 1", "test 1 is not in the index of keys"),
        ('DELETE FROM "case" WHERE id = 3', "an entry of test 3 in the index of keys is wrong"),
        ("UPDATE case_key_new SET hash = hash + 1 WHERE case_id = 2", "an entry of test 2 in the index"),
        ("INSERT INTO case_key SELECT * FROM case_key_new WHERE case_id = 2", "an entry of test 2 in the index"),
        (
            'UPDATE "case" SET key = (SELECT key FROM "case" WHERE id = 1) WHERE id = 3',
            "source 1 has several tests with the key",
        ),
    ],
)  # fmt: skip
@ON_SQLITE
def test_a_check_finds_a_wrong_index_of_keys(place: Path, contract: Contract, damage: str, problem: str) -> None:
    """Named are tests without an entry or with two, entries without their test, and two tests with one key."""
    service = Service(place, contract)
    service.append(service.new_thread(service.new_run()), a_test(1), a_test(2))
    with service.file.writing() as connection:
        connection.change("INSERT INTO \"case\" VALUES (3, 1, 'unused')")
        connection.change("INSERT INTO case_key VALUES (1, ?, 3)", (key_hash("unused"),))
    assert check(service.store).problems == ()
    with service.file.writing() as connection:
        connection.change(damage)
    assert [each for each in check(service.store).problems if problem in each]
    service.store.close()
