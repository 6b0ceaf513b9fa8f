"""Write the report of a run into one HTML file: from the embedded store, a server of ours, or a session's own spool.

All results are delivered by then. A report that cannot be written costs the summary a line, and nothing else.
"""

from __future__ import annotations

import gc
import os
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from msgspec.structs import replace

from pytest_automation_report.api.client import learn_kind
from pytest_automation_report.api.models import EMBEDDED_ORIGIN, NewRun
from pytest_automation_report.api.responses import RefusedError
from pytest_automation_report.delivery.dispatcher import Delivery, SessionFollower, session_options
from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.delivery.requests import NOT_FOUND, DeliveryOptions
from pytest_automation_report.delivery.stores import REPORT_FILE_BYTES, spooled_size
from pytest_automation_report.errors import AutomationReportError, SpoolError
from pytest_automation_report.findings.sentences import earlier_source_line, findings_lines, other_flaky
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.spool.records import ReportRecord
from pytest_automation_report.spool.sessions import LedgerFile
from pytest_automation_report.text.files import STDOUT, open_file
from pytest_automation_report.text.limits import STRING_UNITS, cut_end
from pytest_automation_report.text.output import encoded, write_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.findings.documents import (
        ChangedTest,
        FailureExcerpt,
        FindingsExcerpt,
        FlakyResult,
        GateBase,
        RunFindings,
        RunMention,
        VerdictWords,
    )
    from pytest_automation_report.server.api.embedded import StoreClient
    from pytest_automation_report.server.store.contents import FileRule
    from pytest_automation_report.spool.folder import SessionManifest

# The error for a server without report pages, such as a Testmo instance.
NO_PAGES: Final = (
    "the report needs the embedded store or a server of automation-report serve: this server has no pages"
    " (pytest --automation-report-html writes the report of a session that reports to it)"
)
OWN_RESULTS: Final = "of this session's results, without history"
_NOT_STORED: Final = "the results cannot be stored for the report"


def write_report(
    delivery: Delivery, run_id: int, last_words: Mapping[str, str], *, creates_folder: bool
) -> ReportRecord:
    """Write the report of a run; return what became of it, with the reason if it failed, or with a note.

    ``last_words`` of processes that died are by worker. With ``creates_folder`` the file's folder is created if it is
    missing, as pytest's ``--junitxml`` does.
    """
    file = delivery.session.report
    note, hint = "", f": try automation-report html {run_id} -o {Path(file).name}"
    path = delivery.folder.report if file == STDOUT else Path(file)  # pytest copies the first to its stdout
    try:
        if creates_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        html = _with_history(delivery, run_id)
        if html is None:
            note, hint = OWN_RESULTS, ""  # the command has no pages either
            html = _of_own_results(delivery, run_id, last_words)
        write_output(path, encoded([html]))
    except OSError as error:
        why = f"it cannot be written ({error.strerror or error}): name a file in a folder that can be written"
    except AutomationReportError as error:
        why = f"{error}{hint}"
    except Exception as error:  # noqa: BLE001 - whatever the pages raise, the results are delivered
        why = f"{error!r}{hint}"
    else:
        return ReportRecord(file, "written", note)
    delivery.runtime.log(f"no report of run {run_id}: {why}")
    return ReportRecord(file, "none", why)


def _with_history(delivery: Delivery, run_id: int) -> str | None:
    """Return the report that the embedded store or a server of ours has of a run, None for any other server."""
    session, client = delivery.session, delivery.client
    if session.is_embedded:
        return embedded_report(Path(session.database), run_id)
    learn_kind(client)
    if client.artifact_bytes is None:
        return None
    try:
        return client.report_html(run_id)
    except RefusedError as error:
        # A server without pages has no reports.
        if error.status != NOT_FOUND:
            raise
    return None


def _of_own_results(delivery: Delivery, run_id: int, last_words: Mapping[str, str]) -> str:
    import tempfile  # noqa: PLC0415 - loads much, and only a few reports need it

    # The origin is the server's address without anything else: no user, no token.
    note = (
        f"The results went to {delivery.session.origin}. This file has only this session's results, and nothing of"
        " earlier runs."
    )
    try:
        with tempfile.TemporaryDirectory(prefix="automation-report-") as folder:
            database = Path(folder) / "store.sqlite3"
            deliver_again(delivery, last_words, database, run_id)
            return embedded_report(database, run_id, note=note)
    except OSError as error:
        raise SpoolError(f"{_NOT_STORED}: {error.strerror or error}") from error


def deliver_again(delivered: Delivery, last_words: Mapping[str, str], database: Path, run_id: int) -> None:
    """Deliver a session again, from its spool into a new store, as the run of this number; raises `SpoolError`."""
    from pytest_automation_report.server.api.embedded import StoreClient  # noqa: PLC0415 - only a few reports need it

    # The run is complete when this session's results are in it, also if other jobs report into it.
    session = replace(
        delivered.session, origin=EMBEDDED_ORIGIN, joined_run=None, is_closing=False, run_tag="", is_first=None
    )
    ledger, state = LedgerFile(database.with_name("ledger")), delivered.state
    queues = WorkerQueues(session_options(session), state.orphans, lambda worker: last_words.get(worker, ""))
    follower = SessionFollower(SpoolReader(delivered.folder), queues, delivered.timeouts, None)

    def now_us() -> int:
        """Return the time of the session at which the delivery is."""
        ended = (queue.ended_us for queue in queues.by_worker.values())
        return session.started_us + (0 if ledger.state.run is None else max(ended))

    # Uploaded files that the folder has no more keep their addresses.
    for name, stored in state.stored.items():
        if spooled_size(delivered.folder.path, name) is None:
            ledger.write(stored)
    try:
        with (
            StoreClient(database, session.project_id, clock=now_us, artifact_bytes=REPORT_FILE_BYTES) as client,
            _numbered(client, database, session, run_id),
        ):
            options = DeliveryOptions(files_folder=delivered.folder.path)
            again = Delivery(session, client, ledger, queues, delivered.timeouts, delivered.runtime, options)
            while not again.is_finished:
                follower.read()
                follower.decide_end(delivered.runtime.clock())
                if again.retry_policy.stopped:
                    raise SpoolError(f"{_NOT_STORED}: {again.retry_policy.stopped}")
                if not again.step():
                    time.sleep(delivered.timeouts.poll)
    finally:
        follower.close()
        ledger.close()


@contextmanager
def _numbered(client: StoreClient, database: Path, session: SessionManifest, run_id: int) -> Iterator[None]:
    """Let the next run of an empty store have this number."""
    if run_id == 1:
        yield
        return
    from pytest_automation_report.server.store.removal import numbered_from  # noqa: PLC0415 - as the client
    from pytest_automation_report.server.store.store import Store  # noqa: PLC0415 - as the client

    first = client.create_run(NewRun(name=session.run.name, source=session.run.source))
    with closing(Store(database)) as store, numbered_from(store, first, run_id):
        yield


def refusal_of_kept(root: Path, path: Path) -> str:
    """Return why the report of a kept session is not written to the path in its manifest, "" if it is."""
    # A spool may come from elsewhere.
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(root)) or real.suffix.lower() not in {".html", ".htm"}:
        return f"a kept session may only name an HTML file below {root}"
    if not os.path.lexists(real):
        return ""
    with suppress(OSError), open_file(real, is_foreign=True) as file:
        if b'<meta name="generator" content="pytest-automation-report ' in file.read(4096):
            return ""
    return "a kept session may only replace a report"


def embedded_report(
    database: Path, run_id: int, base: int | None = None, rule: FileRule | None = None, *, note: str = ""
) -> str:
    """Return the report of a run of the embedded store, with the files that ``rule`` chooses, and a note at its top.

    Raises `RefusedError` for a store or a run that is not there.
    """
    # The pages and their templates take 0.2 s to load, for which neither sessions nor other commands pay.
    from pytest_automation_report.server.pages.report_file import EVERY_FAILURE, report_of  # noqa: PLC0415 - loads templates
    from pytest_automation_report.server.store.store import Store  # noqa: PLC0415 - loads the database
    from pytest_automation_report.server.store.values import ApiError  # noqa: PLC0415 - loads the database

    if not database.exists():
        raise RefusedError(f"there is no store at {database}: report a session first", NOT_FOUND)
    store, was_enabled = Store(database), gc.isenabled()
    # To look for cycles of objects is a tenth of the time: a report has few, and its texts stay until it is written.
    gc.disable()
    try:
        return report_of(store, run_id, base, rule or EVERY_FAILURE, note=note)
    except ApiError as error:
        raise RefusedError(f"{error.status}: {error.message}", error.status, error.errors) from error
    finally:
        store.close()
        if was_enabled:
            gc.enable()


_TEXT_UNITS: Final = 240
_MAX_FAILING: Final = 200  # the page of a CI job shows 50
_COUNTS: Final = (
    "back", "fixed", "passed_again", "flaky", "slower", "new_tests", "gone", "moved", "unstable_ids", "newly_skipped",
)  # fmt: skip


def excerpt_from(document: RunFindings, source: str, now: int) -> FindingsExcerpt:
    """Return the part of a run's findings that a session's summary shows, with texts of a safe length.

    ``now`` is in microseconds since 1970. Raises KeyError, TypeError, ValueError or AttributeError for a document of
    another form.
    """
    # A test is known to be flaky by earlier runs alone.
    flaky = {test["key"]: test for test in document["flaky"] if test["state"] == "flaky" and test["is_known"]}
    tests = [*document["tests"]["newly_failing"], *document["tests"]["still_failing"]]
    return {
        "lines": [cut_end(line, STRING_UNITS) for line in findings_lines(document, now)],
        "earlier_source": cut_end(earlier_source_line(document, source), STRING_UNITS),
        "base": _mention(document["base"]),
        "gate": _gate(document.get("gate")),  # a server of an earlier release has none
        "verdict": cast("VerdictWords", {name: _cut(str(text)) for name, text in document["verdict"].items()}),
        "mine": {name: int(number) for name, number in document["mine"].items()},
        "known": _cut(document["known"]),
        "counts": {**{name: int(document["counts"].get(name, 0)) for name in _COUNTS}, "flaky": other_flaky(document)},
        "reasons": [
            {
                "count": int(reason["count"]),
                "kind": reason["kind"],
                "mine": reason["mine"],
                "same_reason": reason.get("same_reason"),
                "title": _cut(reason["title"]),
                "since": _mention(reason["since"]),
            }
            for reason in document["reasons"]
        ],
        "failing": [_failing(test, flaky.get(test["key"])) for test in tests[:_MAX_FAILING]],
    }


def _failing(test: ChangedTest, flaky: FlakyResult | None) -> FailureExcerpt:
    return {
        "folder": _cut(test["folder"]),
        "name": _cut(test["name"]),
        "kind": test["kind"],
        "same_reason": test.get("same_reason"),
        "since": _mention(test["since"]),
        "flaky": None if flaky is None else [int(flaky["failed"]), int(flaky["runs"])],
    }


def _gate(gate: GateBase | None) -> GateBase | None:
    if gate is None:
        return None
    base, branch = gate["base"], gate["branch"]
    return {
        "base": None if base is None else int(base),
        "branch": None if branch is None else _cut(branch),
        "failures": int(gate["failures"]),
    }


def _mention(run: RunMention | None) -> RunMention | None:
    if run is None:
        return None
    texts = (run["commit"], run["author"], run["changes"])
    commit, author, changes = (None if text is None else _cut(text) for text in texts)
    told: RunMention = {
        "run": int(run["run"]), "commit": commit, "author": author, "changes": changes, "at": int(run["at"])
    }  # fmt: skip
    if among := run.get("among"):
        told["among"] = {
            "commits": int(among["commits"]), "after": _cut(among["after"]), "up_to": _cut(among["up_to"])
        }  # fmt: skip
    return told


def _cut(text: str) -> str:
    return cut_end(str(text), _TEXT_UNITS)
