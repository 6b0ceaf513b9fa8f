"""What hiding secrets costs: microseconds for each KB of text, and for a failing test with 1 KB of output.

    python benchmarks/redaction.py --secrets 10 --repeat 200

``without`` is the same text made fit for a field with nothing hidden. A passing test whose output is not kept has no
text, and so no cost. Times are the medians of the repetitions, in microseconds of this process's CPU.
"""

from __future__ import annotations

import argparse
import statistics
import string
from functools import partial
from random import Random
from time import process_time_ns
from typing import TYPE_CHECKING, NamedTuple

from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

LINE = "2026-01-31 12:00:{:02} INFO shop.cart: item {} added to cart of user_{} in 0.003 s by worker gw{}\n"
HEADER = "GET https://shop.example.org/items?page=2 HTTP/1.1\nAuthorization: Bearer {}\n"
SIZES_KB = (1, 16, 1024)


class Report(NamedTuple):
    """A failed call with output, as pytest would report it."""

    nodeid: str
    when: str
    outcome: str
    longrepr: object
    longreprtext: str
    sections: list[tuple[str, str]]
    user_properties: list[tuple[str, object]]
    duration: float


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--secrets", type=int, default=10, help="secret values in the environment")
    parser.add_argument("--repeat", type=int, default=200)
    given = parser.parse_args()
    random = Random(1)
    secrets = tuple("".join(random.choices(string.ascii_letters + string.digits, k=40)) for _ in range(given.secrets))
    log = "".join(LINE.format(each % 60, each, each * 7, each % 8) for each in range(12_000))
    patterns = ("pin-[0-9]+", "card: [0-9]{16}", "x-key", "a+b", "id=[0-9]{9}")
    rules = {
        "without": RecordingOptions(redact_builtin=False),
        "built in": RecordingOptions(),
        f"built in, {given.secrets} secrets": RecordingOptions(secrets=secrets),
        "the same, 5 patterns": RecordingOptions(secrets=secrets, redact=patterns),
    }
    print(f"{'text':<22}" + "".join(f"{name:>26}" for name in rules))
    for name, text in (("log", log), ("log with a header", HEADER.format(secrets[0] if secrets else "x") + log)):
        for size in SIZES_KB:
            row = [
                median(partial(cleaner_for(each).console, text[: size << 10]), given.repeat) for each in rules.values()
            ]
            print(f"{f'{name}, {size:,} KB':<22}" + "".join(f"{each:>23.1f} us" for each in row))
    for name, output in (("passing test", ""), ("failing test, 1 KB", log[:1024])):
        row = [median(partial(recorded, Recorder(each), output), given.repeat) for each in rules.values()]
        print(f"{name:<22}" + "".join(f"{each:>23.1f} us" for each in row))


def recorded(recorder: Recorder, output: str) -> bytes:
    """Return the record of one test, which failed when it has output."""
    node = "tests/test_cart.py::test_total"
    recorder.start(node, ("tests/test_cart.py", 4, "test_total"))
    for when in ("setup", "call", "teardown"):
        is_failed = when == "call" and bool(output)
        sections = [("Captured stdout call", output)] if output else []
        text = "def test_total():\n>       assert 1 == 2\nE       assert 1 == 2\n" if is_failed else ""
        recorder.add(Report(node, when, "failed" if is_failed else "passed", None, text, sections, [], 0.001))
    finished = recorder.finish(node, number=1, began=0, moment=3000)
    assert finished is not None
    return finished.framed()


def median(call: Callable[[], object], repeat: int) -> float:
    """Return the median of the call's CPU in microseconds."""
    call()
    found = []
    for _ in range(repeat):
        began = process_time_ns()
        call()
        found.append((process_time_ns() - began) / 1000)
    return statistics.median(found)


if __name__ == "__main__":
    main()
