"""Put tests into the order that pays: those that failed last first, or the modules that take longest."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.session.cut import estimated, module_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    """Return the places of tests in the new order: that of the lowest rank of a test in their unit."""
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
