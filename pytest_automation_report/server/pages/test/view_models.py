"""Turn the row of a test into the values of its page: attempts, failures, steps, output, facts, other texts, files."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from pytest_automation_report.api.models import Cause, Step
from pytest_automation_report.api.results import AttemptParts, ColourSpans, Phases, Streams
from pytest_automation_report.api.text_fields import OWNER_FIELD
from pytest_automation_report.failures.code import CodeTokens, colour_code
from pytest_automation_report.failures.frames import Call, Fold, is_in_package
from pytest_automation_report.failures.reading import ShownException, read_failure
from pytest_automation_report.failures.terminal import Screen, terminal_lines
from pytest_automation_report.failures.values import Comparison
from pytest_automation_report.findings.fingerprints import IN_PHASE
from pytest_automation_report.server.pages.urls import STREAMS
from pytest_automation_report.server.pages.words import OUTCOME_TONES, ShownStatus, web_address
from pytest_automation_report.server.store.contents import DOWNLOAD, TEXT, StoredContent
from pytest_automation_report.server.store.stored import StoredEntry, causes_in
from pytest_automation_report.server.store.values import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.failures.tracebacks import CodeLine, Frame
    from pytest_automation_report.server.store.stored import StoredResult, StoredThread
    from pytest_automation_report.text.visible import Span


class StoredAttempt(AttemptParts, frozen=True):
    """What is stored of an attempt; the last one has the number 0, and its fields in its row."""

    comparison: Comparison | None = None


_steps: Final = Decoder(tuple[Step, ...]).decode
_output: Final = Decoder(Streams).decode
_comparison: Final = Decoder(Comparison).decode
_colours: Final = Decoder(ColourSpans).decode
_attempts: Final = Decoder(tuple[StoredAttempt, ...]).decode


def start_time(thread: StoredThread, result: StoredResult) -> int | None:
    """Return the start of a test in microseconds since 1970, as the clock of its machine had it; None if unknown."""
    session_started, started = thread.session_started, result.started
    return None if session_started is None or started is None else session_started + started


def earlier_attempts(result: StoredResult) -> dict[int, StoredAttempt]:
    """Return what is stored of the attempts before the last one, by their numbers."""
    return {attempt.number: attempt for attempt in _attempts(result.attempts or "[]")}


def last_attempt(result: StoredResult) -> StoredAttempt:
    """Return what is stored of the last attempt beside its fields."""
    elapsed, setup, teardown = result.elapsed, result.setup, result.teardown
    phases = None
    if elapsed is not None and setup is not None and teardown is not None:
        phases = Phases(setup, elapsed - setup - teardown, teardown)
    return StoredAttempt(
        0,
        phases=phases,
        causes=causes_in(result.causes),
        output=_output(result.output or "{}"),
        steps=_steps(result.steps or "[]"),
        comparison=None if result.comparison is None else _comparison(result.comparison),
        colours=_colours(result.colours or "{}"),
    )


_PHASES: Final = {"setup": "in its setup", "teardown": "in its teardown", "call": "in the test itself"}
_LINES_BEFORE, _LINES_AFTER = 11, 12
_COLOURED_CHARACTERS: Final = 60_000


class ShownAttempt(NamedTuple):
    """One attempt of a test; ``elapsed`` is in microseconds, None if not known."""

    number: int
    tone: str
    word: str
    elapsed: int | None


Coloured: TypeAlias = "tuple[CodeLine, CodeTokens]"
"""A line of code, and its text in coloured pieces."""


class CallView(Struct, frozen=True):
    """One call: its frame, the lines before those that are shown at once, and these."""

    frame: Frame
    is_open: bool
    is_own: bool
    before: Sequence[Coloured]
    lines: Sequence[Coloured]
    variables: tuple[tuple[str, str], ...]


class ExceptionView(Struct, frozen=True):
    """One exception with its calls; a `Fold` stands for several of them."""

    shown: ShownException
    calls: tuple[CallView | Fold, ...]


class FailureSection(Struct, frozen=True):
    """One failure of an attempt, or the reason of a skip: title, phase in words, exceptions, pytest's text."""

    title: str
    phase: str  # setup, call, teardown or empty
    text: str
    exceptions: tuple[ExceptionView, ...]
    edge: str = ""  # "calm" of a skip, "odd" of a test that passed although it is marked xfail
    spans: Sequence[Span] = ()  # the coloured parts of pytest's text

    @property
    def phase_words(self) -> str:
        """The phase in words."""
        return _PHASES.get(self.phase, "")


def attempts_of(
    earlier: Iterable[StoredAttempt], status: ShownStatus, elapsed: int | None, failed_attempts: int | None
) -> list[ShownAttempt]:
    """Return the stored attempts, and the last one with the test's own status and duration."""
    shown = []
    for attempt in earlier:
        word = attempt.status if attempt.status in {"passed", "skipped"} else "failed"
        shown.append(ShownAttempt(attempt.number, OUTCOME_TONES[word], word, attempt.elapsed))
    shown.sort(key=lambda attempt: attempt.number)
    last = max([(failed_attempts or 0) + 1, *(attempt.number + 1 for attempt in shown)])
    return [*shown, ShownAttempt(last, status.tone, status.name.lower(), elapsed)]


def sections_of(attempt: StoredAttempt, file: str = "") -> list[FailureSection]:
    """Return the causes of an attempt; ``file`` is the test's."""
    sections, comparison, named = [], attempt.comparison, set[str]()
    for cause in attempt.causes:
        if cause.kind == "skipped" and not attempt.number:
            title = "Failed, as its xfail mark expects" if cause.type == "pytest.xfail" else "Why it was skipped"
            sections.append(FailureSection(title, "", cause.message or cause.text, (), edge="calm"))
        elif cause.kind != "xpass":
            # Of several causes of one name the first has the colours.
            spans = () if cause.name in named else attempt.colours.get(cause.name, ())
            sections.append(_failure(cause, comparison, spans, file))
            comparison = None
        named.add(cause.name)
    title = "Passed, although it is marked xfail"
    xpasses = (cause for cause in attempt.causes if cause.kind == "xpass")
    return [*sections, *(FailureSection(title, "", cause.text, (), edge="odd") for cause in xpasses)]


def spans_of(field: StoredEntry, fields: Sequence[StoredEntry], colours: ColourSpans) -> Sequence[Span]:
    """Return the coloured parts of a field; of several fields of one name only the first has them."""
    spans = colours.get(field.name, ())
    return spans if spans and field is next(other for other in fields if other.name == field.name) else ()


def _failure(cause: Cause, comparison: Comparison | None, spans: Sequence[Span], file: str) -> FailureSection:
    message = cause.message
    on_phase = IN_PHASE.match(message)
    phase = cause.phase or (on_phase[1] if on_phase else "call" if cause.name == "Failure" else "")
    if on_phase:
        message = message[on_phase.end() :].removesuffix('"')
    colours = _Colours()
    return FailureSection(
        "What failed" if cause.subtest is None else f"Subtest {cause.subtest}",
        phase,
        cause.text,
        tuple(
            ExceptionView(exception, tuple(_call(call, colours) for call in exception.calls))
            for exception in read_failure(cause.text, message, cause.type, comparison, file)
        ),
        spans=spans,
    )


class _Colours:
    """Colour the code of frames, up to a number of characters: beyond it the time would count."""

    def __init__(self) -> None:
        self._remaining = _COLOURED_CHARACTERS

    def lines(self, code: Sequence[CodeLine]) -> list[Coloured]:
        texts = [line.text for line in code]
        self._remaining -= sum(map(len, texts))
        tokens = colour_code(texts) if self._remaining >= 0 else [[("", text)] for text in texts]
        return list(zip(code, tokens, strict=True))


def _call(call: Call | Fold, colours: _Colours) -> CallView | Fold:
    if not isinstance(call, Call):
        return call
    lines = colours.lines(call.frame.code)
    hit = max((number for number, (line, _) in enumerate(lines) if line.is_hit), default=len(lines) - 1)
    first = max(0, hit - _LINES_BEFORE)
    # One or two hidden lines would take the room that they save.
    first = 0 if first <= 2 else first  # noqa: PLR2004 - as said
    # Modules and functions are imports and helpers.
    variables = [pair for pair in call.frame.variables if not pair[1].startswith(("<module ", "<function "))]
    return CallView(
        call.frame,
        call.is_open,
        not is_in_package(call.frame.path),
        lines[:first],
        lines[first : hit + _LINES_AFTER],
        tuple(variables[:40]),
    )


# Types of fields, as the API numbers them.
_TEXT_TYPES: Final = (2, 3, 4)
_URL: Final = 5
_MAX_STEPS: Final = 300
_SHORT: Final = 40


class StepRow(NamedTuple):
    """One step; ``depth`` counts the steps around it, ``share`` is its part of the longest step, 0 to 1."""

    name: str
    tone: str
    word: str
    depth: int = 0
    elapsed: int | None = None
    share: float = 0.0
    files: tuple[int, ...] = ()  # places in the list of the files of its attempt


class Stream(NamedTuple):
    """One captured stream: its word in the URL, its text, and the coloured parts of that."""

    stream: str
    value: str
    spans: Sequence[Span] = ()


def step_rows(steps: Sequence[Step]) -> list[StepRow]:
    """Return the steps of an attempt, those inside of others behind them."""
    flat = [*_flat(steps, 0)]
    longest = max((step.elapsed or 0 for step, _ in flat), default=0) or 1
    return [
        StepRow(
            step.name, OUTCOME_TONES[step.status], step.status, depth, step.elapsed, (step.elapsed or 0) / longest,
            step.files,
        )
        for step, depth in flat[:_MAX_STEPS]
    ]  # fmt: skip


def _flat(nodes: Iterable[Step], depth: int) -> Iterable[tuple[Step, int]]:
    for node in nodes:
        yield node, depth
        yield from _flat(node.steps, depth + 1)


def outputs_of(attempt: StoredAttempt) -> list[Stream]:
    """Return the captured streams of an attempt, in their order."""
    return [
        Stream(stream, attempt.output[name], attempt.colours.get(name, ()))
        for stream, name in STREAMS.items()
        if attempt.output.get(name)
    ]


def author_texts(fields: Sequence[StoredEntry], attempt: StoredAttempt) -> list[tuple[str, Screen]]:
    """Return the long texts that a test's author added, by name; of an earlier attempt all of its fields."""
    if attempt.number:
        return [
            (each.name, terminal_lines(each.value or "", attempt.colours.get(each.name, ()))) for each in attempt.fields
        ]
    return [
        (field.name, terminal_lines(field.value or "", spans_of(field, fields, attempt.colours)))
        for field in fields
        if field.type in _TEXT_TYPES
    ]


def facts_of(fields: Sequence[StoredEntry], owner: str | None) -> list[tuple[str, str, str]]:
    """Return name, value and web address of the fields in one line; without an address for a plain value."""
    facts = []
    for field in fields:
        if field.name == "Node id" or field.type in _TEXT_TYPES:
            continue
        url = web_address(field.value) if field.type == _URL else None
        facts.append((field.name, short_link(url) if url else field.value or "–", url or ""))  # noqa: RUF001 - typography
    return [*facts, *([(OWNER_FIELD, owner, "")] if owner else [])]


def short_link(url: str) -> str:
    """Return the part of an address that people know it by: ``HARB-207`` of ``https://jira.example/browse/HARB-207``."""
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query) if value]
    path = unquote(parts.path.rstrip("/").rpartition("/")[2])
    last = values[-1] if len(values) == 1 else path or (values[-1] if values else "")
    if last.isdecimal():
        # A number says too little: ``grafana.example.com/d/7``.
        last = unquote(url.partition("://")[2])
    # A fragment of a few letters is a place inside of a page, and no name.
    return last if last and len(last) <= _SHORT else parts.netloc.rpartition("@")[2] or url[:_SHORT]


_ATTEMPT_NOTE: Final = re.compile(r"attempt ([1-9][0-9]{0,8})(?:: (.*))?", re.DOTALL)
_PREVIEW_LINES: Final = 200
_PREVIEW_BYTES: Final = 24_000


class Preview(NamedTuple):
    """The first lines of a text file; ``more_bytes`` are not shown, ``line_count`` is None if not all was read."""

    lines: tuple[str, ...]
    line_count: int | None
    more_bytes: int = 0


class TestFile(Struct, frozen=True):
    """One artifact: ``shown`` is picture, video, text, trace or link; ``url`` is empty if it is not stored any more."""

    __test__ = False  # pytest must not collect it

    name: str
    url: str
    shown: str
    note: str = ""
    mime_type: str = ""
    size: int | None = None
    hash: str = ""
    caption: str = "this run"
    other: TestFile | None = None  # the picture beside it: the expected one, or one of an earlier run
    difference: TestFile | None = None  # the picture that a test made of both

    @property
    def opening_command(self) -> str:
        """The command that shows a downloaded trace."""
        return shlex.join(["playwright", "show-trace", self.name])


def files_of(
    artifacts: Sequence[StoredEntry], contents: Mapping[str, StoredContent], attempt: int | None
) -> list[TestFile]:
    """Return the files of an earlier attempt by its number, or of the last one for None."""
    files = []
    for artifact in artifacts:
        note = artifact.note or ""
        match = _ATTEMPT_NOTE.fullmatch(note)
        number = int(match[1]) if match else None
        if number == attempt:
            files.append(_file(artifact, (match[2] or "") if match else note, contents))
    return files


def _file(artifact: StoredEntry, note: str, contents: Mapping[str, StoredContent]) -> TestFile:
    name, url, mime_type = artifact.name, artifact.url, artifact.mime_type or ""
    hash_ = content_hash(url)
    if hash_ is None:  # stored somewhere else
        return TestFile(name, url, "link", note, mime_type, artifact.size)
    content = contents.get(hash_)
    if content is None:
        return TestFile(name, "", "link", note or "not stored here", mime_type)
    media_type = content.media_type
    shown = {"image": "picture", "video": "video"}.get(media_type.partition("/")[0], "link")
    shown = "text" if media_type == TEXT else shown
    # A file of no recognised type keeps the type that the test named.
    mime_type = mime_type if media_type == DOWNLOAD else content.mime_type
    return TestFile(name, url, shown, note, mime_type, content.size, hash_)


_SIDE: Final = re.compile(r"(.+)[-_.](expected|actual|diff)(\.\w+)?", re.DOTALL)


def compared_pictures(pictures: Sequence[TestFile]) -> list[TestFile]:
    """Return pictures, of ``x-actual.png``, ``x-expected.png`` and ``x-diff.png`` the first alone, with the others."""
    groups: dict[tuple[str, str], dict[str, TestFile]] = {}
    for picture in pictures:
        if match := _SIDE.fullmatch(picture.name):
            groups.setdefault((match[1], match[3]), {})[match[2]] = picture
    shown = list(pictures)
    for sides in groups.values():
        if "actual" in sides and "expected" in sides:
            expected, difference = replace(sides["expected"], caption="expected"), sides.get("diff")
            one = replace(sides["actual"], caption="actual", other=expected, difference=difference)
            shown = [one if file is sides["actual"] else file for file in shown]
            shown = [file for file in shown if file is not sides["expected"] and file is not difference]
    return shown


def preview_of(data: bytes, size: int) -> Preview:
    """Return the beginning of a text file; ``data`` are its first bytes, ``size`` is the number of all of them."""
    text = data[:_PREVIEW_BYTES].decode("utf-8-sig", "replace")
    lines = text.removesuffix("\n").split("\n")
    is_whole = size <= min(len(data), _PREVIEW_BYTES)
    shown = lines[:_PREVIEW_LINES]
    more = max(0, size - len("\n".join(shown).encode())) if len(shown) < len(lines) or not is_whole else 0
    return Preview(tuple(shown), len(lines) if is_whole else None, more)
