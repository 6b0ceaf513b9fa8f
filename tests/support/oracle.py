"""What the server has, by its own log, and what the terminal claims: both must be true."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from support.contract import Contract
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.sessions import Ran

_NUMBERS = {
    "collected": r"(\d+) tests? collected",
    "reported": r"= (\d+) reported",
    "not_run": r"(\d+) not run",
    "delivered": r"(\d+) of \d+ results? delivered",
    "seen": r"\d+ of (\d+) results? delivered",
    "kept": r"(\d+) results? kept in",
    "rejected": r"(\d+) results? rejected by the server",
    "held": r"(\d+) results? held",
}


@contextmanager
def checked_server(server: ScriptedServer | None = None) -> Iterator[ScriptedServer]:
    """Yield a scripted server that checks each request against the contract, with another session's run in it."""
    server = server or ScriptedServer(token=TOKEN)
    check = Contract().check_request
    own = "/artifacts" if server.keeps_artifacts else ""
    server.checks.append(lambda method, path, query, body: None if path == own else check(method, path, query, body))
    server.store.apply("POST", "/api/v1/projects/1/automation/runs", "", {"name": "another", "source": "suite"})
    with server:
        yield server


def names(server: ScriptedServer) -> list[str]:
    """Return the names of all results that the server has applied, sorted: twice if twice."""
    return sorted(test["name"] for _, _, test in server.results)


def result(server: ScriptedServer, name: str) -> dict[str, Any]:
    """Return the one result of this name."""
    (found,) = [test for _, _, test in server.results if test["name"] == name]
    return found


def texts(test: dict[str, Any]) -> str:
    """Return all that a result says in its fields."""
    return "\n".join(str(field["value"]) for field in test.get("fields", []))


def assert_whole(server: ScriptedServer, expected: list[str] | tuple[str, ...]) -> None:
    """Fail unless each expected result is there exactly once, in one run of ours that is completed as a whole."""
    assert Counter(names(server)) == Counter(expected)
    assert_one_run(server)


def assert_one_run(server: ScriptedServer) -> None:
    """Fail unless there is one run of ours, completed with all its threads, with one note on how the session ended."""
    ours = [run for run in server.store.runs.values() if run.body["name"] != "another"]
    assert len(ours) == 1
    assert {run for run, _, _ in server.results} <= {ours[0].id}
    assert ours[0].is_completed
    assert all(thread.is_completed for thread in ours[0].threads)
    assert [each["name"] for each in ours[0].resources["fields"]].count("Session") == 1


def note(server: ScriptedServer) -> str:
    """Return what our run says about the session's end."""
    fields = [each for run in server.store.runs.values() for each in run.resources.get("fields", [])]
    (value,) = [each["value"] for each in fields if each["name"] == "Session"]
    return str(value)


@dataclass(frozen=True)
class Told:
    """The numbers of the terminal summary; what is not mentioned is 0."""

    collected: int
    reported: int
    not_run: int
    delivered: int
    seen: int
    kept: int
    rejected: int
    held: int


def told(ran: Ran) -> Told:
    """Return what the summary claims; it must add up."""
    found = {name: re.search(pattern, ran.out) for name, pattern in _NUMBERS.items()}
    numbers = Told(**{name: int(match.group(1)) if match else 0 for name, match in found.items()})
    assert numbers.seen == numbers.delivered + numbers.kept + numbers.rejected + numbers.held, ran.out
    assert numbers.collected == numbers.reported + numbers.not_run, ran.out
    assert "error in reporting" not in ran.text
    return numbers


def told_command(ran: Ran) -> list[str]:
    """Return the command that the summary names to send what was kept."""
    (line,) = [each for each in ran.out.splitlines() if each.startswith("send: ")]
    return shlex.split(line.removeprefix("send: "))
