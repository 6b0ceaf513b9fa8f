"""What changed in a run since its base: lists of tests, with what they did before and do now."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from msgspec import Struct

from pytest_automation_report.findings.sentences import moved_names
from pytest_automation_report.findings.times import factor
from pytest_automation_report.server.pages import words
from pytest_automation_report.server.pages.run.facts import entries_of
from pytest_automation_report.server.store.overview import natural_key
from pytest_automation_report.text.limits import duration, quantity
from pytest_automation_report.text.node_ids import NameParts, split_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_automation_report.findings.documents import RunFindings
    from pytest_automation_report.server.pages.urls import RunState

_NOT_THERE: Final = "not there"


class _List(NamedTuple):
    """A list of findings by its name in the document, with the ink of its count."""

    name: str
    ink: str = ""
    before: str = _NOT_THERE  # what its tests did in the base
    after: str = ""  # what they do now
    is_always: bool = False  # its count is shown also if it is 0
    is_folded: bool = False  # tests of one reason, or parameters of one function, that changed alike are one row

    @property
    def word(self) -> str:
        return self.name.replace("_", " ")


_LISTS: Final = (
    _List("newly_failing", "fail-ink", "passed", "failed", is_always=True, is_folded=True),
    _List("fixed", "pass-ink", "failed", "passed", is_always=True),
    _List("passed_again", "pass-ink", "failed", "passed"),
    _List("still_failing", "", "failed", "failed", is_always=True, is_folded=True),
    _List("slower", "flaky-ink", is_always=True),
    _List("faster"),
    _List("new_tests", is_always=True, is_folded=True),
    _List("gone", "", "there", "gone", is_always=True, is_folded=True),
    _List("moved"),
    _List("unstable_ids", before="another id", is_folded=True),
    _List("newly_skipped", "", "ran", "skipped", is_folded=True),
    _List("not_run", "", "there", "not run", is_folded=True),
)


class ChangeRow(NamedTuple):
    """A row of a list: ``size`` tests that changed alike, and what they did before and do now."""

    short: NameParts
    folder: str
    reason: str
    about: str
    tone: str
    before: str
    after: str
    result: int | None
    note: str = ""
    note_ink: str = ""
    size: int = 1
    range: tuple[str, str] = ("", "")


class ChangeList(NamedTuple):
    """A list of changes; ``rest`` more rows are at the address."""

    heading: str
    note: str
    rows: Sequence[ChangeRow]
    rest: int
    address: str


class Move(Struct, frozen=True):
    """How many tests a list of changes has, and the address that shows it alone."""

    word: str
    ink: str
    count: int
    is_on: bool
    address: str


class RunChanges(Struct, frozen=True, dict=True):
    """The changes of a run: its findings, the state of its page, and the letters of the tests of known results."""

    findings: RunFindings
    state: RunState
    letters: Mapping[int, str]

    @cached_property
    def _titles(self) -> Mapping[str, str]:
        return {reason["fingerprint"]: reason["title"] for reason in self.findings["reasons"]}

    @cached_property
    def _new_tests(self) -> Collection[str]:
        return {entry["key"] for entry in self.findings["tests"]["new_tests"]}

    @property
    def moves(self) -> list[Move]:
        """All lists that have a test, and those that are always named."""
        counts, chosen = self.findings["counts"], self.state.changes
        return [
            Move(
                each.word,
                each.ink if counts[each.name] else "",
                counts[each.name],
                each.name in chosen,
                self.state.to(changes=frozenset({each.name} if chosen != {each.name} else ())).address,
            )
            for each in _LISTS
            if each.is_always or counts[each.name]
        ]

    @property
    def lists(self) -> list[ChangeList]:
        """The lists that the state of the page has, without empty ones."""
        chosen = self.state.changes or {each.name for each in _LISTS if each.name != "still_failing"}
        found = {each: entries_of(self.findings, each.name) for each in _LISTS if each.name in chosen}
        return [self._list(kind, entries) for kind, entries in found.items() if entries]

    def _list(self, kind: _List, entries: Sequence[Mapping[str, Any]]) -> ChangeList:
        # A list alone has more tests than those on the view of all changes.
        most = 200 if self.state.changes else 50
        rows = [self._row(kind, entry) for entry in entries]
        rows = _folded(rows) if kind.is_folded else rows
        one = frozenset({kind.name})
        # Tests that are gone have no result in this run.
        is_here = kind.name in {"gone", "not_run"}
        state = self.state.to(changes=one) if is_here else self.state.at("tests", changes=one)
        return ChangeList(
            kind.word.capitalize() + (", known to be flaky" if kind.name == "passed_again" else ""),
            _note(kind.name, self.findings["counts"][kind.name], entries, rows),
            rows[:most],
            max(0, len(rows) - most),
            state.address,
        )

    def _row(self, kind: _List, entry: Mapping[str, Any]) -> ChangeRow:
        fingerprint, status = entry.get("fingerprint") or "", entry.get("status") or ""
        row = ChangeRow(
            split_name(entry["name"]),
            entry["folder"],
            fingerprint,
            f"was {moved_names(entry)[0]}" if kind.name == "moved" else self._titles.get(fingerprint, ""),
            "idle" if kind.name == "gone" else words.OUTCOME_TONES.get(status, "pass"),
            kind.before,
            kind.after or status,
            entry["result"],
        )
        letters = self.letters.get(entry["result"] or 0, "")
        if kind.name in {"slower", "faster"}:
            note = f"{factor(entry['ratio'])} {words.begun_words(entry['since'])}"
            ink = "up" if kind.name == "slower" else "down"
            return row._replace(
                before=f"{duration(entry['median'])} until #{entry['until']}",
                after=duration(entry["elapsed"]),
                note=note,
                note_ink=ink,
            )
        if kind.name == "newly_failing" and entry["key"] in self._new_tests:
            return row._replace(before=_NOT_THERE)
        if kind.name == "newly_failing" and letters[-2:-1] == "s":
            return row._replace(before="skipped")
        if kind.name == "fixed" and (failed := failing_runs(letters)):
            return row._replace(note="had failed once" if failed == 1 else f"had failed for {quantity(failed, 'run')}")
        if kind.name == "still_failing" and entry["since"]:
            return row._replace(note=f"since #{entry['since']['run']}")
        return row


class ChangesView(Struct, frozen=True):
    """What changed since the base, None without one: tests, commits with their subjects, and installed software."""

    name: ClassVar = "changes"
    template: ClassVar = "run/changes.html"
    changes: RunChanges | None = None
    commits: Sequence[tuple[str, str]] = ()
    software: Sequence[tuple[str, str, str]] = ()


def failing_runs(letters: str) -> int:
    """Return the number of failed runs before the last one, back to the last passed one."""
    failed = 0
    for letter in reversed(letters[:-1]):
        if letter in "pr":
            break
        failed += letter == "f"
    return failed


def _folded(rows: Sequence[ChangeRow]) -> list[ChangeRow]:
    """Return tests by reason and change, without a reason by function: those that changed alike are one row."""
    groups: dict[tuple[Any, ...], list[ChangeRow]] = {}
    for row in rows:
        what = row.reason if row.reason and row.about else (row.folder, row.short.function)
        groups.setdefault((what, row.before, row.after, row.note), []).append(row)
    folded = []
    for members in groups.values():
        row, count = members[0], len(members)
        if count > 1:
            names = sorted((member.short.parameters for member in members), key=natural_key)
            functions = {(member.folder, member.short.function) for member in members}
            note = ", ".join(filter(None, (quantity(count, "test"), row.note)))
            row = row._replace(size=count, note=note, range=(names[0], names[-1]))
            if len(functions) > 1:  # a row of a reason: its title, and where its tests are
                more = len({folder for folder, _ in functions}) - 1
                folder = f"{row.folder} and {more:,} more" if more else row.folder
                row = row._replace(short=NameParts(row.about, ""), about="", folder=folder, range=("", ""))
        folded.append(row)
    return sorted(folded, key=lambda row: -row.size)


def _note(name: str, count: int, entries: Sequence[Mapping[str, Any]], rows: Sequence[ChangeRow]) -> str:
    if name in {"slower", "faster"}:
        return "this run beside the usual duration; a slower or faster machine does not count"
    counted = words.tests_and_files(count, words.files_in(entries))
    named = sum(row.size for row in rows)
    if name == "not_run" and named != count:
        some = f"{named:,} of them by name" if named < count else f"among these {named:,} tests of the base"
        return f"{counted}, {some}"
    reasons = {row.reason for row in rows if row.reason} if name == "newly_failing" else ()
    return f"{counted}, {quantity(len(reasons), 'reason')}" if reasons else counted
