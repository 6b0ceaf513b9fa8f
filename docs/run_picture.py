"""Takes docs/run.png and docs/test.png: a run and a test of the example project in the embedded server's pages.

Needs ``playwright`` and chromium.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
CHROMIUM = "/usr/bin/chromium"
TEST = "test_discount_rounds_for_the_customer"


def take(shop: Path, folder: Path) -> None:
    """Serve what the project reported and take the pictures of its first run and of one failed test."""
    with closing(sqlite3.connect(shop / ".automation-report" / "store.sqlite3")) as store:
        ((result_id,),) = store.execute(f"SELECT id FROM result WHERE name = '{TEST}'").fetchall()  # noqa: S608 - a constant
    command = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdout is not None
        assert server.stderr is not None
        address = server.stdout.readline().strip()
        link = next(line for line in server.stderr if line.startswith("look at it: ")).removeprefix("look at it: ")
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1120, "height": 760}, color_scheme="light", locale="en-GB")
                page.goto(link.strip())
                page.wait_for_url(f"{address}/")
                for path, name in (("/runs/1", "run.png"), (f"/results/{result_id}", "test.png")):
                    page.goto(f"{address}{path}")
                    page.screenshot(path=folder / name)
                browser.close()
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)


def main() -> None:
    """Report the example project and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Path(folder) / "shop"
        shutil.copytree(ROOT / "examples" / "shop", shop, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        command = [sys.executable, "-m", "pytest", "-q", "--automation-report", "-p", "no:cacheprovider"]
        subprocess.run(command, cwd=shop, stdout=subprocess.DEVNULL, check=False)  # noqa: S603
        take(shop, ROOT / "docs")


if __name__ == "__main__":
    main()
