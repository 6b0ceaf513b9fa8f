"""Collect pytest's reports of the attempt that runs: its phases, and the attempts that plugins hide within it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct

from pytest_automation_report.recording.phases import PHASES, Phase, Times, worst_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.models import Status
    from pytest_automation_report.recording.steps import Subtests
    from pytest_automation_report.recording.synthetic_results import Location

_Entry = TypeVar("_Entry")

# The outcome that pytest-rerunfailures reports of a phase after which the test runs again.
_RERUN: Final = "rerun"


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

    def notable_phases(self) -> list[Phase]:
        """Return the phases that did not simply pass."""
        return [] if self.call is None else [self.call]

    def status(self) -> Status:
        """Return the worst status of the call and of the subtests."""
        has_failed = self.subtests is not None and self.subtests.has_failed
        return worst_status(["failure" if has_failed else "passed", *(phase.status for phase in self.notable_phases())])


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

    def notable_phases(self) -> list[Phase]:
        """Return the phases that did not simply pass, in the order in which pytest runs them."""
        phases = [phase for phase in self.phases.values() if phase is not None]
        if len(phases) > 1:
            phases.sort(key=lambda phase: PHASES.index(phase.when) if phase.when in PHASES else len(PHASES))
        return phases

    def is_without_call(self) -> bool:
        """Return whether the call is missing although setup passed, so that the test's outcome is not known."""
        if "call" in self.phases or not self.phases.keys() <= set(PHASES):
            return False
        setup = self.phases.get("setup")
        return setup is None or setup.status == "passed"

    def verdict(self, phases: Sequence[Phase]) -> tuple[Status, bool]:
        """Return the worst status of phases and subtests, and whether this attempt is final.

        An attempt without a call is not final: flaky hides the call of an attempt that it repeats.
        """
        is_without_call = self.is_without_call()
        statuses: list[Status] = [phase.status for phase in phases]
        if is_without_call:
            statuses.append("error")
        if self.subtests is not None and self.subtests.has_failed:
            statuses.append("failure")
        return worst_status(statuses), not is_without_call and all(phase.outcome != _RERUN for phase in phases)

    def hide_call(self) -> None:
        """Store the call and its subtests as a hidden attempt, since a plugin runs the call again."""
        elapsed_us = max(0, round(self.durations.pop("call", 0.0) * 1e6))
        sections = without_earlier(self.sections, self.before.sections)
        self.hidden = (*self.hidden, HiddenAttempt(self.phases.pop("call"), self.subtests, elapsed_us, sections))
        self.subtests = None
        self.before = Leftovers(self.sections, self.properties)

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
