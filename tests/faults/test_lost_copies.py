"""A server that confirms results and does not have them: the spool has the only copy, which stays until it arrives."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.delivered_results import result_names
from support.deliveries import WrittenSession, ended_session, lived, numbered, session_of_workers
from support.scripted_server.checked import checked_in_process, checked_scripted_server
from support.scripted_server.faults import Rule, answer
from support.scripted_server.server import ScriptedServer, Seen
from support.scripted_server.store import Reply
from support.scripted_server.variants import EditedServer, LossyServer
from support.session_processes import spools
from support.sessions import TOKEN, run_session, send

COUNT = 30
ONCE = dict.fromkeys(numbered(COUNT), 1)


def counted(server: ScriptedServer) -> Counter[str]:
    return Counter(result_names(server))


def lossy(kept: float) -> LossyServer:
    server = LossyServer(token=TOKEN)
    server.kept = kept
    return server


@pytest.mark.parametrize("kept", [0.0, 0.5])
@pytest.mark.parametrize("session", [ended_session, session_of_workers])
def test_what_a_server_lost_is_sent_again(tmp_path: Path, kept: float, session: Callable[..., WrittenSession]) -> None:
    """Results that were confirmed and are not there are sent once more, to the same run, and no other is."""
    server = lossy(kept)
    with checked_in_process(server):
        written = session(tmp_path, server, COUNT, joined_run=1)
        first = lived(written, server)
        shown = len(server.results)
        assert first.is_finished
        assert first.state.difference == f"the server shows {shown} of {COUNT} results that it confirmed"
        assert first.state.has_kept
        server.kept = 1.0
        again = lived(written, server)
        assert counted(server) == ONCE
    assert again.is_finished
    assert not again.state.has_kept
    assert (again.state.total("acknowledged"), again.state.confirmed) == (COUNT, 2 * COUNT - shown)


def test_what_a_completed_run_lacks_goes_to_a_new_one(tmp_path: Path) -> None:
    """A completed run takes nothing more: the session stays until the user sends what is missing to a new run."""
    server = lossy(0.5)
    with checked_in_process(server):
        written = ended_session(tmp_path, server, COUNT)
        lived(written, server)
        server.kept = 1.0
        shown = counted(server)
        refused = lived(written, server)
        assert (refused.state.is_run_gone, refused.state.done.left) == (True, COUNT - len(shown))
        assert counted(server) == shown
        last = lived(written, server, is_in_new_run=True)
        assert counted(server) == ONCE
    assert last.is_finished
    assert not last.state.has_kept


@pytest.mark.parametrize("unknown", ["send", "drop"])
def test_user_decides_where_nobody_can_look(tmp_path: Path, unknown: Literal["send", "drop"]) -> None:
    """Where the server does not show its results all are held: they are not sent again unless the user says so."""
    server = lossy(0.0)
    with checked_in_process(server):
        server.script([Rule("GET", r"/runs/\d+/tests$", answer(404), count=None)])
        written = ended_session(tmp_path, server, COUNT, joined_run=1)
        lived(written, server)
        server.kept = 1.0
        held = lived(written, server)
        assert (held.state.total("held"), held.state.total("acknowledged")) == (COUNT, 0)
        assert (held.is_finished, held.state.has_kept, server.results) == (True, True, [])
        decided = lived(written, server, unknown)
        assert counted(server) == (ONCE if unknown == "send" else {})
    assert decided.is_finished
    assert not decided.state.has_kept


@pytest.mark.parametrize("is_down", [True, False])
def test_a_count_that_is_late_costs_nothing(tmp_path: Path, *, is_down: bool) -> None:
    """What is there when a sender looks for it is not sent again; before it can look, nothing is decided."""
    behind = [True]

    def edit(document: dict[str, dict[str, list[dict[str, int]]]]) -> None:
        for thread in document["result"]["threads"] if behind else ():
            thread["total_count"] = 0

    with checked_in_process(EditedServer(r"/runs/\d+$", edit, is_half=False)) as server:
        written = ended_session(tmp_path, server, COUNT)
        assert lived(written, server).state.has_kept
        behind.clear()
        if is_down:
            server.is_up = False
            assert lived(written, server, is_in_new_run=True).state.has_kept
            server.is_up = True
        sent = len([each for each in server.log if each.method == "POST"])
        last = lived(written, server, is_in_new_run=True)
        assert (last.is_finished, last.state.has_kept) == (True, False)
        assert len([each for each in server.log if each.method == "POST"]) == sent
        assert counted(server) == ONCE


Kill: TypeAlias = Literal["before", "after"]


class Killed(BaseException):
    """The sender was killed while a request was under way."""


class Trouble(LossyServer):
    """Loses a part of each append, and kills its sender at one of its requests that change something."""

    kill_at = 0
    kill: Kill = "before"

    def applied(self, seen: Seen) -> Reply:
        if seen.method != "POST":
            return super().applied(seen)
        self.kill_at -= 1
        if self.kill_at == 0 and self.kill == "before":
            raise Killed
        reply = super().applied(seen)
        if self.kill_at == 0:
            raise Killed
        return reply


LIVES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 0.9, 1.0]), st.integers(0, 12), st.sampled_from(["before", "after"])),
    max_size=5,
)


@given(lives=LIVES, has_workers=st.booleans())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    database=None,
    derandomize=True,
)
def test_nothing_is_lost_or_doubled_by_senders_that_die(
    tmp_path_factory: pytest.TempPathFactory, lives: list[tuple[float, int, Kill]], *, has_workers: bool
) -> None:
    """Whatever a server loses, and wherever senders die, no result is there twice, and each once in the end."""
    make: Callable[..., WrittenSession] = session_of_workers if has_workers else ended_session
    count = 4 if has_workers else 8
    server = Trouble(token=TOKEN)
    with checked_in_process(server):
        written = make(tmp_path_factory.mktemp("spool"), server, count, joined_run=1)
        for kept, kill_at, kill in lives:
            server.kept, server.kill_at, server.kill = kept, kill_at, kill
            try:
                state = lived(written, server, read_back=0.0).state
                assert state.has_kept or set(counted(server)) == set(numbered(count))
            except Killed:
                pass
            assert set(counted(server).values()) <= {1}
        server.kept, server.kill_at = 1.0, 0
        # The first may have to finish, and to see that something is missing.
        while (last := lived(written, server, read_back=0.0)).state.has_kept:
            assert last.is_finished
        assert last.is_finished
        assert counted(server) == dict.fromkeys(numbered(count), 1)


def test_session_stays_until_the_server_has_it(tmp_path: Path) -> None:
    """A session names what is missing and the command; the command sends it, and only then is the spool empty."""
    (tmp_path / "test_it.py").write_text("".join(f"def test_{number}(): pass\n" for number in range(COUNT)))
    server = lossy(0.0)
    with checked_scripted_server(server):
        ran = run_session(tmp_path, address=server.address, exits=0)
        assert f"the server shows 0 of {COUNT} results that it confirmed\n" in ran.out
        (spool,) = spools(tmp_path)
        assert f"kept in {spool.relative_to(tmp_path)}: what the server does not have can be sent again\n" in ran.out
        assert "send: automation-report send " in ran.out
        server.kept = 1.0
        refused = send(tmp_path, *server.options, exits=3)
        assert f"{COUNT} to be sent" in refused.err
        assert "add --new-run to send it to a new run" in refused.err
        sent = send(tmp_path, *server.options, "--new-run", exits=0)
        assert f"{COUNT} results sent to run" in sent.err
        assert counted(server) == ONCE
    assert spools(tmp_path) == []
