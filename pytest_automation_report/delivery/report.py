"""Write the report of a run into one HTML file: from the embedded store, a server of ours, or a session's own spool.

All results are delivered by then. A report that cannot be written costs the summary a line, and nothing else.
"""

from __future__ import annotations

import gc
import os
import secrets
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, NewRun, Token
from pytest_automation_report.api.run_pages import learn_kind
from pytest_automation_report.delivery.dispatcher import Delivery
from pytest_automation_report.delivery.follower import SessionFollower, note_from, options_of
from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.delivery.requests import DeliveryOptions
from pytest_automation_report.delivery.uploads import REPORT_FILE_BYTES
from pytest_automation_report.errors import AutomationReportError, RefusedError, SpoolError
from pytest_automation_report.spool.artifacts import spooled_size
from pytest_automation_report.spool.ledger_file import LedgerFile
from pytest_automation_report.spool.ledger_records import ReportRecord
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.text.files import STDOUT, encoded, open_file, write_output
from pytest_automation_report.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.server.embedded.client import StoreClient
    from pytest_automation_report.server.pages.report.files import FileRule
    from pytest_automation_report.spool.manifest import SessionManifest

NO_PAGES: Final = (
    "the report needs the embedded store or a server of automation-report serve: this server has no pages"
    " (pytest --automation-report-html writes the report of a session that reports to it)"
)
"""Why there is no report of any run of a Testmo instance."""

OWN_RESULTS: Final = "of this session's results, without history"
"""Short note about a report that comes from the spool."""

_NOT_STORED: Final = "the results cannot be stored for the report"
_RENUMBER: Final = 'UPDATE "run" SET "id" = ? WHERE "id" = ?'
_REMOVE: Final = 'DELETE FROM "run" WHERE "id" = ?'
_NOT_FOUND: Final = 404
_ENDINGS: Final = frozenset({".html", ".htm"})
_MARK: Final = b'<meta name="generator" content="pytest-automation-report '
_HEAD_BYTES: Final = 4096


class ReportWriting:
    """The writing of a run's report in a separate thread: the sender can stop to wait for it.

    With ``creates_folder`` the file's folder is created if it is missing, as pytest's ``--junitxml`` does.
    """

    def __init__(self, delivery: Delivery, run_id: int, *, creates_folder: bool) -> None:
        self._delivery, self._run_id = delivery, run_id
        self._client, self._session, self._log = delivery.client, delivery.session, delivery.runtime.log
        # Of processes that died, by worker: it is in no file of the folder.
        self._last_words = delivery.queues.shown_last_words.copy()
        self._creates_folder = creates_folder
        self._why = ""
        self._note = ""
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None) -> ReportRecord:
        """Wait at most this long, without a limit for None; return the state of the report, and why there is none.

        A written report may have a note instead.
        """
        file = self._session.report
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._log(f"the report of run {self._run_id} takes longer than {seconds:.1f} s")
            return ReportRecord(file, "late")
        if self._why:
            self._log(f"no report of run {self._run_id}: {self._why}")
        return ReportRecord(file, "none", self._why) if self._why else ReportRecord(file, "written", self._note)

    def _write(self) -> None:
        named = self._session.report
        try:
            # pytest copies it to its stdout.
            self._write_to(self._delivery.folder.report if named == STDOUT else Path(named))
        except OSError as error:
            self._why = f"it cannot be written ({error.strerror or error}): name a file in a folder that can be written"
        except AutomationReportError as error:
            self._why = f"{error}{self._remedy}"
        except Exception as error:  # noqa: BLE001 - whatever the pages raise, the results are delivered
            self._why = f"{error!r}{self._remedy}"

    @property
    def _remedy(self) -> str:
        """The command that writes the report later; none for a report that only the spool has."""
        return "" if self._note else f": try automation-report html {self._run_id} -o {Path(self._session.report).name}"

    def _write_to(self, path: Path) -> None:
        if self._creates_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_output(path, encoded([self._html()]))

    def _html(self) -> str:
        if self._session.is_embedded:
            return embedded_report(Path(self._session.database), self._run_id)
        learn_kind(self._client)
        if self._client.artifact_bytes is not None:
            try:
                return self._client.report_html(self._run_id)
            except RefusedError as error:
                # A server without pages has no reports.
                if error.status != _NOT_FOUND:
                    raise
        self._note = OWN_RESULTS
        origin = self._session.origin
        # The origin is the server's address without anything else: no user, no token.
        note = f"The results went to {origin}. This file has only those of this session, and nothing of earlier runs."
        try:
            with tempfile.TemporaryDirectory(prefix="automation-report-") as folder:
                database = Path(folder) / "store.sqlite3"
                deliver_again(self._delivery, self._last_words, database, self._run_id)
                return embedded_report(database, self._run_id, note=note)
        except OSError as error:
            raise SpoolError(f"{_NOT_STORED}: {error.strerror or error}") from error


def deliver_again(delivered: Delivery, last_words: Mapping[str, str], database: Path, run_id: int) -> None:
    """Deliver a session once more, from its spool into a new store, as a run of this number: for its report.

    The store has the times of the session, and nothing of earlier runs. Its ledger is beside it. Raises `SpoolError` if
    the results cannot be stored.
    """
    from pytest_automation_report.server.embedded.client import StoreClient  # noqa: PLC0415 - only a few reports need it

    # The run is complete when this session's results are in it, also if other jobs report into it.
    session = replace(
        delivered.session, origin=EMBEDDED_ORIGIN, joined_run=None, is_closing=False, run_tag="", is_first=None
    )
    ledger, state = LedgerFile(database.with_name("ledger")), delivered.state
    orphans = {worker: progress.orphans for worker, progress in state.progress_by_worker.items()}
    queues = WorkerQueues(options_of(session), orphans, lambda worker: last_words.get(worker, ""))
    follower = SessionFollower(SpoolReader(delivered.folder), queues, delivered.timeouts, None)

    def now_us() -> int:
        """Return the time of the session at which the delivery is."""
        ended = (queue.ended_us for queue in queues.by_worker.values())
        return session.started_us + (0 if ledger.state.run is None else max(ended))

    # Uploaded files that the folder has no more keep their addresses.
    for name, stored in state.stored.items():
        if spooled_size(delivered.folder.path, name) is None:
            ledger.write(stored)
    try:
        with (
            StoreClient(database, session.project_id, clock=now_us, artifact_bytes=REPORT_FILE_BYTES) as client,
            _numbered(client, database, session, run_id),
        ):
            options = DeliveryOptions(files_folder=delivered.folder.path)
            again = Delivery(session, client, ledger, queues, delivered.timeouts, delivered.runtime, options)
            again.scheduler.note = note_from(delivered.queues)
            while not again.is_finished:
                follower.read()
                follower.decide_end(delivered.runtime.clock())
                if again.retry_policy.stopped:
                    raise SpoolError(f"{_NOT_STORED}: {again.retry_policy.stopped}")
                if not again.step():
                    time.sleep(delivered.timeouts.poll)
    finally:
        follower.close()
        ledger.close()


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


def refusal_of_kept(root: Path, path: Path) -> str:
    """Return why the report of a kept session is not written to the path in its manifest, "" if it is.

    A spool may come from elsewhere. Its path counts for an HTML file below the project's ``root`` that is new or a
    report.
    """
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(root)) or real.suffix.lower() not in _ENDINGS:
        return f"a kept session may only name an HTML file below {root}"
    return "a kept session may only replace a report" if os.path.lexists(real) and not _is_report(real) else ""


def _is_report(path: Path) -> bool:
    try:
        with open_file(path, is_foreign=True) as file:
            return _MARK in file.read(_HEAD_BYTES)
    except OSError:
        return False


def unfinished_reason(session: SessionManifest, run_id: int, *, is_open: bool) -> str:
    """Return why there is no report of a run that is not completed; ``is_open`` if it is left open on purpose."""
    if not is_open:
        return f"run {run_id} is not completed: automation-report send completes it, and writes the report"
    return (
        f"run {run_id} stays open for other jobs: "
        f"write it with automation-report html {run_id} -o {Path(session.report).name} once it is completed"
    )


def embedded_report(
    database: Path, run_id: int, base: int | None = None, rule: FileRule | None = None, *, note: str = ""
) -> str:
    """Return the report of a run of the embedded store, with the files that ``rule`` chooses, and a note at its top.

    Raises `RefusedError` for a store or a run that is not there.
    """
    # The pages and their templates take 0.2 s to load, for which neither sessions nor other commands pay.
    from pytest_automation_report.server.pages.report.files import FileRule  # noqa: PLC0415 - as above
    from pytest_automation_report.server.pages.site import Pages  # noqa: PLC0415 - as above
    from pytest_automation_report.server.store.errors import ApiError  # noqa: PLC0415 - as above
    from pytest_automation_report.server.store.store import Store  # noqa: PLC0415 - as above

    if not database.exists():
        raise RefusedError(f"there is no store at {database}: report a session first", _NOT_FOUND)
    store = Store(database)
    try:
        with _without_collections():
            pages = Pages(store, Token(secrets.token_urlsafe()))
            return pages.report(run_id, base, rule or FileRule(), note=note)
    except ApiError as error:
        raise RefusedError(f"{error.status}: {error.message}", error.status, error.errors) from error
    finally:
        store.close()


@contextmanager
def _without_collections() -> Iterator[None]:
    """Let Python look for no cycles of objects: a report has few, and all of its texts stay until it is written.

    This is a tenth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
