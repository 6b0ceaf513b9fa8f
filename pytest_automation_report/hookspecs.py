"""Specify the hooks that projects and plugins can implement.

pytest loads this module at every start, so it imports nothing else of the package. A hook that raises changes no
outcome and no exit code: the terminal summary reports it once, and its additions are missing. In a project where this
plugin may be absent, mark implementations with ``optionalhook=True``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_automation_report.recording.hooks import Additions, RunAdditions, Summary


def pytest_automation_report_describe_run(config: pytest.Config) -> RunAdditions | None:
    """Return additions to the run, or None.

    Called once, at the session's start, in the main process (with pytest-xdist: the controller, which knows plugins and
    the first conftests only). A run that the session joins belongs to another session: nothing is added to it.
    """


def pytest_automation_report_describe_test(item: pytest.Item, report: pytest.TestReport) -> Additions | None:
    """Return additions to the result of a test, or None.

    Called at the teardown of each attempt, with the report of the teardown, in the process that runs the test; the
    conftests of the test's folders are called.
    """


@pytest.hookspec(firstresult=True)
def pytest_automation_report_publish_artifact(path: Path) -> str | None:
    """Publish a file and return its web address (http or https), or None.

    Called when a test adds a file, in the process that runs the test; the first address counts. Bytes that a test adds
    are a temporary file during the call.
    """


def pytest_automation_report_finished(config: pytest.Config, summary: Summary) -> None:
    """Use the outcome of the delivery: the counts of the session's results and the run's address.

    Called once in the main process, after pytest has waited for the delivery and before the terminal summary.
    """
