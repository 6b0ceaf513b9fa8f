from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.scripted_server.server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_automation_report.api.http import HttpClient
    from support.client_fixtures import ClientFor

TOKEN = "scripted-token"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def client(client_for: ClientFor, server: ScriptedServer) -> HttpClient:
    return client_for(server.address)
