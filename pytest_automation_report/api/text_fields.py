"""Fields in which a Testmo instance shows attempts and steps: their words, and how they are read again.

Servers of ours take typed values. Texts are read where nothing else is known: of a Testmo instance, of results of
other clients, and once of what older stores have.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import Struct
from msgspec import field as member
from msgspec.structs import replace

from pytest_automation_report.api.models import KNOWN_FIELD, PAST_FIELD, Cause, Field, FieldType, Json, Known, Step
from pytest_automation_report.api.results import INDENT, OUTPUTS, EarlierAttempt
from pytest_automation_report.text.dates import day_from
from pytest_automation_report.text.limits import STRING_UNITS, fits_in, whole_number
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import CauseKind, StepStatus
    from pytest_automation_report.api.results import Streams

# Meta of the field with the number of attempts of a test: a field of that name alone is an author's.
ATTEMPTS_META: Final = {"counts": "attempts"}


def known_field(known: Known) -> Field:
    """Return the field that says until when a failure is, or was, known."""
    text = f"{known.until} {known.reason}".rstrip()
    type_ = FieldType.STRING if fits_in(text, STRING_UNITS) else FieldType.TEXT
    return Field(PAST_FIELD if known.is_past else KNOWN_FIELD, text, type_)


def known_from(name: str, value: str | None) -> Known | None:
    """Return what a field, or a property of a result file, says of a known failure; None for any other one."""
    day, _, reason = (value or "").partition(" ")
    if name not in {KNOWN_FIELD, PAST_FIELD}:
        return None
    try:
        day_from(day)
    except ValueError:
        return None
    return Known(day, reason, is_past=name == PAST_FIELD)


OPENING_TAG: Final = "<test-steps>"
CLOSING_TAG: Final = "</test-steps>"
_WHOLE = lazy_pattern(f"{OPENING_TAG}(.*){CLOSING_TAG}", re.DOTALL)
_STEP = lazy_pattern(r'\s*<test-step status="(passed|failed|skipped)">([^<]*)</test-step>\s*')


def step_markup(status: str, text: str) -> str:
    """Return the markup of one step."""
    return f'<test-step status="{status}">{escape(text)}</test-step>'


def parse_steps(markup: str) -> list[tuple[StepStatus, str]] | None:
    """Return the steps of a field, each as its status and text; None if it has anything but steps in it."""
    whole = _WHOLE.fullmatch(markup.strip())
    if whole is None:
        return None
    position, steps = 0, list[Any]()
    while position < len(whole[1]):
        step = _STEP.match(whole[1], position)
        if step is None:
            return None
        steps.append((step[1], unescape(step[2])))
        position = step.end()
    return steps


OWNER_FIELD: Final = "Owner"
XPASS_FIELD: Final = "Unexpected pass"

_SUBTEST: Final = lazy_pattern(r"Failure \[(.*)\]", re.DOTALL)
_FAILED: Final = lazy_pattern(r"(?:Failure|Error)(?: \[.*\])?", re.DOTALL)
_ATTEMPT: Final = lazy_pattern(r"Attempt ([1-9][0-9]{0,8})")
_TEXT_STEPS: Final = lazy_pattern(r"\n\n((?:\n?\[(?:passed|failed|skipped)\] [^\n]*)+)")
_TEXT_STEP: Final = lazy_pattern(r"\[(passed|failed|skipped)\] (.*)")
_NAMED: Final = lazy_pattern(r"([^\n:]+): ([^\n]*)")
_TEXTS: Final = frozenset({FieldType.TEXT, FieldType.HTML, FieldType.CONSOLE})


class ReadFields(Struct):
    """What the fields of a result say, and those that say nothing else."""

    causes: list[Cause] = member(default_factory=list)
    output: Streams = member(default_factory=dict)
    owner: str = ""
    fields: list[Json] = member(default_factory=list)
    steps: list[Step] = member(default_factory=list)
    attempts: list[EarlierAttempt] = member(default_factory=list)


_SAYING: Final = frozenset({*OUTPUTS, OWNER_FIELD, XPASS_FIELD, "Skipped", "Failure", "Error"})


def may_say(name: str, meta: Mapping[str, str], is_highlight: object) -> bool:
    """Whether a field may say more than its name and value, so that `read_fields` is worth its time."""
    return is_highlight is True or name in _SAYING or "message" in meta


def read_fields(fields: Iterable[Json], *, has_failed: bool, has_passed: bool) -> ReadFields:
    """Return causes, output and owner of a result by the names and marks of its fields, which are as in the API."""
    listed = list(fields)
    causes = _cause_fields(listed, has_failed=has_failed, has_passed=has_passed)
    found = ReadFields()
    for each in listed:
        name, type_, value = each["name"], each.get("type"), each.get("value") or ""
        if each in causes:
            found.causes.append(_cause(each, "failure" if has_failed else "skipped"))
        elif name == XPASS_FIELD and type_ == FieldType.STRING:
            found.causes.append(Cause("xpass", name, value))
        elif name in OUTPUTS and type_ in _TEXTS and name not in found.output:
            found.output[name] = value
        elif name == OWNER_FIELD and type_ == FieldType.STRING and has_failed and not found.owner:
            found.owner = value
        else:
            found.fields.append(each)
    return found


def _cause_fields(fields: Sequence[Json], *, has_failed: bool, has_passed: bool) -> list[Json]:
    """Return the fields that say why a test failed or was skipped: the marked ones, else one with a message."""
    if has_passed:
        return []
    consoles = [each for each in fields if each.get("is_highlight") and each["name"] != "Failures left out"]
    if consoles:
        return consoles
    others = [each for each in fields if not _ATTEMPT.fullmatch(each["name"])]
    told = [each for each in others if (each.get("meta") or {}).get("message")]
    named = [each for each in others if each.get("type") == FieldType.CONSOLE and _is_named(each["name"], has_failed)]
    return told[:1] or named


def _is_named(name: str, has_failed: bool) -> bool:  # noqa: FBT001 - one of two kinds of names
    return _FAILED.fullmatch(name) is not None if has_failed else name == "Skipped"


def _cause(field: Json, otherwise: CauseKind) -> Cause:
    name, meta = field["name"], field.get("meta") or {}
    kind: CauseKind = "skipped" if name == "Skipped" else "error" if name.startswith("Error") else otherwise
    subtest = _SUBTEST.fullmatch(name)
    return Cause(
        "untested" if name == "Not run" else kind,
        name,
        field.get("value") or "",
        meta.get("message", ""),
        meta.get("type", ""),
        meta.get("phase", ""),
        subtest[1] if subtest else None,
    )


def read_result(
    fields: Iterable[Json],
    steps: Sequence[Step] = (),
    attempts: Sequence[EarlierAttempt] = (),
    *,
    has_failed: bool,
    has_passed: bool,
) -> ReadFields:
    """Return all that the fields of a result say; ``steps`` and ``attempts`` are what is known besides."""
    earlier, others = _read_attempts(fields, attempts)
    listed, others = _read_steps(others, steps)
    found = read_fields(others, has_failed=has_failed, has_passed=has_passed)
    found.steps, found.attempts = list(listed), earlier
    return found


def _read_attempts(fields: Iterable[Json], known: Iterable[EarlierAttempt]) -> tuple[list[EarlierAttempt], list[Json]]:
    """Return the earlier attempts that fields show, with what is known of them besides, and the other fields."""
    attempts = {attempt.number: attempt for attempt in known}
    others: list[Json] = []
    for each in fields:
        meta = each.get("meta") or {}
        match = _ATTEMPT.fullmatch(each["name"]) if "status" in meta else None
        if match is not None:
            number = int(match[1])
            attempts[number] = _attempt(each, meta, attempts.get(number, EarlierAttempt(number)))
        elif meta != ATTEMPTS_META:
            others.append(each)
    return [attempts[number] for number in sorted(attempts)], others


def _attempt(field: Json, meta: Mapping[str, str], known: EarlierAttempt) -> EarlierAttempt:
    text, status = field.get("value") or "", meta["status"]
    steps = _TEXT_STEPS.search(text)
    listed: list[tuple[StepStatus, str]] = []
    added: list[Field] = []
    if steps is not None:
        listed = [(cast("StepStatus", word), name) for word, name in _TEXT_STEP.findall(steps[1])]
        lines = text[steps.end() :].splitlines()[1:]
        named = [match for line in lines if (match := _NAMED.fullmatch(line))]
        if len(named) == len(lines):
            added = [Field(name, value) for name, value in (match.groups() for match in named)]
            lines = []
        text = "\n".join([text[: steps.start()], *(["", *lines] if lines else [])])
    kind: CauseKind = "skipped" if status == "skipped" else "error" if status == "error" else "failure"
    name = kind.capitalize()
    cause = Cause(kind, name, text, meta.get("message", ""), meta.get("type", ""), meta.get("phase", ""))
    colours = {**known.colours}
    if spans := colours.pop("Text", None):
        colours[name] = spans
    return replace(
        known,
        status=status,
        elapsed=whole_number(meta.get("elapsed"), 15),  # years
        causes=() if text == f"This attempt ended as {status}." else (cause,),
        steps=known.steps or nest_steps(listed),
        fields=tuple(added),
        colours=colours,
    )


def _read_steps(fields: Iterable[Json], known: Sequence[Step]) -> tuple[tuple[Step, ...], list[Json]]:
    """Return the steps that a field has as markup, unless others are known, and the other fields."""
    steps, others = tuple(known), list[Json]()
    for each in fields:
        listed = parse_steps(each.get("value") or "") if each["name"] == "Steps" else None
        if listed is None:
            others.append(each)
        else:
            steps = steps or nest_steps(listed)
    return steps, others


def nest_steps(listed: Sequence[tuple[StepStatus, str]]) -> tuple[Step, ...]:
    """Return steps as a tree: ``a``, ``> b``, ``c`` with `INDENT` for ``>`` are two, and the first has one inside."""
    roots: list[Step] = []
    for status, text in listed:
        name = text.lstrip(INDENT)
        depth = text[: len(text) - len(name)].count(INDENT[0])
        ending = " (not finished)"
        step = Step(name.removesuffix(ending) or text, status, is_open=name.endswith(ending))
        roots = _placed(roots, step, depth)
    return tuple(roots)


def _placed(steps: list[Step], step: Step, depth: int) -> list[Step]:
    if not depth or not steps:
        return [*steps, step]
    inner = _placed(list(steps[-1].steps), step, depth - 1)
    return [*steps[:-1], replace(steps[-1], steps=tuple(inner))]
