"""Takes the pictures of README and docs/report.md: a harbour's suite after twelve runs.

docs/run.png and docs/test.png are of the pages of the embedded server, docs/report.png and docs/report-plain.png of the
report in one file, with scripts and without.

Needs ``git``, ``playwright``, chromium, pytest-xdist and pytest-rerunfailures; run it from anywhere.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

DOCS = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
PLUGINS = (
    "-p",
    "no:cacheprovider",
    "-p",
    "no:flaky",
)  # the plugin flaky takes the marker of pytest-rerunfailures for its own

CONFTEST = """
import os
from pathlib import Path

import pytest

RUN = int(os.environ["HARBOUR_RUN"])


@pytest.fixture
def run():
    return RUN


@pytest.fixture
def gateway():
    if RUN == 12:
        host, port = "10.4.0.17", 9031
        raise ConnectionError(f"radio gateway {host}:{port} refused the connection")
"""

TESTS = {
    "test_radio.py": """
import pytest


@pytest.mark.parametrize("channel", range(1, 73))
def test_channel_is_heard(gateway, channel):
    assert channel
""",
    "test_tariff.py": """
import pytest

from pytest_automation_report import step


def price(metres, nights):
    return {"berth": {"each": 4.5 * metres, "nights": nights, "total": 4.5 * metres * nights}, "currency": "EUR"}


@pytest.mark.parametrize("metres", range(6, 18))
def test_started_metre_counts(run, metres):
    nights = 2
    assert price(metres, nights)["berth"]["nights"] == (nights if run < 8 or metres < 14 else nights + 1)


def test_member_gets_a_discount(run):
    with step("a berth for three nights"):
        bill = price(8, 3)
    with step("the member's card"):
        bill["discounts"] = [] if run == 12 else ["member"]
        bill["total"] = "108.00 EUR" if run == 12 else "97.20 EUR"
    with step("the bill"):
        expected = {**price(8, 3), "discounts": ["member"], "total": "97.20 EUR"}
        assert bill == expected
""",
    "test_berths.py": """
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("pier", ["A", "B", "C", "D"])
@pytest.mark.parametrize("berth", range(1, 41))
def test_pier_shows_its_free_berths(pier, berth):
    time.sleep(0.002)


@pytest.mark.flaky(reruns=1)
def test_two_skippers_want_the_same_berth(run, tmp_path_factory):
    tries = Path(f".tries-{run}")
    is_first = not tries.exists()
    tries.touch()
    assert not (is_first and run in (4, 7, 9, 12)), "both have berth 14"


@pytest.mark.skip(reason="the map is redrawn in winter")
def test_map_has_every_berth():
    pass


def test_fleet_is_imported(run):
    time.sleep(0.3 if run < 12 else 1.4)


def test_letter_is_sent(run):
    assert run not in (10, 11), "the printer is out of paper"
""",
}
SUBJECTS = (
    "Berths by pier", "A tariff for each metre", "Members get a discount", "Letters are printed", "Skippers can wait",
    "The fleet comes from a file", "Channels of the radio", "Started metres count", "Faster letters", "A new printer",
    "Tides of next year", "Move the radio gateway to its own host",
)  # fmt: skip


def report_runs(project: Path) -> None:
    """Report twelve runs of the harbour's suite, each of a commit of its own on ``main``."""
    (project / "tests").mkdir(parents=True)
    (project / "tests" / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    for name, text in TESTS.items():
        (project / "tests" / name).write_text(text, encoding="utf-8")
    (project / ".gitignore").write_text(".automation-report/\n__pycache__/\n.tries-*\n", encoding="utf-8")
    (project / "pyproject.toml").write_text('[project]\nname = "harbour"\nversion = "1.0"\n', encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CI", "GITHUB_"))}
    git = ("git", "-c", "user.name=Harbour", "-c", "user.email=harbour@example.com")
    subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], cwd=project, check=True)  # noqa: S603 - git alone
    for number, subject in enumerate(SUBJECTS, 1):
        subprocess.run([*git, "add", "."], cwd=project, check=True)  # noqa: S603 - our own commands
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", subject], cwd=project, check=True)  # noqa: S603 - our own commands
        command = [sys.executable, "-m", "pytest", "-q", "-n2", "--automation-report", *PLUGINS]
        environment["HARBOUR_RUN"] = str(number)
        subprocess.run(command, cwd=project, env=environment, stdout=subprocess.DEVNULL, check=False)  # noqa: S603 - our own commands


@contextmanager
def pages(project: Path) -> Iterator[tuple[Page, str]]:
    """Serve what the project reported; yield a browser's page that may see it, and the server's address."""
    command = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603 - our own command
        assert server.stdout is not None
        assert server.stderr is not None
        address = server.stdout.readline().strip()
        link = next(line for line in server.stderr if line.startswith("look at it: ")).removeprefix("look at it: ")
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1200, "height": 860}, color_scheme="light", locale="en-GB")
                page.goto(link.strip())
                page.wait_for_url(f"{address}/**")
                yield page, address
                browser.close()
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)


def take_report(page: Page, project: Path) -> None:
    """Write the report of the last run into one file, and take pictures of it in new windows of a page's browser."""
    command = [sys.executable, "-m", "pytest_automation_report.cli", "html", "-o", "report.html"]
    subprocess.run(command, cwd=project, check=True)  # noqa: S603 - our own command
    browser = page.context.browser
    assert browser is not None
    file = (project / "report.html").as_uri()
    whole = browser.new_page(viewport={"width": 1200, "height": 860}, color_scheme="light", locale="en-GB")
    whole.goto(file)
    whole.locator("header.top").wait_for()
    whole.keyboard.press("3")
    whole.locator('section.view[aria-label="Changes"]').wait_for()
    whole.screenshot(path=DOCS / "report.png")
    plain = browser.new_page(viewport={"width": 1200, "height": 640}, java_script_enabled=False, color_scheme="light")
    plain.goto(file)
    plain.locator("#page details summary").first.click()
    plain.screenshot(path=DOCS / "report-plain.png")


def main() -> None:
    """Report the runs and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "harbour"
        report_runs(project)
        with pages(project) as (page, address):
            page.goto(f"{address}/runs/12")
            page.screenshot(path=DOCS / "run.png")
            page.goto(f"{address}/runs/12?q=member")
            page.get_by_role("link", name="test_member_gets_a_discount").first.click()
            page.wait_for_url(f"{address}/results/**")
            page.screenshot(path=DOCS / "test.png")
            take_report(page, project)
        shutil.rmtree(project)


if __name__ == "__main__":
    main()
