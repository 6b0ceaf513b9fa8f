"""Earlier attempts of a test, folded into the one result that counts (floor 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_automation_report.api.limits import FIELD_LIMIT, fit_to_limits
from pytest_automation_report.api.models import Artifact, Field, FieldType, Test
from pytest_automation_report.recording.steps import steps_text
from pytest_automation_report.text.limits import NOTE_UNITS, console, cut_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ATTEMPTS = "Attempts"
"""Name of the field that counts the attempts."""

_NUMBERED = re.compile(r"Attempt ([1-9][0-9]{0,8})")
_DIGITS = re.compile(r"[1-9][0-9]{0,8}")
# However many fields a test has of its own, this many attempts are shown.
_FEWEST_SHOWN = 3
_NOTED = re.compile(r"attempt ([1-9][0-9]{0,8})(?:: (.*))?", re.DOTALL)
# What an attempt has that its user has not added.
_OUR_NAMES = frozenset({"Output", "Errors", "Log", "Node id", "Subtests", "Unexpected pass"})


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The text and the artifacts of one attempt that was not the last."""

    text: str
    meta: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()


def with_earlier_attempts(test: Test, earlier: Sequence[Test]) -> Test:
    """Return the test with a field for each earlier attempt, oldest first, and their number with its own.

    ``earlier`` has one test an attempt; one that already carries the attempts before it is not counted twice.
    """
    if not earlier:
        return test
    told, last = _in_order(earlier)
    own, total = _carried(test)
    artifacts = [each for each in test.artifacts if _NOTED.fullmatch(each.note or "") is None]
    told.update({number + last: attempt for number, attempt in own.items()})
    highlights = [each for each in test.fields if each.is_highlight and not _is_about_attempts(each)]
    others = [each for each in test.fields if not each.is_highlight and not _is_about_attempts(each)]
    room = max(_FEWEST_SHOWN, FIELD_LIMIT - len(highlights) - len(others) - 1)
    numbered = [
        Field(f"Attempt {each}", told[each].text, FieldType.CONSOLE, told[each].meta) for each in sorted(told)[-room:]
    ]
    artifacts += [_noted(each, number) for number in sorted(told) for each in told[number].artifacts]
    fields = (*highlights, Field(ATTEMPTS, str(last + total)), *numbered, *others)
    return fit_to_limits(replace(test, fields=fields, artifacts=tuple(artifacts)))


def _in_order(earlier: Sequence[Test]) -> tuple[dict[int, _Attempt], int]:
    """Return all attempts that the tests tell of, each once, by number, and the last number."""
    found: dict[int, _Attempt] = {}
    last = 0
    for test in earlier:
        carried, total = _carried(test)
        known = [found[number] == attempt for number, attempt in carried.items() if number in found]
        # One process numbers its attempts on and each carries those before; another process begins again.
        offset = 0 if total == last + 1 and all(known) else last
        found.update({number + offset: attempt for number, attempt in carried.items()})
        last = total + offset
        found[last] = _told(test)
    return found, last


def _carried(test: Test) -> tuple[dict[int, _Attempt], int]:
    """Return the attempts before it that a test tells of, by number, and the total that it gives (1 without)."""
    attempts: dict[int, _Attempt] = {}
    total = 1
    for each in test.fields:
        if (number := _number(each)) is not None:
            attempts[number] = _Attempt(each.value or "", each.meta, _artifacts_of(test, number))
        elif _is_total(each):
            total = int(each.value or "1")
    return attempts, total


def _told(test: Test) -> _Attempt:
    """Return an attempt's own text: what its highlighted console fields say, and what its user has added to it."""
    texts = [each for each in test.fields if each.is_highlight and each.type is FieldType.CONSOLE]
    meta = {**(texts[0].meta if texts else {}), "status": test.status}
    if not texts:
        text = f"This attempt ended as {test.status}."
    elif len(texts) == 1:
        text = texts[0].value or ""
    else:
        text = "\n\n".join(f"{each.name}\n{each.value}" for each in texts)
    names = {each.name for each in test.fields}
    added = [_added(each) for each in test.fields if _is_added(each, is_with_subtests="Subtests" in names)]
    if added:
        text = "\n\n".join((text, "\n".join(added)))
    artifacts = tuple(each for each in test.artifacts if _NOTED.fullmatch(each.note or "") is None)
    return _Attempt(console(text), meta, artifacts)


def _is_added(field_: Field, *, is_with_subtests: bool) -> bool:
    """Whether a field is one that the test's user has added; among subtests steps are not the user's alone."""
    if field_.is_highlight or field_.name in _OUR_NAMES or _is_about_attempts(field_):
        return False
    return not (is_with_subtests and field_.name == "Steps")


def _added(field_: Field) -> str:
    """Return a field as text."""
    value = field_.value or ""
    return steps_text(value) if value.startswith("<test-steps>") else f"{field_.name}: {value}"


def _artifacts_of(test: Test, number: int) -> tuple[Artifact, ...]:
    """Return the artifacts of an earlier attempt that a test carries, with their own notes."""
    noted = [(each, _NOTED.fullmatch(each.note or "")) for each in test.artifacts]
    return tuple(replace(each, note=found[2]) for each, found in noted if found and int(found[1]) == number)


def _noted(artifact: Artifact, number: int) -> Artifact:
    """Return an artifact with a note that names its attempt."""
    note = f"attempt {number}: {artifact.note}" if artifact.note else f"attempt {number}"
    return replace(artifact, note=cut_end(note, NOTE_UNITS))


def _number(field_: Field) -> int | None:
    """Return the number of the attempt that a field tells of, None for any other field."""
    found = _NUMBERED.fullmatch(field_.name) if field_.type is FieldType.CONSOLE else None
    return int(found.group(1)) if found else None


def _is_total(field_: Field) -> bool:
    """Whether a field is the number of attempts."""
    return field_.name == ATTEMPTS and _DIGITS.fullmatch(field_.value or "") is not None


def _is_about_attempts(field_: Field) -> bool:
    """Whether a field was written by this module."""
    return _is_total(field_) or _number(field_) is not None
