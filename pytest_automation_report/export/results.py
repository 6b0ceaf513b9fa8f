"""A run and its results as values, read from the API. A Testmo instance lists no fields, files and attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct, convert

from pytest_automation_report.api.models import Artifact, Cause, Field, FieldType, Json, Known, Step
from pytest_automation_report.api.results import EarlierAttempt, Streams, failed_attempts
from pytest_automation_report.api.text_fields import OWNER_FIELD, ReadFields, known_field, read_result
from pytest_automation_report.findings.sentences import RunNumbers, judge_run
from pytest_automation_report.text.node_ids import USED_BY_FIELD, join_title, read_node_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.findings.documents import RunFindings, VerdictWords

ResultMeaning: TypeAlias = Literal["passed", "failed", "skipped", "other"]
"""The meaning of a result: ``other`` is neither passed nor failed nor skipped, such as untested."""

_SUCCESS, _FAILURE = 2, 3


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
    causes: tuple[Cause, ...] = ()
    output: Streams = {}
    owner: str = ""
    steps: tuple[Step, ...] = ()
    earlier_attempts: tuple[EarlierAttempt, ...] = ()
    fingerprint: str | None = None
    id: int | None = None
    known: Known | None = None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> ExportedTest:
        """Return a result from an item of the API's list of results, or of ours."""
        status, said = str(item.get("status_name") or ""), _said(item)
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
            fields=tuple(map(_field, said.fields)),
            causes=tuple(said.causes),
            output=said.output,
            owner=said.owner,
            steps=tuple(said.steps),
            earlier_attempts=tuple(said.attempts),
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
        return read_node_id(self.file, self.folder, self.name, self.fields, self.line)

    @property
    def runnable_id(self) -> str:
        """The node id; of a fixture that tests share, which pytest cannot run, that of a test that uses it."""
        return next((field.value or "" for field in self.fields if field.name == USED_BY_FIELD), self.node_id)

    @property
    def outcome_texts(self) -> list[Cause]:
        """The causes of a failure, or of a skip; empty for a test that passed."""
        kinds = {"failed": {"failure", "error"}, "passed": set[str]()}.get(self.verdict, {"skipped"})
        return [cause for cause in self.causes if cause.kind in kinds]

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
        return 1 + (failed_attempts(self.earlier_attempts) or 0)

    @property
    def is_flaky(self) -> bool:
        """Whether the test passed after an attempt that did not."""
        return self.verdict == "passed" and self.attempt_count > 1

    @property
    def user_fields(self) -> Iterator[Field]:
        """The fields of the test's author and of plugins, and what no form has a place for."""
        for cause in self.causes:
            if cause.kind in {"xpass", "untested"}:
                type_ = FieldType.STRING if cause.kind == "xpass" else FieldType.CONSOLE
                yield Field(cause.name, cause.text, type_)
        yield from self.fields
        if self.known is not None:
            yield known_field(self.known)
        if self.owner:
            yield Field(OWNER_FIELD, self.owner)


def _said(item: Mapping[str, Any]) -> ReadFields:
    """Return what a result says: typed, as a server of this release has it, else read from its fields."""
    fields: list[Json] = [*(item.get("fields") or ())]
    if "causes" not in item:
        status = item.get("status")
        return read_result(fields, has_failed=status == _FAILURE, has_passed=status == _SUCCESS)
    return ReadFields(
        convert(item["causes"], list[Cause]),
        item["output"],
        item["owner"] or "",
        fields,
        convert(item["steps"], list[Step]),
        convert(item["attempts"], list[EarlierAttempt]),
    )


def _verdict(status_class: object, status: str) -> ResultMeaning:
    if status_class == _SUCCESS:
        return "passed"
    if status_class == _FAILURE:
        return "failed"
    # A Testmo instance names no status: nearly all are skipped.
    return "skipped" if status in {"", "skipped"} else "other"


def _field(body: Json) -> Field:
    """Return a field; clients may leave all but its name out."""
    kind, value = body.get("type", 0), body.get("value")
    return Field(
        str(body.get("name") or ""),
        None if value is None else str(value),
        FieldType(kind) if kind in {*FieldType} else FieldType.STRING,
        {str(name): str(text) for name, text in (body.get("meta") or {}).items()},
    )
