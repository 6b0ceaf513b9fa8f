"""What is hidden in texts before they are written anywhere (floor 0, pure): patterns, known values, known shapes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_automation_report.secret_names import is_named_secret
from pytest_automation_report.secret_shapes import MARK, without_credentials
from pytest_automation_report.secret_values import KnownSecrets

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Redaction"]


class Redaction:
    """Hides secrets in texts; what stays of a text stays exactly as it was.

    ``patterns`` are a user's regular expressions, ``secrets`` are values that must not be shown, ``is_builtin`` tells
    whether everything that looks like a credential is hidden too. Raises ``re.error`` for a pattern that is no regular
    expression.
    """

    __slots__ = ("_is_builtin", "_patterns", "_secrets")

    def __init__(self, patterns: Sequence[str] = (), *, secrets: Sequence[str] = (), is_builtin: bool = True) -> None:
        self._patterns = tuple(map(re.compile, patterns))
        self._secrets = KnownSecrets(secrets)
        self._is_builtin = is_builtin

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._patterns or self._secrets or self._is_builtin)

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        text = self._without_known(text)
        return without_credentials(text) if self._is_builtin else text

    def address(self, text: str) -> str:
        """Return the address of something that is to be opened, without secrets but with its signature."""
        text = self._without_known(text)
        return without_credentials(text, is_address=True) if self._is_builtin else text

    def beside(self, name: str, value: str) -> str:
        """Return the value of a field, or the mark where the field's name says that it is a secret."""
        return MARK if self._is_builtin and is_named_secret(name, value) else value

    def _without_known(self, text: str) -> str:
        for pattern in self._patterns:
            # A pattern that also matches nothing would otherwise write its mark between all characters.
            text = pattern.sub(lambda match: MARK if match.group() else "", text)
        return self._secrets.hidden(text)
