"""How large the report in one file is, and what writing it costs: 10,000 tests, 100 failures, 20 outcomes of each test.

    python benchmarks/one_file.py --tests 10000 --runs 20 --suite FOLDER --json one_file.json

pytest runs a suite of N tests into an embedded store, so that all texts are those of real failures: most tests have
parameters, one in a hundred prints a line, one in a hundred fails, a few are flaky, or slower in the last run. The
words are drawn at random, the same ones each time. ``--suite`` keeps suite and store for the next time. The report is
written by ``automation-report html`` in a process of its own: the time is that of the processor, the least of some
rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Final

WORDS: Final = (
    "anchor", "arrival", "ballast", "barge", "basin", "beacon", "berth", "boatswain", "bollard", "bridge", "bulk",
    "buoy", "cabin", "cable", "canal", "captain", "cargo", "carrier", "channel", "chart", "coast", "container",
    "convoy", "course", "crane", "crew", "current", "customs", "deck", "depth", "dock", "draught", "dredger",
    "engine", "ensign", "escort", "fender", "ferry", "fleet", "fog", "freight", "galley", "gangway", "gate", "gauge",
    "grain", "harbour", "hatch", "hawser", "helm", "hold", "hull", "ice", "inlet", "invoice", "island", "jetty",
    "keel", "knot", "ladder", "lamp", "lantern", "latitude", "league", "licence", "lighter", "line", "load", "lock",
    "log", "manifest", "marina", "mast", "master", "mate", "mooring", "navigator", "notice", "ocean", "officer",
    "order", "outport", "passage", "pier", "pilot", "port", "propeller", "quay", "radar", "radio", "rail", "ramp",
    "reef", "register", "rigging", "roads", "rope", "route", "rudder", "sail", "salvage", "schedule", "sector",
    "ship", "shore", "signal", "siren", "slip", "sluice", "sounding", "stage", "steam", "steward", "storm", "strait",
    "strand", "tackle", "tariff", "tide", "ton", "tow", "trade", "traffic", "transit", "tug", "vessel", "voyage",
    "warehouse", "watch", "wave", "weather", "wharf", "winch", "wind", "yard",
)  # fmt: skip
PLACES: Final = 20
ERRORS: Final = ("ValueError", "KeyError", "RuntimeError", "LookupError", "TimeoutError", "PermissionError")
COMMAND: Final = (sys.executable, "-m", "pytest_automation_report.cli", "html", "last", "-o", "report.html")
PYTEST: Final = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--automation-report")


class Texts:
    """The texts of the suite; the same ones each time."""

    def __init__(self) -> None:
        self.random = Random(1)

    def words(self, count: int, between: str = "_") -> str:
        """Return some words."""
        return between.join(self.random.choices(WORDS, k=count))

    def value(self, depth: int = 0) -> str:
        """Return a literal, of several levels at most."""
        kind = self.random.randrange(5 if depth < 2 else 3)  # noqa: PLR2004 - lists in a mapping in a list
        if kind == 0:
            return str(self.random.randrange(10_000))
        if kind == 1:
            return repr(self.words(self.random.randint(1, 4), " "))
        if kind == 2:  # noqa: PLR2004 - one of five kinds
            return repr(self.random.randrange(1000) / 8)
        values = [self.value(depth + 1) for _ in range(self.random.randint(1, 4))]
        if kind == 3:  # noqa: PLR2004 - the number of a kind
            return f"[{', '.join(values)}]"
        return f"{{{', '.join(f'{self.words(2)!r}: {value}' for value in values)}}}"

    def statements(self, count: int) -> list[str]:
        """Return some lines of code."""
        return [
            self.random.choice([
                f"{self.words(2)} = {self.value()}",
                f"{self.words(1)} = [{{{self.words(1)!r}: n}} for n in range({self.random.randint(2, 30)})]",
                f"# The {self.words(2, ' ')} needs a {self.words(1)} before the {self.words(2, ' ')}.",
            ])
            for _ in range(count)
        ]  # fmt: skip

    def module(self, number: int) -> str:
        """Return a module whose functions call those of the module before; those of the first one raise."""
        parts = [f"import harbour.place_{number - 1} as below\n" if number % 4 else ""]
        for place in range(2):
            message = f'f"the {self.words(2, " ")} of {{vessel!r}} has no {self.words(2, " ")}"'
            last = f"raise {self.random.choice(ERRORS)}({message})"
            if number % 4:
                last = f"return below.step_{place}(vessel, {self.value(2)})"
            lines = [*self.statements(self.random.randint(2, 6)), last]
            parts.append(f"\ndef step_{place}(vessel, *others):\n" + "".join(f"    {line}\n" for line in lines))
        return "\n".join(parts)

    def failing_lines(self, number: int) -> list[str]:
        """Return the body of a test that fails: in other code, or by one of several comparisons."""
        lines = self.statements(self.random.randint(2, 8))
        lines += [f"print({self.words(6, ' ')!r}, {number})" for _ in range(self.random.randint(0, 4))]
        kind = number % 6
        if kind <= 2:  # noqa: PLR2004 - half of them
            place = self.random.randrange(3, PLACES, 4)
            return [*lines, f"assert places[{place}].step_{number % 2}({self.words(2)!r}) == {self.value(1)}"]
        if kind == 3:  # noqa: PLR2004 - one of six kinds
            entries = [f"{self.words(2)!r}: {self.value(1)}" for _ in range(8)]
            other = [*entries[:-1], f"{self.words(2)!r}: {self.value(1)}"]
            return [*lines, f"found = {{{', '.join(entries)}}}", f"assert found == {{{', '.join(other)}}}"]
        if kind == 4:  # noqa: PLR2004 - the number of a kind
            texts = [self.words(5, " ") for _ in range(12)]
            other = [*texts[:6], self.words(5, " "), *texts[7:]]
            return [*lines, f"text = {chr(10).join(texts)!r}", f"assert text == {chr(10).join(other)!r}"]
        return [*lines, f"assert len({self.words(4, ' ')!r}) > {number + 100}, {self.words(5, ' ')!r}"]

    def function(self, lines: list[str], decorator: str = "", argument: str = "") -> list[str]:
        """Return the lines of a test."""
        head = [decorator] if decorator else []
        name = self.words(self.random.randint(2, 3))
        head.append(f"def test_{name}_{self.random.randrange(100)}({argument}):")
        return [*head, *(f"    {line}" for line in lines), ""]

    def file(self, number: int, runs: int) -> str:
        """Return a file of 100 tests, of which none, one or four fail, in every seventh file in the last run only."""
        lines = ["import os, time, pytest", "from harbour import places", "RUN = int(os.environ['RUN'])", ""]
        first = runs if number % 7 == 3 else 0  # noqa: PLR2004 - one of them
        failures = (4, 1, 0, 0, 0)[number % 5]
        if failures:
            mark = f"@pytest.mark.parametrize('pilot', {[f'{self.words(1)}-{n}' for n in range(failures)]})"
            lines += self.function([f"if RUN < {first}: return", *self.failing_lines(number // 5)], mark, "pilot")
        lines += self.function([f"print({self.words(9, ' ')!r})"])
        unsteady = f"assert RUN % 9 != {number % 9} or RUN == {runs} or {number % 3}, {self.words(4, ' ')!r}"
        lines += self.function([unsteady])
        lines += self.function([f"time.sleep(0.002 if RUN < {runs} or {number % 10} else 0.3)"])
        count = 3 + failures
        while count < 100:  # noqa: PLR2004 - tests of a file
            sets = min(100 - count, self.random.randint(1, 16))
            values = [f"{self.words(self.random.randint(1, 2), '-')}-{n}" for n in range(sets)]
            skipped = ["pytest.skip('no ship')"] if self.random.random() < 0.01 else []  # noqa: PLR2004 - 1 %
            mark = f"@pytest.mark.parametrize('{WORDS[sets]}', {values})"
            lines += self.function([*self.statements(2), *skipped, "assert RUN"], mark, WORDS[sets])
            count += sets
        return "\n".join(lines)


def write_suite(folder: Path, tests: int, runs: int) -> None:
    """Write a suite of N tests."""
    texts = Texts()
    code = folder / "harbour"
    code.mkdir(parents=True)
    imports = "from importlib import import_module\n"
    (code / "__init__.py").write_text(
        f"{imports}places = [import_module(f'harbour.place_{{n}}') for n in range({PLACES})]\n"
    )
    for number in range(PLACES):
        (code / f"place_{number}.py").write_text(texts.module(number))
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = tests\npythonpath = .\n")
    for number in range(tests // 100):
        place = folder / "tests" / texts.random.choice(WORDS[:20])
        place.mkdir(parents=True, exist_ok=True)
        (place / f"test_{texts.words(2)}_{number}.py").write_text(texts.file(number, runs))


def report_runs(folder: Path, runs: int) -> None:
    """Run the suite N times into the store of its folder."""
    for run in range(1, runs + 1):
        environment = {**os.environ, "RUN": str(run)}
        done = subprocess.run(PYTEST, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
        print(f"run {run}: {done.stdout.strip().splitlines()[-1]}", file=sys.stderr)


def cpu_seconds(folder: Path) -> float:
    """Write the report of the newest run; return the seconds of the processor that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(COMMAND, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def sizes(html: str) -> dict[str, int]:
    """Return the bytes of the file and of its parts."""
    plain = html.partition('<div id="page">')[2].partition("</main>")[0]
    pages = html.partition('id="data">')[2].partition("</script>")[0]
    loader = html.rpartition("<script>")[2].partition("</script>")[0]
    texts = "".join(re.findall("<pre>(.*?)</pre>", plain, re.DOTALL))
    parts = {"file": html, "plain layer": plain, "texts of failures in it": texts, "loader": loader, "pages": pages}
    return {name: len(part.encode()) for name, part in parts.items()}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=10_000, help="number of tests, a multiple of 100")
    parser.add_argument("--runs", type=int, default=20, help="how often the suite is run")
    parser.add_argument("--rounds", type=int, default=3, help="how often the report is written")
    parser.add_argument("--suite", type=Path, help="folder that keeps suite and store")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = options.suite or Path(place) / "suite"
        if not folder.exists():
            write_suite(folder, options.tests, options.runs)
            report_runs(folder, options.runs)
        seconds = min(cpu_seconds(folder) for _ in range(options.rounds))
        found = sizes((folder / "report.html").read_text("utf-8"))
    print("| what | measured |")
    print("| --- | --- |")
    for name, size in found.items():
        print(f"| {name} | {size / 1000:.1f} KB |")
    print(f"| CPU time to write it | {seconds:.2f} s |")
    if options.json:
        lines = [{"part": name, "bytes": size} for name, size in found.items()]
        options.json.write_text(json.dumps([*lines, {"part": "written", "cpu_ms": seconds * 1000}], indent=1))


if __name__ == "__main__":
    main()
