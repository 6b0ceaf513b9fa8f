"""Write a run as JUnit XML, in the form that Jenkins accepts.

Its schema allows neither file nor line of a test, so the tests of one file are one suite, which has the file.
"""

from __future__ import annotations

from hashlib import sha256
from html import escape
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from pytest_automation_report.api.models import END_OF_PROPERTY, FieldType
from pytest_automation_report.api.urls import is_web_address
from pytest_automation_report.text.visible import NOT_IN_XML

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.export.results import ExportedRun, ExportedTest

_SPACES: Final = {ord(space): f"&#{ord(space)};" for space in "\t\n\r"}


class _Suite(Struct):
    """The tests of one file: their counts, and the start and length in bytes of their elements."""

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


def junit_xml(run: ExportedRun, tests: Iterable[ExportedTest]) -> Iterator[str]:
    """Yield the document in pieces, one suite for each file in the order of its first test."""
    suites: dict[str, _Suite] = {}
    timestamp = f" timestamp={_quoted(run.created_at)}" if run.created_at else ""
    # Counts stand before the tests, and workers mix the files: the elements of a large run wait on the disk.
    with TemporaryFile() as waiting:
        place, every = 0, _Suite()
        for test in tests:
            length = waiting.write(_case(test).encode())
            for suite in (every, suites.setdefault(test.file or test.folder, _Suite())):
                suite.add(test, place, length)
            place += length
        yield '<?xml version="1.0" encoding="utf-8"?>\n'
        yield (
            f"<testsuites name={_quoted(run.source or run.name or f'run {run.id}')}{every.counts}"
            f' time="{_seconds(every.elapsed)}">\n'
        )
        for name, suite in suites.items():
            file = f" file={_quoted(suite.file)}" if suite.file else ""
            yield (
                f"  <testsuite name={_quoted(name or run.name or 'tests')}{suite.counts}"
                f' skipped="{suite.skipped}" time="{_seconds(suite.elapsed)}"{timestamp}{file}>\n'
            )
            for place, length in suite.places:
                waiting.seek(place)
                yield waiting.read(length).decode()
            yield "  </testsuite>\n"
    yield "</testsuites>\n"


def _case(test: ExportedTest) -> str:
    content = "".join([*_outcome(test), *_attempts(test), *_outputs(test)])
    # The key of a module, and of a case without a class, is made of the name alone: a class would change it.
    is_alone = test.key == sha256(test.name.encode("utf-8", "surrogatepass")).hexdigest()
    classname = "" if is_alone else f" classname={_quoted(test.folder)}"
    start = f'    <testcase name={_quoted(test.name)}{classname} time="{_seconds(test.elapsed or 0)}"'
    return f"{start}>\n{content}    </testcase>\n" if content else f"{start}/>\n"


def _outcome(test: ExportedTest) -> Iterator[str]:
    for outcome in test.outcome_texts:
        message = f" message={_quoted(outcome.message)}" if outcome.message else ""
        type_ = f" type={_quoted(outcome.type)}" if outcome.type else ""
        yield f"      <{outcome.kind}{message}{type_}>{_text(outcome.text)}</{outcome.kind}>\n"
    if test.outcome_texts:
        return
    if test.verdict == "failed":
        yield "      <failure/>\n"
    elif test.verdict != "passed":
        yield f"      <skipped message={_quoted(test.status or 'skipped')}/>\n"


def _attempts(test: ExportedTest) -> Iterator[str]:
    """Yield the attempts before the last one as Maven Surefire writes them."""
    word = "flaky" if test.verdict == "passed" else "rerun"
    for attempt in test.earlier_attempts:
        name = f"{word}{'Error' if attempt.status == 'error' else 'Failure'}"
        # The schema requires a type.
        type_ = _quoted(attempt.type or attempt.status)
        yield (
            f"      <{name} message={_quoted(attempt.message)} type={type_}>"
            f"<stackTrace>{_text(attempt.text)}</stackTrace></{name}>\n"
        )


def _outputs(test: ExportedTest) -> Iterator[str]:
    parts = [part for part in (test.output("Output"), test.output("Log")) if part]
    parts += _printed_annotations(test)
    if parts:
        yield f"      <system-out>{_text(chr(10).join(parts))}</system-out>\n"
    if errors := test.output("Errors"):
        yield f"      <system-err>{_text(errors)}</system-err>\n"


def _printed_annotations(test: ExportedTest) -> Iterator[str]:
    """Yield the user's fields and artifacts as lines that `submit` reads, if a line can hold them."""
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
            yield f"[[ATTACHMENT|{artifact.url}]]"


def _seconds(microseconds: int) -> str:
    return f"{microseconds / 1_000_000:.6f}"


def _quoted(text: str) -> str:
    # Readers turn each kind of space in an attribute into a blank, unless it is written as a reference.
    return f'"{escape(_allowed(text)).translate(_SPACES)}"'


def _text(text: str) -> str:
    return escape(_allowed(text), quote=False).replace("\r", "&#13;")


def _allowed(text: str) -> str:
    # As pytest's own XML writes the others.
    return NOT_IN_XML.sub(lambda match: f"#x{ord(match[0]):02X}", text)
