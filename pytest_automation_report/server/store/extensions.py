"""Read the extensions in rows of threads and results: start, phases, steps, running tests, comparison, and others.

Each is missing in a row of a client that does not send it. The values were checked when they were stored: steps and
running tests by the same declarations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct
from msgspec.json import Decoder

from pytest_automation_report.failures.values import Comparison
from pytest_automation_report.server.store.values import RunningTest, StepNode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

Colours: TypeAlias = dict[str, tuple[tuple[int, int, str], ...]]


class PhaseTimes(Struct, frozen=True, array_like=True):
    """The parts of a test's time, in microseconds; together they are its ``elapsed``."""

    setup: int
    call: int
    teardown: int


class EarlierAttempt(Struct, frozen=True):
    """An attempt before the last one: its captured output by the names of fields, and its other extensions."""

    number: int
    output: dict[str, str] = {}
    phases: PhaseTimes | None = None
    steps: tuple[StepNode, ...] = ()
    comparison: Comparison | None = None
    colours: Colours = {}


_running: Final = Decoder(tuple[RunningTest, ...]).decode
_steps: Final = Decoder(tuple[StepNode, ...]).decode
_comparison: Final = Decoder(Comparison).decode
_colours: Final = Decoder(Colours).decode
_attempts: Final = Decoder(tuple[EarlierAttempt, ...]).decode


def start_time(thread: Mapping[str, Any], result: Mapping[str, Any]) -> int | None:
    """Return the start of a test in microseconds since 1970, None if it is not known.

    All threads and jobs of a run have this one time axis, as exactly as the clocks of their machines agree.
    """
    session_started, started = thread["session_started"], result["started"]
    return None if session_started is None or started is None else session_started + started


def running_tests(thread: Mapping[str, Any]) -> tuple[RunningTest, ...]:
    """Return the tests that run in a thread, as its client last reported them."""
    return _running(thread["running"] or "[]")


def phase_times(result: Mapping[str, Any]) -> PhaseTimes | None:
    """Return the times of a test's phases, None if they are not known."""
    elapsed, setup, teardown = result["elapsed"], result["setup"], result["teardown"]
    if elapsed is None or setup is None or teardown is None:
        return None
    return PhaseTimes(setup, elapsed - setup - teardown, teardown)


def steps(result: Mapping[str, Any]) -> tuple[StepNode, ...]:
    """Return the steps of a test with their times; empty if only the field ``Steps`` has them, or if there are none."""
    return _steps(result["steps"] or "[]")


def comparison(result: Mapping[str, Any]) -> Comparison | None:
    """Return the comparison that failed, None if it is not known."""
    return None if result["comparison"] is None else _comparison(result["comparison"])


def colours(result: Mapping[str, Any]) -> Colours:
    """Return the coloured parts of a test's fields by the names of the fields."""
    return _colours(result["colours"] or "{}")


def earlier_attempts(result: Mapping[str, Any]) -> dict[int, EarlierAttempt]:
    """Return the attempts before the last one, by their numbers, as far as a client sent them."""
    return {attempt.number: attempt for attempt in _attempts(result["attempts"] or "[]")}
