"""Turn the JUnit XML of any tool into results, as Testmo's official command-line tool does.

Elements count where that tool looks for them: cases in suites, suites in suites.
"""

from __future__ import annotations

import math
import re
from html import unescape
from itertools import chain, takewhile
from mimetypes import MimeTypes
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from xml.parsers import expat

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.models import (
    END_OF_PROPERTY,
    STEP_LIMIT,
    Artifact,
    Cause,
    Field,
    FieldType,
    OutputName,
    Status,
    Step,
    Test,
    is_web_address,
)
from pytest_automation_report.api.text_fields import CLOSING_TAG, OPENING_TAG, known_from
from pytest_automation_report.recording.functions import parse_field_type, typed_field
from pytest_automation_report.recording.options import (
    FAILED,
    FieldKind,
    RecordingOptions,
    artifact_from,
    cleaner_for,
    property_field,
)
from pytest_automation_report.spool.records import Attempt, test_key
from pytest_automation_report.text.limits import TEXT_UNITS, string, utf16_length

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_automation_report.api.models import StepStatus
    from pytest_automation_report.text.redaction import TextCleaner

FOLDER: Final = "Unnamed folder"
"""Folder of cases without a class."""

HOST_FIELD: Final = "Hostname"
DEEPEST: Final = 256
"""Maximum depth of nested elements."""

SPACE: Final = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
"""Characters that the official tool strips from texts."""

_Role: TypeAlias = Literal["suite", "case", "properties", "retry", "text", "other"]

_SUITES: Final = frozenset({"testsuites", "testsuite"})
_ROOTS: Final = _SUITES | {"testcase"}
_CaseStatus: TypeAlias = Literal["skipped", "failure", "error"]
_STATUSES: Final[tuple[_CaseStatus, ...]] = ("skipped", "failure", "error")
# Attempts before the last one, as Maven Surefire writes them.
_RETRIES: Final[Mapping[str, _CaseStatus]] = {
    f"{word}{status.capitalize()}": status for word in ("rerun", "flaky") for status in _STATUSES[1:]
}
_STEP_STATUSES: Final[tuple[StepStatus, ...]] = ("passed", "failed", "skipped")
_OUTPUTS: Final[Mapping[str, OutputName]] = {"system-out": "Output", "system-err": "Errors"}
_NUMBER: Final = re.compile(r"[+-]?([0-9]*\.)?[0-9]+", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII)
_HINT: Final = re.compile(r"(string|url|text|console|html):.*")
_STEP: Final = re.compile(r"step\d*(?:\[([^\]]+)\])?", re.IGNORECASE | re.ASCII)
_ATTACHMENT: Final = re.compile(r"attachment", re.IGNORECASE)
_TYPES: Final = MimeTypes()
_TYPES.add_type("text/plain", ".log")


class JunitError(ValueError):
    """The XML cannot be used; the message is the reason."""


class JunitResult(Struct, frozen=True):
    """A case: its test without what its attempts have, and its suite's ``hostname``, a machine or browser.

    ``earlier`` are the attempts before the last one.
    """

    test: Test
    attempt: Attempt
    earlier: tuple[Attempt, ...] = ()
    host: str = ""


class _Node(Struct):
    """An open element; its text is read in runs, which are stripped outside of CDATA sections.

    ``parts`` counts the suites and cases in a suite, ``suite`` is the first suite in it.
    """

    role: _Role
    attributes: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    runs: list[str] = field(default_factory=list)
    open_run: list[str] = field(default_factory=list)
    parts: int = 0
    suite: _Node | None = None

    def end_run(self, *, is_verbatim: bool = False) -> None:
        """End the open run: an element or a CDATA section begins or ends here."""
        if self.open_run:
            run = "".join(self.open_run)
            self.open_run.clear()
            self.runs.append(run if is_verbatim else run.strip(SPACE))

    def joined(self) -> str:
        """Return the whole text."""
        self.end_run()
        return "".join(self.runs)

    def stated_elapsed(self) -> int | None:
        """Return the time of this suite, or of the only one in it, in microseconds; None if neither has one."""
        if "time" in self.attributes or "duration" in self.attributes:
            return _elapsed(self.attributes)
        return self.suite.stated_elapsed() if self.suite is not None and self.parts == 1 else None


class _Retry(Struct):
    status: _CaseStatus
    node: _Node
    parts: dict[str, _Node] = field(default_factory=dict)


class _Case(Struct):
    attributes: Mapping[str, str]
    host: str = ""
    statuses: dict[_CaseStatus, list[_Node]] = field(default_factory=dict)
    outputs: dict[str, _Node] = field(default_factory=dict)
    properties: list[_Node] | None = None  # of the first list
    retries: list[_Retry] = field(default_factory=list)


class JunitDocument:
    """Reads one document; owned by the caller that has its bytes."""

    def __init__(self, options: RecordingOptions) -> None:
        self._options = options
        self._cleaner = cleaner_for(options)
        self._case: _Case | None = None
        self._results: list[JunitResult] = []
        self._top = _Node("suite")
        self._root = ""
        self._total = 0
        self._nodes = [self._top]

    @property
    def elapsed(self) -> int:
        """Time of the whole document in microseconds: the outermost element's, else the sum of the cases."""
        stated = self._top.stated_elapsed()
        return self._total if stated is None else stated

    def results(self, pieces: Iterable[bytes]) -> Iterator[JunitResult]:
        """Yield the results in the document's order, one case in memory; raises `JunitError` if it cannot be used."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = 1 << 16
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add_characters
        parser.StartCdataSectionHandler = lambda: self._nodes[-1].end_run(is_verbatim=False)
        parser.EndCdataSectionHandler = lambda: self._nodes[-1].end_run(is_verbatim=True)
        for piece in chain(pieces, [None]):
            try:
                parser.Parse(piece or b"", piece is None)
            except expat.ExpatError as error:
                raise JunitError(f"it is not a whole XML document: {error}") from error
            except (LookupError, ValueError) as error:
                # For an encoding that Python does not know, or that has more than one byte a character.
                if type(error) is LookupError or "multi-byte encoding" in str(error):
                    raise JunitError(f"its encoding cannot be read ({error}): convert it to UTF-8") from error
                raise
            results, self._results = self._results, []
            yield from results
        if self._root not in _ROOTS:
            raise JunitError(f"it holds no JUnit results: its outermost element is <{self._root[:40]}>")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        parent = self._nodes[-1]
        if len(self._nodes) > DEEPEST:
            raise JunitError(f"its elements are nested more than {DEEPEST} deep, which no test tool writes")
        self._root = self._root or name
        parent.end_run()
        stripped = {key: value.strip(SPACE) for key, value in attributes.items()}
        if parent.role == "suite":
            self._nodes.append(self._in_suite(parent, name, stripped))
        else:
            self._nodes.append(_Node("other") if self._case is None else _in_case(self._case, parent, name, stripped))

    def _end(self, _: str) -> None:
        node = self._nodes.pop()
        if node.role == "case" and self._case is not None:
            case, self._case = self._case, None
            result = _result(case, self._options, self._cleaner)
            if result is not None:
                self._total += result.test.elapsed or 0
                self._results.append(result)

    def _add_characters(self, data: str) -> None:
        if self._nodes[-1].role in {"text", "retry"}:
            self._nodes[-1].open_run.append(data)

    def _in_suite(self, parent: _Node, name: str, attributes: Mapping[str, str]) -> _Node:
        parent.parts += name in _ROOTS
        if name in _SUITES:
            suite = _Node("suite", attributes, attributes.get("hostname") or parent.host)
            parent.suite = parent.suite or suite
            return suite
        if name == "testcase":
            self._case = _Case(attributes, parent.host)
            return _Node("case")
        return _Node("other")


def _refuse_doctype(name: str, *_: object) -> None:
    # A document type could define entities that are expanded without end, or read from other places.
    raise JunitError(f"it has a document type ({name[:40]}), which no test tool writes")


def _in_case(case: _Case, parent: _Node, name: str, attributes: Mapping[str, str]) -> _Node:
    """Return the node of an element in a case; of several outputs or lists of properties the first counts."""
    text = _Node("text", attributes)
    if parent.role == "properties" and name == "property" and case.properties is not None:
        case.properties.append(text)
    elif parent.role == "case":
        if name in _STATUSES:
            case.statuses.setdefault(name, []).append(text)
        elif name in _OUTPUTS:
            case.outputs.setdefault(name, text)
        elif name == "properties" and case.properties is None:
            case.properties = []
            return _Node("properties")
        elif name in _RETRIES:
            retry = _Node("retry", attributes)
            case.retries.append(_Retry(_RETRIES[name], retry))
            return retry
    elif parent.role == "retry":
        case.retries[-1].parts.setdefault(name, text)
    return text


def _result(case: _Case, options: RecordingOptions, cleaner: TextCleaner) -> JunitResult | None:
    attributes = case.attributes
    name = attributes.get("name", "")
    if not name:
        return None
    folder = attributes.get("classname") or attributes.get("class") or ""
    if options.prefix:
        folder = f"{options.prefix}.{folder}" if folder else options.prefix
    status: Status = "passed"
    for candidate in _STATUSES:  # in the order of severity: the worst one counts
        status = candidate if candidate in case.statuses else status
    attempt = _attempt(case, status, cleaner)
    if case.host:
        fields = (*attempt.fields, property_field(HOST_FIELD, case.host, cleaner))
        attempt = replace(attempt, fields=fields)
    test = Test(
        key=test_key(folder, name),
        name=string(name),
        folder=string(folder) if folder else FOLDER,
        status=options.statuses.get(status, status),
        elapsed=attempt.elapsed,
        file=string(attributes["file"]) if attributes.get("file") else None,
        line=_whole(attributes.get("line", "")),
        assertions=_whole(attributes.get("assertions", "")),
    )
    return JunitResult(test, attempt, tuple(_earlier(retry, cleaner) for retry in case.retries), case.host)


def _attempt(case: _Case, status: Status, cleaner: TextCleaner) -> Attempt:
    causes: list[Cause] = []
    for each in _STATUSES:
        causes += filter(None, (_cause(each, text, cleaner) for text in case.statuses.get(each, ())))
    properties: list[Property] = []
    captured: dict[OutputName, str] = {}
    for tag, name in _OUTPUTS.items():
        if tag in case.outputs:
            output, printed = split_output(case.outputs[tag].joined())
            properties += printed
            if output:
                captured[name] = cleaner.console(output)
    properties += (named for text in case.properties or () if (named := _property(text)) is not None)
    fields, artifacts, steps = _additions(properties, cleaner)
    # As a session of ours has written it.
    knowns = [(place, known) for place, each in enumerate(fields) if (known := known_from(each.name, each.value))]
    place, known = knowns[0] if knowns and status in FAILED else (0, None)
    if known is not None:
        fields = [*fields[:place], *fields[place + 1 :]]
    return Attempt(
        status,
        _elapsed(case.attributes),
        fields=tuple(fields),
        artifacts=tuple(artifacts),
        steps=steps,
        causes=tuple(causes),
        output=captured,
        is_imported=True,
        known=known,
        known_place=place,
    )


def _earlier(retry: _Retry, cleaner: TextCleaner) -> Attempt:
    """Return an attempt before the last one; its text is its trace, or stands in the element itself."""
    text = replace(retry.parts.get("stackTrace", retry.node), attributes=retry.node.attributes)
    cause = _cause(retry.status, text, cleaner)
    output: dict[OutputName, str] = {}
    for tag, name in _OUTPUTS.items():
        if tag in retry.parts and (value := retry.parts[tag].joined().strip()):
            output[name] = cleaner.console(value)
    return Attempt(retry.status, causes=() if cause is None else (cause,), output=output, is_imported=True)


_LINE: Final = re.compile(r"\r?\n|\r")
_PRINTED_ATTACHMENT: Final = re.compile(r"\s*\[\[ATTACHMENT\|([^\]]+)\]\]")
_SINGLE: Final = re.compile(r"\s*\[\[PROPERTY\|([^=]+)=(.+)\]\]")
_BEGIN: Final = re.compile(r"\s*\[\[PROPERTY\|(.+)\]\]")


class Property(Struct, frozen=True):
    """A named value of a case; ``is_text`` if it may have several lines."""

    name: str
    value: str
    is_text: bool = False


def split_output(output: str) -> tuple[str, list[Property]]:
    """Split an output into its text and the properties and attachments that tests printed in it."""
    if "[[" not in output:
        return output.strip(), []
    text_lines: list[str] = []
    properties: list[Property] = []
    lines = iter(_LINE.split(output))
    for line in lines:
        if "[[" not in line:
            text_lines.append(line)
        elif (match := _PRINTED_ATTACHMENT.match(line)) is not None:
            properties.append(Property("attachment", match[1].strip()))
        elif (match := _SINGLE.fullmatch(line)) is not None:
            properties.append(Property(match[1].strip(), match[2].strip()))
        elif (match := _BEGIN.fullmatch(line)) is not None:
            value = "\n".join(takewhile(lambda line: END_OF_PROPERTY not in line, lines)).strip()
            if value:
                properties.append(Property(match[1].strip(), value, is_text=True))
        else:
            text_lines.append(line)
    return "\n".join(text_lines).strip(), properties


def _cause(status: _CaseStatus, text: _Node, cleaner: TextCleaner) -> Cause | None:
    """Return the cause of a status, which is its text, else its message, else its type."""
    message, kind = text.attributes.get("message", ""), text.attributes.get("type", "")
    value = text.joined()
    if not value:
        value, message, kind = (message, "", kind) if message else (kind, "", "")
    if not value:
        return None
    message, kind = cleaner.paragraph(message), cleaner.paragraph(kind)
    return Cause(status, status.capitalize(), cleaner.console(value), message, kind)


def _property(text: _Node) -> Property | None:
    """Return a property of a case, None if it has no name or value."""
    name, value = text.attributes.get("name", ""), text.attributes.get("value", "")
    if value:
        return Property(name, value) if name else None
    value = text.joined().strip(SPACE)
    return Property(name, value, is_text=True) if name and value else None


def _additions(
    properties: Iterable[Property], cleaner: TextCleaner
) -> tuple[list[Field], list[Artifact], tuple[Step, ...]]:
    """Return what properties are: fields, artifacts and steps; the steps also stand among the fields as markup."""
    fields: list[Field] = []
    artifacts: list[Artifact] = []
    attached: list[Field] = []
    steps: list[tuple[str, str]] = []
    for named in properties:
        step = _STEP.match(named.name)
        if _ATTACHMENT.match(named.name):
            file_name = re.split(r"[?#]", named.value, maxsplit=1)[0].rpartition("/")[2]
            mime_type = _TYPES.guess_type(file_name)[0]
            artifact = artifact_from(file_name or "attachment", named.value, mime_type, None, cleaner)
            if artifact is not None and is_web_address(named.value):
                artifacts.append(artifact)
            else:
                attached.append(property_field(named.name, named.value, cleaner))
        elif step is not None:
            steps.append(((step[1] or "").strip(SPACE), cleaner.console(named.value)))
        else:
            fields.append(_property_field(named, cleaner))
    return [*fields, *attached, *_steps_fields(steps)], artifacts, _steps(steps)


def _property_field(named: Property, cleaner: TextCleaner) -> Field:
    """Return the field of a property; a prefix of its name may select the field's type."""
    if hint := _HINT.fullmatch(named.name):
        kind: FieldKind = hint[1]  # type: ignore[assignment]
        return typed_field(named.name[len(kind) + 1 :], named.value, parse_field_type(kind), cleaner)
    return typed_field(named.name, named.value, FieldType.TEXT if named.is_text else None, cleaner)


def _steps(steps: Sequence[tuple[str, str]]) -> tuple[Step, ...]:
    """Return the steps, none if one has another status than ours, or markup in its text."""
    known = dict.fromkeys(_STEP_STATUSES)
    if any(status not in known or "<" in text for status, text in steps):
        return ()
    return tuple(Step(unescape(text), status) for name, text in steps for status in _STEP_STATUSES if status == name)


def _steps_fields(steps: Sequence[tuple[str, str]]) -> list[Field]:
    """Return the field with as many whole steps as fit; their texts may be HTML and stay unchanged."""
    remaining_units, markup = TEXT_UNITS - len(OPENING_TAG) - len(CLOSING_TAG), []
    for status, text in steps[:STEP_LIMIT]:
        attribute = f' status="{status}"' if re.fullmatch(r"[\w -]+", status) else ""
        step = f"<test-step{attribute}>{text}</test-step>\n"
        remaining_units -= utf16_length(step)
        if remaining_units < 0:
            break
        markup.append(step)
    return [Field("Steps", f"{OPENING_TAG}{''.join(markup)}{CLOSING_TAG}", FieldType.HTML)] if markup else []


def _elapsed(attributes: Mapping[str, str]) -> int | None:
    """Return the time of an element in microseconds."""
    for name in ("time", "duration"):
        text = attributes.get(name, "").replace(",", ".", 1)
        if _NUMBER.fullmatch(text) is not None:
            seconds = float(text)
            if 0 <= seconds < 1e12:  # noqa: PLR2004 - no test takes 30,000 years: what the server's integers can hold
                return math.floor(seconds * 1_000_000 + 0.5)
    return None


def _whole(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) is not None and int(text) >= 0 else None
