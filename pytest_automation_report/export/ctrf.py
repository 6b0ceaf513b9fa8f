"""Write a run as CTRF, the Common Test Report Format, in its version 0.0.0.

The format is a draft, so the version is fixed here, and a test validates documents with the schema of the format's own
package. Ids are derived from the run: the same run has the same document.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import FieldType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.export.results import Attempt, ExportedRun, ExportedTest
    from pytest_automation_report.findings.documents import BaseRun

SPEC_VERSION: Final = "0.0.0"
"""Version of the format."""

_STATUSES: Final = ("passed", "failed", "skipped", "pending", "other")
_NAMESPACE: Final = uuid.UUID("6f0ec1de-1c6d-5b0e-9a0c-0a7f3c1f4d2b")
_UNKNOWN_TYPE: Final = "application/octet-stream"
_ENVIRONMENT: Final[Mapping[str, str]] = {
    "Branch": "branchName",
    "Commit": "commit",
    "Build": "buildName",
    "Shard": "shardId",
}
"""Fields of a run that the format has a place for."""


def ctrf_text(run: ExportedRun, tests: Iterable[ExportedTest], base: BaseRun | None = None) -> str:
    """Return the document as JSON; ``base`` is that of the run's findings."""
    bodies = [_test(test) for test in tests]
    # Runs of other tools name no version of pytest, so theirs is the tool that reported them.
    version = run.fields.get("pytest")
    tool = {"name": "pytest", "version": version} if version else {"name": "pytest-automation-report"}
    document: Json = {
        "reportFormat": "CTRF",
        "specVersion": SPEC_VERSION,
        "reportId": _report_id(run, run.id),
        "runId": str(run.id),
        "generatedBy": "pytest-automation-report",
        "results": {
            "tool": tool,
            "summary": _summary(run, bodies),
            "tests": bodies,
            "environment": _environment(run),
        },
    }
    ended = run.completed_at or run.created_at
    if ended:
        document["timestamp"] = ended
    if base is not None:
        document["baseline"] = {
            "reportId": _report_id(run, base["run"]),
            "source": f"run {base['run']}",
            **({"commit": base["commit"]} if base.get("commit") else {}),
        }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _report_id(run: ExportedRun, run_id: int) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{run.source}\n{run_id}"))


def _summary(run: ExportedRun, bodies: list[Json]) -> Json:
    counts = Counter(body["status"] for body in bodies)
    start = _epoch_ms(run.created_at)
    elapsed = _milliseconds(run.elapsed)
    stop = _epoch_ms(run.completed_at) or start + elapsed
    return {
        "tests": len(bodies),
        **{status: counts[status] for status in _STATUSES},
        "flaky": sum(bool(body.get("flaky")) for body in bodies),
        "suites": len({tuple(body.get("suite", ())) for body in bodies}),
        "start": start,
        "stop": stop,
        "duration": elapsed,
    }


def _environment(run: ExportedRun) -> Json:
    known = {name: run.fields[field] for field, name in _ENVIRONMENT.items() if run.fields.get(field)}
    rest = {name: value for name, value in run.fields.items() if name not in _ENVIRONMENT}
    url = next(iter(run.links.values()), None)
    return {
        "reportName": run.name or f"run {run.id}",
        **({"appName": run.source} if run.source else {}),
        **known,
        **({"buildUrl": url} if url else {}),
        **({"extra": rest} if rest else {}),
    }


def _test(test: ExportedTest) -> Json:
    problems = test.problems
    body: Json = {
        "name": test.name or "(no name)",
        "status": test.verdict,
        "duration": _milliseconds(test.elapsed),
        "suite": [test.folder] if test.folder else None,
        "rawStatus": "error" if test.is_error else test.status or test.verdict,
        "testId": test.key,
        "message": test.message,
        "trace": "\n\n".join(problem.text for problem in problems),
        "filePath": test.file,
        "line": test.line,
        "threadId": None if test.thread_id is None else str(test.thread_id),
        "stdout": _lines(test.output("Output"), test.output("Log")),
        "stderr": _lines(test.output("Errors")),
        "steps": [{"name": text, "status": status} for status, text in test.steps],
        "attachments": [
            {"name": artifact.name, "contentType": artifact.mime_type or _UNKNOWN_TYPE, "path": artifact.url}
            for artifact in test.artifacts
        ],
        "labels": {field.name: field.value for field in test.user_fields if field.type in _LABELS and field.value},
        "extra": {"reason": test.fingerprint} if test.fingerprint else None,
    }
    if test.attempt_count > 1:
        body |= {
            "retries": test.attempt_count - 1,
            "flaky": test.is_flaky,
            "retryAttempts": [_attempt(attempt) for attempt in test.earlier_attempts],
        }
    return {name: value for name, value in body.items() if value not in (None, "", [], {}) or name in _REQUIRED}


_LABELS: Final = frozenset({FieldType.STRING, FieldType.URL})
_REQUIRED: Final = frozenset({"name", "status", "duration"})


def _attempt(attempt: Attempt) -> Json:
    body = {
        "attempt": attempt.number,
        "status": {"passed": "passed", "skipped": "skipped"}.get(attempt.status, "failed"),
        "message": attempt.message,
        "trace": attempt.text,
    }
    return {name: value for name, value in body.items() if value}


def _lines(*texts: str) -> list[str]:
    return [line for text in texts for line in text.splitlines()]


def _milliseconds(microseconds: int | None) -> int:
    return round((microseconds or 0) / 1000)


def _epoch_ms(text: str | None) -> int:
    """Return a time of the server in milliseconds since 1970; 0 if it is unknown."""
    try:
        return round(datetime.fromisoformat((text or "").replace("Z", "+00:00")).timestamp() * 1000)
    except ValueError:
        return 0
