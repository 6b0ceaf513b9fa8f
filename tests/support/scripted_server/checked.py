"""The scripted server with each request checked against the API's contract."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.contract import Contract
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN


@contextmanager
def checked_scripted_server(server: ScriptedServer | None = None) -> Iterator[ScriptedServer]:
    """Yield a scripted server that checks each request against the contract, with another session's run in it."""
    with _prepared(server) as prepared:
        yield prepared


@contextmanager
def checked_in_process(server: ScriptedServer | None = None) -> Iterator[ScriptedServer]:
    """Yield such a server without a socket, for a `support.scripted_adapter.client_of` it."""
    with _prepared(server).in_process() as prepared:
        yield prepared


def _prepared(server: ScriptedServer | None) -> ScriptedServer:
    server = server or ScriptedServer(token=TOKEN)
    # A server of ours may get more than the contract has, if it announces that.
    check = Contract().check_request if server.extensions else Contract().check_client
    own = ("/artifacts", "/findings") if server.keeps_artifacts else ()
    server.checks.append(
        lambda method, path, query, body: None if path.endswith(own) else check(method, path, query, body)
    )
    server.store.apply("POST", "/api/v1/projects/1/automation/runs", "", {"name": "another", "source": "suite"})
    return server
