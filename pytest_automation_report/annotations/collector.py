"""What the tests of this process add to their results, attempt by attempt (floor 1).

One test runs at a time in a process, so whatever thread or task adds something adds it to the test that runs. What a
test's own ``automation_report`` adds belongs to that attempt, even from a thread that outlives it. A test that adds
nothing costs a few attribute stores.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextvars import ContextVar
from itertools import count
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Protocol

from pytest_automation_report.annotations.user_hooks import UserErrors
from pytest_automation_report.api.limits import STEP_LIMIT
from pytest_automation_report.recording.annotations import Annotations, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    import pytest

    from pytest_automation_report.api.models import Artifact, Field
    from pytest_automation_report.recording.annotations import StepStatus
    from pytest_automation_report.text.redaction import TextCleaner

_MOST_KEPT: Final = 500
_MOST_STEPS: Final = 10_000
_DEEPER: Final = "\u203a "


class Keeping(Protocol):
    """Where copies of files wait for the sender."""

    def keep(self, content: Path | bytes) -> tuple[str, int]:
        """Keep a copy of a file, or of bytes, and return its name and size; ValueError for what is too much."""
        ...


class OpenStep:
    """One step that was begun."""

    __slots__ = ("children", "name", "pad", "parent", "status", "thread")

    def __init__(self, pad: AttemptAnnotations, name: str, parent: OpenStep | None) -> None:
        self.pad = pad
        self.name = name
        self.parent = parent
        self.thread = get_ident()
        self.status: StepStatus | None = None
        self.children: list[OpenStep] = []


_open_step: ContextVar[OpenStep | None] = ContextVar("automation_report_step", default=None)


class AttemptAnnotations:
    """What one attempt adds; threads may add at once, since appending to a list is all or nothing."""

    __slots__ = ("_kept", "_steps", "artifacts", "described", "fields", "is_closed", "item", "notes", "roots")

    def __init__(self, notes: AnnotationCollector, item: pytest.Item | None) -> None:
        self.notes = notes
        self.item = item
        self.is_closed = False
        self.fields: list[Field] = []
        self.artifacts: list[Artifact] = []
        self.roots: list[OpenStep] = []
        self.described: list[Annotations] = []
        self._kept = count()
        self._steps: list[OpenStep] = []

    def add(self, *, field: Field | None = None, artifact: Artifact | None = None) -> None:
        """Add one or the other, unless the attempt is over or has far more than a result can hold."""
        if self.is_closed:
            self.notes.drop()
        elif next(self._kept) >= _MOST_KEPT:
            self.notes.drop_surplus()
        elif field is not None:
            self.fields.append(field)
        elif artifact is not None:
            self.artifacts.append(artifact)
            self.notes.tell(artifact)

    def begin_step(self, name: str) -> OpenStep | None:
        """Begin a step below the open one of this context; None when it cannot be kept."""
        if self.is_closed:
            self.notes.drop()
            return None
        if len(self._steps) >= _MOST_STEPS:
            self.notes.drop_surplus()
            return None
        parent = _open_step.get()
        while parent is not None and (parent.pad is not self or parent.status is not None):
            parent = parent.parent
        mark = OpenStep(self, name, parent)
        self._steps.append(mark)
        (self.roots if parent is None else parent.children).append(mark)
        return mark

    def close(self) -> Annotations:
        """Return all that was added; nothing is added any more."""
        self.is_closed = True
        shown: list[tuple[StepStatus, str]] = []
        for mark, depth in _walk(self.roots, 0):
            if len(shown) == STEP_LIMIT:
                break
            unfinished = "" if mark.status else " (not finished)"
            shown.append((mark.status or "skipped", f"{_DEEPER * depth}{mark.name}{unfinished}"))
        counts = Counter[Any](each.status or "skipped" for each in self._steps)
        own = Annotations(tuple(self.fields), tuple(self.artifacts), tuple(shown), dict(counts))
        return merged([own, *self.described]) or own


class AnnotationCollector:
    """The attempt that runs and what it adds; owned by the recording of this process.

    ``stash`` keeps copies of files, None where no sender reads them; ``artifact_url`` is the template of the addresses
    of files that stay where they are, empty without one. ``told_at_once`` is called with each artifact when it is
    added, since the attempt's end may never come.
    """

    __slots__ = ("_dropped", "_first", "_is_set_up", "_missed", "_number", "_pads", "_surplus", "_thread",
                 "artifact_url", "cleaner", "is_open", "item", "stash", "told_at_once", "troubles")  # fmt: skip

    def __init__(self, cleaner: TextCleaner, stash: Keeping | None = None, artifact_url: str = "") -> None:
        self.cleaner = cleaner
        self.stash = stash
        self.artifact_url = artifact_url
        self.told_at_once: Callable[[Artifact], None] | None = None
        self.troubles = UserErrors()
        self.is_open = False
        self.item: pytest.Item | None = None
        self._pads: dict[int, AttemptAnnotations] = {}
        self._number = 0
        self._first = 0
        self._is_set_up = False
        self._thread = get_ident()
        self._dropped = count()
        self._surplus = count()
        self._missed: dict[str, list[str]] = {}

    def begin(self) -> None:
        """Begin an attempt."""
        self._number += 1
        self._first = self._number
        self._is_set_up = False
        self.is_open = True
        self.item = None

    def set_up(self, item: pytest.Item) -> None:
        """Note whose setup begins: a second one, without a new beginning, is a plugin's (pytest-retry) next attempt."""
        if self._is_set_up:
            self._number += 1
        self._is_set_up = True
        self.item = item

    def end(self) -> Sequence[Annotations | None]:
        """End the attempt; return what was added, the last one's at the end, nothing when nothing was."""
        self.is_open = False
        if not self._pads:
            return ()
        found = [self._pads.get(each) for each in range(self._first, self._number + 1)]
        self._pads.clear()
        return [None if each is None else each.close() for each in found]

    def pad(self) -> AttemptAnnotations | None:
        """Return the pad of the attempt that runs, None between tests."""
        if not self.is_open:
            return None
        return self._pads.get(self._number) or self._pads.setdefault(self._number, AttemptAnnotations(self, self.item))

    def pad_here(self) -> AttemptAnnotations | None:
        """Return the pad for what comes from this thread or task: that of the step it is in, or of the running test."""
        mark = _open_step.get()
        while mark is not None and mark.status is not None:
            mark = mark.parent
        # In the thread that runs the tests a step of an earlier one is a fixture's of a wider scope.
        if mark is None or mark.pad.notes is not self or mark.thread == self._thread:
            return self.pad()
        return mark.pad

    def tell(self, artifact: Artifact) -> None:
        """Tell of an artifact at once; what other threads add is told with the attempt's end alone."""
        if self.told_at_once is not None and self.is_open and get_ident() == self._thread:
            self.told_at_once(artifact)

    def drop(self) -> None:
        """Count what belongs to no running test."""
        next(self._dropped)

    def drop_surplus(self) -> None:
        """Count what is more than a result can hold."""
        next(self._surplus)

    def miss(self, why: str, shown: str) -> None:
        """Take note of a file that a result does not have, and why."""
        self._missed.setdefault(why, []).append(shown)

    def told(self) -> list[str]:
        """Return what the session's end has to tell; to be called once."""
        texts = self.troubles.texts
        dropped, surplus = next(self._dropped), next(self._surplus)
        for why, shown in self._missed.items():
            texts.append(f"artifacts {why}: {len(shown)}, the first: {shown[0]}")
        if dropped:
            texts.append(f"{dropped} annotations came when their test was not running and are left out")
        if surplus:
            texts.append(f"{surplus} annotations are more than a result can hold and are left out")
        return texts


class Step:
    """A part of a test, with a status of its own: a context manager; ``pad`` None does nothing."""

    __slots__ = ("_marks", "_name", "_pad")

    def __init__(self, pad: AttemptAnnotations | None, name: str) -> None:
        self._pad = pad
        self._name = name
        self._marks: list[tuple[OpenStep | None, OpenStep | None]] = []

    def __enter__(self) -> None:
        """Begin the step."""
        if self._pad is None:
            return
        mark = self._pad.begin_step(self._name)
        self._marks.append((mark, _open_step.get()))
        if mark is not None:
            _open_step.set(mark)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the step: passed, skipped by pytest's skip or xfail, failed by any other exception, which goes on."""
        if not self._marks:
            return
        mark, before = self._marks.pop()
        if mark is not None:
            mark.status = _status(error)
            # A fixture's two halves may run in different contexts, where a token could not be reset.
            _open_step.set(before)


def _status(error: BaseException | None) -> StepStatus:
    if error is None:
        return "passed"
    pytest: Any = sys.modules.get("pytest")
    unittest: Any = sys.modules.get("unittest")
    kinds = () if pytest is None else (pytest.skip.Exception, pytest.xfail.Exception)
    kinds += () if unittest is None else (unittest.SkipTest,)
    return "skipped" if isinstance(error, kinds) else "failed"


def _walk(marks: list[OpenStep], depth: int) -> Iterator[tuple[OpenStep, int]]:
    """Yield the steps as a book's contents list them, each with its depth; deep ones without recursion."""
    waiting = [(mark, depth) for mark in reversed(marks)]
    while waiting:
        mark, depth = waiting.pop()
        yield mark, depth
        waiting.extend((child, depth + 1) for child in reversed(mark.children))
