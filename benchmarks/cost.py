"""What reporting costs, against bare pytest and peers, in interleaved rounds.

    python benchmarks/cost.py --rounds 5 --tests 10000 --json cost.json

Peers that are not installed are left out (``pip install pytest-json-report pytest-html allure-pytest``). CPU is user
and system time of the whole process tree, the sender included; "added" is against bare pytest of the same round.
Compare within one run: absolute values move with the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import loads

HERE = Path(__file__).parent
LOADS = ("start", "trivial", "mixed", "mixed-n2", "logs")


@dataclass(frozen=True)
class Contender:
    """One way to report: its options, and the module that it needs."""

    name: str
    options: tuple[str, ...] = ()
    needs: str = ""
    is_remote: bool = False


OURS = ("-p", "pytest_automation_report.plugin", "--automation-report", "--automation-report-source", "load")
CONTENDERS = (
    Contender("bare"),
    Contender("junitxml", ("--junitxml=report.xml",)),
    Contender("json-report", ("-p", "pytest_jsonreport.plugin", "--json-report"), "pytest_jsonreport"),
    Contender(
        "html", ("-p", "pytest_html.plugin", "-p", "pytest_metadata.plugin", "--html=report.html"), "pytest_html"
    ),
    Contender("allure", ("-p", "allure_pytest.plugin", "--alluredir=allure"), "allure_pytest"),
    Contender("ours: server", OURS, is_remote=True),
    Contender("ours: server, all output", (*OURS, "--automation-report-output", "all"), is_remote=True),
    Contender("ours: spool only", (*OURS, "--automation-report-delivery", "later")),
    Contender("ours: embedded store", OURS),
)


def main() -> None:
    """Run the rounds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tests", type=int, default=10_000, help="tests of the loads trivial and mixed")
    parser.add_argument("--loads", default=",".join(LOADS), help="which loads, separated by commas")
    parser.add_argument("--only", default="", help="which ways beside bare pytest, separated by commas; all if empty")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that the server takes for each answer")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    given = parser.parse_args()
    only = {"bare", *given.only.split(",")} if given.only else {each.name for each in CONTENDERS}
    contenders = [each for each in CONTENDERS if each.name in only and (not each.needs or find_spec(each.needs))]
    with subprocess.Popen(
        [sys.executable, str(HERE / "sink.py"), str(given.delay)], stdout=subprocess.PIPE, text=True
    ) as sink:
        assert sink.stdout is not None
        address = sink.stdout.readline().strip()
        try:
            found = {
                load: measure(load, contenders, given.tests, given.rounds, address) for load in given.loads.split(",")
            }
        finally:
            sink.terminate()
    for load, rows in found.items():
        print_table(load, rows)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def measure(load: str, contenders: list[Contender], tests: int, rounds: int, address: str) -> list[dict[str, object]]:
    """Return the medians of each contender on this load."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = loads.write(load.partition("-")[0], folder / "suite", tests)
        costs: dict[str, list[dict[str, float]]] = {each.name: [] for each in contenders}
        for _ in range(rounds):
            for each in contenders:
                costs[each.name].append(run(each, folder / "suite", address, workers=2 if load.endswith("n2") else 0))
    bare = costs["bare"]
    return [row(name, rounds_of, bare, count) for name, rounds_of in costs.items()]


def run(contender: Contender, suite: Path, address: str, workers: int) -> dict[str, float]:
    """Run the suite once and return its costs."""
    for left in (".automation-report", "allure", "assets"):
        shutil.rmtree(suite / left, ignore_errors=True)
    options = list(contender.options)
    if contender.is_remote:
        options += ["--automation-report-url", address, "--automation-report-project-id", "1"]
    if workers:
        options += ["-p", "xdist", f"-n{workers}"]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "AUTOMATION_REPORT_TOKEN": "benchmark",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, str(HERE / "measured.py"), str(suite.parent / "output.txt")]
    command += [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, check=True)
    cost: dict[str, float] = json.loads(done.stdout)
    assert cost["exit"] in {0, 1}, (suite.parent / "output.txt").read_text()
    with urllib.request.urlopen(f"{address}/counts") as counts:
        cost.update(json.load(counts))
    return cost


def row(name: str, costs: list[dict[str, float]], bare: list[dict[str, float]], tests: int) -> dict[str, object]:
    """Return one line of a table: medians over the rounds."""

    def added(what: str) -> float:
        return statistics.median(cost[what] - base[what] for cost, base in zip(costs, bare, strict=True))

    return {
        "name": name,
        "tests": tests,
        "cpu_seconds": statistics.median(cost["cpu_seconds"] for cost in costs),
        "wall_seconds": statistics.median(cost["wall_seconds"] for cost in costs),
        "added_cpu_seconds": added("cpu_seconds"),
        "added_cpu_us_per_test": added("cpu_seconds") / tests * 1e6,
        "added_own_cpu_us_per_test": added("own_cpu_seconds") / tests * 1e6,
        "added_wall_seconds": added("wall_seconds"),
        "added_end_seconds": added("end_seconds"),
        "added_peak_mib": added("peak_bytes") / (1 << 20),
        "sender_peak_mib": statistics.median(cost["others_peak_bytes"] for cost in costs) / (1 << 20),
        "requests": statistics.median(cost["requests"] for cost in costs),
        "connections": statistics.median(cost["connections"] for cost in costs) - 1,
        "delivered": statistics.median(cost["tests"] for cost in costs),
        "rounds": costs,
    }


def print_table(load: str, rows: list[dict[str, object]]) -> None:
    """Print one load as Markdown."""
    print(f"\n### {load}, {rows[0]['tests']} tests\n")
    print(
        "| way | CPU s | added CPU us a test | of it in pytest | added wall s | added s at the end "
        "| added MiB | sender MiB | requests | delivered |"
    )
    print("| --- " * 10 + "|")
    for each in rows:
        print(
            f"| {each['name']} | {each['cpu_seconds']:.2f} | {each['added_cpu_us_per_test']:.0f} "
            f"| {each['added_own_cpu_us_per_test']:.0f} | {each['added_wall_seconds']:.2f} "
            f"| {each['added_end_seconds']:.2f} | {each['added_peak_mib']:.1f} | {each['sender_peak_mib']:.0f} "
            f"| {each['requests']:.0f} | {each['delivered']:.0f} |"
        )


if __name__ == "__main__":
    main()
