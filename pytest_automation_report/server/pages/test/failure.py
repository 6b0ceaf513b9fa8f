"""Turn the fields of a test into its attempts, and the failures of one attempt into what the page shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.failures.highlighting import coloured
from pytest_automation_report.failures.reading import Call, is_in_package, read_failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.failures.highlighting import Tokens
    from pytest_automation_report.failures.reading import Fold, ShownException
    from pytest_automation_report.failures.tracebacks import CodeLine, Frame
    from pytest_automation_report.failures.values import Comparison
    from pytest_automation_report.server.pages.words import Status
    from pytest_automation_report.server.store.extensions import Colours
    from pytest_automation_report.text.visible import Span

_ATTEMPT_NAME: Final = re.compile(r"Attempt ([1-9][0-9]{0,8})")

ATTEMPT_TEXT: Final = "Text"
"""Name of the colours of that field in the extension ``attempts``."""

NO_COLOURS: Final[Colours] = {}

# Types of fields, as the API numbers them.
_CONSOLE: Final = 4
_TONES: Final[Mapping[str, tuple[str, str]]] = {
    "passed": ("pass", "passed"),
    "skipped": ("skip", "skipped"),
    "failure": ("fail", "failed"),
    "error": ("fail", "failed"),
}
_SUBTEST: Final = re.compile(r"Failure \[(.*)\]", re.DOTALL)
_ON_PHASE: Final = re.compile(r'failed on (setup|teardown) with "')
_PHASES: Final = {"setup": "in its setup", "teardown": "in its teardown", "call": "in the test itself"}
_SKIPPED: Final = "Skipped"
_LINES_BEFORE: Final = 11
_LINES_AFTER: Final = 12
_COLOURED_CHARACTERS: Final = 60_000
_MAX_VARIABLES: Final = 40


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a test; ``elapsed`` is in microseconds, None if not known."""

    number: int
    tone: str
    word: str
    elapsed: int | None


@dataclass(frozen=True, slots=True)
class ShownLine:
    """One line of code in coloured pieces."""

    number: int | None
    tokens: Tokens
    is_hit: bool


@dataclass(frozen=True, slots=True)
class CallView:
    """One call: its frame, the lines before those that are shown at once, and these."""

    frame: Frame
    is_open: bool
    is_own: bool
    before: tuple[ShownLine, ...]
    lines: tuple[ShownLine, ...]
    variables: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ExceptionView:
    """One exception with its calls; a `Fold` stands for several of them."""

    shown: ShownException
    calls: tuple[CallView | Fold, ...]

    @property
    def introduction(self) -> str:
        """Words between this exception and the one before it."""
        return {"cause": "because of", "context": "while this was handled"}.get(self.shown.link, "")


@dataclass(frozen=True, slots=True)
class FailureSection:
    """One failure of an attempt, or the reason of a skip: title, phase in words, exceptions, pytest's text.

    ``phase`` is setup, call, teardown or empty. ``is_failure`` is False for a skip. ``spans`` are the coloured parts of
    pytest's text.
    """

    title: str
    phase: str
    text: str
    exceptions: tuple[ExceptionView, ...]
    is_failure: bool = True
    spans: Sequence[Span] = ()

    @property
    def phase_words(self) -> str:
        """The phase in words."""
        return _PHASES.get(self.phase, "")


def attempt_number(field: Json) -> int | None:
    """Return the number of the earlier attempt that a field shows; a user's field of such a name has no status."""
    match = _ATTEMPT_NAME.fullmatch(field["name"]) if "status" in field["meta"] else None
    return int(match[1]) if match else None


def attempts_of(
    fields: Sequence[Json], status: Status, elapsed: int | None, failed_attempts: int | None
) -> list[Attempt]:
    """Return the attempts of a test, the last one with the test's own status; one alone for a test that ran once.

    ``elapsed`` is that of the whole test. Attempts of which nothing was stored are left out.
    """
    earlier = []
    for field in fields:
        if number := attempt_number(field):
            tone, word = _TONES.get(field["meta"]["status"], ("fail", "failed"))
            earlier.append(Attempt(number, tone, word, _number(field["meta"].get("elapsed"))))
    last = max([(failed_attempts or 0) + 1, *(attempt.number + 1 for attempt in earlier)])
    return [
        *sorted(earlier, key=lambda attempt: attempt.number),
        Attempt(last, status.tone, status.name.lower(), elapsed),
    ]


def sections_of(
    fields: Sequence[Json], attempt: int | None, comparison: Comparison | None = None, colours: Colours = NO_COLOURS
) -> list[FailureSection]:
    """Return the failures of an attempt by its number, or those of the last one for None.

    Comparison and colours are those of the attempt.
    """
    if attempt is not None:
        texts = [field for field in fields if attempt_number(field) == attempt]
        return [_failure(field, comparison, colours.get(ATTEMPT_TEXT, ())) for field in texts[:1]]
    highlights = [field for field in fields if field.get("is_highlight") and field["type"] == _CONSOLE]
    if not highlights:
        # Other clients mark no field.
        highlights = [field for field in fields if field["meta"].get("message") and not attempt_number(field)][:1]
    sections = []
    for number, field in enumerate(highlights):
        is_skip = field["name"] == _SKIPPED
        spans = spans_of(field, fields, colours)
        sections.append(_skip(field) if is_skip else _failure(field, None if number else comparison, spans))
    sections += [
        FailureSection("Passed, although it is marked xfail", "", field["value"], ())
        for field in fields
        if field["name"] == "Unexpected pass"
    ]
    return sections


def spans_of(field: Json, fields: Sequence[Json], colours: Colours) -> Sequence[Span]:
    """Return the coloured parts of a field; of several fields of one name they are those of the first."""
    spans = colours.get(field["name"], ())
    return spans if spans and field is next(other for other in fields if other["name"] == field["name"]) else ()


def _failure(field: Json, comparison: Comparison | None, spans: Sequence[Span] = ()) -> FailureSection:
    meta: Mapping[str, str] = field["meta"]
    message, text = meta.get("message", ""), str(field["value"])
    on_phase = _ON_PHASE.match(message)
    phase = meta.get("phase") or (on_phase[1] if on_phase else "call" if field["name"] == "Failure" else "")
    if on_phase:
        message = message[on_phase.end() :].removesuffix('"')
    subtest = _SUBTEST.fullmatch(field["name"])
    title = f"Subtest {subtest[1]}" if subtest else "What failed"
    colours = _Colours()
    exceptions = read_failure(text, message, meta.get("type", ""), comparison)
    return FailureSection(
        title,
        phase,
        text,
        tuple(
            ExceptionView(exception, tuple(_call(call, colours) for call in exception.calls))
            for exception in exceptions
        ),
        spans=spans,
    )


def _skip(field: Json) -> FailureSection:
    meta: Mapping[str, str] = field["meta"]
    title = "Failed, as its xfail mark expects" if meta.get("type") == "pytest.xfail" else "Why it was skipped"
    return FailureSection(title, "", str(meta.get("message") or field["value"]), (), is_failure=False)


class _Colours:
    """Colour the code of frames, up to a number of characters: beyond it the time would count."""

    def __init__(self) -> None:
        self._remaining = _COLOURED_CHARACTERS

    def lines(self, code: Sequence[CodeLine]) -> list[ShownLine]:
        """Return the lines of a frame in pieces."""
        texts = [line.text for line in code]
        self._remaining -= sum(map(len, texts))
        tokens = coloured(texts) if self._remaining >= 0 else [[("", text)] for text in texts]
        return [ShownLine(line.number, pieces, line.is_hit) for line, pieces in zip(code, tokens, strict=True)]


def _call(call: Call | Fold, colours: _Colours) -> CallView | Fold:
    if not isinstance(call, Call):
        return call
    lines = colours.lines(call.frame.code)
    hit = max((number for number, line in enumerate(lines) if line.is_hit), default=len(lines) - 1)
    first = max(0, hit - _LINES_BEFORE)
    # One or two hidden lines would take the room that they save.
    first = 0 if first <= 2 else first  # noqa: PLR2004 - as said
    return CallView(
        call.frame,
        call.is_open,
        not is_in_package(call.frame.path),
        tuple(lines[:first]),
        tuple(lines[first : hit + _LINES_AFTER]),
        _worth_reading(call.frame.variables),
    )


def _worth_reading(variables: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the variables without modules and functions, which are imports and helpers."""
    shown = [(name, value) for name, value in variables if not value.startswith(("<module ", "<function "))]
    return tuple(shown[:_MAX_VARIABLES])


def _number(text: Any) -> int | None:  # noqa: ANN401 - from the JSON of a client
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 16 else None  # noqa: PLR2004 - years
