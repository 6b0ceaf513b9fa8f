"""The reports of a running attempt: what the recorder keeps of a test that may pass without anything to report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.recording.phases import Phase, Subtests

_Entry = TypeVar("_Entry")
_MAX_LINE: Final = 1 << 31

PHASES: Final = ("setup", "call", "teardown")

Location: TypeAlias = "tuple[str, int | None, str] | None"
"""pytest's ``location`` of a test: path, line (0-based), name in the file."""

Times: TypeAlias = "tuple[int, int | None, int | None]"
"""Microseconds of an attempt, of its setup and of its teardown; the last two are None if they are not known."""


class Leftovers(Struct, frozen=True):
    """What the attempts of a test before this one left in pytest's item: it keeps one for all of them."""

    sections: Sequence[tuple[str, str]] = ()
    properties: Sequence[tuple[str, object]] = ()


class HiddenAttempt(Struct, frozen=True):
    """One attempt that a plugin repeated between pytest's start and finish of a test: its call and its subtests.

    ``call`` is None for a call that passed. ``elapsed_us`` is the time of the call by pytest's clock, in microseconds.
    ``sections`` are the headings and texts that were captured in it.
    """

    call: Phase | None
    subtests: Subtests | None
    elapsed_us: int
    sections: Sequence[tuple[str, str]] = ()


NOTHING_LEFT: Final = Leftovers()
ALL_PASSED: Final[Mapping[str, None]] = dict.fromkeys(PHASES)
"""The phases of an attempt that passed without anything to report: most attempts, so that one comparison finds them."""


class RunningAttempt:
    """The reports of the running attempt of one test."""

    __slots__ = ("before", "durations", "hidden", "location", "phases", "properties", "sections", "subtests")

    def __init__(self, before: Leftovers, location: Location) -> None:
        self.before = before
        self.location = location
        # None stands for a phase that simply passed.
        self.phases: dict[str, Phase | None] = {}
        self.durations: dict[str, float] = {}
        self.sections: Sequence[tuple[str, str]] = ()
        self.properties: Sequence[tuple[str, object]] = ()
        self.subtests: Subtests | None = None
        self.hidden: tuple[HiddenAttempt, ...] = ()

    def times_us(self, observed_us: int) -> Times:
        """Return the sum of the phases' durations, and those of setup and teardown.

        If a test moved pytest's clock, the sum is the observed time, and the others are not known.
        """
        observed_us = max(0, observed_us)
        durations = self.durations
        total_us = sum(durations.values()) * 1e6
        # Phases cannot last longer than the attempt around them: such a sum comes from a frozen or moved clock.
        if not 0 < total_us <= observed_us or min(durations.values()) < 0:
            return observed_us, None, None
        setup, teardown = durations.get("setup", 0.0), durations.get("teardown", 0.0)
        return min(round(total_us), observed_us), int(setup * 1e6), int(teardown * 1e6)


def without_earlier(entries: Sequence[_Entry], earlier: Sequence[_Entry]) -> Sequence[_Entry]:
    """Return the entries that this attempt added; pytest's item also holds those of earlier attempts, in front.

    Returns all entries if they do not begin with the earlier ones: then a plugin cleared the item between attempts.
    """
    if earlier and list(entries[: len(earlier)]) == list(earlier):
        return entries[len(earlier) :]
    return entries


def line_of(location: Location) -> int | None:
    """Return pytest's line of a test, None for what is none: items of other plugins may have anything there."""
    line: object = location[1] if location else None
    return line if type(line) is int and abs(line) < _MAX_LINE else None
