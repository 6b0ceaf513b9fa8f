"""Change the store, inside a write transaction that the caller holds.

Counts of runs and threads are updated with every append, so that a page reads one row and no results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import fn

from pytest_automation_report.server.store.artifact_rows import use
from pytest_automation_report.server.store.artifact_urls import hashes_in
from pytest_automation_report.server.store.database import (
    check_attached,
    check_room,
    check_threads,
    lock_project,
    lock_run_of,
    locked,
)
from pytest_automation_report.server.store.derived import run_columns
from pytest_automation_report.server.store.errors import already_completed, not_found, validation_error
from pytest_automation_report.server.store.inputs import INT64_MAX, json_text
from pytest_automation_report.server.store.inserts import add_results
from pytest_automation_report.server.store.references import project_statuses, set_tags, tagged_milestone
from pytest_automation_report.server.store.statuses import RunStatus, final_status
from pytest_automation_report.server.store.tables import (
    AttachmentRow,
    ConfigRow,
    MilestoneRow,
    ProjectRow,
    ProjectStatusRow,
    RunRow,
    RunTagRow,
    SourceRow,
    ThreadRow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.inputs import RunSubmission, StoredAttachment, ThreadSubmission
    from pytest_automation_report.server.store.statuses import ResultStatus


class Writer:
    """The changes of one write transaction; ``now`` is in microseconds since 1970.

    Every method raises `ApiError` for a change that the contract does not allow. The caller must then roll back.
    """

    def __init__(self, database: Database, now: int, max_bytes: int | None = None) -> None:
        self._database = database
        self._now = now
        self._max_bytes = max_bytes

    @property
    def database(self) -> Database:
        """The connection in its transaction, for changes that only maintenance makes."""
        return self._database

    @property
    def now(self) -> int:
        """The time of the transaction, in microseconds since 1970."""
        return self._now

    def check_room(self) -> None:
        """Raise `ApiError` (422) when the store has reached its size limit.

        Completion of runs and threads does not call this, so that CI jobs can end in order on a full store.
        """
        if self._max_bytes is not None:
            check_room(self._database, self._max_bytes)

    def create_run(self, project_id: int, run: RunSubmission, *, are_references_strict: bool = False) -> int:
        """Create a run and return its id; create the project, source, configuration and milestone if missing.

        With strict references, the configuration and the milestone must exist already.
        """
        self.check_room()
        self._add_project(project_id)
        self._check_references(project_id, run, are_names_checked=are_references_strict)
        run_id: int = RunRow.insert(
            project=project_id,
            source=self._source(project_id, run.source),
            name=run.name,
            config=self._referenced(ConfigRow, project_id, run.config_id, run.config),
            milestone=self._referenced(MilestoneRow, project_id, run.milestone_id, run.milestone)
            or tagged_milestone(self._database, project_id, run.tag_names),
            tags=run.tags,
            created=self._now,
            **run_columns(run.attachments),
        ).execute(self._database)
        for tag in run.tag_names:
            RunTagRow.insert(run=run_id, tag=tag).execute(self._database)
        self._attach(run_id, None, run.attachments)
        return run_id

    def append_to_run(self, run_id: int, attachments: Sequence[StoredAttachment]) -> None:
        """Add fields, artifacts and links to a run that is not completed."""
        self.check_room()
        self._open_run(run_id)
        self._attach(run_id, None, attachments)
        RunRow.update(updated=self._now, **run_columns(attachments)).where(RunRow.id == run_id).execute(self._database)

    def complete_run(self, run_id: int, *, measure_elapsed: bool) -> None:
        """Complete a run and its open threads.

        The run's elapsed time is measured since its creation, or is that of its longest thread.
        """
        run = self._open_run(run_id)
        open_threads = ThreadRow.select(ThreadRow.id, ThreadRow.failure_count).where(
            (ThreadRow.run == run_id) & (ThreadRow.is_completed == False),  # noqa: E712 - SQL, not Python
        )
        for thread in self._rows(open_threads):
            self._close_thread(thread)
        elapsed = max(0, self._now - run["created"]) if measure_elapsed else self._longest_thread(run_id)
        RunRow.update(
            is_completed=True,
            completed=self._now,
            updated=self._now,
            elapsed=elapsed,
            thread_active_count=0,
            status=final_status(run["failure_count"]),
        ).where(RunRow.id == run_id).execute(self._database)

    def create_thread(self, run_id: int, thread: ThreadSubmission) -> int:
        """Add a thread to a run that is not completed; return the thread's id."""
        self.check_room()
        run = self._open_run(run_id)
        check_threads(run["thread_count"])
        thread_id: int = ThreadRow.insert(
            run=run_id,
            position=run["thread_count"] + 1,
            created=self._now,
            elapsed_observed=thread.observed,
            elapsed_computed=thread.computed,
            session_started=thread.session_started,
        ).execute(self._database)
        self._attach(run_id, thread_id, thread.attachments)
        RunRow.update(
            thread_count=RunRow.thread_count + 1,
            thread_active_count=RunRow.thread_active_count + 1,
            updated=self._now,
        ).where(RunRow.id == run_id).execute(self._database)
        return thread_id

    def append_to_thread(self, thread_id: int, addition: ThreadSubmission) -> None:
        """Add tests, fields, artifacts and durations to a thread that is not completed."""
        self.check_room()
        thread = self._open_thread(thread_id)
        totals: dict[str, Any] = dict(_elapsed_totals(thread, addition))
        if addition.running is not None:
            totals["running"] = addition.running
        self._attach(thread["run"], thread_id, addition.attachments)
        artifact_hashes = (hashes_in(test.artifacts) for test in addition.tests if test.artifacts)
        use(self._database, thread["run"], set[str]().union(*artifact_hashes))
        add_results(self._database, thread, addition.tests, addition.statuses, self._now)
        # The database itself computes `count = count + n`, so the counts need not be read first.
        increments = addition.statuses.increments(test.status for test in addition.tests)
        counts = {name: getattr(ThreadRow, name) + amount for name, amount in increments.items()}
        if totals or counts:
            ThreadRow.update(**totals, **counts).where(ThreadRow.id == thread_id).execute(self._database)
        counts = {name: getattr(RunRow, name) + amount for name, amount in increments.items()}
        RunRow.update(**counts, updated=self._now).where(RunRow.id == thread["run"]).execute(self._database)

    def complete_thread(self, thread_id: int, observed: int | None, computed: int | None) -> None:
        """Complete a thread; durations, in microseconds, replace the totals of its appends unless they are None."""
        thread = self._open_thread(thread_id)
        durations = {"elapsed_observed": observed, "elapsed_computed": computed}
        self._close_thread(thread, {name: value for name, value in durations.items() if value is not None})
        RunRow.update(thread_active_count=RunRow.thread_active_count - 1, updated=self._now).where(
            RunRow.id == thread["run"],
        ).execute(self._database)

    def set_status(self, project_id: int, status: ResultStatus) -> None:
        """Add or replace a result status of a project; raises ``ValueError`` for an invalid one."""
        self._add_project(project_id)
        lock_project(self._database, project_id)
        # Only for its checks: the table itself is not stored.
        project_statuses(self._database, project_id).changed(status)
        ProjectStatusRow.delete().where(
            (ProjectStatusRow.project == project_id) & (ProjectStatusRow.number == status.id)
        ).execute(self._database)
        ProjectStatusRow.insert(
            project=project_id,
            number=status.id,
            name=status.name,
            aliases=json_text(list(status.aliases)),
            color=status.color,
            is_final=status.is_final,
            is_passed=status.is_passed,
            is_failed=status.is_failed,
        ).execute(self._database)

    def set_milestone(self, project_id: int, name: str, tags: Iterable[str]) -> int:
        """Set the tags of a milestone, which is created if missing, and return its id; runs join it by these tags."""
        self._add_project(project_id)
        lock_project(self._database, project_id)
        insert = MilestoneRow.insert(project=project_id, name=name)
        milestone_id = self._find_or_create(MilestoneRow, project_id, MilestoneRow.name == name, insert)
        set_tags(self._database, milestone_id, tags)
        return milestone_id

    def _close_thread(self, thread: Json, durations: Json | None = None) -> None:
        ThreadRow.update(
            is_completed=True,
            completed=self._now,
            status=final_status(thread["failure_count"]),
            running=None,
            **(durations or {}),
        ).where(ThreadRow.id == thread["id"]).execute(self._database)

    def _open_run(self, run_id: int) -> Json:
        """Lock a run and return its row; raises `ApiError` if it is missing (404) or completed (422)."""
        row = self._row(
            locked(
                RunRow.select(RunRow.created, RunRow.status, RunRow.failure_count, RunRow.thread_count).where(
                    RunRow.id == run_id
                ),
                self._database,
            )
        )
        if row is None:
            raise not_found("automation run")
        if row["status"] != RunStatus.RUNNING:
            raise already_completed("automation run")
        return row

    def _open_thread(self, thread_id: int) -> Json:
        """Lock the run of a thread and return the thread's row; raises `ApiError` like `_open_run`."""
        # The lock comes first: a row that is read before it may be completed by another writer in between.
        lock_run_of(self._database, thread_id)
        row = self._row(
            ThreadRow.select(
                ThreadRow.id,
                ThreadRow.run,
                ThreadRow.status,
                ThreadRow.failure_count,
                ThreadRow.elapsed_observed,
                ThreadRow.elapsed_computed,
                RunRow.source,
            )
            .join(RunRow)
            .where(ThreadRow.id == thread_id),
        )
        if row is None:
            raise not_found("thread")
        if row["status"] != RunStatus.RUNNING:
            raise already_completed("thread")
        return row

    def _longest_thread(self, run_id: int) -> int | None:
        elapsed = fn.COALESCE(ThreadRow.elapsed_observed, ThreadRow.elapsed_computed)
        longest: int | None = ThreadRow.select(fn.MAX(elapsed)).where(ThreadRow.run == run_id).scalar(self._database)
        return longest

    def _source(self, project_id: int, name: str) -> int:
        insert = SourceRow.insert(project=project_id, name=name, created=self._now)
        return self._find_or_create(SourceRow, project_id, SourceRow.name == name, insert)

    def _add_project(self, project_id: int) -> None:
        if self._row(ProjectRow.select(ProjectRow.id).where(ProjectRow.id == project_id)) is None:
            ProjectRow.insert(id=project_id, created=self._now).on_conflict_ignore().execute(self._database)

    def _check_references(self, project_id: int, run: RunSubmission, *, are_names_checked: bool) -> None:
        """Raise `ApiError` (422) for ids of configurations and milestones that the project does not have.

        With ``are_names_checked`` it is raised for unknown names, too.
        """
        errors: dict[str, list[str]] = {}
        references: Sequence[tuple[str, type[ConfigRow | MilestoneRow], int | None, str | None]] = (
            ("config", ConfigRow, run.config_id, run.config),
            ("milestone", MilestoneRow, run.milestone_id, run.milestone),
        )
        for noun, table, record_id, name in references:
            if record_id is not None and not self._exists(table, project_id, table.id == record_id):
                errors[f"{noun}_id"] = [f"There is no {noun} with the id {record_id} in this project."]
            is_name_used = record_id is None and name is not None
            if are_names_checked and is_name_used and not self._exists(table, project_id, table.name == name):
                errors[noun] = [f"There is no {noun} of this name in this project."]
        if errors:
            raise validation_error(errors)

    def _exists(self, table: type[ConfigRow | MilestoneRow], project_id: int, condition: object) -> bool:
        return self._row(table.select(table.id).where((table.project == project_id) & condition)) is not None

    def _referenced(
        self,
        table: type[ConfigRow | MilestoneRow],
        project_id: int,
        record_id: int | None,
        name: str | None,
    ) -> int | None:
        """Return the id of a configuration or milestone, which is created by its name if missing; an id wins."""
        if record_id is not None or name is None:
            return record_id
        return self._find_or_create(table, project_id, table.name == name, table.insert(project=project_id, name=name))

    def _find_or_create(
        self,
        table: type[SourceRow | ConfigRow | MilestoneRow],
        project_id: int,
        condition: object,
        insert: Any,  # noqa: ANN401 - peewee's queries have no common type
    ) -> int:
        """Return the id of a project's record, which is inserted if missing."""
        select: Any = table.select(table.id).where((table.project == project_id) & condition)
        if self._row(select) is None:
            # In PostgreSQL another writer may insert the same record at this moment; then this insert does nothing.
            insert.on_conflict_ignore().execute(self._database)
        row = self._row(select)
        assert row is not None
        record_id: int = row["id"]
        return record_id

    def _attach(self, run_id: int, thread_id: int | None, attachments: Sequence[StoredAttachment]) -> None:
        for attachment in attachments:
            AttachmentRow.insert(
                run=run_id,
                thread=thread_id,
                kind=attachment.kind,
                body=attachment.body,
            ).execute(self._database)
        if attachments:
            check_attached(self._database, run_id)
        artifacts = (attachment.body for attachment in attachments if attachment.kind == "artifacts")
        use(self._database, run_id, set[str]().union(*map(hashes_in, artifacts)))

    def _rows(self, query: Any) -> Iterable[Json]:  # noqa: ANN401 - peewee's queries have no common type
        rows: list[Json] = list(query.dicts().execute(self._database))
        return rows

    def _row(self, query: Any) -> Json | None:  # noqa: ANN401 - peewee's queries have no common type
        return next(iter(self._rows(query)), None)


def _elapsed_totals(thread: Json, addition: ThreadSubmission) -> dict[str, int]:
    """Return the durations of a thread after an addition, in microseconds; raises `ApiError` (422) beyond 64 bits.

    SQLite itself would turn a larger sum into a floating-point number.
    """
    totals = {
        name: (thread[name] or 0) + amount
        for name, amount in (("elapsed_observed", addition.observed), ("elapsed_computed", addition.computed))
        if amount is not None
    }
    too_large = {
        name: ["The total of the thread would be too large."] for name, total in totals.items() if total > INT64_MAX
    }
    if too_large:
        raise validation_error(too_large)
    return totals
