"""Programs, and a package, that some tests need beside the ``test`` extra: without them they are skipped and counted.

A test has the mark ``needs("git")``, or a fixture or helper calls `needed`. The last lines of the session tell how many
tests were skipped for each, and `.ci/run` fails if it finds that line.
"""

import importlib.util
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

PROGRAMS: Final[Mapping[str, str]] = {
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "ffmpeg": "ffmpeg",
    "git": "git",
    "initdb": "postgresql",
    "nginx": "nginx-light",
    "node": "nodejs",
    "npm": "npm",
    "ps": "procps",
    "strace": "strace",
    "systemd-analyze": "systemd",
}
"""Programs with their packages of Debian."""

HAS_SUBTESTS: Final = importlib.util.find_spec("_pytest.subtests") is not None
"""Whether pytest has subtests of its own: before pytest 9 they are a plugin's."""

needs_subtests = pytest.mark.skipif(
    not HAS_SUBTESTS and importlib.util.find_spec("pytest_subtests") is None,
    reason="neither pytest 9 nor pytest-subtests is here",
)

MODULES: Final[Mapping[str, str]] = {"moto": "test-s3"}
"""Modules of Python with the extra of this project that has them."""

# Places that are not on every user's path.
_FOLDERS: Final = ("/usr/bin", "/usr/sbin", "/usr/lib/postgresql/*/bin")
_REASON: Final = "needs {}, which is not installed: {}"
_SKIPPED: Final = re.compile("Skipped: " + _REASON.format("([a-z-]+)", ".*"))


def found(name: str) -> Path | None:
    """Return a program, the newest of several versions; None if it is not installed."""
    on_path = shutil.which(name)
    if on_path is not None:
        return Path(on_path)
    others = [place for pattern in _FOLDERS for place in Path("/").glob(f"{pattern[1:]}/{name}")]
    return max(others, key=lambda place: [int(number) for number in re.findall(r"\d+", str(place))], default=None)


def needed(name: str) -> Path:
    """Return a program; skip the test if it is not installed."""
    program = found(name)
    if program is None:
        pytest.skip(_REASON.format(name, f"apt-get install {PROGRAMS[name]}"))
    return program


def needed_module(name: str) -> None:
    """Skip the test if a module is not installed."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(_REASON.format(name, f"pip install '.[{MODULES[name]}]'"))


class NeedsPlugin:
    """Skips the tests whose mark ``needs`` names a missing program, and counts them with those of `needed`."""

    def __init__(self) -> None:
        self._skipped: Counter[str] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Look for the programs of a test before its fixtures are made."""
        for mark in item.iter_markers("needs"):
            for name in mark.args:
                needed(name)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a skip by what was missing."""
        if report.skipped and isinstance(report.longrepr, tuple):
            match = _SKIPPED.fullmatch(report.longrepr[2])
            self._skipped.update([match[1]] if match else [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell in one line what was missing."""
        if self._skipped:
            counts = ", ".join(f"{name} ({count})" for name, count in sorted(self._skipped.items()))
            terminalreporter.write_line(f"{self._skipped.total()} tests skipped for want of {counts}", yellow=True)
