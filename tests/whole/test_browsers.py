"""Files of browser tests attach themselves: a real chromium under pytest-playwright, a Selenium driver's picture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sessions import session_environment

from whole.test_artifacts import PNG, contents_at

if TYPE_CHECKING:
    from checked import CheckedServer

    from whole.projects import Project

CHROMIUM = Path("/usr/bin/chromium")
PACKAGES = ("pytest-playwright>=0.5", "pytest-base-url", "python-slugify", "text-unidecode")

CONFTEST = f"""
import pytest

@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    return {{**browser_type_launch_args, "executable_path": {str(CHROMIUM)!r}, "args": arguments}}
"""

PAGES = """
RUNS = []

def test_fails(page, output_path):
    RUNS.append(1)
    page.set_content(f"<h1>attempt {len(RUNS)}</h1>")
    # a video
    assert page.locator("h1").inner_text() == "attempt 2"

def test_passes(page):
    page.set_content("<h1>fine</h1>")
"""

VIDEO = """if len(RUNS) == 1:
        import pathlib
        pathlib.Path(output_path).mkdir(parents=True)
        pathlib.Path(output_path, "video.webm").write_bytes(b"\\x1aE\\xdf\\xa3webm")
"""

DRIVER = """
import pytest
import selenium

class Driver:
    def __init__(self):
        self.is_open = True

    def get_screenshot_as_png(self):
        if not self.is_open:
            raise ConnectionError("the browser is gone")
        return PNG

@pytest.fixture
def driver():
    driver = Driver()
    yield driver
    driver.is_open = False

@pytest.fixture
def unready(driver):
    raise RuntimeError("not ready")

def test_fails(driver):
    assert driver is None

def test_passes(driver):
    pass

def test_setup_fails(driver, unready):
    pass

def test_driver_has_gone(driver):
    driver.is_open = False
    assert driver is None
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install pytest-playwright into a folder of its own: as a plugin it would slow each session of this project."""
    pytest.importorskip("playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing (apt-get install chromium)")
    folder = tmp_path_factory.mktemp("plugin")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *PACKAGES]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"pytest-playwright cannot be had: {installed.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.mark.slow
def test_files_of_playwright_attach_themselves(project: Project, server: CheckedServer, plugin: Path) -> None:
    """Screenshot, trace, video and a test's own files stand with their attempt; what the plugin drops is not there.

    The video is the plugin's own where Playwright's ffmpeg is installed, else a file in its place.
    """
    project.write("conftest.py", CONFTEST)
    project.write("test_suite.py", PAGES)
    options = ["--screenshot=only-on-failure", "--tracing=retain-on-failure"]
    if any(Path.home().glob(".cache/ms-playwright/ffmpeg*")):
        options.append("--video=retain-on-failure")
    else:
        project.write("test_suite.py", PAGES.replace("# a video", VIDEO))
    repeated = ("--reruns=1", "-p", "no:flaky", "-p", "no:pytest-retry")
    env = session_environment({"exit_progress": 20.0}, PYTHONPATH=str(plugin))
    ran = project.report(*options, *repeated, address=server.address, env=env)
    assert ran.exit == 0, ran.text
    tests = {test["name"].partition("[")[0]: test for _, test in server.tests()}
    assert "artifacts" not in tests["test_passes"]
    artifacts = tests["test_fails"]["artifacts"]
    assert {each["note"] for each in artifacts} == {"attempt 1"}
    contents = contents_at(server, artifacts)
    assert sorted(contents) == ["test-failed-1.png", "trace.zip", "video.webm"]
    assert contents["test-failed-1.png"].startswith(b"\x89PNG")
    assert contents["trace.zip"].startswith(b"PK")
    assert contents["video.webm"].startswith(b"\x1aE\xdf\xa3")


@pytest.mark.parametrize("arguments", [(), ("-n1",)])
def test_a_failed_tests_driver_shows_what_it_shows(
    project: Project, server: CheckedServer, arguments: tuple[str, ...]
) -> None:
    """A Selenium driver among the fixtures of a failed test adds its screenshot; one that is gone changes nothing."""
    project.write("selenium.py", "")
    project.write("test_suite.py", f"PNG = {PNG!r}\n{DRIVER}")
    ran = project.report("-p", "selenium", *arguments, address=server.address, env=with_path(project))
    assert ran.exit == 1, ran.text
    tests = {test["name"]: test for _, test in server.tests()}
    assert contents_at(server, tests["test_fails"]["artifacts"]) == {"driver.png": PNG}
    assert contents_at(server, tests["test_setup_fails"]["artifacts"]) == {"driver.png": PNG}
    assert "artifacts" not in tests["test_passes"]
    assert "artifacts" not in tests["test_driver_has_gone"]
    assert ran.out.count("artifact driver.png was not added: ConnectionError: the browser is gone") == 1


def test_it_can_be_turned_off(project: Project, server: CheckedServer) -> None:
    """With the setting off, nothing of a browser is asked or added."""
    project.write("selenium.py", "")
    project.write("test_suite.py", f"PNG = {PNG!r}\n{DRIVER}")
    ran = project.report("--no-automation-report-browser-artifacts", address=server.address, env=with_path(project))
    assert ran.exit == 1, ran.text
    assert all("artifacts" not in test for _, test in server.tests())
    assert "driver.png" not in ran.out


def with_path(project: Project) -> dict[str, str]:
    """Return an environment in which a project's own modules can be imported."""
    return session_environment(PYTHONPATH=os.pathsep.join([str(project.root)]))
