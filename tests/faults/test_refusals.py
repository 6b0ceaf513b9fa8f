"""A server that refuses: what it will not take is kept and named, and it is not asked again and again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.delivered_results import assert_complete, assert_one_run, result_names
from support.fault_projects import GatedProject
from support.scripted_server.checked import checked_scripted_server
from support.scripted_server.faults import Rule, redirect
from support.scripted_server.server import ScriptedServer
from support.scripted_server.variants import PickyServer, naming, unknown_alias
from support.session_processes import RunningSession, acknowledged, spools, wait_for_senders
from support.sessions import TOKEN, Ran, run_session, send, session_environment
from support.terminal_summary import printed_counts, printed_send_command


def halfway(folder: Path, server: ScriptedServer, change: Callable[[], None]) -> Ran:
    """Run six tests; change something after two of them have arrived."""
    project = GatedProject(folder, 6, 2)
    with RunningSession(
        folder, address=server.address, env=session_environment({"exit_all": 5.0, "alone": 0.1})
    ) as running:
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


def sent(folder: Path, server: ScriptedServer, token: str = TOKEN, exits: int | None = None) -> Ran:
    env = {**session_environment(), "AUTOMATION_REPORT_TOKEN": token}
    return send(folder, *server.options, env=env, exits=exits)


def test_token_revoked(tmp_path: Path, server: ScriptedServer) -> None:
    """After 401 nothing more is sent; the command says 4 with that token, and delivers the rest with a right one."""
    counts: list[int] = []

    def revoke() -> None:
        server.token = "renewed-token"
        counts.append(len(server.log))

    ran = halfway(tmp_path, server, revoke)
    assert 1 <= len(server.log) - counts[0] <= 2
    assert (printed_counts(ran).delivered, printed_counts(ran).kept) == (2, 4)
    assert "set AUTOMATION_REPORT_TOKEN to one that is valid" in ran.out
    wrong = sent(tmp_path, server, exits=4)
    assert "4 to be sent" in wrong.err
    sent(tmp_path, server, token="renewed-token", exits=0)
    assert_complete(server, expected())
    assert TOKEN not in ran.text + wrong.text


def test_result_refused(tmp_path: Path) -> None:
    """A result that the server will not take is kept as rejected with the reason; the others arrive."""
    project = GatedProject(tmp_path, 6, 2)
    with checked_scripted_server(PickyServer(naming("key", "test_number[1]"))) as server:
        with RunningSession(tmp_path, address=server.address) as running:
            running.until(lambda: project.is_at(2), "the second test")
            project.let_through(2)
            ran = running.end(exits=0)
        assert (printed_counts(ran).delivered, printed_counts(ran).rejected) == (5, 1)
        assert "test_number[1]" in ran.out
        assert "key: It is wrong." in ran.out
        (folder,) = spools(tmp_path)
        assert "test_number[1]" in (folder / "rejected.jsonl").read_text()
        again = sent(tmp_path, server, exits=3)
        assert "1 rejected by the server" in again.err
        assert "key: It is wrong." in again.err
        assert result_names(server) == [each for each in expected() if each != "test_number[1]"]
        assert_one_run(server)


def test_unknown_status_is_told(tmp_path: Path) -> None:
    """The summary says which status the server does not know, and what was sent instead."""
    GatedProject(tmp_path, 3, 1).let_through(1)
    with checked_scripted_server(PickyServer(unknown_alias("passed"))) as server:
        ran = run_session(tmp_path, address=server.address, exits=0)
        assert "the server does not know the status passed: sent as pass" in ran.out
        assert printed_counts(ran).delivered == 3


def test_redirect(tmp_path: Path, server: ScriptedServer) -> None:
    """A redirect is not followed, and no token goes there; the command delivers once the address is right."""
    with ScriptedServer(token=TOKEN) as elsewhere:
        away = [Rule(method, "/api", redirect(f"{elsewhere.address}/", 308), count=None) for method in ("POST", "GET")]
        ran = halfway(tmp_path, server, lambda: server.script(away))
        assert away[0].seen == 2  # what was under way: the results that were left, and the note
        assert (printed_counts(ran).delivered, printed_counts(ran).kept) == (2, 4)
        assert "redirected" in ran.out
        assert elsewhere.log == []
        server.forget()
        assert sent(tmp_path, server).exit == 0
        assert_complete(server, expected())


@pytest.mark.parametrize("how", ["deleted", "completed"])
def test_printed_command_leaves_a_run_that_takes_nothing_more(tmp_path: Path, server: ScriptedServer, how: str) -> None:
    """Where the run is completed or unknown, the printed command says --new-run, and delivers the rest as it stands."""

    def end() -> None:
        if how == "deleted":
            del server.store.runs[2]
            server.store.threads.clear()
            server.store.runs[9] = server.store.runs[1]  # ids are counted: the next run is number 3
        else:
            run = server.store.runs[2]
            run.is_completed = True
            for thread in run.threads:
                thread.is_completed = True

    ran = halfway(tmp_path, server, end)
    name, *words = printed_send_command(ran)
    assert (name, words[-1]) == ("automation-report", "--new-run"), ran.out
    again = sent(tmp_path, server)
    assert "add --new-run to send it to a new run" in again.err
    send(tmp_path, *words[1:], exits=0)
    assert result_names(server) == expected()
    assert {run for run, _, _ in server.results} == {2, 3}
