"""Write a run as data for other programs: CSV, one JSON document with everything, CTRF, JUnit XML, Code Quality."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections import Counter
from functools import partial
from hashlib import sha256
from html import escape
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from pytest_automation_report.api.models import END_OF_PROPERTY, FieldType, Json, is_web_address
from pytest_automation_report.api.responses import parse_time
from pytest_automation_report.api.results import listed_steps
from pytest_automation_report.text.visible import xml_escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytest_automation_report.api.responses import Run
    from pytest_automation_report.api.results import EarlierAttempt
    from pytest_automation_report.export.results import ExportedTest
    from pytest_automation_report.findings.documents import BaseRun, RunFindings

COLUMNS: Final = (
    "key", "folder", "name", "status", "elapsed_seconds", "attempts", "flaky", "file", "line", "thread", "reason",
    "type", "message",
)  # fmt: skip
"""Names of the columns, which are the first line."""

# Spreadsheets take a cell that begins with one of these for a formula, and run it.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_table(tests: Iterable[ExportedTest]) -> Iterator[str]:
    """Yield the table line by line; an apostrophe stands before a text that a spreadsheet would take for a formula."""
    yield _line(COLUMNS)
    for test in tests:
        outcome = next(iter(test.outcome_texts), None)
        yield _line(
            (
                _cell(test.key),
                _cell(test.folder),
                _cell(test.name),
                "error" if test.is_error else _cell(test.status or test.verdict),
                "" if test.elapsed is None else f"{test.elapsed / 1_000_000:.6f}",
                test.attempt_count,
                "yes" if test.is_flaky else "no",
                _cell(test.file or ""),
                test.line,
                test.thread_id,
                test.fingerprint,
                _cell(outcome.type if outcome else ""),
                _cell(test.message.strip().partition("\n")[0]),
            )
        )


def _line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(text: str) -> str:
    # Spreadsheets end a cell at a null character, and Python 3.10 refuses to write it: its picture stands for it.
    text = text.replace("\0", "\N{SYMBOL FOR NULL}")
    return f"'{text}" if text.startswith(_FORMULA) else text


def json_document(
    run: Json, source: str, findings: RunFindings | None, items: Iterable[Mapping[str, object]]
) -> Iterator[str]:
    """Yield all that the API has of a run, in pieces: a run may have 100,000 results."""
    encode = partial(json.dumps, ensure_ascii=False)
    described = {**run, "source": source}
    yield f'{{"format": "automation-report run", "version": 1,\n"run": {encode(described)},\n'
    yield f'"findings": {encode(findings)},\n"tests": ['
    separator = "\n"
    for item in items:
        yield f"{separator}{encode(item)}"
        separator = ",\n"
    yield "\n]}\n"


SPEC_VERSION: Final = "0.0.0"
"""Version of CTRF, which is a draft: a test validates documents with the schema in the format's own package."""

_STATUSES: Final = ("passed", "failed", "skipped", "pending", "other")
_NAMESPACE: Final = uuid.UUID("6f0ec1de-1c6d-5b0e-9a0c-0a7f3c1f4d2b")
# Fields of a run that the format has a place for.
_ENVIRONMENT: Final = {"Branch": "branchName", "Commit": "commit", "Build": "buildName", "Shard": "shardId"}


def ctrf_text(run: Run, tests: Iterable[ExportedTest], base: BaseRun | None = None) -> str:
    """Return a run in the Common Test Report Format: the same document for the same run, with the same ids."""
    bodies = [_test(test) for test in tests]
    # Runs of other tools name no version of pytest, so theirs is the tool that reported them.
    version = run.field_value("pytest")
    tool = {"name": "pytest", "version": version} if version else {"name": "pytest-automation-report"}
    results = {"tool": tool, "summary": _summary(run, bodies), "tests": bodies, "environment": _environment(run)}
    document: Json = {
        "reportFormat": "CTRF",
        "specVersion": SPEC_VERSION,
        "reportId": _report_id(run, run.id),
        "runId": str(run.id),
        "generatedBy": "pytest-automation-report",
        "results": results,
    }
    if ended := run.completed_at or run.created_at:
        document["timestamp"] = ended
    if base is not None:
        document["baseline"] = {
            "reportId": _report_id(run, base["run"]),
            "source": f"run {base['run']}",
            **({"commit": base["commit"]} if base.get("commit") else {}),
        }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _report_id(run: Run, run_id: int) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{run.source}\n{run_id}"))


def _summary(run: Run, bodies: list[Json]) -> Json:
    counts = Counter(body["status"] for body in bodies)
    start, elapsed = _epoch_ms(run.created_at), _milliseconds(run.elapsed)
    return {
        "tests": len(bodies),
        **{status: counts[status] for status in _STATUSES},
        "flaky": sum(bool(body.get("flaky")) for body in bodies),
        "suites": len({tuple(body.get("suite", ())) for body in bodies}),
        "start": start,
        "stop": _epoch_ms(run.completed_at) or start + elapsed,
        "duration": elapsed,
    }


def _environment(run: Run) -> Json:
    fields = {field.name: field.value for field in run.shown_fields if field.name and field.value}
    known = {name: fields[field] for field, name in _ENVIRONMENT.items() if field in fields}
    rest = {name: value for name, value in fields.items() if name not in _ENVIRONMENT}
    url = next((link.url for link in run.links if link.url), None)
    return {
        "reportName": run.name or f"run {run.id}",
        **({"appName": run.source} if run.source else {}),
        **known,
        **({"buildUrl": url} if url else {}),
        **({"extra": rest} if rest else {}),
    }


def _test(test: ExportedTest) -> Json:
    body: Json = {
        "name": test.name or "(no name)",
        "status": test.verdict,
        "duration": _milliseconds(test.elapsed),
        "suite": [test.folder] if test.folder else None,
        "rawStatus": "error" if test.is_error else test.status or test.verdict,
        "testId": test.key,
        "message": test.message,
        "trace": "\n\n".join(outcome.text for outcome in test.outcome_texts),
        "filePath": test.file,
        "line": test.line,
        "threadId": None if test.thread_id is None else str(test.thread_id),
        "stdout": _lines(test.output.get("Output", ""), test.output.get("Log", "")),
        "stderr": _lines(test.output.get("Errors", "")),
        "steps": [{"name": text, "status": status} for status, text in listed_steps(test.steps)],
        "attachments": [
            {
                "name": artifact.name,
                "contentType": artifact.mime_type or "application/octet-stream",
                "path": artifact.url,
            }
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


def _attempt(attempt: EarlierAttempt) -> Json:
    body = {
        "attempt": attempt.number,
        "status": {"passed": "passed", "skipped": "skipped"}.get(attempt.status, "failed"),
        "message": attempt.cause.message if attempt.cause else "",
        "trace": attempt.text,
    }
    return {name: value for name, value in body.items() if value}


def _lines(*texts: str) -> list[str]:
    return [line for text in texts for line in text.splitlines()]


def _milliseconds(microseconds: int | None) -> int:
    return round((microseconds or 0) / 1000)


def _epoch_ms(text: str | None) -> int:
    """Return a time of the server in milliseconds since 1970; 0 if it is unknown."""
    time = parse_time(text)
    return 0 if time is None else round(time.timestamp() * 1000)


_SPACES: Final = {ord(space): f"&#{ord(space)};" for space in "\t\n\r"}


class JunitPart(Struct, frozen=True):
    """A run, or one of several in a file: its ``label`` then stands before the names of suites and classes.

    ``page`` returns the address of a test's page, "" for none. With ``path``, the path of a file in the repository, the
    file is for GitLab, which shows it; the schema of Jenkins has no place for it.
    """

    run: Run
    tests: Iterable[ExportedTest]
    label: str = ""
    page: Callable[[ExportedTest], str] = lambda _: ""
    path: Callable[[str], str] | None = None


class _Suite(Struct):
    """The tests of one file: their counts, and the start and length in bytes of their elements."""

    name: str = ""
    run: Run | None = None
    file: str | None = None
    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    elapsed: int = 0
    places: list[tuple[int, int]] = field(default_factory=list)

    def add(self, test: ExportedTest, place: int, length: int) -> None:
        """Count a test whose element has this place."""
        self.file = self.file or test.file
        self.tests += 1
        self.errors += test.is_error
        self.failures += test.verdict == "failed" and not test.is_error
        self.skipped += test.verdict in {"skipped", "other"}
        self.elapsed += test.elapsed or 0
        # Tests of a file mostly stand in a row: then they are one stretch.
        if self.places and sum(self.places[-1]) == place:
            place, length = self.places[-1][0], self.places.pop()[1] + length
        self.places.append((place, length))

    @property
    def counts(self) -> str:
        """The attributes that suites and the whole document have."""
        return f' tests="{self.tests}" failures="{self.failures}" errors="{self.errors}"'

    @property
    def start(self) -> str:
        """The start of the element."""
        created = self.run and self.run.created_at
        timestamp = f" timestamp={_quoted(created)}" if created else ""
        file = f" file={_quoted(self.file)}" if self.file else ""
        return (
            f"  <testsuite name={_quoted(self.name)}{self.counts}"
            f' skipped="{self.skipped}" time="{_seconds(self.elapsed)}"{timestamp}{file}>\n'
        )


def junit_xml(*parts: JunitPart) -> Iterator[str]:
    """Yield the document in pieces, one suite for each file in the order of its first test."""
    suites: dict[tuple[str, str], _Suite] = {}
    # Counts stand before the tests, and workers mix the files: the elements of a large run wait on the disk.
    with TemporaryFile() as waiting:
        place, every = 0, _Suite()
        for part in parts:
            for test in part.tests:
                length = waiting.write(_case(test, part).encode())
                file = test.file or test.folder
                name = ": ".join(filter(None, (part.label, file or part.run.name or "tests")))
                for suite in (every, suites.setdefault((part.label, file), _Suite(name, part.run))):
                    suite.add(test, place, length)
                place += length
        run = parts[0].run
        yield '<?xml version="1.0" encoding="utf-8"?>\n'
        yield (
            f"<testsuites name={_quoted(run.source or run.name or f'run {run.id}')}{every.counts}"
            f' time="{_seconds(every.elapsed)}">\n'
        )
        for suite in suites.values():
            yield suite.start
            for place, length in suite.places:
                waiting.seek(place)
                yield waiting.read(length).decode()
            yield "  </testsuite>\n"
    yield "</testsuites>\n"


def _case(test: ExportedTest, part: JunitPart) -> str:
    content = "".join([*_outcome(test, part), *_attempts(test), *_outputs(test, is_gitlab=part.path is not None)])
    # The key of a module, and of a case without a class, is made of the name alone: a class would change it.
    is_alone = test.key == sha256(test.name.encode("utf-8", "surrogatepass")).hexdigest()
    names = [part.label, "" if is_alone else test.folder]
    classname = "" if is_alone and not part.label else f" classname={_quoted('.'.join(filter(None, names)))}"
    file = f" file={_quoted(part.path(test.file))}" if part.path and test.file else ""
    start = f'    <testcase name={_quoted(test.name)}{classname}{file} time="{_seconds(test.elapsed or 0)}"'
    return f"{start}>\n{content}    </testcase>\n" if content else f"{start}/>\n"


def _outcome(test: ExportedTest, part: JunitPart) -> Iterator[str]:
    # Jenkins makes a link of it, GitLab shows it above the traceback.
    page = part.page(test) if test.verdict == "failed" else ""
    for outcome in test.outcome_texts:
        message = f" message={_quoted(outcome.message)}" if outcome.message else ""
        type_ = f" type={_quoted(outcome.type)}" if outcome.type else ""
        text = "\n\n".join(filter(None, (page, outcome.text)))
        yield f"      <{outcome.kind}{message}{type_}>{_text(text)}</{outcome.kind}>\n"
    if test.outcome_texts:
        return
    if test.verdict == "failed":
        yield f"      <failure>{_text(page)}</failure>\n" if page else "      <failure/>\n"
    elif test.verdict != "passed":
        yield f"      <skipped message={_quoted(test.status or 'skipped')}/>\n"


def _attempts(test: ExportedTest) -> Iterator[str]:
    """Yield the attempts before the last one as Maven Surefire writes them."""
    word = "flaky" if test.verdict == "passed" else "rerun"
    for attempt in test.earlier_attempts:
        name, cause = f"{word}{'Error' if attempt.status == 'error' else 'Failure'}", attempt.cause
        # The schema requires a type.
        type_ = _quoted((cause.type if cause else "") or attempt.status or "failure")
        yield (
            f"      <{name} message={_quoted(cause.message if cause else '')} type={type_}>"
            f"<stackTrace>{_text(attempt.text)}</stackTrace></{name}>\n"
        )


def _outputs(test: ExportedTest, *, is_gitlab: bool) -> Iterator[str]:
    parts = [part for part in (test.output.get("Output", ""), test.output.get("Log", "")) if part]
    parts += _printed_annotations(test, is_gitlab=is_gitlab)
    if parts:
        yield f"      <system-out>{_text(chr(10).join(parts))}</system-out>\n"
    if errors := test.output.get("Errors", ""):
        yield f"      <system-err>{_text(errors)}</system-err>\n"


def _printed_annotations(test: ExportedTest, *, is_gitlab: bool) -> Iterator[str]:
    """Yield the user's fields and artifacts as lines that `submit` reads, if a line can hold them.

    GitLab takes an attachment for a file of the job that wrote the document, so it gets addresses.
    """
    for own in test.user_fields:
        value, name = (own.value or "").strip(), own.name
        if not value or "\n" in name or "=" in name or "]]" in name:
            continue
        if "\n" not in value:
            yield f"[[PROPERTY|{name}={value}]]"
        elif own.type is not FieldType.HTML and END_OF_PROPERTY not in value:
            yield f"[[PROPERTY|{name}]]\n{value}\n{END_OF_PROPERTY}"
    for artifact in test.artifacts:
        if is_web_address(artifact.url) and "]" not in artifact.url:
            yield f"{artifact.name}: {artifact.url}" if is_gitlab else f"[[ATTACHMENT|{artifact.url}]]"


def _seconds(microseconds: int) -> str:
    return f"{microseconds / 1_000_000:.6f}"


def _quoted(text: str) -> str:
    # Readers turn each kind of space in an attribute into a blank, unless it is written as a reference.
    return f'"{escape(xml_escaped(text)).translate(_SPACES)}"'


def _text(text: str) -> str:
    return escape(xml_escaped(text), quote=False).replace("\r", "&#13;")


def code_quality_entry(key: str, title: str, message: str, path: str, line: int | None, *, is_known: bool) -> Json:
    """Return a failure as GitLab's Code Quality has it; ``key`` tells it from all others, in each pipeline the same."""
    return {
        "description": f"{title}: {message}" if message else title,
        "check_name": "known failure" if is_known else "test failure",
        "fingerprint": sha256(key.encode("utf-8", "surrogatepass")).hexdigest(),
        "severity": "info" if is_known else "major",
        "location": {"path": path, "lines": {"begin": line or 1}},
    }
