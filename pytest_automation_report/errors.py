"""The exceptions that the package raises on purpose; the errors of requests stand in `api.responses`."""

from __future__ import annotations

from typing import Final

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


class TokenMissingError(AutomationReportError):
    """A command needs a token; the message has the variable or file where it can be set."""
