"""The head of a run's page: verdict and change in words, facts, bar, chips and tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct

from pytest_automation_report.findings.sentences import (
    RunNumbers,
    among_words,
    back_words,
    beginning_of_new,
    commit_text,
    is_torn,
    judge_run,
    moment,
    stop_words,
    unstable_words,
    wholeness_words,
)
from pytest_automation_report.server.pages import words
from pytest_automation_report.server.pages.runs import comparable_time, own_name
from pytest_automation_report.server.pages.urls import VIEWS, RunState
from pytest_automation_report.server.store.searches import Term, terms_of, toggled
from pytest_automation_report.server.store.values import KILLED
from pytest_automation_report.text.limits import cut_end, duration, quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import RunFindings, RunMention
    from pytest_automation_report.server.pages.run.facts import Phrase, ShownRun, ToGo
    from pytest_automation_report.server.store.stored import ListedResult, StoredEntry

CHANGE_CHIPS: Final[Mapping[str, tuple[str, str]]] = {
    "new": ("New", "fail-ink"),
    "known": ("Known", "skip-ink"),
    "fixed": ("Fixed", "pass-ink"),
    "slower": ("Slower", "flaky-ink"),
}
"""Names and inks of the chips of changes, by their lists."""
# What stands in the list of changes, without failures that go on.
_MOVES: Final = (
    "newly_failing", "fixed", "new_tests", "gone", "moved", "newly_skipped", "slower", "faster", "passed_again",
)  # fmt: skip

_STOP_UNITS: Final = 300


class Head(NamedTuple):
    """What the page says of its run; ``to_go`` is the time to go in microseconds, if the run is open."""

    heading: str
    tone: str
    sentence: Sequence[Phrase]
    to_go: int | None
    title: str


def head_of(facts: ShownRun, to_go: ToGo | None, *, is_first: bool) -> Head:
    """Return the head of the page; ``is_first``: no earlier run of its branch is known."""
    found, counts = facts.findings, facts.counts
    said = judge_run(counts) if counts.is_open else found["verdict"]
    whole = found["whole"]
    branch = facts.row.branch or ""
    sentence: list[Phrase] = []
    if whole is not None:
        sentence = [(wholeness_words(whole), "b" if is_torn(whole) else ""), (". ", "")]
    if counts.is_open:
        new = None if found["base"] is None else found["mine"]["new"]
        has_ended = bool(facts.row.thread_count) and not facts.row.thread_active_count
        sentence = live_sentence(counts, to_go, facts.silence, new, has_ended=has_ended)
    else:
        stops = [cut_end(stop_words(stop), _STOP_UNITS) for stop in found.get("stops", ()) if stop["error"]]
        sentence += [(f"{stop[0].upper()}{stop[1:]}. ", "") for stop in stops]
        sentence += death_sentence(facts.failures) if said["kind"] == "died" else []
        # Without the tests that are missing nobody can say that nothing changed.
        if counts.failed or not is_torn(whole):
            base_branch = (facts.base_row.branch if facts.base_row else None) or ""
            sentence += change_sentence(
                counts, found, base_branch, branch, facts.longest, is_first=is_first, now=facts.now
            )
    name = own_name(facts.row, facts.source) or facts.source
    title = f"{words.titled(said)} · {name} #{facts.row.id}"
    return Head(said["long"], said["tone"], sentence, to_go.time if counts.is_open and to_go else None, title)


class HeadLine(Struct, frozen=True):
    """What the line below the verdict has beside the run itself; times in microseconds."""

    own_name: str
    commit_url: str
    subject: str  # of the commit
    elapsed: int | None
    change: tuple[str, str] | None  # of that, and ``up`` or ``down``
    workers: int
    links: Sequence[StoredEntry]
    tags: Sequence[str]


def head_line(facts: ShownRun) -> HeadLine:
    """Return the line below the verdict."""
    row = facts.row
    commit_url, links = words.links_of(facts.record)
    return HeadLine(
        own_name(row, facts.source),
        commit_url,
        facts.fields.get("Commit subject", ""),
        facts.latest - row.created if not row.is_completed else row.elapsed,
        words.duration_change(row.elapsed, comparable_time(row, facts.base_row)),
        facts.overview["worker_count"],
        links[:4],
        row.tags[:8],
    )


def bar_of(facts: ShownRun) -> list[words.Part]:
    """Return the parts of the bar."""
    counts = facts.counts
    # Some tests that did not run have a result that says so, and a part of its status.
    missing = counts.not_run - (0 if counts.is_open else facts.row.untested_count)
    return words.parts_of(words.counts_of(facts.row), counts.flaky, missing, is_open=counts.is_open)


class Chip(Struct, frozen=True):
    """A filter of the list of tests: a link that turns it on or off, unless ``address`` is empty."""

    name: str
    count: int | None
    address: str
    is_on: bool
    data: tuple[str, str] = ("", "")  # what the script of the report knows it by
    key: str = ""
    tone: str = ""  # of its icon
    ink: str = ""


def chips_of(
    facts: ShownRun, state: RunState, parts: Sequence[words.Part], found: Mapping[str, int] | None = None
) -> list[tuple[str, Sequence[Chip]]]:
    """Return the chips of statuses, changes and fields, each group with its label.

    With a search ``parts`` are of the tests that it finds, and ``found`` has the number of each change.
    """
    statuses: list[Chip] = []
    for part in parts:
        if part.key:
            address, is_on = state.toggled(statuses=part.key).address, part.key in state.statuses
            known_by, key = ("status", part.key), {"fail": "f", "flaky": "x"}.get(part.tone, "")
            statuses.append(Chip(part.name, part.count, address, is_on, known_by, key, part.tone))
        elif found is None:
            statuses.append(_chip_of_missing(facts, state, part))
    groups = (
        ("Statuses", statuses),
        ("Changes", _chips_of_changes(facts.findings, state, found)),
        ("Fields", _chips_of_fields(facts, state, has_counts=found is None)),
    )
    return [(label, chips) for label, chips in groups if chips]


def _chip_of_missing(facts: ShownRun, state: RunState, part: words.Part) -> Chip:
    """Return the chip of the tests that did not run yet, or at all; a link if the base has their names."""
    found = facts.findings
    has_names = found["base"] is not None and found["tests"]["not_run"]
    address = state.at("changes", changes=frozenset({"not_run"})).address if has_names else ""
    return Chip(part.name, part.count, address, "not_run" in state.changes)


def _chips_of_changes(findings: RunFindings, state: RunState, found: Mapping[str, int] | None) -> Sequence[Chip]:
    if findings["base"] is None:
        return ()
    counts = {**findings["counts"], **findings["mine"]} if found is None else found
    chips = []
    for change, (name, ink) in CHANGE_CHIPS.items():
        if count := counts.get(change, 0):
            address, key = state.toggled(changes=change).address, "n" if change == "new" else ""
            chips.append(Chip(name, count, address, change in state.changes, ("change", change), key, ink=ink))
    return chips


def _chips_of_fields(facts: ShownRun, state: RunState, *, has_counts: bool) -> Sequence[Chip]:
    chips = []
    for field, values in facts.overview["facts"].items():
        for value, count in values.items():
            term, name = Term(field, value), value if field == "is" else f"{field}: {value}"
            address = state.to(view="tests", opened="", group="", text=toggled(state.text, term)).address
            is_on = term in terms_of(state.text)
            chips.append(Chip(name, count if has_counts else None, address, is_on, ("term", str(term))))
    return chips


def tabs_of(facts: ShownRun) -> Mapping[str, int]:
    """Return the number of each tab, 0 for none."""
    moved = sum(facts.findings["counts"][name] for name in _MOVES)
    numbers = {"failures": facts.row.failure_count, "tests": facts.row.total_count, "changes": moved}
    return {view: numbers.get(view, 0) for view in VIEWS}


_SECOND_US: Final = 1_000_000
_CUT: Final = frozenset({"died", "interrupted", "stopped", "ended"})


def live_sentence(
    counts: RunNumbers, to_go: ToGo | None, silent_for: int, new: int | None, *, has_ended: bool = False
) -> list[Phrase]:
    """Return the sentence below the verdict of an open run.

    ``silent_for`` is in microseconds, ``new`` is the number of new failures if there is a base. ``has_ended``: all
    workers that began have ended.
    """
    if counts.is_silent and has_ended:
        return [
            (f"No news for {duration(silent_for)}: all workers have ended", "b"),
            (". If no job is missing, complete the run with ", ""),
            ("automation-report run finish", "code"),
            (".", ""),
        ]
    if counts.is_silent:
        return [
            (f"No news for {duration(silent_for)}", "b"),
            (". The machine that runs the tests is busy, cut off or gone. To send the results that it keeps, run ", ""),
            ("automation-report send", "code"),
            (" there.", ""),
        ]
    sentence: list[Phrase] = []
    if to_go is not None:
        sentence = [(to_go_words(to_go.time), "b"), (f", by {to_go.by}. ", "")]
    if new is not None and counts.failed:
        sentence.append((f"{new:,} new so far.", ""))
    return sentence


def to_go_words(time: int) -> str:
    """Return the time to go in words; `follow.js` says the same while it counts down."""
    if time < _SECOND_US:
        return "Nearly done" if time >= -_SECOND_US else "Longer than usual"
    if time < 60 * _SECOND_US:
        return f"About {round(time / _SECOND_US)} s to go"
    # An estimate has no digits that it cannot have.
    tens = 10 * _SECOND_US
    return f"About {duration(round(time / tens) * tens)} to go"


def death_sentence(failures: Iterable[ListedResult]) -> list[Phrase]:
    """Return which test was running when the process died, of several the first; nothing if it is not known."""
    names = [row.name for row in failures if row.fingerprint == KILLED]
    if not names:
        return []
    more = f" and {quantity(len(names) - 1, 'more test')}" if len(names) > 1 else ""
    return [("It died while it ran ", ""), (names[0], "code"), (f"{more}. ", "")]


def change_sentence(
    numbers: RunNumbers,
    findings: RunFindings,
    base_branch: str,
    branch: str,
    longest: int | None,
    *,
    is_first: bool,
    now: int = 0,
) -> list[Phrase]:
    """Return the changes since the base as phrases; ``longest`` is the number of runs that a reason has failed for."""
    on_branch = f" on {branch}" if branch else ""
    if findings["base"] is None:
        alone = f"The first run of this suite{on_branch} that is known here."
        if not is_first:
            alone = f"No earlier run{on_branch} can be compared with it."
        return [*([(alone, "")] if numbers.finished else []), *_also(numbers, findings)]
    base = findings["base"]
    is_apart = base["why"] in {"main branch", "target branch"} and branch and base_branch != branch
    end = ". " if is_first else " can be compared with it. "
    sentence: list[Phrase] = [("No earlier run on ", ""), (branch, "b"), (end, "")] if is_apart else []
    named = f"#{base['run']}{f' on {base_branch}' if base_branch else ''}"
    failing, changed = _failing(findings, longest, now), _changed(findings)
    # The tests that did not run may have changed.
    if failing or changed or (findings["verdict"]["kind"] not in _CUT and not findings["counts"]["slower"]):
        sentence += [(f"Compared with {named}: ", ""), *(failing or [(changed or "no change", "b")]), (".", "")]
        sentence += [(f" {changed}.", "")] if failing and changed else []
    return [*sentence, *_also(numbers, findings)]


def _failing(findings: RunFindings, longest: int | None, now: int) -> list[Phrase]:
    """Return whose the failures are: new, back, of flaky tests, or in the base, too; nothing without failures."""
    mine = findings["mine"]
    if not sum(mine.values()):
        return []
    new = sum(reason["kind"] == "new" for reason in findings["reasons"])
    reasons = f", for {quantity(new, 'reason')}" if new > 1 else ""
    phrases: list[Phrase] = [("nothing new", "b")]
    if mine["new"]:
        began = _since(beginning_of_new(findings), now)
        phrases = [(f"{mine['new']:,} new", "b"), (back_words(findings), ""), *began, (reasons, "")]
    if mine["flaky"]:
        phrases.append((f", {mine['flaky']:,} of {'a flaky test' if mine['flaky'] == 1 else 'flaky tests'}", ""))
    if mine["still"]:
        runs = f" for up to {quantity(longest, 'run')}" if longest and longest > 1 else ""
        phrases.append((f", {mine['still']:,} still failing{runs}", ""))
    if mine["known"]:
        phrases.append((f", {mine['known']:,} {findings['known']}", ""))
    return phrases


def _since(began: RunMention | None, now: int) -> list[Phrase]:
    """Return the commit with which the new failures began, its author and its age."""
    if began is None or not (began["commit"] or began.get("among")):
        return []
    age = words.ago(began["at"], now) if now else moment(began["at"])
    author = f"{began['author']}, " if began["author"] else ""
    among = began.get("among")
    commit = (commit_text(began["commit"], began["changes"]), "code") if among is None else (among_words(among), "")
    return [(" since ", ""), commit, (f" ({author}{age})", "")]


def _changed(findings: RunFindings) -> str:
    names = ("fixed", "passed_again", "new_tests", "gone", "moved", "newly_skipped")
    fixed, again, new, gone, moved, skipped = (findings["counts"][name] for name in names)
    parts = [f"{words.tests_and_files(fixed, words.files_in(findings['tests']['fixed']))} fixed"] if fixed else []
    if again:
        parts.append(f"{again:,} flaky {'test' if again == 1 else 'tests'} passed again")
    if new:
        parts.append(quantity(new, "new test"))
    if gone:
        parts.append(f"{gone:,} gone" if parts else f"{quantity(gone, 'test')} gone")
    if moved:
        parts.append(f"{moved:,} moved" if parts else f"{quantity(moved, 'test')} moved")
    if skipped:
        parts.append(f"{skipped:,} newly skipped" if parts else f"{quantity(skipped, 'test')} newly skipped")
    return ", ".join(parts)


def _also(numbers: RunNumbers, findings: RunFindings) -> list[Phrase]:
    parts: list[str] = []
    if slower := findings["counts"]["slower"]:
        parts.append(f"{quantity(slower, 'test')} slower than usual")
    parts += filter(None, [unstable_words(findings["counts"]["unstable_ids"])])
    if not numbers.failed and numbers.flaky:
        parts.append(f"{numbers.counted(numbers.flaky)} passed only on a retry")
    if not numbers.failed and numbers.skipped and numbers.passed:
        parts.append(f"{numbers.counted(numbers.skipped)} {'was' if numbers.skipped == 1 else 'were'} skipped")
    # The verdict of a run that was cut short has both numbers.
    is_said = findings["verdict"]["kind"] in _CUT or (
        findings["verdict"]["kind"] == "not collected" and numbers.not_run == numbers.lost
    )
    if numbers.not_run and not is_said:
        parts.append(f"{quantity(numbers.not_run, 'test')} did not run")
    return [(f" {', '.join(parts)}.", "")] if parts else []


def text_of(phrases: Sequence[Phrase]) -> str:
    """Return a sentence as text."""
    return "".join(text for text, _ in phrases).strip()
