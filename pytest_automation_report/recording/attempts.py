"""Fold the earlier attempts of a test into the one result that counts.

The server stores one result of a test. Under reruns that is the last attempt, and each attempt before it becomes one
console field of it::

    Attempts    3                          the number of attempts, with the last one
    Attempt 1   AssertionError: ...        failure, user's fields and steps of the first attempt
    Attempt 2   AssertionError: ...

Artifacts of earlier attempts get a note: ``attempt 2``, or ``attempt 2: their own note``.

Two processes do this. pytest's process folds the attempts that it has seen itself. If an xdist worker dies between two
attempts, another worker runs the test again and numbers its attempts from 1: then the sender folds the result of the
dead worker into the later one. What it gets are results that may already be folded, so `_folded_attempts` reads them
back. Our fields are known by their ``meta``, which a user's field of the same name has not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_automation_report.api.limits import FIELD_LIMIT, fit_to_limits
from pytest_automation_report.api.models import ATTEMPTS_META, Artifact, Field, FieldType, Test
from pytest_automation_report.api.step_markup import parse_steps
from pytest_automation_report.text.limits import NOTE_UNITS, console, cut_end
from pytest_automation_report.text.patterns import lazy_pattern
from pytest_automation_report.values import Value, field, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Bounded, since a user's field may have such a name and thousands of digits, which int() refuses.
_NUMBER = "[1-9][0-9]{0,8}"
_ATTEMPT_NAME = lazy_pattern(f"Attempt ({_NUMBER})")
_ATTEMPT_NOTE = lazy_pattern(rf"attempt ({_NUMBER})(?:: (.*))?", re.DOTALL)
# This many attempts are shown even if the test's own fields fill all places.
_MIN_SHOWN = 3
# Names of fields that we make: a field with another name was added by the user.
_OUR_NAMES = frozenset({"Output", "Errors", "Log", "Node id", "Subtests", "Unexpected pass"})


class EarlierAttempt(Value):
    """A result that was not the last one of its test, and its extensions as JSON, empty without any."""

    test: Test
    extensions: str


class _ShownAttempt(Value):
    """The text and the artifacts of one attempt that was not the last."""

    text: str
    meta: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()


def with_earlier_attempts(test: Test, earlier: Sequence[Test]) -> Test:
    """Return the test with a field for each earlier attempt, oldest first, and a field with their number.

    ``earlier`` has one test for each attempt, oldest first. Both ``test`` and those in ``earlier`` may have attempts
    folded in already; an attempt that several of them carry counts once.
    """
    if not earlier:
        return test
    attempts, numbers_of_tests = _numbered_attempts(earlier)
    earlier_total = numbers_of_tests[-1][0]
    # The test's own attempts were numbered from 1 by its process: they follow the earlier ones.
    folded, own_total = _folded_attempts(test)
    attempts.update({number + earlier_total: attempt for number, attempt in folded.items()})
    numbers = sorted(attempts)
    own_fields = [field_ for field_ in test.fields if not _is_about_attempts(field_)]
    highlights = [field_ for field_ in own_fields if field_.is_highlight]
    others = [field_ for field_ in own_fields if not field_.is_highlight]
    # One place is for the number of attempts. If places are few, the latest attempts are shown.
    max_shown = max(_MIN_SHOWN, FIELD_LIMIT - len(own_fields) - 1)
    attempt_fields = [
        Field(f"Attempt {number}", attempts[number].text, FieldType.CONSOLE, attempts[number].meta)
        for number in numbers[-max_shown:]
    ]
    total = Field("Attempts", str(earlier_total + own_total), meta=ATTEMPTS_META)
    artifacts = [
        *_own_artifacts(test),
        *(_with_attempt_note(artifact, number) for number in numbers for artifact in attempts[number].artifacts),
    ]
    fields = (*highlights, total, *attempt_fields, *others)
    return fit_to_limits(replace(test, fields=fields, artifacts=tuple(artifacts)))


def attempt_numbers(earlier: Sequence[Test]) -> list[tuple[int, int]]:
    """Return two numbers of each test: that of its attempt in `with_earlier_attempts`, and those before its first one.

    The second number is 0 for a test that carries all attempts before it.
    """
    return _numbered_attempts(earlier)[1]


def attempt_text(test: Test) -> str:
    """Return the text of the field that shows a test as an earlier attempt."""
    return _attempt_of(test).text


def numbered_artifacts(artifacts: Iterable[Artifact]) -> list[tuple[int | None, Artifact]]:
    """Return artifacts with the numbers of their attempts, None for those of the last one."""
    matches = ((_ATTEMPT_NOTE.fullmatch(artifact.note or ""), artifact) for artifact in artifacts)
    return [(int(match[1]) if match else None, artifact) for match, artifact in matches]


def _numbered_attempts(tests: Sequence[Test]) -> tuple[dict[int, _ShownAttempt], list[tuple[int, int]]]:
    """Return all attempts of these tests by number, those folded into them included, and `attempt_numbers`."""
    attempts: dict[int, _ShownAttempt] = {}
    numbers: list[tuple[int, int]] = []
    last = 0
    for test in tests:
        folded, total = _folded_attempts(test)
        # A process numbers its attempts on, and each carries all before it: such a test is the next one, and what it
        # carries is known. A test with other attempts or another number comes from a process that began again at 1.
        is_known = all(attempts[number] == attempt for number, attempt in folded.items() if number in attempts)
        offset = 0 if total == last + 1 and is_known else last
        attempts.update({number + offset: attempt for number, attempt in folded.items()})
        last = total + offset
        attempts[last] = _attempt_of(test)
        numbers.append((last, offset))
    return attempts, numbers


def _folded_attempts(test: Test) -> tuple[dict[int, _ShownAttempt], int]:
    """Return the attempts that were folded into a test, by number, and its number of attempts (1 if it has none)."""
    attempts: dict[int, _ShownAttempt] = {}
    for field_ in test.fields:
        number = _attempt_number(field_)
        if number is not None:
            attempts[number] = _ShownAttempt(field_.value or "", field_.meta, _folded_artifacts(test, number))
    return attempts, _total(test)


def _attempt_of(test: Test) -> _ShownAttempt:
    """Return a test as an earlier attempt: one text of its highlighted console fields and of the user's fields."""
    failures = [field_ for field_ in test.fields if field_.is_highlight and field_.type is FieldType.CONSOLE]
    meta = {**(failures[0].meta if failures else {}), "status": test.status}
    if test.elapsed is not None:
        meta["elapsed"] = str(test.elapsed)
    if not failures:
        text = f"This attempt ended as {test.status}."
    elif len(failures) == 1:
        text = failures[0].value or ""
    else:
        text = "\n\n".join(f"{field_.name}\n{field_.value}" for field_ in failures)
    has_subtests = any(field_.name == "Subtests" for field_ in test.fields)
    user_fields = [field_ for field_ in test.fields if _is_users(field_, has_subtests=has_subtests)]
    if user_fields:
        text = "\n\n".join((text, "\n".join(map(_field_text, user_fields))))
    return _ShownAttempt(console(text), meta, tuple(_own_artifacts(test)))


def _is_users(field_: Field, *, has_subtests: bool) -> bool:
    """Whether the test's user added a field. In a test with subtests the steps field also shows the subtests: no."""
    if field_.is_highlight or field_.name in _OUR_NAMES or _is_about_attempts(field_):
        return False
    return not (has_subtests and field_.name == "Steps")


def _field_text(field_: Field) -> str:
    """Return a field as text: ``name: value``, or one line for each step."""
    value = field_.value or ""
    steps = parse_steps(value)
    return f"{field_.name}: {value}" if steps is None else "\n".join(f"[{status}] {text}" for status, text in steps)


def _own_artifacts(test: Test) -> list[Artifact]:
    """Return the artifacts that do not belong to an earlier attempt."""
    # A user's own note may read so, too: it has no attempt before it.
    last = _total(test)
    return [artifact for number, artifact in numbered_artifacts(test.artifacts) if number is None or number >= last]


def _folded_artifacts(test: Test, number: int) -> tuple[Artifact, ...]:
    """Return the artifacts of an earlier attempt that was folded into a test, with their own notes again."""
    matches = [(artifact, _ATTEMPT_NOTE.fullmatch(artifact.note or "")) for artifact in test.artifacts]
    return tuple(replace(artifact, note=match[2]) for artifact, match in matches if match and int(match[1]) == number)


def _with_attempt_note(artifact: Artifact, number: int) -> Artifact:
    """Return an artifact with the number of its attempt in its note."""
    note = f"attempt {number}: {artifact.note}" if artifact.note else f"attempt {number}"
    return replace(artifact, note=cut_end(note, NOTE_UNITS))


def _attempt_number(field_: Field) -> int | None:
    """Return the number of the attempt that a field of ours shows, None for any other field."""
    match = _ATTEMPT_NAME.fullmatch(field_.name) if "status" in field_.meta else None
    return int(match[1]) if match else None


def _total(test: Test) -> int:
    """Return the number of attempts that a test carries, with its own."""
    return next((int(field_.value or 1) for field_ in test.fields if field_.meta == ATTEMPTS_META), 1)


def _is_about_attempts(field_: Field) -> bool:
    """Whether this module made a field."""
    return field_.meta == ATTEMPTS_META or _attempt_number(field_) is not None
