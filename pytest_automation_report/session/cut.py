"""Cut tests into shards of about equal time, and put them in the order that pays.

In every process the same tests and durations give the same cut and order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# How much longer than the mean a shard may take so that a module stays whole.
_TOLERANCE: Final = 1.05


def module_of(nodeid: str) -> str:
    """Return the module of a test."""
    return nodeid.partition("::")[0]


def estimated(durations: Mapping[str, int | None]) -> dict[str, int]:
    """Return a duration of at least 1 for each test: an unknown one is the mean of its module, else of all tests."""
    # Not the median: most tests are short, so a new module's sum would be far too small.
    known: dict[str, list[int]] = defaultdict(list)
    for nodeid, duration in durations.items():
        if duration is not None:
            known[module_of(nodeid)].append(duration)
    means = {module: _mean(times) for module, times in known.items()}
    usual = _mean([duration for times in known.values() for duration in times] or [1])
    return {
        nodeid: max(1, means.get(module_of(nodeid), usual) if duration is None else duration)
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
        modules[module_of(nodeid)][groups.get(nodeid, nodeid)].append(nodeid)
    lengths = {
        module: _sum(times, [each for unit in units.values() for each in unit]) for module, units in modules.items()
    }
    full = max([sum(times.values()) / total, *times.values()])
    loads = [0] * total
    shards: dict[str, int] = {}
    # The longest first, each into the shard that has least so far.
    for module in sorted(modules, key=lambda name: (-lengths[name], name)):
        shard = loads.index(min(loads))
        is_whole = loads[shard] + lengths[module] <= full * _TOLERANCE
        for unit in modules[module].values():
            length = _sum(times, unit)
            # Into as few shards as can be: the next one begins where this one is full.
            if not is_whole and loads[shard] + length > full:
                shard = loads.index(min(loads))
            loads[shard] += length
            shards |= dict.fromkeys(unit, shard + 1)
    return shards


def _mean(values: Sequence[int]) -> int:
    return sum(values) // len(values)


def _sum(times: Mapping[str, int], nodeids: Sequence[str]) -> int:
    return sum(times[nodeid] for nodeid in nodeids)


class _SilentConfig:
    """pytest's configuration for a second look at the items: nobody is told which are deselected."""

    hook = SimpleNamespace(pytest_deselected=lambda items: None)  # noqa: ARG005 - pytest names it

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever pytest asks for
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


def unit_of(item: pytest.Item, nodeid: str) -> str:
    """Return what a test moves with: its module or class if it has a fixture of that scope, else itself."""
    definitions: Mapping[str, Sequence[Any]] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    scopes = {str(each.scope) for same_name in definitions.values() for each in same_name}
    if is_bound(item) or not scopes.isdisjoint({"module", "package"}):
        return module_of(nodeid)
    owner = item.getparent(pytest.Class) if "class" in scopes else None
    return nodeid if owner is None else owner.nodeid


def lowest_first(units: Sequence[str], ranks: Sequence[int]) -> list[int]:
    """Return the places of tests in the new order: by the lowest rank of a test in their unit."""
    lowest: dict[str, int] = {}
    for unit, rank in zip(units, ranks, strict=True):
        lowest[unit] = min(rank, lowest.get(unit, rank))
    return sorted(range(len(units)), key=lambda place: lowest[units[place]])


def slowest_first(nodeids: Sequence[str], durations: Mapping[str, int | None]) -> list[int]:
    """Return the places of tests ordered by module, the module that takes longest first."""
    times = estimated(durations)
    totals: Counter[str] = Counter()
    for nodeid in nodeids:
        totals[module_of(nodeid)] += times[nodeid]
    ranks = {module: rank for rank, (module, _) in enumerate(totals.most_common())}
    return sorted(range(len(nodeids)), key=lambda place: ranks[module_of(nodeids[place])])
