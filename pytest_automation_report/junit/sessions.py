"""Turn JUnit XML into a session of the spool, and compare a session of pytest with the JUnit XML of the same tests."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from pytest_automation_report.api.models import Ending
from pytest_automation_report.delivery.queues import Result, WorkerQueues
from pytest_automation_report.errors import ResultFileError, SpoolError
from pytest_automation_report.junit.results import FOLDER, JunitDocument, JunitError, JunitResult
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.recording.phases import worst_status
from pytest_automation_report.spool.folder import (
    MAIN,
    Lock,
    SessionManifest,
    bytes_from,
    new_session_folder,
    new_session_name,
    remove_session,
)
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.spool.records import (
    FORMAT,
    CloseRecord,
    EndRecord,
    FinishRecord,
    OpenRecord,
    PropertyRecord,
)
from pytest_automation_report.spool.sessions import locked, remove_abandoned
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import open_file
from pytest_automation_report.text.limits import string
from pytest_automation_report.text.node_ids import join_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_automation_report.api.models import Endpoint, Field, NewRun, Status
    from pytest_automation_report.settings.run import RunSharing
    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.writer import SpoolWriter

_PIECE_BYTES: Final = 1 << 16
_MAX_LANES: Final = 50


class Submission:
    """A session that is being filled; ``observed`` is the time in microseconds that the caller has measured, if any."""

    def __init__(self, spool: Path, options: RecordingOptions, observed: int | None = None) -> None:
        self.options, self.observed = options, observed
        self.counts: Counter[str] = Counter()
        self.files = self._elapsed = self._computed = 0
        # The hosts, each with the writer of its own records: two hosts are two jobs, which may share tests.
        self._lanes: dict[str, tuple[str, SpoolWriter]] = {}
        remove_abandoned(spool, now=time.time())
        # Hidden until it is complete: no sender picks it up before, and a killed command can be repeated.
        self._folder = new_session_folder(spool, new_session_name())
        self.id = self._folder.id
        self._writer = self._folder.writer(MAIN)
        self._write(OpenRecord(os.getpid(), began=0, worker=MAIN, format=FORMAT).framed())

    @property
    def results(self) -> int:
        """The number of results so far."""
        return self.counts.total()

    def add_file(self, path: Path) -> int:
        """Add the results of a JUnit XML file and return their number.

        Raises `ResultFileError`, and adds nothing, for a file that cannot be used; `SpoolError` if the disk is full.
        """
        document = JunitDocument(self.options)
        before = self.counts.copy(), self._computed
        marks = {worker: self._folder.records(worker).stat().st_size for worker in self._folder.workers()}
        try:
            with open_file(path) as file:
                for result in document.results(iter(lambda: file.read(_PIECE_BYTES), b"")):
                    self.add(result)
        except (JunitError, OSError) as error:
            for worker in self._folder.workers():
                os.truncate(self._folder.records(worker), marks.get(worker, 0))
            self.counts, self._computed = before
            why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            raise ResultFileError(f"{path}: {why}") from error
        self.files += 1
        self._elapsed += document.elapsed
        return self.results - before[0].total()

    def add(self, result: JunitResult) -> None:
        """Add one result."""
        test, attempt = result.test, result.attempt
        self.counts[attempt.status] += 1
        self._computed += test.elapsed or 0
        record = FinishRecord(
            self.results,
            0,
            "",
            attempt,
            file=test.file or "",
            line=None if test.line is None else test.line - 1,
            key=test.key,
            folder=test.folder,
            name=test.name,
            assertions=test.assertions,
            hidden=result.earlier,
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
        """Add a field of the run, or of the thread in a shared run; its texts are clean."""
        self._write(PropertyRecord(field).framed())

    def finished(
        self,
        endpoint: Endpoint,
        run: NewRun,
        *,
        note: str,
        sharing: RunSharing,
        ancestors: tuple[str, ...],
        joined_run: int | None = None,
        is_closing: bool = False,
    ) -> tuple[SessionFolder, SessionManifest, Lock]:
        """End the session; return its folder, its manifest and its lock."""
        ended, more = self.observed or 0, self._elapsed - self._computed if self.files else 0
        self._write(CloseRecord(ended, self.counts, elapsed_correction=more).framed())
        self._write(EndRecord(moment=ended, ending=Ending("other", text=note)).framed())
        self._close()
        hosts = {worker: host for host, (worker, _) in reversed(self._lanes.items())}
        session = SessionManifest(
            id=self.id,
            origin=endpoint.origin,
            project_id=endpoint.project_id,
            database=endpoint.database,
            run=run,
            joined_run=joined_run,
            options=to_builtins(self.options.for_sender()),
            pid=os.getpid(),
            is_closing=is_closing,
            is_measured=self.observed is not None,
            run_tag=sharing.tag,
            is_first=sharing.is_first,
            thread_fields=sharing.thread_fields(self.id),
            job=sharing.thread_job(self.id),
            ancestors=ancestors,
            hosts=hosts if len(hosts) > 1 else {},
        )
        try:
            self._folder.write_session(session)
            # Other processes see it locked, but where a folder cannot be renamed with an open file in it.
            folder = self._folder.publish() if system.IS_CLOSED_FIRST else self._folder
            lock = locked(folder)
            if lock is None:
                raise SpoolError(f"{folder.path} is sent by another process")
            return (folder if system.IS_CLOSED_FIRST else folder.publish()), session, lock
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
        if writer.error:
            raise SpoolError(f"nothing was sent: {writer.error}")


class _KeyedCase(Struct):
    """All cases of one key: their name with its folder, and their statuses in the order of the document."""

    name: str
    statuses: list[Status] = field(default_factory=list)


_SHOWN: Final = 10


def comparison_lines(folder: SessionFolder, options: RecordingOptions, path: Path, shown_path: str) -> list[str]:
    """Compare keys and statuses of a session with an XML file; return lines for pytest's summary."""
    try:
        if path.stat().st_mtime_ns < folder.began_ns:
            return [f"not compared: this session did not write {shown_path}: add --junitxml={shown_path}"]
        cases = _cases(path)
    except OSError as error:
        return [f"not compared: {shown_path}: {error.strerror or error}: write it with --junitxml={shown_path}"]
    except JunitError as error:
        return [f"not compared: {shown_path}: {string(str(error))}"]
    results = _results(folder, options)
    differences = [string(line) for line in _differences(results, cases, shown_path)]
    if not differences:
        return [f"compared with {shown_path}: keys and statuses are the same ({len(cases)} compared)"]
    more = [f"  and {len(differences) - _SHOWN} more"] if len(differences) > _SHOWN else []
    head = f"compared with {shown_path}: {len(differences)} of {len(cases.keys() | results.keys())} tests differ"
    return [head, *(f"  {line}" for line in differences[:_SHOWN]), *more]


def _cases(path: Path) -> dict[str, _KeyedCase]:
    """Return the cases of a document by their keys on the server."""
    cases: dict[str, _KeyedCase] = {}
    for result in JunitDocument(RecordingOptions(redact_builtin=False)).results(bytes_from(path, 0)):
        test = result.test
        folder = "" if test.folder == FOLDER else test.folder
        cases.setdefault(test.key, _KeyedCase(join_title(folder, test.name))).statuses.append(result.attempt.status)
    return cases


def _results(folder: SessionFolder, options: RecordingOptions) -> dict[str, list[Result]]:
    queues = WorkerQueues(replace(options, report_not_run=False))  # the XML has no tests that were not run
    for worker, records in SpoolReader(folder).added():
        for placed in records:
            queues.apply(worker, placed)
    queues.finalize("interrupted")
    results: dict[str, list[Result]] = {}
    for queue in queues.by_worker.values():
        for result in queue.results:
            results.setdefault(result.test.key, []).append(result)
    return results


def _differences(
    results: Mapping[str, list[Result]], cases: Mapping[str, _KeyedCase], shown_path: str
) -> Iterable[str]:
    """Yield a line for each test that only one of them has, and for each test with another status."""
    for key, case in cases.items():
        worst = worst_status(case.statuses)
        if key not in results:
            yield f"only in {shown_path}: {case.name} ({worst})"
            continue
        # Reruns leave a case for each attempt, and the last one is the result; a failed teardown leaves a second case.
        statuses = {result.status for result in results[key]}
        if not statuses & {worst, case.statuses[-1]}:
            yield f"{case.name}: {worst} in {shown_path}, {', '.join(sorted(statuses))} in the run"
    for key, same_key in results.items():
        if key not in cases:
            first = same_key[0]
            yield f"only in the run: {join_title(first.test.folder, first.test.name)} ({first.status})"
