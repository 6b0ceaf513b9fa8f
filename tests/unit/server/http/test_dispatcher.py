"""Which requests wait for which threads of the server."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from pytest_automation_report.server.http import serving


class Connection:
    """A connection with one request, whose answer waits until it may end."""

    def __init__(self, command: str, path: str, may_end: threading.Event, error: object = None) -> None:
        request = {"error": error} if error else {"error": None, "command": command, "path": path}
        self.requests = [SimpleNamespace(**request)]
        self.is_begun = threading.Event()
        self._may_end = may_end

    def service(self) -> None:
        self.is_begun.set()
        self._may_end.wait(60)

    def cancel(self) -> None:
        pass


@pytest.fixture
def may_end() -> threading.Event:
    return threading.Event()


@pytest.fixture
def dispatcher(may_end: threading.Event) -> Iterator[serving.Dispatcher]:
    dispatcher = serving.Dispatcher()
    yield dispatcher
    may_end.set()
    assert dispatcher.shutdown(), "all threads have ended"


def test_appends_and_health_checks_are_answered_while_every_thread_for_pages_is_busy(
    dispatcher: serving.Dispatcher, may_end: threading.Event
) -> None:
    """However many slow pages wait, an append, a health check and the refusal of what is no request begin at once."""
    pages = [Connection("GET", "/search", may_end) for _ in range(20)]
    for page in pages:
        dispatcher.add_task(page)
    assert pages[0].is_begun.wait(30)
    for command, path, error in (("POST", "/append", None), ("GET", "/healthz", None), ("", "", ValueError())):
        other = Connection(command, path, may_end, error)
        dispatcher.add_task(other)
        assert other.is_begun.wait(30), (command, path)
    assert not pages[-1].is_begun.is_set(), "pages wait for each other"
