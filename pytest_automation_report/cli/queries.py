"""Choose the run that a command reads, and read it: its document, its results, and how to look at it.

A run is named by its id, by ``--run-id`` or ``--run-key``, or by the variables that jobs of a shared run have. Without
any of them it is, in CI, the run of this commit and branch: the newest one is somebody else's as a rule. Outside of CI
it is the newest run of the source, or of the project if the settings name no source.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import click
from msgspec import Struct

from pytest_automation_report.api.client import MOST_RUNS, learn_kind, run_pages
from pytest_automation_report.ci.detection import facts_for, is_ci
from pytest_automation_report.cli.context import configured, echo_stderr, is_source_named, store_to_read
from pytest_automation_report.cli.shared_runs import NoRunError, connected_to, find_run
from pytest_automation_report.errors import RefusedError
from pytest_automation_report.export.results import ExportedTest
from pytest_automation_report.server.store.values import ResultClass, RunStatus
from pytest_automation_report.summary.console_command import console_command
from pytest_automation_report.summary.lines import Shell, look_at, run_page, target
from pytest_automation_report.text.terminal import SHORT_COMMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.api.client import Client, RunFilters
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.findings.documents import RunFindings
    from pytest_automation_report.settings.settings import Settings

LAST: Final = "last"
WhichRun: TypeAlias = 'int | Literal["last"] | None'
"""What was typed for a run: its id, the newest one wherever it came from, or nothing."""

NOT_FOUND: Final = 404
_NAMES_SHOWN: Final = 5
_OURS_ONLY: Final = "need the embedded store or a server of automation-report serve: this server has none"


def _which(text: str) -> WhichRun:
    if text == LAST:
        return LAST
    if not text.isdecimal() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is no run: write its id, or {LAST}")
    return int(text)


RUN_ID: Final = click.argument("chosen", metavar="[RUN_ID]", type=_which, required=False)
BASE: Final = click.option(
    "--base",
    type=click.IntRange(min=1),
    metavar="RUN_ID",
    help="Compare with this run, and not with the one that fits best.",
)


class NoRunsYetError(click.UsageError):
    """Nothing was reported to the embedded store yet."""


class Opened(Struct, frozen=True):
    """An open server or store to read from, with the settings that led to it."""

    client: Client
    configuration: Settings

    @property
    def is_ours(self) -> bool:
        """Whether the server is ours: a Testmo instance has neither whole results nor findings."""
        return self.client.artifact_bytes is not None

    def check_findings(self) -> None:
        """Raise `click.UsageError` for a server that has no findings."""
        if not self.is_ours:
            raise click.UsageError(f"findings {_OURS_ONLY}")

    def named_run(self, chosen: WhichRun) -> int | None:
        """Return the run that was typed, or that the settings name by id or key; None for neither.

        Raises `click.UsageError` if no run has the key.
        """
        configuration = self.configuration
        if chosen == LAST or (
            chosen is None and configuration.run_id is None and "run_key" not in configuration.origins
        ):
            return None
        try:
            return chosen or find_run(self.client, configuration)
        except NoRunError as error:
            raise click.UsageError(str(error)) from error

    def run_id(self, chosen: WhichRun, *, of_source: bool = False, is_completed: bool = False) -> int:
        """Return the id of the run to read: the named one, else that of this commit in CI, else the newest.

        With ``of_source`` only runs of the configured source count, whether the user named it or not. Raises
        `click.UsageError` if there is no such run.
        """
        named = self.named_run(chosen)
        if named is not None:
            self._check_run(named)
            return named
        filters: RunFilters = {"status": (RunStatus.SUCCESS, RunStatus.FAILURE)} if is_completed else {}
        words = ["completed run" if is_completed else "run"]
        with project_of(self.configuration):
            if of_source or is_source_named(self.configuration):
                source = self.configuration.source
                filters["source_id"] = (self.source_id(source),)
                words.append(f"of source {source}")
            if chosen is None and is_ci(os.environ):
                words.append(self._add_commit(filters))
            newest = next((run for page in run_pages(self.client, **filters) for run in page.result), None)
        if newest is None:
            limit = "" if self.is_ours else f" among the newest {MOST_RUNS}"
            remedy = f"name one by its id, --run-id or --run-key, or write {LAST} for the newest"
            if len(words) == 1:
                raise click.UsageError(no_runs_yet(self.configuration))
            raise click.UsageError(f"there is no {' '.join(words)}{limit}: {remedy}")
        return newest.id

    def _check_run(self, run_id: int) -> None:
        """Raise `RefusedError` for a run that our server lacks; a Testmo instance would answer with all threads."""
        try:
            if self.is_ours:
                self.run(run_id)
        except RefusedError as error:
            if error.status != NOT_FOUND:
                raise
            where = target(self.configuration, Path.cwd())
            remedy = "automation-report run list shows those it has"
            raise RefusedError(f"there is no run {run_id} in {where}: {remedy}", NOT_FOUND) from error

    def _add_commit(self, filters: RunFilters) -> str:
        """Add this job's commit and branch to the filters; return them in words."""
        facts = facts_for(self.configuration.build_info, self.configuration.facts, os.environ, Path.cwd())
        if not facts.commit:
            raise click.UsageError(
                f"which run? this job's commit is not known: give the run's id, --run-id or --run-key, or {LAST}"
            )
        filters["commit"] = facts.commit
        if facts.branch:
            filters["branch"] = facts.branch
        return f"of commit {facts.commit[:SHORT_COMMIT]}{f' on branch {facts.branch}' if facts.branch else ''}"

    def source_id(self, source: str) -> int:
        """Return the id of a source; raises `click.UsageError` with the nearest names if no run has it."""
        ids: dict[str, int] = {}
        page_number: int | None = 1
        while page_number is not None:
            page = self.client.sources(page=page_number)
            ids.update((each.name, each.id) for each in page.result)
            page_number = page.next_page
        if source not in ids:
            raise click.UsageError(f"no run is of source {source!r}: {nearest(source, ids)}")
        return ids[source]

    def check_branch(self, branch: str, source_id: tuple[int, ...] = ()) -> None:
        """Raise `click.UsageError` with the nearest names if no run, or none of these sources, is of a branch."""
        if any(page.result for page in run_pages(self.client, source_id=source_id, branch=branch)):
            return
        runs = (run for page in run_pages(self.client, source_id=source_id) for run in page.result)
        branches = dict.fromkeys(name for run in runs if (name := run.field_value("Branch")))
        raise click.UsageError(f"no run is of branch {branch!r}: {nearest(branch, branches)}")

    def run(self, run_id: int) -> Run:
        """Return a run, without its threads if the server can leave them out."""
        return self.client.run(run_id, has_threads=False, expands=("automation_sources",))

    def findings(self, run_id: int, base: int | None = None) -> RunFindings:
        """Return the findings of a run, compared with this base; only a server of ours has them."""
        if base is not None:
            self._check_run(base)
        return self.client.findings_document(run_id, base)

    def items(self, run_id: int, *, only_failures: bool = False, are_whole: bool = True) -> Iterator[Json]:
        """Yield the results of a run, as the server describes them; only ``are_whole`` have texts, on a server of ours.

        Such a server leaves out what a later attempt of a job has replaced. Raises `click.UsageError` for a server that
        lists no results of runs, or lists them without keys.
        """
        classes = (ResultClass.FAILURE,) if only_failures else ()
        if self.is_ours and are_whole:
            after: int | None = 0
            while after is not None:
                document = self.client.results_document(run_id, after=after, status_id=classes)
                yield from document["tests"]
                after = document["next"]
            return
        page_number: int | None = 1
        while page_number is not None:
            try:
                page = self.client.run_tests(run_id, page=page_number, status_id=classes, has_replaced=False)
            except RefusedError as error:
                if error.status != NOT_FOUND or self.is_ours:
                    raise
                raise click.UsageError(f"the results of run {run_id} {_OURS_ONLY}") from error
            for item in page.document["result"]:
                # A server may ignore the filter.
                if classes and item.get("status") not in classes:
                    continue
                if not item.get("key"):
                    raise click.UsageError(f"this server lists the results of run {run_id} without keys")
                yield item
            page_number = page.next_page

    def count(self, run: Run, *, only_failures: bool = False) -> int:
        """Return the number of results that `items` yields of a run."""
        classes = (ResultClass.FAILURE,) if only_failures else ()
        if self.is_ours:
            return self.client.run_tests(run.id, per_page=100, status_id=classes, has_replaced=False).total
        return run.failure if only_failures else run.total

    def tests(self, run_id: int, *, only_failures: bool = False, are_whole: bool = True) -> Iterator[ExportedTest]:
        """Yield the results of a run; raises as `items`."""
        return map(ExportedTest.from_item, self.items(run_id, only_failures=only_failures, are_whole=are_whole))


@contextmanager
def opened(
    options: dict[str, Any], chosen: WhichRun = None, *, is_source_needed: bool = False, needs_findings: bool = False
) -> Iterator[Opened]:
    """Yield the server or store that the options name, to read from; no store is created.

    Raises `click.UsageError` if there is no store, or for a server without findings if the command needs them.
    """
    if isinstance(chosen, int):
        options["run_id"] = str(chosen)
    configuration, token = configured(options, is_source_needed=is_source_needed and not isinstance(chosen, int))
    configuration = store_to_read(configuration)
    with connected_to(configuration, token) as client:
        learn_kind(client)
        reading = Opened(client, configuration)
        if needs_findings:
            reading.check_findings()
        yield reading


@contextmanager
def project_of(configuration: Settings) -> Iterator[None]:
    """Explain a 404 of a request in the block; raises `NoRunsYetError` for the embedded store."""
    try:
        yield
    except RefusedError as error:
        if error.status != NOT_FOUND:
            raise
        if configuration.endpoint.is_embedded:  # the only store of this folder: the id cannot be the mistake
            raise NoRunsYetError(no_runs_yet(configuration)) from error
        remedy = f"nothing was reported to project {configuration.project_id} yet, or there is no such project"
        raise RefusedError(f"{error}: {remedy}", NOT_FOUND) from error


def no_runs_yet(configuration: Settings) -> str:
    """Return the line for a project without runs."""
    return f"no runs yet in {target(configuration, Path.cwd())}"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a remedy for a name that is not one of these: the nearest ones, or some of all."""
    known = [*names]
    near = get_close_matches(name, known, n=_NAMES_SHOWN, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(known[:_NAMES_SHOWN])
    return f"there is {shown}{', ...' if len(known) > _NAMES_SHOWN else ''}" if known else "there is none"


def user_shell() -> Shell:
    """Return the shell that this command was started from."""
    return Shell(Path.cwd(), lambda: console_command(os.environ, sys.executable))


def echo_link(configuration: Settings, run_id: int) -> None:
    """Print the web address of a run on stderr; nothing for the embedded store, which is not always served."""
    address = run_page(configuration, run_id)
    if address:
        echo_stderr(f"look at it: {address}")


def echo_how_to_look(configuration: Settings, run_id: int) -> None:
    """Print on stderr how to look at a run, whether it is on a server or in the embedded store."""
    echo_stderr(f"look at it: {look_at(configuration, run_id, user_shell())}")
