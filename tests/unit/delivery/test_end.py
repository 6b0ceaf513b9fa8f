"""What a sender writes when all is delivered, findings and report: it never changes what is said of the delivery."""

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
from pytest_automation_report.api.models import EMBEDDED_ORIGIN, ArtifactStoreConfig, Json, NewRun, Token
from pytest_automation_report.delivery.launch import Timeouts
from pytest_automation_report.delivery.report import OWN_RESULTS, excerpt_from, refusal_of_kept
from pytest_automation_report.delivery.sender import SenderDeadlines
from pytest_automation_report.delivery.stores import spooled_size
from pytest_automation_report.findings.documents import FindingsExcerpt
from pytest_automation_report.server.api.embedded import StoreClient
from pytest_automation_report.session.end import LedgerTail
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.ledger import LedgerState
from pytest_automation_report.spool.records import ReportRecord
from pytest_automation_report.spool.sessions import (
    LedgerFile,
    LeftoverCounts,
    expire_old_sessions,
    ledger_from,
    session_folders,
)
from pytest_automation_report.text.limits import STRING_UNITS, utf16_length
from support.deliveries import WrittenSession, awaited_life, numbered
from support.report_file import ReportFile, text_of
from support.scripted_adapter import client_of
from support.scripted_server.server import ScriptedServer
from support.sessions import SHORT_LIMITS, TOKEN
from support.store_adapter import StoreAdapter

HEADING = "<h1>All 3 tests passed</h1>"
ORIGIN = "http+local://server"
LIMITS = Timeouts(**{**SHORT_LIMITS, "exit_all": 30.0, "alone": 30.0, "findings": 5.0})


LONG, CUT = "x" * 999, "x" * 217 + " ... 782 characters cut"
VERDICT = {"kind": "failed", "tone": "fail", "long": "3 of 9 tests failed", "short": "3 failed"}
COUNTS = {
    "fixed": 0,
    "passed_again": 0,
    "flaky": 2,
    "slower": 1,
    "gone": 4,
    "new_tests": 7,
    "moved": 0,
    "unstable_ids": 0,
    "newly_skipped": 0,
}


def a_test(key: str, since: int = 7) -> Json:
    began = {"run": since, "commit": None, "author": "Ann", "changes": None, "at": 5}
    return {"key": key, "folder": "tests", "name": f"test_{key}", "kind": "new", "since": began}


DOCUMENT: Any = {
    "earlier_source": {"name": LONG, "runs": 3},
    "run": 7,
    "base": {"run": 6, "why": "same branch", "commit": "a1", "author": None, "changes": "d1", "at": 5},
    "verdict": {**VERDICT, "part": LONG},
    "mine": {"new": 1, "back": 0, "flaky": 0, "still": 2, "known": 0}, "known": "",
    "counts": COUNTS,
    "tests": {
        "newly_failing": [a_test("a")], "still_failing": [a_test("b", 4), {**a_test("c"), "since": None}], "fixed": [],
    },
    "reasons": [
        {
            "count": 2, "kind": "new", "mine": {"new": 2}, "title": LONG, "since": a_test("a")["since"],
            "keys": [*"ab"], "fingerprint": "f1",
        },
        {
            "count": 1, "kind": "still", "mine": {"still": 1}, "title": "y", "since": None,
            "keys": ["c"], "fingerprint": "f2",
        },
    ],
    "flaky": [
        {"key": "a", "name": "test_a", "state": "flaky", "failed": 3, "runs": 120, "is_known": True},
        {"key": "c", "name": "test_c", "state": "flaky", "failed": 1, "runs": 2, "is_known": False},
        {"key": "b", "name": "test_b", "state": "broken", "failed": 9, "runs": 9},
    ],
    "slower": [{"name": LONG, "elapsed": 3, "median": 1, "ratio": 3.0}],
}  # fmt: skip


def test_excerpt_of_a_document() -> None:
    """An excerpt has what a summary shows: lines, base, counts, reasons with short titles, failing tests."""
    failing = [("a", 7, [3, 120]), ("b", 4, None), ("c", None, None)]
    excerpt: Any = excerpt_from(DOCUMENT, "shop", 5)
    lines, earlier = excerpt.pop("lines"), excerpt.pop("earlier_source")
    assert lines[1].startswith("1 new failure, 2 still failing, 7 new tests, 4 gone, compared with run 6")
    assert lines[-1].startswith("  1 slower: xxx")
    assert earlier.startswith("source shop is new, but its tests have 3 earlier runs as source xxx")
    assert all(utf16_length(line) <= STRING_UNITS for line in (*lines, earlier))
    assert excerpt == {
        "base": {"run": 6, "commit": "a1", "author": None, "changes": "d1", "at": 5}, "gate": None,
        "verdict": {**VERDICT, "part": CUT}, "mine": DOCUMENT["mine"], "known": "",
        "counts": {"back": 0, **COUNTS, "flaky": 0},
        "reasons": [
            {
                "count": 2, "kind": "new", "mine": {"new": 2}, "same_reason": None, "title": CUT,
                "since": a_test("a")["since"],
            },
            {"count": 1, "kind": "still", "mine": {"still": 1}, "same_reason": None, "title": "y", "since": None},
        ],
        "failing": [
            {
                "folder": "tests", "name": f"test_{key}", "kind": "new", "same_reason": None, "flaky": flaky,
                "since": since and a_test(key, since)["since"],
            }
            for key, since, flaky in failing
        ],
    }  # fmt: skip
    fresh: Any = {**DOCUMENT, "earlier_source": None}
    assert excerpt_from(fresh, "shop", 5)["earlier_source"] == ""
    beyond: Any = {**DOCUMENT, "gate": {"base": 4, "branch": LONG, "failures": 2}}
    assert excerpt_from(beyond, "shop", 5).get("gate") == {"base": 4, "branch": CUT, "failures": 2}


def test_excerpt_is_bounded() -> None:
    """A run in which all fails has an excerpt of its first 200 failures: it is one record of the ledger."""
    tests = {"newly_failing": [a_test(str(number)) for number in range(1000)], "still_failing": []}
    document: Any = {**DOCUMENT, "tests": tests}
    assert len(excerpt_from(document, "shop", 5)["failing"]) == 200


Hook = Callable[[str, Callable[[], Response]], Response]
"""Takes the address of a request and what answers it; returns the answer."""


class Hooked(StoreAdapter):
    """A server of ours, with pages or without, each of whose answers goes through a test's hook."""

    def __init__(self, database: Path, hook: Hook, *, has_pages: bool = True) -> None:
        super().__init__(database, Token(TOKEN), has_pages=has_pages)
        self.asked: list[str] = []
        self._hook = hook

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:  # noqa: ANN401 - handed through
        url = request.url or ""
        self.asked += [url] if url.endswith("/findings") else []
        return self._hook(url, lambda: super(Hooked, self).send(request, *args, **options))


@contextmanager
def served(
    folder: Path, hook: Hook = lambda _, answer: answer(), *, origin: str = EMBEDDED_ORIGIN, has_pages: bool = False
) -> Iterator[tuple[HttpClient, Hooked]]:
    """Yield a client of a server of ours, and the server."""
    adapter = Hooked(folder / "server.db", hook, has_pages=has_pages)
    with Session() as session:
        session.mount("http+local://", adapter)
        yield HttpClient(session, origin, Token(TOKEN), project_id=1), adapter


@contextmanager
def store(folder: Path) -> Iterator[StoreClient]:
    with StoreClient(folder / "store.db", 1) as client:
        yield client


def lived(  # noqa: PLR0913 - what the tests vary
    folder: Path,
    client: Client,
    report: str = "",
    *,
    origin: str = EMBEDDED_ORIGIN,
    joined_run: int | None = None,
    is_awaited: bool = True,
    timeouts: Timeouts = LIMITS,
    log: Callable[[str], None] = lambda _: None,
) -> LedgerState:
    """Deliver a session of three tests; return the ledger's state. Its name is the folder's, as are its keys."""
    (folder / "spool").mkdir(parents=True)
    written = WrittenSession(folder / "spool", origin, joined_run=joined_run)
    written.add(*numbered(3))
    members: dict[str, Any] = {"id": folder.name, "database": str(folder / "store.db"), "report": report}
    state = awaited_life(written, client, timeouts, is_awaited=is_awaited, log=log, **members).state
    assert (state.is_done, state.done.complete, state.total("acknowledged")) == (True, True, 3)
    return state


def findings_in(folder: Path) -> FindingsExcerpt | None:
    """Return the findings of the one session of a folder, as pytest reads them at its end."""
    tail = LedgerTail(session_folders(folder / "spool")[0].ledger)
    tail.read()
    return tail.findings


def test_findings_of_our_server(tmp_path: Path) -> None:
    """At the end of a session to a server of ours the ledger has the findings, but no report that nobody wants."""
    with served(tmp_path) as (client, adapter):
        first, second = lived(tmp_path / "1", client), lived(tmp_path / "2", client)
    before, after = findings_in(tmp_path / "1"), findings_in(tmp_path / "2")
    assert (first.report, second.report, before and before["base"]) == (None, None, None)
    assert after is not None
    base = after["base"]
    assert base is not None
    assert (base["run"], len(adapter.asked)) == (first.run, 2)


@pytest.mark.parametrize("is_awaited", [False, True], ids=["command", "shared-run"])
def test_findings_that_nobody_needs(tmp_path: Path, is_awaited: bool) -> None:  # noqa: FBT001 - a parameter
    """A sender of the console command asks for none, and a job that leaves its run open: other jobs' tests miss."""
    with served(tmp_path) as (client, adapter):
        run = client.create_run(NewRun(name="shared", source="suite")) if is_awaited else None
        lived(tmp_path / "1", client, joined_run=run, is_awaited=is_awaited)
        assert run is None or not client.run(run).is_completed
    assert (findings_in(tmp_path / "1"), adapter.asked) == (None, [])


def failing(_: Callable[[], Response]) -> Response:
    raise ValueError("no answer")


def emptied(answer: Callable[[], Response]) -> Response:
    response = answer()
    response.json()  # the body is read
    response._content = b'{"result": {"version": 2}}'
    return response


@pytest.mark.parametrize("change", [failing, emptied])
def test_findings_that_cannot_be_had(tmp_path: Path, change: Callable[[Callable[[], Response]], Response]) -> None:
    """No answer, or a document of another form, costs the lines about findings and nothing else, and is told."""
    lines: list[str] = []
    hook: Hook = lambda url, answer: change(answer) if url.endswith("/findings") else answer()  # noqa: E731 - short
    with served(tmp_path, hook) as (client, adapter):
        state = lived(tmp_path / "1", client, log=lines.append)
    assert (findings_in(tmp_path / "1"), len(adapter.asked), state.error) == (None, 1, "")
    assert [line for line in lines if line.startswith("no findings of run 1: ")]
    (told,) = state.done.left_out
    assert told.startswith("findings left out: ")
    assert ("ValueError" in told) == (change is failing)


def test_findings_that_come_late(tmp_path: Path) -> None:
    """The sender is done within its limit whatever the server does, and an embedded store still computes to its end."""
    may_go_on = threading.Event()
    done: list[bool] = []

    def late(url: str, answer: Callable[[], Response]) -> Response:
        if url.endswith("/findings"):
            # Set by the log below, which the sender writes before its last record: it waits no longer.
            may_go_on.wait(30)
            done.append(True)
        return answer()

    def log(line: str) -> None:
        if line == "done":
            assert done == []
            may_go_on.set()

    with served(tmp_path, late) as (client, adapter):
        lived(tmp_path / "1", client, timeouts=replace(LIMITS, findings=0.05), log=log)
        assert (findings_in(tmp_path / "1"), done, len(adapter.asked)) == (None, [True], 1)


@pytest.mark.parametrize(
    ("passed", "is_interrupted", "findings", "report"),
    [(0, False, 3.0, 29.0), (28, False, 1.0, 1.0), (29.5, False, 0, 0), (0, True, 2.0, 2.0), (2.5, True, 0, 0)],
)
def test_time_that_is_left(passed: float, is_interrupted: bool, findings: float, report: float) -> None:  # noqa: FBT001 - a parameter
    """Findings and a report never take so long that pytest's own wait would end, which is shorter after Ctrl-C."""
    now = [100.0]
    deadlines = SenderDeadlines(Timeouts(exit_progress=9.0), lambda: now[0])

    def left() -> tuple[float, float]:
        return deadlines.seconds_for_findings, deadlines.seconds_for_report

    assert left() == (0, 0)
    deadlines.start_end(is_interrupted=is_interrupted)
    now[0] += passed
    assert left() == (findings, report)
    deadlines.timeouts = Timeouts()
    assert left() == (min(findings, 2.5), report)


def outcome_of(state: LedgerState) -> tuple[str, str]:
    assert state.report is not None
    return state.report.state, state.report.why


def test_command_makes_no_folder_for_a_report(tmp_path: Path) -> None:
    """A session that is sent later gets its report if its folder is still there: none is created."""
    with store(tmp_path) as client:
        outcome, why = outcome_of(lived(tmp_path, client, str(tmp_path / "gone" / "report.html"), is_awaited=False))
    assert (outcome, "No such file or directory" in why) == ("none", True)
    assert not (tmp_path / "gone").exists()


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
    outcome, told = outcome_of(state)
    assert (outcome, why in told, state.error) == ("none", True, "")
    assert (tmp_path / "file").read_text() == "precious"


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
    outcome, why = outcome_of(state)
    assert (outcome, state.run) == ("none", run + 1)
    assert "there is no store at" in why
    assert f"automation-report html {state.run}" in why


def test_server_without_pages(tmp_path: Path) -> None:
    """A server of ours that is served without its pages has no report: the session writes one from its spool."""
    file = tmp_path / "report.html"
    with served(tmp_path, origin=ORIGIN) as (client, _):
        state = lived(tmp_path, client, str(file), origin=ORIGIN)
    assert state.report == ReportRecord(str(file), "written", OWN_RESULTS)
    assert HEADING in file.read_text(encoding="utf-8")


def test_report_that_comes_late(tmp_path: Path) -> None:
    """The sender is done within its limit however long a report takes, writes it after that, and notes it."""
    file = tmp_path / "report.html"
    state, before = late(tmp_path, file)
    assert (before, state.report) == (ReportRecord(str(file), "late"), ReportRecord(str(file), "written"))
    assert HEADING in file.read_text(encoding="utf-8")
    assert expired(tmp_path) == LeftoverCounts()


def test_report_of_a_sender_that_was_killed(tmp_path: Path) -> None:
    """A report that was being written when its sender was killed is reported by the next session, too."""
    file = tmp_path / "report.html"
    late(tmp_path, file)
    ledger = LedgerFile(session_folders(tmp_path / "spool")[0].ledger)
    ledger.write(ReportRecord(str(file), "late"))
    ledger.close()
    assert expired(tmp_path).reports == [(str(file), "the sender ended before it was written")]


def late(folder: Path, file: Path) -> tuple[LedgerState, ReportRecord | None]:
    """Deliver a session whose report is written after pytest's wait; return the last state, and the report before."""
    may_go_on = threading.Event()
    before: list[ReportRecord | None] = []

    def log(line: str) -> None:
        # The sender writes this line before its last record: from then on pytest does not wait for the report.
        if line == "done":
            assert not file.exists()
            before.append(ledger_from(session_folders(folder / "spool")[0].ledger).report)
            may_go_on.set()

    def late_page(url: str, answer: Callable[[], Response]) -> Response:
        if "/report?" in url:
            may_go_on.wait(60)
        return answer()

    with served(folder, late_page, origin=ORIGIN, has_pages=True) as (client, _):
        state = lived(folder, client, str(file), origin=ORIGIN, timeouts=replace(LIMITS, exit_all=1.1), log=log)
    return state, before[0]


def expired(folder: Path) -> LeftoverCounts:
    own = SessionFolder(folder / "spool" / "20270102T030405-00000001")
    return expire_old_sessions(folder / "spool", own, keep_days=14, now=time.time())


# Reports of a session whose server has no pages come from its own spool.


def reported(
    written: WrittenSession, server: ScriptedServer, file: Path, store: ArtifactStoreConfig | None = None
) -> ReportFile:
    with client_of(server.address) as client:
        started_us = 1_790_000_000_000_000
        delivery = awaited_life(written, client, LIMITS, artifact_store=store, report=str(file), started_us=started_us)
    assert delivery.state.report == ReportRecord(str(file), "written", OWN_RESULTS)
    return ReportFile(file.read_text(encoding="utf-8"))


def test_report_from_the_spool(tmp_path: Path, server: ScriptedServer, fresh: WrittenSession) -> None:
    """The file has the session's own results, the run's number, the session's time and the server; never the token."""
    with client_of(server.address) as client:
        earlier = client.create_run(NewRun(name="earlier", source="suite"))
    fresh.add("test_1", "test_2", text="a text")
    fresh.start("test_3")
    fresh.finish("test_3", text="assert 1 == 2", has_failed=True)
    report = reported(fresh, server, tmp_path / "report.html")
    plain = text_of(report.plain)
    assert "1 of 3 tests failed" in plain
    assert f"suite, run {earlier + 1}, 21 Sep 2026, 14:13 UTC" in plain
    assert "No earlier run here can be compared with it" in plain
    note = (
        f"The results went to {server.address}. This file has only this session's results, and nothing of earlier runs."
    )
    assert note in text_of(report.html.partition('<p id="note">')[2].partition("</p>")[0])
    assert TOKEN not in report.html
    assert len(report.column("time")) == 3
    assert any(address.startswith("/results/") for address in report.addresses)


def test_report_of_one_of_several_jobs(tmp_path: Path, server: ScriptedServer) -> None:
    """The report of a job needs no other job's results: it is written though the run stays open."""
    with client_of(server.address) as client:
        run = client.create_run(NewRun(name="shared", source="suite"))
    written = WrittenSession(tmp_path, server.address, joined_run=run)
    written.add("test_1")
    assert "The only test passed" in text_of(reported(written, server, tmp_path / "report.html").plain)


def test_uploaded_files(tmp_path: Path, server: ScriptedServer, fresh: WrittenSession) -> None:
    """Small files of failures are in the report though they were uploaded; others have the URL of their upload.

    All but the small files of failures have left the spool by then, as they would without a report.
    """
    store = ArtifactStoreConfig(str(tmp_path / "store"), "https://files.example/{key}")
    fresh.fail_with("test_1", "small", 1000)
    fresh.fail_with("test_2", "large", 5_000_001)
    fresh.add_worker("gw0", "test_3", file="passed")
    report = reported(fresh, server, tmp_path / "report.html", store)
    folder = fresh.folder.path
    assert [spooled_size(folder, name) for name in ("small", "large", "passed")] == [1000, None, None]
    ((content, media_type),) = report.files.items()
    assert len(report.inflated(f'id="file-{content}" data-type="{media_type}"')) == 1000
    pages = "".join(map(report.page, report.addresses))
    assert content in pages
    assert "https://files.example/" in pages


def test_files_that_no_store_takes(tmp_path: Path, server: ScriptedServer, fresh: WrittenSession) -> None:
    """Without a store for files the report has the small ones of failures all the same, and names the large ones."""
    fresh.fail_with("test_1", "small", 1000)
    fresh.fail_with("test_2", "large", 5_000_001)
    report = reported(fresh, server, tmp_path / "report.html")
    assert len(report.files) == 1
    pages = text_of("".join(map(report.page, report.addresses)))
    assert "not stored: it has more than 5,000,000 bytes" in pages


def test_store_that_cannot_be_written(
    tmp_path: Path, server: ScriptedServer, fresh: WrittenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a folder for the temporary store there is no report, and the reason is logged; nothing else changes."""
    fresh.add("test_1")
    lines: list[str] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    file = tmp_path / "report.html"
    with client_of(server.address) as client:
        delivery = awaited_life(fresh, client, LIMITS, log=lines.append, report=str(file))
    why = "the results cannot be stored for the report: No such file or directory"
    assert delivery.state.report == ReportRecord(str(file), "none", why)
    assert f"no report of run {delivery.state.run}: {why}" in lines
    assert (delivery.is_finished, delivery.state.done.complete) == (True, True)
    assert not file.exists()
