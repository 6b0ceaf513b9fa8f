"""Where the parts of this repository are."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The checkout: README, ``docs``, ``examples`` and ``benchmarks`` are here."""

TESTS: Final = ROOT / "tests"
PACKAGE: Final = ROOT / "pytest_automation_report"
"""The code of the checkout; an installed package has its own place."""
