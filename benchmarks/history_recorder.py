"""Plugin for pytest that writes what a session did, as raw as pytest says it; `histories.py` keeps its truth from it.

It imports nothing of this project. The environment variable ``HISTORY_RECORD`` names the file for one session, which
gets one object: ``collected`` and ``deselected`` ids, ``uncollected`` ids of files, ``tests`` with the result of each
by its id, and ``exit``, the exit status. ``HISTORY_INTERRUPT=N`` interrupts the session before its test N as Ctrl-C
does, ``HISTORY_DESELECT=N`` deselects each Nth test as a plugin does that selects what has to run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


class Recorder:
    """The hooks of one session."""

    def __init__(self, file: Path, interrupt: int, deselect: int) -> None:
        self.file, self.interrupt, self.deselect = file, interrupt, deselect
        self.begun = 0
        self.collected: list[str] = []
        self.deselected: list[str] = []
        self.uncollected: list[str] = []
        self.items: dict[str, pytest.Item] = {}
        self.tests: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect what was asked for."""
        if self.deselect:
            left_out = items[:: self.deselect]
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note what is left out."""
        self.deselected += [item.nodeid for item in items]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what cannot be collected."""
        if report.failed:
            self.uncollected.append(report.nodeid)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is to run."""
        self.items = {item.nodeid: item for item in session.items}
        self.collected = list(self.items)

    def pytest_runtest_logstart(self) -> None:
        """Interrupt the session where that was asked for."""
        self.begun += 1
        if self.begun == self.interrupt:
            raise KeyboardInterrupt

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase to its test: one that fails decides, then one that is skipped."""
        if report.outcome not in {"passed", "failed", "skipped"}:
            return
        test = self.tests.setdefault(report.nodeid, {"outcome": "passed", "seconds": 0.0, **self._what(report.nodeid)})
        if report.failed or (report.skipped and test["outcome"] == "passed"):
            test["outcome"] = report.outcome
        test["seconds"] += report.duration

    def _what(self, nodeid: str) -> dict[str, Any]:
        """Return place, name without parameters and values of parameters."""
        inside = nodeid.partition("::")[2]
        item = self.items.get(nodeid)
        if item is None:
            return {"file": nodeid.partition("::")[0], "line": None, "inside": inside, "function": inside, "params": {}}
        file, line, _ = item.location
        callspec = getattr(item, "callspec", None)
        params = {name: repr(value) for name, value in callspec.params.items()} if callspec is not None else {}
        function = inside.partition("[")[0] if callspec is not None else inside
        return {"file": file, "line": line, "inside": inside, "function": function, "params": params}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the file."""
        names = ("collected", "deselected", "uncollected", "tests")
        record = {name: getattr(self, name) for name in names} | {"exit": int(exitstatus)}
        self.file.write_text(json.dumps(record), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to record; sessions that tests start have no file."""
    file = os.environ.pop("HISTORY_RECORD", None)
    if file is not None:
        asked = (int(os.environ.pop(name, "0")) for name in ("HISTORY_INTERRUPT", "HISTORY_DESELECT"))
        config.pluginmanager.register(Recorder(Path(file), *asked), "history-recorder-of-session")
