"""Put tests into the order that pays: those that failed last first, or the modules that take longest."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.session.cut import estimated, module_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

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


def failed_first(units: Sequence[str], failed: Collection[int], new: Collection[int]) -> list[int]:
    """Return the places of tests in the new order: units with a failed one, units with a new one, then all others."""
    ranks: dict[str, int] = {}
    for place, unit in enumerate(units):
        rank = 0 if place in failed else 1 if place in new else 2
        ranks[unit] = min(rank, ranks.get(unit, rank))
    return sorted(range(len(units)), key=lambda place: ranks[units[place]])


def slowest_first(nodeids: Sequence[str], durations: Mapping[str, int | None]) -> list[int]:
    """Return the places of tests ordered by module, the module that takes longest first."""
    times = estimated(durations)
    totals: Counter[str] = Counter()
    first: dict[str, int] = {}
    for place, nodeid in enumerate(nodeids):
        totals[module_of(nodeid)] += times[nodeid]
        first.setdefault(module_of(nodeid), place)
    modules = [module_of(nodeid) for nodeid in nodeids]
    return sorted(range(len(modules)), key=lambda place: (-totals[modules[place]], first[modules[place]]))
