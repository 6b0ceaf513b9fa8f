"""Finds the one run that the jobs of a pipeline share, or creates it (floor 3).

Jobs may start in the same second. A server that knows idempotency keys creates one run for all of them. On another
one several may be created: each job looks which run with the key's tag is the oldest and goes there, and who has
created a younger one completes it, empty, with the reason. Nothing has to be remembered: whoever is killed in between
begins anew and finds what is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.api.models import Field, Resources
from pytest_automation_report.api.run_pages import run_pages
from pytest_automation_report.errors import ClientError, RefusedError

if TYPE_CHECKING:
    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import NewRun
    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.delivery.handover import Runtime, Timeouts

LEFT_FIELD: Final = "Left empty"

_Stage: TypeAlias = Literal["count", "look", "create", "compare", "leave"]

_RUNNING: Final = 4

_NOT_FOUND: Final = 404
_UNPROCESSABLE: Final = 422


@dataclass(slots=True)
class SharedRunLookup:
    """One job on its way to the run; errors of the client pass through, and the step is repeated later.

    ``run`` is the run to create, which must be the same for every job; one of its tags is ``tag``. ``is_first`` is
    whether this job is the one that creates, ``None`` when nobody tells: another one waits for it a while.
    """

    client: Client
    run: NewRun
    tag: str
    timeouts: Timeouts
    runtime: Runtime
    is_first: bool | None = None
    _stage: _Stage = "count"
    _all: int | None = None
    _made: int = 0
    _seen: int = 0
    _oldest: int = 0
    _generation: int = 0
    _is_noted: bool = False
    _began: float | None = None
    _next: float = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether time must pass until the server can be asked."""
        return self.runtime.clock() < self._next

    def step(self) -> int | None:
        """Send at most one request, or read one list; return the run's id once it is found."""
        if self.is_waiting:
            return None
        match self._stage:
            case "count":
                return self._count()
            case "look":
                return self._look()
            case "create":
                return self._create()
            case "compare":
                return self._compare()
            case _:
                return self._leave()

    def _count(self) -> int | None:
        """Count the runs of the key, which costs the same however many jobs are in them.

        A server that knows idempotency keys then gives the one that is open for the key by which it was created.
        """
        if self._all is None:
            self._all = self._counted(())
            if not self.client.knows_keys:
                self._stage = "look"
            return None
        opened = self._counted((_RUNNING,))
        self._generation = max(0, self._all - opened)
        self._all = None
        if opened or not self._has_to_wait():
            self._stage = "create"
        return None

    def _counted(self, status: tuple[int, ...]) -> int:
        try:
            return self.client.count_runs(tags=(self.tag,), status=status, key=self._key)
        except RefusedError as error:
            self.runtime.log(f"{error}: runs cannot be counted")
            return 0

    def _look(self) -> int | None:
        found = self._runs()
        opened = [each.id for each in found if not each.is_completed]
        if opened:
            return min(opened)
        # A run that is completed is that of an earlier pipeline: the next one has another idempotency key.
        self._generation = max((each.id for each in found), default=0)
        if not self._has_to_wait():
            self._stage = "create"
        return None

    def _has_to_wait(self) -> bool:
        """Whether the first job may still create the run."""
        now = self.runtime.clock()
        self._began = now if self._began is None else self._began
        if self.is_first is not False or now - self._began >= self.timeouts.join_wait:
            return False
        self._next = now + self.timeouts.join_poll
        return True

    def _create(self) -> int | None:
        try:
            self._made = self.client.create_run(self.run, key=self._key)
        except RefusedError as error:
            # Another job has used the key with a run that is not quite the same.
            found = [each.id for each in self._runs() if not each.is_completed]
            if error.status != _UNPROCESSABLE or not found:
                raise
            self.runtime.log(f"{error}: another job has created run {min(found)}")
            return min(found)
        except ClientError:
            self._stage = "count"  # it may have been created all the same
            raise
        if self.client.knows_keys:
            return self._made
        self._stage = "compare"
        return None

    def _compare(self) -> int | None:
        """Return the oldest of all, once two reads agree on it."""
        oldest = min([self._made, *(each.id for each in self._runs() if not each.is_completed)])
        if self._seen != oldest:
            self._seen = oldest
            self._next = self.runtime.clock() + self.timeouts.read_back
            return None
        if oldest == self._made:
            return oldest
        self._oldest, self._stage = oldest, "leave"
        return None

    def _leave(self) -> int | None:
        """Complete the run that was created beside the oldest, and say in it why it is empty."""
        try:
            if not self._is_noted:
                why = Field(
                    LEFT_FIELD, f"created by a job at the same time as run {self._oldest}, which has all results"
                )
                self.client.append_run(self._made, Resources(fields=(why,)))
                self._is_noted = True
                return None
            self.client.complete_run(self._made, measure_elapsed=False)
        except RefusedError as error:
            self.runtime.log(f"{error}: run {self._made} stays as it is, empty")
        return self._oldest

    def _runs(self) -> list[Run]:
        """Return the runs of the key; a server that takes no notice of the filter is read with care."""
        try:
            found = [run for page in run_pages(self.client, tags=(self.tag,)) for run in page.result]
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            return []  # a project may be unknown until it has a run; creating one tells if it is not
        return [each for each in found if self.tag in each.tags]

    @property
    def _key(self) -> str:
        """The Idempotency-Key of the creation: the same in every job."""
        return sha256(f"run-key:{self.tag}:{self._generation}".encode()).hexdigest()
