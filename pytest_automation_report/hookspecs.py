"""The hooks that this plugin offers; loaded at every start of pytest, so it imports nothing else of ours.

A hook that raises changes no outcome and no exit code: the terminal summary tells it once, and what it would have added
is missing. In a project where this plugin may be absent, mark implementations with ``optionalhook=True``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_automation_report.annotations.hook_values import Additions, RunAdditions, Summary


def pytest_automation_report_describe_run(config: pytest.Config) -> RunAdditions | None:
    """Return what to add to the run, or None.

    Called once, at the session's start, in the main process (with pytest-xdist: the controller, which knows plugins and
    the first conftests only). A run that is joined belongs to another session and gets nothing.
    """


def pytest_automation_report_describe_test(item: pytest.Item, report: pytest.TestReport) -> Additions | None:
    """Return what to add to the result of a test, or None.

    Called at the teardown of each attempt, with the report of the teardown, in the process that runs the test; the
    conftests of the test's own folders count.
    """


@pytest.hookspec(firstresult=True)
def pytest_automation_report_publish_artifact(path: Path) -> str | None:
    """Return the web address (http or https) under which a file can be read from now on, or None.

    Called when a test adds a file, in the process that runs the test; the first address counts. What a test gives as
    bytes is a file for the time of the call.
    """


def pytest_automation_report_finished(config: pytest.Config, summary: Summary) -> None:
    """Take note of what became of the session's results.

    Called once in the main process, when pytest has waited for the delivery and before the terminal summary.
    """
