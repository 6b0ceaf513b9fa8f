"""What the plugin offers to tests by its mere presence, for sessions under ``-p no:automation-report``."""

import pytest

from pytest_automation_report.recording.functions import running_report


def pytest_configure(config):
    for name in ("field", "link", "artifact", "case", "issue"):
        config.addinivalue_line("markers", f"automation_report_{name}: a marker of the plugin's")


@pytest.fixture
def automation_report():
    return running_report(None)
