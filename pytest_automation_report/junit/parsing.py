"""Parse JUnit XML: keys and statuses for a comparison, and properties in the output of tests.

Tests can write to the disk that the file comes from. A document type is therefore refused, and with it every entity
that the document could define. The properties are those that tests print for Testmo's official command-line tool.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.recording.results import key_of
from pytest_automation_report.spool.folder import bytes_from
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_automation_report.api.models import Status
    from pytest_automation_report.delivery.queues import Result
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.spool.folder import SessionFolder


_OUTCOMES: Final[Mapping[str, Status]] = {"skipped": "skipped", "failure": "failure", "error": "error"}
_SEVERITY: Final[tuple[Status, ...]] = ("passed", "skipped", "failure", "error")


class JunitError(ValueError):
    """The XML cannot be used; the message is the reason."""


class JunitCase(Struct):
    """All cases of one key: their name with its folder, and the worst and the last of their statuses."""

    name: str
    worst: Status = "passed"
    last: Status = "passed"
    cases: int = 0


def junit_cases(pieces: Iterable[bytes]) -> dict[str, JunitCase]:
    """Return the cases of a JUnit XML document, which comes in pieces, by their keys on the server.

    Raises `JunitError` if the XML is not well-formed or has a document type.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    for _ in parsed(parser, pieces):
        pass
    return reader.cases


def parsed(parser: expat.XMLParserType, pieces: Iterable[bytes]) -> Iterator[None]:
    """Parse a document that comes in pieces; yield after each piece and at the end.

    Raises `JunitError` if the XML is not well-formed, has a document type, or an encoding that expat cannot read.
    """
    parser.StartDoctypeDeclHandler = _refuse_doctype
    for piece in pieces:
        _parse(parser, piece, is_last=False)
        yield
    _parse(parser, b"", is_last=True)
    yield


def _parse(parser: expat.XMLParserType, piece: bytes, *, is_last: bool) -> None:
    try:
        parser.Parse(piece, is_last)
    except expat.ExpatError as error:
        raise JunitError(f"it is no whole XML document: {error}") from error
    except (LookupError, ValueError) as error:
        # pyexpat raises them for an encoding that Python does not know, or that has more than one byte a character.
        if type(error) is LookupError or "multi-byte encoding" in str(error):
            raise JunitError(f"its encoding cannot be read ({error}): convert it to UTF-8") from error
        raise


class _Reader(Struct):
    """Handles the elements of one document; text between them is ignored."""

    cases: dict[str, JunitCase] = field(default_factory=dict)
    _open: JunitCase | None = None
    _status: Status = "passed"

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Begin a case, or note the status of the open one."""
        if name == "testcase" and "classname" in attributes and "name" in attributes:
            folder, own = attributes["classname"], attributes["name"]
            case = JunitCase(f"{folder}.{own}" if folder else own)
            self._open = self.cases.setdefault(key_of(folder, own), case)
            self._status = "passed"
        elif name in _OUTCOMES:
            self._status = _worse(self._status, _OUTCOMES[name])

    def end(self, name: str) -> None:
        """End a case; one without a name is ignored: pytest writes it for a test that was cut short."""
        if name == "testcase" and self._open is not None:
            case, self._open = self._open, None
            case.cases += 1
            case.last = self._status
            case.worst = _worse(case.worst, self._status)


def _worse(one: Status, other: Status) -> Status:
    return one if _SEVERITY.index(one) >= _SEVERITY.index(other) else other


def _refuse_doctype(name: str, *_: object) -> None:
    """Refuse a document type, as a handler of expat; raises `JunitError`."""
    raise JunitError(f"it has a document type ({name[:40]}), which no test tool writes")


_LINE: Final = re.compile(r"\r?\n|\r")
_ATTACHMENT: Final = re.compile(r"\s*\[\[ATTACHMENT\|([^\]]+)\]\]")
_SINGLE: Final = re.compile(r"\s*\[\[PROPERTY\|([^=]+)=(.+)\]\]")
_BEGIN: Final = re.compile(r"\s*\[\[PROPERTY\|(.+)\]\]")
_END: Final = "[[/PROPERTY]]"


class Property(Struct, frozen=True):
    """A named value of a case; ``is_text`` if it was written as a text of several lines."""

    name: str
    value: str
    is_text: bool = False


def split_output(output: str) -> tuple[str, list[Property]]:
    """Split an output into its text and the properties that tests printed in it, in their order.

    Attachments become properties with the name ``attachment``.
    """
    if "[[" not in output:
        return output.strip(), []
    text_lines: list[str] = []
    properties: list[Property] = []
    lines = iter(_LINE.split(output))
    for line in lines:
        if "[[" not in line:
            text_lines.append(line)
        elif (match := _ATTACHMENT.match(line)) is not None:
            properties.append(Property("attachment", match[1].strip()))
        elif (match := _SINGLE.fullmatch(line)) is not None:
            properties.append(Property(match[1].strip(), match[2].strip()))
        elif (match := _BEGIN.fullmatch(line)) is not None:
            inner: list[str] = []
            for inner_line in lines:
                if _END in inner_line:
                    break
                inner.append(inner_line)
            value = "\n".join(inner).strip()
            if value:
                properties.append(Property(match[1].strip(), value, is_text=True))
        else:
            text_lines.append(line)
    return "\n".join(text_lines).strip(), properties


_SHOWN: Final = 10


def comparison_lines(folder: SessionFolder, rules: RecordingOptions, path: Path, shown_path: str) -> list[str]:
    """Compare a session with an XML file; return lines for the summary, the first with the number of differences."""
    try:
        if path.stat().st_mtime_ns < folder.began_ns:
            return [f"not compared: this session did not write {shown_path}: add --junitxml={shown_path}"]
        cases = junit_cases(bytes_from(path, 0))
    except OSError as error:
        return [f"not compared: {shown_path}: {error.strerror or error}: write it with --junitxml={shown_path}"]
    except JunitError as error:
        return [f"not compared: {shown_path}: {string(str(error))}"]
    results = _results(folder, rules)
    differences = [string(line) for line in _differences(results, cases, shown_path)]
    if not differences:
        return [f"compared with {shown_path}: keys and statuses are the same ({len(cases)} compared)"]
    more = [f"  and {len(differences) - _SHOWN} more"] if len(differences) > _SHOWN else []
    head = f"compared with {shown_path}: {len(differences)} of {len(cases.keys() | results.keys())} tests differ"
    return [head, *(f"  {line}" for line in differences[:_SHOWN]), *more]


def _results(folder: SessionFolder, rules: RecordingOptions) -> dict[str, list[Result]]:
    """Return the session's results by key."""
    queues = WorkerQueues(replace(rules, report_not_run=False))  # the XML has no tests that were not run
    for worker, records in SpoolReader(folder).added():
        for placed in records:
            queues.apply(worker, placed)
    queues.finalize("interrupted")
    results: dict[str, list[Result]] = {}
    for queue in queues.by_worker.values():
        for result in queue.results:
            results.setdefault(result.key, []).append(result)
    return results


def _differences(results: Mapping[str, list[Result]], cases: Mapping[str, JunitCase], shown_path: str) -> Iterable[str]:
    """Yield a line for each test that only one of them has, and for each test with another status."""
    for key, case in cases.items():
        if key not in results:
            yield f"only in {shown_path}: {case.name} ({case.worst})"
            continue
        # Reruns leave a case for each attempt, and the last one is the result; a failed teardown leaves a second case.
        statuses = {result.status for result in results[key]}
        if not statuses & {case.worst, case.last}:
            yield f"{case.name}: {case.worst} in {shown_path}, {', '.join(sorted(statuses))} in the run"
    for key, same_key in results.items():
        if key not in cases:
            yield f"only in the run: {_name(same_key[0])} ({same_key[0].status})"


def _name(result: Result) -> str:
    return f"{result.test.folder}.{result.test.name}"
