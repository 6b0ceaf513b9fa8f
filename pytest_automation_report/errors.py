"""The exceptions that the package raises on purpose; the errors of requests stand in `api.responses`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

UNLOADED: Final = "automation_report_unloaded"
"""Key of xdist's worker output for the error with which a worker could not load the recording hooks."""


class AutomationReportError(Exception):
    """Base of all errors of this package."""


class SettingError(AutomationReportError):
    """A setting has a value that cannot be used; ``reason`` replaces the value in the message."""

    def __init__(self, spelling: str, value: object, hint: str, *, reason: str = "") -> None:
        super().__init__(f"{spelling}: {reason or f'{value!r} cannot be used'}: {hint}")


class ResultFileError(AutomationReportError):
    """A file of results cannot be used; the message has its name, the wrong line if there is one, and the reason."""


class SpoolError(AutomationReportError):
    """A spool folder or one of its files cannot be used; the message has its path and the reason."""


class StoreError(AutomationReportError):
    """The embedded store cannot be opened; the message has its file and the reason."""


class ForeignPlaceError(SpoolError, StoreError):
    """Another user owns or can change a place of spool or store; the message has its path, the reason and a remedy."""


class TokenMissingError(AutomationReportError):
    """A command needs a token; the message has the variable or file where it can be set."""


def group_members(error: BaseException) -> Sequence[BaseException]:
    """Return the members of a group of exceptions; none of an error that has an attribute of that name."""
    # Before Python 3.11 groups come from a package: pytest has loaded it, else there is none.
    module = sys.modules.get("builtins" if sys.version_info >= (3, 11) else "exceptiongroup")
    group = getattr(module, "BaseExceptionGroup", None)
    # Not by the error's own attribute or ``__class__``, which may be code of a test.
    return group.exceptions.__get__(error) if group is not None and issubclass(type(error), group) else ()
