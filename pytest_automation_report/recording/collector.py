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
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.models import STEP_LIMIT
from pytest_automation_report.recording.hooks import UserErrors
from pytest_automation_report.recording.steps import Annotations, merged
from pytest_automation_report.spool.records import Step as TimedStep
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    import pytest

    from pytest_automation_report.api.models import Artifact, Field
    from pytest_automation_report.spool.artifacts import ArtifactSpool
    from pytest_automation_report.spool.records import StepStatus
    from pytest_automation_report.text.redaction import TextCleaner


# Limits of memory, for a test that adds in an endless loop. A result shows fewer: the recorder cuts it to the API's
# limits and counts the rest, for steps with the counts of all that began.
_MAX_ANNOTATIONS: Final = 500
_MAX_STEPS: Final = 10_000
_INDENT: Final = "\u203a "
# Steps may nest deeply: those below are in the field of the steps alone.
_MAX_DEPTH: Final = 20


class OpenStep:
    """One step, from its beginning on; ``status`` is None while it is open."""

    __slots__ = ("artifacts", "attempt", "began", "children", "elapsed_us", "name", "parent", "status", "thread")

    def __init__(self, attempt: AttemptAnnotations, name: str, parent: OpenStep | None) -> None:
        self.attempt = attempt
        self.name = name
        self.parent = parent
        self.thread = get_ident()
        self.status: StepStatus | None = None
        self.children: list[OpenStep] = []
        self.artifacts: list[Artifact] = []
        self.began = Unpatched.counter()
        self.elapsed_us: int | None = None

    def end(self, status: StepStatus) -> None:
        """End the step."""
        self.elapsed_us = int((Unpatched.counter() - self.began) * 1_000_000)
        self.status = status

    def timed(self, places: Mapping[int, int], depth: int = _MAX_DEPTH) -> TimedStep:
        """Return the step with those inside it, ``depth`` levels of them at most.

        ``places`` has the place of each artifact of the attempt by its ``id``.
        """
        steps = tuple(child.timed(places, depth - 1) for child in self.children) if depth else ()
        files = tuple(places[id(artifact)] for artifact in self.artifacts if id(artifact) in places)
        return TimedStep(self.name, self.status or "skipped", self.elapsed_us, files, steps)


_open_step: ContextVar[OpenStep | None] = ContextVar("automation_report_step", default=None)


class AttemptAnnotations:
    """Annotations of one attempt; owned by the collector.

    Threads may add at the same time without a lock: `list.append` and `next` of a count are atomic.
    """

    __slots__ = ("_added", "_steps", "artifacts", "collector", "fields", "hook_annotations", "is_closed",
                 "item", "roots")  # fmt: skip

    def __init__(self, collector: AnnotationCollector, item: pytest.Item | None) -> None:
        self.collector = collector
        self.item = item
        self.is_closed = False
        self.fields: list[Field] = []
        self.artifacts: list[Artifact] = []
        self.roots: list[OpenStep] = []
        self.hook_annotations: list[Annotations] = []
        self._added = count()
        self._steps: list[OpenStep] = []

    def add(self, *, field: Field | None = None, artifact: Artifact | None = None) -> None:
        """Add a field or an artifact; count it as dropped if the attempt is over or full."""
        if self.is_closed:
            self.collector.drop()
        elif next(self._added) >= _MAX_ANNOTATIONS:
            self.collector.drop_surplus()
        elif field is not None:
            self.fields.append(field)
        elif artifact is not None:
            self.artifacts.append(artifact)
            step = self._open_step()
            if step is not None:
                step.artifacts.append(artifact)
            self.collector.report_artifact(artifact)

    def _open_step(self) -> OpenStep | None:
        """Return the open step of this context that belongs to this attempt.

        The context's chain of steps may hold others, which are passed over:

        - a step that has ended: a task copied the context inside ``with step("a")`` and runs on after the step;
        - a step of another attempt: a thread of the test before this one kept its context;
        - a step of a fixture with a wider scope: it yields inside ``with step("server")``, which belongs to the attempt
          that set the fixture up, while later tests run in the same context.
        """
        step = _open_step.get()
        while step is not None and (step.attempt is not self or step.status is not None):
            step = step.parent
        return step

    def begin_step(self, name: str) -> OpenStep | None:
        """Begin a step below the open one of this context, or a root; return None if the attempt is over or full."""
        if self.is_closed:
            self.collector.drop()
            return None
        if len(self._steps) >= _MAX_STEPS:
            self.collector.drop_surplus()
            return None
        parent = self._open_step()
        step = OpenStep(self, name, parent)
        self._steps.append(step)
        (self.roots if parent is None else parent.children).append(step)
        return step

    def close(self) -> Annotations:
        """Return the annotations and accept no more."""
        self.is_closed = True
        steps: list[tuple[StepStatus, str]] = []
        for step, depth in _walk(self.roots, 0):
            if len(steps) == STEP_LIMIT:
                break
            unfinished = "" if step.status else " (not finished)"
            steps.append((step.status or "skipped", f"{_INDENT * depth}{step.name}{unfinished}"))
        # Counted apart from the shown steps, so that steps beyond the limit are in the numbers.
        counts = Counter[Any](step.status or "skipped" for step in self._steps)
        places = {id(artifact): place for place, artifact in enumerate(self.artifacts)} if self.roots else {}
        timed_steps = tuple(step.timed(places) for step in self.roots[:STEP_LIMIT])
        own = Annotations(
            tuple(self.fields), tuple(self.artifacts), tuple(steps), dict(counts), timed_steps=timed_steps
        )
        return merged([own, *self.hook_annotations]) or own


class AnnotationCollector:
    """Collects the annotations of the running attempt; owned by the runtest hooks of this process.

    ``artifact_spool`` stores copies of files for the sender. ``artifact_url`` is the URL template of files
    that stay in place, empty without one. ``on_artifact`` is called with each artifact when it is added, so that the
    artifacts of a test whose process dies are known.

    A plugin may run a test again inside one runtest protocol (pytest-retry), so one begin can lead to several attempts:
    they have the numbers from ``_first_number`` to ``_number``.
    """

    __slots__ = (
        "_attempts",
        "_dropped",
        "_first_number",
        "_is_set_up",
        "_missing_files",
        "_number",
        "_surplus",
        "_thread",
        "artifact_spool",
        "artifact_url",
        "cleaner",
        "is_open",
        "item",
        "on_artifact",
        "user_errors",
    )  # fmt: skip

    def __init__(self, cleaner: TextCleaner, artifact_spool: ArtifactSpool, artifact_url: str = "") -> None:
        self.cleaner = cleaner
        self.artifact_spool = artifact_spool
        self.artifact_url = artifact_url
        self.on_artifact: Callable[[Artifact], None] | None = None
        self.user_errors = UserErrors()
        # True from the start of a test to its end; between tests no annotation has a result to go to.
        self.is_open = False
        self.item: pytest.Item | None = None
        # By the number of the attempt; an attempt without annotations has no entry.
        self._attempts: dict[int, AttemptAnnotations] = {}
        self._number = 0
        self._first_number = 0
        # Whether a setup has begun since the last `begin`.
        self._is_set_up = False
        # The thread that runs the tests.
        self._thread = get_ident()
        # Counters, not integers: `next` is atomic, and annotations come from any thread.
        self._dropped = count()
        self._surplus = count()
        self._missing_files: dict[str, list[str]] = {}

    def begin(self) -> None:
        """Begin an attempt."""
        self._number += 1
        self._first_number = self._number
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
        if not self._attempts:
            return ()
        attempts = [self._attempts.get(number) for number in range(self._first_number, self._number + 1)]
        self._attempts.clear()
        return [None if attempt is None else attempt.close() for attempt in attempts]

    def current_attempt(self) -> AttemptAnnotations | None:
        """Return the annotations of the running attempt, None between tests."""
        if not self.is_open:
            return None
        # `setdefault` is atomic: two threads that add first get the same object.
        return self._attempts.get(self._number) or self._attempts.setdefault(
            self._number, AttemptAnnotations(self, self.item)
        )

    def attempt_here(self) -> AttemptAnnotations | None:
        """Return the annotations that this thread or task adds to, None between tests.

        The innermost open step of the context decides:

        - no step, or one of an outer session: the running test. ``field("a", 1)`` in a test;
        - a step begun in the thread that runs the tests: the running test. The step may be that of a session fixture
          that yields inside ``with step("server")``; a field that a later test adds is not the fixture's;
        - a step begun in another thread: the step's attempt. A thread of test 1 is still inside ``with step("upload")``
          when test 2 runs; its field belongs to test 1.
        """
        step = _open_step.get()
        while step is not None and step.status is not None:
            step = step.parent
        if step is None or step.attempt.collector is not self or step.thread == self._thread:
            return self.current_attempt()
        return step.attempt

    def report_artifact(self, artifact: Artifact) -> None:
        """Report an artifact at once; artifacts from other threads are reported at the attempt's end only."""
        # The spool's writer has no lock, so only the thread that runs the tests writes.
        if self.on_artifact is not None and self.is_open and get_ident() == self._thread:
            self.on_artifact(artifact)

    def drop(self) -> None:
        """Count an annotation that belongs to no running test."""
        next(self._dropped)

    def drop_surplus(self) -> None:
        """Count an annotation that exceeds the maximum of a result."""
        next(self._surplus)

    def add_missing_file(self, reason: str, path: str) -> None:
        """Count a file that could not be attached; the summary shows the number and the first path of each reason."""
        self._missing_files.setdefault(reason, []).append(path)

    def warnings(self) -> list[str]:
        """Return the warnings for the session's end; call it once, since reading the counters advances them."""
        texts = self.user_errors.texts
        dropped, surplus = next(self._dropped), next(self._surplus)
        for reason, paths in self._missing_files.items():
            texts.append(f"artifacts {reason}: {len(paths)}, the first: {paths[0]}")
        if dropped:
            texts.append(f"{dropped} annotations came when their test was not running and are left out")
        if surplus:
            texts.append(f"{surplus} annotations are more than a result can hold and are left out")
        return texts


class Step:
    """Context manager for a part of a test with a separate status; does nothing if ``attempt`` is None."""

    __slots__ = ("_attempt", "_begun", "_name")

    def __init__(self, attempt: AttemptAnnotations | None, name: str) -> None:
        self._attempt = attempt
        self._name = name
        # The step of each `__enter__`, None if it was not counted, with the step that was open before. A list: one
        # object may be entered again, also within itself.
        self._begun: list[tuple[OpenStep | None, OpenStep | None]] = []

    def __enter__(self) -> None:
        """Begin the step."""
        if self._attempt is None:
            return
        step = self._attempt.begin_step(self._name)
        self._begun.append((step, _open_step.get()))
        if step is not None:
            _open_step.set(step)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the step as passed, skipped (pytest's skip and xfail) or failed; the exception is not swallowed."""
        if not self._begun:
            return
        step, before = self._begun.pop()
        if step is not None:
            step.end(_status(kind))
            # A fixture's two halves may run in different contexts, where a token could not be reset.
            _open_step.set(before)


def _status(kind: type[BaseException] | None) -> StepStatus:
    if kind is None:
        return "passed"
    # Not imported: a script that calls the functions outside of pytest must not load it.
    pytest: Any = sys.modules.get("pytest")
    unittest: Any = sys.modules.get("unittest")
    kinds = () if pytest is None else (pytest.skip.Exception, pytest.xfail.Exception)
    kinds += () if unittest is None else (unittest.SkipTest,)
    return "skipped" if issubclass(kind, kinds) else "failed"


def _walk(roots: list[OpenStep], depth: int) -> Iterator[tuple[OpenStep, int]]:
    """Yield the steps depth first, each with its depth; without recursion, since steps may nest deeply."""
    pending = [(step, depth) for step in reversed(roots)]
    while pending:
        step, depth = pending.pop()
        yield step, depth
        pending.extend((child, depth + 1) for child in reversed(step.children))
