"""The counts and the command that a session's terminal summary prints."""

import re
import shlex
from dataclasses import dataclass, replace

from support.sessions import Ran

_NUMBERS = {
    "collected": r"([\d,]+) tests? collected:",
    "reported": r"collected: ([\d,]+) reported",
    "not_run": r"([\d,]+) not run",
    "delivered": r"([\d,]+) of [\d,]+ results? delivered",
    "seen": r"[\d,]+ of ([\d,]+) results? delivered",
    "kept": r"([\d,]+) results? kept in",
    "rejected": r"([\d,]+) results? rejected by the server",
    "held": r"([\d,]+) results? held",
}


@dataclass(frozen=True)
class PrintedCounts:
    """The numbers of the terminal summary; what is not mentioned is 0."""

    collected: int
    reported: int
    not_run: int
    delivered: int
    seen: int
    kept: int
    rejected: int
    held: int


def printed_counts(ran: Ran) -> PrintedCounts:
    """Return what the summary claims; it must add up."""
    found = {name: re.search(pattern, ran.out) for name, pattern in _NUMBERS.items()}
    numbers = PrintedCounts(**{name: int(match[1].replace(",", "")) if match else 0 for name, match in found.items()})
    cut = re.search(r" after ([\d,]+) of ([\d,]+)", ran.out)
    if found["collected"] is None and cut is not None:  # the verdict says how many tests ran
        reported, collected = (int(number.replace(",", "")) for number in cut.groups())
        numbers = replace(numbers, collected=collected, reported=reported, not_run=collected - reported)
    elif found["collected"] is None:  # not said where each collected test has its result
        numbers = replace(numbers, collected=numbers.seen, reported=numbers.seen)
    assert numbers.seen == numbers.delivered + numbers.kept + numbers.rejected + numbers.held, ran.out
    assert numbers.collected == numbers.reported + numbers.not_run, ran.out
    assert "error in reporting" not in ran.text
    return numbers


def printed_send_command(ran: Ran) -> list[str]:
    (line,) = [each for each in ran.out.splitlines() if each.startswith("send: ")]
    return shlex.split(line.removeprefix("send: "))
