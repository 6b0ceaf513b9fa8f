"""Hooks of pytest that collect annotations by other ways than the functions, in each process that runs tests.

Users' hooks describe a test at its end (`DescribeHooks`), ``record_testsuite_property`` adds to the run
(`SuiteProperties`), and files of browser tests attach themselves (`BrowserFiles`). Each is registered only in sessions
that need it, since a hook costs time at every phase of every test.

This module itself is registered as a plugin for its fixture, in reported sessions only. The fixture is a function of
the module because pytest 9.2 warns of session fixtures that are methods of an object.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.guards import Hooks, guarded
from pytest_automation_report.recording.fields import property_field
from pytest_automation_report.recording.files import attach
from pytest_automation_report.recording.functions import HOOKS
from pytest_automation_report.recording.hooks import DESCRIBE_TEST, annotations_from, files_of
from pytest_automation_report.recording.steps import merged
from pytest_automation_report.spool.records import PropertyRecord
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from pytest_automation_report.guards import InternalErrors
    from pytest_automation_report.recording.collector import AnnotationCollector, AttemptAnnotations
    from pytest_automation_report.recording.markers import Markers
    from pytest_automation_report.recording.steps import Annotations
    from pytest_automation_report.text.redaction import TextCleaner


def __dir__() -> list[str]:
    """Name the fixture alone, for the reason that `guards.Hooks` has."""
    return ["record_testsuite_property"]


def has_describe_hooks(config: pytest.Config) -> bool:
    """Whether any user's hook describes tests."""
    return bool(getattr(config.hook, DESCRIBE_TEST).get_hookimpls())


def with_markers(
    annotations: Sequence[Annotations | None], markers: Markers, item: pytest.Item | None
) -> Sequence[Annotations | None]:
    """Return the annotations of each attempt, with those of the test's markers before the last attempt's."""
    of_markers = None if item is None else markers.added(item)
    return annotations if of_markers is None else [*annotations[:-1], merged([of_markers, *annotations[-1:]])]


class DescribeHooks(Hooks):
    """Calls users' hooks that describe a test, at each teardown."""

    def __init__(self, collector: AnnotationCollector, internal_errors: InternalErrors) -> None:
        self.internal_errors = internal_errors
        self._collector = collector

    # A wrapper, tryfirst: all other plugins have changed the report when this hook continues. At the teardown's report
    # the values of fixtures can still be read from the item.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the hooks' values to the attempt that ends."""
        report = yield
        if call.when == "teardown":
            self._describe(item, report)
        return report

    def _describe(self, item: pytest.Item, report: pytest.TestReport) -> None:
        attempt, errors = self._collector.current_attempt(), self._collector.user_errors
        if attempt is None:
            return
        returned = errors.call(DESCRIBE_TEST, getattr(item.ihook, DESCRIBE_TEST), item=item, report=report) or ()
        # The hook nearest to the test returns first; reversed, its key and folder win, since the last ones do.
        for value in reversed(returned):
            annotations = errors.validated(DESCRIBE_TEST, annotations_from, value, self._collector.cleaner)
            if annotations is not None:
                attempt.hook_annotations.append(annotations)
                for file in files_of(value):
                    attach(attempt, file.content, file.name, file.mime_type)


class SuiteProperties:
    """Sends the values of ``record_testsuite_property`` as fields of the run; ``write`` appends a record to the spool.

    pytest itself stores such properties with ``--junitxml`` only, and only those of the main process. Here the ones of
    xdist's workers on this host count, too; equal ones of several workers become one field.
    """

    def __init__(self, write: Callable[[bytes], None], cleaner: TextCleaner) -> None:
        self._write = write
        self._cleaner = cleaner

    def watch(self, config: pytest.Config) -> None:
        """Replace pytest's fixture in this session, unless the plugin with pytest's fixture is switched off."""
        if config.pluginmanager.has_plugin("junitxml"):
            # Not `import_plugin`: pytest before 9.2 warns that the module is imported already.
            config.pluginmanager.register(sys.modules[__name__], __name__)

    def record(self, name: str, value: object) -> None:
        """Write one property."""
        field = property_field(safe_str(name), safe_str(value), self._cleaner)
        self._write(PropertyRecord(field).framed())


@pytest.fixture(scope="session")
def record_testsuite_property(
    request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]
) -> Callable[[str, object], None]:
    """Record a name and a value for the whole session, in JUnit XML and as a field of the run."""
    # The hooks that have registered this module, too.
    properties: SuiteProperties = getattr(request.config.pluginmanager.get_plugin(HOOKS), "properties")  # noqa: B009 - any plugin

    def record(name: str, value: object) -> None:
        record_testsuite_property(name, value)
        properties.record(name, value)

    return record


_PACKAGES: Final = ("playwright", "selenium", "appium")
_FOLDER: Final = "output_path"  # pytest-playwright's fixture
_SCREENSHOT: Final = "get_screenshot_as_png"
_PNG: Final = "image/png"


def has_browsers() -> bool:
    """Whether a package that drives browsers is loaded; test modules have imported it when they are collected."""
    return any(package in sys.modules for package in _PACKAGES)


class BrowserFiles(Hooks):
    """Attaches files of browser tests to their attempts.

    pytest-playwright stores screenshots, videos and traces of an attempt in a separate folder, as its options say. From
    a Selenium driver among the fixtures of a failed test a screenshot is taken, while it still shows the failure.
    """

    def __init__(self, collector: AnnotationCollector, internal_errors: InternalErrors) -> None:
        self.internal_errors = internal_errors
        self._collector = collector

    # A wrapper, tryfirst: pytest-playwright has stored the files of the phase when this hook continues.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the attempt's folder at the teardown, and screenshots after a phase that failed."""
        report = yield
        attempt = self._collector.current_attempt()
        values: Mapping[str, Any] | None = getattr(item, "funcargs", None)
        if attempt is not None and values:
            try:
                if call.when == "teardown":
                    _attach_folder(attempt, values.get(_FOLDER))
                elif report.failed:
                    self._attach_screenshots(attempt, values)
            except Exception as error:  # noqa: BLE001 - fixtures are users' objects; a report without pictures is still a report
                self._collector.user_errors.add(f"files of the browser are left out: {type(error).__name__}: {error}")
        return report

    def _attach_screenshots(self, attempt: AttemptAnnotations, values: Mapping[str, Any]) -> None:
        """Attach a screenshot of each driver among the fixtures; one that is closed is an error of the user."""
        for name, value in values.items():
            if callable(getattr(type(value), _SCREENSHOT, None)):
                attach(attempt, getattr(value, _SCREENSHOT), f"{name}.png", _PNG)


def _attach_folder(attempt: AttemptAnnotations, folder: object) -> None:
    """Attach all files of an attempt's folder and of the folders in it, in the order of their names."""
    if not isinstance(folder, (str, os.PathLike)):
        return
    for parent, subfolders, names in os.walk(Path(folder)):
        subfolders.sort()  # In place: `os.walk` descends in this order.
        for name in sorted(names):
            attach(attempt, Path(parent, name), name, None)
