"""Rows 21 to 24 of the faults: what disks and tests do to spool and store while a session runs."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from compatibility.world.differing import SUITES
from pytest_automation_report.errors import SpoolError
from support.checked_server import CheckedServer
from support.delivered_results import result_names
from support.deliveries import ended_session, lived
from support.needs import needed
from support.records import members_in
from support.scripted_server.checked import checked_in_process
from support.scripted_server.store import Reply
from support.scripted_server.variants import PickyServer, unprocessable
from support.session_processes import spools
from support.sessions import Ran, reporting_arguments, run, run_session, send, session_environment

assert sys.platform != "win32"

CONSOLE = (sys.executable, "-m", "pytest_automation_report.cli")


def statuses(server: CheckedServer) -> Counter[str]:
    return Counter(server.statuses().values())


FILLING = """
import pytest
@pytest.mark.parametrize("number", range(100))
def test_it(number):
    print("x" * 15_000)
    assert number < 0
"""


@pytest.mark.parametrize("workers", ["0", "2"], ids=["21-full", "21-full-n2"])
def test_full_disk_costs_texts(project: Path, small_disk: Path, embedded_server: CheckedServer, workers: str) -> None:
    """On a disk that becomes full texts go before outcomes: each result arrives once, and the rest is reported."""
    (project / "test_it.py").write_text(FILLING)
    spool = ["--automation-report-spool", str(small_disk / "spool"), "--automation-report-delivery=later"]
    ran = run_session(project, "-n", workers, *spool, address=embedded_server.address, exits=1)
    assert "results without texts, which could not be written to disk: " in ran.text
    send(project, "--spool", spool[1], *embedded_server.options, exits=0)
    assert statuses(embedded_server) == {"failure": 100}
    whole = [test for _, test in embedded_server.tests() if "Output" in test.get("output", {})]
    assert 10 < len(whole) < 90


REFUSED = """
import errno, os, pytest
opened = os.open

def refusing(path, *args, **kwargs):
    if os.fspath(path).endswith("gw0.records"):
        raise OSError(errno.ENOSPC, "No space left on device", path)
    return opened(path, *args, **kwargs)

if os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
    os.open = refusing
"""


def test_worker_that_cannot_write_runs_its_tests(project: Path, embedded_server: CheckedServer) -> None:
    """A worker for whom the disk has no file runs as all do, and the main process records for it."""
    (project / "conftest.py").write_text(REFUSED)
    (project / "test_it.py").write_text(FILLING)
    run_session(project, "-n", "2", address=embedded_server.address, exits=1)
    assert statuses(embedded_server) == {"failure": 100}
    assert {worker for worker, _ in embedded_server.tests()} == {"gw0", "gw1"}


def test_closed_descriptors_cost_no_result_that_is_sent_later(project: Path, embedded_server: CheckedServer) -> None:
    """Of a suite that closes all descriptors, and takes their numbers, ``later`` keeps each result, too."""
    shutil.copy(SUITES / "suite_descriptors.py", project / "test_it.py")
    kept = ("--capture=sys", "-p", "no:logging", "-p", "no:faulthandler")  # what pytest itself could not do without
    run_session(project, *kept, "--automation-report-delivery=later", address=embedded_server.address, exits=1)
    send(project, *embedded_server.options, exits=0)
    assert statuses(embedded_server) == {"passed": 7, "failure": 1}


LIMITED = """
import resource, pytest
SOFT, HARD = resource.getrlimit(resource.RLIMIT_FSIZE)

@pytest.mark.parametrize("number", range(20))
def test_before(number): pass

def test_limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, HARD))

@pytest.mark.parametrize("number", range(50))
def test_limited(number):
    print("x" * 5_000)
    assert number % 2

def test_unlimited():
    {end}
"""


@pytest.mark.parametrize("delivery", ["live", "later"], ids=["21-quota", "21-quota-later"])
def test_results_of_a_while_without_room_arrive(project: Path, embedded_server: CheckedServer, delivery: str) -> None:
    """What a file could not take for a while, records cut short included, waits in memory and arrives once."""
    (project / "test_it.py").write_text(LIMITED.format(end="resource.setrlimit(resource.RLIMIT_FSIZE, (SOFT, HARD))"))
    ran = run_session(
        project, "-n0", f"--automation-report-delivery={delivery}", address=embedded_server.address, exits=1
    )
    assert "results without texts" in ran.text
    if delivery == "later":
        assert send(project, *embedded_server.options).exit == 0
    assert statuses(embedded_server) == {"passed": 47, "failure": 25}
    assert spools(project) == []


@pytest.mark.parametrize("workers", ["0", "2"], ids=["21-lost", "21-lost-n2"])
def test_results_that_reach_no_disk_are_told(project: Path, embedded_server: CheckedServer, workers: str) -> None:
    """Results that no disk took until the end are lost with the process: their number is told, strict fails."""
    (project / "test_it.py").write_text(LIMITED.format(end="pass").replace("assert number % 2", "pass"))
    options = ["--automation-report-strict", "--dist=loadfile"] if workers != "0" else ["--automation-report-strict"]
    # The end is not on disk, so pytest waits for `exit_down` alone: enough for a sender that starts on a busy machine.
    env = session_environment({"exit_down": 3.0})
    ran = run_session(project, "-n", workers, *options, address=embedded_server.address, env=env, exits=11)
    (line,) = [each for each in ran.out.splitlines() if each.startswith("lost ")]
    lost = int(line.split()[1])
    assert ".records: " in line
    assert statuses(embedded_server)["passed"] + lost == 72


WRITER = """
import pathlib, sys
from pytest_automation_report.spool.records import framed
from pytest_automation_report.spool.writer import SpoolWriter
writer = SpoolWriter(pathlib.Path(sys.argv[1]))
for number in range(12):
    writer.write(framed(b'{"k":"x","n":%d,"text":"yyyyyyyyyyyyyyyyyyyyyyyyyyyy"}' % number))
writer.close()
print(len(writer._waiting), writer.error)
"""


@pytest.mark.parametrize(
    ("inject", "words"),
    [
        pytest.param("error=ENOSPC", "No space left on device", id="21-enospc"),
        pytest.param("retval=0", "only 0 of", id="21-short"),
    ],
)
def test_writes_that_fail_lose_nothing(tmp_path: Path, inject: str, words: str) -> None:
    """Records whose writes the system refuses are written later, once each and in their order."""
    strace = str(needed("strace"))
    path = tmp_path / "main.records"
    path.touch()
    command = [strace, "-f", "-o", "/dev/null", "-P", str(path), "-e", f"inject=write:{inject}:when=3..6"]
    ran = subprocess.run(
        [*command, sys.executable, "-c", WRITER, str(path)], check=False, capture_output=True, text=True, timeout=60
    )
    if "ptrace" in ran.stderr:
        pytest.skip(f"this container does not let strace trace: {ran.stderr.splitlines()[-1]}")
    assert ran.returncode == 0, ran.stderr
    waiting, error = ran.stdout.split(maxsplit=1)
    assert (waiting, words in error) == ("0", True)
    assert [each["n"] for each in members_in(path.read_bytes())] == list(range(12))


def read_only(project: Path) -> None:
    """Make a project's folder one in which nothing can be made."""
    (project / ".automation-report").write_text("a file where the folder would be")


def elsewhere(project: Path, ran: Ran) -> Path:
    """Return the spool that a session says it is kept in, instead of the project's."""
    told = f"the spool folder {project}/.automation-report/spool cannot be used: "
    (line,) = [each for each in ran.out.splitlines() if each.startswith(told)]
    return type(project)(line.rpartition("; results are kept in ")[2])


@pytest.mark.parametrize(
    ("variables", "place", "delivery"),
    [
        ({"XDG_STATE_HOME": "{0}/state", "HOME": "{0}/home"}, "state/pytest-automation-report", "live"),
        ({"HOME": "{0}/home"}, "home/.local/state/pytest-automation-report", "later"),
    ],
    ids=["22-xdg", "22-home"],
)
def test_results_are_kept_elsewhere(
    tmp_path: Path, project: Path, embedded_server: CheckedServer, variables: dict[str, str], place: str, delivery: str
) -> None:
    """Where the root folder takes nothing, results are kept in the user's own folder, and arrive as ever."""
    (project / "test_it.py").write_text("def test_it(): pass\ndef test_fails(): assert 0\n")
    read_only(project)
    env = {name: value for name, value in session_environment().items() if name not in {"HOME", "XDG_STATE_HOME"}}
    env |= {name: value.format(tmp_path) for name, value in variables.items()}
    ran = run_session(
        project, f"--automation-report-delivery={delivery}", address=embedded_server.address, env=env, exits=1
    )
    spool = elsewhere(project, ran)
    assert str(spool).startswith(f"{tmp_path}/{place}"), ran.text
    assert spool.parent.stat().st_mode & 0o777 == 0o700 or spool.stat().st_mode & 0o777 == 0o700
    if delivery == "later":
        (command,) = [each for each in ran.out.splitlines() if each.startswith("send: ")]
        assert str(spool) in command
        send(project, *command.split()[3:], env=env, exits=0)
    assert statuses(embedded_server) == {"passed": 1, "failure": 1}
    assert list(spool.glob("*/*")) == []


def test_store_moves_with_the_spool(tmp_path: Path, project: Path) -> None:
    """Without an address the embedded store is made beside the spool, and the printed command names it."""
    (project / "test_it.py").write_text("def test_it(): pass\n")
    read_only(project)
    env = {**session_environment(), "XDG_STATE_HOME": str(tmp_path / "state")}
    ran = run_session(project, env=env, exits=0)
    assert "1 of 1 result delivered" in ran.text
    store = elsewhere(project, ran).parent / "store.sqlite3"
    assert f"automation-report open 1 --database {store}" in ran.text
    assert store.exists()


@pytest.mark.parametrize("home", ["", "nowhere", "{0}/file"], ids=["22-no-home", "22-relative", "22-file"])
def test_no_place_for_results(tmp_path: Path, project: Path, home: str) -> None:
    """Without a folder that can be written reporting is off, with one warning that names it, and the tests run."""
    (project / "test_it.py").write_text("def test_it(): pass\n")
    read_only(project)
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    env = {**session_environment(), "TMPDIR": str(tmp_path / "tmp"), "XDG_STATE_HOME": "state"}
    ran = run_session(project, env={**env, "HOME": home.format(tmp_path)}, exits=0)
    assert ran.text.count("nothing can be reported: ") == 1
    assert f"{project}/.automation-report" in ran.text
    assert not list((tmp_path / "tmp").glob("pytest-automation-report*"))


DELETING = """
import os, pathlib, shutil, pytest
STATE = pathlib.Path(__file__).parent / ".automation-report"

@pytest.mark.parametrize("number", range(30))
def test_before(number):
    assert number % 10

def test_deletes():
    gone = STATE.with_name("gone")  # another worker makes the folder again while it is being emptied
    STATE.rename(gone)
    shutil.rmtree(gone)

@pytest.mark.parametrize("number", range(30))
def test_after(number):
    assert number % 10
"""


@pytest.mark.parametrize(("delivery", "workers"), [("live", "0"), ("later", "2")], ids=["23", "23-later-n2"])
def test_deleted_spool_is_remade(project: Path, embedded_server: CheckedServer, delivery: str, workers: str) -> None:
    """When a test deletes all that we keep, results of before and after arrive once, and what is kept can be sent."""
    (project / "test_it.py").write_text(DELETING)
    ran = run_session(
        project, "-n", workers, f"--automation-report-delivery={delivery}", address=embedded_server.address, exits=1
    )
    if delivery == "later":
        assert (project / ".automation-report" / ".gitignore").read_text() == "*\n"
        sent = send(project, *embedded_server.options, exits=0)
        assert "61 results sent" in sent.text
    else:
        assert "61 of 61 results delivered" in ran.text
    assert statuses(embedded_server) == {"passed": 55, "failure": 6}
    assert spools(project) == []


RENAMING = """
import pathlib, pytest, time
STATE = pathlib.Path(__file__).parent / ".automation-report"

@pytest.mark.parametrize("number", range(30))
def test_before(number):
    assert number % 10

def test_renames():
    while not list(STATE.rglob("ledger")):  # the sender is at work
        time.sleep(0.01)
    (STATE / {place!r}).rename(STATE.with_name("moved"))

@pytest.mark.parametrize("number", range({after}))
def test_after(number):
    time.sleep({seconds})
    assert number % 10
"""


@pytest.mark.parametrize(("place", "after", "seconds"), [("spool", 1, 0.0), (".", 30, 0.05)])
def test_renamed_spool(project: Path, embedded_server: CheckedServer, place: str, after: int, seconds: float) -> None:
    """When a test renames all that we keep, its results arrive as they are, once, also from the renamed folder."""
    (project / "test_it.py").write_text(RENAMING.format(place=place, after=after, seconds=seconds))
    ran = run_session(project, address=embedded_server.address, exits=1)
    assert f"{31 + after} of {31 + after} results delivered" in ran.text
    failed = 3 + -(-after // 10)
    expected = {"passed": 31 + after - failed, "failure": failed}
    assert statuses(embedded_server) == expected
    assert spools(project) == []
    moved = project / "moved" / ("spool" if place == "." else "")
    sent = send(project, *embedded_server.options, f"--spool={moved}")
    assert (sent.exit, "0 results sent" in sent.text) == (0, True), sent.text
    assert statuses(embedded_server) == expected


def test_a_session_whose_files_are_gone_has_not_died(project: Path, embedded_server: CheckedServer) -> None:
    """Without the files nobody knows how a test ended: it is no failure, and the run is not called complete."""
    (project / "test_it.py").write_text(
        "import os, pathlib, signal\n\ndef test_first():\n    pass\n\ndef test_last():\n"
        "    pathlib.Path('.automation-report/spool').rename('moved')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run_session(project, address=embedded_server.address, exits=-signal.SIGKILL)
    send(project, *embedded_server.options, "--spool=moved", exits=0)
    assert statuses(embedded_server) == {"passed": 1, "error": 1}


def test_deleted_store_is_told(project: Path) -> None:
    """When a test deletes the embedded store, the summary tells that its runs are lost, or that results are kept."""
    (project / "test_it.py").write_text(DELETING)
    ran = run_session(project)
    told = f"{project}/.automation-report/store.sqlite3 was deleted while the tests ran: its runs are lost"
    is_delivered = "61 of 61 results delivered" in ran.out
    assert is_delivered or told in ran.out or " results kept in " in ran.out, ran.text
    shown = run([*CONSOLE, "run", "list"], project, session_environment())
    assert told in ran.out or " results kept in " in ran.out or shown.out.strip() == "1", ran.text + shown.text


@pytest.mark.parametrize("is_full_before", [False, True], ids=["meanwhile", "before"])
def test_a_full_disk_of_the_store_is_named(project: Path, small_disk: Path, *, is_full_before: bool) -> None:
    """Results that the embedded store has no room for are kept with the reason, and sent once there is room."""
    (project / "test_it.py").write_text(FILLING)
    if is_full_before:
        with (small_disk / "filling").open("wb") as file:
            file.write(b"x" * (os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize - 40_000))
    database = small_disk / "store.sqlite3"
    ran = run_session(project, "--tb=no", "-rN", f"--automation-report-database={database}", exits=1)
    assert " results kept in " in ran.out
    assert "disk is full" in ran.out, ran.out[-1500:]
    assert len(spools(project)) == 1
    (small_disk / "filling").unlink(missing_ok=True)
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    send(project, f"--database={database}", exits=0)
    assert spools(project) == []


def _without_locks(project: Path, *command: str) -> Ran:
    """Run a command whose file systems answer every `flock` as NFS does without its lock service."""
    strace = str(needed("strace"))
    traced = [strace, "-f", "-o", "/dev/null", "-e", "inject=flock:error=ENOLCK", *command]
    ran = run(traced, project, session_environment({"exit_progress": 15.0}))
    if "ptrace" in ran.err:
        pytest.skip(f"this container does not let strace trace: {ran.err.splitlines()[-1]}")
    return ran


def test_a_spool_without_locks_is_named(project: Path) -> None:
    """Where files cannot be locked, session, `send` and `doctor` say so, and the results stay in the spool."""
    (project / "test_it.py").write_text(FILLING)
    ran = _without_locks(project, *reporting_arguments(), "-q", "--tb=no", "-rN")
    told = "the spool's file system has no locks (No locks available), without which nothing is sent"
    assert ran.exit == 1, ran.text
    assert f"{told}: set spool to a folder on a local disk" in ran.out, ran.out[-1500:]
    assert "100 results kept in " in ran.out
    assert "error in reporting" not in ran.out
    sent = _without_locks(project, *CONSOLE, "send")
    assert (sent.exit, told in sent.err, "Traceback" in sent.err) == (3, True, False), sent.text
    listed = _without_locks(project, *CONSOLE, "spool", "list")
    assert (listed.exit, "Traceback" in listed.err) == (0, False), listed.text
    checked = _without_locks(project, *CONSOLE, "doctor")
    assert checked.exit != 0, checked.text
    assert f"spool: {project / '.automation-report' / 'spool'}: {told}" in checked.err
    assert send(project).exit == 0
    assert spools(project) == []


def test_full_disk_where_refused_results_are_kept(small_disk: Path) -> None:
    """Without room for a result that the server refuses the sender says where and what to do; later all is done."""
    rest = small_disk / "rest"

    def judge(tests: list[dict[str, Any]], _: bytes) -> Reply | None:
        if not any(each["name"] == "test_1" for each in tests):
            return None
        with suppress(OSError), rest.open("ab", buffering=0) as file:
            while not has_room:
                file.write(bytes(4096))
        return unprocessable()

    has_room: list[bool] = []
    with checked_in_process(PickyServer(judge)) as server:
        written = ended_session(small_disk, server)
        with pytest.raises(SpoolError, match=r"rejected\.jsonl: .*\(No space left on device\): free disk space, then"):
            lived(written, server)
        has_room.append(True)
        rest.unlink()
        last = lived(written, server)
        assert sorted(result_names(server)) == ["test_0", "test_2"]
    assert (last.is_finished, last.state.total("rejected")) == (True, 1)
    assert [each["id"] for each in map(json.loads, written.folder.rejected.read_text().splitlines())] == [
        "test_it.py::test_1"
    ]
