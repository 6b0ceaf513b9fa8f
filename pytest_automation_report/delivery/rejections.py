"""What a result looks like for a server that will not take it as it is (floor 3, pure).

A shorter form of a result is worth more than none: its key, name and status are its history.

How much goes into the next append, and what a refusal means for it (floor 3, pure).

A server that refuses an append refuses all of it. Which results it cannot take is read from the paths in its answer,
and found by halves when there are none; those are sent in a shorter form, then set aside. The others arrive.

The file of a session's folder with the results that the server cannot take (floor 3).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.api.limits import BATCH_TESTS
from pytest_automation_report.api.models import Field, FieldType, Test, encoded
from pytest_automation_report.delivery.batches import BATCH_BYTES, batch_from
from pytest_automation_report.text.limits import cut_middle, string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pytest_automation_report.delivery.batches import Batch
    from pytest_automation_report.delivery.results import Result, WorkerQueue
    from pytest_automation_report.errors import RefusedError
    from pytest_automation_report.spool.ledger import WorkerProgress

Reduction: TypeAlias = Literal["whole", "cut", "bare"]
"""Whole as recorded; with the texts of its fields cut; with nothing but one field that says what is missing."""

CUT_UNITS: Final = 1_000
"""Longest field value of the cut form, in UTF-16 units."""

LEFT_OUT_FIELD: Final = "Left out"
"""Name of the field that says why a result has no others."""

# The words that servers are known to take for an outcome, ours first; administrators rename them.
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "passed": ("passed", "pass", "success", "ok"),
    "failure": ("failure", "failed", "fail"),
    "error": ("error", "failure", "failed", "fail"),
    "skipped": ("skipped", "skip", "untested"),
}


def next_word(status: str, refused: tuple[str, ...]) -> str | None:
    """Return an alias to try for one of pytest's statuses after these, ``None`` when there is no other."""
    return next((each for each in _WORDS.get(status, ()) if each not in refused), None)


def alias_of(result: Result) -> str:
    """Return the alias that a result was recorded with."""
    return str(json.loads(result.test)["status"])


def shaped(result: Result, form: Reduction, why: str = "", alias: str | None = None) -> Result:
    """Return a result in another form, with another alias where one is given; ``why`` is the server's reason."""
    if form == "whole" and alias is None:
        return result
    test = Test.from_body(json.loads(result.test))
    if form == "bare":
        test = replace(test, fields=(Field(LEFT_OUT_FIELD, string(why)),), artifacts=())
    elif form == "cut":
        test = replace(test, fields=tuple(_cut(each) for each in test.fields))
    if alias is not None:
        test = replace(test, status=alias)
    return result._replace(test=encoded(test))


def _cut(field: Field) -> Field:
    """Return a field with a short value; markup becomes text, since it breaks when it is cut."""
    if field.value is None or len(field.value) <= CUT_UNITS:
        return field
    kind = FieldType.TEXT if field.type is FieldType.HTML else field.type
    return replace(field, value=cut_middle(field.value, CUT_UNITS), type=kind)


TOO_LARGE: Final = 413

SLOW_SECONDS: Final = 0.1
"""An append that takes longer is worth more results than the usual ones, when more are waiting."""

MOST_TESTS: Final = 1_000
"""Most tests of an append to a slow server; back to the usual ones when the server refuses such an append."""

_FRUITLESS: Final = 10
_PATH: Final = re.compile(r"tests(?:\.|\[)(\d+)\]?(?:\.(.*))?")
_CONTENT: Final = ("fields", "artifacts")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A result that the server cannot take in any form, and its reason."""

    result: Result
    why: str


@dataclass(frozen=True, slots=True)
class RefusalDecision:
    """What follows from a refusal; with ``is_final`` nothing more is to be sent.

    ``words`` are pytest's statuses that go by another alias from now on, as (status, alias before, alias now).
    """

    rejections: tuple[Rejection, ...] = ()
    words: tuple[tuple[str, str, str], ...] = ()
    is_final: bool = False


@dataclass(slots=True)
class BisectionState:
    """What is known of one worker's waiting results.

    Among those up to the offset ``until`` is one that the server cannot take; ``size`` is how many they were when that
    was found, ``most`` how many of them go into the next append. ``forms`` are by offset, each with its reason.
    """

    until: int = -1
    size: int = 0
    most: int = 0
    forms: dict[int, tuple[Reduction, str]] = field(default_factory=dict)


class RefusalHandling:
    """The portions of all workers; ``aliases`` are by pytest's status where a server made us use others."""

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self.aliases = dict(aliases)
        self._refused: dict[str, tuple[str, ...]] = {}
        self._most_tests = BATCH_TESTS
        self._most_bytes = BATCH_BYTES
        self._may_grow = True
        self._fruitless = 0
        self._by_worker: dict[str, BisectionState] = {}

    def batch(self, queue: WorkerQueue, account: WorkerProgress) -> Batch:
        """Return the next batch of a lane, the head of whose queue is still to be sent."""
        portion = self._portion(queue.worker)
        waiting: Iterable[Result] = (each for each in queue.results if not account.is_settled(each.offset))
        most = self._most_tests
        if portion.until >= 0:
            suspects = list(takewhile(lambda each: each.offset <= portion.until, queue.results))
            suspects = [each for each in suspects if not account.is_settled(each.offset)]
            if suspects:
                waiting, most = suspects, self._suspected(portion, len(suspects))
            else:
                portion.until = -1
        batch = batch_from(map(self._shaper(portion), waiting), most_tests=most, most_bytes=self._most_bytes)
        return replace(batch, is_full=True) if portion.until >= 0 else batch

    def took(self, queue: WorkerQueue, batch: Batch, seconds: float) -> None:
        """Learn from an append that the server took in this time."""
        self._fruitless = 0
        forms = self._portion(queue.worker).forms
        for each in batch.results if forms else ():
            forms.pop(each.offset, None)
        if self._may_grow and seconds > SLOW_SECONDS and len(queue.results) - len(batch.results) >= self._most_tests:
            self._most_tests = min(MOST_TESTS, 4 * self._most_tests)

    def refused(self, worker: str, batch: Batch, error: RefusedError) -> RefusalDecision:
        """Learn from an append that the server would not take, with nothing of it applied."""
        portion = self._portion(worker)
        named = _named(error, len(batch.results))
        if len(batch.results) > BATCH_TESTS and not named:
            self._most_tests, self._may_grow = BATCH_TESTS, False
            return RefusalDecision()
        if named:
            return self._judged(portion, batch, error, named)
        if error.errors and not any(path.startswith("tests") for path in error.errors):
            return RefusalDecision(is_final=True)
        if len(batch.results) == 1:
            return self._single(portion, batch.results[0], error)
        if error.status == TOO_LARGE:
            self._most_bytes = min(self._most_bytes, batch.size // 2)
        else:
            portion.until, portion.size = batch.last, len(batch.results)
            portion.most = portion.size // 2
        return RefusalDecision()

    def _portion(self, worker: str) -> BisectionState:
        return self._by_worker.setdefault(worker, BisectionState())

    def _shaper(self, portion: BisectionState) -> Callable[[Result], Result]:
        if not portion.forms and not self.aliases:
            return _unchanged

        def shape(result: Result) -> Result:
            form, why = portion.forms.get(result.offset, ("whole", ""))
            return shaped(result, form, why, self.aliases.get(result.status))

        return shape

    @staticmethod
    def _suspected(portion: BisectionState, count: int) -> int:
        """Return how many suspects to send: half of those that are left since some were taken."""
        if count < portion.size:
            portion.size, portion.most = count, max(1, count // 2)
        return portion.most

    def _judged(
        self, portion: BisectionState, batch: Batch, error: RefusedError, named: Mapping[int, tuple[str, ...]]
    ) -> RefusalDecision:
        """Shorten, rename or set aside the results that the server's answer names."""
        rejections, words = [], []
        for index, parts in named.items():
            result = batch.results[index]
            why = _reason(error, index)
            if "status" in parts:
                word = self._renamed(result)
                if word is None:
                    rejections.append(Rejection(result, why))
                elif word not in words:
                    words.append(word)
            elif self._is_content(parts) and portion.forms.get(result.offset, ("whole", ""))[0] != "bare":
                portion.forms[result.offset] = ("bare", why)
            else:
                rejections.append(Rejection(result, why))
        return RefusalDecision(tuple(rejections), tuple(words))

    def _renamed(self, result: Result) -> tuple[str, str, str] | None:
        """Return the other alias for a status that the server does not know, the same for all its results."""
        refused_alias = alias_of(result)
        status, now = result.status, self.aliases.get(result.status)
        if now is not None and now != refused_alias:
            return (status, refused_alias, now)
        tried = (*(each for each in self._refused.get(status, ()) if each != refused_alias), refused_alias)
        self._refused[status] = tried
        word = next_word(status, tried)
        if word is None:
            return None
        self.aliases[status] = word
        return (status, refused_alias, word)

    def _single(self, portion: BisectionState, result: Result, error: RefusedError) -> RefusalDecision:
        """Send a refused result in its next shorter form; set it aside after the last."""
        form, _ = portion.forms.get(result.offset, ("whole", ""))
        why = _reason(error, 0)
        if form == "whole" and error.status == TOO_LARGE:
            portion.forms[result.offset] = ("cut", why)
            return RefusalDecision()
        if form != "bare":
            portion.forms[result.offset] = ("bare", why)
            return RefusalDecision()
        self._fruitless += 1
        if self._fruitless > _FRUITLESS:
            return RefusalDecision(is_final=True)
        return RefusalDecision((Rejection(result, why),))

    @staticmethod
    def _is_content(parts: tuple[str, ...]) -> bool:
        return all(each.startswith(_CONTENT) for each in parts)


def _unchanged(result: Result) -> Result:
    return result


def _named(error: RefusedError, count: int) -> dict[int, tuple[str, ...]]:
    """Return the results that the answer names, by their index, each with the parts of it that are wrong."""
    found: dict[int, tuple[str, ...]] = {}
    for path in error.errors:
        match = _PATH.fullmatch(path)
        if match and int(match[1]) < count:
            found[int(match[1])] = (*found.get(int(match[1]), ()), match[2] or "")
    return dict(sorted(found.items()))


def _reason(error: RefusedError, index: int) -> str:
    """Return why the server would not take one result."""
    matches = ((_PATH.fullmatch(path), path, texts) for path, texts in error.errors.items())
    own = [f"{path}: {texts[0]}" for match, path, texts in matches if match and int(match[1]) == index and texts]
    return "; ".join([str(error), *own[:3]])


_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class RejectedResults:
    """Adds a JSON object a line, for people: the worker, the node id, the server's reason, the test as it was sent."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, result: Result, why: str) -> None:
        """Add a result; raise `OSError` when the file cannot be written."""
        line = json.dumps({"worker": result.worker, "id": result.nodeid, "why": why, "test": json.loads(result.test)})
        descriptor = os.open(self._path, _FLAGS, 0o600)
        with os.fdopen(descriptor, "a", encoding="ascii") as file:
            file.write(f"{line}\n")
