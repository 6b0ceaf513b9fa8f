"""Read the values that pages of a run's tests have in common, each once in one read transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pytest_automation_report.server.pages.test.queries import TestReader

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pytest_automation_report.server.store.reads import Reader

_Value = TypeVar("_Value")


class CommonValues:
    """The values that pages of several tests share: the run, its failures, its workers.

    Owned by one page, or by the report whose pages of tests are read in one transaction; of no use after it.
    """

    def __init__(self, reader: Reader, tests: TestReader | None = None) -> None:
        self.reader = reader
        self.tests = tests or TestReader(reader.connection)
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, read: Callable[[], _Value]) -> _Value:
        """Return the value of the first call of ``read`` for this key; callers must not change it."""
        if key not in self._known:
            self._known[key] = read()
        value: _Value = self._known[key]
        return value
