"""The values that the sender works with: its configuration, timeouts, clock and log.

pytest writes the configuration to the sender's standard input. Only there are secrets passed from process to process.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from pytest_automation_report.api.models import ArtifactStoreConfig, Endpoint, Token  # noqa: TC001 - msgspec reads the annotations
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.text.redaction import Redaction

LIMITS_VARIABLE: Final = "_AUTOMATION_REPORT_LIMITS"
"""Environment variable, not a setting, with which the project's own tests shorten the timeouts."""

# Of the embedded store: an append to it takes 3 ms, so its pages can follow closely.
_EMBEDDED: Final[Mapping[str, float]] = {"batch_age": 1.0}


class Timeouts(Struct, frozen=True):
    """All durations of the sender, and of pytest's wait for it, in seconds; tests shorten them."""

    request: float = 30.0  # one request as a whole
    batch_age: float = 5.0  # the longest that a result waits for others while tests run
    poll: float = 0.05
    retry_base: float = 0.5  # the upper bound of the first backoff, and its cap
    retry_cap: float = 30.0
    probe: float = 5.0  # between appends without tests, while appends go unanswered, and its cap
    probe_cap: float = 60.0
    throttle: float = 60.0  # after a 429 without a Retry-After
    read_back: float = 2.0  # between two reads that must agree
    settle: float = 120.0  # how long a late copy of a request may arrive at a completed thread that takes results
    join_poll: float = 2.0
    join_wait: float = 30.0  # how long a job waits for the first one to create their run
    worker_grace: float = 15.0  # how long workers may outlive the leading process
    # pytest's wait at the session's end: in all, without progress, while the server is down, and after Ctrl-C.
    exit_all: float = 30.0
    exit_progress: float = 5.0
    exit_down: float = 1.0
    exit_interrupted: float = 3.0
    findings: float = 3.0  # how long the sender waits for the findings of a completed run, less than exit_progress
    alone: float = 30.0  # how long the sender goes on when pytest does not wait for it any more
    send_progress: float = 30.0  # how long `automation-report send` goes on without a response
    same_signal: float = 1.0  # signals to `exec` within this time count as one


def timeouts_from(environ: Mapping[str, str], *, is_embedded: bool = False, **overrides: float) -> Timeouts:
    """Return the timeouts with these overrides, and with those of the environment, which come first.

    ``is_embedded`` if the results go to the embedded store.
    """
    own = _EMBEDDED if is_embedded else {}
    return Timeouts(**{**own, **overrides, **Unpatched.decode(environ.get(LIMITS_VARIABLE, "{}"))})


class RedactionSettings(Struct, frozen=True):
    """The redaction of texts that only the sender sees: a user's patterns, secret values and the built-in patterns."""

    patterns: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    is_builtin: bool = True

    def __repr__(self) -> str:
        return f"RedactionSettings(patterns={self.patterns!r}, is_builtin={self.is_builtin!r})"

    def redaction(self) -> Redaction:
        """Create the redaction."""
        from pytest_automation_report.text.redaction import Redaction  # noqa: PLC0415 - only for last words of a dead process

        return Redaction(self.patterns, secrets=self.secrets, is_builtin=self.is_builtin)


class SenderConfig(Struct, frozen=True):
    """Everything that pytest hands over to the sender, as JSON through a pipe and never in a file: it has the token.

    ``controller`` is the process id of the leading pytest process. ``captured`` are the files in which that process
    captures the output of tests and which the sender inherits open: of each the stream's name, its descriptor, device
    and inode. ``epoch`` is when the session's clock began, in seconds of the performance counter, which all processes
    of a machine share; None if that is unknown.
    """

    folder: str
    endpoint: Endpoint
    token: Token
    controller: int
    timeouts: Timeouts = field(default_factory=Timeouts)
    store: ArtifactStoreConfig | None = None
    hiding: RedactionSettings = field(default_factory=RedactionSettings)
    captured: tuple[tuple[str, int, int, int], ...] = ()
    epoch: float | None = None


class Runtime(Struct, frozen=True):
    """The outside world of the sender, which tests replace.

    ``clock`` is monotonic, ``wall`` the time since 1970, both in seconds. ``random`` returns numbers from 0 to 1, and
    ``log`` writes a line.
    """

    clock: Callable[[], float]
    random: Callable[[], float]
    log: Callable[[str], None]
    wall: Callable[[], float] = time.time
