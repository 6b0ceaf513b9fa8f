"""What ``record_testsuite_property`` is given, as fields of the run (floor 4).

Pytest itself keeps such properties with ``--junitxml`` only, and of the main process only. Here those of xdist's
workers on this machine count too; equal ones of several workers are one field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.properties import property_field
from pytest_automation_report.records import plain_record
from pytest_automation_report.rules import spelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.rules import Texts


class SuiteProperties:
    """Takes the place of pytest's fixture, which it calls; ``write`` appends a record to this process's file."""

    def __init__(self, write: Callable[[bytes], None], clean: Texts) -> None:
        self._write = write
        self._clean = clean

    @pytest.fixture(scope="session")
    def record_testsuite_property(
        self, record_testsuite_property: Callable[[str, object], None]
    ) -> Callable[[str, object], None]:
        """Record a name and a value for the whole session, in JUnit XML and as a field of the run."""

        def record(name: str, value: object) -> None:
            record_testsuite_property(name, value)
            made = property_field(spelled(name), spelled(value), self._clean)
            self._write(plain_record("property", field=made.body()))

        return record
