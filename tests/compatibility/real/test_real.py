"""Real packages' own tests have the same outcomes with the plugin, and the server has each of them once.

Three small ones; ``python tests/compatibility/real/suites.py`` runs all.
"""

from pathlib import Path

import pytest

from compatibility.real.comparing import compare
from compatibility.real.packages import PACKAGES, Package
from compatibility.real.running import Suite, Target, Way
from compatibility.real.workplace import UnavailableError, default_cache, prepare

_PACKAGES = {each.name: each for each in PACKAGES}
_WAYS: tuple[tuple[str, Way, Target], ...] = (
    ("freezegun", Way(0, is_strict=True), "embedded"),
    ("toolz", Way(0), "embedded"),
    ("responses", Way(2), "loopback"),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "way", "target"),
    [(_PACKAGES[name], way, target) for name, way, target in _WAYS],
    ids=lambda value: (
        value.name if isinstance(value, Package) else "-".join(value.arguments) if isinstance(value, Way) else value
    ),
)
def test_real_suite_is_as_without(package: Package, way: Way, target: Target, tmp_path: Path) -> None:
    """Exit status, counts, outcomes, output, threads, descriptors, children and environment are those of bare pytest.

    Each test's key is on the server once a thread.
    """
    try:
        place = prepare(package, default_cache())
    except UnavailableError as error:
        pytest.skip(f"{package.name} cannot be had: {error}")
    row = compare(Suite(package, place, tmp_path / package.name, 300), way, [target])
    assert row.tests > 100
    assert row.differences == []
