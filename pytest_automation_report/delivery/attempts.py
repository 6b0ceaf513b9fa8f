"""Fold the attempts of a test into its one result, in the words of the contract and with its extensions.

The server stores one result of a test. Under reruns that is the last attempt, with those before it. An attempt whose
process died is an error with the last output of its process.
"""

from __future__ import annotations

import posixpath
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.models import Artifact, Cause, Field, FieldType, Json, Known, Step, Test, encode
from pytest_automation_report.delivery.testmo import attempt_fields, attempt_text, fit_to_limits, result_fields
from pytest_automation_report.findings.known import OWNER_FIELD, CodeOwners
from pytest_automation_report.recording.options import FAILED, UNTESTED, RecordingOptions, cleaner_for
from pytest_automation_report.recording.phases import moved, node_id_fields
from pytest_automation_report.spool.records import Attempt, Colours, identify
from pytest_automation_report.text.files import read_file
from pytest_automation_report.text.limits import NOTE_UNITS, cut_end, cut_middle, string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence


# The server stores 64 KiB of each extension, steps and colours among them, and 256 KiB of `attempts`.
_MAX_BYTES: Final = 32_000
_MAX_ATTEMPTS_BYTES: Final = 128_000
_MAX_OWNERS_BYTES: Final = 3 << 20  # as on GitHub

_TEXT: Final = "Text"


Unfinished: TypeAlias = 'Literal["crashed", "died", "interrupted"]'
"""Why a test has no end: its xdist worker died, its pytest process died, or pytest stopped in the test."""

_SENTENCES: Final[Mapping[Unfinished, str]] = {
    "crashed": "The worker {worker} crashed while it ran this test (os._exit, a signal or a lost machine).",
    "died": "The process that ran this test died before it finished (os._exit, a signal or a lost machine).",
    "interrupted": "This test was interrupted (Ctrl-C, pytest.exit, -x or an error of pytest) before it finished.",
}


def unfinished_attempt(
    nodeid: str,
    options: RecordingOptions,
    *,
    kind: Unfinished,
    detail: str,
    observed_us: int | None,
    worker: str,
    artifacts: Iterable[Artifact] = (),
) -> Attempt:
    """Return an attempt that was running when its process ended: an error, or untested if it was interrupted.

    ``nodeid`` must not have pytest-xdist's ``@group``. ``detail`` is further text for the error, such as the last
    output. ``observed_us`` is the time since the test's start.
    """
    cleaner = cleaner_for(options)
    sentence = _SENTENCES[kind].format(worker=string(worker))
    # Who presses Ctrl-C stops a test that may be good: nothing is known of it.
    status: Literal["untested", "error"] = UNTESTED if kind == "interrupted" else "error"
    text = cleaner.console(sentence, "\n\n" if detail else "", detail)
    cause = Cause(status, "Error" if status == "error" else "Not run", text, sentence)
    fields = node_id_fields(identify(nodeid, prefix=options.prefix), cleaner)
    elapsed_us = None if observed_us is None else max(0, observed_us)
    return Attempt(status, elapsed_us, fields=fields, artifacts=tuple(artifacts), causes=(cause,))


class EarlierAttempt(Struct, frozen=True, omit_defaults=True):
    """What a server of ours stores of an attempt before the last one, beside its field."""

    number: int
    phases: tuple[int, int, int] | None = None
    comparison: Json | None = None
    steps: tuple[Step, ...] = ()
    output: Mapping[str, str] = field(default_factory=dict)
    colours: Colours = field(default_factory=dict)


class Extensions(Struct, frozen=True, omit_defaults=True):
    """What a server of ours stores of a test beside the contract; `api.models` describes the members."""

    started: int | None = None
    phases: tuple[int, int, int] | None = None
    steps: tuple[Step, ...] = ()
    comparison: Json | None = None
    colours: Colours = field(default_factory=dict)
    attempts: tuple[EarlierAttempt, ...] = ()
    known: Known | None = None


NO_EXTENSIONS: Final = Extensions()

_Made = TypeVar("_Made")


class Decorations:
    """Makes what merely decorates results. What cannot be made is left out: ``left_out`` says why, by its name."""

    def __init__(self, options: RecordingOptions) -> None:
        self._options = options
        self.left_out: dict[str, str] = {}

    def make(self, name: str, make: Callable[[], _Made], without: _Made) -> _Made:
        """Return a decoration, or ``without`` if to make it raises: the result goes out all the same."""
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - a file of users or a test's texts, which no case has shown so far
            self.leave_out(name, error)
            return without

    def leave_out(self, name: str, error: Exception) -> None:
        """Note the first error of a decoration."""
        text = f"{name} left out: {type(error).__name__}: {error}"
        self.left_out.setdefault(name, cleaner_for(self._options).string(text))


def not_run_test(nodeid: str, options: RecordingOptions) -> Test:
    """Return the result of a test that was collected and never started (setting ``report_not_run``)."""
    identity = identify(nodeid, prefix=options.prefix)
    path = string(nodeid.partition("::")[0]) or None
    cause = Field("Not run", "The session ended before this test started.")
    fields = (cause, *node_id_fields(identity, cleaner_for(options)))
    return fit_to_limits(Test(identity.key, identity.name, identity.folder, UNTESTED, file=path, fields=fields))


def fold_attempts(
    base: Test,
    attempts: Sequence[Attempt],
    options: RecordingOptions,
    decorations: Decorations,
    *,
    started: int | None = None,
) -> tuple[Test, Extensions]:
    """Return the result of a test with these attempts, oldest first, and its extensions.

    ``base`` has key, names and place of the test. ``started`` is when the last attempt began, in microseconds of the
    session.
    """
    *earlier, last = attempts
    alias = options.statuses.get(last.status, last.status)
    # By position, here and below: this runs for each test of a session.
    if not earlier and last.is_plain and last.status not in FAILED:
        plain = Test(
            base.key, base.name, base.folder, alias, last.elapsed, base.file, base.line, (), (), base.assertions
        )
        return plain, Extensions(started, _phases(last))
    artifacts = (*last.artifacts, *_with_notes(earlier))
    owner = ""
    if options.owners and last.status in FAILED:
        owner = decorations.make("owner", partial(_owner, base.file or "", options), "")
    owned = (Field(OWNER_FIELD, owner),) if owner else ()
    fields = tuple(result_fields(attempts, owned, options.statuses))
    test = Test(
        base.key, base.name, base.folder, alias, last.elapsed, base.file, base.line, fields, artifacts, base.assertions
    )
    test = fit_to_limits(test)
    colours = partial(_fitted_colours, last, test.fields)
    extensions = Extensions(
        started,
        _phases(last),
        decorations.make("steps", partial(_fitted_steps, last.steps, [_MAX_BYTES]), ()) if last.steps else (),
        last.comparison,
        decorations.make("colours", colours, {}) if last.colours else {},
        decorations.make("earlier attempts", partial(_entries, earlier), ()) if earlier else (),
        last.known,
    )
    return test, extensions


def _owner(file: str, options: RecordingOptions) -> str:
    path = posixpath.normpath(posixpath.join(options.owned_folder, file))
    return string(_code_owners(options.owners).of(path)) if file else ""


@lru_cache(maxsize=1)
def _code_owners(file: str) -> CodeOwners:
    try:
        text = read_file(Path(file), _MAX_OWNERS_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return CodeOwners("")  # the session began with it, and a test may have removed it since
    return CodeOwners(text, file)


def with_kept_files(extensions: Extensions, attempts: Sequence[Attempt], kept: Sequence[bool]) -> Extensions:
    """Return a result's extensions with new places of files in steps; ``kept`` says which artifacts it still has."""
    *earlier, last = attempts
    counts = [len(attempt.artifacts) for attempt in (last, *earlier)]
    flags = [kept[end - count : end] for count, end in zip(counts, accumulate(counts), strict=True)]
    of_attempts = tuple(
        replace(entry, steps=moved(entry.steps, _places(flags[entry.number]))) for entry in extensions.attempts
    )
    return replace(extensions, steps=moved(extensions.steps, _places(flags[0])), attempts=of_attempts)


def _with_notes(earlier: Sequence[Attempt]) -> Iterator[Artifact]:
    """Yield the artifacts of earlier attempts, with the attempt's number in each note."""
    for number, attempt in enumerate(earlier, 1):
        for artifact in attempt.artifacts:
            note = f"attempt {number}: {artifact.note}" if artifact.note else f"attempt {number}"
            yield replace(artifact, note=cut_end(note, NOTE_UNITS))


def _phases(attempt: Attempt) -> tuple[int, int, int] | None:
    """Return the microseconds of setup, call and teardown; the call is the rest."""
    setup, teardown = attempt.setup, attempt.teardown
    if setup is None or teardown is None or setup < 0 or teardown < 0:
        return None
    return setup, max(0, (attempt.elapsed or 0) - setup - teardown), teardown


def _fitted_steps(steps: Iterable[Step], room: list[int]) -> tuple[Step, ...]:
    """Return steps in their order while ``room`` bytes last."""
    fitted: list[Step] = []
    for step in steps:
        room[0] -= len(encode(replace(step, steps=())))
        if room[0] < 0:
            break
        fitted.append(replace(step, steps=_fitted_steps(step.steps, room)))
    return tuple(fitted)


def _fitted_colours(attempt: Attempt, fields: Iterable[Field]) -> Colours:
    """Return the colours of an attempt's fields, the first ones while there is room; a text that was cut has none."""
    before, now = _by_name(attempt_fields(attempt)), _by_name(fields)
    colours: dict[str, tuple[tuple[int, int, str], ...]] = {}
    room = _MAX_BYTES
    for name, spans in attempt.colours.items():
        if now.get(name) != before.get(name):
            continue
        room -= len(encode(name))
        shown = []
        for span in spans:
            room -= len(encode(span)) + 1
            if room < 0:
                break
            shown.append(span)
        if shown:
            colours[name] = tuple(shown)
    return colours


def _by_name(fields: Iterable[Field]) -> dict[str, str | None]:
    """Return the values of fields by name: of several fields of one name the first."""
    values: dict[str, str | None] = {}
    for field_ in fields:
        values.setdefault(field_.name, field_.value)
    return values


def _entries(earlier: Sequence[Attempt]) -> tuple[EarlierAttempt, ...]:
    """Return the entries of earlier attempts that have anything to show."""
    room = [_MAX_ATTEMPTS_BYTES]
    entries = [_entry(number, earlier[number - 1], room) for number in range(len(earlier), 0, -1)]
    return tuple(entry for entry in reversed(entries) if entry != EarlierAttempt(entry.number))


def _entry(number: int, attempt: Attempt, room: list[int]) -> EarlierAttempt:
    """Return the entry of one attempt without the parts for which there is no room; long output is cut."""
    steps, colours = _fitted_steps(attempt.steps, [_MAX_BYTES]), _fitted_colours(attempt, attempt_fields(attempt))
    parts: Json = {"phases": _phases(attempt), "comparison": attempt.comparison, "steps": steps}
    fitting = {name: part for name, part in parts.items() if part and _takes(part, room)}
    output: dict[str, str] = {}
    for name, text in attempt.output.items():
        if text and _takes(text, room):
            output[name] = text
        elif text and room[0] >= 1_000:  # noqa: PLR2004 - a shorter rest of it would say nothing
            output[name] = cut_middle(text, room[0] // (1 if text.isascii() else 6))  # at most six bytes each
            room[0] = 0
    whole: set[str] = {name for name, text in attempt.output.items() if output.get(name) == text}
    # The text of the attempt begins with its only failure, unless it was cut.
    failures = [each for each in attempt_fields(attempt) if each.is_highlight and each.type is FieldType.CONSOLE]
    if len(failures) == 1 and attempt_text(attempt, "").startswith(failures[0].value or ""):
        whole.add(_TEXT)
        colours = {**colours, _TEXT: colours.get(failures[0].name, ())}
    shown = {name: spans for name, spans in colours.items() if name in whole and spans and _takes(spans, room)}
    return EarlierAttempt(number, **fitting, output=output, colours=shown)


def _takes(value: object, room: list[int]) -> bool:
    """Whether a value has room, which it then takes."""
    size = len(encode(value))
    if size > room[0]:
        return False
    room[0] -= size
    return True


def _places(flags: Sequence[bool]) -> dict[int, int]:
    return {place: sum(flags[:place]) for place, is_kept in enumerate(flags) if is_kept}
