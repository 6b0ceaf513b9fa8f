"""Files of browser tests attach themselves: a real chromium under pytest-playwright, and under Selenium."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sessions.artifacts.test_artifacts import PNG, contents_at
from support.checked_server import CheckedServer
from support.needs import found, needed
from support.projects import Project
from support.sessions import session_environment

CHROMIUM, CHROMEDRIVER = found("chromium"), found("chromedriver")
SELENIUM = ("selenium>=4.20", "websocket-client")
PACKAGES = ("pytest-playwright>=0.5", "pytest-base-url", "python-slugify", "text-unidecode")

CONFTEST = f"""
import pytest

@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    return {{**browser_type_launch_args, "executable_path": {str(CHROMIUM)!r}, "args": arguments}}
"""

PAGES = """
import pathlib

RUNS = []

def test_fails(page, output_path):
    RUNS.append(1)
    page.set_content(f"<h1>attempt {len(RUNS)}</h1>")
    if len(RUNS) == 1:
        pathlib.Path(output_path).mkdir(parents=True, exist_ok=True)
        pathlib.Path(output_path, "own.txt").write_text("attempt 1")
    assert page.locator("h1").inner_text() == "attempt 2"

def test_passes(page):
    page.set_content("<h1>fine</h1>")
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


CHROME = f"""
import pathlib

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

@pytest.fixture
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = {str(CHROMIUM)!r}
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service({str(CHROMEDRIVER)!r}))
    yield driver
    driver.quit()

def test_fails(driver):
    driver.get("data:text/html,<title>shop</title><body style='background: teal'>")
    pathlib.Path("seen.png").write_bytes(driver.get_screenshot_as_png())
    assert driver.title == "another"

def test_passes(driver):
    driver.get("data:text/html,<title>shop</title>")
    assert driver.title == "shop"
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install pytest-playwright into a folder of its own: as a plugin it would slow each session of this project."""
    pytest.importorskip("playwright")
    needed("chromium")
    return _installed(PACKAGES, tmp_path_factory.mktemp("plugin"))


def _installed(packages: tuple[str, ...], folder: Path) -> Path:
    """Install packages without those that they need, which this project has; skip the test where that cannot be."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *packages]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"{packages[0]} cannot be had: {installed.stderr.strip().splitlines()[-1:]}")
    return folder


def browsers(folder: Path) -> Path:
    """Return a folder of Playwright's browsers in which it finds Debian's ffmpeg; it looks for no other."""
    import playwright  # noqa: PLC0415 - not everywhere

    listed = Path(playwright.__file__).parent / "driver" / "package" / "browsers.json"
    (revision,) = (each["revision"] for each in json.loads(listed.read_text())["browsers"] if each["name"] == "ffmpeg")
    program = folder / f"ffmpeg-{revision}" / "ffmpeg-linux"
    program.parent.mkdir(parents=True)
    program.symlink_to(needed("ffmpeg"))
    return folder


@pytest.mark.slow
def test_files_of_playwright_attach_themselves(project: Project, server: CheckedServer, plugin: Path) -> None:
    """Screenshot, trace and a test's own files stand with their attempt; what the plugin drops is not there."""
    project.write("conftest.py", CONFTEST)
    project.write("test_suite.py", PAGES)
    options = ["--screenshot=only-on-failure", "--tracing=retain-on-failure"]
    repeated = ("--reruns=1",)
    env = session_environment({"exit_progress": 20.0}, PYTHONPATH=str(plugin))
    project.report(*options, *repeated, address=server.address, env=env, exits=0)
    tests = {test["name"].partition("[")[0]: test for _, test in server.tests()}
    assert "artifacts" not in tests["test_passes"]
    artifacts = tests["test_fails"]["artifacts"]
    assert {each["note"] for each in artifacts} == {"attempt 1"}
    contents = contents_at(server, artifacts)
    assert sorted(contents) == ["own.txt", "test-failed-1.png", "trace.zip"]
    assert contents["test-failed-1.png"].startswith(b"\x89PNG")
    assert contents["trace.zip"].startswith(b"PK")
    assert contents["own.txt"] == b"attempt 1"


@pytest.mark.slow
def test_videos_attach_themselves(project: Project, server: CheckedServer, plugin: Path, tmp_path: Path) -> None:
    """A video that chromium and ffmpeg have recorded stands with the failed test, that of the other is not there."""
    folder = browsers(tmp_path / "browsers")
    project.write("conftest.py", CONFTEST)
    project.write("test_suite.py", PAGES)
    env = session_environment({"exit_progress": 20.0}, PYTHONPATH=str(plugin), PLAYWRIGHT_BROWSERS_PATH=str(folder))
    project.report("--video=retain-on-failure", address=server.address, env=env, exits=1)
    tests = {test["name"].partition("[")[0]: test for _, test in server.tests()}
    assert "artifacts" not in tests["test_passes"]
    videos = [each for each in tests["test_fails"]["artifacts"] if each["name"] == "video.webm"]
    assert [each["mime_type"] for each in videos] == ["video/webm"]
    assert contents_at(server, videos)["video.webm"].startswith(b"\x1aE\xdf\xa3")


@pytest.mark.slow
def test_a_real_driver(project: Project, server: CheckedServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With Selenium and Debian's chromedriver the failed test has the screenshot of its moment, the other has none."""
    needed("chromium")
    needed("chromedriver")
    folder = _installed(SELENIUM, tmp_path_factory.mktemp("selenium"))
    project.write("test_suite.py", CHROME)
    env = session_environment({"exit_progress": 20.0}, PYTHONPATH=str(folder))
    ran = project.report(address=server.address, env=env, exits=1)
    assert "1 failed, 1 passed" in ran.out
    tests = {test["name"]: test for _, test in server.tests()}
    seen = (project.root / "seen.png").read_bytes()
    assert seen.startswith(b"\x89PNG")
    assert contents_at(server, tests["test_fails"]["artifacts"]) == {"driver.png": seen}
    assert "artifacts" not in tests["test_passes"]


@pytest.mark.parametrize("arguments", [(), ("-n1",)])
def test_a_failed_tests_driver_is_seen(project: Project, server: CheckedServer, arguments: tuple[str, ...]) -> None:
    """A Selenium driver among the fixtures of a failed test adds its screenshot; one that is gone changes nothing."""
    project.write("selenium.py", "")
    project.write("test_suite.py", f"PNG = {PNG!r}\n{DRIVER}")
    ran = project.report("-p", "selenium", *arguments, address=server.address, env=with_path(project), exits=1)
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
    ran = project.report(
        "-oautomation_report_browser_artifacts=false", address=server.address, env=with_path(project), exits=1
    )
    assert all("artifacts" not in test for _, test in server.tests())
    assert "driver.png" not in ran.out


def with_path(project: Project) -> dict[str, str]:
    """Return an environment in which a project's own modules can be imported."""
    return session_environment(PYTHONPATH=os.pathsep.join([str(project.root)]))
