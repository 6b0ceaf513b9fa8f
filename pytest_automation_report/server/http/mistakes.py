"""Collect the mistakes of a request body: the response lists the first 100 and the number of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.errors import ApiError, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MISTAKES_LISTED: Final = 100
"""Most mistakes that a response lists."""

_PATH_LENGTH: Final = 200


class Mistakes:
    """The mistakes of one body by dotted path; memory and response stay small for any number of them."""

    def __init__(self) -> None:
        self._listed: dict[str, Sequence[str]] = {}
        self._unlisted = 0
        # False once an entry was counted without being examined: it has one mistake or more.
        self._is_exact = True

    def add(self, path: str, messages: object) -> None:
        """Add marshmallow's tree of messages for the value at this path."""
        for name, texts in _by_path(path, messages):
            if len(self._listed) < MISTAKES_LISTED:
                self._listed[name[:_PATH_LENGTH]] = texts
            else:
                self._unlisted += 1

    def add_unexamined(self) -> None:
        """Count an entry that has at least one mistake, without a message for it."""
        self._unlisted += 1
        self._is_exact = False

    def refuse(self) -> None:
        """Raise `ApiError` (422) if there was a mistake."""
        if not self._listed:
            return
        if not self._unlisted:
            raise validation_error(self._listed)
        unlisted = self._unlisted if self._is_exact else f"at least {self._unlisted}"
        message = f"The request has values that cannot be used: the first {len(self._listed)}, and {unlisted} more."
        raise ApiError(422, message, self._listed)


def _by_path(path: str, messages: object) -> Iterator[tuple[str, list[str]]]:
    """Yield marshmallow's tree of messages as dotted paths; its own ``_schema`` level is the entry above."""
    if not isinstance(messages, dict):
        yield path, [str(text) for text in messages] if isinstance(messages, list) else [str(messages)]
        return
    for name, below in messages.items():
        inner = path if name == "_schema" else f"{path}.{name}" if path else str(name)
        yield from _by_path(inner, below)
