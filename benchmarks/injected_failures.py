"""Plugin for pytest that lets chosen tests of any suite fail; `injected_flakiness.py` copies it beside the suites.

It reads the plan of one session from the JSON file that the environment variable ``INJECTED_FAILURES`` names, and
imports nothing of this project. Members of the plan:

- ``collected``: file that gets the tests of the session that pass by themselves, each with its seconds and file;
- ``selected``: tests that run, null for all; a test is named by its address in pytest's JUnit XML;
- ``files``: names of the files that are collected, null for all;
- ``failures``: tests that fail, each with how many attempts fail and with the exception's type and message.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.junitxml import mangle_test_address

if TYPE_CHECKING:
    from collections.abc import Generator

_EXCEPTIONS = {"AssertionError": AssertionError, "KeyError": KeyError, "TimeoutError": TimeoutError}


def _address(item: pytest.Item) -> str:
    return ".".join(mangle_test_address(item.nodeid))


class InjectedFailures:
    """The hooks of one session."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.attempts: Counter[str] = Counter()
        self.passed: dict[str, tuple[float, str]] = {}
        self.addresses: Counter[str] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Collect the files of the selected tests only: some suites take longer to be collected than to run."""
        files = self.plan["files"]
        is_other = files is not None and collection_path.is_file() and str(collection_path) not in files
        return True if is_other else None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the selected tests."""
        self.addresses = Counter(map(_address, items))
        if self.plan["selected"] is None:
            return
        selected = set(self.plan["selected"])
        config.hook.pytest_deselected(items=[item for item in items if _address(item) not in selected])
        items[:] = [item for item in items if _address(item) in selected]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Fail instead of the test, as planned."""
        address = _address(item)
        self.attempts[address] += 1
        failure = self.plan["failures"].get(address)
        if failure is not None and self.attempts[address] <= failure["attempts"]:
            raise _EXCEPTIONS[failure["type"]](failure["message"])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note which tests pass."""
        report = yield
        address = _address(item)
        if call.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            self.passed[address] = (report.duration, str(item.path))
        elif report.failed:
            self.passed.pop(address, None)
        return report

    def pytest_sessionfinish(self) -> None:
        """Write which tests passed; two tests of one address are no choice."""
        if self.plan["collected"]:
            single = {address: found for address, found in self.passed.items() if self.addresses[address] == 1}
            Path(self.plan["collected"]).write_text(json.dumps(single), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Read the plan; sessions that tests start in other folders have none."""
    path = os.environ.pop("INJECTED_FAILURES", None)
    if path is not None:
        plan = json.loads(Path(path).read_text(encoding="utf-8"))
        config.pluginmanager.register(InjectedFailures(plan), "injected-failures-of-session")
