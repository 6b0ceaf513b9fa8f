"""Run only the tests that failed in an earlier run, and keep known failures out of pytest's exit code.

Known failures stand in a file, each with its last day.
"""

from __future__ import annotations

import os
import re
import shlex
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.api.models import KNOWN_FIELD, PAST_FIELD
from pytest_automation_report.delivery.launch import LaunchError
from pytest_automation_report.errors import SettingError
from pytest_automation_report.findings.known import (
    KnownFailure,
    KnownTests,
    find_moved,
    known_failures,
    known_text,
    meant,
    names_fixture,
)
from pytest_automation_report.guards import Errors, guarded
from pytest_automation_report.recording.phases import KNOWN_MARK, is_subtest
from pytest_automation_report.recording.recorder import (
    FixtureFailure,
    describe_fixture,
    fixture_name,
    item_fixtures,
    shared_failures,
)
from pytest_automation_report.session.collection import excuse_of, item_nodeids, resolve_prefix
from pytest_automation_report.session.console import CollectionHooks, console_process
from pytest_automation_report.settings.resolver import read_pytest_settings
from pytest_automation_report.settings.settings import find_setting
from pytest_automation_report.spool.records import identify, test_key
from pytest_automation_report.text.limits import listed, quantity
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from pytest_automation_report.settings.settings import Settings

_SHOWN: Final = 5  # names of tests in a line

OPTION: Final = "--automation-report-rerun-failed"
LAST: Final = "last"
ALL: Final = "all"

_SECONDS: Final = 120  # without an answer no test can run, so a slow server gets time
_WHICH: Final = re.compile(r"([0-9]+|last)(?::(new|[0-9a-f]{16}))?|all")


def failed_in(config: pytest.Config, settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the failed tests of the run that the command line names; `pytest.UsageError` if they cannot be read."""
    which = str(config.getoption("automation_report_rerun_failed"))
    match = _WHICH.fullmatch(which)
    if match is None:
        # The option's value is optional, so argparse takes a test path after the option for the value.
        raise pytest.UsageError(
            f"{OPTION}: {which!r} cannot be used: write the id of a run (with ':new' for its new failures), {LAST!r} "
            f"or {ALL!r} after it; if {which!r} are tests to choose from, write {OPTION}={LAST} {shlex.quote(which)}"
        )
    # In CI, without a word, it would be the run of this commit, which has none yet.
    chosen, only = match[1] or LAST, match[2]
    arguments, root = [chosen, *(["--only", only] if only else [])], config.rootpath
    try:
        process = console_process(
            "cli.show.answer_failed", arguments, settings, seconds=_SECONDS, environ=environ, root=root
        )
        printed = process.printed()
    except LaunchError as error:
        raise pytest.UsageError(f"{OPTION}: the failed tests cannot be read: {error}") from error
    prefix = resolve_prefix(config, settings.folder_prefix)
    return {**Unpatched.decode(printed), "prefix": prefix, "is_all_if_none": which == ALL, "only": only}


class RerunFailedHooks(CollectionHooks):
    """Deselects the tests that did not fail, by what `failed_in` returned, in each process that collects.

    If none failed, all tests run with ``is_all_if_none``, and none without it: then the session passes.
    """

    key = "automation_report_rerun"

    def __init__(self, selection: dict[str, Any], internal_errors: Errors) -> None:
        self.internal_errors = internal_errors
        # Not only the option: the last run may be another one when a worker starts.
        self.sent = selection
        run, first = selection["run"], selection["first"]
        self._is_one_run = run == first
        self._runs = f"run {run}" if self._is_one_run else f"runs {first} to {run}"
        self._failed: list[dict[str, str]] = selection["tests"]
        self._is_all: bool = selection["is_all_if_none"] and not self._failed
        self._only: str | None = selection["only"]
        self.found = (), not self._failed

    @guarded
    def pytest_report_header(self) -> str:
        """Return the line with the run and the number of tests to run again."""
        return f"automation report: {self._chosen}"

    @property
    def _chosen(self) -> str:
        """The run and the number of tests to run again."""
        if not self._failed:
            selection = "all tests run" if self._is_all else f"no test runs ({OPTION}={ALL} runs all)"
            none = "no new failures" if self._only else "nothing failed"
            return f"{none} in {self._runs}, so {selection}"
        tests = quantity(len(self._failed), "test")
        if not self._is_one_run:
            return f"running again what failed last in {self._runs}: {tests}"
        which = {None: "failed tests", "new": "new failures"}.get(self._only, "failures for one reason")
        return f"running again the {which} of {self._runs}: {tests}"

    # trylast: xdist's `loadgroup` and other plugins have changed the items before.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the tests that did not fail."""
        if self._is_all:
            return
        nodeids, shared = item_nodeids(config, items), self._fixtures(config, items)
        tests = [test for test in self._failed if test["key"] not in shared]
        chosen, missing = find_failed(tests, nodeids, prefix=self.sent["prefix"])
        chosen |= {*shared.values()}
        deselected = [item for number, item in enumerate(items) if number not in chosen]
        self.found = [*self._lines(len(deselected), missing)], not self._failed
        if deselected:
            config.hook.pytest_deselected(items=deselected)
            items[:] = [item for number, item in enumerate(items) if number in chosen]

    def _fixtures(self, config: pytest.Config, items: Sequence[pytest.Item]) -> dict[str, int]:
        """Return the number of the first test that uses each failed fixture that tests share, by its key."""
        wanted = {test["key"] for test in self._failed if names_fixture(test["name"])}
        found: dict[str, int] = {}
        for number, item in enumerate(items if wanted else ()):
            for fixture in item_fixtures(item, config.rootpath):
                if fixture.key in wanted:
                    found.setdefault(fixture.key, number)
        return found

    def _lines(self, deselected: int, missing: list[str]) -> Iterator[str]:
        """Yield the number of deselected tests, and the failed ones that are not there."""
        if not self._failed:
            yield self._chosen
            return
        others = "were not chosen" if self._only else f"did not fail{'' if self._is_one_run else ' last'}"
        yield f"{quantity(deselected, 'test')} deselected that {others} in {self._runs}"
        if missing:
            names = listed(missing[:_SHOWN], len(missing))
            yield f"{quantity(len(missing), 'test')} that failed in {self._runs} not collected: {names}"


def find_failed(
    failed: Iterable[Mapping[str, str]], nodeids: Sequence[str], *, prefix: str
) -> tuple[set[int], list[str]]:
    """Return the numbers of the tests that failed, and the names of failed tests that are not there.

    A module that could not be collected stands for all of its tests. A test whose key a hook has set is found by its
    folder and name, and where the folder is the hook's, too, by its name: rather one test too many than one too few.
    """
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, nodeid in enumerate(nodeids):
        test, module = (identify(name, prefix=prefix) for name in (nodeid, nodeid.partition("::")[0]))
        for place in {(test.key,), (module.key,), (test.folder, test.name), ("", test.name, "")}:
            places[place].append(number)
    found: set[int] = set()
    missing: list[str] = []
    for test_values in failed:
        key, folder, name = test_values["key"], test_values["folder"], test_values["name"]
        numbers = places.get((key,), [])
        if not numbers and key != test_key(folder, name):
            numbers = places.get((folder, name)) or places.get(("", name, "")) or []
        found.update(numbers)
        if not numbers:
            missing.append(f"{folder}.{name}")
    return found, missing


def known_file(config: pytest.Config, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return name and text of the file of known failures, None without one; raises `SettingError`."""
    raw = read_pytest_settings(config, environ, (find_setting("known"),)).get("known")
    if raw is None:
        return None
    name = str(raw.value)
    try:
        return name, known_text(config.rootpath / Path(name).expanduser())
    except ValueError as error:
        raise SettingError(raw.origin, name, str(error), reason=name) from error


class KnownFailureHooks(CollectionHooks):
    """Marks the failures of known tests where they run; where they are counted, pytest does not count them."""

    key = "automation_report_known"

    def __init__(self, file: tuple[str, str], internal_errors: Errors) -> None:
        self.internal_errors = internal_errors
        self.sent = file
        self._known = KnownTests(known_failures(file[1]))
        self._prefix = ""
        self._session: pytest.Session | None = None
        self._former: dict[str, str] = {}  # earlier names of moved tests, as entries have them
        self._is_marked = False  # whether the running attempt has its field
        self._excused: dict[str, str] = {}  # by node id until when they are known
        self._past: dict[str, None] = {}  # lines

    @guarded
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the session, which counts failures."""
        self._session = session
        if self._known.has_keys:
            setting = find_setting("folder_prefix")
            given = read_pytest_settings(session.config, os.environ, (setting,)).get(setting.name)
            self._prefix = resolve_prefix(session.config, str(given.value) if given else "")

    # tryfirst: before a plugin leaves items to other jobs. An entry may name a test that another job runs.
    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Find the entries that name no test, if the whole suite was collected."""
        named = {entry for item in items for entry in self._known.matching(*self._names(item))}
        unknown = [entry for entry in self._known.entries if entry not in named and not names_fixture(entry.test)]
        if not unknown:
            return
        from pytest_automation_report.session.run import typed_selection  # noqa: PLC0415 - only for mistakes

        if not (session.testsfailed or typed_selection(config)):
            names = item_nodeids(config, items)
            moved = find_moved(unknown, names, lambda path: (config.rootpath / path).exists())
            # An entry of its own says more than one of the test's earlier name.
            self._former = {name: entry.test for entry, name in moved.items() if not self._known.matching(name)}
            lines = [f"{self.sent[0]}:{entry.line}: {self._unknown(entry, moved, names)}" for entry in unknown[:_SHOWN]]
            self.found = lines, False

    def _unknown(self, entry: KnownFailure, moved: Mapping[KnownFailure, str], names: Sequence[str]) -> str:
        """Return what is to be said of an entry that names no test."""
        if entry in moved:
            name = f'"{moved[entry]}"' if " " in moved[entry] else moved[entry]
            return f"{entry.test} was moved: write: until {entry.until} {name} {entry.reason}".rstrip()
        return f"no test is named {entry.test}{meant(entry.test, names)}"

    def _names(self, item: pytest.Item) -> list[str]:
        """Return the node id of a test, that of an entry with its earlier name, and its key if entries have keys."""
        (nodeid,) = item_nodeids(item.config, [item])
        names = [nodeid, *filter(None, [self._former.get(nodeid)])]
        return [*names, identify(nodeid, prefix=self._prefix).key] if self._known.has_keys else names

    # Outermost: what other plugins make of the outcome is there.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark the report of a known failure."""
        report = yield
        self._is_marked &= call.when != "setup"
        # Without an exception it is an xfail of the test's own that has passed.
        if not report.failed or call.excinfo is None:
            return report
        shared, is_own = ([], True) if call.when == "call" else shared_failures(call.excinfo.value)
        if shared:  # their error is no test's own
            if not is_own:
                self._mark_fixtures(report, [self._fixture(item.config, each) for each in shared])
            return report
        entry = self._known.of(*self._names(item))
        if entry is not None:
            is_past = self._known.is_past(entry)
            setattr(report, KNOWN_MARK, self._mark(entry))
            if not self._is_marked:
                self._is_marked = True
                name = PAST_FIELD if is_past else KNOWN_FIELD
                item.user_properties.append((name, f"{entry.until} {entry.reason}".rstrip()))
            report.user_properties = [*item.user_properties]
        return report

    def _mark(self, entry: KnownFailure) -> dict[str, str]:
        again = f"{entry.test} was known until {entry.until}: its failure counts again"
        is_past = self._known.is_past(entry)
        again = f"{self.sent[0]}:{entry.line}: {again}" if is_past else ""
        return {"until": str(entry.until), "reason": entry.reason, "again": again}

    def _fixture(self, config: pytest.Config, failure: FixtureFailure) -> tuple[str, KnownFailure | None]:
        """Return the name of a shared fixture, and the entry that names it."""
        name = fixture_name(describe_fixture(failure.fixture, failure.function, config.rootpath))
        # Who excuses all tests of a file by a pattern means tests.
        entries = [entry for entry in self._known.matching(name) if names_fixture(entry.test)]
        return name, max(entries, key=lambda entry: entry.line, default=None)

    def _mark_fixtures(self, report: pytest.TestReport, found: Sequence[tuple[str, KnownFailure | None]]) -> None:
        """Mark a report if all the shared fixtures that failed in it are known."""
        entries = [entry for _, entry in found if entry is not None]
        if len(entries) == len(found):
            entry = next((each for each in entries if self._known.is_past(each)), entries[0])
            setattr(report, KNOWN_MARK, {**self._mark(entry), "fixture": ", ".join(name for name, _ in found)})

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Take a known failure out of the counts by which pytest, and xdist's controller, end a session."""
        mark: Mapping[str, str] = getattr(report, KNOWN_MARK, {}) if report.failed else {}
        if mark and mark["again"]:
            self._past[mark["again"]] = None
        elif mark:
            self._excused[mark.get("fixture", report.nodeid)] = excuse_of(report)
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
        if (report.failed and excuse_of(report)) or (is_of_subtests and not is_subtest(report)):
            return "known", "k", ("KNOWN", {"yellow": True})
        return None

    @property
    def lines(self) -> list[str]:
        """The failures that pytest's exit code does not count, and what is wrong with the file."""
        if not self._excused:
            return [*self._past, *self.found[0]]
        names = [f"{nodeid} (until {known})" for nodeid, known in [*self._excused.items()][:_SHOWN]]
        failures = quantity(len(self._excused), "known failure")
        verb = "does" if len(self._excused) == 1 else "do"
        line = f"{failures} of {self.sent[0]} {verb} not count: {listed(names, len(self._excused))}"
        return [line, *self._past, *self.found[0]]
