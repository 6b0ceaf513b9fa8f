"""Every change of the store, inside a write transaction that its caller holds (floor 2)."""

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
    """The changes that one transaction may make; ``now`` is in microseconds since 1970.

    Every method raises `RefusalError` for what the contract does not allow, and then nothing may be committed.
    """

    def __init__(self, database: Database, now: int, max_bytes: int | None = None) -> None:
        self._database = database
        self._now = now
        self._max_bytes = max_bytes

    @property
    def database(self) -> Database:
        """The connection in its transaction, for changes that only upkeep makes."""
        return self._database

    @property
    def now(self) -> int:
        """The moment of the transaction, in microseconds since 1970."""
        return self._now

    def check_room(self) -> None:
        """Refuse what makes the store larger when it has reached its limit; runs and threads can still be completed."""
        if self._max_bytes is not None:
            check_room(self._database, self._max_bytes)

    def create_run(self, project_id: int, run: RunSubmission, *, are_references_strict: bool = False) -> int:
        """Add a run, and the project, source, configuration and milestone that it names; return its id.

        With strict references a configuration or milestone has to be there already.
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
        ).execute(self._database)
        for tag in run.tag_names:
            RunTagRow.insert(run=run_id, tag=tag).execute(self._database)
        self._attach(run_id, None, run.attachments)
        return run_id

    def append_to_run(self, run_id: int, attachments: Sequence[StoredAttachment]) -> None:
        """Add fields, artifacts and links to an open run."""
        self.check_room()
        self._open_run(run_id)
        self._attach(run_id, None, attachments)
        self._touch(run_id)

    def complete_run(self, run_id: int, *, measure_elapsed: bool) -> None:
        """Complete a run and its open threads."""
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
        """Add a thread to an open run; return its id."""
        self.check_room()
        run = self._open_run(run_id)
        check_threads(run["thread_count"])
        thread_id: int = ThreadRow.insert(
            run=run_id,
            position=run["thread_count"] + 1,
            created=self._now,
            elapsed_observed=thread.observed,
            elapsed_computed=thread.computed,
        ).execute(self._database)
        self._attach(run_id, thread_id, thread.attachments)
        RunRow.update(
            thread_count=RunRow.thread_count + 1,
            thread_active_count=RunRow.thread_active_count + 1,
            updated=self._now,
        ).where(RunRow.id == run_id).execute(self._database)
        return thread_id

    def append_to_thread(self, thread_id: int, addition: ThreadSubmission) -> None:
        """Add tests, fields, artifacts and durations to an open thread, all or nothing."""
        self.check_room()
        thread = self._open_thread(thread_id)
        totals = _totals(thread, addition)
        self._attach(thread["run"], thread_id, addition.attachments)
        mentioned = (hashes_in(test.artifacts) for test in addition.tests if test.artifacts)
        use(self._database, thread["run"], set[str]().union(*mentioned))
        add_results(self._database, thread, addition.tests, addition.statuses, self._now)
        amounts = addition.statuses.increments(test.status for test in addition.tests)
        counts = {name: getattr(ThreadRow, name) + amount for name, amount in amounts.items()}
        if totals or counts:
            ThreadRow.update(**totals, **counts).where(ThreadRow.id == thread_id).execute(self._database)
        counts = {name: getattr(RunRow, name) + amount for name, amount in amounts.items()}
        RunRow.update(**counts, updated=self._now).where(RunRow.id == thread["run"]).execute(self._database)

    def complete_thread(self, thread_id: int, observed: int | None, computed: int | None) -> None:
        """Complete a thread; durations, in microseconds, replace its totals so far."""
        thread = self._open_thread(thread_id)
        finals = {"elapsed_observed": observed, "elapsed_computed": computed}
        self._close_thread(thread, {name: value for name, value in finals.items() if value is not None})
        RunRow.update(thread_active_count=RunRow.thread_active_count - 1, updated=self._now).where(
            RunRow.id == thread["run"],
        ).execute(self._database)

    def set_status(self, project_id: int, status: ResultStatus) -> None:
        """Keep a project's own form of a result status; raises ``ValueError`` for one that it cannot have."""
        self._add_project(project_id)
        lock_project(self._database, project_id)
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
        """Give a milestone the tags whose runs belong to it, make it where it is missing, and return its id."""
        self._add_project(project_id)
        lock_project(self._database, project_id)
        new = MilestoneRow.insert(project=project_id, name=name)
        milestone = self._made(MilestoneRow, project_id, MilestoneRow.name == name, new)
        set_tags(self._database, milestone, tags)
        return milestone

    def _close_thread(self, thread: Json, finals: Json | None = None) -> None:
        ThreadRow.update(
            is_completed=True,
            completed=self._now,
            status=final_status(thread["failure_count"]),
            **(finals or {}),
        ).where(ThreadRow.id == thread["id"]).execute(self._database)

    def _open_run(self, run_id: int) -> Json:
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
        new = SourceRow.insert(project=project_id, name=name, created=self._now)
        return self._made(SourceRow, project_id, SourceRow.name == name, new)

    def _add_project(self, project_id: int) -> None:
        if self._row(ProjectRow.select(ProjectRow.id).where(ProjectRow.id == project_id)) is None:
            ProjectRow.insert(id=project_id, created=self._now).on_conflict_ignore().execute(self._database)

    def _check_references(self, project_id: int, run: RunSubmission, *, are_names_checked: bool) -> None:
        """Refuse ids, and where asked names, of configurations and milestones that the project does not have."""
        errors: dict[str, list[str]] = {}
        given: Sequence[tuple[type[ConfigRow | MilestoneRow], int | None, str | None]] = (
            (ConfigRow, run.config_id, run.config),
            (MilestoneRow, run.milestone_id, run.milestone),
        )
        for table, wanted, name in given:
            noun = table.__name__.lower()
            if wanted is not None and not self._exists(table, project_id, table.id == wanted):
                errors[f"{noun}_id"] = [f"There is no {noun} with the id {wanted} in this project."]
            is_name_used = wanted is None and name is not None
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
        wanted: int | None,
        name: str | None,
    ) -> int | None:
        """Return the id of a configuration or milestone: a checked id, or a name that is made on first use."""
        if wanted is not None or name is None:
            return wanted
        return self._made(table, project_id, table.name == name, table.insert(project=project_id, name=name))

    def _made(
        self,
        table: type[SourceRow | ConfigRow | MilestoneRow],
        project_id: int,
        condition: object,
        new: Any,  # noqa: ANN401 - peewee's queries have no common type
    ) -> int:
        """Return the id of a record of a project, which is made when it is not there; others may make it just now."""
        wanted: Any = table.select(table.id).where((table.project == project_id) & condition)
        if self._row(wanted) is None:
            new.on_conflict_ignore().execute(self._database)
        row = self._row(wanted)
        assert row is not None
        found: int = row["id"]
        return found

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
        artifacts = (each.body for each in attachments if each.kind == "artifacts")
        use(self._database, run_id, set[str]().union(*map(hashes_in, artifacts)))

    def _touch(self, run_id: int) -> None:
        RunRow.update(updated=self._now).where(RunRow.id == run_id).execute(self._database)

    def _rows(self, query: Any) -> Iterable[Json]:  # noqa: ANN401 - peewee's queries have no common type
        rows: list[Json] = list(query.dicts().execute(self._database))
        return rows

    def _row(self, query: Any) -> Json | None:  # noqa: ANN401 - peewee's queries have no common type
        return next(iter(self._rows(query)), None)


def _totals(thread: Json, addition: ThreadSubmission) -> dict[str, int]:
    """Return the new durations of a thread; SQLite would turn a sum beyond 64 bits into a fraction."""
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
