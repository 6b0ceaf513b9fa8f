"""The suites that the benchmarks run, written into a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILES = 100

_MIXED = """
import pytest

def third(x):
    assert x % 20 != 0, f"{{x}} is a multiple of twenty"

def second(x):
    third(x)

@pytest.mark.parametrize("x", range({first}, {last}))
def test_mixed(x):
    print("x" * 1000)
    if x % 50 == 7:
        pytest.skip("one in fifty")
    if x % 100 == 13:
        pytest.xfail("one in a hundred")
    second(x)
"""

_LOGS = """
import logging
import pytest

log = logging.getLogger("load")

@pytest.fixture
def attach(request):
    if request.config.pluginmanager.hasplugin("allure_pytest"):
        import allure
        return allure.attach
    if request.config.pluginmanager.hasplugin("pytest_automation_report.plugin"):
        import pytest_automation_report
        return lambda content, name: pytest_automation_report.artifact(content, name)
    return lambda content, name: None

@pytest.mark.parametrize("x", range(500))
def test_logs(x, attach):
    for line in range(500):
        log.warning("%s %s %s", x, line, "y" * 90)
    attach(f"https://ci.example/{x}/first.txt", "first.txt")
    attach(f"https://ci.example/{x}/second.txt", "second.txt")
"""

# When the last test is over, for the time that a session takes to end.
_CONFTEST = """
import time
from pathlib import Path

import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        Path("began_to_end").write_text(str(time.time()))
    return (yield)
"""


_PASSING = "def test_{0}():\n    pass\n"
_FAILING = """
def test_{0}():
    counted = {{"name": "case {0}", "count": {0}}}
    assert counted == {{"name": "case {0}", "count": 0}}
"""


def write(name: str, folder: Path, tests: int) -> int:
    """Write the suite of this name with about this many tests; return how many it has."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(_CONFTEST)
    each = max(1, tests // FILES)
    if name == "start":
        (folder / "test_start.py").write_text("def test_start():\n    pass\n")
        return 1
    if name == "small":
        for file, count in (("api", 6), ("model", 7), ("views", 7)):
            (folder / f"test_{file}.py").write_text(_trivial(count))
        return 20
    if name == "logs":
        (folder / "test_logs.py").write_text(_LOGS)
        return 500
    for number in range(FILES):
        path = folder / f"test_{number:03}.py"
        if name == "trivial":
            path.write_text(_trivial(each))
        elif name == "failing":
            tests_here = range(number * each, (number + 1) * each)
            path.write_text("".join((_PASSING if test % 20 else _FAILING).format(test) for test in tests_here))
        else:
            path.write_text(_MIXED.format(first=number * each, last=(number + 1) * each))
    return each * FILES


def _trivial(tests: int) -> str:
    return "".join(map(_PASSING.format, range(tests)))
