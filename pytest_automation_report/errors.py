"""Define all exceptions that the package raises on purpose; `api.responses` raises those of responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNLOADED: Final = "automation_report_unloaded"
"""Key of xdist's worker output for the error with which a worker could not load the recording hooks."""


class AutomationReportError(Exception):
    """Base of all errors of this package."""


class SettingError(AutomationReportError):
    """A setting has a value that cannot be used; ``reason`` replaces the value in the message."""

    def __init__(self, spelling: str, value: object, remedy: str, *, reason: str = "") -> None:
        super().__init__(f"{spelling}: {reason or f'{value!r} cannot be used'}: {remedy}")


class ResultFileError(AutomationReportError):
    """A file of results cannot be used; the message has its name, the wrong line if there is one, and the reason."""


class SpoolError(AutomationReportError):
    """A spool folder or one of its files cannot be used; the message has its path and the reason."""


class StoreError(AutomationReportError):
    """The embedded store cannot be opened; the message has its file and the reason."""


class TokenMissingError(AutomationReportError):
    """A command needs a token; the message has the variable or file where it can be set."""


class ClientError(AutomationReportError):
    """A request to the server did not succeed."""


class NotSentError(ClientError):
    """The whole request never left this machine (DNS, connect, TLS, proxy, cut body): safe to repeat."""


class ThrottledError(ClientError):
    """The server answered 429; ``retry_after_seconds`` is None if its ``Retry-After`` is missing or invalid."""

    def __init__(self, message: str, retry_after_seconds: float | None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RefusedError(ClientError):
    """The server refused the request, and would refuse it again (3xx, or 4xx but 401, 403, 408, 409 and 429).

    ``errors`` is the server's map of property paths to messages.
    """

    def __init__(self, message: str, status: int, errors: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.errors = dict(errors or {})


class TokenRefusedError(ClientError):
    """The server answered 401 or 403: the token is wrong, revoked, or its user may not do this.

    Not a `RefusedError`: a caller can skip a refused request and send others, but not without a valid token.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnknownAnswerError(ClientError):
    """The server may or may not have applied the request (time-out, reset, 5xx, an invalid response)."""


class InProgressError(UnknownAnswerError):
    """The server answered 409 with ``Retry-After``: it is still working on a request with the same idempotency key."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
