"""Leave the tests of other shards to their jobs, and put the rest in order, by what earlier runs say of the tests.

pytest's process opens no socket and no store: the console command, in a process that starts early, prints the history.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec import Struct, convert, to_builtins

from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.ci.facts import Shard
from pytest_automation_report.delivery.launch import LaunchError
from pytest_automation_report.guards import Hooks, InternalErrors, guarded
from pytest_automation_report.session.collection import nodeids_of, prefix_of
from pytest_automation_report.session.cut import cut, is_bound, lowest_first, module_of, slowest_first, unit_of
from pytest_automation_report.session.preflight import PrintingProcess, console_process
from pytest_automation_report.spool.records import identity_of
from pytest_automation_report.text.limits import printable, quantity
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.settings.settings import Settings

# Of xdist's worker input for the history and what is wanted, and of its worker output for what the worker did.
WORKER_KEY: Final = "automation_report_history"

# The first test waits for it. On a busy machine the start of the process takes seconds, and a job that gave up would
# have other tests than the others expect; each request has a limit of its own.
_SECONDS: Final = 20
_CODE: Final = """\
from pytest_automation_report.cli.history import history
history(start['arguments'], prog_name='automation-report')
"""
# Settings on which a run's key and branch depend, in the spelling of the console command.
_OF_RUN: Final = ("run_id", "run_key", "branch", "build", "attempt", "facts")
_SHARD_OPTION: Final = "--automation-report-shard"


def shard_of(text: str, environ: Mapping[str, str]) -> Shard | None:
    """Return the shard of a session, None for all tests; raises `pytest.UsageError` for a value that cannot be used."""
    if text == "auto":
        facts = ci_facts(environ)
        if facts is None or facts.shard is not None:
            return facts.shard if facts else None
        from pytest_automation_report.ci.providers import PROVIDERS  # noqa: PLC0415 - only in jobs of a provider

        name = facts.provider or ""
        if name in PROVIDERS and PROVIDERS[name].shards:
            return None
        raise pytest.UsageError(f"{_SHARD_OPTION}: {name} does not number parallel jobs: write the number, as in 3/8")
    match = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise pytest.UsageError(f"{_SHARD_OPTION}: {text!r} cannot be used: write 3/8 for the third of eight, or auto")
    return Shard(int(match[1]), int(match[2]))


class History(Struct, frozen=True):
    """What runs, newest first, say of tests by key: medians in microseconds, and which failed last."""

    runs: tuple[int, ...] = ()
    failed: frozenset[str] = frozenset()
    durations: dict[str, int] = {}
    error: str = "no run has durations yet"  # why nothing is known


class Wanted(Struct, frozen=True):
    """What a session wants of the history: its shard, and an order; ``prefix`` stands before folders."""

    shard: Shard | None
    order: str
    prefix: str


class HistoryHooks(Hooks):
    """Cuts and orders the collected tests, in each process that collects; shows what was done."""

    def __init__(self, wanted: Wanted, history: History | PrintingProcess, internal_errors: InternalErrors) -> None:
        self.internal_errors = internal_errors
        # The ids of all tests before the cut, for the proof that the jobs ran each of them; None without a shard.
        self.collected: list[str] | None = None
        self._wanted = wanted
        self._source = history
        self._lines: list[str] = []  # what was done
        self._is_empty = False  # whether all tests are in other shards

    @classmethod
    def of_session(
        cls, config: pytest.Config, environ: Mapping[str, str], configuration: Settings, internal_errors: InternalErrors
    ) -> HistoryHooks:
        """Return the hooks of a session's leading process; the history is being read from now on."""
        prefix = prefix_of(config, configuration.folder_prefix)
        wanted = Wanted(configuration.shard, configuration.order, prefix)
        if configuration.endpoint.is_embedded and not configuration.database.exists():
            return cls(wanted, History(), internal_errors)
        if configuration.token_error:  # the summary has it
            return cls(wanted, History(error="no token can be used"), internal_errors)
        values = {name: getattr(configuration, name) for name in _OF_RUN}
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in values.items() if value]
        root = config.rootpath
        try:
            process = console_process(_CODE, arguments, configuration, seconds=_SECONDS, environ=environ, root=root)
        except LaunchError as error:
            return cls(wanted, History(error=str(error)), internal_errors)
        return cls(wanted, process, internal_errors)

    @classmethod
    def of_worker(cls, sent: Mapping[str, Any], internal_errors: InternalErrors) -> HistoryHooks:
        """Return the hooks of an xdist worker, by what its controller sent."""
        return cls(convert(sent["wanted"], Wanted), convert(sent["history"], History), internal_errors)

    @property
    def _history(self) -> History:
        """The history; the first use waits for it."""
        if isinstance(self._source, PrintingProcess):
            try:
                self._source = convert(Unpatched.decode(self._source.printed()), History)
            except LaunchError as error:
                # The console command says "Error: " first.
                self._source = History(error=str(error).removeprefix("Error: "))
        return self._source

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Send an xdist worker the history: all workers make the same cut."""
        node.workerinput[WORKER_KEY] = {"wanted": to_builtins(self._wanted), "history": to_builtins(self._history)}

    # A wrapper: the tests are those that all other plugins leave.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Any:  # noqa: ANN401 - a generator
        """Cut the tests and put them in order."""
        result = yield
        self._arrange(config, items)
        return result

    @guarded
    def _arrange(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        nodeids = nodeids_of(config, items)
        keys = {nodeid: identity_of(nodeid, prefix=self._wanted.prefix).key for nodeid in nodeids}
        durations = {nodeid: self._history.durations.get(key) for nodeid, key in keys.items()}
        places = list(range(len(items)))
        if self._wanted.shard is not None:
            self.collected = nodeids
            index, total = self._wanted.shard.index, self._wanted.shard.total or 1
            bound = {nodeid: module_of(nodeid) for nodeid, item in zip(nodeids, items, strict=True) if is_bound(item)}
            shards = cut(durations, total, bound)
            places = [place for place, nodeid in enumerate(nodeids) if shards[nodeid] == index]
            if left := [item for item, nodeid in zip(items, nodeids, strict=True) if shards[nodeid] != index]:
                config.hook.pytest_deselected(items=left)
        chosen, ids = [items[place] for place in places], [nodeids[place] for place in places]
        ranks = self._ranks(ids, keys)
        order = list(range(len(chosen)))
        if self._wanted.order == "failed-first":
            order = lowest_first([unit_of(item, nodeid) for item, nodeid in zip(chosen, ids, strict=True)], ranks)
        elif self._wanted.order == "slowest-first" and self._history.durations:
            order = slowest_first(ids, durations)
        self._is_empty = bool(items) and not chosen
        self._lines = self._done(len(items), ranks)
        items[:] = [chosen[place] for place in order]

    def _ranks(self, nodeids: Sequence[str], keys: Mapping[str, str]) -> list[int]:
        """Return 0 for each test that failed last, 1 for one that is new, and 2 for the others."""
        history, prefix = self._history, self._wanted.prefix
        modules = {module: identity_of(module, prefix=prefix).key for module in {*map(module_of, nodeids)}}
        known = history.durations or keys.values()
        return [
            # A module that could not be collected stands for all of its tests.
            0 if not history.failed.isdisjoint({keys[nodeid], modules[module_of(nodeid)]})
            else 2 if keys[nodeid] in known else 1
            for nodeid in nodeids
        ]  # fmt: skip

    def _done(self, collected: int, ranks: Sequence[int]) -> list[str]:
        """Return the lines of the summary: the shard, and what is in front."""
        wanted, history, lines = self._wanted, self._history, list[str]()
        if wanted.shard is not None:
            newest, *others = history.runs or (0,)
            more = f" and {len(others)} before" if others else ""
            by = f"durations in run {newest}{more}" if history.durations else f"number: {history.error}"
            lines.append(f"shard {wanted.shard}: {len(ranks):,} of {quantity(collected, 'test')}, cut by {by}")
        if wanted.order != "none":
            lines.append(f"ordered: {_ordered(wanted.order, history, ranks)}")
        return lines

    @guarded
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """Let a shard pass that has no test; send the controller what a worker did."""
        if self._is_empty and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[WORKER_KEY] = self._lines, self._is_empty

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Read what a worker did; all workers do the same."""
        del error
        known = self._lines, self._is_empty
        self._lines, self._is_empty = getattr(node, "workeroutput", {}).get(WORKER_KEY, known)

    @guarded
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the shard, and what is in front."""
        for line in self._lines:
            terminalreporter.write_line(printable(f"automation report: {line}"))

    @guarded
    def pytest_unconfigure(self) -> None:
        """End the process that reads the history, if no test was collected."""
        if isinstance(self._source, PrintingProcess):
            self._source.close()


def _ordered(order: str, history: History, ranks: Sequence[int]) -> str:
    if not history.durations:
        return f"as collected: {history.error}"
    if order == "slowest-first":
        return f"slowest modules first, by run {history.runs[0]}"
    counts = ((ranks.count(0), "failed last time"), (ranks.count(1), "new"))
    words = [f"{count:,} {why}" for count, why in counts if count]
    return f"{', '.join(words)} first" if words else "as collected: none failed last time"
