"""Hooks of pytest that add to results by other ways than the functions: users' hooks, and files of browser tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.guards import Hooks, guarded
from pytest_automation_report.recording.collector import DESCRIBE_TEST
from pytest_automation_report.recording.functions import attach, current_attempt
from pytest_automation_report.recording.hooks import annotations_from, files_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from pytest_automation_report.guards import InternalErrors
    from pytest_automation_report.recording.collector import AnnotationCollector
    from pytest_automation_report.recording.functions import AttemptAnnotations


_FOLDER: Final = "output_path"  # pytest-playwright's fixture
_SCREENSHOT: Final = "get_screenshot_as_png"


class AnnotationHooks(Hooks):
    """Calls users' hooks that describe a test, and attaches files of browser tests to their attempts.

    pytest-playwright stores screenshots, videos and traces of an attempt in a separate folder, as its options say. From
    a Selenium driver among the fixtures of a failed test a screenshot is taken, while it still shows the failure.

    Only sessions that need one of the two register these hooks: they cost time at every phase of every test.
    """

    def __init__(
        self,
        collector: AnnotationCollector,
        internal_errors: InternalErrors,
        *,
        is_describing: bool,
        has_browsers: bool,
    ) -> None:
        self.internal_errors = internal_errors
        self._collector = collector
        self._is_describing = is_describing
        self._has_browsers = has_browsers

    # A wrapper, tryfirst: all other plugins have changed the report when this hook continues, and pytest-playwright has
    # stored the files of the phase. At the teardown's report the values of fixtures can still be read from the item.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the values of users' hooks and the attempt's folder at the teardown, screenshots after a failure."""
        report = yield
        attempt = current_attempt(self._collector)
        if attempt is not None and self._is_describing and call.when == "teardown":
            self._describe(attempt, item, report)
        values: Mapping[str, Any] | None = getattr(item, "funcargs", None)
        if attempt is not None and self._has_browsers and values:
            try:
                if call.when == "teardown":
                    _attach_folder(attempt, values.get(_FOLDER))
                elif report.failed:
                    for name, value in values.items():
                        # A driver that is closed is an error of the user.
                        if callable(getattr(type(value), _SCREENSHOT, None)):
                            attach(attempt, getattr(value, _SCREENSHOT), f"{name}.png", "image/png")
            except Exception as error:  # noqa: BLE001 - fixtures are users' objects; a report without pictures is still a report
                self._collector.user_errors.add(f"files of the browser are left out: {type(error).__name__}: {error}")
        return report

    def _describe(self, attempt: AttemptAnnotations, item: pytest.Item, report: pytest.TestReport) -> None:
        errors = self._collector.user_errors
        returned = errors.call(DESCRIBE_TEST, getattr(item.ihook, DESCRIBE_TEST), item=item, report=report) or ()
        # The hook nearest to the test returns first; reversed, its key and folder win, since the last ones do.
        for value in reversed(returned):
            annotations = errors.validated(DESCRIBE_TEST, annotations_from, value, self._collector.cleaner)
            if annotations is not None:
                attempt.hook_annotations.append(annotations)
                for file in files_of(value):
                    attach(attempt, file.content, file.name, file.mime_type)


def _attach_folder(attempt: AttemptAnnotations, folder: object) -> None:
    """Attach all files of an attempt's folder and of the folders in it, in the order of their names."""
    if not isinstance(folder, (str, os.PathLike)):
        return
    for parent, subfolders, names in os.walk(Path(folder)):
        subfolders.sort()  # In place: `os.walk` descends in this order.
        for name in sorted(names):
            attach(attempt, Path(parent, name), name, None)
