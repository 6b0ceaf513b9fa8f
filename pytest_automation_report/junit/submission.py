"""Write result files to the spool as a session, which is then delivered as a session of pytest is.

Nothing of a file is sent if it cannot be read to its end. The session's folder is hidden until it is complete, so no
sender picks it up before, and a command that was killed can simply be repeated.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import to_builtins

from pytest_automation_report.errors import ResultFileError, SpoolError
from pytest_automation_report.junit.results import JunitDocument, JunitError, JunitResult
from pytest_automation_report.spool.cleaning import remove_abandoned, remove_session
from pytest_automation_report.spool.folder import MAIN, SessionManifest, new_session_folder, new_session_name
from pytest_automation_report.spool.records import (
    FORMAT,
    Attempt,
    CloseRecord,
    EndRecord,
    FinishRecord,
    OpenRecord,
    PropertyRecord,
)
from pytest_automation_report.text.files import open_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_automation_report.api.models import Endpoint, Field, NewRun
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.settings.run import RunSharing
    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.writer import SpoolWriter

_PIECE_BYTES = 1 << 16
_MAX_LANES = 50


class Submission:
    """A session that is being filled; owned by the command that fills it.

    ``observed`` is the time in microseconds that the command has measured, None if it has measured none.
    """

    def __init__(self, spool: Path, rules: RecordingOptions, observed: int | None = None) -> None:
        self.rules, self.observed = rules, observed
        self.counts: Counter[str] = Counter()
        self.files = self._elapsed = self._computed = self._number = 0
        # The hosts of the results, each with the writer of its own records: results of one test on two hosts are those
        # of two jobs.
        self._lanes: dict[str, tuple[str, SpoolWriter]] = {}
        remove_abandoned(spool, now=time.time())
        self._folder = new_session_folder(spool, new_session_name(), is_hidden=True)
        self.id = self._folder.id
        self._writer = self._folder.writer(MAIN)
        self._write(OpenRecord(os.getpid(), began=0, worker=MAIN, format=FORMAT).framed())

    @property
    def results(self) -> int:
        """Number of results so far."""
        return self.counts.total()

    def add_file(self, path: Path) -> int:
        """Add the results of a JUnit XML file and return their number.

        Raises `ResultFileError`, and adds nothing, if the file cannot be read, is not complete XML or has no JUnit
        results. Raises `SpoolError` if the disk is full.
        """
        document = JunitDocument(self.rules)
        before = self.counts.copy(), self._computed, self._number
        marks = {worker: self._folder.records(worker).stat().st_size for worker in self._folder.workers()}
        try:
            for result in document.results(_pieces(path)):
                self.add(result)
        except (JunitError, OSError, ResultFileError) as error:
            for worker in self._folder.workers():
                os.truncate(self._folder.records(worker), marks.get(worker, 0))
            self.counts, self._computed, self._number = before
            if isinstance(error, ResultFileError):
                raise
            why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            raise ResultFileError(f"{path}: {why}") from error
        self.files += 1
        self._elapsed += document.elapsed
        return self.results - before[0].total()

    def add(self, result: JunitResult) -> None:
        """Add one result."""
        self._number += 1
        self.counts[result.status] += 1
        self._computed += result.test.elapsed or 0
        test = result.test
        record = FinishRecord(
            self._number,
            0,
            "",
            Attempt(result.status, test.elapsed, fields=test.fields, artifacts=test.artifacts),
            file=test.file or "",
            line=None if test.line is None else test.line - 1,
            key=test.key,
            folder=test.folder,
            name=test.name,
            assertions=test.assertions,
        )
        self._write(record.framed(), self._lane(result.host))

    def _lane(self, host: str) -> SpoolWriter:
        """Return the writer of a host's results; the first host has the first one, and so have too many hosts."""
        if host not in self._lanes:
            if len(self._lanes) in {0, _MAX_LANES}:
                return self._lanes.setdefault(host, (MAIN, self._writer))[1]
            worker = f"host{len(self._lanes) + 1}"
            self._lanes[host] = worker, self._folder.writer(worker)
        return self._lanes[host][1]

    def add_property(self, field: Field) -> None:
        """Add a field of the run, or of the thread in a run of others; its texts are clean."""
        self._write(PropertyRecord(field).framed())

    def finished(
        self,
        endpoint: Endpoint,
        run: NewRun,
        *,
        note: str,
        sharing: RunSharing,
        joined_run: int | None = None,
        is_closing: bool = False,
    ) -> tuple[SessionFolder, SessionManifest, int]:
        """End the session; return its folder, its manifest and the descriptor of its lock, which stays locked."""
        ended, more = self.observed or 0, self._elapsed - self._computed if self.files else 0
        self._write(CloseRecord(ended, self.counts, elapsed_correction=more).framed())
        self._write(EndRecord(note, ended).framed())
        self._close()
        hosts = {worker: host for host, (worker, _) in reversed(self._lanes.items())}
        session = SessionManifest(
            id=self.id,
            origin=endpoint.origin,
            project_id=endpoint.project_id,
            database=endpoint.database,
            run=run,
            joined_run=joined_run,
            rules=to_builtins(self.rules.for_sender()),
            pid=os.getpid(),
            is_closing=is_closing,
            is_measured=self.observed is not None,
            run_tag=sharing.tag,
            is_first=sharing.is_first,
            thread_fields=sharing.thread_fields(self.id),
            job=sharing.thread_job(self.id),
            hosts=hosts if len(hosts) > 1 else {},
        )
        try:
            self._folder.write_session(session)
            lock = self._folder.locked()
            assert lock is not None
            return self._folder.publish(), session, lock
        except OSError as error:
            raise SpoolError(f"{self._folder.path} cannot be written: {error.strerror or error}") from error

    def discard(self) -> None:
        """Remove the session."""
        self._close()
        remove_session(self._folder.path, is_own=True)

    def _close(self) -> None:
        self._writer.close()
        for _, writer in self._lanes.values():
            writer.close()

    def _write(self, record: bytes, writer: SpoolWriter | None = None) -> None:
        writer = writer or self._writer
        writer.write(record)
        if writer.waiting:
            raise SpoolError(f"nothing was sent: {writer.trouble}")


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield the content of a file or a pipe in pieces; raises `OSError`."""
    with open_file(path) as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
