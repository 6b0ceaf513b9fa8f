"""A request that the scheduler has chosen, and what all parts of a delivery share.

One that changes something on the server is written to the ledger before it is made, under the operation's name, and its
outcome is written afterwards. All other requests may be repeated, whatever their outcome, so they need no record.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from pytest_automation_report.delivery.rejections import RefusalHandling, RejectedResults
from pytest_automation_report.delivery.retries import RetryPolicy
from pytest_automation_report.spool.folder import SessionFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import Field
    from pytest_automation_report.api.responses import FieldText
    from pytest_automation_report.delivery.artifact_stores import ArtifactStore
    from pytest_automation_report.delivery.batches import Batch
    from pytest_automation_report.delivery.handover import Runtime, Timeouts
    from pytest_automation_report.delivery.in_flight import Call
    from pytest_automation_report.delivery.queues import WorkerQueues
    from pytest_automation_report.spool.ledger_file import LedgerFile
    from pytest_automation_report.spool.ledger_records import Intent
    from pytest_automation_report.spool.manifest import SessionManifest

Unknown: TypeAlias = Literal["hold", "send", "drop"]
"""What to do with results of which the server does not show whether they arrived."""

RepeatableStep: TypeAlias = "Callable[[], bool | None]"
"""Makes a request that may be repeated, and acts on its response; returns False if that has changed nothing."""


class Request(Struct, frozen=True):
    """A request that changes something on the server: what the ledger records before it, and the call that makes it.

    ``batch`` has the results of an append as they wait, ``sent`` as they are sent, with the URLs of their files; both
    are None for other requests. ``began`` is when it was sent, by the sender's clock in seconds.
    """

    intent: Intent
    call: Call
    began: float
    batch: Batch | None = None
    sent: Batch | None = None


def digest_of(fields: Iterable[Field | FieldText]) -> str:
    """Return a digest of the names and values of fields, by which a note is known on the server."""
    return sha256(json.dumps([(field.name, field.value or "") for field in fields]).encode()).hexdigest()


class DeliveryOptions(Struct, frozen=True):
    """The ways in which deliveries differ.

    ``unknown`` is what to do with results of which the server cannot show whether they arrived. With ``is_in_new_run``
    the remaining results go to a new run. ``artifact_store`` stores files instead of the server. ``max_in_flight`` is
    how many requests may be in flight once all workers have ended, never two of the same worker. ``files_folder`` is
    the session's folder if the ledger is in another one: its files stay.
    """

    unknown: Unknown = "hold"
    is_in_new_run: bool = False
    artifact_store: ArtifactStore | None = None
    max_in_flight: int = 1
    files_folder: Path | None = None


class Life:
    """One life of a sender: what all parts of its delivery share."""

    def __init__(
        self,
        session: SessionManifest,
        client: Client,
        ledger: LedgerFile,
        queues: WorkerQueues,
        timeouts: Timeouts,
        runtime: Runtime,
        options: DeliveryOptions = DeliveryOptions(),  # noqa: B008 - immutable
    ) -> None:
        self.session, self.client, self.ledger, self.queues = session, client, ledger, queues
        self.timeouts, self.runtime, self.options = timeouts, runtime, options
        self.folder, self.state = SessionFolder(ledger.folder), ledger.state
        self.rejected = RejectedResults(self.folder.rejected)
        self.retry_policy = RetryPolicy(ledger, timeouts, runtime)
        self.refusals = RefusalHandling(self.state.aliases)
