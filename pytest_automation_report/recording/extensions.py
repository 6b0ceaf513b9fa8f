"""Encode the extensions of a result: phases, steps and comparison, for servers that store them beside the contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.extensions import COMPARISON, STEPS, phases_member

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.recording.annotations import Annotations, TimedStep
    from pytest_automation_report.recording.running_attempt import Times

__all__ = ["encoded_extensions"]

# The server stores 64 KiB of each extension, nested 32 deep.
_MAX_STEPS_CHARACTERS: Final = 32_000
_MAX_DEPTH: Final = 20
# Of a step without its name.
_STEP_CHARACTERS: Final = 64

# Users' tests patch `json`: saved at import.
_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


def encoded_extensions(times: Times, annotations: Annotations | None, comparison: str = "") -> str:
    """Return a JSON object with the extensions that a result has, empty without any.

    ``comparison`` is JSON already.
    """
    phases = phases_member(*times)
    members = [phases] if phases else []
    if annotations is not None and annotations.timed_steps:
        members.append(f'"{STEPS}":{_encode(_steps(annotations.timed_steps, [_MAX_STEPS_CHARACTERS], _MAX_DEPTH))}')
    if comparison:
        members.append(f'"{COMPARISON}":{comparison}')
    return f"{{{','.join(members)}}}" if members else ""


def _steps(steps: Iterable[TimedStep], room: list[int], depth: int) -> list[dict[str, Any]]:
    """Return steps as JSON values, in their order while ``room`` characters last; deeper ones are left out."""
    bodies: list[dict[str, Any]] = []
    for step in steps:
        # Six characters stand for one that is not ASCII.
        room[0] -= _STEP_CHARACTERS + (len(step.name) if step.name.isascii() else 6 * len(step.name))
        if room[0] < 0:
            break
        body: dict[str, Any] = {"name": step.name, "status": step.status}
        if step.elapsed_us is not None:
            body["elapsed"] = step.elapsed_us
        if step.steps and depth > 1:
            body["steps"] = _steps(step.steps, room, depth - 1)
        bodies.append(body)
    return bodies
