"""Earlier attempts of a test, folded into the one result that counts (floor 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_automation_report.limits import FIELD_LIMIT, console, fitted
from pytest_automation_report.model import Field, FieldType, Test

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TOTAL = "Attempts"
_NUMBERED = re.compile(r"Attempt ([1-9][0-9]{0,8})")
_DIGITS = re.compile(r"[1-9][0-9]{0,8}")
# However many fields a test has of its own, this many attempts are shown.
_FEWEST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The text of one attempt that was not the last."""

    text: str
    meta: Mapping[str, str] = field(default_factory=dict)


def with_earlier_attempts(test: Test, earlier: Sequence[Test]) -> Test:
    """Return the test with a field for each earlier attempt, oldest first, and their number with its own.

    ``earlier`` has one test an attempt; one that already carries the attempts before it is not counted twice.
    """
    if not earlier:
        return test
    told, last = _in_order(earlier)
    own, total = _carried(test)
    told.update({number + last: attempt for number, attempt in own.items()})
    highlights = [each for each in test.fields if each.is_highlight and not _is_about_attempts(each)]
    others = [each for each in test.fields if not each.is_highlight and not _is_about_attempts(each)]
    room = max(_FEWEST_SHOWN, FIELD_LIMIT - len(highlights) - len(others) - 1)
    numbered = [
        Field(f"Attempt {each}", told[each].text, FieldType.CONSOLE, told[each].meta) for each in sorted(told)[-room:]
    ]
    return fitted(replace(test, fields=(*highlights, Field(_TOTAL, str(last + total)), *numbered, *others)))


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
            attempts[number] = _Attempt(each.value or "", each.meta)
        elif _is_total(each):
            total = int(each.value or "1")
    return attempts, total


def _told(test: Test) -> _Attempt:
    """Return an attempt's own text: what its highlighted console fields say."""
    texts = [each for each in test.fields if each.is_highlight and each.type is FieldType.CONSOLE]
    if not texts:
        return _Attempt(f"This attempt ended as {test.status}.", {"status": test.status})
    if len(texts) == 1:
        text = texts[0].value or ""
    else:
        text = console("\n\n".join(f"{each.name}\n{each.value}" for each in texts))
    return _Attempt(text, {**texts[0].meta, "status": test.status})


def _number(field_: Field) -> int | None:
    """Return the number of the attempt that a field tells of, None for any other field."""
    found = _NUMBERED.fullmatch(field_.name) if field_.type is FieldType.CONSOLE else None
    return int(found.group(1)) if found else None


def _is_total(field_: Field) -> bool:
    """Whether a field is the number of attempts."""
    return field_.name == _TOTAL and _DIGITS.fullmatch(field_.value or "") is not None


def _is_about_attempts(field_: Field) -> bool:
    """Whether a field was written by this module."""
    return _is_total(field_) or _number(field_) is not None
