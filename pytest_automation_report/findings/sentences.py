"""Say in one line what became of a run, what changed in it, since when something fails, and which tests are flaky."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard

from pytest_automation_report.findings.verdict import MINE, mine
from pytest_automation_report.text.limits import SHORT_COMMIT, cut_end, duration, printable, quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.findings.documents import (
        FailureReason,
        FindingsExcerpt,
        ReasonExcerpt,
        RunFindings,
        RunMention,
    )
    from pytest_automation_report.findings.verdict import VerdictWords

MAX_LINES: Final = 5
"""Most lines below the numbers of changes, and most with a reason."""

_NAMES: Final = 3  # most names of tests in such a line
_TITLE_UNITS: Final = 140
_MOST_JOBS: Final = 5
# Counts say as much of these verdicts, beside which they stand.
_COUNTED: Final = ("passed", "failed", "not whole")
_KINDS: Final = {
    "new": "new since {}",
    "back": "back since {}",
    "flaky": "flaky, failing since {}",
    "still": "failing since {}",
    "known": "known, failing since {}",
}
_WITH_FLAKY: Final = ("newly_failing", "still_failing", "passed_again")
_REASON_WORDS: Final = {None: "", True: ", for the same reason", False: ", for another reason"}
_CHANGES_WORDS: Final = {"": "", "unknown": ", changes unknown"}


def compared_line(findings: RunFindings, now: int, shown: Callable[[str], str] = printable, why: str = "") -> str:
    """Return `changes_line`, or that nothing changed, or that there is no base; ``why`` says why the base is it."""
    base = findings["base"]
    if base is None:
        return "no earlier run to compare with"
    # Nobody can say that nothing changed in tests that did not run.
    among = " in the tests that ran" if findings["counts"]["not_run"] else ""
    return changes_line(findings, now, shown, why) or f"nothing changed{among}, compared with {_run_words(base, why)}"


def changes_line(
    findings: RunFindings | FindingsExcerpt, now: int, shown: Callable[[str], str] = printable, why: str = ""
) -> str:
    """Return what changed since the base in one sentence; empty without a base, and if nothing is worth a word.

    A run that is not whole has a sentence about what it lacks instead. ``now`` is in microseconds since 1970, ``shown``
    makes a foreign text safe, ``why`` says why the base is it.
    """
    base, whole = findings["base"], findings.get("whole")
    if is_torn(whole):
        return f"not whole: {wholeness_words(whole)}"
    if base is None:
        return ""
    parts = change_counts(findings)
    if not parts:
        return ""
    began = beginning_of_new(findings)
    if "mine new" in parts and began is not None and began["commit"]:
        parts["mine new"] += f" since {_beginning(began, now, shown)}"
    # These are properties of a test by its history: the base need not differ in them.
    lasting = ", ".join(filter(None, (parts.pop(name, "") for name in ("counts flaky", "counts slower"))))
    commit = shown(commit_text(base["commit"], base["changes"])) if base["commit"] else ""
    described = f"{_run_words(base, why)} ({', '.join(filter(None, (commit, ago(now - base['at']))))})"
    changed = f"{', '.join(parts.values()) or 'nothing new'}, compared with {described}"
    return f"{changed}; {lasting}" if lasting else changed


def _run_words(base: RunMention, why: str) -> str:
    return f"run {base['run']}{f', {why}' if why else ''}"


def since_words(failure: Mapping[str, Any], now: int, shown: Callable[[str], str] = printable) -> str:
    """Return whose a failure, or a reason of some, is and since when: ``new since a1b2c3d (Ann, 2 h ago)``.

    Different failures of a reason are counted: ``2 new since a1b2c3d (Ann, 2 h ago), 1 flaky``. It is empty if nothing
    is known. ``now`` is in microseconds since 1970, ``shown`` makes a foreign text safe.
    """
    kind, since, counts = failure["kind"], failure["since"], failure.get("mine", {})
    began = "" if kind is None or since is None else _KINDS[kind].format(_beginning(since, now, shown))
    whose = (began or MINE.get(kind or "", "")) + _REASON_WORDS[failure.get("same_reason")]
    if len(counts) < 2:  # noqa: PLR2004 - different ones
        return whose
    named = {**MINE, kind: whose}
    return ", ".join(f"{counts[name]:,} {named[name]}" for name in MINE if name in counts)


def _beginning(since: RunMention, now: int, shown: Callable[[str], str]) -> str:
    place = shown(commit_text(since["commit"], since["changes"])) if since["commit"] else f"run {since['run']}"
    author = [shown(since["author"])] if since["author"] else []
    return f"{place} ({', '.join([*author, ago(now - since['at'])])})"


def beginning_of_new(findings: RunFindings | FindingsExcerpt) -> RunMention | None:
    """Return the run with which the new failures began; None if they began with several."""
    reasons: Sequence[FailureReason | ReasonExcerpt] = findings["reasons"]
    began = [reason["since"] for reason in reasons if reason["kind"] == "new"]
    return began[0] if began and all(since == began[0] for since in began) else None


def flaky_line(findings: RunFindings, most: int, shown: Callable[[str], str] = printable) -> str:
    """Return the flaky tests of a run in one line: ``2 flaky: test_rate (2 of 7 runs), test_up (1 of 9 runs)``."""
    tests = [test for test in findings["flaky"] if test["state"] == "flaky"]
    if not tests:
        return ""
    names = [f"{shown(test['name'])} ({test['failed']} of {quantity(test['runs'], 'run')})" for test in tests[:most]]
    count = findings["counts"]["flaky"]
    return f"{count:,} flaky: {_listed(names, count)}"


def _slower_line(findings: RunFindings) -> str:
    """Return the tests that got slower in one line: ``1 slower: test_sum (400 ms, 100 ms before)``."""
    count, tests = findings["counts"]["slower"], findings["slower"][:_NAMES]
    names = [
        f"{printable(test['name'])} ({duration(test['elapsed'])}, {duration(test['median'])} before)" for test in tests
    ]
    return f"{count:,} slower: {_listed(names, count)}" if names else ""


def _still_lines(findings: RunFindings, now: int) -> list[str]:
    """Return a line for each run in which failures began, the run with most of them first."""
    groups: dict[str, list[str]] = {}
    for test in findings["tests"]["still_failing"]:
        if test["kind"] == "still" and test["since"] is not None:
            groups.setdefault(since_words(test, now), []).append(printable(test["name"]))
    largest = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [f"still {since}: {_listed(names[:_NAMES], len(names))}" for since, names in largest]


def _listed(names: Sequence[str], count: int) -> str:
    more = [f"{count - len(names):,} more"] if count > len(names) else []
    return ", ".join([*names, *more])


def told(verdict: VerdictWords) -> str:
    """Return a verdict in one line, with the part of the suite that it is about."""
    return ", ".join(filter(None, (verdict["long"], verdict["part"])))


def brief(verdict: VerdictWords) -> str:
    """Return a verdict in a few words, with a word on that it is about a part of the suite."""
    return f"{verdict['short']}{', part of the suite' if verdict['part'] else ''}"


# Numbers of a run's findings in the order in which people read them, each with its words for one and for many.
_CHANGES: Final = (
    ("mine", "new", "new failure", "new failures"),
    ("mine", "back", "back", "back"),
    ("mine", "flaky", "failure of a flaky test", "failures of flaky tests"),
    ("mine", "still", "still failing", "still failing"),
    ("mine", "known", "known", "known"),
    ("counts", "fixed", "fixed", "fixed"),
    ("counts", "passed_again", "flaky test passed again", "flaky tests passed again"),
    ("counts", "flaky", "flaky", "flaky"),
    ("counts", "slower", "slower", "slower"),
    ("counts", "new_tests", "new test", "new tests"),
    ("counts", "gone", "gone", "gone"),
)


def change_counts(findings: Mapping[str, Any]) -> dict[str, str]:
    """Return the numbers of a run's findings that are not 0 by their names, in words: ``2 new failures``."""
    found = {"mine": findings["mine"], "counts": {**findings["counts"], "flaky": other_flaky(findings)}}
    numbers = [(member, name, found[member][name], words) for member, name, *words in _CHANGES]
    parts = {
        f"{member} {name}": f"{number:,} {words[0] if number == 1 else words[1]}"
        for member, name, number, words in numbers
        if number
    }
    if "mine known" in parts:
        parts["mine known"] = f"{findings['mine']['known']:,} {printable(findings['known'])}"
    return parts


def other_flaky(findings: Mapping[str, Any]) -> int:
    """Return the number of flaky tests that no other number counts; the counts of an excerpt leave these out."""
    lists = findings.get("tests", {})
    counted = {test["key"] for name in _WITH_FLAKY for test in lists.get(name, ())}
    others = sum(test["state"] == "flaky" and test["key"] in counted for test in findings.get("flaky", ()))
    count: int = findings["counts"]["flaky"] - others
    return count


def ago(microseconds: int) -> str:
    """Return how long ago something was."""
    minutes = microseconds // 60_000_000
    if minutes < 1:
        return "just now"
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min ago"
    hours = minutes // 60
    return f"{hours} h ago" if hours < 24 else f"{quantity(hours // 24, 'day')} ago"  # noqa: PLR2004 - a day


def is_torn(document: Mapping[str, Any] | None) -> TypeGuard[Mapping[str, Any]]:
    """Whether tests are known to be missing or twice."""
    return document is not None and bool(document["missing"] or document["twice"])


def wholeness_words(document: Mapping[str, Any]) -> str:
    """Return the proof in words: ``108 tests, each once in 4 jobs``, or ``27 missing, 27 twice, from unit 4/4``."""
    if not is_torn(document) and document["tests"] > document["cases"]:
        return f"{quantity(document['cases'], 'test')}, each once in each of its jobs"
    if not is_torn(document):
        where = f" in {document['of_jobs']:,} jobs" if document["of_jobs"] > 1 else ""
        return f"{quantity(document['tests'], 'test')}, each once{where}"
    counts = [f"{document[name]:,} {name}" for name in ("missing", "twice") if document[name]]
    jobs = [printable(job) for job in document["jobs"]]
    more = [f"{len(jobs) - _MOST_JOBS} more"] if len(jobs) > _MOST_JOBS else []
    return ", ".join(counts) + (f", from {', '.join([*jobs[:_MOST_JOBS], *more])}" if jobs else "")


def commit_text(commit: str | None, changes: str | None) -> str:
    """Return what a run tested, ``9d5b37a`` or ``9d5b37a + changes``; empty without a commit."""
    if not commit:
        return ""
    return printable(commit)[:SHORT_COMMIT] + _CHANGES_WORDS.get(changes or "", " + changes")


def findings_lines(findings: RunFindings, now: int) -> list[str]:
    """Return the lines below a session's numbers, of a first run the verdict alone; ``now`` is in microseconds."""
    if findings["base"] is None:
        return [*filter(None, [verdict_line(findings)])]
    lines = filter(None, (verdict_line(findings), changes_line(findings, now)))
    return [*lines, *(f"  {line}" for line in _named(findings, now))]


def _named(findings: RunFindings, now: int) -> list[str]:
    """Return what the numbers of changes count, in five lines at most: reasons, and names of tests."""
    tests = [*_still_lines(findings, now), flaky_line(findings, _NAMES), _slower_line(findings)]
    names = [*filter(None, tests)]
    # Reasons of what failed say more than names of what did not.
    most = max(MAX_LINES - len(names), min(len(reason_lines(findings, now)), MAX_LINES - 1))
    return [*reason_lines(findings, now, most), *names][:MAX_LINES]


def verdict_line(findings: RunFindings | FindingsExcerpt) -> str:
    """Return the verdict of a run if its counts alone would mislead: it was cut short, or is a part of the suite."""
    verdict = findings["verdict"]
    return printable(told(verdict)) if verdict["part"] or verdict["kind"] not in _COUNTED else ""


def earlier_source_line(findings: RunFindings, source: str) -> str:
    """Return that a new source has the tests of an older one, and the setting that goes on with it; empty if not."""
    earlier = findings["earlier_source"]
    if earlier is None:
        return ""
    name = printable(earlier["name"])
    return (
        f"source {source} is new, but its tests have {quantity(earlier['runs'], 'earlier run')} as source {name};"
        f" to go on with that history, set automation_report_source = {name}"
    )


def reason_lines(findings: RunFindings | FindingsExcerpt, now: int, most: int = MAX_LINES) -> list[str]:
    """Return a line for each reason of the failures; of a single failure only for its beginning.

    Of more than ``most`` reasons the last line has the number of the others. ``now`` is in microseconds since 1970.
    """
    reasons: Sequence[FailureReason | ReasonExcerpt] = findings["reasons"]
    began = beginning_of_new(findings)
    # The line of changes has the commit of all new failures, if they have one.
    fresh = ("back",) if began is not None and began["commit"] else ("new", "back")
    if sum(reason["count"] for reason in reasons) <= 1 and not any(reason["kind"] in fresh for reason in reasons):
        return []
    shown = reasons if len(reasons) <= most else reasons[: most - 1]
    lines = []
    for reason in shown:
        kind = reason["kind"]
        # When the others began stands beside their names.
        counts, title = reason["mine"], cut_end(printable(reason["title"]), _TITLE_UNITS)
        whose = since_words(reason, now) if kind in fresh else mine(counts)
        number = "" if whose and (len(counts) > 1 or kind not in fresh) else f"{reason['count']:,} "
        lines.append(f"{number}{f'{whose}: ' if whose else ''}{title}")
    left = len(reasons) - len(shown)
    return [*lines, f"and {quantity(left, 'more reason')}"] if left else lines
