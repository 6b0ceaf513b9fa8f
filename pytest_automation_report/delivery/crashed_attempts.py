"""Keep the attempts that crashed their workers until the test has a result: they become part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_automation_report.api.models import Test, decode_test, encoded
from pytest_automation_report.recording.attempts import EarlierAttempt, with_earlier_attempts
from pytest_automation_report.spool.artifacts import MARK
from pytest_automation_report.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.delivery.results import Result
    from pytest_automation_report.recording.options import RecordingOptions


class CrashedAttempts:
    """The crashed attempts of a session by node id: the next attempt of a test may stand in the queue of any worker."""

    def __init__(self, options: RecordingOptions) -> None:
        self._options = options
        self._attempts: dict[str, list[EarlierAttempt]] = {}
        # Tests whose crash pytest-xdist counts as a failure although it runs them again.
        self._failures: set[str] = set()

    @property
    def has_any(self) -> bool:
        """Whether an attempt waits for the result of its test."""
        return bool(self._attempts)

    def add(self, nodeid: str, results: Iterable[Result], *, are_failures: bool) -> None:
        """Add attempts of a test, oldest first; ``are_failures``: pytest has counted the test as failed."""
        if are_failures:
            self._failures.add(nodeid)
        self._attempts.setdefault(nodeid, []).extend(map(attempt_from, results))

    def drop_last(self, nodeid: str) -> None:
        """Forget the last attempt of a test: it has become the result, and is none of those before it."""
        self._attempts[nodeid].pop()

    def pop(self, nodeid: str) -> list[EarlierAttempt]:
        """Return and forget the attempts of a test, oldest first; empty if there are none."""
        return self._attempts.pop(nodeid, [])

    def merged(self, result: Result, earlier: list[EarlierAttempt]) -> Result:
        """Return a result with the attempts before it.

        A test that pytest has counted as failed stays failed, with the first field of its last crash, even if it passed
        when it ran again: pytest's own summary and exit code say so, too.
        """
        if not earlier:
            return result
        from pytest_automation_report.recording.extensions import with_attempts  # noqa: PLC0415 - workers seldom crash

        test = _test_from(result)
        if result.nodeid in self._failures and result.status != "error":
            test = replace(
                test, status=self._options.alias("error"), fields=(*earlier[-1].test.fields[:1], *test.fields)
            )
            result = result._replace(status="error")
        text = encoded(with_earlier_attempts(test, [attempt.test for attempt in earlier]))
        extensions = with_attempts(result.extensions, earlier)
        return result._replace(test=text, has_files=MARK in text, extensions=extensions)


def attempt_from(result: Result) -> EarlierAttempt:
    """Return a result as an attempt before another one."""
    return EarlierAttempt(_test_from(result), result.extensions)


def _test_from(result: Result) -> Test:
    return decode_test(result.test)
