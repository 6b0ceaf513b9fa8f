"""Leave the tests of other shards to their jobs, and put the rest in order, by what earlier runs say of the tests.

pytest's process opens no socket and no store: the console command, in a process that starts early, prints the history.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec import Struct, convert, to_builtins
from msgspec.structs import replace

from pytest_automation_report.api.models import SHARD_OPTION
from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.ci.facts import Shard
from pytest_automation_report.delivery.launch import LaunchError
from pytest_automation_report.guards import Errors, guarded
from pytest_automation_report.session.collection import item_nodeids, resolve_prefix
from pytest_automation_report.session.console import CollectionHooks, PrintingProcess, console_options, console_process
from pytest_automation_report.spool.records import identify
from pytest_automation_report.text.limits import quantity
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.spool.folder import SessionManifest

# How much longer than the mean a shard may take so that a module stays whole.
_TOLERANCE: Final = 1.05


def module_name(nodeid: str) -> str:
    """Return the module of a test."""
    return nodeid.partition("::")[0]


def estimated(durations: Mapping[str, int | None]) -> dict[str, int]:
    """Return a duration of at least 1 for each test: an unknown one is the mean of its module, else of all tests."""
    # Not the median: most tests are short, so a new module's sum would be far too small.
    known: dict[str, list[int]] = defaultdict(list)
    for nodeid, duration in durations.items():
        if duration is not None:
            known[module_name(nodeid)].append(duration)
    means = {module: _mean(times) for module, times in known.items()}
    usual = _mean([duration for times in known.values() for duration in times] or [1])
    return {
        nodeid: max(1, means.get(module_name(nodeid), usual) if duration is None else duration)
        for nodeid, duration in durations.items()
    }


def cut(durations: Mapping[str, int | None], total: int, together: Mapping[str, str] | None = None) -> dict[str, int]:
    """Return the shard of each test, from 1 to ``total``, by node id.

    Durations are in microseconds, None for an unknown one; if none is known, the numbers of tests count. A module is
    split where its shard would take over 5 % more than the mean. Tests with one name in ``together`` are never split.
    """
    groups = together or {}
    times = estimated(durations)
    modules: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    # By name: a plugin may have shuffled the tests.
    for nodeid in sorted(times):
        modules[module_name(nodeid)][groups.get(nodeid, nodeid)].append(nodeid)
    lengths = _module_lengths(times)
    full = max([sum(times.values()) / total, *times.values()])
    loads = [0] * total
    shards: dict[str, int] = {}
    # The longest first, each into the shard that has least so far.
    for module in sorted(modules, key=lambda name: (-lengths[name], name)):
        shard = loads.index(min(loads))
        is_whole = loads[shard] + lengths[module] <= full * _TOLERANCE
        for unit in modules[module].values():
            length = sum(times[nodeid] for nodeid in unit)
            # Into as few shards as can be: the next one begins where this one is full.
            if not is_whole and loads[shard] + length > full:
                shard = loads.index(min(loads))
            loads[shard] += length
            shards |= dict.fromkeys(unit, shard + 1)
    return shards


def _mean(values: Sequence[int]) -> int:
    return sum(values) // len(values)


def _module_lengths(times: Mapping[str, int]) -> Counter[str]:
    """Return how long the tests of each module take together."""
    lengths = Counter[str]()
    for nodeid, time in times.items():
        lengths[module_name(nodeid)] += time
    return lengths


class _SilentConfig:
    """pytest's configuration for a second look at the items: nobody is told which are deselected."""

    hook = SimpleNamespace(pytest_deselected=lambda items: None)  # noqa: ARG005 - pytest names it

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever pytest asks for, as getini
        return getattr(self._config, name)


def before_sharding(items: Sequence[pytest.Item], config: pytest.Config) -> list[pytest.Item] | None:
    """Return the collected items that pytest's own options leave; None if that cannot be known.

    Items that other plugins deselect, as pytest-split does, are left to other jobs.
    """
    options = config.option
    if any(getattr(options, name, False) for name in ("lf", "failedfirst", "stepwise")):
        return None
    left = [item for item in items if not item.nodeid.startswith(tuple(options.deselect or ()))]
    if options.keyword or options.markexpr:
        mark: Any = config.pluginmanager.get_plugin("mark")
        mark.pytest_collection_modifyitems(left, _SilentConfig(config))
    return left


# Markers of plugins by which a test waits for others of its module.
_BOUND: Final = ("dependency", "order", "incremental")


def is_bound(item: pytest.Item) -> bool:
    """Whether a marker says that a test depends on others of its module."""
    return any(item.get_closest_marker(name) for name in _BOUND)


def moved_unit(item: pytest.Item, nodeid: str) -> str:
    """Return what a test moves with: its module or class if it has a fixture of that scope, else itself."""
    definitions: Mapping[str, Sequence[Any]] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    scopes = {str(each.scope) for same_name in definitions.values() for each in same_name}
    if is_bound(item) or not scopes.isdisjoint({"module", "package"}):
        return module_name(nodeid)
    owner = item.getparent(pytest.Class) if "class" in scopes else None
    return nodeid if owner is None else owner.nodeid


def lowest_first(units: Sequence[str], ranks: Sequence[int]) -> list[int]:
    """Return the places of tests in the new order: by the lowest rank of a test in their unit."""
    lowest: dict[str, int] = {}
    for unit, rank in zip(units, ranks, strict=True):
        lowest[unit] = min(rank, lowest.get(unit, rank))
    return sorted(range(len(units)), key=lambda place: lowest[units[place]])


# The first test waits for it. On a busy machine the start of the process takes seconds; a job that gave up would have
# other tests than the others expect, so it asks for a minute. Each request has a limit of its own.
_SECONDS: Final = 20
_SECONDS_OF_CUT: Final = 80
# Settings on which a run's branch depends.
_OF_RUN: Final = ("branch", "build", "attempt", "facts")
_ALONE: Final = "jobs that share no run cannot agree on durations"


def read_shard(text: str, environ: Mapping[str, str]) -> Shard | None:
    """Return the shard of a session, None for all tests; raises `pytest.UsageError` for a value that cannot be used."""
    if text == "auto":
        facts = ci_facts(environ)
        if facts is None or facts.shard is not None:
            return facts.shard if facts else None
        from pytest_automation_report.ci.providers import PROVIDERS  # noqa: PLC0415 - only in jobs of a provider

        name = facts.provider or ""
        if name in PROVIDERS and PROVIDERS[name].shards:
            return None
        raise pytest.UsageError(f"{SHARD_OPTION}: {name} does not number parallel jobs: write the number, as in 3/8")
    match = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise pytest.UsageError(f"{SHARD_OPTION}: {text!r} cannot be used: write 3/8 for the third of eight, or auto")
    return Shard(int(match[1]), int(match[2]))


class History(Struct, frozen=True):
    """What a session wants, and what runs, newest first, say of tests by key.

    ``prefix`` stands before folders. ``durations`` are medians in microseconds, ``failed`` are the tests that failed
    when they ran last. ``is_unanswered``: the other jobs may know more. ``alone``: why durations do not cut the tests.
    """

    shard: Shard | None
    order: str
    prefix: str = ""
    runs: tuple[int, ...] = ()
    failed: frozenset[str] = frozenset()
    durations: dict[str, int] = {}
    error: str = "no run has durations yet"  # why nothing is known
    is_unanswered: bool = False
    alone: str = ""


class HistoryHooks(CollectionHooks):
    """Cuts and orders the collected tests, in each process that collects; shows what was done."""

    key = "automation_report_history"

    def __init__(
        self, history: History, internal_errors: Errors, start: Callable[[Json | None], PrintingProcess] | None = None
    ) -> None:
        self.internal_errors = internal_errors
        # The ids of all tests before the cut, for the proof that the jobs ran each of them; None without a shard.
        self.collected: list[str] | None = None
        self._known, self._start = history, start
        self._process: PrintingProcess | None = None

    @classmethod
    def of_session(
        cls, config: pytest.Config, environ: Mapping[str, str], settings: Settings, internal_errors: Errors
    ) -> HistoryHooks:
        """Return the hooks of a session's leading process; the history is being read from now on."""
        prefix = resolve_prefix(config, settings.folder_prefix)
        wanted = History(settings.shard, settings.order, prefix)
        if settings.endpoint.is_embedded and not settings.database.exists():
            return cls(wanted, internal_errors)
        if settings.token_error:  # the summary has it
            return cls(replace(wanted, error="no token can be used", is_unanswered=True), internal_errors)
        arguments, root = console_options(settings, *_OF_RUN), config.rootpath

        def start(shared: Json | None) -> PrintingProcess:
            seconds, more = _SECONDS_OF_CUT if shared else _SECONDS, {"shared": shared}
            return console_process(
                "cli.history.answer", arguments, settings, seconds=seconds, environ=environ, root=root, more=more
            )

        return cls(wanted, internal_errors, start)

    def begin(self, manifest: SessionManifest | None) -> None:
        """Begin to read the history; ``manifest`` describes the run of a session that is reported."""
        shared: Json | None = None
        if self._known.shard is not None:
            if manifest is not None and (manifest.run_tag or manifest.joined_run is not None):
                members = ("run", "joined_run", "run_tag", "is_first")
                shared = {name: to_builtins(getattr(manifest, name)) for name in members}
            else:
                self._known = replace(self._known, alone=_ALONE)
        start, self._start = self._start, None
        if start is None or (self._known.alone and self._known.order == "none"):
            return
        try:
            self._process = start(shared)
        except LaunchError as error:
            self._known = replace(self._known, error=str(error), is_unanswered=True)

    @classmethod
    def of_worker(cls, sent: Mapping[str, Any], internal_errors: Errors) -> HistoryHooks:
        """Return the hooks of an xdist worker, by what its controller sent."""
        return cls(convert(sent, History), internal_errors)

    @property
    def unanswered(self) -> str:
        """Why the tests were cut by number although the other jobs may have durations, empty if they were not."""
        history = self._known
        return history.error if history.shard is not None and history.is_unanswered and not history.alone else ""

    @property
    def _history(self) -> History:
        """The history; the first use waits for it."""
        process, self._process = self._process, None
        if process is not None:
            try:
                found = Unpatched.decode(process.printed())
            except LaunchError as error:
                # The console command says "Error: " first.
                found = {"error": str(error).removeprefix("Error: "), "is_unanswered": True}
            self._known = convert({**to_builtins(self._known), **found}, History)
        return self._known

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Wait for the history: all workers make the same cut."""
        self.sent = to_builtins(self._history)
        super().pytest_configure_node(node)

    # A wrapper: the tests are those that all other plugins leave.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Any:  # noqa: ANN401 - a generator
        """Cut the tests and put them in order."""
        result = yield
        nodeids, history = item_nodeids(config, items), self._history
        keys = {nodeid: identify(nodeid, prefix=history.prefix).key for nodeid in nodeids}
        durations = {nodeid: history.durations.get(key) for nodeid, key in keys.items()}
        chosen = [*zip(items, nodeids, strict=True)]
        if history.shard is not None:
            self.collected = nodeids
            bound = {nodeid: module_name(nodeid) for item, nodeid in chosen if is_bound(item)}
            shards = cut(dict.fromkeys(durations) if history.alone else durations, history.shard.total or 1, bound)
            if left := [item for item, nodeid in chosen if shards[nodeid] != history.shard.index]:
                config.hook.pytest_deselected(items=left)
            chosen = [(item, nodeid) for item, nodeid in chosen if shards[nodeid] == history.shard.index]
        ids = [nodeid for _, nodeid in chosen]
        ranks = rank_tests(history, ids, keys)
        self.found = _lines(history, len(items), ranks), bool(items) and not chosen
        units = [""] * len(ids)  # they all stay where they are
        if history.order == "failed-first":
            units = [moved_unit(item, nodeid) for item, nodeid in chosen]
        elif history.order == "slowest-first" and history.durations:
            times, units = estimated(durations), [*map(module_name, ids)]
            lengths = _module_lengths({nodeid: times[nodeid] for nodeid in ids})
            ranks = [-lengths[module] for module in units]
        items[:] = [chosen[place][0] for place in lowest_first(units, ranks)]
        return result

    @guarded
    def pytest_unconfigure(self) -> None:
        """End the process that reads the history, if no test was collected."""
        if self._process is not None:
            self._process.close()


def rank_tests(history: History, nodeids: Sequence[str], keys: Mapping[str, str]) -> list[int]:
    """Return 0 for each test that failed last, 1 for one that is new, and 2 for the others."""
    if not history.durations:
        return [2] * len(nodeids)
    modules = {module: identify(module, prefix=history.prefix).key for module in {*map(module_name, nodeids)}}
    return [
        # A module that could not be collected stands for all of its tests.
        0 if not history.failed.isdisjoint({keys[nodeid], modules[module_name(nodeid)]})
        else 2 if keys[nodeid] in history.durations else 1
        for nodeid in nodeids
    ]  # fmt: skip


def _lines(history: History, collected: int, ranks: Sequence[int]) -> list[str]:
    """Return the lines of the summary: the shard, and what is in front."""
    lines: list[str] = []
    if history.shard is not None:
        newest, *others = history.runs or (0,)
        more = f" and {len(others)} before" if others else ""
        by_number = history.alone or ("" if history.durations else history.error)
        by = f"number: {by_number}" if by_number else f"durations in run {newest}{more}"
        lines.append(f"shard {history.shard}: {len(ranks):,} of {quantity(collected, 'test')}, cut by {by}")
    if history.order != "none":
        lines.append(f"ordered: {_ordered(history, ranks)}")
    return lines


def _ordered(history: History, ranks: Sequence[int]) -> str:
    if not history.durations:
        return f"as collected: {history.error}"
    if history.order == "slowest-first":
        return f"slowest modules first, by run {history.runs[0]}"
    counts = ((ranks.count(0), "failed last time"), (ranks.count(1), "new"))
    words = [f"{count:,} {why}" for count, why in counts if count]
    return f"{', '.join(words)} first" if words else "as collected: none failed last time"
