"""Every error that the package raises on purpose (floor 0).

The tree::

    AutomationReportError
    |- SettingError             what the user typed is wrong
    |- ResultFileError          a file of results cannot be used
    |- SpoolError               a spool cannot be read, written or locked
    |- StoreError               the embedded store cannot be opened
    |- TokenMissingError        a request to the server needs a token, and there is none
    `- ClientError              a request to the server did not succeed
       |- NotSentError          class "again": the request never left this machine whole
       |- ThrottledError        class "again": 429
       |- RefusedError          class "refused": 3xx and every other 4xx
       |- TokenRefusedError     class "refused": 401 and 403, which tell nothing about the request
       `- UnknownAnswerError    class "unknown": the server may or may not have applied it
          `- InProgressError   409 with ``Retry-After``: the server is busy with it, so wait and look again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNLOADED: Final = "automation_report_unloaded"
"""Name under which an xdist worker tells its controller why it could not load what records its tests."""


class AutomationReportError(Exception):
    """Base of all errors that this package raises on purpose."""


class SettingError(AutomationReportError):
    """A setting has a value that cannot be used.

    The message names the setting in the spelling its user used, the value, and what to write instead. ``reason`` stands
    in the place of the value where there is none to blame: the setting is missing, or no setting has that name.
    """

    def __init__(self, spelling: str, value: object, remedy: str, *, reason: str = "") -> None:
        super().__init__(f"{spelling}: {reason or f'{value!r} cannot be used'}: {remedy}")
        self.spelling = spelling
        self.value = value
        self.remedy = remedy


class ResultFileError(AutomationReportError):
    """A file of results cannot be used; the message names it, the line where one is wrong, and why."""


class SpoolError(AutomationReportError):
    """A spool folder or one of its files cannot be used; the message says which and why."""


class StoreError(AutomationReportError):
    """The embedded store cannot be opened; the message says which file and why."""


class TokenMissingError(AutomationReportError):
    """A command needs a token; the message names the variable or file that should hold one."""


class ClientError(AutomationReportError):
    """A request to the server did not succeed."""


class NotSentError(ClientError):
    """The request never left this machine whole (DNS, connect, TLS, proxy, cut body): safe to repeat."""


class ThrottledError(ClientError):
    """The server answered 429.

    ``retry_after_seconds`` is what its ``Retry-After`` header asks for, ``None`` without a usable one.
    """

    def __init__(self, message: str, retry_after_seconds: float | None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RefusedError(ClientError):
    """The server refused the request for good (3xx, or any 4xx but 401, 403 and 429).

    ``status`` is the HTTP status, ``errors`` the server's map of property paths to messages (may be empty).
    """

    def __init__(self, message: str, status: int, errors: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.errors = dict(errors or {})


class TokenRefusedError(ClientError):
    """The server answered 401 or 403: the token is wrong, revoked, or its user may not do this.

    It is no `RefusedError`: who can go on after a refusal cannot go on without a token. ``status`` is the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnknownAnswerError(ClientError):
    """The server may or may not have applied the request (time-out, reset, 5xx, an answer that makes no sense)."""


class InProgressError(UnknownAnswerError):
    """The server answered 409 with ``Retry-After``: it is still working on a request with the same idempotency key.

    The other copy may be applied, so the outcome stays unknown, but the server is up: wait ``retry_after_seconds``.
    """

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
