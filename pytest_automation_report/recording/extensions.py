"""Encode the extensions of a result, for servers that store them beside the contract: phases, steps and others.

Extensions are JSON texts: the spool holds them as they are sent. Those of a test with earlier attempts have one entry
for each of these. The sender changes such texts in two rare cases: `with_attempts` for an attempt that another worker
ran, `with_kept_files` for a file that could not be stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.extensions import ATTEMPTS, COLOURS, COMPARISON, PHASES, STEPS, phases_member
from pytest_automation_report.api.models import FieldType
from pytest_automation_report.recording.attempts import attempt_numbers, attempt_text, numbered_artifacts
from pytest_automation_report.text.limits import cut_middle
from pytest_automation_report.text.visible import ColouredText
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Artifact, Field, Json, Test
    from pytest_automation_report.recording.annotations import Annotations, TimedStep
    from pytest_automation_report.recording.attempts import EarlierAttempt
    from pytest_automation_report.recording.phases import Times
    from pytest_automation_report.text.visible import Span

# The server stores 64 KiB of each extension, nested 32 deep, and 256 KiB of `attempts`.
_MAX_STEPS_CHARACTERS: Final = 32_000
_MAX_COLOURS_CHARACTERS: Final = 32_000
_MAX_ATTEMPTS_CHARACTERS: Final = 128_000
_MAX_DEPTH: Final = 20
# Of a step without its name and its files, of each of these, and of a coloured part without its style.
_STEP_CHARACTERS: Final = 64
_FILE_CHARACTERS: Final = 5
_SPAN_CHARACTERS: Final = 18
# Of a text that is cut, at most six characters stand for one. Below this room a rest of it would say nothing.
_CHARACTERS_OF_ONE: Final = 6
_MIN_TEXT_CHARACTERS: Final = 1_000

_TEXT: Final = "Text"
_OUTPUTS: Final = frozenset({"Output", "Errors", "Log"})


def encoded_extensions(times: Times, annotations: Annotations | None, test: Test, comparison: str = "") -> str:
    """Return a JSON object with the extensions that a result has, empty without any.

    ``test`` is the result without earlier attempts; ``comparison`` is JSON already.
    """
    phases = phases_member(*times)
    members = [phases] if phases else []
    steps = () if annotations is None else annotations.timed_steps
    return _object([*members, *_steps_members(steps), *_colours_members(test.fields), *_comparison_members(comparison)])


def extensions_of(test: Test, annotations: Annotations | None) -> str:
    """Return the extensions of an attempt whose phases are not known."""
    return _object([*_steps_members(annotations.timed_steps if annotations else ()), *_colours_members(test.fields)])


def with_attempts(extensions: str, earlier: Sequence[EarlierAttempt]) -> str:
    """Return the extensions of a result with entries for the attempts before it, which `with_earlier_attempts` folds.

    The latest ones come first into the room that there is.
    """
    if not earlier:
        return extensions
    body = _decoded(extensions)
    numbers = attempt_numbers([attempt.test for attempt in earlier])
    last = numbers[-1][0]
    entries = _moved_entries(body.pop(ATTEMPTS, ()), last)
    for (number, offset), attempt in zip(numbers, earlier, strict=True):
        own = _decoded(attempt.extensions)
        entries += [entry for entry in _moved_entries(own.pop(ATTEMPTS, ()), offset) if entry["number"] < number]
        entries.append(_entry(number, attempt.test, own))
    room = [_MAX_ATTEMPTS_CHARACTERS]
    by_number = {entry["number"]: entry for entry in entries}
    fitted = [_fitted(by_number[number], room) for number in sorted(by_number, reverse=True)]
    body[ATTEMPTS] = [entry for entry in reversed(fitted) if len(entry) > 1]
    if not body[ATTEMPTS]:
        del body[ATTEMPTS]
    return Unpatched.encode(body) if body else ""


def with_kept_files(extensions: str, artifacts: Sequence[Artifact], kept: Sequence[bool]) -> str:
    """Return the extensions of a result with the new places of its files in steps.

    ``kept`` says of each of the ``artifacts`` that the result had whether it still has it.
    """
    body = _decoded(extensions)
    entries = body.get(ATTEMPTS)
    owners = [(None, body)]
    if type(entries) is list:
        owners += [(entry.get("number"), entry) for entry in entries if type(entry) is dict]
    for number, owner in owners:
        flags = [
            is_kept for (other, _), is_kept in zip(numbered_artifacts(artifacts), kept, strict=True) if other == number
        ]
        places = {place: sum(flags[:place]) for place, is_kept in enumerate(flags) if is_kept}
        _move_files(owner.get(STEPS), places)
    return Unpatched.encode(body) if body else ""


def _object(members: Sequence[str]) -> str:
    return f"{{{','.join(members)}}}" if members else ""


def _steps_members(steps: Iterable[TimedStep]) -> list[str]:
    bodies = _steps(steps, [_MAX_STEPS_CHARACTERS], _MAX_DEPTH) if steps else []
    return [f'"{STEPS}":{Unpatched.encode(bodies)}'] if bodies else []


def _comparison_members(comparison: str) -> list[str]:
    return [f'"{COMPARISON}":{comparison}'] if comparison else []


def _colours_members(fields: Sequence[Field]) -> list[str]:
    # Nearly all results have no colours: this loop is all that they cost.
    for field in fields:
        if type(field.value) is ColouredText:
            break
    else:
        return []
    colours = _colours(_by_name(fields))
    return [f'"{COLOURS}":{Unpatched.encode(colours)}'] if colours else []


def _by_name(fields: Iterable[Field]) -> dict[str, str | None]:
    """Return the values of fields by name: of several fields of one name the first."""
    values: dict[str, str | None] = {}
    for field in fields:
        values.setdefault(field.name, field.value)
    return values


def _colours(texts: Mapping[str, str | None]) -> dict[str, list[Span]]:
    """Return the coloured parts of texts by name, the first ones while there is room."""
    colours: dict[str, list[Span]] = {}
    room = _MAX_COLOURS_CHARACTERS
    for name, text in texts.items():
        if not isinstance(text, ColouredText):
            continue
        room -= _CHARACTERS_OF_ONE * len(name)
        spans: list[Span] = []
        for span in text.spans:
            room -= _SPAN_CHARACTERS + len(span[2])
            if room < 0:
                break
            spans.append(span)
        if spans:
            colours[name] = spans
    return colours


def _entry(number: int, test: Test, own: Json) -> Json:
    """Return the entry of one attempt: its output and its own extensions, of the colours those that pages show."""
    outputs = _by_name(
        field for field in test.fields if field.name in _OUTPUTS and field.type is FieldType.CONSOLE and field.value
    )
    entry: Json = {"number": number}
    entry.update({name: own[name] for name in (PHASES, STEPS, COMPARISON) if name in own})
    if outputs:
        entry["output"] = outputs
    spans = own.get(COLOURS)
    spans = spans if type(spans) is dict else {}
    colours = {name: spans[name] for name in outputs if name in spans}
    failures = [field for field in test.fields if field.is_highlight and field.type is FieldType.CONSOLE]
    is_coloured = len(failures) == 1 and failures[0].name in spans
    # The text of the attempt begins with its only failure, unless it was cut.
    if is_coloured and attempt_text(test).startswith(failures[0].value or ""):
        colours[_TEXT] = spans[failures[0].name]
    if colours:
        entry[COLOURS] = colours
    return entry


def _moved_entries(entries: object, count: int) -> list[Json]:
    """Return entries with numbers that are higher by this count."""
    if type(entries) is not list:
        return []
    return [
        {**entry, "number": entry["number"] + count}
        for entry in entries
        if type(entry) is dict and type(entry.get("number")) is int
    ]


def _fitted(entry: Json, room: list[int]) -> Json:
    """Return an entry without the parts for which there is no room; output that is too long is cut in its middle."""
    fitted: Json = {"number": entry["number"]}
    for name in (PHASES, COMPARISON, STEPS):
        if name in entry and _takes(entry[name], room):
            fitted[name] = entry[name]
    outputs: dict[str, str] = {}
    output = entry.get("output")
    for name, text in output.items() if type(output) is dict else ():
        if _takes(text, room):
            outputs[name] = text
        elif room[0] >= _MIN_TEXT_CHARACTERS and isinstance(text, str):
            outputs[name] = cut_middle(text, room[0] // (1 if text.isascii() else _CHARACTERS_OF_ONE))
            room[0] = 0
    if outputs:
        fitted["output"] = outputs
    colours = entry.get(COLOURS)
    if type(colours) is dict:
        shown = {
            name: spans
            for name, spans in colours.items()
            if (name == _TEXT or (name in outputs and outputs[name] == entry["output"][name])) and _takes(spans, room)
        }
        fitted.update({COLOURS: shown} if shown else {})
    return fitted


def _takes(value: object, room: list[int]) -> bool:
    """Whether a value has room, which it then takes."""
    size = len(Unpatched.encode(value))
    if size > room[0]:
        return False
    room[0] -= size
    return True


def _decoded(extensions: str) -> Json:
    """Return extensions as a JSON object; an empty one for a text that is none, since a record can be forged."""
    try:
        body = Unpatched.decode(extensions) if extensions else {}
    except (ValueError, RecursionError):
        return {}
    return body if type(body) is dict else {}


def _move_files(steps: object, places: Mapping[int, int]) -> None:
    """Give the files of steps their new places; those that are gone are left out."""
    pending = list(steps) if type(steps) is list else []
    while pending:
        step = pending.pop()
        if type(step) is not dict:
            continue
        files, inner = step.pop("files", None), step.get("steps")
        if type(files) is list:
            moved = [places[place] for place in files if type(place) is int and place in places]
            step.update({"files": moved} if moved else {})
        pending += inner if type(inner) is list else ()


def _steps(steps: Iterable[TimedStep], room: list[int], depth: int) -> list[Json]:
    """Return steps as JSON values, in their order while ``room`` characters last; deeper ones are left out."""
    bodies: list[dict[str, Any]] = []
    for step in steps:
        # Six characters stand for one that is not ASCII.
        room[0] -= _STEP_CHARACTERS + (len(step.name) if step.name.isascii() else _CHARACTERS_OF_ONE * len(step.name))
        room[0] -= _FILE_CHARACTERS * len(step.files)
        if room[0] < 0:
            break
        body: dict[str, Any] = {"name": step.name, "status": step.status}
        if step.elapsed_us is not None:
            body["elapsed"] = step.elapsed_us
        if step.files:
            body["files"] = step.files
        if step.steps and depth > 1:
            body["steps"] = _steps(step.steps, room, depth - 1)
        bodies.append(body)
    return bodies
