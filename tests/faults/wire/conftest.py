from collections.abc import Iterator

import pytest

from pytest_automation_report.api.http import HttpClient
from support.client_fixtures import ClientFor
from support.scripted_server.server import ScriptedServer

TOKEN = "scripted-token"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def client(client_for: ClientFor, server: ScriptedServer) -> HttpClient:
    return client_for(server.address)
