"""Real packages' own tests have the same outcomes with the plugin, and the server has each of them once.

Two small ones; ``--suites all``, or names with commas between them, runs others, each in every way.
"""

from itertools import product
from pathlib import Path

import pytest

from compatibility.real.comparing import compare
from compatibility.real.packages import DIFFERENTIAL, PACKAGES
from compatibility.real.running import Suite, Target, Way
from compatibility.real.workplace import UnavailableError, default_cache, prepare

_PACKAGES = {each.name: each for each in PACKAGES}
_TWO: tuple[tuple[str, Way, Target], ...] = (
    ("freezegun", Way(2, is_strict=True), "loopback"),
    ("toolz", Way(0), "embedded"),
)
_TARGETS: tuple[Target, ...] = ("loopback", "embedded")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each way to run each suite that is asked for."""
    asked = str(metafunc.config.getoption("--suites"))
    names = list(_PACKAGES) if asked == "all" else asked.split(",")
    ways = [Way(processes, is_strict=is_strict) for processes, is_strict in product((0, 2), (False, True))]
    rows = [row for row in product(names, ways, _TARGETS) if row[0] in DIFFERENTIAL or not row[1].is_strict]
    if "name" in metafunc.fixturenames:
        metafunc.parametrize(
            ("name", "way", "target"),
            rows if asked else _TWO,
            ids=lambda value: "-".join(value.arguments) if isinstance(value, Way) else value,
        )


@pytest.mark.slow
def test_real_suite_is_as_without(name: str, way: Way, target: Target, tmp_path: Path) -> None:
    """Exit status, counts, outcomes, output, threads, descriptors, children and environment are those of bare pytest.

    Each test's key is on the server once a thread.
    """
    try:
        place = prepare(_PACKAGES[name], default_cache())
    except UnavailableError as error:
        pytest.skip(f"{name} cannot be had: {error}")
    tests, differences = compare(Suite(_PACKAGES[name], place, tmp_path / name, 1800), way, target)
    assert tests > 50
    assert differences == []
