"""What users' hooks and markers add to a test, taken at the end of each attempt, in the test's process.

These hooks of pytest are registered where they are needed only: each costs time at every phase of every test.

Send the values of ``record_testsuite_property`` as fields of the run.

Pytest itself keeps such properties with ``--junitxml`` only, and of the main process only. Here those of xdist's
workers on this machine count too; equal ones of several workers are one field.

This module is registered as a plugin, in sessions that are reported only. Its fixture is a function of the module,
since pytest 9.2 warns of session fixtures that are methods of an object.

Files of browser tests that attach themselves to their attempt: what pytest-playwright and Selenium have.

pytest-playwright leaves screenshots, videos and traces in a folder of its own for each attempt, as its options say. Of
a Selenium driver that a failed test has from a fixture a screenshot is taken, while it still shows the failure.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.annotations.artifacts import attach
from pytest_automation_report.annotations.user_hooks import DESCRIBE_TEST, added_to_test, files_of
from pytest_automation_report.recording.annotations import merged
from pytest_automation_report.recording.fields import property_field
from pytest_automation_report.spool.records import plain_record
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from pytest_automation_report.annotations.collector import AnnotationCollector, AttemptAnnotations
    from pytest_automation_report.annotations.markers import Markers
    from pytest_automation_report.recording.annotations import Annotations
    from pytest_automation_report.text.redaction import TextCleaner


def is_described(config: pytest.Config) -> bool:
    """Whether any hook describes tests."""
    return bool(getattr(config.hook, DESCRIBE_TEST).get_hookimpls())


def describe(notes: AnnotationCollector, item: pytest.Item, report: pytest.TestReport) -> None:
    """Ask the hooks of the test's folders what to add to the attempt that ends."""
    pad = notes.pad()
    if pad is None:
        return
    hook = getattr(item.ihook, DESCRIBE_TEST)
    answers = notes.troubles.ask(DESCRIBE_TEST, lambda: hook(item=item, report=report)) or ()
    for answer in reversed(answers):  # the hook nearest to the test answers first, and its key is to count
        added = notes.troubles.checked(DESCRIBE_TEST, added_to_test, answer, notes.cleaner)
        if added is not None:
            pad.described.append(added)
            for each in files_of(answer):
                attach(pad, each.content, each.name, each.mime_type)


def with_markers(
    added: Sequence[Annotations | None], markers: Markers, item: pytest.Item | None
) -> Sequence[Annotations | None]:
    """Return what an attempt adds, with what its test's markers add in front."""
    marked = None if item is None else markers.added(item)
    return added if marked is None else [*added[:-1], merged([marked, *added[-1:]])]


class Describing:
    """Asks the hooks at each teardown."""

    def __init__(self, notes: AnnotationCollector) -> None:
        self._notes = notes

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Describe the test while its fixtures' values can still be read."""
        report = yield
        if call.when == "teardown":
            describe(self._notes, item, report)
        return report


_RECORDER: Final = "automation-report-suite-properties"


class SuiteProperties:
    """Write suite properties of one process to its spool file; ``write`` appends a record."""

    def __init__(self, write: Callable[[bytes], None], cleaner: TextCleaner) -> None:
        self._write = write
        self._cleaner = cleaner

    def watch(self, config: pytest.Config) -> None:
        """Replace pytest's fixture in this session, unless pytest's plugin that has it is switched off."""
        if config.pluginmanager.has_plugin("junitxml"):
            config.pluginmanager.register(self, _RECORDER)
            # Not `import_plugin`: pytest before 9.2 warns that the module is imported already.
            config.pluginmanager.register(sys.modules[__name__], __name__)

    def record(self, name: str, value: object) -> None:
        """Write one property."""
        made = property_field(safe_str(name), safe_str(value), self._cleaner)
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


_PACKAGES: Final = ("playwright", "selenium", "appium")
_FOLDER: Final = "output_path"  # pytest-playwright's fixture
_SCREENSHOT: Final = "get_screenshot_as_png"
_PNG: Final = "image/png"


def has_browsers() -> bool:
    """Whether tests of this session drive browsers, as far as their modules show when they have been collected."""
    return any(each in sys.modules for each in _PACKAGES)


class BrowserFiles:
    """Attaches files at the end of phases; registered for sessions with browsers only, since each phase pays for it."""

    def __init__(self, notes: AnnotationCollector) -> None:
        self._notes = notes

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach what there is when all others, pytest-playwright too, are done with the phase."""
        report = yield
        pad = self._notes.pad()
        values: Mapping[str, Any] | None = getattr(item, "funcargs", None)
        if pad is not None and values:
            try:
                if call.when == "teardown":
                    _attach_folder(pad, values.get(_FOLDER))
                elif report.failed:
                    self._attach_screenshots(pad, values)
            except Exception as error:  # noqa: BLE001 - fixtures are users' objects; a report is more than its pictures
                self._notes.troubles.add(f"files of the browser are left out: {type(error).__name__}: {error}")
        return report

    def _attach_screenshots(self, pad: AttemptAnnotations, values: Mapping[str, Any]) -> None:
        """Attach what the drivers among a failed test's fixtures show; one that is gone is told."""
        for name, value in values.items():
            if callable(getattr(type(value), _SCREENSHOT, None)):
                attach(pad, getattr(value, _SCREENSHOT), f"{name}.png", _PNG)


def _attach_folder(pad: AttemptAnnotations, folder: object) -> None:
    """Attach all files of an attempt's folder, those of folders in it, too, in the order of their names."""
    if not isinstance(folder, (str, os.PathLike)):
        return
    for place, folders, names in os.walk(Path(folder)):
        folders.sort()
        for name in sorted(names):
            attach(pad, Path(place, name), name, None)
