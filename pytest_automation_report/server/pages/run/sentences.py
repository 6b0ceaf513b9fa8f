"""What stands below the verdict of a run: its changes, deaths, proofs and time to go as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pytest_automation_report.server.pages.numbers import duration, quantity
from pytest_automation_report.text.terminal import is_torn, wholeness_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.findings.verdict import RunNumbers

Phrase: TypeAlias = "tuple[str, str]"
"""A part of a sentence: its text, and ``b`` if it is emphasised, ``code`` for a name, or nothing."""

_SECOND_US: Final = 1_000_000

SILENT_US: Final = 60_000_000
"""Time without news after which the sender of an open run is silent, in microseconds."""


def live_sentence(
    counts: RunNumbers, to_go: int | None, branch: str, silent_for: int | None, new: int | None
) -> list[Phrase]:
    """Return the sentence below the verdict of an open run; ``to_go`` and ``silent_for`` are in microseconds.

    ``new`` is the number of new failures, None if nothing is there to compare with.
    """
    if silent_for is not None and silent_for >= SILENT_US:
        return [
            (f"No news for {duration(silent_for)}", "b"),
            (". The machine that runs the tests is busy, cut off or gone: results that wait there are sent by", ""),
            (" automation-report send", "code"),
            (".", ""),
        ]
    sentence: list[Phrase] = []
    if to_go is not None:
        on = f" on {branch}" if branch else ""
        about = "Nearly done" if to_go < _SECOND_US else f"About {_whole_seconds(to_go)} to go"
        sentence = [(about, "b"), (f", by the times of the last runs{on}. ", "")]
    if new is not None and counts.failed:
        sentence.append((f"{new:,} new so far.", ""))
    return sentence


def _whole_seconds(microseconds: int) -> str:
    """Return an estimate without the digits that it cannot have."""
    if microseconds < 60 * _SECOND_US:
        return f"{round(microseconds / _SECOND_US)} s"
    # From a minute on to ten seconds.
    return duration(round(microseconds / (10 * _SECOND_US)) * 10 * _SECOND_US)


def whole_sentence(whole: Mapping[str, Any] | None) -> list[Phrase]:
    """Return whether the jobs of the run ran each collected test once; nothing if that is not known."""
    return [] if whole is None else [(wholeness_words(whole), "b" if is_torn(whole) else ""), (". ", "")]


def death_sentence(findings: Mapping[str, Any] | None) -> list[Phrase]:
    """Return which worker died in which test, as the failure of that test has it; nothing if no test is known."""
    reasons = () if findings is None else findings["reasons"]
    crash = next((reason for reason in reasons if reason["phase"] == "crash"), None)
    if findings is None or crash is None:
        return []
    entries = [*findings["tests"]["newly_failing"], *findings["tests"]["still_failing"]]
    name = next((entry["name"] for entry in entries if entry["fingerprint"] == crash["fingerprint"]), "")
    before, this_test, after = crash["title"].partition("this test")
    if not this_test or not name:
        return [(f"{crash['title'].rstrip('.')}. ", "")]
    return [(before, ""), (name, "code"), (f"{after.rstrip('.')}. ", "")]


def change_sentence(
    numbers: RunNumbers, findings: Mapping[str, Any] | None, base_branch: str, branch: str, longest: int | None
) -> list[Phrase]:
    """Return the changes since the base as phrases; ``longest`` is the number of runs that a reason has failed for."""
    if findings is None:
        return []
    if findings["base"] is None:
        first = f"The first run of this suite{f' on {branch}' if branch else ''} that is known here."
        return [*([(first, "")] if numbers.finished else []), *_also(numbers, findings)]
    base = findings["base"]
    is_apart = base["why"] in {"main branch", "target branch"} and branch and base_branch != branch
    sentence: list[Phrase] = [("No earlier run on ", ""), (branch, "b"), (". ", "")] if is_apart else []
    named = f"#{base['run']}{f' on {base_branch}' if base_branch else ''}"
    failing, changed = _failing(findings, longest), _changed(findings["counts"])
    if failing:
        sentence += [(f"Compared with {named}: ", ""), *failing, (".", "")]
        sentence += [(f" {changed}.", "")] if changed else []
    else:
        sentence += [(changed or "No change", "b"), (f" since {named}.", "")]
    return [*sentence, *_also(numbers, findings)]


def _failing(findings: Mapping[str, Any], longest: int | None) -> list[Phrase]:
    """Return whose the failures are: new, back, of flaky tests, or in the base, too; nothing without failures."""
    mine = findings["mine"]
    if not sum(mine.values()):
        return []
    new = sum(reason["kind"] == "new" for reason in findings["reasons"])
    reasons = f", for {quantity(new, 'reason')}" if new > 1 else ""
    phrases: list[Phrase] = [(f"{mine['new']:,} new", "b"), (reasons, "")] if mine["new"] else [("nothing new", "b")]
    if mine["back"]:
        phrases.append((f", {mine['back']:,} back after a while", ""))
    if mine["flaky"]:
        of = "a test that is" if mine["flaky"] == 1 else "tests that are"
        phrases.append((f", {mine['flaky']:,} of {of} known to be flaky", ""))
    if mine["still"]:
        runs = f" for up to {quantity(longest, 'run')}" if longest and longest > 1 else ""
        phrases.append((f", {mine['still']:,} still failing{runs}", ""))
    return phrases


def _changed(counts: Mapping[str, int]) -> str:
    """Return what else changed, as the beginning of a sentence; empty if nothing did."""
    fixed, again, new, gone = (counts[name] for name in ("fixed", "passed_again", "new_tests", "gone"))
    parts = [f"{_tests(fixed)} fixed"] if fixed else []
    if again:
        parts.append(f"{again:,} flaky {'test' if again == 1 else 'tests'} passed again")
    if new:
        parts.append(quantity(new, "new test"))
    if gone:
        parts.append(f"{gone:,} gone" if parts else f"{_tests(gone)} gone")
    return ", ".join(parts)


def _also(numbers: RunNumbers, findings: Mapping[str, Any]) -> list[Phrase]:
    """Return the numbers that the verdict leaves out."""
    parts: list[str] = []
    if not numbers.failed and numbers.flaky:
        one = numbers.flaky == 1
        parts.append(f"{numbers.flaky:,} passed only when {'it was' if one else 'they were'} tried again")
    if not numbers.failed and numbers.skipped and numbers.passed:
        parts.append(f"{numbers.skipped:,} {'was' if numbers.skipped == 1 else 'were'} skipped")
    # The verdict of a run that was cut short has both numbers.
    is_said = findings["verdict"]["kind"] in {"died", "interrupted", "stopped", "ended"} or (
        findings["verdict"]["kind"] == "not collected" and numbers.not_run == numbers.lost
    )
    if numbers.not_run and not is_said:
        parts.append(f"{_tests(numbers.not_run)} did not run")
    return [(f" {', '.join(parts)}.", "")] if parts else []


def _tests(number: int) -> str:
    return quantity(number, "test")


def words(phrases: Sequence[Phrase]) -> str:
    """Return a sentence as text."""
    return "".join(text for text, _ in phrases).strip()


def flaky_evidence(entry: Mapping[str, Any]) -> str:
    """Return in words why a test counts as flaky, from the counts of its findings."""
    evidence = entry["evidence"]
    words = []
    if evidence["retries"]:
        words.append(f"passed on a retry in {quantity(evidence['retries'], 'run')}")
    if evidence["commits"]:
        words.append(f"passed and failed on {quantity(evidence['commits'], 'commit')}")
    if evidence["isolated"]:
        words.append(f"failed alone {quantity(evidence['isolated'], 'time')}")
    return ", ".join(words) or f"failed in {entry['failed']} of {quantity(entry['runs'], 'run')}"
