"""Read the tests of an append, the valid ones without marshmallow.

An append of 250 tests is checked here in about a millisecond; marshmallow needs a hundred times that. These checks
take what the schemas take, with the same values (a property test compares them); a test that they do not take is left
to the schemas, which name its mistakes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.http.schemas import (
    FIELD_TYPES,
    MAX_ENTRIES,
    NAME_LENGTH,
    NOTE_LENGTH,
    checked,
    is_key,
    is_url,
    test_schema,
)
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.inputs import INT64_MAX, StoredTest, entries_text, test_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.http.mistakes import Mistakes
    from pytest_automation_report.server.store.inputs import Kind
    from pytest_automation_report.server.store.statuses import ResultStatus, StatusTable

MAX_TESTS: Final = 50_000
"""Most tests of one append; clients that send whole suites at once must fit."""

# As many as a batch of a usual client has: of such a one every mistake is counted.
_MAX_EXAMINED: Final = 2000


def tests_from(tests: object, statuses: StatusTable, mistakes: Mistakes) -> list[StoredTest]:
    """Return the tests of an append in their order; add the mistakes of those that are not valid.

    marshmallow takes long for each entry, so that after 2,000 entries of invalid tests the others are only counted.
    Raises `ApiError` (413) for more than `MAX_TESTS`, which clients answer by smaller appends.
    """
    if type(tests) is not list:
        mistakes.add("tests", ["This property may not be null." if tests is None else "Must be a list."])
        return []
    if len(tests) > MAX_TESTS:
        raise ApiError(413, f"The request has {len(tests)} tests; at most {MAX_TESTS} are taken: send fewer at once.")
    rows: list[StoredTest] = []
    examined = 0
    for position, test in enumerate(tests):
        row = common_test(test, statuses)
        if row is None and examined >= _MAX_EXAMINED:
            mistakes.add_unexamined()
            continue
        row = row or _examined(test, statuses, mistakes, f"tests.{position}")
        if row is None:
            examined += _entries(test)
        else:
            rows.append(row)
    return rows


def common_test(test: object, statuses: StatusTable) -> StoredTest | None:
    """Return a valid test, ``None`` for any other."""
    row = _row(test, statuses.by_alias)
    if row is None and type(test) is dict:
        # In JSON Schema 2.0 is an integer; a client that writes all its numbers so is rare.
        row = _row(_with_integers(test), statuses.by_alias)
    return row


def _examined(test: object, statuses: StatusTable, mistakes: Mistakes, path: str) -> StoredTest | None:
    """Return a test if the schemas take it; else add its mistakes."""
    properties = checked(test_schema(statuses), test, mistakes, path)
    return test_from(properties, statuses) if properties else None


def _entries(test: object) -> int:
    """Return how many entries of a test marshmallow looks at."""
    lists = (test.get("fields"), test.get("artifacts")) if type(test) is dict else ()
    return 1 + sum(len(entries) for entries in lists if type(entries) is list and len(entries) <= MAX_ENTRIES)


def _with_integers(test: Json) -> Json:
    """Return a test with ``2`` for ``2.0`` in its own properties and in those of its fields and artifacts."""
    whole = {name: _integer(value) for name, value in test.items()}
    for name in ("fields", "artifacts"):
        entries = whole.get(name)
        if type(entries) is list and len(entries) <= MAX_ENTRIES:
            whole[name] = [
                {key: _integer(value) for key, value in entry.items()} if type(entry) is dict else entry
                for entry in entries
            ]
    return whole


def _integer(value: object) -> object:
    return int(value) if type(value) is float and value.is_integer() else value


def _row(test: Any, aliases: Mapping[str, ResultStatus]) -> StoredTest | None:  # noqa: ANN401 - it is what JSON holds, and not yet looked at
    if type(test) is not dict:
        return None
    get = test.get
    key, name, folder, alias = get("key"), get("name"), get("folder"), get("status")
    if (
        type(key) is not str
        or is_key(key) is None
        or type(name) is not str
        or not 0 < len(name) <= NAME_LENGTH
        or type(folder) is not str
        or not 0 < len(folder) <= NAME_LENGTH
        or type(alias) is not str
        or (status := aliases.get(alias)) is None
    ):
        return None
    elapsed, line, assertions = get("elapsed", 0), get("line", 0), get("assertions", 0)
    if not (_is_count(elapsed) and _is_count(line) and _is_count(assertions) and _is_name(get("file", ""))):
        return None
    fields, artifacts = get("fields", _NOTHING), get("artifacts", _NOTHING)
    if not (_are(_is_field, fields) and _are(_is_artifact, artifacts)):
        return None
    return StoredTest(
        key,
        name,
        folder,
        status.id,
        get("elapsed"),
        get("file"),
        get("line"),
        get("assertions"),
        _text("fields", fields),
        _text("artifacts", artifacts),
    )


_NOTHING: list[Any] = []


def _text(kind: Kind, entries: Sequence[Any]) -> str | None:
    return entries_text(kind, entries) if entries else None


def _are(check: Callable[[Any], bool], entries: object) -> bool:
    return type(entries) is list and len(entries) <= MAX_ENTRIES and all(map(check, entries))


def _is_name(value: object) -> bool:
    """Whether a value is a text of the length that pages and lists show; empty is not excluded."""
    return type(value) is str and len(value) <= NAME_LENGTH


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= INT64_MAX


def _is_field(entry: Any) -> bool:  # noqa: ANN401 - it is what JSON holds, and not yet looked at
    if type(entry) is not dict:
        return False
    kind, name, value, meta = entry.get("type"), entry.get("name"), entry.get("value"), entry.get("meta")
    return (
        type(kind) is int
        and kind in FIELD_TYPES
        and _is_name(name)
        and name != ""
        and (value is None or type(value) is str)
        and (
            "meta" not in entry
            or (type(meta) is dict and len(meta) <= MAX_ENTRIES and all(type(each) is str for each in meta.values()))
        )
        and type(entry.get("is_highlight", False)) is bool
    )


def _is_artifact(entry: Any) -> bool:  # noqa: ANN401 - it is what JSON holds, and not yet looked at
    if type(entry) is not dict:
        return False
    name, url, note, size = entry.get("name"), entry.get("url"), entry.get("note"), entry.get("size")
    mime_type = entry.get("mime_type")
    return (
        _is_name(name)
        and name != ""
        and type(url) is str
        and is_url(url) is not None
        and (note is None or (type(note) is str and len(note) <= NOTE_LENGTH))
        and (mime_type is None or _is_name(mime_type))
        and (size is None or _is_count(size))
    )
