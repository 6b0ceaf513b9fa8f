"""Keep failures that a file names as known out of pytest's exit code, until the day that the file says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.api.models import KNOWN_FIELD, PAST_FIELD
from pytest_automation_report.errors import SettingError
from pytest_automation_report.findings.known import (
    KnownFailure,
    KnownTests,
    known_failures,
    known_text,
    meant,
)
from pytest_automation_report.guards import InternalErrors, guarded
from pytest_automation_report.recording.phases import is_subtest
from pytest_automation_report.session.collection import CollectionHooks, nodeids_of, prefix_of
from pytest_automation_report.settings.resolver import read_pytest_settings
from pytest_automation_report.settings.settings import setting_of
from pytest_automation_report.spool.records import identity_of
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence


_MARK: Final = "automation_report_known"  # attribute of the report of a known failure
_SHOWN: Final = 5


def known_file(config: pytest.Config, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return name and text of the file of known failures, None without one; raises `SettingError`."""
    raw = read_pytest_settings(config, environ, (setting_of("known"),)).get("known")
    if raw is None:
        return None
    name = str(raw.value)
    try:
        return name, known_text(config.rootpath / Path(name).expanduser())
    except (OSError, ValueError) as error:
        reason = str((isinstance(error, OSError) and error.strerror) or error)
        raise SettingError(raw.origin, name, "correct the file, or its name", reason=f"{name}: {reason}") from error


class KnownFailureHooks(CollectionHooks):
    """Marks the failures of known tests where they run; where they are counted, pytest does not count them."""

    key = "automation_report_known"

    def __init__(self, file: tuple[str, str], internal_errors: InternalErrors) -> None:
        self.internal_errors = internal_errors
        self.sent = file
        self.found: Sequence[str] = ()  # warnings
        self._entries = known_failures(file[1])
        self._past = {entry.line for entry in self._entries if entry.is_past}
        self._tests: dict[str, KnownFailure] = {}
        self._session: pytest.Session | None = None
        self._collected: list[pytest.Item] = []
        self._is_marked = False  # whether the running attempt has its field
        self._excused: dict[str, str] = {}

    @guarded
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the session, which counts failures."""
        self._session = session

    # tryfirst: before a plugin leaves items to other jobs.
    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what was collected: an entry may name a test that another job runs."""
        self._collected = [*items]

    # trylast: other plugins have left out their tests.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Find the collected tests that are known to fail."""
        self._tests = self._named(session.config, session.items, self._entries)
        found = {entry.line for entry in self._tests.values()}
        past = [entry for entry in self._entries if entry.line in self._past & found]
        unknown = [entry for entry in self._entries if entry.line not in found]
        elsewhere = self._named(session.config, self._collected, unknown).values() if unknown else ()
        unknown = [entry for entry in unknown if entry not in elsewhere]
        self.found = [
            f"{self.sent[0]}:{entry.line}: {entry.test} was known until {entry.until}: its failure counts again"
            for entry in past
        ] + (_unknown_lines(unknown, session, self._collected, self.sent[0]) if unknown else [])
        self._collected.clear()

    def _named(
        self, config: pytest.Config, items: Sequence[pytest.Item], entries: Sequence[KnownFailure]
    ) -> dict[str, KnownFailure]:
        """Return the entries that name one of these tests, by its node id."""
        known, prefix, named = KnownTests(entries), "", dict[str, KnownFailure]()
        if known.has_keys:
            setting = setting_of("folder_prefix")
            given = read_pytest_settings(config, os.environ, (setting,)).get(setting.name)
            prefix = prefix_of(config, str(given.value) if given else "")
        for item, nodeid in zip(items, nodeids_of(config, items), strict=True):
            entry = known.of(nodeid, *([identity_of(nodeid, prefix=prefix).key] if known.has_keys else []))
            if entry is not None:
                named[item.nodeid] = entry
        return named

    # Outermost: what other plugins make of the outcome is there.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark the report of a known failure."""
        report = yield
        if call.when == "setup":
            self._is_marked = False
        entry = self._tests.get(item.nodeid)
        # Without an exception it is an xfail of the test's own that has passed.
        if entry is None or not report.failed or call.excinfo is None or _is_of_others(call.excinfo.value):
            return report
        is_past = entry.line in self._past
        if not is_past:
            setattr(report, _MARK, entry.text)
        if not self._is_marked:
            self._is_marked = True
            item.user_properties.append((PAST_FIELD if is_past else KNOWN_FIELD, entry.text))
        report.user_properties = [*item.user_properties]
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Take a known failure out of the counts by which pytest, and xdist's controller, end a session."""
        if report.failed and (known := getattr(report, _MARK, "")):
            self._excused[report.nodeid] = known
            if self._session is not None:
                self._session.testsfailed -= 1
                controller: Any = self._session.config.pluginmanager.get_plugin("dsession")
                if controller is not None:
                    controller.countfailures -= 1
        return (yield)

    # tryfirst: it would be a failure for pytest.
    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Name a known failure in pytest's output."""
        # pytest makes a failure of the call after its subtests, here and after the counts.
        is_of_subtests = report.passed and report.when == "call" and report.nodeid in self._excused
        if (report.failed and hasattr(report, _MARK)) or (is_of_subtests and not is_subtest(report)):
            return "known", "k", ("KNOWN", {"yellow": True})
        return None

    @property
    def lines(self) -> list[str]:
        """The failures that pytest's exit code does not count, and what is wrong with the file."""
        if not self._excused:
            return [*self.found]
        names = [f"{nodeid} (until {known})" for nodeid, known in [*self._excused.items()][:_SHOWN]]
        more = len(self._excused) - _SHOWN
        failures = quantity(len(self._excused), "known failure")
        verb = "does" if len(self._excused) == 1 else "do"
        listed = ", ".join([*names, *([f"{more} more"] if more > 0 else [])])
        return [f"{failures} of {self.sent[0]} {verb} not count: {listed}", *self.found]


def _is_of_others(error: BaseException) -> bool:
    """Whether a fixture that tests share has failed: its error is no test's own."""
    if any(map(_is_of_others, getattr(error, "exceptions", ()))):
        return True
    trace = error.__traceback__
    while trace is not None:
        fixture = trace.tb_frame.f_locals.get("self")
        if isinstance(fixture, pytest.FixtureDef) and fixture.scope != "function":
            return True
        trace = trace.tb_next
    return False


def _unknown_lines(
    entries: Sequence[KnownFailure], session: pytest.Session, items: Sequence[pytest.Item], file: str
) -> list[str]:
    """Return a line for each entry that names no test, if the session collected the whole suite."""
    from pytest_automation_report.session.run import selection_of  # noqa: PLC0415 - only for mistakes

    if session.testsfailed or selection_of(session.config):
        return []
    names = [item.nodeid for item in items]
    return [
        f"{file}:{entry.line}: no test is named {entry.test}{meant(entry.test, names)}" for entry in entries[:_SHOWN]
    ]
