"""What reporting costs, against bare pytest and peers, in interleaved rounds.

    python benchmarks/cost.py --rounds 5 --tests 10000 --json cost.json
    python benchmarks/cost.py --rounds 15 --loads start,small --against ../earlier-worktree

Peers that are not installed are left out (``pip install pytest-json-report pytest-html allure-pytest``). CPU is user
and system time of the whole process tree, the sender included. Of the short loads (start, small) each number is the
minimum of all rounds, since noise only adds; of the others "added" is the median against bare pytest of the same round.
Plugins are loaded as installed ones are (`as_installed`). Compare within a run: absolute values move with the machine.
With ``--against`` our own ways are also measured with the package in another folder, as an earlier version.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import loads

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "pytest_automation_report"
LOADS = ("start", "small", "trivial", "mixed", "mixed-n2", "logs")
SHORT_LOADS = ("start", "small")
# Everything that a session or its sender may import.
DEPENDENCIES = (
    *("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "xdist", "execnet"),
    *("requests", "urllib3", "certifi", "idna", "charset_normalizer", "falcon", "msgspec"),
)


@dataclass(frozen=True)
class Contender:
    """One way to report: its options, and the modules with its plugins."""

    name: str
    options: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    is_remote: bool = False
    folder: str = ""  # that holds the package, if it is not the installed one


OURS = ("--automation-report", "--automation-report-source", "load")
PLUGIN = ("pytest_automation_report.plugin",)
CONTENDERS = (
    Contender("bare"),
    Contender("junitxml", ("--junitxml=report.xml",)),
    Contender("json-report", ("--json-report",), ("pytest_jsonreport.plugin",)),
    Contender("html", ("--html=report.html",), ("pytest_html.plugin", "pytest_metadata.plugin")),
    Contender("allure", ("--alluredir=allure",), ("allure_pytest.plugin",)),
    Contender("ours: server", OURS, PLUGIN, is_remote=True),
    Contender("ours: server (all output)", (*OURS, "--automation-report-output", "all"), PLUGIN, is_remote=True),
    Contender("ours: spool only", (*OURS, "--automation-report-delivery", "later"), PLUGIN),
    Contender("ours: embedded store", OURS, PLUGIN),
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
    parser.add_argument("--against", type=Path, help="folder with another version of the package, for comparison")
    given = parser.parse_args()
    only = {"bare", *given.only.split(",")} if given.only else {each.name for each in CONTENDERS}
    contenders = [each for each in CONTENDERS if each.name in only and is_installed(each)]
    compile_all([PACKAGE, *(place for name in DEPENDENCIES if (place := place_of(name)))])
    if given.against:
        if not (given.against / PACKAGE.name).is_dir():
            parser.error(f"--against {given.against}: {PACKAGE.name} is not in it: name a checkout of another version")
        compile_all([given.against / PACKAGE.name])
        contenders += [
            replace(each, name=f"{each.name} (against)", folder=str(given.against.resolve()))
            for each in contenders
            if each.name.startswith("ours")
        ]
    with sink(given.delay) as address:
        found = {load: measure(load, contenders, given.tests, given.rounds, address) for load in given.loads.split(",")}
    for load, rows in found.items():
        if load in SHORT_LOADS:
            print_short_table(load, rows, given.rounds)
        else:
            print_table(load, rows)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


@contextmanager
def sink(delay_seconds: float = 0.0) -> Iterator[str]:
    """Run a server of the API that takes everything; yield its address."""
    command = [sys.executable, str(HERE / "sink.py"), str(delay_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def is_installed(contender: Contender) -> bool:
    """Return whether the packages of a contender's plugins are installed."""
    return all(find_spec(name.partition(".")[0]) for name in contender.plugins)


def compile_all(places: list[Path]) -> None:
    """Compile packages and modules as pip does when it installs them: otherwise each session would pay for that."""
    for place in places:
        compile_place = compileall.compile_dir if place.is_dir() else compileall.compile_file
        assert compile_place(place, quiet=1), place


def place_of(package: str) -> Path | None:
    """Return the folder of a package, or the file of a module; None if it is not installed."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


def measure(load: str, contenders: list[Contender], tests: int, rounds: int, address: str) -> list[dict[str, object]]:
    """Return the costs of each contender on this load."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = loads.write(load.partition("-")[0], folder / "suite", tests)
        costs: dict[str, list[dict[str, float]]] = {each.name: [] for each in contenders}
        for _ in range(rounds):
            for each in contenders:
                costs[each.name].append(run(each, folder / "suite", address, workers=2 if load.endswith("n2") else 0))
    bare = costs["bare"]
    return [row(name, rounds_of, bare, count, is_short=load in SHORT_LOADS) for name, rounds_of in costs.items()]


def run(
    contender: Contender, suite: Path, address: str, workers: int = 0, under: tuple[str, ...] = (), **variables: str
) -> dict[str, float]:
    """Run the suite once, ``under`` another program if one is given, and return its costs."""
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
        "PYTHONPATH": os.pathsep.join(filter(None, (contender.folder, str(HERE)))),
        "BENCHMARK_PLUGINS": " ".join(contender.plugins),
        **variables,
    }
    command = [sys.executable, str(HERE / "measured.py"), str(suite.parent / "output.txt")]
    command += [*under, sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
    command += ["-p", "as_installed", *options]
    done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, check=True)
    cost: dict[str, float] = json.loads(done.stdout)
    assert cost["exit"] in {0, 1}, (suite.parent / "output.txt").read_text()
    with urllib.request.urlopen(f"{address}/counts") as counts:
        cost.update(json.load(counts))
    return cost


def row(
    name: str, costs: list[dict[str, float]], bare: list[dict[str, float]], tests: int, *, is_short: bool
) -> dict[str, object]:
    """Return one line of a table: minima over the rounds of a short load, medians of a long one."""
    typical = min if is_short else statistics.median

    def added(what: str) -> float:
        if is_short:
            return min(cost[what] for cost in costs) - min(base[what] for base in bare)
        return statistics.median(cost[what] - base[what] for cost, base in zip(costs, bare, strict=True))

    return {
        "name": name,
        "tests": tests,
        "cpu_seconds": typical(cost["cpu_seconds"] for cost in costs),
        "wall_seconds": typical(cost["wall_seconds"] for cost in costs),
        "added_cpu_seconds": added("cpu_seconds"),
        "added_own_cpu_seconds": added("own_cpu_seconds"),
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


def print_short_table(load: str, rows: list[dict[str, object]], rounds: int) -> None:
    """Print a short load as Markdown: seconds for the session as a whole, since its tests cost next to nothing."""
    print(f"\n### {load}, {rows[0]['tests']} tests, minima of {rounds} rounds\n")
    print("| way | wall s | added wall s | added CPU s | of it in pytest | added MiB | requests | delivered |")
    print("| --- " * 8 + "|")
    for each in rows:
        print(
            f"| {each['name']} | {each['wall_seconds']:.3f} | {each['added_wall_seconds']:.3f} "
            f"| {each['added_cpu_seconds']:.3f} | {each['added_own_cpu_seconds']:.3f} | {each['added_peak_mib']:.1f} "
            f"| {each['requests']:.0f} | {each['delivered']:.0f} |"
        )


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
