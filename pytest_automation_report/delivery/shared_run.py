"""Find the run that the jobs of a pipeline share, or create it.

Jobs may start in the same second. A server that knows idempotency keys creates one run for all of them. On any other
server several runs may be created: each job then looks for the oldest run with the key's tag and uses it, and a job
that has created a younger one completes that, empty, with the reason. Two pipelines may have the same key by mistake: a
run of another commit, branch, repository or configuration is not joined.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.client import Client, run_pages
from pytest_automation_report.api.models import JOB, Field, Json, NewRun, Resources
from pytest_automation_report.api.responses import ClientError, RefusedError, Run
from pytest_automation_report.delivery.requests import NOT_FOUND, UNPROCESSABLE
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.delivery.launch import Runtime, Timeouts

LEFT_FIELD: Final = "Left empty"


def difference(wanted: NewRun, run: Run, configs: Json) -> str:
    """Return what a run is of instead of what a job's run would be of, empty if it may be the job's run.

    ``configs`` has the configurations of the page that the run is from.
    """
    of_run, of_job = ({field.name: field.value for field in each.fields} for each in (run, wanted))
    page_of_run, page_of_job = ({link.name: link.url for link in each.links}.get("Commit") for each in (run, wanted))
    config = next((each.get("name") for each in configs.get("configs", ()) if each.get("id") == run.config_id), None)
    compared = (
        ("branch", of_run.get("Branch"), of_job.get("Branch")),
        ("commit", of_run.get("Commit"), of_job.get("Commit")),
        ("repository", page_of_run, page_of_job),
        ("configuration", config, wanted.config if wanted.config_id is None else None),
        ("configuration", run.config_id, wanted.config_id),
    )
    for name, there, here in compared:
        # What is not known of one of them is the same.
        if there and here and there != here:
            shown = [str(value) for value in (there, here)]
            if name == "commit":
                shown = [text[:10] for text in shown]
            elif name == "repository":
                shown = [text.partition("/commit")[0] for text in shown]
            return f"{name} {shown[0]} and not {shown[1]}"
    return ""


def runs_of_key(client: Client, tag: str, wanted: NewRun) -> tuple[list[Run], list[tuple[Run, str]]]:
    """Return the newest runs with a key's tag, newest first: those that a job may join, and others with the reasons."""
    same: list[Run] = []
    others: list[tuple[Run, str]] = []
    try:
        for page in run_pages(client, tags=(tag,), expands=("configs",)):
            for run in page.result:
                what = difference(wanted, run, page.expands)
                if what:
                    others.append((run, what))
                else:
                    same.append(run)
    except RefusedError as error:
        if error.status != NOT_FOUND:  # a server may create a project with its first run
            raise
    return same, others


class SharedRunLookup(Struct):
    """The way of one job to the shared run, in steps of at most one request; owned by the delivery.

    Errors of the client pass through, and the step is repeated later. The stages are::

        count --> look --> create            on a server with idempotency keys
           |        |         |
           |        |         +--> compare --> leave    on any other one
           |        |                 |
           |        +--> a run        +--> our run is the oldest
           +--> create, if no run has the tag

    A completed run belongs to an earlier attempt, or to jobs that were faster: a server of ours takes late results, on
    any other server they go to a new run. Nothing is stored between two attempts: a job that was killed starts over.
    """

    client: Client
    run: NewRun  # to create, the same for every job
    tag: str  # one of its tags
    timeouts: Timeouts
    runtime: Runtime
    # Whether this job creates the run, while others wait for it a while; None if the CI does not show it.
    is_first: bool | None = None
    is_late_refused: bool = False  # a completed run is left alone on any server, since the run is to be filled from now
    remark: str = ""  # why results go to a run that is not simply the open run of the key
    _stage: Callable[[], int | None] | None = None
    _created_run: int = 0
    _last_oldest: int = 0
    _oldest_run: int = 0
    # Part of the idempotency key, the same in all jobs of one pipeline: the latest run that is left alone.
    _key_suffix: int = 0
    _others: list[tuple[Run, str]] = field(default_factory=list)
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
        stage = self._stage or self._count
        return stage()

    def _count(self) -> None:
        """Count the runs with the tag, and learn on the way whether the server knows idempotency keys."""
        # To count costs the same however many jobs share a run; to list their runs may not.
        try:
            count = self.client.count_runs(tags=(self.tag,), key=self._key)
        except RefusedError as error:
            self.runtime.log(f"{error}: runs cannot be counted")
            count = 1
        if count:
            self._stage = self._look
        elif not self._wait_for_first_job():
            self._stage = self._create

    def _look(self) -> int | None:
        matching = self._runs()
        open_runs = [run.id for run in matching if not run.is_completed]
        if open_runs:
            return self._joined(min(open_runs))
        if self._wait_for_first_job(is_waited=bool(matching)):
            return None
        completed = max((run.id for run in matching), default=0)
        if completed and JOB in self.client.extensions and not self.is_late_refused:
            self.remark = f"run {completed} with this key was already completed, and takes these results, too"
            return completed
        self._key_suffix = completed
        self._stage = self._create
        return None

    def _wait_for_first_job(self, *, is_waited: bool = False) -> bool:
        """Wait a while if the first job may still create the run; return whether to wait."""
        if self.client.knows_keys:  # it creates one run, whoever asks first
            return False
        now = self.runtime.clock()
        self._waiting_since = now if self._waiting_since is None else self._waiting_since
        if is_waited or self.is_first is not False or now - self._waiting_since >= self.timeouts.join_wait:
            return False
        self._next_try = now + self.timeouts.join_poll
        return True

    def _joined(self, run_id: int) -> int:
        """Return the run, with a remark if it is not the only open run of the key, or not the first one."""
        foreign = next(((run.id, what) for run, what in self._others if not run.is_completed), None)
        if self._key_suffix and not self.is_late_refused:
            self.remark = (
                f"run {self._key_suffix} with this key was already completed, so these results are in run {run_id}; it "
                f"stays open until automation-report run complete {run_id}"
            )
        elif foreign is not None:
            self.remark = f"run {foreign[0]} with this key is of {foreign[1]}, so these results are in run {run_id}"
        return run_id

    def _create(self) -> int | None:
        # The name distinguishes the run from a run that was completed before, as by an earlier attempt.
        after = f" (again, after run {self._key_suffix})" if self._key_suffix and not self.is_late_refused else ""
        new_run = replace(self.run, name=string(f"{self.run.name}{after}"))
        try:
            self._created_run = self.client.create_run(new_run, key=self._key)
        except RefusedError as error:
            # Another job has used the key with a body that differs in what does not keep them apart.
            open_runs = self._open_runs() if error.status == UNPROCESSABLE else []
            if not open_runs:
                raise
            self.runtime.log(f"{error}: another job has created run {min(open_runs)}")
            return min(open_runs)
        except ClientError:
            self._stage = self._count  # the run may have been created all the same
            raise
        if self.client.knows_keys:
            return self._joined(self._created_run)
        self._stage = self._compare
        return None

    def _compare(self) -> int | None:
        """Return our run if it is the oldest open one, None if not, or as long as two reads do not agree on it."""
        oldest = min([self._created_run, *self._open_runs()])
        if self._last_oldest != oldest:
            self._last_oldest = oldest
            self._next_try = self.runtime.clock() + self.timeouts.read_back
            return None
        if oldest == self._created_run:
            return self._joined(oldest)
        self._oldest_run, self._stage = oldest, self._leave
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
        return [run.id for run in self._runs() if not run.is_completed]

    def _runs(self) -> list[Run]:
        """Return the runs of the key that this job may join, newest first."""
        matching, self._others = runs_of_key(self.client, self.tag, self.run)
        return matching

    @property
    def _key(self) -> str:
        """The Idempotency-Key of the creation, the same in every job of the pipeline."""
        kept_apart = [self.run.config, self.run.config_id]
        kept_apart += [field.value for field in self.run.fields if field.name in {"Branch", "Commit"}]
        kept_apart += [link.url for link in self.run.links if link.name == "Commit"]
        return sha256(f"run-key:{self.tag}:{self._key_suffix}:{kept_apart}".encode()).hexdigest()
