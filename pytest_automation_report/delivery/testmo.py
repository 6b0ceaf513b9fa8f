"""The fields in which a Testmo instance shows what it has no other place for.

A result has the causes of its last attempt, its steps and output, and what the test's author added. Under reruns each
attempt before it becomes one console field of it::

    Attempts    3                          the number of attempts, with the last one
    Attempt 1   AssertionError: ...        failure, author's fields and steps of the first attempt
    Attempt 2   AssertionError: ...
"""

from __future__ import annotations

import operator
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec.structs import replace

from pytest_automation_report.api.models import (
    ARTIFACT_LIMIT,
    FIELD_LIMIT,
    STEP_LIMIT,
    Field,
    FieldType,
    StepStatus,
    Test,
)
from pytest_automation_report.api.results import attempt_text, listed_steps, step_line
from pytest_automation_report.api.text_fields import (
    ATTEMPTS_META,
    CLOSING_TAG,
    OPENING_TAG,
    OWNER_FIELD,
    known_field,
    parse_steps,
    step_markup,
)
from pytest_automation_report.spool.records import NOTES_FIELD
from pytest_automation_report.text.limits import (
    NOTE_UNITS,
    STRING_UNITS,
    TEXT_UNITS,
    console,
    cut_end,
    cut_middle,
    fits_in,
    string,
    utf16_length,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.models import Artifact, Cause, Status
    from pytest_automation_report.api.results import TypedTest
    from pytest_automation_report.spool.records import Attempt, Subtests

AnyTest = TypeVar("AnyTest", bound=Test)

# Names of fields that we make: a field with another name was added by the test's author.
_OUR_NAMES: Final = frozenset({"Output", "Errors", "Log", "Node id", "Subtests", "Unexpected pass"})
_STEP_UNITS: Final = 300
# Reserved for the last step, which counts the steps that are not shown.
_REST_UNITS: Final = 200


def contract_test(
    test: TypedTest, attempts: Sequence[Attempt], statuses: Mapping[Status, str], unstored: Sequence[Field]
) -> Test:
    """Return a result in the words of the contract alone.

    It is made of ``attempts``, oldest first. ``statuses`` are the aliases of outcomes, ``unstored`` are fields in the
    place of files that no server stores.
    """
    *earlier, last = attempts
    fields = attempt_fields(last)
    if test.owner:
        fields.append(Field(OWNER_FIELD, test.owner))
    if shown := [attempt for attempt in earlier if not attempt.is_imported]:
        fields = _with_attempts(fields, shown, statuses)
    whole = fit_to_limits(bare_test(test, fields, result_artifacts(attempts)))
    fields, artifacts = [*whole.fields, *unstored], test.artifacts
    return fit_to_limits(bare_test(test, fields, artifacts)) if unstored else bare_test(test, fields, artifacts)


def bare_test(test: Test, fields: Sequence[Field], artifacts: Sequence[Artifact]) -> Test:
    """Return a result of the contract with these fields and artifacts, and the rest of another one."""
    # By position: this runs for each test of a session.
    return Test(
        test.key, test.name, test.folder, test.status, test.elapsed, test.file, test.line, tuple(fields),
        tuple(artifacts), test.assertions,
    )  # fmt: skip


def result_artifacts(attempts: Sequence[Attempt]) -> tuple[Artifact, ...]:
    """Return the artifacts of the last attempt, then those before it with the attempt's number in each note."""
    *earlier, last = attempts
    artifacts = [*last.artifacts]
    for number, attempt in enumerate(earlier, 1):
        for artifact in attempt.artifacts:
            note = f"attempt {number}: {artifact.note}" if artifact.note else f"attempt {number}"
            artifacts.append(replace(artifact, note=cut_end(note, NOTE_UNITS)))
    return tuple(artifacts)


def attempt_fields(attempt: Attempt) -> list[Field]:
    """Return the fields of one attempt, those about its causes first."""
    steps, others = _steps_fields(attempt), _notes(attempt)
    others += (Field(name, text, FieldType.CONSOLE) for name, text in attempt.output.items())
    others += with_known(attempt)
    if attempt.subtests is None:
        return [*map(_cause_field, attempt.causes), *steps, *others]
    causes = [_cause_field(cause) for cause in attempt.causes if cause.subtest is None]
    failures = [_cause_field(cause) for cause in attempt.causes if cause.subtest is not None]
    # Failing subtests fill the places that all other fields leave free. Two places are for the counts and the steps; if
    # failures are left out, one more shows how many.
    counts, most = attempt.subtests.counts, max(1, FIELD_LIMIT - len(causes) - len(others) - 2)
    failed = counts.get("failed", 0)
    shown = failures if failed <= most else failures[: most - 1]
    if failed > len(shown):
        left_out = f"{failed - len(shown)} more failing subtests"
        shown.append(Field("Failures left out", left_out, is_highlight=True))
    return [*causes, *shown, subtests_field(attempt.subtests), *steps, *others]


def with_known(attempt: Attempt) -> Sequence[Field]:
    """Return the fields of an attempt's author, and among them the one that says until when its failure is known."""
    fields, place = attempt.fields, attempt.known_place
    return fields if attempt.known is None else (*fields[:place], known_field(attempt.known), *fields[place:])


def _notes(attempt: Attempt) -> list[Field]:
    return [Field(NOTES_FIELD, attempt.notes, FieldType.CONSOLE)] if attempt.notes else []


def _cause_field(cause: Cause) -> Field:
    if cause.kind == "xpass":
        return Field(cause.name, cause.text)
    meta = {"message": cause.message, "type": cause.type, "phase": cause.phase}
    meta = {name: text for name, text in meta.items() if text}
    return Field(cause.name, cause.text, FieldType.CONSOLE, meta, is_highlight=True)


def subtests_field(subtests: Subtests) -> Field:
    """Return the field that counts the subtests of an attempt."""
    return Field("Subtests", f"{sum(subtests.counts.values())}: {count_text(subtests.counts)}")


def _steps_fields(attempt: Attempt) -> list[Field]:
    """Return the field with the markup for steps, or none."""
    markup = "".join(step_markup(*step) for step in _shown_steps(attempt))
    return [Field("Steps", f"{OPENING_TAG}{markup}{CLOSING_TAG}", FieldType.HTML)] if markup else []


def _shown_steps(attempt: Attempt) -> list[tuple[StepStatus, str]]:
    """Return the steps of an attempt that fit into one field, each as its status and text, those inside others too.

    A last step counts those that do not fit, since cut markup would be shown as text.
    """
    if attempt.is_imported or not (attempt.steps or attempt.subtests):
        return []
    listed, counts = [*listed_steps(attempt.steps)], Counter[StepStatus](attempt.more_steps)
    counts.update(status for status, _ in listed)
    fitting, rest = listed[:STEP_LIMIT], counts
    if attempt.subtests is not None:
        fitting = [*fitting, *((step.status, step.name) for step in attempt.subtests.steps)]
        rest = counts + Counter(attempt.subtests.counts)
    shown: list[tuple[StepStatus, str]] = []
    remaining_units = TEXT_UNITS - len(OPENING_TAG) - len(CLOSING_TAG) - _REST_UNITS
    for status, description in fitting[: STEP_LIMIT if rest.total() <= STEP_LIMIT else STEP_LIMIT - 1]:
        text = cut_end(description, _STEP_UNITS)
        remaining_units -= utf16_length(step_markup(status, text))
        if remaining_units < 0:
            break
        shown.append((status, text))
        rest[status] -= 1
    if rest := +rest:
        shown.append(rest_of_steps(rest))
    return shown


def rest_of_steps(rest: Mapping[StepStatus, int]) -> tuple[StepStatus, str]:
    """Return the step that stands for those that are not shown."""
    # It counts as skipped only if nothing in it ran.
    worst: StepStatus = "failed" if rest.get("failed") else "passed" if rest.get("passed") else "skipped"
    return worst, f"{sum(rest.values())} more: {count_text(rest)}"


def count_text(counts: Mapping[StepStatus, int]) -> str:
    """Return numbers of steps in words: ``2 passed, 1 failed``."""
    statuses: tuple[StepStatus, ...] = ("passed", "failed", "skipped")
    return ", ".join(f"{counts[status]} {status}" for status in statuses if counts.get(status))


def _with_attempts(own: Sequence[Field], earlier: Sequence[Attempt], statuses: Mapping[Status, str]) -> list[Field]:
    """Return the fields of a result with those that show its earlier attempts, behind the highlighted ones."""
    highlights = [each for each in own if each.is_highlight]
    others = [each for each in own if not each.is_highlight]
    shown: list[Field] = []
    for number, attempt in enumerate(earlier, 1):
        alias = statuses.get(attempt.status, attempt.status)
        failures = [each for each in attempt_fields(attempt) if each.is_highlight and each.type is FieldType.CONSOLE]
        meta = {**(failures[0].meta if failures else {}), "status": alias}
        if attempt.elapsed is not None:
            meta["elapsed"] = str(attempt.elapsed)
        shown.append(Field(f"Attempt {number}", _attempt_text(attempt, failures, alias), FieldType.CONSOLE, meta))
    # One place is for the number of attempts. If places are few, the latest attempts are shown, three at least.
    max_shown = max(3, FIELD_LIMIT - len(own) - 1)
    total = Field("Attempts", str(len(earlier) + 1), meta=ATTEMPTS_META)
    return [*highlights, total, *shown[-max_shown:], *others]


def _attempt_text(attempt: Attempt, failures: Sequence[Field], alias: str) -> str:
    """Return the text of an earlier attempt: its failures, then its steps and its author's fields."""
    # In a test with subtests the steps also show the subtests: they are not the author's.
    ours = _OUR_NAMES if attempt.subtests is None else _OUR_NAMES | {"Steps"}
    added = [] if attempt.subtests is not None else [*map(step_line, _shown_steps(attempt))]
    for each in (*_notes(attempt), *with_known(attempt)):
        if not each.is_highlight and each.name not in ours:
            # An author may have written steps of their own.
            steps = parse_steps(each.value or "")
            added += [f"{each.name}: {each.value or ''}"] if steps is None else map(step_line, steps)
    text = attempt_text(alias, [(each.name, each.value or "") for each in failures], added)
    return console(text) if added else text


def fit_to_limits(test: AnyTest) -> AnyTest:
    """Return a test whose fields and artifacts keep the limits; a field lists the names of those left out."""
    if not test.fields and not test.artifacts:
        return test
    left_out: list[Field] = []
    artifacts = test.artifacts
    if len(artifacts) > ARTIFACT_LIMIT:
        artifacts = artifacts[:ARTIFACT_LIMIT]
        left_out.append(_left_out_field("Artifacts", [artifact.name for artifact in test.artifacts[ARTIFACT_LIMIT:]]))
    fields = test.fields
    if len(fields) > FIELD_LIMIT - len(left_out):
        # One place is for the field that lists the others.
        shown = FIELD_LIMIT - len(left_out) - 1
        left_out.append(_left_out_field("Fields", [field.name for field in fields[shown:]]))
        fields = fields[:shown]
    fitted = tuple(map(fitted_field, fields))
    # Nearly all tests keep the limits: this costs 0.2 us, a copy of the test 3.5.
    if not left_out and all(map(operator.is_, fitted, fields)):
        return test
    return replace(test, fields=(*fitted, *left_out), artifacts=artifacts)


def _left_out_field(title: str, names: Sequence[str]) -> Field:
    return Field(f"{title} left out", string(f"{len(names)}: {', '.join(names)}"))


def fitted_field(field: Field, units: int = TEXT_UNITS) -> Field:
    """Return a field whose value and meta keep the limits; too long markup becomes text, since a cut breaks it."""
    is_short = field.type in {FieldType.STRING, FieldType.URL}
    value, type_ = field.value, field.type
    if value is not None and not fits_in(value, STRING_UNITS if is_short else units):
        value = cut_end(value, STRING_UNITS) if is_short else cut_middle(value, units)
        type_ = FieldType.TEXT if type_ is FieldType.HTML else type_
    meta = {cut_end(name, STRING_UNITS): cut_end(text, STRING_UNITS) for name, text in field.meta.items()}
    # The same object for a field that fits, as nearly all do.
    if value is field.value and meta == field.meta:
        return field
    return replace(field, value=value, type=type_, meta=meta)
