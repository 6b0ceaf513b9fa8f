"""Files of browser tests that attach themselves to their attempt (floor 4): what pytest-playwright and Selenium have.

pytest-playwright leaves screenshots, videos and traces in a folder of its own for each attempt, as its options say. Of
a Selenium driver that a failed test has from a fixture a screenshot is taken, while it still shows the failure.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.attachments import attach

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from pytest_automation_report.notes import Notes, Pad

_PACKAGES: Final = ("playwright", "selenium", "appium")
_FOLDER: Final = "output_path"  # pytest-playwright's fixture
_SCREENSHOT: Final = "get_screenshot_as_png"
_PNG: Final = "image/png"


def has_browsers() -> bool:
    """Whether tests of this session drive browsers, as far as their modules show when they have been collected."""
    return any(each in sys.modules for each in _PACKAGES)


class BrowserFiles:
    """Attaches files at the end of phases; registered for sessions with browsers only, since each phase pays for it."""

    def __init__(self, notes: Notes) -> None:
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

    def _attach_screenshots(self, pad: Pad, values: Mapping[str, Any]) -> None:
        """Attach what the drivers among a failed test's fixtures show; one that is gone is told."""
        for name, value in values.items():
            if callable(getattr(type(value), _SCREENSHOT, None)):
                attach(pad, getattr(value, _SCREENSHOT), f"{name}.png", _PNG)


def _attach_folder(pad: Pad, folder: object) -> None:
    """Attach all files of an attempt's folder, those of folders in it, too, in the order of their names."""
    if not isinstance(folder, (str, os.PathLike)):
        return
    for place, folders, names in os.walk(Path(folder)):
        folders.sort()
        for name in sorted(names):
            attach(pad, Path(place, name), name, None)
