"""The report in one file beside those of others: size, time to write, time until the first row in a browser.

    python benchmarks/reports.py --tests 10000 --rounds 2 --node FOLDER
    python benchmarks/reports.py --tests 10000 --rounds 1 --node FOLDER --only Playwright

One suite of N tests in files of 100, one of 100 fails, each prints a line. The time is that of the processor (all child
processes included) which the report adds to the same suite without a report, the least of some rounds in turns: for
automation-report with the delivery into the store, for Allure with its command, for Playwright that of its command
alone, since its worker begins anew after each failure: its suite runs in two workers, 10,000 tests for minutes. The
first row is awaited in chromium, from a local file, in a new window each time. ``--only`` measures the named ones
beside automation-report, so that a round can be done in parts.

Needs ``pytest-html`` and ``pytest-reporter-html1`` (pip), ``playwright`` and chromium; ``FOLDER`` has a
``node_modules`` with the packages ``allure`` and ``@playwright/test``, and ``allure-pytest`` is installed. A contender
that is missing is left out, and a line says so.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import TimeoutError, sync_playwright  # noqa: A004 - that of playwright

if TYPE_CHECKING:
    from collections.abc import Sequence

CHROMIUM: Final = "/usr/bin/chromium"
OPENED: Final = 3
"""How often each file is opened."""

LONGEST_MS: Final = 60_000
"""How long a first row is awaited; the table then has this time."""

PYTEST: Final = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header")
PLAIN: Final = "no report"
HTML_OPTION: Final = "--automation-report-html=report.html"

SHOWN: Final = """
const look = () => {
  const rows = [...document.querySelectorAll(%r)].slice(0, 20);
  if (!rows.some((row) => row.getClientRects().length)) setTimeout(look, 5);
  else requestAnimationFrame(() => { window.shownAfter = performance.now(); });
};
look();
"""
PYTHON_TEST: Final = """
def test_{number}():
    print("test {number} looks at the harbour")
    assert {{"berth": {number}, "ship": "Anna"}} == {{"berth": {expected}, "ship": "Anna"}}
"""
NODE_TEST: Final = """
test("test {number}", () => {{
  console.log("test {number} looks at the harbour");
  expect({{ berth: {number}, ship: "Anna" }}).toEqual({{ berth: {expected}, ship: "Anna" }});
}});
"""


@dataclass
class Contender:
    """One report: the options that write it, its file, and the selector of a row in it.

    ``command`` comes after pytest, as Allure's does. ``module`` or ``program`` must be there.
    """

    name: str
    options: tuple[str, ...]
    file: str
    row: str
    module: str = ""
    program: str = ""
    command: tuple[str, ...] = ()
    is_node: bool = False
    cpu_seconds: list[float] = field(default_factory=list)
    shown_ms: list[float] = field(default_factory=list)
    size: int = 0


CONTENDERS: Final = (
    Contender(PLAIN, ("-p", "no:automation_report"), "", ""),
    # Delivered by a command: the sender of a session is no child of pytest, so its time would not be counted.
    Contender(
        "automation-report", ("--automation-report", "--automation-report-delivery=later", HTML_OPTION), "report.html",
        "#page section.view a[href]", "pytest_automation_report",
        command=(sys.executable, "-m", "pytest_automation_report.cli", "send"),
    ),
    Contender(
        "pytest-html", ("--html=html.html", "--self-contained-html"), "html.html", ".results-table-row", "pytest_html"
    ),
    Contender(
        "pytest-reporter-html1", ("--template=html1/index.html", "--report=html1.html"), "html1.html",
        "details.file > summary", "pytest_reporter_html1",
    ),
    Contender(
        "Allure 3, one file", ("--alluredir=allure-results",), "allure-report/index.html",
        "[data-testid=tree-section], [data-testid=tree-leaf]", "allure_pytest", "allure",
        ("allure", "awesome", "--single-file", "-o", "allure-report", "allure-results"),
    ),
    # Its worker begins anew after each failure, which takes more than the report: only the report is measured.
    # The HTML reporter makes its file from the blob, as it does from the results of shards.
    Contender(
        "Playwright", ("--reporter=blob",), "playwright-report/index.html", ".test-file-test", program="playwright",
        command=("playwright", "merge-reports", "--reporter=html", "blob-report"), is_node=True,
    ),
)  # fmt: skip


def write_suite(folder: Path, tests: int, *, is_node: bool) -> None:
    """Write a suite of N tests in files of 100, of which the first fails."""
    template = NODE_TEST if is_node else PYTHON_TEST
    for first in range(0, tests, 100):
        texts = [template.format(number=n, expected=n + (n % 100 == 0)) for n in range(first, first + 100)]
        if is_node:
            head = 'const { test, expect } = require("@playwright/test");\n'
            (folder / f"harbour_{first // 100}.spec.js").write_text(head + "".join(texts))
        else:
            (folder / f"test_harbour_{first // 100}.py").write_text("".join(texts))
    if is_node:
        config = "module.exports = { workers: 2, reporter: 'null', testDir: '.' };\n"
        (folder / "playwright.config.js").write_text(config)
    else:
        (folder / "pytest.ini").write_text("[pytest]\n")


def missing(contender: Contender, node: Path | None) -> str:
    """Return what a contender lacks, "" if nothing."""
    if contender.module and find_spec(contender.module) is None:
        return f"the module {contender.module}"
    if contender.program and (node is None or not program(node, contender.program).exists()):
        return f"the Node program {contender.program}"
    return ""


def program(node: Path, name: str) -> Path:
    """Return the path of a program of npm."""
    return node / "node_modules" / ".bin" / name


def cpu_seconds(command: Sequence[str], folder: Path, node: Path | None) -> float:
    """Run a command; return the seconds of the processor that it took with all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = {**os.environ, "PLAYWRIGHT_HTML_OPEN": "never", "CI": ""}
    if node is not None:
        env["NODE_PATH"] = str(node / "node_modules")
    done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in (0, 1), done.stderr.decode()[-2000:]
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(contender: Contender, suite: Path, node: Path | None) -> None:
    """Run the suite once with a report, and its command, if it has one."""
    for left in (".automation-report", "allure-results", "allure-report", "playwright-report", "blob-report"):
        shutil.rmtree(suite / left, ignore_errors=True)
    command: tuple[str, ...] = (*PYTEST, *contender.options)
    if contender.is_node:
        assert node is not None
        command = (str(program(node, "playwright")), "test", *contender.options)
    seconds = cpu_seconds(command, suite, node)
    if contender.is_node:
        seconds = 0.0
    if contender.command:
        first, *rest = contender.command
        path = first if contender.program == "" or node is None else str(program(node, contender.program))
        seconds += cpu_seconds((path, *rest), suite, node)
    contender.cpu_seconds.append(seconds)
    if contender.file:
        copy = suite / f"opened-{CONTENDERS.index(contender)}.html"
        shutil.copyfile(suite / contender.file, copy)
        contender.size = copy.stat().st_size


def open_files(contenders: Sequence[Contender], suites: dict[bool, Path]) -> None:
    """Open each report some times in new windows, in turns, and note when its first row is there."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(OPENED):
            for contender in contenders:
                context = browser.new_context(viewport={"width": 1440, "height": 900})
                # Allure's file asks a server for statistics, and waits for the answer: here it gets none, at once.
                context.route("http*://**", lambda route: route.abort())
                page = context.new_page()
                page.add_init_script(SHOWN % contender.row)
                path = suites[contender.is_node] / f"opened-{CONTENDERS.index(contender)}.html"
                page.goto(path.as_uri(), timeout=LONGEST_MS, wait_until="commit")
                try:
                    page.wait_for_function("() => window.shownAfter", timeout=LONGEST_MS)
                    contender.shown_ms.append(page.evaluate("window.shownAfter"))
                except TimeoutError:
                    contender.shown_ms.append(LONGEST_MS)
                print(f"{contender.name}: first row after {contender.shown_ms[-1] / 1000:.2f} s", file=sys.stderr)
                context.close()
        browser.close()


def table(contenders: Sequence[Contender]) -> str:
    """Return the measurements, and those of others as multiples of ours."""
    base = {False: min(next(c for c in contenders if not c.file).cpu_seconds), True: 0.0}
    ours = next(c for c in contenders if c.name == "automation-report")
    our_cpu = min(ours.cpu_seconds) - base[False]
    lines = ["| report | size | CPU time added | first row after |", "| --- | --- | --- | --- |"]
    for contender in contenders:
        if not contender.file:
            continue
        cpu, shown = min(contender.cpu_seconds) - base[contender.is_node], min(contender.shown_ms)
        lines.append(
            f"| {contender.name} | {contender.size / 1e6:.2f} MB ({contender.size / ours.size:.1f}) "
            f"| {cpu:.1f} s ({cpu / our_cpu:.1f}) | {shown / 1000:.2f} s ({shown / min(ours.shown_ms):.1f}) |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print the table; in brackets the multiple of ours."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=10_000, help="number of tests, a multiple of 100")
    parser.add_argument("--rounds", type=int, default=2, help="how often the suite runs with each report")
    parser.add_argument("--node-rounds", type=int, default=1, help="the same for Playwright, whose suite takes longer")
    parser.add_argument("--node", type=Path, help="folder with node_modules, for Allure and Playwright")
    parser.add_argument(
        "--only", nargs="+", choices=[each.name for each in CONTENDERS[2:]], help="beside automation-report"
    )
    options = parser.parse_args()
    node = None if options.node is None else options.node.resolve()
    contenders = []
    for contender in CONTENDERS:
        if options.only and contender not in CONTENDERS[:2] and contender.name not in options.only:
            continue
        why = missing(contender, node)
        if why:
            print(f"{contender.name} is left out: {why} is missing", file=sys.stderr)
        else:
            contenders.append(contender)
    with tempfile.TemporaryDirectory() as place:
        suites = {is_node: Path(place) / ("node" if is_node else "python") for is_node in (False, True)}
        for is_node, suite in suites.items():
            suite.mkdir()
            write_suite(suite, options.tests, is_node=is_node)
        cpu_seconds((*PYTEST, *CONTENDERS[0].options), suites[False], None)  # pytest compiles each file once
        for number in range(max(options.rounds, options.node_rounds)):
            for contender in contenders:
                if number >= (options.node_rounds if contender.is_node else options.rounds):
                    continue
                run(contender, suites[contender.is_node], node)
                print(f"{contender.name}: {contender.cpu_seconds[-1]:.1f} s", file=sys.stderr)
        open_files([contender for contender in contenders if contender.file], suites)
    print(table(contenders))


if __name__ == "__main__":
    main()
