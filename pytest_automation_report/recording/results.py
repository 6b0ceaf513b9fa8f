"""Identity of tests, results of modules, and the first failures of a process."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import astuple

from pytest_automation_report.api.models import KNOWN_FIELD, Field, FieldType, Status
from pytest_automation_report.recording.options import FAILED, RecordingOptions, cleaner_for
from pytest_automation_report.recording.phases import console_field, exception_type, skip_texts
from pytest_automation_report.spool.records import Attempt, Colours, FinishRecord
from pytest_automation_report.text.limits import cut_end, string, utf16_length
from pytest_automation_report.text.visible import NOT_IN_XML, ColouredText, Span
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

    from pytest_automation_report.text.redaction import TextCleaner


_NO_NAME = "(no name)"


class TestIdentity(Struct, frozen=True):
    """Folder, name and key of a test on the server; ``is_respelled`` if they do not show its node id (``raw``)."""

    folder: str
    name: str
    key: str
    raw: str
    is_respelled: bool = False


def identity_of(nodeid: str, *, prefix: str = "") -> TestIdentity:
    """Return the identity of a node; ``prefix`` stands before the folder, as ``--junit-prefix`` in pytest's XML."""
    path, colons, inner = nodeid.partition("::")
    module = _dotted(path)
    if colons:
        names, bracket, params = inner.partition("[")
        scopes, _, last = names.rpartition("::")
        if bracket:
            last = f"{last}[{params.removesuffix(']')}]"
        classname = f"{module}.{scopes.replace('::', '.')}" if scopes else module
        if prefix:
            classname = f"{prefix}.{classname}"
    else:
        last, classname = module, prefix
    # The key is made of the whole name; only the shown one is cut.
    name = last if last.isascii() and last.isprintable() else NOT_IN_XML.sub(_visual_escape, last)
    shown = string(name) or _NO_NAME
    folder = string(classname) if classname else shown
    is_respelled = shown != last or classname not in {"", folder}
    return TestIdentity(folder, shown, key_of(classname, name), nodeid, is_respelled)


def key_of(folder: str, name: str) -> str:
    """Return the key: SHA-256 of ``folder.name``. Lone surrogates have no UTF-8, but must not make two keys equal."""
    address = f"{folder}.{name}" if folder else name
    return sha256(address.encode("utf-8", "surrogatepass")).hexdigest()


def one_based(line: int | None) -> int | None:
    """Return pytest's line of a test, which counts from 0, as editors count it; None if it is not known."""
    return None if line is None or line < 0 else line + 1


@lru_cache(maxsize=1024)
def _dotted(path: str) -> str:
    return path.replace("/", ".").removesuffix(".py")


def _visual_escape(match: re.Match[str]) -> str:
    """Return pytest's escape for a character that XML does not allow."""
    code = ord(match.group())
    return f"#x{code:02X}" if code <= 0xFF else f"#x{code:04X}"  # noqa: PLR2004 - the largest two-digit escape


# A line of pytest's traceback that shows an exception.
_RAISED = lazy_pattern(r"^E   (\S.*)$", re.MULTILINE)


def collection_record(report: pytest.CollectReport, options: RecordingOptions) -> FinishRecord | None:
    """Return the result of a node that pytest could not collect, or skipped, without number and moment; else None."""
    if report.outcome == "passed":
        return None
    folder = None
    if "::" not in report.nodeid:
        # pytest's XML writes a module's name as the class, too, so the result stands in a folder of that name.
        module = identity_of(report.nodeid).name
        folder = string(f"{options.prefix}.{module}") if options.prefix else module
    cleaner = cleaner_for(options)
    status: Status = "skipped" if report.outcome == "skipped" else "error"
    if status == "skipped":
        text, reason = skip_texts(report.longrepr, report.longreprtext)
        cause = console_field("Skipped", cleaner.console(text), cleaner.paragraph(reason), "pytest.skip")
    else:
        text = report.longreprtext or "pytest could not collect this and gave no text."
        # The last one: pytest shows a chain of exceptions in the order in which they were raised.
        exceptions = _RAISED.findall(text)
        message = exceptions[-1] if exceptions else "collection failure"
        type_name = exception_type(message) if exceptions else ""
        cause = console_field("Error", cleaner.console(text), cleaner.paragraph(message), type_name)
    fields = (cause, *(output_fields(report.sections, cleaner) if keeps_output(options, status) else ()))
    attempt = Attempt(status, fields=fields, colours=colours_of(fields))
    return FinishRecord(0, 0, report.nodeid, attempt, file=report.nodeid.partition("::")[0], folder=folder)


def colours_of(fields: Iterable[Field]) -> Colours:
    """Return the coloured parts of fields by name: of several fields of one name those of the first."""
    colours: dict[str, Sequence[Span]] = {}
    for field in fields:
        # Nearly all values have no colours: this loop is all that they cost.
        if type(field.value) is ColouredText:
            colours.setdefault(field.name, field.value.spans)
        elif colours:
            colours.setdefault(field.name, ())
    return {name: tuple(spans) for name, spans in colours.items() if spans}


def keeps_output(options: RecordingOptions, status: Status) -> bool:
    """Whether the captured output of a test with this status is recorded."""
    return options.output == "all" or (options.output == "failed" and status in FAILED)


def output_fields(sections: Iterable[tuple[str, str]], cleaner: TextCleaner) -> list[Field]:
    """Return one console field for each captured stream, with the phases in their order."""
    fields: list[Field] = []
    sections = list(sections)
    for name, heading in (("Output", "Captured stdout"), ("Errors", "Captured stderr"), ("Log", "Captured log")):
        parts = [content for title, content in sections if content and title.startswith(heading)]
        if name == "Log":
            # pytest strips log texts; printed ones end as the test printed them.
            parts = ["\n".join(parts)] if parts else []
        if parts:
            # All members by position: 0.9 us instead of 1.5.
            fields.append(Field(name, cleaner.console(*parts), FieldType.CONSOLE, {}, False))  # noqa: FBT003
    return fields


def node_id_fields(identity: TestIdentity, cleaner: TextCleaner) -> tuple[Field, ...]:
    """Return a field with pytest's node id, nothing if folder and name show it unchanged."""
    return (Field("Node id", cleaner.string(identity.raw)),) if identity.is_respelled else ()


SHOWN: Final = 50
"""Most failures of one process that are stored."""

# Of the record with all failures; about the length of one long result.
_MAX_BYTES: Final = 20_000
_TEXT_UNITS: Final = 240


class FailedTest(Struct, frozen=True):
    """A failed test: its name, the first line of its failure, and the 1-based line of that or else of the test.

    ``is_known`` if the file of known failures excuses it.
    """

    status: Status
    folder: str
    name: str
    message: str
    file: str = ""
    line: int | None = None
    is_known: bool = False


class Failures:
    """The first failures of one process, in their order; owned by its runtest hooks."""

    __slots__ = ("_remaining_bytes", "kept")

    def __init__(self) -> None:
        self.kept: list[FailedTest] = []
        self._remaining_bytes = _MAX_BYTES

    def add(self, record: FinishRecord, prefix: str) -> None:
        """Store the failure of an attempt, whose texts are clean, while there is room; ``prefix`` is of its folder."""
        if len(self.kept) == SHOWN or self._remaining_bytes <= 0:
            return
        attempt, identity = record.attempt, identity_of(record.nodeid, prefix=prefix)
        failure = next((field for field in attempt.fields if field.is_highlight), None)
        message = "" if failure is None else failure.meta.get("message") or failure.value or ""
        whole = (
            record.folder or identity.folder,
            record.name or identity.name,
            message.strip().partition("\n")[0],
            string(record.file),
        )
        texts = [cut_end(text, _TEXT_UNITS) for text in whole]
        # The longest that ASCII JSON can be: two bytes for a quote or a backslash, six for a unit as \uXXXX.
        self._remaining_bytes -= sum(len(text) * 2 if text.isascii() else utf16_length(text) * 6 for text in texts)
        line = one_based(record.line) if attempt.line is None else attempt.line
        folder, name, message, file = texts
        is_known = any(field.name == KNOWN_FIELD for field in attempt.fields)
        self.kept.append(FailedTest(attempt.status, folder, name, message, file, line, is_known))

    @property
    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """The members of all failures, as a record holds them."""
        return tuple(map(astuple, self.kept))
