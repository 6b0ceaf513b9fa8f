"""Deliver a session once more from its spool, into a temporary store: for its report, if the server has no pages.

The store gets only what this session wrote. It has the run's number and its times, but nothing of earlier runs.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, NewRun
from pytest_automation_report.delivery.artifact_stores import ArtifactStoreError, ServerStore
from pytest_automation_report.delivery.dispatcher import Dispatcher
from pytest_automation_report.delivery.follower import SessionFollower
from pytest_automation_report.delivery.handover import DeliveryContext
from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.delivery.rejections import RejectedResults
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.artifacts import spooled_size
from pytest_automation_report.spool.ledger_file import LedgerFile
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.values import MutableValue, Value, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.responses import StoredFile
    from pytest_automation_report.delivery.handover import Runtime, Timeouts
    from pytest_automation_report.delivery.results import Result
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.server.embedded.client import StoreClient
    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.ledger import LedgerState
    from pytest_automation_report.spool.manifest import SessionManifest

_FILE_BYTES: Final = 5_000_000
"""Largest file for the report: it has no larger one."""

_FILES_BYTES: Final = 100_000_000
"""Largest size of all files for the report, which takes the smallest ones of failures."""

_NOT_STORED: Final = "the results cannot be stored for the report"
_FAILED: Final = frozenset({"failure", "error"})
_RENUMBER: Final = 'UPDATE "run" SET "id" = ? WHERE "id" = ?'
_REMOVE: Final = 'DELETE FROM "run" WHERE "id" = ?'


class _ReportFiles(MutableValue):
    """The uploaded files that stay in a session's folder until its report is written; owned by the sender.

    ``client`` shows whether the server has pages: if so, it has the files for the report, too.
    """

    folder: Path
    client: Client
    _free_bytes: int = _FILES_BYTES

    def keeps(self, result: Result, name: str) -> bool:
        """Return whether the file of a delivered result stays: that of a failure, if it is small enough."""
        if self.client.artifact_bytes is not None or result.status not in _FAILED:
            return False
        size = spooled_size(self.folder, name)
        if size is None or size > min(_FILE_BYTES, self._free_bytes):
            return False
        self._free_bytes -= size
        return True


def kept_for_report(folder: Path, session: SessionManifest, client: Client) -> Callable[[Result, str], bool]:
    """Return which files of delivered results stay in the session's folder: those that a report from it shows."""
    if not session.report or session.is_embedded:
        return lambda *_: False
    return _ReportFiles(folder, client).keeps


class SpooledResults(Value):
    """The results of a delivered session in its folder.

    ``state`` is that of the ledger of their delivery, ``note`` the text of the run about the session's end.
    ``last_words`` is what processes that died printed last, by worker: it is in no file of the folder.
    """

    folder: SessionFolder
    session: SessionManifest
    options: RecordingOptions
    timeouts: Timeouts
    runtime: Runtime
    state: LedgerState
    note: str
    last_words: Mapping[str, str]

    @contextmanager
    def stored(self, run_id: int) -> Iterator[Path]:
        """Yield the path of a temporary store that has the session's results in a run of this number.

        Raises `SpoolError` if they cannot be stored.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="automation-report-") as folder:
                database = Path(folder) / "store.sqlite3"
                _Replay(self, database).run(run_id)
                yield database
        except OSError as error:
            raise SpoolError(f"{_NOT_STORED}: {error.strerror or error}") from error


class _Replay:
    """One delivery to a temporary store; its ledger is in the folder of that store."""

    def __init__(self, results: SpooledResults, database: Path) -> None:
        self._results, self._database = results, database
        self._ledger = LedgerFile(database.with_name("ledger"))
        orphans = {worker: progress.orphans for worker, progress in results.state.progress_by_worker.items()}
        queues = WorkerQueues(results.options, orphans, lambda worker: results.last_words.get(worker, ""))
        self._follower = SessionFollower(SpoolReader(results.folder), queues, results.timeouts, None)

    def run(self, run_id: int) -> None:
        """Store all results."""
        from pytest_automation_report.server.embedded.client import StoreClient  # noqa: PLC0415 - only a few reports need it

        try:
            self._note_uploaded()
            session = self._results.session
            with (
                StoreClient(self._database, session.project_id, clock=self._now_us) as client,
                _numbered(client, self._database, session, run_id),
            ):
                self._deliver(client)
        finally:
            self._follower.close()
            self._ledger.close()

    def _now_us(self) -> int:
        """Return the time in the session at which the delivery is, in microseconds since 1970.

        So the run has the times of the session, and not those of this delivery.
        """
        started_us = self._results.session.started_us
        queues = self._follower.queues.by_worker.values()
        return started_us + (0 if self._ledger.state.run is None else max(queue.ended_us for queue in queues))

    def _note_uploaded(self) -> None:
        """Note the URLs of the uploaded files that the session's folder has no more."""
        for name, stored in self._results.state.stored.items():
            if spooled_size(self._results.folder.path, name) is None:
                self._ledger.write(stored)

    def _deliver(self, client: StoreClient) -> None:
        results, follower = self._results, self._follower
        # The run is complete when this session's results are in it, also if other jobs report into it.
        session = replace(
            results.session, origin=EMBEDDED_ORIGIN, joined_run=None, is_closing=False, run_tag="", is_first=None
        )
        dispatcher = Dispatcher(
            DeliveryContext(client, self._ledger, follower.queues, session, results.timeouts, results.runtime),
            RejectedResults(self._database.with_name("rejected.jsonl")),
            artifact_store=_SmallFiles(client),
            files_folder=results.folder.path,
            keeps_file=lambda *_: True,
        )
        dispatcher.scheduler.note = results.note
        while not dispatcher.is_finished:
            follower.read()
            follower.decide_end(results.runtime.clock())
            if dispatcher.stopped:
                raise SpoolError(f"{_NOT_STORED}: {dispatcher.stopped}")
            if not dispatcher.step():
                time.sleep(results.timeouts.poll)


class _SmallFiles(MutableValue):
    """The temporary store as the place of files: it takes those that a report can have."""

    client: Client
    _free_bytes: int = _FILES_BYTES

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Store a file; raises `ArtifactStoreError` for one that is too large."""
        if size > min(_FILE_BYTES, self._free_bytes):
            raise ArtifactStoreError(f"left out of the report: {size:,} bytes")
        self._free_bytes -= size
        return ServerStore(self.client).put(file, size, name, mime_type)


@contextmanager
def _numbered(client: StoreClient, database: Path, session: SessionManifest, run_id: int) -> Iterator[None]:
    """Let the next run of an empty store have this number: SQLite counts on from the largest one."""
    before = run_id - 1
    if before == 0:
        yield
        return
    from pytest_automation_report.server.store.store import Store  # noqa: PLC0415 - as the client

    first = client.create_run(NewRun(name=session.run.name, source=session.run.source))
    with closing(Store(database)) as store:
        store.write(lambda writer: writer.connection.change(_RENUMBER, (before, first)))
        yield
        store.write(lambda writer: writer.connection.change(_REMOVE, (before,)))
