"""Say in one line what became of a run, what changed in it, since when something fails, and which tests are flaky."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeGuard

from msgspec import Struct

from pytest_automation_report.text.limits import (
    SHORT_COMMIT,
    cut_end,
    duration,
    listed,
    printable,
    quantity,
)
from pytest_automation_report.text.node_ids import join_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.findings.documents import (
        CommitRange,
        FailureReason,
        FindingsExcerpt,
        ReasonExcerpt,
        RunFindings,
        RunMention,
        SessionStop,
        Tone,
        VerdictKind,
        VerdictWords,
    )

Cut: TypeAlias = "tuple[Literal['died', 'interrupted', 'stopped', ''], int]"
"""What cut a session short, if anything did, and the number of failures at which it was to stop."""

LATER: Final = 0
"""The time of a text that is read at any time: it has dates, since ages would soon be false."""
MINE: Final = {"new": "new", "flaky": "flaky", "still": "still failing", "known": "known"}
"""Whose a failure is: new, of a flaky test, in the base, too, or known until a date."""


class RunNumbers(Struct, frozen=True, kw_only=True):
    """Numbers of the tests of a run. Modules are not among them.

    ``finished`` tests have an outcome; an interrupted test, or one whose process died, has none. ``flaky`` tests passed
    after a failed attempt. ``collected`` is None if it is not known. ``not_run`` tests were collected and did not
    finish; tests that died are not among them. ``files`` could not be collected, ``lost`` counts their tests, and
    ``file`` is the name of a single one if it has no character that means something in Markdown. ``fixtures`` that
    tests share failed, ``fixture`` says which and when of a single one with no such character; they kept ``blocked``
    tests from running. ``modules`` counts results of modules, one a job; the ``uncollected`` ones failed. ``dead``
    says which of several jobs died, in words. ``selection`` has the options that chose a part of the suite.
    ``are_results``: several jobs ran the same tests, so these are numbers of results. ``is_torn``: jobs lost tests
    of the run or ran some twice. ``is_silent``: there has been no news of an open run for a while.
    ``unexplained_exit`` is an exit status of pytest that a plugin set although no test failed, 0 without one, and
    ``exit_jobs`` says in which of several jobs.
    """

    finished: int = 0
    failed: int = 0
    passed: int = 0
    skipped: int = 0
    flaky: int = 0
    collected: int | None = None
    not_run: int = 0
    files: int = 0
    file: str = ""
    fixtures: int = 0
    fixture: str = ""
    blocked: int = 0
    lost: int = 0
    modules: int = 0
    uncollected: int = 0
    reasons: int = 0
    cut: Cut = ("", 0)
    dead: str = ""
    selection: str = ""
    unexplained_exit: int = 0
    exit_jobs: str = ""
    are_results: bool = False
    is_open: bool = False
    is_silent: bool = False
    is_torn: bool = False

    @property
    def uncollected_files(self) -> str:
        """The files that could not be collected, in words."""
        return self.file or quantity(self.files, "file")

    def counted(self, number: int) -> str:
        """Return a number of tests in words."""
        return quantity(number, "result" if self.are_results else "test")


def judge_run(numbers: RunNumbers) -> VerdictWords:
    """Return the verdict of a run."""
    kind, tone, long, short = _open(numbers) if numbers.is_open else _cut(numbers) or _with_exit(numbers)
    part = f"part of the suite: {numbers.selection}" if numbers.selection else ""
    return {"kind": kind, "tone": tone, "long": long, "short": short, "part": part}


def mine(counts: Mapping[str, int]) -> str:
    """Return failures by `MINE`, as ``1 new, 2 still failing``."""
    return ", ".join(f"{counts[name]:,} {word}" for name, word in MINE.items() if counts.get(name))


_Words: TypeAlias = "tuple[VerdictKind, Tone, str, str]"


def _open(numbers: RunNumbers) -> _Words:
    tone: Tone = "flaky" if numbers.is_silent else "live"
    finished, collected = numbers.finished, numbers.collected
    failed = f", {numbers.failed:,} failed" if numbers.failed else ""
    of = "" if collected is None else f" of {collected:,}"
    short = f"{finished:,}{of} so far{failed}"
    if numbers.is_silent and collected is not None and collected > finished:
        return "running", tone, f"{finished:,} of {quantity(collected, 'result')} are here{failed}", short
    if not finished and collected is None:
        return "running", tone, "No test has ended yet", short
    counted = quantity(finished, "test") if collected is None else f"{finished:,} of {quantity(collected, 'test')}"
    return "running", tone, f"{counted} ran{failed}", short


def _cut(numbers: RunNumbers) -> _Words | None:
    """Return the words for a run that ended before its last test; None for others."""
    cut, limit = numbers.cut
    of = max(numbers.collected or 0, numbers.finished + numbers.not_run)
    some = f"{numbers.finished:,} of " if of > numbers.finished else ""
    after, counted = f"after {some}{of:,}", f"after {some}{numbers.counted(of)}"
    failed = f", {numbers.failed:,} failed" if numbers.failed else ""
    if cut == "died":
        whole = f"{numbers.dead}; {some}{numbers.counted(of)} ran" if numbers.dead else f"The session died {counted}"
        return "died", "fail", f"{whole}{failed}", f"died {after}{failed}"
    if numbers.files and not numbers.finished:
        long = f"Collection failed: {numbers.uncollected_files}, so no test ran"
        return "not collected", "fail", long, "collection failed"
    if not numbers.not_run - numbers.lost or numbers.is_torn:
        return None
    tone: Tone = "fail" if numbers.failed or numbers.files else "skip"
    if cut == "interrupted":
        return "interrupted", tone, f"Interrupted {counted}{failed}", f"interrupted {after}{failed}"
    if cut == "stopped":
        at = "the first failure (-x)" if limit == 1 else f"{limit:,} failures (--maxfail)"
        return "stopped", "fail", f"Stopped at {at} {after}", f"stopped {after}{failed}"
    return "ended", tone, f"Ended {counted}{failed}", f"ended {after}{failed}"


def exit_words(status: int, jobs: str = "", *, has_failed: bool = False) -> str:
    """Return that pytest ended with a status although no test failed; ``has_failed``: other tests did."""
    other, where = " other" if has_failed else "", f" in {jobs}" if jobs else ""
    # Other numbers are of one plugin each, or of a later pytest.
    cause = ": a plugin, for instance coverage" if status == 1 else ""
    return f"pytest ended with {status}{where} although no{other} test failed{cause}"


def _with_exit(numbers: RunNumbers) -> _Words:
    """Return the words for a whole run, which is red if pytest ended so without a failed test."""
    kind, _, long, short = words = _of_fixtures(numbers) if numbers.fixtures and not numbers.files else _whole(numbers)
    status = numbers.unexplained_exit
    if not status:
        return words
    said = exit_words(status, numbers.exit_jobs, has_failed=numbers.failed + numbers.files + numbers.fixtures > 0)
    if kind in {"passed", "no tests", "skipped"}:
        return "exit", "fail", said, f"ended with {status}"
    return kind, "fail", f"{long}; {said}", short


def _whole(numbers: RunNumbers) -> _Words:
    failed, finished, files = numbers.failed, numbers.finished, numbers.files
    short = f"{failed:,} failed"
    if files:
        is_one, file = files == 1, quantity(files, "file")
        lost = f", so {quantity(numbers.lost, 'test')} of {'it' if is_one else 'them'} did not run"
        uncollected = f"{numbers.uncollected_files} could not be collected"
        if failed:
            long = f"{_failed(numbers)} and {uncollected}{_reasons(numbers)}"
            return "failed", "fail", long, f"{short}, {file} not collected"
        return "not collected", "fail", uncollected + (lost if numbers.lost else ""), f"{file} not collected"
    if failed:
        return "failed", "fail", _failed(numbers) + _reasons(numbers), short
    if numbers.is_torn:
        return "not whole", "skip", f"{numbers.counted(finished)} passed, the run is not whole", "not whole"
    if numbers.passed:
        return "passed", "pass", f"{_all(numbers, numbers.passed)} passed", "passed"
    return _nothing(numbers)


def fixture_words(phase: str, name: str, file: str | None, line: int | None) -> str:
    """Return which fixture that tests share failed, and when: ``setup of fixture server (session, conftest.py:3)``."""
    function, _, scope = name.removesuffix("]").partition(" [")
    place = ", ".join(filter(None, (scope, join_place(file, line))))
    noun = "fixture " if scope else ""
    return f"{phase.removeprefix('fixture ')} of {noun}{function}" + (f" ({place})" if place else "")


def _of_fixtures(numbers: RunNumbers) -> _Words:
    """Return the words for a run in which fixtures failed that tests share."""
    errors = quantity(numbers.fixtures, "error")
    where = f"in the {numbers.fixture}" if numbers.fixture and numbers.fixtures == 1 else "of fixtures that tests share"
    parts = [f"{errors} {where}"]
    if numbers.blocked:
        parts.append(f"{numbers.counted(numbers.blocked)} could not run for it")
    if numbers.failed:
        parts.append(_failed(numbers) + _reasons(numbers))
    else:
        parts.append(f"{numbers.passed:,} of {numbers.counted(numbers.finished)} passed")
    short = f"{numbers.failed:,} failed, {errors}" if numbers.failed else errors
    return "failed" if numbers.failed else "fixture", "fail", "; ".join(parts), f"{short} of fixtures"


def _nothing(numbers: RunNumbers) -> _Words:
    finished = numbers.finished
    if not finished:
        return "no tests", "skip", "No test ran", "no test ran"
    if numbers.skipped == finished:
        return "skipped", "skip", f"{_all(numbers, finished)} skipped", f"{finished:,} skipped"
    return "skipped", "skip", "No test passed", "no test passed"


def _failed(numbers: RunNumbers) -> str:
    if numbers.failed == numbers.finished and not numbers.files:
        return f"{_all(numbers, numbers.failed)} failed"
    return f"{numbers.failed:,} of {numbers.counted(numbers.finished)} failed"


def _reasons(numbers: RunNumbers) -> str:
    """Return for how many reasons tests failed and files could not be collected; nothing of a single one."""
    has_many = numbers.failed + numbers.files > 1
    return f", for {quantity(numbers.reasons, 'reason')}" if numbers.reasons and has_many else ""


def _all(numbers: RunNumbers, number: int) -> str:
    counted = numbers.counted(number)
    return {1: "The only", 2: "Both"}.get(number, f"All {number:,}") + f" {counted.partition(' ')[2]}"


MAX_LINES: Final = 5
"""Most lines below the numbers of changes, and most with a reason."""

_NAMES: Final = 3  # most names of tests in such a line
_TITLE_UNITS: Final = 140
_MOST_JOBS: Final = 5
# Counts say as much of these verdicts, beside which they stand, and of these others how many tests failed.
_COUNTED: Final = ("passed", "failed", "not whole")
_WITH_FAILED: Final = ("died", "interrupted", "ended")
_KINDS: Final = {
    "new": "new since {}",
    "flaky": "flaky, failing since {}",
    "still": "failing since {}",
    "known": "known, failing since {}",
}
_WITH_FLAKY: Final = ("newly_failing", "still_failing", "passed_again")
# Of a new failure of a test that failed before the base.
_REASON_WORDS: Final = {None: "", True: ", back for the same reason", False: ", back for another reason"}
_CHANGES_WORDS: Final = {"": "", "unknown": ", changes unknown"}


def stop_words(stop: SessionStop, shown: Callable[[str], str] = printable) -> str:
    """Return what ended a session early: ``ended by an internal error of pytest: OSError, at a.py:7 on gw1, ...``."""
    running = stop["running"]
    worker = f" on {shown(running[0][0])}" if len(running) == 1 and running[0][0] else ""
    tests = [f"{shown(test)}{f' ({shown(name)})' if name and not worker else ''}" for name, test in running if test]
    ended = f"ended by {shown(stop['error'])}" if stop["error"] else "its process died"
    place = f", at {shown(stop['place'])}" if stop["place"] else ""
    ran = f", while {listed(tests[:_NAMES], len(tests))} ran" if tests else ""
    job = f", in {shown(stop['job'])}" if stop["job"] else ""
    return f"{ended}{place}{worker}{ran}{job}"


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

    A run that is not whole has a sentence about what it lacks instead. ``now`` is in microseconds since 1970, or
    `LATER`. ``shown`` makes a foreign text safe, ``why`` says why the base is it.
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
    if "mine new" in parts:
        parts["mine new"] += back_words(findings)
        if began is not None and (began["commit"] or began.get("among")):
            parts["mine new"] += f" since {_beginning(began, now, shown)}"
    # These are properties of a test by its history: the base need not differ in them.
    lasting = [parts.pop(name, "") for name in ("counts flaky", "counts slower", "counts unstable_ids")]
    after = ", ".join(filter(None, [_beyond(findings, shown), *lasting]))
    commit = shown(commit_text(base["commit"], base["changes"])) if base["commit"] else ""
    described = f"{_run_words(base, why)} ({', '.join(filter(None, (commit, _when(base['at'], now))))})"
    changed = f"{', '.join(parts.values()) or 'nothing new'}, compared with {described}"
    return f"{changed}; {after}" if after else changed


def _beyond(findings: RunFindings | FindingsExcerpt, shown: Callable[[str], str]) -> str:
    """Return how many failures the main branch does not have; empty if the run is compared with it, or is of it."""
    gate, base = findings.get("gate"), findings["base"]
    if not gate or not gate["failures"] or gate["branch"] is None or base is None or base["run"] == gate["base"]:
        return ""
    return f"{quantity(gate['failures'], 'failure')} that {shown(gate['branch'])} does not have (run {gate['base']})"


def _run_words(base: RunMention, why: str) -> str:
    return f"run {base['run']}{f', {why}' if why else ''}"


def since_words(failure: Mapping[str, Any], now: int, shown: Callable[[str], str] = printable) -> str:
    """Return whose a failure, or a reason of some, is and since when: ``new since a1b2c3d (Ann, 2 h ago)``.

    It is empty if nothing is known. ``now`` is in microseconds since 1970, or `LATER`. ``shown`` makes a foreign text
    safe.
    """
    kind, since = failure["kind"], failure["since"]
    began = "" if kind is None or since is None else _KINDS[kind].format(_beginning(since, now, shown))
    return (began or MINE.get(kind or "", "")) + _REASON_WORDS[failure.get("same_reason")]


def _beginning(since: RunMention, now: int, shown: Callable[[str], str]) -> str:
    among = since.get("among")
    place = shown(commit_text(since["commit"], since["changes"])) if since["commit"] else f"run {since['run']}"
    if among is not None:
        place = among_words(among)
    author = [shown(since["author"])] if since["author"] else []
    return f"{place} ({', '.join([*author, _when(since['at'], now)])})"


def among_words(among: CommitRange) -> str:
    """Return which commits may have brought a failure: ``one of the 10 commits after 145eea8, up to 7eb4270``."""
    after, up_to = (commit_text(among[name], None) for name in ("after", "up_to"))
    return f"one of the {among['commits']:,} commits after {after}, up to {up_to}"


def unlisted_reasons(findings: RunFindings) -> int:
    """Return the number of reasons of a run's failures beyond the hundred that are listed."""
    count = len({reason["fingerprint"] for reason in findings["reasons"]})
    return findings["counts"].get("reasons", count) - count  # older servers tell no more


def split_reasons(findings: RunFindings) -> set[str]:
    """Return the fingerprints of the reasons that are listed several times, once for each kind of their failures."""
    counts = Counter(reason["fingerprint"] for reason in findings["reasons"])
    return {fingerprint for fingerprint, count in counts.items() if count > 1}


def back_words(findings: RunFindings | FindingsExcerpt) -> str:
    """Return how many of the new failures are of tests that failed before the base: `` (2 back)``; empty for none."""
    new, back = findings["mine"]["new"], findings["counts"].get("back", 0)
    return f" ({'all ' * (back > 1)}back)" if 0 < back == new else f" ({back:,} back)" if back else ""


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
    return f"{count:,} flaky: {listed(names, count)}"


def _slower_line(findings: RunFindings) -> str:
    """Return the tests that got slower in one line: ``1 slower: test_sum (400 ms, 100 ms before)``."""
    count, tests = findings["counts"]["slower"], findings["slower"][:_NAMES]
    names = [
        f"{printable(test['name'])} ({duration(test['elapsed'])}, {duration(test['median'])} before)" for test in tests
    ]
    return f"{count:,} slower: {listed(names, count)}" if names else ""


def moved_names(test: Mapping[str, Any]) -> tuple[str, str]:
    """Return how a moved test was called and how it is called now, by that part of its names that differs."""
    was, part = test["was"], "folder" if test["was"]["folder"] != test["folder"] else "name"
    return was[part], test[part]


def _moved_lines(findings: RunFindings) -> list[str]:
    """Return between which names most tests were moved: ``6 moved: tests.test_a -> tests.test_b``."""
    names = Counter(moved_names(test) for test in findings["tests"].get("moved", ()))
    return [f"{count:,} moved: {printable(was)} -> {printable(now)}" for (was, now), count in names.most_common(1)]


def _still_lines(findings: RunFindings, now: int) -> list[str]:
    """Return a line for each run in which failures began, the run with most of them first."""
    groups: dict[str, list[str]] = {}
    for test in findings["tests"]["still_failing"]:
        if test["kind"] == "still" and test["since"] is not None:
            groups.setdefault(since_words(test, now), []).append(printable(test["name"]))
    largest = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [f"still {since}: {listed(names[:_NAMES], len(names))}" for since, names in largest]


def verdict_sentence(verdict: VerdictWords) -> str:
    """Return a verdict in one line, with the part of the suite that it is about."""
    return ", ".join(filter(None, (verdict["long"], verdict["part"])))


def brief(verdict: VerdictWords) -> str:
    """Return a verdict in a few words, with a word on that it is about a part of the suite."""
    return f"{verdict['short']}{', part of the suite' if verdict['part'] else ''}"


_UNSTABLE: Final = (
    "test has an id that differs from run to run, so it has no history: give it ids=",
    "tests have ids that differ from run to run, so they have no history: give them ids=",
)


def unstable_words(count: int) -> str:
    """Return how many tests have ids that differ from run to run, and what to do; empty for none."""
    return f"{count:,} {_UNSTABLE[count != 1]}" if count else ""


# Numbers of a run's findings in the order in which people read them, each with its words for one and for many.
_CHANGES: Final = (
    ("mine", "new", "new failure", "new failures"),
    ("mine", "flaky", "failure of a flaky test", "failures of flaky tests"),
    ("mine", "still", "still failing", "still failing"),
    ("mine", "known", "known", "known"),
    ("counts", "fixed", "fixed", "fixed"),
    ("counts", "passed_again", "flaky test passed again", "flaky tests passed again"),
    ("counts", "flaky", "flaky", "flaky"),
    ("counts", "slower", "slower", "slower"),
    ("counts", "new_tests", "new test", "new tests"),
    ("counts", "gone", "gone", "gone"),
    ("counts", "moved", "moved", "moved"),
    ("counts", "newly_skipped", "newly skipped", "newly skipped"),
    ("counts", "unstable_ids", *_UNSTABLE),
)


def change_counts(findings: Mapping[str, Any]) -> dict[str, str]:
    """Return the numbers of a run's findings that are not 0 by their names, in words: ``2 new failures``."""
    found = {"mine": findings["mine"], "counts": {**findings["counts"], "flaky": other_flaky(findings)}}
    # Servers of earlier releases do not have all of them.
    numbers = [(member, name, found[member].get(name, 0), words) for member, name, *words in _CHANGES]
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


def moment(microseconds: int) -> str:
    """Return a time, in microseconds since 1970, for readers, in UTC: ``2 Dec 2026, 14:05 UTC``."""
    return f"{datetime.fromtimestamp(microseconds / 1e6, timezone.utc):%d %b %Y, %H:%M} UTC".lstrip("0")


def _when(at: int, now: int) -> str:
    return time_ago(now - at) if now else moment(at)


def time_ago(microseconds: int) -> str:
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
    if not is_torn(document):
        tests, cases, of_jobs = (document[name] for name in ("tests", "cases", "of_jobs"))
        where = " in each of its jobs" if tests > cases else f" in {of_jobs:,} jobs" if of_jobs > 1 else ""
        return f"{quantity(min(tests, cases), 'test')}, each once{where}"
    counts = [f"{document[name]:,} {name}" for name in ("missing", "twice") if document[name]]
    jobs = [printable(job) for job in document["jobs"]]
    return ", ".join(counts) + (f", from {listed(jobs[:_MOST_JOBS], len(jobs))}" if jobs else "")


def commit_text(commit: str | None, changes: str | None) -> str:
    """Return what a run tested, ``9d5b37a`` or ``9d5b37a + changes``; empty without a commit."""
    if not commit:
        return ""
    return printable(commit)[:SHORT_COMMIT] + _CHANGES_WORDS.get(changes or "", " + changes")


def findings_lines(findings: RunFindings, now: int) -> list[str]:
    """Return the lines below a session's numbers, of a first run the verdict alone; ``now`` is in microseconds."""
    stops = map(stop_words, findings.get("stops", ()))
    if findings["base"] is None:
        return [*filter(None, [verdict_line(findings, has_counts=True), *stops])]
    lines = [*filter(None, (verdict_line(findings, has_counts=True), *stops, changes_line(findings, now)))]
    if findings["verdict"]["kind"] == "fixture":  # with `-q` the first line is the only one
        lines.reverse()
    return [*lines, *(f"  {line}" for line in _named(findings, now))]


def _named(findings: RunFindings, now: int) -> list[str]:
    """Return what the numbers of changes count, in five lines at most: reasons, and names of tests."""
    tests = [
        *_still_lines(findings, now),
        flaky_line(findings, _NAMES),
        _slower_line(findings),
        *_moved_lines(findings),
    ]
    names = [*filter(None, tests)]
    # Reasons of what failed say more than names of what did not.
    most = max(MAX_LINES - len(names), min(len(reason_lines(findings, now)), MAX_LINES - 1))
    return [*reason_lines(findings, now, most), *names][:MAX_LINES]


def verdict_line(findings: RunFindings | FindingsExcerpt, *, has_counts: bool = False) -> str:
    """Return the verdict of a run if its counts alone would mislead: it was cut short, or is a part of the suite.

    With ``has_counts`` the results by status stand beside the line, which does not repeat them.
    """
    verdict = findings["verdict"]
    kind, long, part = verdict["kind"], verdict["long"], verdict["part"]
    if kind in _COUNTED and (has_counts or not part):
        long = ""
    elif kind in _WITH_FAILED and has_counts:
        long = long.partition(", ")[0]
    line = ", ".join(filter(None, (long, part)))
    return printable(line if long else f"{line[:1].upper()}{line[1:]}")


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


def reason_lines(findings: RunFindings, now: int, most: int = MAX_LINES) -> list[str]:
    """Return a line for each reason of the failures; of a single failure only for its beginning.

    Reasons whose lines would be equal share one, with the names of tests. Of more than ``most``
    lines the last one has the number of the other reasons. ``now`` is in microseconds since 1970.
    """
    reasons, began = findings["reasons"], beginning_of_new(findings)
    # The line of changes has the commit of all new failures, if they have one.
    fresh = () if began is not None and (began["commit"] or began.get("among")) else ("new",)
    if sum(reason["count"] for reason in reasons) <= 1 and not any(reason["kind"] in fresh for reason in reasons):
        return []
    alike: dict[tuple[str, str | None], list[FailureReason]] = {}
    for reason in reasons:
        title = cut_end(printable(reason["title"]), _TITLE_UNITS)
        whose = since_words(reason, now) if reason["kind"] in fresh else reason["kind"]
        alike.setdefault((title, whose), []).append(reason)
    shown = list(alike.items())[: most if len(alike) <= most else most - 1]
    lines = []
    for (title, _), same in shown:
        kind, count = same[0]["kind"], sum(reason["count"] for reason in same)
        # When the others began stands beside their names.
        whose = since_words(same[0], now) if kind in fresh else MINE.get(kind or "", "")
        lines.append(f"{count:,} {f'{whose}: ' if whose else ''}{title}{_names(findings, same)}")
    left = len(reasons) + unlisted_reasons(findings) - sum(len(same) for _, same in shown)
    return [*lines, f"and {quantity(left, 'more reason')}"] if left else lines


def _names(findings: RunFindings, reasons: Sequence[FailureReason]) -> str:
    """Return the tests that tell some reasons apart: `` (test_a, test_b)``; nothing for a single reason."""
    if len(reasons) == 1:
        return ""
    fingerprints = {reason["fingerprint"] for reason in reasons}
    tests = [*findings["tests"]["newly_failing"], *findings["tests"]["still_failing"]]
    names = [printable(test["name"]) for test in tests if test["fingerprint"] in fingerprints]
    return f" ({listed(names[:_NAMES], sum(reason['count'] for reason in reasons))})" if names else ""
