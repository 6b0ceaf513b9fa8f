"""Fold the attempts of a test into its one result, in the words of the contract and with its extensions.

The server stores one result of a test. Under reruns that is the last attempt, with those before it. An attempt whose
process died is an error with the last output of its process.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

from msgspec.structs import replace

from pytest_automation_report.api.models import (
    Artifact,
    Cause,
    Field,
    FieldType,
    Json,
    Step,
    StepStatus,
    encode,
)
from pytest_automation_report.api.results import EarlierAttempt, Phases, Streams, TypedTest
from pytest_automation_report.delivery.testmo import (
    fit_to_limits,
    fitted_field,
    rest_of_steps,
    result_artifacts,
    subtests_field,
)
from pytest_automation_report.findings.known import CodeOwners
from pytest_automation_report.recording.options import FAILED, UNTESTED, RecordingOptions, cleaner_for
from pytest_automation_report.recording.phases import moved, node_id_fields
from pytest_automation_report.spool.records import NOTES_FIELD, Attempt, identify
from pytest_automation_report.text.files import read_file
from pytest_automation_report.text.limits import TEXT_UNITS, cut_middle, fits_in, string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


# The server stores 64 KiB of each extension, steps and colours among them, and 1 MiB of `attempts`.
_MAX_BYTES: Final = 32_000
_MAX_ATTEMPTS_BYTES: Final = 500_000
_MAX_ATTEMPTS: Final = 1_000
_MAX_DEPTH: Final = 20  # of steps inside of steps
_MAX_OWNERS_BYTES: Final = 3 << 20  # as on GitHub


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


def not_run_test(nodeid: str, options: RecordingOptions) -> TypedTest:
    """Return the result of a test that was collected and never started (setting ``report_not_run``)."""
    identity = identify(nodeid, prefix=options.prefix)
    path = string(nodeid.partition("::")[0]) or None
    cause = Field("Not run", "The session ended before this test started.")
    fields = (cause, *node_id_fields(identity, cleaner_for(options)))
    return TypedTest(identity.key, identity.name, identity.folder, UNTESTED, file=path, fields=fields)


def fold_attempts(
    base: TypedTest, attempts: Sequence[Attempt], options: RecordingOptions, decorations: Decorations
) -> TypedTest:
    """Return the result of a test with these attempts, oldest first.

    ``base`` has key, names, place and start of the test.
    """
    *earlier, last = attempts
    alias = options.statuses.get(last.status, last.status)
    # By position, here and below: this runs for each test of a session.
    if not earlier and last.is_plain and last.status not in FAILED:
        return TypedTest(
            base.key, base.name, base.folder, alias, last.elapsed, base.file, base.line, (), (), base.assertions,
            base.started, _phases(last), paused=last.paused or None,
        )  # fmt: skip
    owner = ""
    if options.owners and last.status in FAILED:
        owner = decorations.make("owner", partial(_owner, base.file or "", options), "")
    test = TypedTest(
        base.key, base.name, base.folder, alias, last.elapsed, base.file, base.line, _fields(last),
        result_artifacts(attempts), base.assertions, base.started, _phases(last),
        (), last.comparison, {}, (), tuple(map(_fitted_cause, last.causes)), last.output, owner, last.known,
        last.paused or None,
    )  # fmt: skip
    if last.steps or last.subtests:
        no_steps: tuple[Step, ...] = ()
        fitted = partial(_fitted_steps, _steps(last), [_MAX_BYTES])
        test = replace(test, steps=decorations.make("steps", fitted, no_steps))
    if last.colours:
        no_colours: dict[str, tuple[tuple[int, int, str], ...]] = {}
        test = replace(test, colours=decorations.make("colours", partial(_fitted_colours, last), no_colours))
    if earlier:
        bare = tuple(EarlierAttempt(number, each.status, each.elapsed) for number, each in enumerate(earlier, 1))
        test = replace(test, attempts=decorations.make("earlier attempts", partial(_entries, earlier), bare))
    return fit_to_limits(test)


def _fields(attempt: Attempt) -> tuple[Field, ...]:
    """Return the fields of an attempt for a server that takes typed values for the others."""
    fields = attempt.fields
    if attempt.is_imported and attempt.steps:  # they stand there as the markup of their file, too
        fields = tuple(each for each in fields if not (each.name == "Steps" and each.type is FieldType.HTML))
    if attempt.notes:
        fields = (Field(NOTES_FIELD, attempt.notes, FieldType.CONSOLE), *fields)
    return fields if attempt.subtests is None else (subtests_field(attempt.subtests), *fields)


def _steps(attempt: Attempt) -> tuple[Step, ...]:
    """Return the steps of an attempt, its subtests behind them, and one that counts those that are missing."""
    steps, more = attempt.steps, Counter[StepStatus](attempt.more_steps)
    if attempt.subtests is not None:
        shown = attempt.subtests.steps
        more += Counter(attempt.subtests.counts) - Counter[StepStatus](step.status for step in shown)
        steps = (*steps, *shown)
    if more:
        status, name = rest_of_steps(more)
        steps = (*steps, Step(name, status))
    return steps


def _fitted_cause(cause: Cause, units: int = TEXT_UNITS) -> Cause:
    # The same object for one that fits, as nearly all do.
    return cause if fits_in(cause.text, units) else replace(cause, text=cut_middle(cause.text, units))


def cut_test(test: TypedTest, units: int) -> TypedTest:
    """Return a result without all that decorates it, and with texts of at most so many UTF-16 units."""
    attempts = []
    for each in test.attempts:
        causes = tuple(_fitted_cause(cause, units) for cause in each.causes)
        attempts.append(EarlierAttempt(each.number, each.status, each.elapsed, causes))
    return TypedTest(
        test.key, test.name, test.folder, test.status, test.elapsed, test.file, test.line,
        tuple(fitted_field(each, units) for each in test.fields), test.artifacts, test.assertions,
        attempts=tuple(attempts), causes=tuple(_fitted_cause(cause, units) for cause in test.causes),
        output={name: cut_middle(text, units) for name, text in test.output.items()}, owner=test.owner,
        known=test.known,
    )  # fmt: skip


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


def with_kept_files(test: TypedTest, attempts: Sequence[Attempt], kept: Sequence[bool]) -> TypedTest:
    """Return a result with new places of files in its steps; ``kept`` says which artifacts it still has."""
    *earlier, last = attempts
    counts = [len(attempt.artifacts) for attempt in (last, *earlier)]
    flags = [kept[end - count : end] for count, end in zip(counts, accumulate(counts), strict=True)]
    of_attempts = tuple(replace(each, steps=moved(each.steps, _places(flags[each.number]))) for each in test.attempts)
    return replace(test, steps=moved(test.steps, _places(flags[0])), attempts=of_attempts)


def _phases(attempt: Attempt) -> Phases | None:
    """Return the microseconds of setup, call and teardown; the call is the rest."""
    setup, teardown = attempt.setup, attempt.teardown
    if setup is None or teardown is None or setup < 0 or teardown < 0:
        return None
    return Phases(setup, max(0, (attempt.elapsed or 0) - setup - teardown), teardown)


def _fitted_steps(steps: Iterable[Step], room: list[int], depth: int = _MAX_DEPTH) -> tuple[Step, ...]:
    """Return steps in their order while ``room`` bytes last, with at most so many levels of those inside them."""
    fitted: list[Step] = []
    for step in steps:
        room[0] -= len(encode(replace(step, steps=())))
        if room[0] < 0:
            break
        inner = _fitted_steps(step.steps, room, depth - 1) if depth else ()
        fitted.append(replace(step, steps=inner))
    return tuple(fitted)


def _fitted_colours(attempt: Attempt) -> dict[str, tuple[tuple[int, int, str], ...]]:
    """Return the colours of an attempt's texts, the first ones while there is room; a text that is cut has none."""
    texts: dict[str, str | None] = {}
    for name, text in attempt.texts():
        texts.setdefault(name, text)
    colours: dict[str, tuple[tuple[int, int, str], ...]] = {}
    room = _MAX_BYTES
    for name, spans in attempt.colours.items():
        if not fits_in(texts.get(name) or "", TEXT_UNITS):
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


def _entries(earlier: Sequence[Attempt]) -> tuple[EarlierAttempt, ...]:
    """Return the entries of the latest attempts, whose texts take the room before those of the first ones."""
    room = [_MAX_ATTEMPTS_BYTES]
    first = max(0, len(earlier) - _MAX_ATTEMPTS)
    entries = [_entry(number, earlier[number - 1], room) for number in range(len(earlier), first, -1)]
    return tuple(reversed(entries))


def _entry(number: int, attempt: Attempt, room: list[int]) -> EarlierAttempt:
    """Return the entry of one attempt without the parts for which there is no room; long texts are cut."""
    texts = [_cut(cause.text, room) for cause in attempt.causes]
    causes = [
        cause if text == cause.text else replace(cause, text=text)
        for cause, text in zip(attempt.causes, texts, strict=True)
    ]
    steps, colours = _fitted_steps(_steps(attempt), [_MAX_BYTES]), _fitted_colours(attempt)
    parts: Json = {
        "phases": _phases(attempt), "comparison": attempt.comparison, "steps": steps, "fields": _fields(attempt),
    }  # fmt: skip
    fitting = {name: part for name, part in parts.items() if part and _takes(part, room)}
    output: Streams = {name: text for name, whole in attempt.output.items() if (text := _cut(whole, room))}
    uncut = {cause.name for cause in causes if cause in attempt.causes}
    uncut |= {name for name, text in output.items() if text == attempt.output[name]}
    uncut |= {each.name for each in fitting.get("fields", ())}
    shown = {name: spans for name, spans in colours.items() if name in uncut and spans and _takes(spans, room)}
    return EarlierAttempt(
        number, attempt.status, attempt.elapsed, tuple(causes), output=output, colours=shown, **fitting
    )


def _cut(text: str, room: list[int]) -> str:
    """Return as much of a text as there is room for, which it then takes."""
    if not text or _takes(text, room):
        return text
    if room[0] < 1_000:  # noqa: PLR2004 - a shorter rest of it would say nothing
        return ""
    text = cut_middle(text, room[0] // (1 if text.isascii() else 6))  # at most six bytes each
    room[0] = 0
    return text


def _takes(value: object, room: list[int]) -> bool:
    """Whether a value has room, which it then takes."""
    size = len(encode(value))
    if size > room[0]:
        return False
    room[0] -= size
    return True


def _places(flags: Sequence[bool]) -> dict[int, int]:
    return {place: sum(flags[:place]) for place, is_kept in enumerate(flags) if is_kept}
