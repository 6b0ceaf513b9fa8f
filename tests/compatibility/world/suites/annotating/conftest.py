from pathlib import Path

import pytest

from pytest_automation_report import Additions, Artifact, Field, Link, RunAdditions

pytest_plugins = ["pytest_automation_report.testing"]


def pytest_configure(config):
    if not config.pluginmanager.hasplugin("automation-report"):
        config.pluginmanager.import_plugin("without_plugin")


@pytest.hookimpl(optionalhook=True)
def pytest_automation_report_describe_run(config):
    artifacts = [Artifact("log", "https://example.org/log")]
    return RunAdditions(
        tags=["blue"],
        fields=[Field("branch", "main")],
        links=[Link("job", "https://example.org/job")],
        artifacts=artifacts,
    )


@pytest.hookimpl(optionalhook=True)
def pytest_automation_report_describe_test(item, report):
    return Additions(fields=[Field("line", item.name)])


@pytest.hookimpl(optionalhook=True)
def pytest_automation_report_publish_artifact(path):
    return f"https://files.example.org/{path.name}" if path.suffix == ".txt" else None


@pytest.hookimpl(optionalhook=True)
def pytest_automation_report_finished(config, summary):
    Path("summary.txt").write_text(str(summary))


@pytest.fixture(scope="session", autouse=True)
def properties(record_testsuite_property):
    record_testsuite_property("cluster", "blue")
