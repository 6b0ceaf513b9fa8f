"""Keep the annotations of the running test, and the errors of users' code.

One test runs at a time in a process, so an annotation from any thread or task belongs to the test that runs; one
through the fixture ``automation_report`` belongs to the fixture's attempt, even from a thread that outlives it.
"""

from __future__ import annotations

from itertools import count
from threading import get_ident
from typing import TYPE_CHECKING, Final, Protocol

from pytest_automation_report.guards import Errors
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pytest

    from pytest_automation_report.api.models import Artifact
    from pytest_automation_report.recording.phases import Annotations

    class OpenAttempt(Protocol):
        """The annotations of an attempt that runs; `functions` has the class, and imports this module."""

        def close(self) -> Annotations:
            """Return the annotations and accept no more."""
            ...


HOOKS: Final = "automation-report-tests"
"""Name among pytest's plugins of the hooks that record the tests of a process; they have its `AnnotationCollector`."""

active: list[AnnotationCollector] = []
"""The last one gets the functions' annotations: a session inside a test (pytester) has its own."""

# The prefix and the names of all hooks of this plugin.
PREFIX: Final = "pytest_automation_report"
DESCRIBE_RUN: Final = f"{PREFIX}_describe_run"
DESCRIBE_TEST: Final = f"{PREFIX}_describe_test"
PUBLISH_ARTIFACT: Final = f"{PREFIX}_publish_artifact"
FINISHED: Final = f"{PREFIX}_finished"
_HOOKS: Final = (DESCRIBE_RUN, DESCRIBE_TEST, PUBLISH_ARTIFACT, FINISHED)


def add_unknown_hooks(errors: Errors, config: pytest.Config) -> None:
    """Report each function in a plugin or conftest that has a name like our hooks, but is not one of them."""
    # pytest itself refuses such a name, but not with ``optionalhook=True``, as ours are to be marked.
    # Without the prefix: with it, all names would be similar to each other.
    endings = [hook.removeprefix(PREFIX) for hook in _HOOKS]
    for name, caller in sorted(vars(config.pluginmanager.hook).items()):
        if name.startswith(PREFIX) and not caller.has_spec():
            import difflib  # noqa: PLC0415 - only for mistakes

            near = difflib.get_close_matches(name.removeprefix(PREFIX), endings)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else f"the hooks are {', '.join(_HOOKS)}"
            for implementation in caller.get_hookimpls():
                code = getattr(implementation.function, "__code__", None)
                place = f" in {code.co_filename}" if code is not None else ""
                errors.add(f"{name}{place}: no hook has this name, so it is never called; {hint}")


class AnnotationCollector:
    """Collects the annotations of the running attempt; owned by the runtest hooks of this process.

    ``folder`` is the session's in the spool, and ``worker`` the name of this process there. ``on_artifact`` is called
    with each artifact that is added. One `begin` leads to several attempts, from ``_first_number`` to
    ``number``, if a plugin runs a test again inside one runtest protocol (pytest-retry).
    """

    __slots__ = (
        "_dropped", "_first_number", "_has_inherited", "_is_set_up", "_marker_names", "_missing_files", "_parent",
        "_surplus", "attempts", "cleaner", "copy", "folder", "is_open", "item", "number", "on_artifact", "options",
        "thread", "user_errors", "worker",
    )  # fmt: skip

    def __init__(self, options: RecordingOptions, folder: str, worker: str) -> None:
        self.options = options
        self.cleaner = cleaner_for(options)
        self.folder = folder
        self.worker = worker
        # Copies a file into the spool; `user_code.copier_of` sets it.
        self.copy: Callable[[Path | bytes], tuple[str, int]] | None = None
        self._marker_names = options.marker_names
        # The parent of the last test, and whether it or a node above it has a marker that adds to results.
        self._parent: object = None
        self._has_inherited = False
        self.on_artifact: Callable[[Artifact], None] | None = None
        self.user_errors = Errors()
        # True from the start of a test to its end; between tests no annotation has a result to go to.
        self.is_open = False
        self.item: pytest.Item | None = None
        # By the number of the attempt; an attempt without annotations has no entry.
        self.attempts: dict[int, OpenAttempt] = {}
        self.number = 0
        self._first_number = 0
        # Whether a setup has begun since the last `begin`.
        self._is_set_up = False
        # The thread that runs the tests.
        self.thread = get_ident()
        # Counters, not integers: `next` is atomic, and annotations come from any thread.
        self._dropped = count()
        self._surplus = count()
        self._missing_files: dict[str, list[str]] = {}

    def begin(self) -> None:
        """Begin an attempt."""
        self.number += 1
        self._first_number = self.number
        self._is_set_up = False
        self.is_open = True
        self.item = None

    def set_up(self, item: pytest.Item) -> None:
        """Note the item whose setup begins; a second setup after one `begin` is the next attempt (pytest-retry)."""
        if self._is_set_up:
            self.number += 1
        self._is_set_up = True
        self.item = item

    def is_marked(self, item: pytest.Item) -> bool:
        """Whether a test, its class or its module has a marker that adds to results."""
        # Tests of one class or module follow each other, so the chain above an item is searched once for all of them.
        if item.parent is not self._parent:
            self._parent = item.parent
            chain = item.listchain()[:-1]
            self._has_inherited = any(mark.name in self._marker_names for node in chain for mark in node.own_markers)
        if self._has_inherited:
            return True
        # A loop, not `any`: this runs at each test, and most tests have no markers.
        for mark in item.own_markers:  # noqa: SIM110
            if mark.name in self._marker_names:
                return True
        return False

    def end(self) -> Sequence[Annotations | None]:
        """End the protocol; return the annotations of each of its attempts; an empty tuple if no attempt has any."""
        self.is_open = False
        if not self.attempts:
            return ()
        attempts = [self.attempts.get(number) for number in range(self._first_number, self.number + 1)]
        self.attempts.clear()
        return [None if attempt is None else attempt.close() for attempt in attempts]

    def report_artifact(self, artifact: Artifact) -> None:
        """Report an artifact at once; artifacts from other threads are reported at the attempt's end only."""
        # The spool's writer has no lock, so only the thread that runs the tests writes.
        if self.on_artifact is not None and self.is_open and get_ident() == self.thread:
            self.on_artifact(artifact)

    def drop(self) -> None:
        """Count an annotation that belongs to no running test."""
        next(self._dropped)

    def drop_surplus(self) -> None:
        """Count an annotation that exceeds the maximum of a result."""
        next(self._surplus)

    def add_missing_file(self, reason: str, path: str) -> None:
        """Count a file that could not be attached."""
        self._missing_files.setdefault(reason, []).append(path)

    def warnings(self) -> list[str]:
        """Return the warnings for the session's end; call it once, since reading the counters advances them."""
        texts = [*self.user_errors.texts]
        dropped, surplus = next(self._dropped), next(self._surplus)
        for reason, paths in self._missing_files.items():
            texts.append(f"artifacts {reason}: {len(paths)}, the first: {paths[0]}")
        if dropped:
            texts.append(f"annotations left out, since their test was not running: {dropped}")
        if surplus:
            texts.append(f"annotations left out, since a result can hold no more: {surplus}")
        return texts
