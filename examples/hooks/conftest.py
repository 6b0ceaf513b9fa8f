"""All four hooks in one file, for the root folder of a project: docs/hooks.md explains each."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pytest_automation_report import Additions, Field, Link, RunAdditions, Summary


@pytest.hookimpl(optionalhook=True)
def pytest_automation_report_describe_run(config: pytest.Config) -> RunAdditions:
    """Add to the run: name, tags, fields, links, artifacts."""
    return RunAdditions(tags=["nightly"], links=[Link("pipeline", os.environ["PIPELINE_URL"])])


@pytest.hookimpl(optionalhook=True)
def pytest_automation_report_describe_test(item: pytest.Item, report: pytest.TestReport) -> Additions:
    """Add to a result: key, folder, fields, artifacts. Called at the teardown of each attempt."""
    return Additions(fields=[Field("fixtures", ", ".join(getattr(item, "fixturenames", [])))])


@pytest.hookimpl(optionalhook=True)
def pytest_automation_report_publish_artifact(path: Path) -> str | None:
    """Return the web address of a file, once it is there."""
    shutil.copy(path, os.environ["SHARED_FOLDER"])
    return f"https://files.example.com/{path.name}"


@pytest.hookimpl(optionalhook=True)
def pytest_automation_report_finished(config: pytest.Config, summary: Summary) -> None:
    """Use what became of the session."""
    Path("report.txt").write_text(f"{summary.delivered} delivered, see {summary.url}")
