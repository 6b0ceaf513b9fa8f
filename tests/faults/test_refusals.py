"""A server that refuses: what it will not take is kept and named, and it is not asked again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripted.faults import Fault, Rule, answer, redirect
from scripted.server import ScriptedServer
from sessions import TOKEN, Ran, send, session_environment

from faults.oracle import assert_one_run, assert_whole, checked_server, names, told
from faults.projects import GatedProject
from faults.running import Running, acknowledged, spools, wait_for_senders
from faults.test_settlement import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BAD_KEY = {"message": "The given data was invalid.", "errors": {"tests.1.key": ["The key is too long."]}}


def halfway(folder: Path, server: ScriptedServer, change: Callable[[], None]) -> Ran:
    """Run six tests; change something after two of them have arrived."""
    project = GatedProject(folder, 6, 2)
    with Running(folder, address=server.address, env=session_environment({"exit_all": 5.0, "alone": 0.1})) as running:
        running.until(lambda: project.is_at(2), "the second test")
        running.until(lambda: acknowledged(folder) == 2, "two results are acknowledged")
        change()
        project.let_through(2)
        ran = running.end()
    wait_for_senders(folder)
    assert ran.exit == 0
    return ran


def expected() -> list[str]:
    return [f"test_number[{number}]" for number in range(6)]


def sent(folder: Path, server: ScriptedServer, token: str = TOKEN) -> Ran:
    env = {**session_environment(), "AUTOMATION_REPORT_TOKEN": token}
    return send(folder, "--url", server.address, "--project-id", "1", env=env)


def test_token_revoked(tmp_path: Path) -> None:
    """After 401 nothing more is sent; the command says 4 with that token, and delivers the rest with a right one."""
    with checked_server() as server:
        counts: list[int] = []

        def revoke() -> None:
            server.token = "renewed-token"
            counts.append(len(server.log))

        ran = halfway(tmp_path, server, revoke)
        assert 1 <= len(server.log) - counts[0] <= 2
        assert (told(ran).delivered, told(ran).kept) == (2, 4)
        assert "set AUTOMATION_REPORT_TOKEN to one that is valid" in ran.out
        wrong = sent(tmp_path, server)
        assert wrong.exit == 4
        assert "4 to be sent" in wrong.err
        right = sent(tmp_path, server, token="renewed-token")
        assert right.exit == 0, right.text
        assert_whole(server, expected())
        assert TOKEN not in ran.text + wrong.text


def test_permission_revoked(tmp_path: Path) -> None:
    """After 403 nothing more is sent, and the command delivers the rest when it is given back."""
    with checked_server() as server:
        forbidden = Rule("*", "/api", answer(403, {"message": "Forbidden."}), count=None)
        ran = halfway(tmp_path, server, lambda: server.script([forbidden]))
        assert 1 <= forbidden.seen <= 2
        assert (told(ran).delivered, told(ran).kept) == (2, 4)
        assert sent(tmp_path, server).exit == 4
        server._rules.clear()
        assert sent(tmp_path, server).exit == 0
        assert_whole(server, expected())


def test_run_deleted(tmp_path: Path) -> None:
    """When the run is gone nothing more is sent, and what is left is kept."""
    with checked_server() as server:

        def delete() -> None:
            del server.store.runs[2]
            server.store.threads.clear()

        ran = halfway(tmp_path, server, delete)
        assert (told(ran).delivered, told(ran).kept) == (2, 4)
        assert "404" in ran.out
        again = sent(tmp_path, server)
        assert again.exit == 3
        assert "4 to be sent" in again.err
        assert "404" in again.err
        assert names(server) == expected()[:2]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(answer(422, BAD_KEY), "tests.1.key: The key is too long.", id="422"),
        pytest.param(answer(413, {"message": "Payload Too Large"}), "413: Payload Too Large", id="413"),
    ],
)
def test_batch_refused(tmp_path: Path, fault: Fault, reason: str) -> None:
    """A batch that the server will not take is kept as rejected with the reason; the others arrive."""
    project = GatedProject(tmp_path, 6, 2)
    refusal = Rule("POST", OPERATIONS["append-thread"], fault)
    with checked_server() as server:
        server.script([refusal])
        with Running(tmp_path, address=server.address) as running:
            running.until(lambda: project.is_at(2), "the second test")
            server.wait_until(lambda: refusal.seen > 0)
            project.let_through(2)
            ran = running.end()
        assert ran.exit == 0
        rejected = told(ran).rejected
        assert 1 <= rejected <= 2
        assert told(ran).delivered == 6 - rejected
        assert reason in ran.out
        assert len(spools(tmp_path)) == 1
        again = sent(tmp_path, server)
        assert again.exit == 3
        assert f"{rejected} rejected by the server" in again.err
        assert reason in again.err
        assert names(server) == expected()[rejected:]
        assert_one_run(server)


@pytest.mark.parametrize("status", [302, 308])
def test_redirect(tmp_path: Path, status: int) -> None:
    """A redirect is not followed, and no token goes there; the command delivers once the address is right."""
    with checked_server() as server, ScriptedServer(token=TOKEN) as elsewhere:
        away = Rule("*", "/api", redirect(f"{elsewhere.address}/api/v1/", status), count=None)
        ran = halfway(tmp_path, server, lambda: server.script([away]))
        assert away.seen == 1
        assert (told(ran).delivered, told(ran).kept) == (2, 4)
        assert "redirected" in ran.out
        assert elsewhere.log == []
        server._rules.clear()
        assert sent(tmp_path, server).exit == 0
        assert_whole(server, expected())
