"""Files of results under faults: stored once, never in the way of a result, and never one that a record only names."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from faults.test_sender_killed import killed_in_every_request
from support.delivered_results import assert_complete, field_texts, result_named
from support.scripted_server.checked import checked_scripted_server
from support.scripted_server.faults import Fault, Rule, answer, lost_answer, reset_unapplied
from support.scripted_server.server import ScriptedServer
from support.session_processes import LATER, sent, spools, unsent_session
from support.sessions import TOKEN, run_session, session_environment
from support.terminal_summary import printed_counts

assert sys.platform != "win32"

UPLOAD = r"^/artifacts$"
SECRET = b"what only its owner may read"

SUITE = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_number(number, automation_report):
    automation_report.artifact(f"file {number}".encode(), f"{number}.txt")
"""
NAMES = [f"test_number[{number}]" for number in range(3)]

ONE = """
def test_one(automation_report):
    automation_report.artifact(b"content", "one.txt")
"""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a server of ours: it keeps files, too."""
    with checked_scripted_server(ScriptedServer(token=TOKEN, keeps_artifacts=True)) as server:
        yield server


def assert_kept(server: ScriptedServer, names: list[str] = NAMES) -> None:
    """Fail unless each result has its own file's content, at the address that the server gave."""
    assert_complete(server, names)
    for number, name in enumerate(names):
        (artifact,) = result_named(server, name)["artifacts"]
        content = f"file {number}".encode()
        assert artifact["url"] == f"http+local://store/artifacts/{sha256(content).hexdigest()}/{number}.txt"
        assert server.artifacts[sha256(content).hexdigest()] == content


def test_results_do_not_wait_for_the_files_of_later_ones(project: Path, server: ScriptedServer) -> None:
    """An append goes out as soon as its own results' files are stored, however many other files wait."""
    (project / "test_files.py").write_text(SUITE.replace("range(3)", "range(300)"))
    unsent_session(project, server)
    sent(project, server, exits=0)
    paths = ["append" if "tests" in (each.json or {}) else each.path for each in server.log]
    assert paths.count("append") == 2
    assert paths.count("/artifacts") == 300
    assert paths[: paths.index("append")].count("/artifacts") == 250


def test_sender_killed_in_every_request(tmp_path: Path, server: ScriptedServer) -> None:
    """Senders killed at their first request, their second, and so on, after it was applied: all is there, once."""
    (tmp_path / "test_files.py").write_text(SUITE)
    run_session(tmp_path, *LATER, address=server.address)
    assert killed_in_every_request(tmp_path, server, lost_answer(), "/") > 4
    assert spools(tmp_path) == []
    assert_kept(server)


RETRIED = (
    answer(429, {"message": "slow"}, {"Retry-After": "0"}),
    answer(502, {"message": "Bad gateway."}),
    lost_answer(),
    reset_unapplied(),
)
"""Faults of an upload after which it is tried again."""


def test_upload_is_tried_again(tmp_path: Path, server: ScriptedServer) -> None:
    """A file is uploaded again after 429, 502, a lost response and a reset connection; its result arrives once."""
    (tmp_path / "test_files.py").write_text(SUITE.replace("range(3)", "range(4)"))
    rules = [Rule("POST", UPLOAD, fault, first=2 * number + 1) for number, fault in enumerate(RETRIED)]
    server.script(rules)
    ran = run_session(tmp_path, address=server.address, env=session_environment({"exit_down": 10.0}))
    assert printed_counts(ran).delivered == 4, ran.text
    assert "not stored" not in ran.out
    assert [rule.seen >= rule.first for rule in rules] == [True] * len(rules)
    assert_kept(server, [*NAMES, "test_number[3]"])


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (answer(413, {"message": "Too large."}), "the server refused it (413: Too large.)"),
        (answer(422, {"message": "No room."}), "the server refused it (422: No room.)"),
        (answer(500, {"message": "Failed."}), "the server did not answer its upload"),
        (answer(201, {"url": "javascript:alert(1)"}), "the server did not answer its upload"),
    ],
    ids=["413", "422", "500", "nonsense"],
)
def test_refused_file_keeps_no_result_back(tmp_path: Path, server: ScriptedServer, fault: Fault, why: str) -> None:
    """A file that the server does not take costs its result nothing but the reference; both tell why."""
    (tmp_path / "test_files.py").write_text(ONE)
    server.script([Rule("POST", UPLOAD, fault, count=None)])
    ran = run_session(tmp_path, address=server.address, env=session_environment({"exit_down": 10.0}))
    assert printed_counts(ran).delivered == 1, ran.text
    assert_complete(server, ["test_one"])
    assert "artifacts" not in result_named(server, "test_one")
    assert field_texts(result_named(server, "test_one")) == f"7 bytes (not stored: {why})"
    assert f"1 artifact named in results, but not stored: {why}" in ran.out
    assert sum(each.path == "/artifacts" for each in server.log) == (1 if "refused" in why else 3)


def test_session_with_a_linked_folder_is_refused(project: Path, tmp_path: Path, server: ScriptedServer) -> None:
    """A spool from elsewhere whose folder of files is a link is not sent at all, and says which."""
    (project / "test_files.py").write_text(ONE)
    session = unsent_session(project, server)
    shutil.rmtree(session / "files")
    (own := tmp_path / "own").mkdir()
    (own / "main-1").write_bytes(SECRET)
    (session / "files").symlink_to(own)
    done = sent(project, server, exits=3)
    assert "files is a link or a pipe, which no session makes" in done.err
    assert (server.artifacts, server.results) == ({}, [])


POISONS: Mapping[str, Callable[[Path, Path], object]] = {
    "link": lambda place, secret: place.symlink_to(secret),
    "hard link": lambda place, secret: place.hardlink_to(secret),
    "pipe": lambda place, _: os.mkfifo(place),
    "gone": lambda *_: None,
    "folder": lambda place, secret: shutil.copytree(secret.parent, place),
}
"""What stands in the place of a file; each gets that place, which is empty, and a file of the user's."""


def test_send_reads_no_file_but_the_sessions_own(project: Path, tmp_path: Path, server: ScriptedServer) -> None:
    """Of a spool from elsewhere, whose files are links, pipes or nothing, the results arrive, and nothing else does."""
    (project / "test_files.py").write_text(SUITE.replace("range(3)", f"range({len(POISONS)})"))
    session = unsent_session(project, server)
    secrets = [tmp_path / f"own-{number}" / "secret" for number, _ in enumerate(POISONS)]
    for number, poison in enumerate(POISONS.values()):
        secrets[number].parent.mkdir()
        secrets[number].write_bytes(SECRET)
        (place := session / "files" / f"main-{number + 1}").unlink()
        poison(place, secrets[number])
    done = sent(project, server, exits=0)
    assert server.artifacts == {}
    names = [f"test_number[{number}]" for number, _ in enumerate(POISONS)]
    assert_complete(server, names)
    for name in names:
        assert field_texts(result_named(server, name)).startswith("6 bytes (not stored: "), name
    counts = re.findall(r"(\d+) artifacts? named in results, but not stored: ", done.err)
    assert sum(map(int, counts)) == len(POISONS), done.err
    for secret in secrets:
        assert [each.read_bytes() for each in secret.parent.iterdir()] in ([SECRET], [])
