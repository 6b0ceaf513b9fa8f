"""Follow a session: read its spool files into queues, and notice the session's end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, ValidationError, convert, field

from pytest_automation_report.api.models import DIED_NOTE
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.spool.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.delivery.captured_output import CapturedOutput
    from pytest_automation_report.delivery.handover import Timeouts
    from pytest_automation_report.delivery.queues import WorkerQueues
    from pytest_automation_report.spool.folder import SessionManifest
    from pytest_automation_report.spool.reader import SpoolReader

_READ_AHEAD: Final = 1000
"""Number of a worker's waiting results at which its file is not read further: the spool is the queue, not memory."""


class SessionFollower(Struct):
    """Reads a session's files into queues and notices the session's end; owned by the sender.

    ``controller`` is the leading pytest process, None if there is none to follow, as in `automation-report send`.
    ``session_time_us`` returns the time of the session's clock in microseconds, 0 if that is unknown.
    """

    files: SpoolReader
    queues: WorkerQueues
    timeouts: Timeouts
    controller: Process | None
    captured_output: CapturedOutput | None = None
    session_time_us: Callable[[], int] = lambda: 0
    _processes: dict[str, Process] = field(default_factory=dict)
    _controller_died_at: float | None = None

    def read(self) -> None:
        """Apply all new records."""
        for worker, records in self.files.added(self._is_full):
            for placed in records:
                self.queues.apply(worker, placed)
            queue = self.queues.of(worker)
            queue.position = self.files.position(worker)
            # Both are opened while the process lives: later its id, and its files without a name, are gone.
            if queue.pid and worker not in self._processes and self.controller is not None:
                self._processes[worker] = Process(queue.pid)
            if queue.captured_files and self.captured_output is not None:
                self.captured_output.watch(worker, queue.pid, queue.captured_files)
                queue.captured_files = ()
        self.queues.merge_crashed()

    def _is_full(self, worker: str) -> bool:
        return len(self.queues.of(worker).results) >= _READ_AHEAD

    @property
    def has_ended(self) -> bool:
        """Whether the session has ended, even if files are not read to their end yet, since too many results wait."""
        has_ended = self.queues.is_decided or self.queues.end is not None
        return has_ended or (self.files.is_behind and self._is_left_alone())

    def _is_left_alone(self) -> bool:
        """Whether the leading process is gone, or there is none to follow."""
        return self.controller is None or not self.controller.is_alive()

    def decide_end(self, now: float) -> None:
        """Turn open attempts into results, once the session has ended or all its processes are dead.

        Workers that outlive the leading process get ``worker_grace`` seconds to end. ``now`` is the sender's clock.
        """
        if self.queues.is_decided or self.files.is_behind:
            return
        if self.queues.end is not None:
            self.queues.finalize("interrupted")
        elif self._is_left_alone():
            self._controller_died_at = now if self._controller_died_at is None else self._controller_died_at
            has_living_workers = any(process.is_alive() for process in self._processes.values())
            if not has_living_workers or now - self._controller_died_at > self.timeouts.worker_grace:
                self._decide_after_death()

    def _decide_after_death(self) -> None:
        """Read once more, then decide: a process that ended in order since the last read has written its END.

        Raises `SpoolError` without the files that were read before: what they had more is not known, and nobody died.
        """
        self.read()
        if self.files.is_lost:
            raise SpoolError(f"{self.files.folder.path}: its files were moved or deleted before the session's end")
        if not self.files.is_behind:
            self.queues.finalize("died" if self.queues.end is None else "interrupted", self.session_time_us())

    def close(self) -> None:
        """Close the descriptors of processes and of captured output."""
        for resource in (self.controller, *self._processes.values(), self.captured_output):
            if resource is not None:
                resource.close()


def options_of(session: SessionManifest) -> RecordingOptions:
    """Parse the recording options of a session; raises `SpoolError` if its manifest has none that can be read.

    Parsed here and not with the manifest, since `spool` does not import `recording`.
    """
    try:
        return convert(session.rules, RecordingOptions)
    except ValidationError as error:
        raise SpoolError(f"session {session.id}: its recording options cannot be read: {error}") from error


def note_from(queues: WorkerQueues) -> str:
    """Return how the session ended, as the run's note shows it."""
    if queues.end is None:
        return DIED_NOTE
    return queues.end.reason
