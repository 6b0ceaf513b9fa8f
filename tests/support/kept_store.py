"""Make a small store of everything, by the commands of one release, to be kept for the tests of later ones.

Do this once for each version of the tables, before its release, with its own code (here that of version 1), in a folder
without git and on a clean environment:

    git worktree add /tmp/release 1d8b5ffb
    PYTHONPATH=/tmp/release .venv/bin/python tests/support/kept_store.py store.sqlite3
    PYTHONPATH=/tmp/release .venv/bin/python tests/support/kept_store.py postgresql://reports@127.0.0.1/empty
    sqlite3 store.sqlite3 .dump > tests/data/stores/1.sqlite.sql
    pg_dump --no-owner --no-privileges --inserts DATABASE > tests/data/stores/1.postgresql.sql

From the dump of SQLite the two numbers of the file's head are missing: add ``PRAGMA application_id`` and
``PRAGMA user_version``. From that of PostgreSQL remove the lines that begin with a backslash. The tests read the
dumps (`tests/sessions/server/test_kept_stores.py`); no kept store is ever changed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

SHOP = """
import os

import pytest

from pytest_automation_report import artifact, field, link, step

BROKEN = os.environ.get("BROKEN")
TRIES = []


@pytest.mark.parametrize("number", range(3))
def test_cart(number, automation_report):
    automation_report.field("customer", "ann@example.com")
    with step("fill the cart"):
        with step("choose"):
            assert number < 3


def test_discount():
    link("https://grafana.example.com/d/7", "dashboard")
    artifact(b"a picture", name="page.png", mime_type="image/png")
    with step("pay"):
        assert {"total": 90, "currency": "EUR"} == {"total": 89 if BROKEN else 90, "currency": "EUR"}


def test_price():
    print("the price is 7")
    assert 7 == (8 if BROKEN else 7), "the price is wrong"


def test_known():
    assert not BROKEN, "the bank is closed"


@pytest.mark.flaky(reruns=2)
def test_flaky():
    TRIES.append(1)
    field("try", len(TRIES))
    assert not BROKEN or len(TRIES) == 2


@pytest.mark.skip(reason="not today")
def test_skipped():
    pass


@pytest.mark.xfail(reason="a bug")
def test_xfailed():
    assert False


@pytest.fixture
def database():
    if BROKEN:
        raise RuntimeError("the database is away")


def test_setup(database):
    pass
"""

JUNIT = """<testsuites><testsuite name="web" tests="2" hostname="ci">
<testcase classname="web.Login" name="opens" time="0.5"/>
<testcase classname="web.Login" name="refuses" time="0.25"><failure message="no 403">at login.js</failure></testcase>
</testsuite></testsuites>"""

KNOWN = "until 2999-12-31 test_shop.py::test_known SHOP-1 the bank is closed\n"


TOKEN = "the-token-of-a-kept-store"


class Release:
    """The commands of a release, in a folder with a suite, with a server of their own over a new store."""

    def __init__(self, place: str, folder: Path) -> None:
        self.place, self.folder = place, folder
        self.variables = {
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH")},
            **{f"GIT_{who}_{what}": "ann@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
            **dict.fromkeys(("AUTOMATION_REPORT_SERVER_TOKEN", "AUTOMATION_REPORT_TOKEN"), TOKEN),
            "AUTOMATION_REPORT_PAGES_TOKEN": TOKEN,
            "AUTOMATION_REPORT_PROJECT_ID": "1",
        }

    def run(self, *command: str, **more: str) -> None:
        subprocess.run(command, cwd=self.folder, env={**self.variables, **more}, check=False, timeout=120)

    def console(self, *command: str, **more: str) -> None:
        self.run(sys.executable, "-m", "pytest_automation_report.cli", *command, **more)

    def session(self, *options: str, **more: str) -> None:
        plugins = ["-p", "no:flaky"]  # of two that know the marker
        self.run(sys.executable, "-m", "pytest", "-q", *plugins, "--automation-report", *options, **more)

    def visit(self, path: str) -> None:
        """Read a page, for which the server may store what it computes."""
        jar = build_opener(HTTPCookieProcessor())
        jar.open(f"{self.variables['AUTOMATION_REPORT_URL']}/open/{TOKEN}?to={path}").read()

    def shop(self) -> None:
        """Report a suite that is whole, then broken, and better on a branch and in a pipeline of two jobs."""
        known = {"AUTOMATION_REPORT_SOURCE": "shop", "AUTOMATION_REPORT_KNOWN": "known.txt"}
        facts = {"AUTOMATION_REPORT_CONFIG": "linux", "AUTOMATION_REPORT_MILESTONE": "May"}
        self.session("--automation-report-tags=nightly,linux", **known, **facts)
        self.session("-n2", BROKEN="1", **known, **facts)
        self.run("git", "checkout", "-qb", "feat/login")
        self.session(BROKEN="1", **known)
        self.run("git", "checkout", "-q", "main")
        for shard in ("1/2", "2/2"):
            job = {"AUTOMATION_REPORT_RUN_KEY": "pipeline-7", "AUTOMATION_REPORT_JOB": f"test {shard}"}
            self.session(f"--automation-report-shard={shard}", **known, **job)
        self.console(
            "run", "finish", "--run-key", "pipeline-7", "--source", "shop", "--expect-jobs", "2", "--timeout", "20s"
        )

    def web(self) -> None:
        """Report files of another tool to a second project, of which one run stays open and one is removed."""
        project = {"AUTOMATION_REPORT_PROJECT_ID": "2", "AUTOMATION_REPORT_SOURCE": "web"}
        for _ in range(2):
            self.console("submit", "--name", "login", "web.xml", **project)
        self.console("run", "create", "--name", "still open", "--tags", "later", **project)
        self.console("store", "prune", "--keep-runs", "5", "--database", self.place)
        self.console("store", "prune", "--keep-runs", "1", "--database", self.place, **project)

    def fill(self) -> None:
        self.web()
        self.shop()
        for name, *role in (("ci", "report", "--project", "1"), ("reader", "read"), ("boss", "admin")):
            self.console("server", "token", "create", name, "--role", *role, "--database", self.place)
        for run in range(3, 9):
            self.visit(f"/runs/{run}")


def keep(place: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        release = Release(place, Path(made))
        files = {"test_shop.py": SHOP, "web.xml": JUNIT, "known.txt": KNOWN, ".gitignore": "*\n"}
        for name, text in files.items():
            (release.folder / name).write_text(text)
        release.run("git", "init", "-qb", "main")
        release.run("git", "commit", "-q", "--allow-empty", "-m", "The shop")
        serve = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--port", "0", "--database", place]
        with subprocess.Popen(serve, cwd=made, env=release.variables, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            release.variables["AUTOMATION_REPORT_URL"] = server.stdout.readline().strip()
            release.fill()
            server.terminate()
        release.console("store", "check", "--database", place)


if __name__ == "__main__":
    keep(sys.argv[1] if "://" in sys.argv[1] else str(Path(sys.argv[1]).absolute()))
