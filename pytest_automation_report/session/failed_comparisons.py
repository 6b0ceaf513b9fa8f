"""Find the comparison that failed a test among those that pytest explained."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from pytest_automation_report.recording.comparison import captured_sides
from pytest_automation_report.recording.steps import context_of

if TYPE_CHECKING:
    from types import CodeType, TracebackType

    import pytest

    from pytest_automation_report.recording.comparison import Sides

_CALLED_BY_ASSERT: Final = "_call_reprcompare"
_MAX_FRAMES: Final = 30


class FailedComparisons:
    """The last comparison that pytest explained, and the one that failed the running test.

    pytest explains a comparison before its assert raises, also where the test expects that. So a comparison counts only
    if the exception is an `AssertionError` from the same line of the same code.
    """

    __slots__ = ("_failed", "_last")

    def __init__(self) -> None:
        self._last: tuple[CodeType, int, Sides] | None = None
        self._failed: Sides | None = None

    def capture(self, operator: str, left: object, right: object) -> None:
        """Capture a comparison that an assert explains; other callers of pytest's hook raise no exception of it."""
        frame = sys._getframe(1)  # noqa: SLF001 - the function of `sys`
        for _ in range(_MAX_FRAMES):
            following = frame.f_back
            if following is None:
                break
            if frame.f_code.co_name == _CALLED_BY_ASSERT:
                try:
                    self._last = following.f_code, following.f_lineno, captured_sides(operator, left, right)
                except KeyboardInterrupt:
                    raise
                except BaseException:  # noqa: BLE001 - the code of users' objects: a skip of theirs is no outcome
                    break
                return
            frame = following
        self._last = None

    def keep(self, excinfo: pytest.ExceptionInfo[BaseException], report: pytest.TestReport) -> None:
        """Keep the last comparison if this exception of a test comes from it; that of the call is kept before others.

        Subtests have their own texts, and no place for values.
        """
        last, self._last = self._last, None
        trace: TracebackType | None = excinfo.tb  # None if another plugin has dropped it
        # By the type: `isinstance` asks an object for its class.
        if last is None or trace is None or not issubclass(excinfo.type, AssertionError):
            return
        if context_of(report) is not None:
            return
        while trace.tb_next is not None:
            trace = trace.tb_next
        if (trace.tb_frame.f_code, trace.tb_lineno) == last[:2] and (self._failed is None or report.when == "call"):
            self._failed = last[2]

    def take(self) -> Sides | None:
        """Return the comparison that failed the attempt that ends, and forget all."""
        failed, self._failed, self._last = self._failed, None, None
        return failed
