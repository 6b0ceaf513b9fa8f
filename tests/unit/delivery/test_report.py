"""The HTML report that the sender writes at a session's end: it never changes what is said of the delivery."""

import gc
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from requests import PreparedRequest, Response, Session

from pytest_automation_report.api.client import Client
from pytest_automation_report.api.http import HttpClient
from pytest_automation_report.api.models import EMBEDDED_ORIGIN, NewRun, Token
from pytest_automation_report.delivery.launch import Runtime, Timeouts
from pytest_automation_report.delivery.report import OWN_RESULTS, embedded_report, refusal_of_kept
from pytest_automation_report.delivery.sender import Deadlines, Sender
from pytest_automation_report.errors import RefusedError
from pytest_automation_report.server.api.embedded import StoreClient
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.pages.site import Pages
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.spool.cleaning import LeftoverCounts, expire_old_sessions
from pytest_automation_report.spool.folder import SessionFolder, session_folders
from pytest_automation_report.spool.ledger import LedgerState, ReportRecord
from pytest_automation_report.spool.ledger_file import LedgerFile, ledger_from
from pytest_automation_report.spool.process import Process
from support.deliveries import WrittenSession, numbered
from support.sessions import SHORT_LIMITS, TOKEN
from support.store_adapter import StoreAdapter

HEADING = "<h1>All 3 tests passed</h1>"
ORIGIN = "http+local://server"
LIMITS = Timeouts(**{**SHORT_LIMITS, "exit_all": 30.0, "alone": 30.0})


def lived(  # noqa: PLR0913 - what the tests vary
    folder: Path,
    client: Client,
    report: str,
    *,
    origin: str = EMBEDDED_ORIGIN,
    joined_run: int | None = None,
    is_awaited: bool = True,
    timeouts: Timeouts = LIMITS,
    log: Callable[[str], None] = lambda _: None,
) -> LedgerState:
    """Deliver a session of three tests that names a report; return the ledger's state."""
    (folder / "spool").mkdir()
    written = WrittenSession(folder / "spool", origin, joined_run=joined_run)
    written.add(*numbered(3))
    written.end()
    written.close()
    session = replace(written.session, database=str(folder / "store.db"), report=report)
    runtime = Runtime(clock=time.monotonic, random=random.random, log=log)
    controller = Process(os.getpid()) if is_awaited else None
    try:
        state = Sender(written.folder, session, timeouts, client, runtime, controller).run().state
    finally:
        if controller is not None:
            controller.close()
    assert (state.is_done, state.done.complete, state.total("acknowledged")) == (True, True, 3)
    return state


@contextmanager
def store(folder: Path) -> Iterator[StoreClient]:
    with StoreClient(folder / "store.db", 1) as client:
        yield client


def test_console_command_writes_it_too(tmp_path: Path) -> None:
    """A session that is sent later gets its report then, if its folder is still there: none is created."""
    with store(tmp_path) as client:
        state = lived(tmp_path, client, str(tmp_path / "report.html"), is_awaited=False)
    assert state.report is not None
    assert (state.report.state, (tmp_path / "report.html").exists()) == ("written", True)
    (tmp_path / "other").mkdir()
    with store(tmp_path / "other") as client:
        state = lived(tmp_path / "other", client, str(tmp_path / "other" / "gone" / "report.html"), is_awaited=False)
    assert state.report is not None
    assert state.report.state == "none"
    assert "No such file or directory" in state.report.why
    assert not (tmp_path / "other" / "gone").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("file/report.html", "cannot be written (File exists): name a file in a folder that can be written"),
        ("folder.html", "cannot be written (it is a folder)"),
    ],
)
def test_places_that_take_no_report(tmp_path: Path, name: str, why: str) -> None:
    """A report that cannot be written has a reason, and costs nothing else; a file of another kind is not replaced."""
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder.html").mkdir()
    with store(tmp_path) as client:
        state = lived(tmp_path, client, str(tmp_path / name))
    assert state.report is not None
    assert state.report.state == "none"
    assert why in state.report.why
    assert (tmp_path / "file").read_text() == "precious"
    assert state.trouble == ""


def test_a_kept_session_overwrites_no_file_of_the_user(tmp_path: Path) -> None:
    """A spool may come from elsewhere: its path counts below the project for a new report, or in place of one."""
    project, outside = tmp_path / "project", tmp_path / "outside.html"
    (project / "sub").mkdir(parents=True)
    outside.write_text("precious")
    (project / "own.html").write_text("precious")
    (project / "link.html").symlink_to(outside)
    (project / "folder").symlink_to(tmp_path)
    for name in ("../outside.html", "link.html", "folder/x.html", "own.html", "project.cfg", "sub"):
        assert refusal_of_kept(project, project / name) != "", name
    with store(project / "sub") as client:
        lived(project / "sub", client, str(project / "report.html"))
    for name in ("report.html", "new.htm", "sub/new.html"):
        assert refusal_of_kept(project, project / name) == "", name


def test_store_that_a_test_deleted(tmp_path: Path) -> None:
    """Whatever the pages meet, the delivery is complete and the reason names the command that tries again."""
    with store(tmp_path) as client:
        (tmp_path / "elsewhere").mkdir()
        run = client.create_run(NewRun(name="other", source="suite"))
        state = lived(tmp_path / "elsewhere", client, str(tmp_path / "report.html"))
    assert state.report is not None
    assert (state.report.state, state.run) == ("none", run + 1)
    assert "there is no store at" in state.report.why
    assert f"automation-report html {state.run}" in state.report.why


def test_run_of_several_jobs(tmp_path: Path) -> None:
    """A job that leaves its run open writes no report, since other jobs' results are missing, and says how to."""
    with store(tmp_path) as client:
        run = client.create_run(NewRun(name="shared", source="suite"))
        state = lived(tmp_path, client, str(tmp_path / "report.html"), joined_run=run)
    assert state.report is not None
    assert state.report.state == "none"
    assert state.report.why.startswith(f"run {run} stays open for other jobs: ")
    assert not (tmp_path / "report.html").exists()


def test_no_report(tmp_path: Path) -> None:
    """A session that names no file has no record of a report."""
    with store(tmp_path) as client:
        assert lived(tmp_path, client, "").report is None


class Serving(StoreAdapter):
    """A server with pages, and what happens before it writes a report."""

    def __init__(self, database: Path, before: Callable[[], object]) -> None:
        super().__init__(database, Token(TOKEN))
        self._before = before

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:  # noqa: ANN401 - handed through
        """Answer from the store and its pages."""
        if "/report?" in (request.url or ""):
            self._before()
        return super().send(request, *args, **options)

    def _application(self) -> Any:  # noqa: ANN401 - as the adapter's own
        with self._lock:
            if self._open is None:
                store = Store(self._database)
                pages = Pages(store, Token(TOKEN))
                self._open = store, create_application(store, Token(TOKEN), extension=pages.extension)
            return self._open[1]


@contextmanager
def server(
    folder: Path, before: Callable[[], object] = lambda: None, *, has_pages: bool = True
) -> Iterator[HttpClient]:
    database = folder / "server.db"
    with Session() as session:
        session.mount("http+local://", Serving(database, before) if has_pages else StoreAdapter(database, Token(TOKEN)))
        yield HttpClient(session, ORIGIN, Token(TOKEN), project_id=1)


def test_server_without_pages(tmp_path: Path) -> None:
    """A server of ours that is served without its pages has no report: the session writes one from its spool."""
    file = tmp_path / "report.html"
    with server(tmp_path, has_pages=False) as client:
        state = lived(tmp_path, client, str(file), origin=ORIGIN)
    assert state.report == ReportRecord(str(file), "written", OWN_RESULTS)
    assert HEADING in file.read_text(encoding="utf-8")


def test_report_that_comes_late(tmp_path: Path) -> None:
    """The sender is done within its limit however long a report takes, writes it after that, and notes it."""
    file = tmp_path / "report.html"
    state, before = late(tmp_path, file, lambda: None)
    assert before == ReportRecord(str(file), "late")
    assert state.report == ReportRecord(str(file), "written")
    assert HEADING in file.read_text(encoding="utf-8")
    assert expired(tmp_path) == LeftoverCounts()


def test_report_that_fails_late(tmp_path: Path) -> None:
    """The next session removes a delivered session whose report failed after pytest had ended, and has the reason."""
    file = tmp_path / "report.html"
    state, before = late(tmp_path, file, file.mkdir)
    why = "it cannot be written (it is a folder): name a file in a folder that can be written"
    assert before == ReportRecord(str(file), "late")
    assert state.report == ReportRecord(str(file), "none", why)
    assert expired(tmp_path) == LeftoverCounts(reports=((str(file), why),))
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("was_enabled", [True, False])
def test_garbage_collection_is_as_before(tmp_path: Path, *, was_enabled: bool) -> None:
    """After a report, or an error, Python looks for garbage as it did before."""
    database = tmp_path / "store.db"
    Store(database).close()
    is_enabled = gc.isenabled()
    (gc.enable if was_enabled else gc.disable)()
    try:
        with pytest.raises(RefusedError, match="404"):
            embedded_report(database, 5)
        assert gc.isenabled() == was_enabled
    finally:
        (gc.enable if is_enabled else gc.disable)()


def test_report_of_a_sender_that_was_killed(tmp_path: Path) -> None:
    """A report that was being written when its sender was killed is reported by the next session, too."""
    file = tmp_path / "report.html"
    late(tmp_path, file, lambda: None)
    ledger = LedgerFile(session_folders(tmp_path / "spool")[0].ledger)
    ledger.write(ReportRecord(str(file), "late"))
    ledger.close()
    assert expired(tmp_path).reports == ((str(file), "the sender ended before it was written"),)


def late(folder: Path, file: Path, meanwhile: Callable[[], object]) -> tuple[LedgerState, ReportRecord | None]:
    """Deliver a session whose report is written after pytest's wait; return the last state, and the report before."""
    may_go_on = threading.Event()
    before: list[ReportRecord | None] = []

    def log(line: str) -> None:
        # The sender writes this line before its last record: from then on pytest does not wait for the report.
        if line == "done":
            assert not file.exists()
            before.append(ledger_from(session_folders(folder / "spool")[0].ledger).report)
            meanwhile()
            may_go_on.set()

    with server(folder, lambda: may_go_on.wait(60)) as client:
        state = lived(folder, client, str(file), origin=ORIGIN, timeouts=replace(LIMITS, exit_all=1.1), log=log)
    return state, before[0]


def expired(folder: Path) -> LeftoverCounts:
    """Return what the next session finds in the spool."""
    own = SessionFolder(folder / "spool" / "20270102T030405-00000001")
    return expire_old_sessions(folder / "spool", own, keep_days=14, now=time.time())


@pytest.mark.parametrize(
    ("passed", "is_interrupted", "seconds"),
    [(0.0, False, 29.0), (28.0, False, 1.0), (29.5, False, 0.0), (0.0, True, 2.0), (2.5, True, 0.0)],
)
def test_time_for_a_report(passed: float, is_interrupted: bool, seconds: float) -> None:  # noqa: FBT001 - a parameter
    """A report takes at most as long as pytest waits in all, which is shorter after Ctrl-C."""
    now = [100.0]
    deadlines = Deadlines(Timeouts(), lambda: now[0])
    assert deadlines.seconds_for_report(is_interrupted=is_interrupted) == 0
    deadlines.session_ended_at = now[0]
    now[0] += passed
    assert deadlines.seconds_for_report(is_interrupted=is_interrupted) == seconds
