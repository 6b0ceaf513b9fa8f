"""The report of a session whose server has no pages: it comes from the session's own spool."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from pytest_automation_report.api.models import ArtifactStoreConfig, NewRun
from pytest_automation_report.delivery.dispatcher import Delivery
from pytest_automation_report.delivery.launch import Runtime, Timeouts
from pytest_automation_report.delivery.report import OWN_RESULTS
from pytest_automation_report.delivery.requests import DeliveryOptions
from pytest_automation_report.delivery.sender import Sender
from pytest_automation_report.spool.artifacts import spooled_size
from pytest_automation_report.spool.ledger import ReportRecord
from pytest_automation_report.spool.process import Process
from support.deliveries import WrittenSession
from support.report_file import ReportFile, text_of
from support.scripted_adapter import client_of
from support.scripted_server.server import ScriptedServer
from support.sessions import SHORT_LIMITS, TOKEN

LIMITS = Timeouts(**{**SHORT_LIMITS, "exit_all": 60.0, "alone": 60.0})
STARTED_US = 1_790_000_000_000_000


@pytest.fixture
def written(tmp_path: Path, server: ScriptedServer) -> WrittenSession:
    return WrittenSession(tmp_path, server.address)


def delivered(
    written: WrittenSession,
    server: ScriptedServer,
    *,
    report: Path,
    artifact_store: ArtifactStoreConfig | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> Delivery:
    """Let the sender of a pytest that waits deliver a session that wants a report."""
    written.end()
    written.close()
    session = replace(written.session, report=str(report), started_us=STARTED_US)
    runtime = Runtime(clock=time.monotonic, random=random.random, log=log)
    controller = Process(os.getpid())
    try:
        with client_of(server.address) as client:
            options = DeliveryOptions(artifact_store=artifact_store)
            return Sender(written.folder, session, LIMITS, client, runtime, controller, options).run()
    finally:
        controller.close()


def reported(
    written: WrittenSession, server: ScriptedServer, file: Path, store: ArtifactStoreConfig | None = None
) -> ReportFile:
    """Return the report of a session that was delivered."""
    dispatcher = delivered(written, server, report=file, artifact_store=store)
    assert dispatcher.state.report == ReportRecord(str(file), "written", OWN_RESULTS)
    return ReportFile(file.read_text(encoding="utf-8"))


def test_report_from_the_spool(tmp_path: Path, server: ScriptedServer, written: WrittenSession) -> None:
    """The file has the session's own results, the run's number, the session's time and the server; never the token."""
    with client_of(server.address) as client:
        earlier = client.create_run(NewRun(name="earlier", source="suite"))
    written.add("test_1", "test_2", text="a text")
    written.start("test_3")
    written.finish("test_3", text="assert 1 == 2", has_failed=True)
    report = reported(written, server, tmp_path / "report.html")
    plain = text_of(report.plain)
    assert "1 of 3 tests failed" in plain
    assert f"suite, run {earlier + 1}, 21 Sep 2026, 14:13 UTC" in plain
    assert "No earlier run is known here that it can be compared with" in plain
    note = (
        f"The results went to {server.address}. This file has only those of this session, and nothing of earlier runs."
    )
    assert note in text_of(report.html.partition('<p id="note">')[2].partition("</p>")[0])
    assert TOKEN not in report.html
    assert len(report.column("time")) == 3
    assert any(address.startswith("/results/") for address in report.addresses)


def test_run_of_several_jobs(tmp_path: Path, server: ScriptedServer) -> None:
    """The report of a job needs no other job's results: it is written though the run stays open."""
    with client_of(server.address) as client:
        run = client.create_run(NewRun(name="shared", source="suite"))
    written = WrittenSession(tmp_path, server.address, joined_run=run)
    written.add("test_1")
    assert "The only test passed" in text_of(reported(written, server, tmp_path / "report.html").plain)


def test_uploaded_files(tmp_path: Path, server: ScriptedServer, written: WrittenSession) -> None:
    """Small files of failures are in the report though they were uploaded; others have the URL of their upload.

    All but the small files of failures have left the spool by then, as they would without a report.
    """
    store = ArtifactStoreConfig(str(tmp_path / "store"), "https://files.example/{key}")
    written.fail_with("test_1", "small", 1000)
    written.fail_with("test_2", "large", 5_000_001)
    written.add_worker("gw0", "test_3", file="passed")
    report = reported(written, server, tmp_path / "report.html", store)
    folder = written.folder.path
    assert [spooled_size(folder, name) for name in ("small", "large", "passed")] == [1000, None, None]
    ((content, media_type),) = report.files.items()
    assert len(report.inflated(f'id="file-{content}" data-type="{media_type}"')) == 1000
    pages = "".join(map(report.page, report.addresses))
    assert content in pages
    assert "https://files.example/" in pages


def test_files_that_no_store_takes(tmp_path: Path, server: ScriptedServer, written: WrittenSession) -> None:
    """Without a store for files the report has the small ones of failures all the same, and names the large ones."""
    written.fail_with("test_1", "small", 1000)
    written.fail_with("test_2", "large", 5_000_001)
    report = reported(written, server, tmp_path / "report.html")
    assert len(report.files) == 1
    pages = text_of("".join(map(report.page, report.addresses)))
    assert "not stored: it has more than 5,000,000 bytes" in pages


def test_store_that_cannot_be_written(
    tmp_path: Path, server: ScriptedServer, written: WrittenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a folder for the temporary store there is no report, and the reason is logged; nothing else changes."""
    written.add("test_1")
    lines: list[str] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    dispatcher = delivered(written, server, report=tmp_path / "report.html", log=lines.append)
    why = "the results cannot be stored for the report: No such file or directory"
    assert dispatcher.state.report == ReportRecord(str(tmp_path / "report.html"), "none", why)
    assert f"no report of run {dispatcher.state.run}: {why}" in lines
    assert (dispatcher.is_finished, dispatcher.state.done.complete) == (True, True)
    assert not (tmp_path / "report.html").exists()
