"""Pytest's JUnit XML as keys and statuses (floor 1, pure), to be compared with what the run has.

The file comes from a disk that tests can write to: a document type is refused, and with it every entity of its own.

What tests print for the official command-line tool, taken out of the output in JUnit XML (floor 1, pure).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from pytest_automation_report.recording.identity import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_automation_report.api.models import Status

_OUTCOMES: Final[Mapping[str, Status]] = {"skipped": "skipped", "failure": "failure", "error": "error"}
_SEVERITY: Final[tuple[Status, ...]] = ("passed", "skipped", "failure", "error")


class JunitError(ValueError):
    """The XML cannot be used; the message says why."""


@dataclass(slots=True)
class JunitCase:
    """All cases of one key: their name with its folder, and the worst and the last of their statuses."""

    name: str
    worst: Status = "passed"
    last: Status = "passed"
    cases: int = 0


def junit_cases(pieces: Iterable[bytes]) -> dict[str, JunitCase]:
    """Return the cases of a JUnit XML document, which comes in pieces, by the key that the server knows them by.

    Raises `JunitError` for what is no well-formed XML, or has a document type.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    for _ in parsed(parser, pieces):
        pass
    return reader.found


def parsed(parser: expat.XMLParserType, pieces: Iterable[bytes]) -> Iterator[None]:
    """Give a parser a document that comes in pieces, and yield after each of them and at the end.

    Raises `JunitError` for what is no well-formed XML, has a document type, or an encoding that expat cannot read.
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


@dataclass(slots=True)
class _Reader:
    """Takes the elements of one document; text between them does not matter."""

    found: dict[str, JunitCase] = field(default_factory=dict)
    _open: JunitCase | None = None
    _status: Status = "passed"

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Begin a case, or note how the open one ended."""
        if name == "testcase" and "classname" in attributes and "name" in attributes:
            folder, own = attributes["classname"], attributes["name"]
            case = JunitCase(f"{folder}.{own}" if folder else own)
            self._open = self.found.setdefault(key_of(folder, own), case)
            self._status = "passed"
        elif name in _OUTCOMES:
            self._status = _worse(self._status, _OUTCOMES[name])

    def end(self, name: str) -> None:
        """End a case; pytest writes one without a name for a test that was cut short, which is passed over."""
        if name == "testcase" and self._open is not None:
            case, self._open = self._open, None
            case.cases += 1
            case.last = self._status
            case.worst = _worse(case.worst, self._status)


def _worse(one: Status, other: Status) -> Status:
    return one if _SEVERITY.index(one) >= _SEVERITY.index(other) else other


def _refuse_doctype(name: str, *_: object) -> None:
    """Refuse a document's type, as a handler of expat's; raises `JunitError`."""
    raise JunitError(f"it has a document type ({name[:40]}), which no test tool writes")


_LINE: Final = re.compile(r"\r?\n|\r")
_ATTACHMENT: Final = re.compile(r"\s*\[\[ATTACHMENT\|([^\]]+)\]\]")
_SINGLE: Final = re.compile(r"\s*\[\[PROPERTY\|([^=]+)=(.+)\]\]")
_BEGIN: Final = re.compile(r"\s*\[\[PROPERTY\|(.+)\]\]")
_END: Final = "[[/PROPERTY]]"


@dataclass(frozen=True, slots=True)
class Property:
    """A named value of a case; ``is_text`` tells that it was written as a text of several lines."""

    name: str
    value: str
    is_text: bool = False


def said_in(output: str) -> tuple[str, list[Property]]:
    """Return the output without the lines that say something, and what they say, in their order.

    Attachments are properties of the name ``attachment``.
    """
    if "[[" not in output:
        return output.strip(), []
    rest: list[str] = []
    said: list[Property] = []
    lines = iter(_LINE.split(output))
    for line in lines:
        if "[[" not in line:
            rest.append(line)
        elif (found := _ATTACHMENT.match(line)) is not None:
            said.append(Property("attachment", found[1].strip()))
        elif (found := _SINGLE.fullmatch(line)) is not None:
            said.append(Property(found[1].strip(), found[2].strip()))
        elif (found := _BEGIN.fullmatch(line)) is not None:
            inner: list[str] = []
            for each in lines:
                if _END in each:
                    break
                inner.append(each)
            value = "\n".join(inner).strip()
            if value:
                said.append(Property(found[1].strip(), value, is_text=True))
        else:
            rest.append(line)
    return "\n".join(rest).strip(), said
