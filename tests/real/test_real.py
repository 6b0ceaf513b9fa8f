"""Real packages' own tests have the same outcomes with the plugin, and the server has each of them once.

Three small ones; ``python tests/real/suites.py`` runs all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from real.comparing import FEW, compare
from real.packages import PACKAGES, QUICK, Package
from real.workplace import UnavailableError, default_cache, prepare

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.parametrize(
    "package", [each for each in PACKAGES if each.name in QUICK], ids=lambda package: str(package.name)
)
def test_real_suite_is_as_without(package: Package, tmp_path: Path) -> None:
    """Exit status, counts and outcomes are those of bare pytest; each test's key is on the server once a thread."""
    try:
        place = prepare(package, default_cache())
    except UnavailableError as error:
        pytest.skip(f"{package.name} cannot be had: {error}")
    row = compare(package, place, tmp_path, FEW)
    assert row.tests > 100
    assert row.differences == []
