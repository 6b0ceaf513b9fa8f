"""Collect the annotations that tests add to their results, attempt by attempt.

One test runs at a time in a process, so an annotation from any thread or task belongs to the test that runs. An
annotation through the fixture ``automation_report`` belongs to the fixture's attempt, even from a thread that outlives
it. A test without annotations costs a few attribute stores.
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
    """A store of file copies that wait for the sender."""

    def keep(self, content: Path | bytes) -> tuple[str, int]:
        """Store a copy of a file, or of bytes, and return its name and size; ValueError if it is too large."""
        ...


class OpenStep:
    """One step, from its beginning on; ``status`` is None while it is open."""

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
    """Annotations of one attempt; owned by the collector.

    Threads may add at the same time without a lock: `list.append` and `next` of a count are atomic.
    """

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
        """Add a field or an artifact; count it as dropped if the attempt is over or full."""
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
        """Begin a step below the open one of this context; return None if the attempt is over or full.

        The context's chain of steps may hold steps that cannot be the parent; they are passed over:

        - a step that has ended: a task copied the context inside ``with step("a")`` and runs on after the step;
        - a step of another attempt: a thread of the test before this one kept its context;
        - a step of a fixture with a wider scope: it yields inside ``with step("server")``, which belongs to the attempt
          that set the fixture up, while later tests run in the same context.

        Without a parent in the chain the step is a root.
        """
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
        """Return the annotations and accept no more."""
        self.is_closed = True
        steps: list[tuple[StepStatus, str]] = []
        for mark, depth in _walk(self.roots, 0):
            if len(steps) == STEP_LIMIT:
                break
            unfinished = "" if mark.status else " (not finished)"
            steps.append((mark.status or "skipped", f"{_DEEPER * depth}{mark.name}{unfinished}"))
        # Counted apart from the shown steps, so that steps beyond the limit are in the numbers.
        counts = Counter[Any](step.status or "skipped" for step in self._steps)
        own = Annotations(tuple(self.fields), tuple(self.artifacts), tuple(steps), dict(counts))
        return merged([own, *self.described]) or own


class AnnotationCollector:
    """Collects the annotations of the running attempt; owned by the runtest hooks of this process.

    ``stash`` stores copies of files for the sender. ``artifact_url`` is the URL template of files
    that stay in place, empty without one. ``told_at_once`` is called with each artifact when it is added, so that the
    artifacts of a test whose process dies are known.

    A plugin may run a test again inside one runtest protocol (pytest-retry), so one begin can lead to several attempts:
    they have the numbers from ``_first`` to ``_number``.
    """

    __slots__ = ("_dropped", "_first", "_is_set_up", "_missed", "_number", "_pads", "_surplus", "_thread",
                 "artifact_url", "cleaner", "is_open", "item", "stash", "told_at_once", "troubles")  # fmt: skip

    def __init__(self, cleaner: TextCleaner, stash: Keeping, artifact_url: str = "") -> None:
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
        """Note the item whose setup begins; a second setup after one `begin` is the next attempt (pytest-retry)."""
        if self._is_set_up:
            self._number += 1
        self._is_set_up = True
        self.item = item

    def end(self) -> Sequence[Annotations | None]:
        """End the protocol; return the annotations of each of its attempts in order, or nothing if there are none."""
        self.is_open = False
        if not self._pads:
            return ()
        attempts = [self._pads.get(number) for number in range(self._first, self._number + 1)]
        self._pads.clear()
        return [None if attempt is None else attempt.close() for attempt in attempts]

    def pad(self) -> AttemptAnnotations | None:
        """Return the annotations of the running attempt, None between tests."""
        if not self.is_open:
            return None
        # `setdefault` is atomic: two threads that add first get the same object.
        return self._pads.get(self._number) or self._pads.setdefault(self._number, AttemptAnnotations(self, self.item))

    def pad_here(self) -> AttemptAnnotations | None:
        """Return the annotations that this thread or task adds to, None between tests.

        The innermost open step of the context decides:

        - no step, or one of an outer session: the running test. ``field("a", 1)`` in a test;
        - a step begun in the thread that runs the tests: the running test. The step may be that of a session fixture
          that yields inside ``with step("server")``; a field that a later test adds is not the fixture's;
        - a step begun in another thread: the step's attempt. A thread of test 1 is still inside ``with step("upload")``
          when test 2 runs; its field belongs to test 1.
        """
        mark = _open_step.get()
        while mark is not None and mark.status is not None:
            mark = mark.parent
        if mark is None or mark.pad.notes is not self or mark.thread == self._thread:
            return self.pad()
        return mark.pad

    def tell(self, artifact: Artifact) -> None:
        """Report an artifact at once; artifacts from other threads are reported at the attempt's end only."""
        # The spool's writer has no lock, so only the thread that runs the tests writes.
        if self.told_at_once is not None and self.is_open and get_ident() == self._thread:
            self.told_at_once(artifact)

    def drop(self) -> None:
        """Count an annotation that belongs to no running test."""
        next(self._dropped)

    def drop_surplus(self) -> None:
        """Count an annotation that exceeds the maximum of a result."""
        next(self._surplus)

    def miss(self, reason: str, path: str) -> None:
        """Note a file that could not be attached, and the reason."""
        self._missed.setdefault(reason, []).append(path)

    def told(self) -> list[str]:
        """Return the warnings for the session's end; call it once, since reading the counters advances them."""
        texts = self.troubles.texts
        dropped, surplus = next(self._dropped), next(self._surplus)
        for reason, paths in self._missed.items():
            texts.append(f"artifacts {reason}: {len(paths)}, the first: {paths[0]}")
        if dropped:
            texts.append(f"{dropped} annotations came when their test was not running and are left out")
        if surplus:
            texts.append(f"{surplus} annotations are more than a result can hold and are left out")
        return texts


class Step:
    """Context manager for a part of a test with a separate status; does nothing if ``pad`` is None."""

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
        """End the step as passed, skipped (pytest's skip and xfail) or failed; the exception is not swallowed."""
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
    # Not imported: a script that annotates outside of pytest must not load it.
    pytest: Any = sys.modules.get("pytest")
    unittest: Any = sys.modules.get("unittest")
    kinds = () if pytest is None else (pytest.skip.Exception, pytest.xfail.Exception)
    kinds += () if unittest is None else (unittest.SkipTest,)
    return "skipped" if isinstance(error, kinds) else "failed"


def _walk(marks: list[OpenStep], depth: int) -> Iterator[tuple[OpenStep, int]]:
    """Yield the steps depth first, each with its depth; without recursion, since steps may nest deeply."""
    waiting = [(mark, depth) for mark in reversed(marks)]
    while waiting:
        mark, depth = waiting.pop()
        yield mark, depth
        waiting.extend((child, depth + 1) for child in reversed(mark.children))
