"""The verdict of a run and its changes as sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pytest_automation_report.server.pages.numbers import duration, quantity
from pytest_automation_report.text.terminal import is_torn, wholeness_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Tone: TypeAlias = Literal["fail", "pass", "flaky", "live", "skip"]
"""Icon and colour of a verdict."""

Phrase: TypeAlias = "tuple[str, str]"
"""A part of a sentence: its text, and ``b`` if it is emphasised, ``code`` for a name, or nothing."""

_SECOND_US: Final = 1_000_000

SILENT_US: Final = 60_000_000
"""Time without news after which the sender of an open run is silent, in microseconds."""


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Numbers that a verdict is made of; ``expected`` is the number of collected tests, None if unknown.

    ``flaky`` passed after a failed attempt and are among ``passed``; ``not_run`` were collected and did not start.
    """

    total: int
    failed: int
    passed: int
    flaky: int = 0
    skipped: int = 0
    not_run: int = 0
    expected: int | None = None
    reasons: int = 0
    is_open: bool = False
    is_silent: bool = False
    has_died: bool = False


def verdict(counts: RunCounts) -> tuple[str, Tone]:
    """Return the heading of a run's page and its tone."""
    if counts.is_open:
        return _open_verdict(counts)
    if counts.has_died:
        expected = max(counts.expected or counts.total + counts.not_run, counts.total)
        of = f" of {expected:,}" if expected > counts.total else ""
        return f"The session died after {counts.total:,}{of} test{'s' if expected != 1 else ''}", "fail"
    if counts.failed:
        return _failed_verdict(counts), "fail"
    if counts.passed:
        return f"{_all(counts.passed)} passed", "pass"
    if counts.total == 0:
        return "No test ran", "skip"
    return f"{_all(counts.total)} skipped" if counts.skipped == counts.total else "No test passed", "skip"


def _failed_verdict(counts: RunCounts) -> str:
    reasons = f", for {quantity(counts.reasons, 'reason')}" if counts.reasons and counts.failed > 1 else ""
    if counts.failed == counts.total:
        return f"{_all(counts.total)} failed{reasons}"
    return f"{counts.failed:,} of {quantity(counts.total, 'test')} failed{reasons}"


def _all(number: int) -> str:
    """Return ``All 7 tests``, or the words for one or two."""
    return {1: "The only test", 2: "Both tests"}.get(number, f"All {number:,} tests")


def _open_verdict(counts: RunCounts) -> tuple[str, Tone]:
    failed = f", {counts.failed:,} failed" if counts.failed else ""
    tone: Tone = "flaky" if counts.is_silent else "live"
    if counts.is_silent and counts.expected is not None and counts.expected > counts.total:
        return f"{counts.total:,} of {quantity(counts.expected, 'result')} are here{failed}", tone
    if counts.expected is not None:
        return f"{counts.total:,} of {quantity(counts.expected, 'test')} ran{failed}", tone
    if counts.total == 0:
        return "No test has ended yet", tone
    return f"{quantity(counts.total, 'test')} ran{failed}", tone


def live_sentence(counts: RunCounts, to_go: int | None, branch: str, silent_for: int | None) -> list[Phrase]:
    """Return the sentence below the verdict of an open run; ``to_go`` and ``silent_for`` are in microseconds."""
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
    if counts.reasons:
        sentence.append((f"{quantity(counts.reasons, 'reason')} so far.", ""))
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
    counts: RunCounts, findings: Mapping[str, Any] | None, base_branch: str, branch: str, longest: int | None
) -> list[Phrase]:
    """Return the changes since the base as phrases; ``longest`` is the number of runs that a reason has failed for."""
    if findings is None:
        return []
    if findings["base"] is None:
        return [*_first_run(counts, branch), *_also(counts, 0)]
    base = _base_phrases(findings["base"], base_branch, branch)
    changed = findings["counts"]
    new_reasons = [reason for reason in findings["reasons"] if reason["is_new"]]
    older = len(findings["reasons"]) - len(new_reasons)
    sentence: list[Phrase] = list(base)
    since = f" since #{findings['base']['run']}{f' on {base_branch}' if base_branch else ''}"
    if new_reasons and changed["newly_failing"]:
        is_one = len(new_reasons) == 1
        sentence += [
            (f"{quantity(len(new_reasons), 'reason')} {'is' if is_one else 'are'} new", "b"),
            (f"{since} and {'fails' if is_one else 'fail'} {_tests(sum(r['count'] for r in new_reasons))}.", ""),
        ]
    elif changed["newly_failing"]:
        is_one = changed["newly_failing"] == 1
        sentence += [
            (f"{_tests(changed['newly_failing'])} {'fails' if is_one else 'fail'} anew", "b"),
            (f"{since}.", ""),
        ]
    elif counts.failed:
        sentence += [("Nothing fails anew", "b"), (f"{since}.", "")]
    if older and counts.failed:
        runs = f" for up to {quantity(longest, 'run')}" if longest and longest > 1 else " since an earlier run"
        noun = "" if new_reasons else f" reason{'s' if older != 1 else ''}"
        more = _more_tests(findings) if new_reasons else 0
        joined = f", now in {quantity(more, 'more test')}" if more else ""
        sentence.append((f" {older:,}{noun} {'has' if older == 1 else 'have'} been failing{runs}{joined}.", ""))
    if changed["fixed"]:
        is_one = changed["fixed"] == 1
        if counts.failed or sentence != list(base):
            sentence.append((f" {_tests(changed['fixed'])} {'was' if is_one else 'were'} fixed.", ""))
        else:
            sentence += [(f"{_tests(changed['fixed'])} {'is' if is_one else 'are'} fixed", "b"), (f"{since}.", "")]
    elif not counts.failed and sentence == list(base):
        sentence += [(_other_tests(changed) or "No change", "b"), (f"{since}.", "")]
    else:
        gone = changed["gone"]
        sentence += [(f" {_tests(gone)} {'is' if gone == 1 else 'are'} gone.", "")] if gone else []
    told = sum(reason["count"] for reason in new_reasons) or changed["newly_failing"]
    return [*sentence, *_also(counts, told if changed["newly_failing"] else 0)]


def _more_tests(findings: Mapping[str, Any]) -> int:
    """Return the number of newly failing tests whose reason is an older one."""
    newly = findings["tests"]["newly_failing"]
    old = {reason["fingerprint"] for reason in findings["reasons"] if not reason["is_new"]}
    # A list that was cut shows too few of them.
    return (
        sum(entry["fingerprint"] in old for entry in newly) if len(newly) == findings["counts"]["newly_failing"] else 0
    )


def _other_tests(changed: Mapping[str, int]) -> str:
    """Return how many tests are new or gone; empty if the run has the tests of its base."""
    new, gone = changed["new_tests"], changed["gone"]
    parts = [f"{quantity(new, 'new test')}"] if new else []
    if gone:
        parts.append(f"{gone:,} gone" if new else f"{_tests(gone)} gone")
    return " and ".join(parts)


def _base_phrases(base: Mapping[str, Any], base_branch: str, branch: str) -> list[Phrase]:
    """Return a sentence for a base that is not the run before on the same branch."""
    if base["why"] in {"main branch", "target branch"} and branch and base_branch != branch:
        return [("No earlier run on ", ""), (branch, "b"), (": compared with ", ""), (base_branch, "b"), (". ", "")]
    return []


def _first_run(counts: RunCounts, branch: str) -> list[Phrase]:
    on = f" on {branch}" if branch else ""
    if not counts.total:
        return []
    return [(f"No earlier run of this suite{on} is known here, so it is compared with none.", "")]


def _also(counts: RunCounts, told: int) -> list[Phrase]:
    """Return the numbers that the verdict leaves out; ``told`` failures stand in the sentence already."""
    parts: list[str] = []
    if counts.has_died and counts.failed > told:
        parts.append(f"{_tests(counts.failed)} failed")
    if not counts.failed and counts.flaky:
        parts.append(f"{counts.flaky:,} passed only when {'it was' if counts.flaky == 1 else 'they were'} tried again")
    if not counts.failed and counts.skipped:
        parts.append(f"{counts.skipped:,} {'was' if counts.skipped == 1 else 'were'} skipped")
    if counts.not_run:
        parts.append(f"{_tests(counts.not_run)} did not run")
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
