"""Read the extensions in rows of threads and results: start, phases, steps, running tests, comparison, and others.

Each is missing in a row of a client that does not send it. The values were checked when they were stored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_automation_report.failures.values import Comparison, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.text.visible import Span

    Colours: TypeAlias = Mapping[str, Sequence[Span]]

_StepStatus: TypeAlias = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class RunningTest:
    """A test that runs; ``since`` is in microseconds since the session of its thread began."""

    key: str
    name: str
    folder: str
    since: int


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """The parts of a test's time, in microseconds; together they are its ``elapsed``."""

    setup: int
    call: int
    teardown: int


@dataclass(frozen=True, slots=True)
class StepNode:
    """A step with the steps inside it; ``elapsed`` is in microseconds, None if it did not end.

    ``files`` are places in the list of the artifacts of its attempt, from 0.
    """

    name: str
    status: _StepStatus
    elapsed: int | None
    steps: tuple[StepNode, ...]
    files: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class EarlierAttempt:
    """An attempt before the last one: its captured output by the names of fields, and its other extensions."""

    output: Mapping[str, str]
    phases: PhaseTimes | None
    steps: tuple[StepNode, ...]
    comparison: Comparison | None
    colours: Colours


def start_time(thread: Mapping[str, Any], result: Mapping[str, Any]) -> int | None:
    """Return the start of a test in microseconds since 1970, None if it is not known.

    All threads and jobs of a run have this one time axis, as exactly as the clocks of their machines agree.
    """
    session_started, started = thread["session_started"], result["started"]
    return None if session_started is None or started is None else session_started + started


def running_tests(thread: Mapping[str, Any]) -> tuple[RunningTest, ...]:
    """Return the tests that run in a thread, as its client last reported them."""
    entries: Sequence[Json] = json.loads(thread["running"] or "[]")
    return tuple(RunningTest(entry["key"], entry["name"], entry["folder"], entry["since"]) for entry in entries)


def phase_times(result: Mapping[str, Any]) -> PhaseTimes | None:
    """Return the times of a test's phases, None if they are not known."""
    elapsed, setup, teardown = result["elapsed"], result["setup"], result["teardown"]
    if elapsed is None or setup is None or teardown is None:
        return None
    return PhaseTimes(setup, elapsed - setup - teardown, teardown)


def steps(result: Mapping[str, Any]) -> tuple[StepNode, ...]:
    """Return the steps of a test with their times; empty if only the field ``Steps`` has them, or if there are none."""
    return tuple(map(_step, json.loads(result["steps"] or "[]")))


def comparison(result: Mapping[str, Any]) -> Comparison | None:
    """Return the comparison that failed, None if it is not known."""
    return None if result["comparison"] is None else _comparison(json.loads(result["comparison"]))


def colours(result: Mapping[str, Any]) -> Colours:
    """Return the coloured parts of a test's fields by the names of the fields."""
    return _colours(json.loads(result["colours"] or "{}"))


def earlier_attempts(result: Mapping[str, Any]) -> dict[int, EarlierAttempt]:
    """Return the attempts before the last one, by their numbers, as far as a client sent them."""
    bodies: Sequence[Json] = json.loads(result["attempts"] or "[]")
    return {
        body["number"]: EarlierAttempt(
            body.get("output", {}),
            PhaseTimes(*body["phases"]) if "phases" in body else None,
            tuple(map(_step, body.get("steps", ()))),
            _comparison(body["comparison"]) if "comparison" in body else None,
            _colours(body.get("colours", {})),
        )
        for body in bodies
    }


def _colours(body: Json) -> Colours:
    return {name: tuple((start, end, style) for start, end, style in spans) for name, spans in body.items()}


def _comparison(body: Json) -> Comparison:
    return Comparison(body["operator"], _value(body["left"]), _value(body["right"]))


def _step(body: Json) -> StepNode:
    steps = tuple(map(_step, body.get("steps", ())))
    return StepNode(body["name"], body["status"], body.get("elapsed"), steps, tuple(body.get("files", ())))


def _value(body: Json) -> Value:
    items, entries, fields = body.get("items"), body.get("entries"), body.get("fields")
    return Value(
        body["type"],
        body.get("text"),
        None if items is None else tuple(map(_value, items)),
        None if entries is None else tuple((_value(key), _value(value)) for key, value in entries),
        None if fields is None else tuple((name, _value(value)) for name, value in fields),
        body.get("size"),
        body.get("start", 0),
    )
