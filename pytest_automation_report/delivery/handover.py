"""What pytest hands over to the sender on its standard input (floor 3): the only place where secrets travel.

What the sender takes from outside, as an argument (floor 3).
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import ArtifactStoreConfig, Endpoint, Token
from pytest_automation_report.text.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.delivery.queues import WorkerQueues
    from pytest_automation_report.spool.ledger_file import LedgerFile
    from pytest_automation_report.spool.manifest import SessionManifest

LIMITS_VARIABLE: Final = "_AUTOMATION_REPORT_LIMITS"
"""By this variable, which is no setting, the project's own tests shrink the limits."""


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What each part of a delivery works with; one for a life of the sender."""

    client: Client
    ledger: LedgerFile
    queues: WorkerQueues
    session: SessionManifest
    timeouts: Timeouts
    runtime: Runtime


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All durations of the sender and of pytest's wait for it, in seconds; tests shrink them.

    ``settle`` is how long a request may be under way to a server whose completed threads take results, ``join_wait``
    how long a job waits for the first one to create their run. ``exit_*`` bound pytest's wait at the session's end: in
    all, without progress, while the server is known to be down, and after Ctrl-C. ``alone`` is how long the sender goes
    on when nobody waits any more. Signals to ``exec`` are one for ``same_signal`` after the first.
    """

    request: float = 30.0
    batch_age: float = 5.0
    poll: float = 0.05
    retry_base: float = 0.5
    retry_cap: float = 30.0
    probe: float = 5.0
    probe_cap: float = 60.0
    throttle: float = 60.0
    read_back: float = 2.0
    settle: float = 120.0
    join_poll: float = 2.0
    join_wait: float = 30.0
    worker_grace: float = 15.0
    exit_all: float = 30.0
    exit_progress: float = 5.0
    exit_down: float = 1.0
    exit_interrupted: float = 3.0
    alone: float = 30.0
    send_progress: float = 30.0
    same_signal: float = 1.0


def timeouts_from(environ: Mapping[str, str], **given: float) -> Timeouts:
    """Return the limits with these values, and with those that the environment overrides."""
    return Timeouts(**{**given, **json.loads(environ.get(LIMITS_VARIABLE, "{}"))})


@dataclass(frozen=True, slots=True)
class RedactionSettings:
    """What is hidden in a text that only the sender sees; ``secrets`` are values, ``patterns`` a user's expressions."""

    patterns: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    is_builtin: bool = True

    def redaction(self) -> Redaction:
        """Return what hides it."""
        return Redaction(self.patterns, secrets=self.secrets, is_builtin=self.is_builtin)


@dataclass(frozen=True, slots=True)
class SenderConfig:
    """Everything a sender needs to know; ``controller`` is the process id of the pytest that it outlives.

    ``captured`` are the files into which that captures what its tests print, which the sender inherits open: of each
    the stream's name, its descriptor, device and inode. ``epoch`` is the moment when the session's clock began, in
    seconds of the performance counter, which all processes of a machine share.
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

    def to_json(self) -> str:
        """Return the hand-over as JSON, token and secrets included: for a pipe, never for a file."""
        return json.dumps(
            {
                "folder": self.folder,
                "endpoint": asdict(self.endpoint),
                "token": self.token.value,
                "controller": self.controller,
                "limits": asdict(self.timeouts),
                "store": None if self.store is None else asdict(self.store),
                "hiding": asdict(self.hiding),
                "captured": self.captured,
                "epoch": self.epoch,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> SenderConfig:
        """Return the hand-over that `to_json` wrote."""
        document = json.loads(text)
        hiding = document["hiding"]
        return cls(
            folder=document["folder"],
            endpoint=Endpoint(**document["endpoint"]),
            token=Token(document["token"]),
            controller=document["controller"],
            timeouts=Timeouts(**document["limits"]),
            store=None if document["store"] is None else ArtifactStoreConfig(**document["store"]),
            hiding=RedactionSettings(
                **{**hiding, "patterns": tuple(hiding["patterns"]), "secrets": tuple(hiding["secrets"])}
            ),
            captured=tuple((name, number, device, inode) for name, number, device, inode in document["captured"]),
            epoch=document["epoch"],
        )


@dataclass(frozen=True, slots=True)
class Runtime:
    """A monotonic clock and the time since the epoch, both in seconds; random numbers from 0 to 1; a log for lines."""

    clock: Callable[[], float]
    random: Callable[[], float]
    log: Callable[[str], None]
    wall: Callable[[], float] = time.time
