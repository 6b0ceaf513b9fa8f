"""Say what is to be said of a run: in a sentence, and in a few words for lists and titles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypedDict

from msgspec import Struct

from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Tone: TypeAlias = Literal["fail", "pass", "flaky", "live", "skip"]

Kind: TypeAlias = Literal[
    "running", "died", "interrupted", "stopped", "ended", "not collected", "failed", "no tests", "skipped", "not whole",
    "passed",
]  # fmt: skip

Ending: TypeAlias = "tuple[Literal['died', 'interrupted', 'stopped', ''], int]"
"""How a session ended if not in order, and the number of failures at which it was to stop."""

MINE: Final = {"new": "new", "back": "back", "flaky": "flaky", "still": "still failing", "known": "known"}
"""Whose a failure is: new, back after it was away, of a flaky test, in the base, too, or known until a date."""

_IN_ORDER: Final[Ending] = ("", 0)


class RunNumbers(Struct, frozen=True, kw_only=True):
    """Numbers of the tests of a run, without modules: those are in ``files`` if they could not be collected.

    ``finished`` tests have an outcome: one that was interrupted, or whose process died, has none. ``flaky`` ones passed
    after a failed attempt. ``collected`` is None if it is not known. ``not_run`` tests were collected and did not
    finish, without those that died; ``lost`` ones are those of ``files``, ``file`` the name of a single one if it
    has no character that means something in Markdown. ``modules`` are the results of modules, of
    which each job may have one; ``uncollected`` ones failed. ``selection`` has the options that chose a part of the
    suite. ``are_results``: several jobs ran the same tests, so these are numbers of results. ``is_torn``: jobs lost
    tests of the run or ran some twice. ``is_silent``: there has been no news of an open run for a while.
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
    lost: int = 0
    modules: int = 0
    uncollected: int = 0
    reasons: int = 0
    ending: Ending = _IN_ORDER
    selection: str = ""
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


class VerdictWords(TypedDict):
    """What is to be said: a sentence, a few words, and the part of the suite that it is about, empty for all of it."""

    kind: Kind
    tone: Tone
    long: str
    short: str
    part: str


def verdict_of(numbers: RunNumbers) -> VerdictWords:
    """Return the verdict of a run."""
    kind, tone, long, short = _open(numbers) if numbers.is_open else _cut(numbers) or _whole(numbers)
    part = f"part of the suite: {numbers.selection}" if numbers.selection else ""
    return {"kind": kind, "tone": tone, "long": long, "short": short, "part": part}


def mine(counts: Mapping[str, int]) -> str:
    """Return failures by `MINE`, as ``1 new, 2 still failing``."""
    return ", ".join(f"{counts[name]:,} {word}" for name, word in MINE.items() if counts.get(name))


def ending_of(notes: Iterable[str]) -> Ending:
    """Return how the sessions of a run ended, by their notes: the worst of it."""
    order = ("died", "interrupted", "stopped", "")
    return min(map(_ending, notes), key=lambda ending: order.index(ending[0]), default=_IN_ORDER)


def _ending(note: str) -> Ending:
    if note.startswith("pytest died"):
        return "died", 0
    if note.startswith(("interrupted by", "ended by pytest.exit")):
        return "interrupted", 0
    # pytest's own words for -x and --maxfail; what errors in collection stop is said by its files.
    _, is_stopped, after = note.partition("stopping after ")
    number = after.partition(" ")[0]
    return ("stopped", int(number)) if is_stopped and number.isdecimal() else _IN_ORDER


_Words: TypeAlias = "tuple[Kind, Tone, str, str]"


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
    ending, limit = numbers.ending
    of = max(numbers.collected or 0, numbers.finished + numbers.not_run)
    some = f"{numbers.finished:,} of " if of > numbers.finished else ""
    after, counted = f"after {some}{of:,}", f"after {some}{numbers.counted(of)}"
    failed = f", {numbers.failed:,} failed" if numbers.failed else ""
    if ending == "died":
        return "died", "fail", f"The session died {counted}{failed}", f"died {after}{failed}"
    if numbers.files and not numbers.finished:
        long = f"Collection failed: {numbers.uncollected_files}, so no test ran"
        return "not collected", "fail", long, "collection failed"
    if not numbers.not_run - numbers.lost or numbers.is_torn:
        return None
    tone: Tone = "fail" if numbers.failed or numbers.files else "skip"
    if ending == "interrupted":
        return "interrupted", tone, f"Interrupted {counted}{failed}", f"interrupted {after}{failed}"
    if ending == "stopped":
        at = "the first failure (-x)" if limit == 1 else f"{limit:,} failures (--maxfail)"
        return "stopped", "fail", f"Stopped at {at} {after}", f"stopped {after}{failed}"
    return "ended", tone, f"Ended {counted}{failed}", f"ended {after}{failed}"


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
