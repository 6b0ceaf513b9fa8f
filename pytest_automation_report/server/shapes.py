"""The common shape of a test, recognised without marshmallow (floor 2).

An append of 250 tests is checked here in about a millisecond; marshmallow needs a hundred times that. These checks
are at most as lenient as the schemas: what passes here, passes there with the same values (a property test compares
them), and what does not pass is left to the schemas, which know what to say about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_automation_report.server.schemas import FIELD_TYPES, NOTE_LENGTH, is_key, is_url
from pytest_automation_report.server.submissions import INT64_MAX, StoredTest, entries_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.server.statuses import ResultStatus, StatusTable
    from pytest_automation_report.server.submissions import Kind


def common_tests(tests: object, statuses: StatusTable) -> list[StoredTest] | None:
    """Return the tests of an append when each has the common shape and a known status, else ``None``."""
    if type(tests) is not list:
        return None
    rows: list[StoredTest] = []
    aliases = statuses.by_alias
    for test in tests:
        row = _row(test, aliases)
        if row is None:
            return None
        rows.append(row)
    return rows


def _row(test: Any, aliases: Mapping[str, ResultStatus]) -> StoredTest | None:  # noqa: ANN401 - it is what JSON holds, and not yet looked at
    if type(test) is not dict:
        return None
    get = test.get
    key, name, folder, alias = get("key"), get("name"), get("folder"), get("status")
    if (
        type(key) is not str
        or is_key(key) is None
        or type(name) is not str
        or not name
        or type(folder) is not str
        or not folder
        or type(alias) is not str
        or (status := aliases.get(alias)) is None
    ):
        return None
    elapsed, line, assertions = get("elapsed", 0), get("line", 0), get("assertions", 0)
    if not (_is_count(elapsed) and _is_count(line) and _is_count(assertions) and type(get("file", "")) is str):
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
    return type(entries) is list and all(map(check, entries))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= INT64_MAX


def _is_field(entry: Any) -> bool:  # noqa: ANN401 - it is what JSON holds, and not yet looked at
    if type(entry) is not dict:
        return False
    kind, name, value, meta = entry.get("type"), entry.get("name"), entry.get("value"), entry.get("meta")
    return (
        type(kind) is int
        and kind in FIELD_TYPES
        and type(name) is str
        and name != ""
        and (value is None or type(value) is str)
        and ("meta" not in entry or (type(meta) is dict and all(type(each) is str for each in meta.values())))
        and type(entry.get("is_highlight", False)) is bool
    )


def _is_artifact(entry: Any) -> bool:  # noqa: ANN401 - it is what JSON holds, and not yet looked at
    if type(entry) is not dict:
        return False
    name, url, note, size = entry.get("name"), entry.get("url"), entry.get("note"), entry.get("size")
    mime_type = entry.get("mime_type")
    return (
        type(name) is str
        and name != ""
        and type(url) is str
        and is_url(url) is not None
        and (note is None or (type(note) is str and len(note) <= NOTE_LENGTH))
        and (mime_type is None or type(mime_type) is str)
        and (size is None or _is_count(size))
    )
