"""Find the run that a command works on, and read it.

It is the run that the user names by its id or key. Without a name it is in CI the run of this commit and branch, as the
newest one is somebody else's as a rule; elsewhere the newest run of the source, or of the project without a source.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

import click
from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.client import MOST_RUNS, learn_kind, run_pages
from pytest_automation_report.api.responses import (
    NotSentError,
    OutOfTimeError,
    RefusedError,
    ThrottledError,
    UnknownAnswerError,
)
from pytest_automation_report.ci.detection import facts_for, is_ci
from pytest_automation_report.cli.context import (
    FACTS,
    configured,
    echo_stderr,
    is_source_named,
    new_run,
    store_to_read,
    user_shell,
)
from pytest_automation_report.delivery.launch import Runtime
from pytest_automation_report.delivery.requests import NOT_FOUND
from pytest_automation_report.delivery.shared_run import SharedRunLookup, runs_of_key
from pytest_automation_report.delivery.stores import connected
from pytest_automation_report.export.results import ExportedTest
from pytest_automation_report.findings.comparison import SHARD_NAME, absent_shards
from pytest_automation_report.server.store.values import ResultClass, RunStatus
from pytest_automation_report.settings.parsers import LARGEST_ID
from pytest_automation_report.settings.run import JOB_FIELD, timeouts_from
from pytest_automation_report.summary.lines import run_page
from pytest_automation_report.text.limits import SHORT_COMMIT, cut_end, quantity, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pytest_automation_report.api.client import Client, RunFilters
    from pytest_automation_report.api.models import Json, NewRun, Token
    from pytest_automation_report.api.responses import ResultPage, Run, Thread
    from pytest_automation_report.findings.comparison import WantedBase
    from pytest_automation_report.findings.documents import RunFindings
    from pytest_automation_report.settings.run import RunSharing
    from pytest_automation_report.settings.settings import Settings


DEADLINE_SECONDS: Final = 30.0
WHICH: Final = ("source", "run_id", "run_key", *FACTS)  # settings that name a run where no id is typed

ExpectedJobs: TypeAlias = "int | tuple[str, ...]"
"""How many jobs report to a run, or their names."""

COMPLETED: Final = (RunStatus.SUCCESS, RunStatus.FAILURE)
"""The statuses of completed runs."""

_T = TypeVar("_T")
TRANSIENT_ERRORS: Final = (NotSentError, ThrottledError, UnknownAnswerError)
# How often an error that stays the same is shown: CI providers end jobs whose log is silent for long.
_SHOWN_SECONDS: Final = 10.0


class NoRunError(click.UsageError):
    """No run has the key: none of its jobs has begun, or their results are still in their spools."""


class _JobsMissingError(Exception):
    """Fewer jobs than expected have delivered their results."""


def connected_to(settings: Settings, token: Token) -> AbstractContextManager[Client]:
    """Return a client of the configured server, for a ``with`` statement."""
    return connected(settings.endpoint, token, deadline_seconds=DEADLINE_SECONDS)


def configured_for(chosen: object, options: dict[str, Any], *, is_source_needed: bool = True) -> tuple[Settings, Token]:
    """Return the settings and token for a command on this run, or on the run that the settings name."""
    if isinstance(chosen, int):
        options["run_id"] = str(chosen)
    return configured(options, is_source_needed=is_source_needed and not isinstance(chosen, int))


def join_or_create_run(
    client: Client, run: NewRun, sharing: RunSharing, *, is_late_refused: bool = False, end: float | None = None
) -> int:
    """Return the id of a new run, or of that which jobs share; with ``is_late_refused`` it is an open one.

    Transient errors are repeated until ``end`` of the monotonic clock, by default for 30 seconds.
    """
    if not sharing.tag:
        return client.create_run(run)
    timeouts = timeouts_from(os.environ)
    lookup = SharedRunLookup(client, run, sharing.tag, timeouts, Runtime(), sharing.is_first, is_late_refused)

    def join_or_create() -> int:
        while (run_id := lookup.step()) is None:
            if lookup.is_waiting:
                time.sleep(timeouts.poll)
        return run_id

    run_id = retry_until(join_or_create, time.monotonic() + DEADLINE_SECONDS if end is None else end)
    if lookup.remark:
        echo_stderr(lookup.remark)
    return run_id


def find_runs(client: Client, settings: Settings, *, is_open: bool = False) -> list[int]:
    """Return the ids of the runs that the settings name by id or by key, which may have one for each configuration.

    With ``is_open`` they are first the open ones, then the newest of each other configuration. Raises
    `click.UsageError` if the settings name none, and `NoRunError` if no run has the key.
    """
    if settings.run_id is not None:
        return [settings.run_id]
    new, sharing, _ = new_run(settings, None)
    if not sharing.tag:
        # What its placeholders lack is said already.
        key = "write the key itself as --run-key" if settings.run_key else "--run-key"
        raise click.UsageError(f"which run? give its id, --run-id, or {key}")
    learn_kind(client)
    if settings.origins.get("branch") == "--branch":
        # Of a run of another pipeline, such as a fork's, this job's commit and the address of its page say nothing.
        fields, links = ([each for each in values if each.name != "Commit"] for values in (new.fields, new.links))
        new = replace(new, fields=tuple(fields), links=tuple(links))
    runs, others = runs_of_key(client, sharing.tag, new)
    if not runs:
        raise NoRunError(f"there is no run of the key {sharing.key!r} {_where(settings, others)}")
    if not is_open:
        return [run.id for run in runs]
    open_runs = sorted((run for run in runs if not run.is_completed), key=lambda run: run.id)
    newest = {run.config_id: run for run in [*reversed(runs), *open_runs]}
    completed = [run for run in runs if run.is_completed and newest[run.config_id] is run]
    return [run.id for run in (*open_runs, *completed)]


def _where(settings: Settings, others: Sequence[tuple[Run, str]]) -> str:
    """Return where no run was found, and the first of the runs that differ."""
    place = "in this project and source"
    if settings.endpoint.is_embedded:
        place = f"in {user_shell().target(settings)}"
        if "url" not in settings.origins:
            place += ": no AUTOMATION_REPORT_URL is set"
    if not others:
        return place
    (run, what), *_ = others
    return f"{place}; run {run.id} of this key is of {what}: if you mean it, give its id, {run.id}, instead of the key"


def retry_until(call: Callable[[], _T], end: float, *, also: tuple[type[Exception], ...] = ()) -> _T:
    """Return a call's result, repeated on transient errors and on ``also`` until ``end`` of the monotonic clock.

    Then the last error is raised; of a time that was over before a request, the one before that: it says why.
    """
    retried: tuple[type[Exception], ...] = (*TRANSIENT_ERRORS, *also)
    shown, shown_at = "", 0.0
    last: Exception | None = None
    while True:
        try:
            return call()
        except retried as error:
            now, reason = time.monotonic(), str(error)
            if isinstance(error, OutOfTimeError) and last is not None:
                raise last from None
            if now >= end:
                raise
            last = error
        if reason != shown or now - shown_at >= _SHOWN_SECONDS:
            left = quantity(round(end - now), "more second")
            echo_stderr(f"{reason}; trying again for {left}" if reason != shown else f"still trying, for {left}")
            shown, shown_at = reason, now
        # Random, since the jobs of a pipeline often start, and meet a busy server, at the same moment.
        pause = timeouts_from(os.environ).join_poll * random.uniform(0.5, 1.0)  # noqa: S311 - no secret  # nosec B311
        time.sleep(min(pause, max(0.0, end - now)))


def completed_jobs(run: Run) -> set[str]:
    """Return the jobs of a run whose results have all arrived: a thread has told its end, and no later is open.

    A job that runs again is not in until its new session has ended, too.
    """
    ended: set[str] = set()
    for thread in sorted(run.threads, key=lambda thread: thread.id):
        if thread.session.ending is not None:
            ended |= run_jobs(thread)
        elif not thread.is_completed:
            ended -= run_jobs(thread)
    return ended


def run_jobs(thread: Thread) -> set[str]:
    """Return the names in a thread's fields of its job."""
    return {field.value for field in thread.fields if field.name == JOB_FIELD and field.value}


def wait_for_jobs(client: Client, settings: Settings, jobs: ExpectedJobs, end: float) -> str:
    """Wait until these jobs have delivered their results; return "", or what is missing by ``end``.

    Nothing is waited for once all runs are completed. Of a number of jobs the missing ones are named as the run itself
    numbers them, and what it does not number as the last run of the source has it.
    """
    if settings.endpoint.is_embedded and "url" not in settings.origins and is_ci(os.environ):
        store = user_shell().target(settings)
        echo_stderr(f"a job on another machine cannot reach {store}: set AUTOMATION_REPORT_URL", colour="yellow")
    names, count = ((), jobs) if isinstance(jobs, int) else (jobs, len(jobs))
    arrived, begun = set[str](), set[str]()
    sources: set[int] = set()

    def check() -> str:
        runs = [client.run(run_id) for run_id in find_runs(client, settings)]
        # A run that is named by its id may be of another source than the settings name.
        sources.update(run.source_id for run in runs if run.source_id)
        of_runs = [completed_jobs(run) for run in runs]
        arrived.clear()
        arrived.update(*of_runs)
        begun.update(*(run_jobs(thread) for run in runs for thread in run.threads))
        missing = [name for name in names if name not in arrived]
        number = count - len(missing) if names else sum(map(len, of_runs))
        if number >= count:
            return ""
        words = f"{number} of {count} {'job is' if count == 1 else 'jobs are'} in"
        if missing:
            # A name that is not expected may be a name that differs, as by the version of Python after it.
            more = sorted(arrived.difference(names))
            words += f"; missing: {', '.join(missing)}"
            words += f"; others that are in: {', '.join(more)}" if more else ""
        if all(run.is_completed for run in runs):
            return words
        raise _JobsMissingError(words)

    try:
        words = retry_until(check, end, also=(_JobsMissingError, NoRunError))
    except (_JobsMissingError, NoRunError, *TRANSIENT_ERRORS) as error:
        words = str(error)
    if not (words and begun) or names:
        return words
    own = [*absent_shards(sorted(begun)), *sorted(begun - arrived)]
    if len(own) >= count - len(arrived):
        return f"{words}; missing: {', '.join(own)}"
    filters: RunFilters = {"source_id": tuple(sources), "status": COMPLETED}
    newest = next((run for page in run_pages(client, **filters) for run in page.result), None)
    earlier = () if newest is None else sorted(completed_jobs(client.run(newest.id)) - begun)
    # It may have had more shards of the same name.
    known = [name for name in earlier if not any(_run_series(name) & _run_series(job) for job in begun)]
    were = f" ({'it was' if len(known) == 1 else 'they were'} in the last run)" if known else ""
    return f"{words}; missing: {', '.join([*own, *known])}{were}" if own or known else words


def _run_series(job: str) -> set[tuple[str, str]]:
    match = SHARD_NAME.fullmatch(job)
    return {(match[1], match[4])} if match else set()


def _expected_jobs(_: click.Context, __: click.Parameter, text: str | None) -> ExpectedJobs | None:
    if text is None:
        return None
    names = tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
    is_count = len(names) == 1 and names[0].isdecimal()
    jobs = whole_number(names[0]) if is_count else names
    if not jobs:
        shown = cut_end(text, 50)
        raise click.BadParameter(f"{shown!r}: write how many jobs there are, such as 4, or their names: unit,web")
    return jobs


EXPECT_JOBS: Final = click.option(
    "--expect-jobs", callback=_expected_jobs, metavar="JOBS", help="Wait for so many jobs, or for these: 4 or unit,web."
)
LAST: Final = "last"
WhichRun: TypeAlias = 'int | Literal["last"] | None'
"""What the user typed for a run: its id, the word for the newest one, or nothing."""

_NAMES_SHOWN: Final = 5
OURS_ONLY: Final = "need the embedded store or a server of automation-report serve: this server has none"


def run_number(text: str, more: str = "") -> int:
    """Return the id of a run; raises `click.BadParameter` for another text."""
    number = whole_number(text, len(str(LARGEST_ID)))
    if number is None or not 1 <= number <= LARGEST_ID:
        raise click.BadParameter(f"{cut_end(text, 50)!r} is not a run: write its id{more}")
    return number


def _which(text: str) -> WhichRun:
    return LAST if text == LAST else run_number(text, f", or {LAST}")


RUN_ID: Final = click.argument("chosen", metavar="[RUN_ID]", type=_which, required=False)
BASE: Final = click.option(
    "--base", type=run_number, metavar="RUN_ID", help="Compare with this run; default: the best fit."
)


class NoRunsYetError(click.UsageError):
    """Nothing was reported to the embedded store yet."""


class Opened(Struct, frozen=True):
    """An open server or store to read from, with the settings that name it."""

    client: Client
    settings: Settings

    @property
    def is_ours(self) -> bool:
        """Whether the server is ours, and has whole results and findings."""
        return self.client.artifact_bytes is not None

    def named_run(self, chosen: WhichRun) -> int | None:
        """Return the run that the user or the settings name, None without one.

        Raises `click.UsageError`, and `RefusedError` for a run that our server lacks.
        """
        settings = self.settings
        is_set = settings.run_id is not None or "run_key" in settings.origins
        if chosen == LAST or not (chosen or is_set):
            return None
        named = chosen or find_runs(self.client, settings, is_open=True)[0]
        self._check_run(named)
        return named

    def run_id(self, chosen: WhichRun, *, of_source: bool = False, is_completed: bool = False) -> int:
        """Return the id of the run to read: the named run, else the run of this commit in CI, else the newest.

        With ``of_source`` only runs of the configured source count, whether the user named it or not. Raises
        `click.UsageError` if there is no such run.
        """
        if named := self.named_run(chosen):
            return named
        filters: RunFilters = {"status": COMPLETED} if is_completed else {}
        words = ["completed run" if is_completed else "run"]
        with explaining_project(self.settings):
            if of_source or is_source_named(self.settings):
                source = self.settings.source
                filters["source_id"] = (self.source_id(source),)
                words.append(f"of source {source}")
            if chosen is None and is_ci(os.environ):
                words.append(self._add_commit(filters))
            newest = next((run for page in run_pages(self.client, **filters) for run in page.result), None)
        if newest is not None:
            return newest.id
        if len(words) == 1:
            raise click.UsageError(no_runs_yet(self.settings))
        limit = "" if self.is_ours else f" among the newest {MOST_RUNS}"
        hint = f"name one by its id, --run-id or --run-key, or write {LAST} for the newest"
        raise click.UsageError(f"there is no {' '.join(words)}{limit}: {hint}")

    def _check_run(self, run_id: int) -> None:
        """Raise `RefusedError` for a run that our server lacks."""
        with explaining_run(self.settings, run_id):
            if self.is_ours:  # a Testmo instance would answer with all threads
                self.run(run_id)

    def _add_commit(self, filters: RunFilters) -> str:
        """Add this job's commit and branch to the filters; return them in words."""
        facts = facts_for(self.settings.build_info, self.settings.facts, os.environ, Path.cwd())
        if not facts.commit:
            hint = f"give the run's id, --run-id or --run-key, or {LAST}"
            raise click.UsageError(f"which run? this job's commit is not known: {hint}")
        filters["commit"] = facts.commit
        words = f"of commit {facts.commit[:SHORT_COMMIT]}"
        if facts.branch:
            filters["branch"] = facts.branch
            words += f" on branch {facts.branch}"
        return words

    def source_id(self, source: str) -> int:
        """Return the id of a source; raises `click.UsageError` with the nearest names if there is none."""
        pages = _pages(lambda number: self.client.sources(page=number))
        ids = {each.name: each.id for page in pages for each in page.result}
        if source not in ids:
            raise click.UsageError(f"no run has source {source!r}: {nearest(source, ids)}")
        return ids[source]

    def check_branch(self, branch: str, source_id: tuple[int, ...] = ()) -> None:
        """Raise `click.UsageError` with the nearest names if no run, of these sources if any, is of a branch."""
        if any(page.result for page in run_pages(self.client, source_id=source_id, branch=branch)):
            return
        runs = (run for page in run_pages(self.client, source_id=source_id) for run in page.result)
        branches = dict.fromkeys(name for run in runs if (name := run.field_value("Branch")))
        raise click.UsageError(f"no run is on branch {branch!r}: {nearest(branch, branches)}")

    def run(self, run_id: int) -> Run:
        """Return a run, without its threads if the server can leave them out."""
        return self.client.run(run_id, has_threads=False, expands=("automation_sources", "configs"))

    def findings(self, run_id: int, base: WantedBase = None) -> RunFindings:
        """Return the findings of a run, compared with this base; only a server of ours has them."""
        if isinstance(base, int):
            self._check_run(base)
        return self.client.findings_document(run_id, base)

    def items(self, run_id: int, *, only_failures: bool = False, are_whole: bool = True) -> Iterator[Json]:
        """Yield the results of a run as the server describes them, on ours with texts if ``are_whole``.

        Raises `click.UsageError` for a server that lists no results of runs, or lists them without keys.
        """
        classes = (ResultClass.FAILURE,) if only_failures else ()
        if self.is_ours and are_whole:
            after: int | None = 0
            while after is not None:
                document = self.client.results_document(run_id, after=after, status_id=classes)
                yield from document["tests"]
                after = document["next"]
            return
        pages = _pages(lambda number: self.client.run_tests(run_id, page=number, status_id=classes, has_replaced=False))
        try:
            for item in (item for page in pages for item in page.document["result"]):
                if classes and item.get("status") not in classes:  # a server may ignore the filter
                    continue
                if not item.get("key"):
                    raise click.UsageError(f"this server lists the results of run {run_id} without keys")
                yield item
        except RefusedError as error:
            if error.status != NOT_FOUND or self.is_ours:
                raise
            raise click.UsageError(f"the results of run {run_id} {OURS_ONLY}") from error

    def count(self, run: Run, *, only_failures: bool = False) -> int:
        """Return the number of results that `items` yields of a run."""
        classes = (ResultClass.FAILURE,) if only_failures else ()
        if self.is_ours:
            return self.client.run_tests(run.id, per_page=100, status_id=classes, has_replaced=False).total
        return run.failure if only_failures else run.total

    def tests(self, run_id: int, *, only_failures: bool = False, are_whole: bool = True) -> Iterator[ExportedTest]:
        """Yield the results that `items` yields; raises as it does."""
        return map(ExportedTest.from_item, self.items(run_id, only_failures=only_failures, are_whole=are_whole))


def _pages(page_of: Callable[[int], ResultPage[_T]]) -> Iterator[ResultPage[_T]]:
    number: int | None = 1
    while number is not None:
        page = page_of(number)
        yield page
        number = page.next_page


@contextmanager
def opened(
    options: dict[str, Any],
    chosen: WhichRun = None,
    *,
    is_source_needed: bool = False,
    needs_findings: bool = False,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Iterator[Opened]:
    """Yield the server or store that the options name; no store is created.

    ``deadline_seconds`` bounds each request to a server.

    Raises `click.UsageError` if there is no store, and with ``needs_findings`` for a server without findings.
    """
    settings, token = configured_for(chosen, options, is_source_needed=is_source_needed)
    settings = store_to_read(settings)
    with connected(settings.endpoint, token, deadline_seconds=deadline_seconds) as client:
        learn_kind(client)
        reading = Opened(client, settings)
        if needs_findings and not reading.is_ours:
            raise click.UsageError(f"findings {OURS_ONLY}")
        yield reading


@contextmanager
def explaining_run(settings: Settings, run_id: int | None) -> Iterator[None]:
    """Explain a 404 of a request about a run that the user named."""
    try:
        yield
    except RefusedError as error:
        if error.status != NOT_FOUND or run_id is None:
            raise
        hint = "see automation-report run list"
        where = user_shell().target(settings)
        raise RefusedError(f"there is no run {run_id} in {where}: {hint}", NOT_FOUND) from error


@contextmanager
def explaining_project(settings: Settings) -> Iterator[None]:
    """Explain a 404 of a request in the block; raises `NoRunsYetError` for the embedded store."""
    try:
        yield
    except RefusedError as error:
        if error.status != NOT_FOUND:
            raise
        if settings.endpoint.is_embedded:  # the only store of this folder: the id cannot be the mistake
            raise NoRunsYetError(no_runs_yet(settings)) from error
        hint = f"nothing was reported to project {settings.project_id} yet, or there is no such project"
        raise RefusedError(f"{error}: {hint}", NOT_FOUND) from error


def no_runs_yet(settings: Settings) -> str:
    """Return the line for a project without runs."""
    return f"no runs yet in {user_shell().target(settings)}"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint for an unknown name: the nearest ones, or some of all."""
    known = [*names]
    near = get_close_matches(name, known, n=_NAMES_SHOWN, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(known[:_NAMES_SHOWN])
    return f"there is {shown}{', ...' if len(known) > _NAMES_SHOWN else ''}" if known else "there is none"


def echo_link(settings: Settings, run_id: int, *, is_command_shown: bool = False) -> None:
    """Print a run's web address on stderr; for the embedded store the command that opens its page, or nothing."""
    address = user_shell().look_at(settings, run_id) if is_command_shown else run_page(settings, run_id)
    if address:
        echo_stderr(f"look at it: {address}")
