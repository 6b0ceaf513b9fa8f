"""What users' hooks and markers add to a test, taken at the end of each attempt (floor 4), in the test's process.

These hooks of pytest are registered where they are needed only: each costs time at every phase of every test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.added import together
from pytest_automation_report.annotations import NOTES, activate, deactivate
from pytest_automation_report.asking import DESCRIBE_TEST
from pytest_automation_report.attachments import attach
from pytest_automation_report.hook_answers import added_to_test, files_of
from pytest_automation_report.markers import Markers
from pytest_automation_report.notes import Notes
from pytest_automation_report.rules import texts

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_automation_report.added import Added
    from pytest_automation_report.rules import Rules

ADDED: Final = "automation_report_added"
"""Attribute of a teardown's report that carries plain data from a worker on another host."""


def is_described(config: pytest.Config) -> bool:
    """Whether any hook describes tests."""
    return bool(getattr(config.hook, DESCRIBE_TEST).get_hookimpls())


def describe(notes: Notes, item: pytest.Item, report: pytest.TestReport) -> None:
    """Ask the hooks of the test's folders what to add to the attempt that ends."""
    pad = notes.pad()
    if pad is None:
        return
    hook = getattr(item.ihook, DESCRIBE_TEST)
    answers = notes.troubles.ask(DESCRIBE_TEST, lambda: hook(item=item, report=report)) or ()
    for answer in reversed(answers):  # the hook nearest to the test answers first, and its key is to count
        added = notes.troubles.checked(DESCRIBE_TEST, added_to_test, answer, notes.clean)
        if added is not None:
            pad.described.append(added)
            for each in files_of(answer):
                attach(pad, each.content, each.name, each.mime_type)


def with_markers(added: Sequence[Added | None], markers: Markers, item: pytest.Item | None) -> Sequence[Added | None]:
    """Return what an attempt adds, with what its test's markers add in front."""
    marked = None if item is None else markers.added(item)
    return added if marked is None else [*added[:-1], together([marked, *added[-1:]])]


class Describing:
    """Asks the hooks at each teardown."""

    def __init__(self, notes: Notes) -> None:
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


class TravellingNotes:
    """Hooks for a worker on another host: what its tests add travels on their reports."""

    def __init__(self, rules: Rules) -> None:
        self._notes = Notes(texts(rules), artifact_url=rules.artifact_url)
        self._markers = Markers(rules, self._notes)
        self._is_described = False
        self._failed: Any = None
        self._told = 0

    def watch(self, config: pytest.Config) -> None:
        """Let the tests of this process add to their results."""
        config.pluginmanager.register(self._notes, NOTES)
        activate(self._notes)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note whether any hook describes tests."""
        self._notes.troubles.add_unknown_hooks(session.config)
        self._is_described = is_described(session.config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        """Begin an attempt."""
        self._failed = None
        self._notes.begin()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Note whose attempt it is."""
        self._notes.set_up(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Hang on the teardown's report, and on that of a phase that failed, what the attempt adds.

        What runs tests again may tell of the one or of the other, when all phases are over.
        """
        report = yield
        if report.failed:
            self._failed = report
        if call.when == "teardown":
            if self._is_described:
                describe(self._notes, item, report)
            try:
                self._load(item, report)
            except Exception as error:  # noqa: BLE001 - nodes are other plugins' objects; told with the next report
                self._notes.troubles.add(f"annotations of {item.nodeid} are left out: {error!r}")
        return report

    def pytest_sessionfinish(self) -> None:
        """Take no more."""
        deactivate(self._notes)

    def _load(self, item: pytest.Item, report: Any) -> None:  # noqa: ANN401 - attributes are hung on it
        added = with_markers(self._notes.end(), self._markers, item)
        told = self._notes.troubles.texts[self._told :]
        self._told += len(told)
        if added or told:
            carried = {"added": [each and each.to_json() for each in added], "told": told}
            for each in {id(one): one for one in (report, self._failed) if one is not None}.values():
                setattr(each, ADDED, carried)
