"""A run and its results as values, read from the API. A Testmo instance lists no fields, files and attempts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from msgspec import Struct, convert

from pytest_automation_report.api.models import Artifact, Field, FieldType, Json, Known, OutputName
from pytest_automation_report.api.text_fields import ATTEMPTS_META, known_field, parse_steps
from pytest_automation_report.findings.sentences import RunNumbers, judge_run
from pytest_automation_report.text.limits import whole_number
from pytest_automation_report.text.node_ids import join_title, read_node_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.findings.documents import RunFindings, VerdictWords

ResultMeaning: TypeAlias = Literal["passed", "failed", "skipped", "other"]
"""The meaning of a result: ``other`` is neither passed nor failed nor skipped, such as untested."""

OUTPUTS: Final[tuple[OutputName, ...]] = get_args(OutputName)

_SUCCESS, _FAILURE = 2, 3
_FAILED_FIELD: Final = re.compile(r"(Failure|Error)(?: \[.*\])?", re.DOTALL)
_ATTEMPT: Final = re.compile(r"Attempt ([1-9][0-9]{0,8})")
# Fields whose content a form has in a place for it; all others are the user's.
_PLACED: Final = {*OUTPUTS, "Skipped", "Steps"}


class OutcomeText(Struct, frozen=True):
    """The text of one failure, or of a skip; ``kind`` is failure, error or skipped."""

    kind: str
    message: str
    type: str
    text: str


class ExportedAttempt(OutcomeText, frozen=True):
    """An attempt before the last one; ``number`` counts from 1, ``kind`` is the status in the client's word."""

    number: int


def verdict_on(run: Run, findings: RunFindings | None) -> VerdictWords:
    """Return what is to be said of a run, by its findings; without them by its counts."""
    if findings is not None:
        return findings["verdict"]
    numbers = RunNumbers(finished=run.total, failed=run.failure, passed=run.success, is_open=not run.is_completed)
    return judge_run(numbers)


class ExportedTest(Struct, frozen=True):
    """One result; ``elapsed`` is in microseconds, ``status`` the name of its status for programs, empty if unknown."""

    key: str
    folder: str
    name: str
    verdict: ResultMeaning
    status: str
    elapsed: int | None
    thread_id: int | None = None
    file: str | None = None
    line: int | None = None
    fields: tuple[Field, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    fingerprint: str | None = None
    id: int | None = None
    known: Known | None = None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> ExportedTest:
        """Return a result from an item of the API's list of results, or of ours."""
        status = str(item.get("status_name") or "")
        return cls(
            key=str(item.get("key") or ""),
            folder=str(item.get("folder") or ""),
            name=str(item.get("name") or ""),
            verdict=_verdict(item.get("status"), status),
            status=status,
            elapsed=item.get("elapsed"),
            thread_id=item.get("thread_id"),
            file=item.get("file"),
            line=item.get("line"),
            fields=tuple(_field(field) for field in item.get("fields") or ()),
            artifacts=tuple(
                Artifact(
                    name=str(body.get("name") or ""), url=str(body.get("url") or ""), mime_type=body.get("mime_type")
                )
                for body in item.get("artifacts") or ()
            ),
            fingerprint=item.get("fingerprint"),
            id=item.get("automation_test_id"),
            known=item.get("known") and convert(item["known"], Known),
        )

    @property
    def title(self) -> str:
        """Folder and name; for a module, where both are the same, its name."""
        return join_title(self.folder, self.name)

    @property
    def node_id(self) -> str:
        """The node id by which pytest finds the test, empty if its file is not known."""
        fields = [{"name": field.name, "type": field.type, "value": field.value} for field in self.fields]
        return read_node_id(self.file, self.folder, self.name, fields)

    @property
    def outcome_texts(self) -> list[OutcomeText]:
        """The texts of a failure, or of a skip; empty for a test that passed."""
        if self.verdict == "passed":
            return []
        return [outcome for field in self.fields if (outcome := _outcome_text(field, self.verdict)) is not None]

    @property
    def message(self) -> str:
        """The first message of a failure or skip, empty if there is none."""
        return next((outcome.message or outcome.text for outcome in self.outcome_texts), "")

    @property
    def is_error(self) -> bool:
        """Whether a failed test ended with an error outside of its call, such as one in a fixture."""
        return self.verdict == "failed" and any(outcome.kind == "error" for outcome in self.outcome_texts)

    @property
    def attempt_count(self) -> int:
        """The number of attempts, with the last one."""
        value = next((field.value for field in self.fields if field.meta == ATTEMPTS_META), None)
        return whole_number(value) or 1

    @property
    def is_flaky(self) -> bool:
        """Whether the test passed after an attempt that did not."""
        return self.verdict == "passed" and self.attempt_count > 1

    @property
    def earlier_attempts(self) -> list[ExportedAttempt]:
        """The attempts before the last one, oldest first; a result may have no room for some."""
        attempts = []
        for field in self.fields:
            if number := attempt_number(field.name, field.meta):
                message, type_ = field.meta.get("message", ""), field.meta.get("type", "")
                attempts.append(ExportedAttempt(field.meta["status"], message, type_, field.value or "", number))
        return sorted(attempts, key=lambda attempt: attempt.number)

    @property
    def steps(self) -> list[tuple[str, str]]:
        """The steps, each its status and text; empty without steps."""
        markup = next((field.value for field in self.fields if field.name == "Steps"), None)
        return (parse_steps(markup) if markup else None) or []

    def output(self, name: OutputName) -> str:
        """Return an output of the test, empty if there is none."""
        return next((field.value or "" for field in self.fields if field.name == name), "")

    @property
    def user_fields(self) -> Iterator[Field]:
        """The fields of the test's author and of plugins."""
        for field in self.fields:
            is_placed = field.name in _PLACED or field.meta == ATTEMPTS_META
            is_attempt = attempt_number(field.name, field.meta) is not None
            if not is_placed and not is_attempt and _outcome_text(field, self.verdict) is None:
                yield field
        if self.known is not None:
            yield known_field(self.known)


def _verdict(status_class: object, status: str) -> ResultMeaning:
    if status_class == _SUCCESS:
        return "passed"
    if status_class == _FAILURE:
        return "failed"
    # A Testmo instance names no status: nearly all are skipped.
    return "skipped" if status in {"", "skipped"} else "other"


def attempt_number(name: str, meta: Mapping[str, Any]) -> int | None:
    """Return the number of the earlier attempt that a field shows, None for a user's field of such a name."""
    match = _ATTEMPT.fullmatch(name) if "status" in meta else None
    return int(match[1]) if match else None


def _outcome_text(field: Field, verdict: ResultMeaning) -> OutcomeText | None:
    if field.type is not FieldType.CONSOLE:
        return None
    message, type_, text = field.meta.get("message", ""), field.meta.get("type", ""), field.value or ""
    if verdict != "failed":
        return OutcomeText("skipped", message, type_, text) if field.name == "Skipped" else None
    match = _FAILED_FIELD.fullmatch(field.name)
    if match is None:
        return None
    return OutcomeText("error" if match[1] == "Error" else "failure", message, type_, text)


def _field(body: Json) -> Field:
    """Return a field; clients may leave all but its name out."""
    kind, value = body.get("type", 0), body.get("value")
    return Field(
        str(body.get("name") or ""),
        None if value is None else str(value),
        FieldType(kind) if kind in {*FieldType} else FieldType.STRING,
        {str(name): str(text) for name, text in (body.get("meta") or {}).items()},
    )
