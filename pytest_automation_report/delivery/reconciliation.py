"""Find out on the server whether a request was applied, and which run the jobs of a pipeline share.

**Reconciliation** is for a request with an unknown response, or a refused one. All of a batch has arrived, or nothing,
or a part of it, which the list of the thread's results shows. If the server cannot show it, the batch is held: it is
not sent again until the user decides that.

**The shared run** is found or created. Jobs may start in the same second. A server that knows idempotency keys creates
one run for all of them. On any other server several runs may be created: each job then looks for the oldest run with
the key's tag and uses it, and a job that has created a younger one completes that, empty, with the reason. Two
pipelines may have the same key by mistake: a run of another commit, branch, repository or configuration is not joined.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.client import Client, run_pages
from pytest_automation_report.api.models import JOB, Field, Json, NewRun, Resources
from pytest_automation_report.api.responses import (
    ClientError,
    FieldText,
    RefusedError,
    Run,
    RunTest,
    Thread,
    UnknownAnswerError,
)
from pytest_automation_report.delivery.requests import NOT_FOUND, UNPROCESSABLE, Life, digest_of
from pytest_automation_report.spool.folder import SESSION_ID_FIELD
from pytest_automation_report.spool.ledger import AckRecord, FencedRecord, FencingIsRecord, HeldRecord, NotRecord
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_automation_report.delivery.launch import Runtime, Timeouts
    from pytest_automation_report.delivery.requests import Unknown
    from pytest_automation_report.spool.ledger import Closing, Intent

# The result of a step: more steps are needed; the intent is closed; it is, since another process completed the run.
Outcome: TypeAlias = Literal["pending", "done", "run_completed"]


def decided(unknown: Unknown, number: int, reason: str) -> Closing:
    """Return the record that closes an intent if the server does not show whether it was applied."""
    return NotRecord(number, reason) if unknown == "send" else HeldRecord(number, reason, unknown == "drop")


class Reconciliation:
    """Closes one intent in steps of at most one request; owned by the delivery.

    Errors of the client pass through, and the step is repeated. ``refusal`` is the response of a request that was
    refused.

    An append whose response is unknown goes through these stages::

        probe_open -> complete -> probe_completed -> read -> read again, until two reads agree -> decided
              (once a server)         (once)           ^--- complete again, when the thread is open after all

    ``complete`` is the *fence*: a completed thread refuses a late copy of the request. The contract does not promise
    that, so it is tested once for each server, with an append without tests to the open thread and to the completed
    one. Every other operation is decided by a single read, or by two reads that agree.
    """

    def __init__(self, life: Life, intent: Intent, refusal: RefusedError | None) -> None:
        self.intent, self.refusal = intent, refusal
        self._life = life
        self._client, self._ledger, self._log = life.client, life.ledger, life.runtime.log
        self._stage = self._probe_open
        self._accepts_empty_appends = False
        self._last_read: int | None = None
        self._next_read = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether time must pass before the next step."""
        return self._life.runtime.clock() < self._next_read

    def step(self) -> Outcome:  # noqa: PLR0911 - one for each operation
        """Send at most one request, or read one list; return whether that has closed the intent."""
        if self.is_waiting:
            return "pending"
        is_refused = self.refusal is not None
        match self.intent.operation:
            case "append_thread":
                return self._refused_append() if is_refused else self._stage()
            case "create_run":
                return self._create_run()
            case "create_thread":
                # An empty thread does no harm; a new one is simply created.
                return self._decide(NotRecord(self.intent.number))
            case "append_run":
                count = len(self._life.session.run.fields)
                return self._decide_note(lambda: self._run(has_threads=False).fields[count:])
            case "note_thread":
                return self._decide_note(lambda: self._thread().fields)
            # Refused twice, completion and reading: it is completed.
            case "complete_run":
                return self._decide_by(lambda: self._run(has_threads=False).is_completed, if_refused=is_refused)
            case "complete_thread":
                return self._decide_by(lambda: self._thread().is_completed, if_refused=is_refused)

    def _create_run(self) -> Outcome:
        """Use the run with this session's id, if the server has one; decide that it has not once two reads agree."""
        left_runs, id_field = self._ledger.state.left_runs, (SESSION_ID_FIELD, self._life.session.id)
        try:
            open_runs = [run for page in run_pages(self._client, status=(4,)) for run in page.result]  # 4: running
        except RefusedError as error:
            self._log(f"{error}: an empty run may remain")
            return self._decide(NotRecord(self.intent.number))
        runs = [run for run in open_runs if run.id not in left_runs]
        own = [run.id for run in runs if id_field in {(field.name, field.value) for field in run.fields}]
        if own:
            return self._decide(AckRecord(self.intent.number, min(own)))
        return self._decide(NotRecord(self.intent.number)) if self._agrees_with_last_read(0) else "pending"

    def _refused_append(self) -> Outcome:
        """Read, once, whether a refused append was partly applied, or refused because its thread is completed."""
        try:
            run = self._run()
        except RefusedError as error:
            self._log(f"{error}: the append is assumed to be refused as a whole")
            return self._decide(NotRecord(self.intent.number))
        # A server of ours takes the results of a job into a completed run, in a new thread.
        has_job = bool(self._life.session.job) and self._ledger.state.is_joined
        if run.is_completed and not (has_job and JOB in self._client.extensions):
            self._decide(NotRecord(self.intent.number))
            return "run_completed"
        thread = run.thread(self.intent.thread)
        if thread is None or thread.is_completed:
            self._decide(NotRecord(self.intent.number))
            self._ledger.write(FencedRecord(self.intent.worker))
            return "done"
        return self._decide_by_count(thread.total - self.intent.known)

    # The stages of an append whose response is unknown.

    def _probe_open(self) -> Outcome:
        if not self._is_probe_of_use:
            return self._complete()
        self._accepts_empty_appends = self._accepts_empty_append() is True
        self._stage = self._complete
        return "pending"

    def _complete(self) -> Outcome:
        try:
            self._client.complete_thread(self.intent.thread)
        except RefusedError as error:
            if error.status != UNPROCESSABLE:
                raise
            self._log(f"thread {self.intent.thread} is closed already: {error}")
        # A server that refuses empty appends to an open thread proves nothing by refusing them to a completed one.
        if self._accepts_empty_appends and self._is_probe_of_use:
            self._stage = self._probe_completed
            return "pending"
        return self._fenced()

    def _probe_completed(self) -> Outcome:
        """Record whether completed threads of this server accept appends, unless the probe has no response."""
        accepts = self._accepts_empty_append()
        if accepts is not None:
            self._ledger.write(FencingIsRecord("settles" if accepts else "fences"))
            self._log(f"completed threads of this server {'accept' if accepts else 'refuse'} results")
        return self._fenced()

    def _fenced(self) -> Outcome:
        self._ledger.write(FencedRecord(self.intent.worker))
        self._stage = self._read
        return "pending"

    def _read(self) -> Outcome:
        """Read how many results the thread has, and decide once two reads agree."""
        try:
            thread = self._thread()
        except RefusedError as error:
            return self._hold(f"the server does not show what arrived in thread {self.intent.thread} ({error})")
        if not thread.is_completed:
            self._stage = self._complete  # the response to the completion was lost before it was applied
            return "pending"
        if self._ledger.state.fencing == "settles" and self._wait_to_settle():
            return "pending"
        if not self._agrees_with_last_read(thread.total):
            return "pending"
        return self._decide_by_count(thread.total - self.intent.known)

    @property
    def _is_probe_of_use(self) -> bool:
        """Whether to test if completed threads accept appends: it is unknown so far, and the thread is open."""
        state = self._ledger.state
        # A server that knows idempotency keys cannot apply a late copy twice.
        is_known = self._client.knows_keys or state.fencing is not None
        return not is_known and state.progress_of(self.intent.worker).thread is not None

    def _accepts_empty_append(self) -> bool | None:
        """Append without tests; return whether the server accepts that, None if the response is unknown."""
        try:
            self._client.append_thread(self.intent.thread, b"{}")
        except RefusedError:
            return False
        except UnknownAnswerError as error:
            self._log(f"{error}: whether completed threads accept results stays unknown")
            return None
        return True

    def _wait_to_settle(self) -> bool:
        """Wait if a late copy of the request could still be applied, as without a fence; return whether to wait."""
        settle, runtime = self._life.timeouts.settle, self._life.runtime
        # At most the whole time: the wall clock may have been set back since the request was sent.
        seconds = min(settle, self.intent.at + settle - runtime.wall())
        if seconds > 0:
            self._next_read = runtime.clock() + seconds
            thread = f"thread {self.intent.thread} accepts results though completed"
            self._log(f"{thread}: waiting {seconds:.0f} s for late copies")
        return seconds > 0

    # The ways to decide.

    def _decide_by(self, is_applied: Callable[[], bool], *, if_refused: bool) -> Outcome:
        """Decide by a read whether the request was applied, as ``if_refused`` says if the server refuses the read."""
        try:
            applied = is_applied()
        except RefusedError as error:
            self._log(f"{error}: whether {self.intent.operation} was applied cannot be read")
            applied = if_refused
        return self._decide((AckRecord if applied else NotRecord)(self.intent.number))

    def _decide_note(self, read: Callable[[], Sequence[FieldText]]) -> Outcome:
        """Decide whether the whole note is among the fields that were added: users may name a field as we name ours."""

        def has_note() -> bool:
            count, fields = self.intent.count, read()
            starts = range(len(fields) - count + 1)
            return any(digest_of(fields[first : first + count]) == self.intent.digest for first in starts)

        # One that cannot be read counts as arrived: it must not come twice.
        return self._decide_by(has_note, if_refused=True)

    def _decide_by_count(self, arrived: int) -> Outcome:
        """Decide by the number of results that the thread has gained since the append was sent."""
        intent = self.intent
        if arrived in {0, intent.count}:
            return self._decide((NotRecord if arrived == 0 else AckRecord)(intent.number))
        ranges, reason = self._arrived_ranges(arrived)
        if ranges:
            return self._decide(AckRecord(intent.number, ranges=ranges))
        return self._hold(
            f"{arrived} of the {intent.count} results of one request arrived in thread {intent.thread}: {reason}"
        )

    def _arrived_ranges(self, arrived: int) -> tuple[tuple[tuple[int, int, int], ...], str]:
        """Return which results of the batch have arrived, or none and the reason why that is not known.

        They are pieces of the batch: first offset, last offset and number of results. ``arrived`` counts all of them.
        """
        intent, run = self.intent, self._ledger.state.run
        assert run is not None
        progress, waiting = self._ledger.state.progress_of(intent.worker), self._life.queues.of(intent.worker).results
        sent = (result for result in waiting if intent.first <= result.offset <= intent.last)
        batch = [result for result in sent if not progress.is_settled(result.offset)]
        if not 0 < arrived < intent.count == len(batch):
            return (), "the batch itself is not known any more"
        # Only this sender writes to the thread, so its latest results belong to the last batch.
        rows: list[RunTest] = []
        page: int | None = 1
        try:
            while page is not None and len(rows) < arrived:
                response = self._client.run_tests(
                    run, page=page, per_page=250, thread_id=intent.thread, is_newest_first=True
                )
                rows += response.result
                # A page without results, or another page than the next one, would never end.
                page = response.next_page if response.result and response.next_page == page + 1 else None
        except RefusedError as error:
            return (), f"the server does not show a run's results ({error})"
        rows = rows[:arrived]
        ids = [row.id or 0 for row in rows]
        if len(rows) != arrived or 0 in ids or sorted(set(ids), reverse=True) != ids:
            return (), "the server's list of the run's results cannot be followed"
        # A server may show no keys: folder and name are what a key is made of.
        arrived_tests = {row.key or (row.folder, row.name) for row in rows}
        tests = [result.test for result in batch]
        has_arrived = [test.key in arrived_tests or (test.folder, test.name) in arrived_tests for test in tests]
        if sum(has_arrived) != arrived:
            return (), "the latest results of the thread are not one batch"
        # Neighbours in the batch share a range.
        groups = groupby(zip(has_arrived, batch, strict=True), itemgetter(0))
        pieces = [[result.offset for _, result in group] for is_there, group in groups if is_there]
        return tuple((offsets[0], offsets[-1], len(offsets)) for offsets in pieces), ""

    def _hold(self, reason: str) -> Outcome:
        """Hold results whose delivery stays unconfirmed, or send or drop them if the user has decided that."""
        return self._decide(decided(self._life.options.unknown, self.intent.number, reason))

    def _agrees_with_last_read(self, value: int) -> bool:
        """Return whether this read agrees with the last one; if not, wait a while before the next read."""
        # The contract does not promise that a read shows everything that was applied before it.
        if self._last_read == value:
            return True
        self._last_read = value
        self._next_read = self._life.runtime.clock() + self._life.timeouts.read_back
        return False

    def _run(self, *, has_threads: bool = True) -> Run:
        run = self._ledger.state.run
        assert run is not None
        return self._client.run(run, has_threads=has_threads)

    def _thread(self) -> Thread:
        run = self._run()
        thread = run.thread(self.intent.thread)
        if thread is None:
            raise RefusedError(f"run {run.id} has no thread {self.intent.thread} any more", NOT_FOUND)
        return thread

    def _decide(self, record: Closing) -> Outcome:
        self._ledger.write(record)
        self._log(f"reconciled {self.intent.operation}: {record}")
        return "done"


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
