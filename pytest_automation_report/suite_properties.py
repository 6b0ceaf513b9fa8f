"""Send the values of ``record_testsuite_property`` as fields of the run (floor 4).

Pytest itself keeps such properties with ``--junitxml`` only, and of the main process only. Here those of xdist's
workers on this machine count too; equal ones of several workers are one field.

This module is registered as a plugin, in sessions that are reported only. Its fixture is a function of the module,
since pytest 9.2 warns of session fixtures that are methods of an object.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import pytest

from pytest_automation_report.properties import property_field
from pytest_automation_report.records import plain_record
from pytest_automation_report.rules import spelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.rules import Texts

_RECORDER: Final = "automation-report-suite-properties"


class SuiteProperties:
    """Write suite properties of one process to its spool file; ``write`` appends a record."""

    def __init__(self, write: Callable[[bytes], None], clean: Texts) -> None:
        self._write = write
        self._clean = clean

    def watch(self, config: pytest.Config) -> None:
        """Replace pytest's fixture in this session, unless pytest's plugin that has it is switched off."""
        if config.pluginmanager.has_plugin("junitxml"):
            config.pluginmanager.register(self, _RECORDER)
            # Not `import_plugin`: pytest before 9.2 warns that the module is imported already.
            config.pluginmanager.register(sys.modules[__name__], __name__)

    def record(self, name: str, value: object) -> None:
        """Write one property."""
        made = property_field(spelled(name), spelled(value), self._clean)
        self._write(plain_record("property", field=made.body()))


@pytest.fixture(scope="session")
def record_testsuite_property(
    request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]
) -> Callable[[str, object], None]:
    """Record a name and a value for the whole session, in JUnit XML and as a field of the run."""
    properties = request.config.pluginmanager.get_plugin(_RECORDER)
    assert isinstance(properties, SuiteProperties)  # registered with this module

    def record(name: str, value: object) -> None:
        record_testsuite_property(name, value)
        properties.record(name, value)

    return record
