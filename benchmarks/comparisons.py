"""What the values of a failed comparison cost: microseconds to capture them, and to encode those that fail a test.

    python benchmarks/comparisons.py --repeat 50

A capture happens in pytest's process for each comparison that an assert explains; its bound is 500 us. Encoding hides
secrets and happens once for a test that failed. Times are the least of the repetitions, in microseconds.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date
from time import perf_counter_ns
from typing import TYPE_CHECKING

from pytest_automation_report.recording.comparison import captured_sides, encoded_comparison
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Item:
    """An item as tests of a shop compare it."""

    number: int
    note: str
    tags: list[int]


def users(*, changed: int) -> list[dict[str, object]]:
    """Return 5,000 users, one of them with another name."""
    named = ("another" if number == changed else f"user {number}" for number in range(5000))
    return [{"id": number, "name": name, "since": date(2026, 1, 1)} for number, name in enumerate(named)]


def nested(width: int) -> dict[str, object]:
    """Return dicts within dicts."""
    return {"all": {str(number): {"values": list(range(width))} for number in range(300)}}


SIDES: dict[str, tuple[object, object]] = {
    "two numbers": (1, 2),
    "two texts of 1 MB": ("ab" * 500_000 + "c", "ab" * 500_000 + "d"),
    "two lists of 100,000": (list(range(100_000)), [*range(99_999), -1]),
    "two lists, nothing equal": (list(range(1000)), list(range(1, 1001))),
    "two lists of 5,000 dicts": (users(changed=-1), users(changed=4321)),
    "two dicts of 10,000": (dict.fromkeys(map(str, range(10_000)), 1), dict.fromkeys(map(str, range(10_000)), 2)),
    "two sets of 1,500": (set(range(1500)), set(range(5, 1505))),
    "100 dataclasses": (
        [Item(number, "s" * 300, [1, 2, 3]) for number in range(100)],
        [Item(number, "t" * 300, [1, 2, 4]) for number in range(100)],
    ),
    "dicts within dicts": (nested(20), nested(21)),
    "60 long texts": ([f"{n} " * 300 for n in range(60)], [f"{n}!" * 300 for n in range(60)]),
}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=50)
    repeat = parser.parse_args().repeat
    cleaner = cleaner_for(RecordingOptions())
    print(f"{'sides':<26}{'capture':>12}{'encode':>12}{'JSON':>15}")
    for name, (left, right) in SIDES.items():
        sides = captured_sides("==", left, right)
        body = encoded_comparison(sides, cleaner)
        capture = least(lambda left=left, right=right: captured_sides("==", left, right), repeat)  # type: ignore[misc]
        encode = least(lambda sides=sides: encoded_comparison(sides, cleaner), repeat)  # type: ignore[misc]
        print(f"{name:<26}{capture:>9.0f} us{encode:>9.0f} us{len(body):>9,} bytes")


def least(call: Callable[[], object], repeat: int) -> float:
    """Return the shortest time of a call in microseconds."""
    times = []
    for _ in range(repeat):
        began = perf_counter_ns()
        call()
        times.append(perf_counter_ns() - began)
    return min(times) / 1000


if __name__ == "__main__":
    main()
