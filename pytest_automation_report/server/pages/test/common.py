"""Read the values that pages of a run's tests have in common, each once in one read transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pytest_automation_report.server.pages.queries import PageReader

_Value = TypeVar("_Value")


class CommonValues:
    """The values that pages of several tests share: the run, its failures, its workers.

    Owned by one page, or by the report whose pages of tests are read in one transaction; of no use after it.
    """

    def __init__(self, reader: PageReader) -> None:
        self.reader = reader
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, read: Callable[[], _Value]) -> _Value:
        """Return the value of the first call of ``read`` for this key; callers must not change it."""
        if key not in self._known:
            self._known[key] = read()
        value: _Value = self._known[key]
        return value
