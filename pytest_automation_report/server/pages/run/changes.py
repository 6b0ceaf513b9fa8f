"""The changes of a run since its base, and its details: where it ran, whether everything arrived, threads and files."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from msgspec import Struct

from pytest_automation_report.api.models import COLLECTED_FIELD, DESELECTED_FIELD, NOT_RUN_FIELD, WORKER_FIELD
from pytest_automation_report.findings.sentences import commit_text
from pytest_automation_report.findings.times import factor
from pytest_automation_report.server.pages import words
from pytest_automation_report.server.pages.run.facts import entries_of
from pytest_automation_report.server.store.overview import natural_key
from pytest_automation_report.text.limits import SHORT_COMMIT, duration, quantity
from pytest_automation_report.text.node_ids import NameParts, split_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import RunFindings, RunMention
    from pytest_automation_report.server.pages.run.facts import ShownRun
    from pytest_automation_report.server.pages.urls import RunState
    from pytest_automation_report.server.store.database import Row

_NOT_THERE: Final = "not there"


class _List(NamedTuple):
    """A list of findings by its name in the document, with the ink of its count."""

    name: str
    ink: str = ""
    before: str = _NOT_THERE  # what its tests did in the base
    after: str = ""  # what they do now
    is_always: bool = False  # its count is shown also if it is 0
    is_folded: bool = False  # parameters of one function that changed alike are one row

    @property
    def word(self) -> str:
        return self.name.replace("_", " ")


_LISTS: Final = (
    _List("newly_failing", "fail-ink", "passed", "failed", is_always=True, is_folded=True),
    _List("fixed", "pass-ink", "failed", "passed", is_always=True),
    _List("passed_again", "pass-ink", "failed", "passed"),
    _List("still_failing", "", "failed", "failed", is_always=True),
    _List("slower", "flaky-ink", is_always=True),
    _List("faster"),
    _List("new_tests", is_always=True, is_folded=True),
    _List("gone", "", "there", "gone", is_always=True, is_folded=True),
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


# A list of changes: heading, note, rows, and how many more rows are at an address.
_ChangeList: TypeAlias = "tuple[str, str, Sequence[ChangeRow], int, str]"


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
    def moves(self) -> list[tuple[str, str, int, bool, str]]:
        """Word, ink, number and address of each list, and whether it is shown alone."""
        counts, chosen = self.findings["counts"], self.state.changes
        return [
            (
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
    def lists(self) -> list[_ChangeList]:
        """The lists that the state of the page has, without empty ones."""
        chosen = self.state.changes or {each.name for each in _LISTS if each.name != "still_failing"}
        found = {each: entries_of(self.findings, each.name) for each in _LISTS if each.name in chosen}
        return [self._list(kind, entries) for kind, entries in found.items() if entries]

    def _list(self, kind: _List, entries: Sequence[Mapping[str, Any]]) -> _ChangeList:
        # A list alone has more tests than those on the view of all changes.
        most = 200 if self.state.changes else 50
        rows = [self._row(kind, entry) for entry in entries]
        rows = _folded(rows) if kind.is_folded else rows
        one = frozenset({kind.name})
        # Tests that are gone have no result in this run.
        is_here = kind.name in {"gone", "not_run"}
        state = self.state.to(changes=one) if is_here else self.state.at("tests", changes=one)
        return (
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
            self._titles.get(fingerprint) or entry["folder"],
            "idle" if kind.name == "gone" else words.OUTCOME_TONES.get(status, "pass"),
            kind.before,
            kind.after or status,
            entry["result"],
        )
        letters = self.letters.get(entry["result"] or 0, "")
        if kind.name in {"slower", "faster"}:
            note = f"{factor(entry['ratio'])} {begun_words(entry['since'])}"
            ink = "up" if kind.name == "slower" else "down"
            return row._replace(
                before=duration(entry["median"]), after=duration(entry["elapsed"]), note=note, note_ink=ink
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


def failing_runs(letters: str) -> int:
    """Return the number of failed runs before the last one, back to the last passed one."""
    failed = 0
    for letter in reversed(letters[:-1]):
        if letter in "pr":
            break
        failed += letter == "f"
    return failed


def begun_words(since: RunMention | None) -> str:
    """Return the run and commit with which something began; nothing without one."""
    if since is None:
        return ""
    commit = commit_text(since["commit"], since["changes"])
    return f"since #{since['run']}{f' ({commit})' if commit else ''}"


def _folded(rows: Sequence[ChangeRow]) -> list[ChangeRow]:
    """Return tests by function, reason and change: parameters of one function that changed alike are one row."""
    groups: dict[tuple[Any, ...], list[ChangeRow]] = {}
    for row in rows:
        groups.setdefault((row.folder, row.short.function, row.reason, row.before, row.after), []).append(row)
    folded = []
    for members in groups.values():
        row, count = members[0], len(members)
        if count > 1:
            names = sorted((member.short.parameters for member in members), key=natural_key)
            row = row._replace(size=count, note=quantity(count, "test"), range=(names[0], names[-1]))
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


def commits_since(text: str, base_commit: str | None) -> list[tuple[str, str]]:
    """Return hash and subject of a run's commits since its base, newest first; none if ``text`` does not name that."""
    commits: list[tuple[str, str]] = []
    for line in text.splitlines():
        commit, _, subject = line.strip().partition(" ")
        if commit and base_commit and (base_commit.startswith(commit) or commit.startswith(base_commit)):
            return commits
        if commit:
            commits.append((commit[:SHORT_COMMIT], subject))
    return []


def changed_software(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the name, and both versions, of what differs between two runs, by the values of their fields."""
    known = {name: (before.get(name, ""), after.get(name, "")) for name in ("Python", "OS", "Packages")}
    changed = [(name, *known[name]) for name in ("Python", "OS") if all(known[name]) and len({*known[name]}) > 1]
    # Without a list of all packages pytest's plugins are compared.
    names = ("Packages",) if all(known["Packages"]) else ("pytest", "Plugins")
    old, new = (_versions([(name, fields.get(name, "")) for name in names]) for fields in (before, after))
    # Clients send 16,384 characters: a list that was cut at its end shows nothing of the packages after it.
    is_cut = any(len(text) > 16_000 for text in known["Packages"])  # noqa: PLR2004 - as said
    packages = old.keys() & new.keys() if is_cut else old.keys() | new.keys()
    if old and new:
        changed += [
            (name, old.get(name, ""), new.get(name, "")) for name in sorted(packages) if old.get(name) != new.get(name)
        ]
    return changed


def _versions(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    versions: dict[str, str] = {}
    for field_name, value in fields:
        for part in value.replace(", ", "\n").split("\n"):
            name, blank, version = part.rpartition(" ")
            if blank:
                versions[name.lower()] = version
            elif version:
                versions[field_name.lower()] = version
    return versions


_ATTACHMENTS_SHOWN: Final = 200
_SHOWN_APART: Final = frozenset(
    {"Branch", "Commit", "Commit subject", "Commits", "Packages", COLLECTED_FIELD, DESELECTED_FIELD, NOT_RUN_FIELD}
)
_RAIL_FIELDS: Final = ("Python", "pytest", "Platform", "Machine", "CI")


def where_it_ran(facts: ShownRun) -> list[tuple[str, str]]:
    """Return the few facts of the rail."""
    shown = [(name, value) for name in _RAIL_FIELDS if (value := facts.fields.get(name))]
    return [*shown, *([(COLLECTED_FIELD, arrived)] if (arrived := _arrived(facts)) else [])]


def details_of(facts: ShownRun) -> words.Values:
    """Return the values of the view of the details."""
    record = facts.record
    fields = words.attached(record, "fields")
    threads = [_thread(facts, row) for row in record.threads]
    return {
        "fields": [field for field in fields if field["name"] not in _SHOWN_APART][:_ATTACHMENTS_SHOWN],
        "packages": facts.fields.get("Packages", "").splitlines(),
        "artifacts": words.attached(record, "artifacts")[:_ATTACHMENTS_SHOWN],
        "links": words.attached(record, "links"),
        "threads": threads,
        "hidden_threads": max(0, record.row["thread_count"] - len(threads)),
        "collected": _arrived(facts),
    }


def _arrived(facts: ShownRun) -> str:
    """Return the number of collected tests, and how many are to come or did not run; empty if it is not known."""
    counts, record = facts.counts, facts.record
    # If some threads are not read, it is at least the number of results.
    collected = facts.collected if record.row["thread_count"] <= len(record.threads) else counts.collected
    if collected is None:
        return ""
    if collected < counts.finished:
        # Of modules that cannot be collected, or several of one test: nothing says how many tests these results are of.
        return f"{collected:,}, {quantity(counts.finished, 'result')}"
    missing = collected - counts.finished if counts.is_open else counts.not_run - counts.lost
    if not missing:
        return f"{collected:,}, all reported"
    return f"{collected:,}, {missing:,} {'to come' if counts.is_open else 'did not run'}"


def _thread(facts: ShownRun, row: Row) -> words.Values:
    word, tone = words.RUN_WORDS.get(row["status"], ("Unknown", "idle"))
    observed = row["elapsed_observed"]
    name = facts.worker(row["id"]) or f"worker {row['position']}"
    # The name may be the worker's own, or its job's.
    fields = [field for field in words.attached(facts.record, "fields", row["id"]) if field["value"] != name]
    return {
        "name": name,
        "word": word,
        "tone": tone,
        "parts": words.parts_of(words.counts_of(row)),
        "total": row["total_count"],
        "elapsed": row["elapsed_computed"] if observed is None else observed,
        "fields": [field for field in fields if field["name"] != WORKER_FIELD],
        "artifacts": words.attached(facts.record, "artifacts", row["id"]),
    }
