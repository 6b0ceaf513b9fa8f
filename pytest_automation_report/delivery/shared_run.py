"""Find the one run that the jobs of a pipeline share, or create it.

Jobs may start in the same second. A server that knows idempotency keys creates one run for all of them. On any other
server several runs may be created: each job then looks for the oldest run with the key's tag and uses it, and a job
that has created a younger one completes that, empty, with the reason. Nothing is stored between two attempts: a job
that was killed starts over and finds what exists.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.api.models import Field, Resources
from pytest_automation_report.api.run_pages import run_pages
from pytest_automation_report.errors import ClientError, RefusedError
from pytest_automation_report.values import MutableValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import NewRun
    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.delivery.handover import Runtime, Timeouts

LEFT_FIELD: Final = "Left empty"

_Stage: TypeAlias = Literal["count_all", "count_open", "look", "create", "compare", "leave"]

_RUNNING: Final = 4

_NOT_FOUND: Final = 404
_UNPROCESSABLE: Final = 422


class SharedRunLookup(MutableValue):
    """The way of one job to the shared run, in steps of at most one request; owned by the dispatcher.

    Errors of the client pass through, and the step is repeated later. The stages are::

        a server with idempotency keys:      count_all -> count_open -> create
        any other one:                       count_all -> look -> create -> compare -> leave
                                                           |                  |
                                                           +--> an open run   +--> our run is the oldest

    ``run`` is the run to create, the same for every job; one of its tags is ``tag``. ``is_first`` if this job is the
    one that creates the run, None if the CI does not show it: a job that is not the first waits for it a while.
    """

    client: Client
    run: NewRun
    tag: str
    timeouts: Timeouts
    runtime: Runtime
    is_first: bool | None = None
    _stage: _Stage = "count_all"
    _all_runs: int | None = None
    _created_run: int = 0
    _last_oldest: int = 0
    _oldest_run: int = 0
    # Part of the idempotency key, the same in all jobs of one pipeline and another one in the next pipeline with the
    # same tag: the number of completed runs, or the id of the latest run where keys are not known.
    _key_suffix: int = 0
    _is_reason_added: bool = False
    _waiting_since: float | None = None
    _next_try: float = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether time must pass before the next request."""
        return self.runtime.clock() < self._next_try

    def step(self) -> int | None:
        """Send at most one request, or read one list; return the run's id, None if it is not found yet."""
        if self.is_waiting:
            return None
        steps: dict[_Stage, Callable[[], int | None]] = {
            "count_all": self._count_all,
            "count_open": self._count_open,
            "look": self._look,
            "create": self._create,
            "compare": self._compare,
            "leave": self._leave,
        }
        return steps[self._stage]()

    def _count_all(self) -> None:
        """Count the runs with the tag, and learn on the way whether the server knows idempotency keys.

        To count costs the same however many jobs share the run; to list them does not.
        """
        self._all_runs = self._count_runs(())
        self._stage = "count_open" if self.client.knows_keys else "look"

    def _count_open(self) -> None:
        """Count the open runs; the server then returns an open one for the key with which it was created."""
        assert self._all_runs is not None
        open_runs = self._count_runs((_RUNNING,))
        self._key_suffix = max(0, self._all_runs - open_runs)
        self._all_runs = None
        self._stage = "create" if open_runs or not self._wait_for_first_job() else "count_all"

    def _count_runs(self, status: tuple[int, ...]) -> int:
        try:
            return self.client.count_runs(tags=(self.tag,), status=status, key=self._key)
        except RefusedError as error:
            self.runtime.log(f"{error}: runs cannot be counted")
            return 0

    def _look(self) -> int | None:
        runs = self._runs()
        open_runs = [run.id for run in runs if not run.is_completed]
        if open_runs:
            return min(open_runs)
        # A completed run belongs to an earlier pipeline: the next run needs another idempotency key.
        self._key_suffix = max((run.id for run in runs), default=0)
        if not self._wait_for_first_job():
            self._stage = "create"
        return None

    def _wait_for_first_job(self) -> bool:
        """Wait a while if the first job may still create the run; return whether to wait."""
        now = self.runtime.clock()
        self._waiting_since = now if self._waiting_since is None else self._waiting_since
        if self.is_first is not False or now - self._waiting_since >= self.timeouts.join_wait:
            return False
        self._next_try = now + self.timeouts.join_poll
        return True

    def _create(self) -> int | None:
        try:
            self._created_run = self.client.create_run(self.run, key=self._key)
        except RefusedError as error:
            # Another job has used the key with a body that differs, as with another commit in a field.
            open_runs = self._open_runs()
            if error.status != _UNPROCESSABLE or not open_runs:
                raise
            self.runtime.log(f"{error}: another job has created run {min(open_runs)}")
            return min(open_runs)
        except ClientError:
            # The run may have been created all the same. Without keys the number of all runs is known already.
            self._stage = "count_all" if self._all_runs is None else "count_open"
            raise
        if self.client.knows_keys:
            return self._created_run
        self._stage = "compare"
        return None

    def _compare(self) -> int | None:
        """Return our run if it is the oldest open one, None if not, or as long as two reads do not agree on it."""
        oldest = min([self._created_run, *self._open_runs()])
        if self._last_oldest != oldest:
            self._last_oldest = oldest
            self._next_try = self.runtime.clock() + self.timeouts.read_back
            return None
        if oldest == self._created_run:
            return oldest
        self._oldest_run, self._stage = oldest, "leave"
        return None

    def _leave(self) -> int | None:
        """Add the reason to our superfluous run, then complete it and return the oldest."""
        try:
            if not self._is_reason_added:
                reason = f"created by a job at the same time as run {self._oldest_run}, which has all results"
                self.client.append_run(self._created_run, Resources(fields=(Field(LEFT_FIELD, reason),)))
                self._is_reason_added = True
                return None
            self.client.complete_run(self._created_run, measure_elapsed=False)
        except RefusedError as error:
            self.runtime.log(f"{error}: run {self._created_run} stays as it is, empty")
        return self._oldest_run

    def _open_runs(self) -> list[int]:
        """Return the ids of the open runs with the tag."""
        return [run.id for run in self._runs() if not run.is_completed]

    def _runs(self) -> list[Run]:
        """Return the runs with the tag, also from a server that ignores the filter."""
        try:
            runs = [run for page in run_pages(self.client, tags=(self.tag,)) for run in page.result]
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            return []  # a server may create a project with its first run; if it does not, the creation fails, too
        return [run for run in runs if self.tag in run.tags]

    @property
    def _key(self) -> str:
        """The Idempotency-Key of the creation, the same in every job."""
        return sha256(f"run-key:{self.tag}:{self._key_suffix}".encode()).hexdigest()
