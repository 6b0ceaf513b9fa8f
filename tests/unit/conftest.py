"""Tests in this folder start no process and open no socket: an audit hook fails those that do."""

import sys
from collections.abc import Iterator

import pytest

FORBIDDEN = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec", "socket.__new__"}
"""Audit events of the interpreter, raised before it starts a process or makes a socket."""


class Guard:
    """Refuses the forbidden events while a test runs; an audit hook cannot be removed, so it is added once."""

    def __init__(self) -> None:
        self.is_on = False
        self.events: list[str] = []
        sys.addaudithook(self._refuse)

    def _refuse(self, event: str, _: tuple[object, ...]) -> None:
        if self.is_on and event in FORBIDDEN:
            self.events.append(event)
            raise RuntimeError(f"{event} in a unit test: a test of processes or sockets belongs elsewhere")


@pytest.fixture(scope="session")
def guard() -> Guard:
    return Guard()


@pytest.fixture(autouse=True)
def _no_process_and_no_socket(guard: Guard) -> Iterator[None]:
    """Fail a test that starts a process or makes a socket, even if the tested code swallows the refusal."""
    guard.events.clear()
    guard.is_on = True
    yield
    guard.is_on = False
    assert guard.events == [], f"{guard.events} in a unit test: a test of processes or sockets belongs elsewhere"
