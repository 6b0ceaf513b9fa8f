"""The fixture of a client, with which tests speak to whatever answers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import TypeAlias

import pytest

from pytest_automation_report.api.http import HttpClient, new_session
from pytest_automation_report.api.models import Token

TOKEN = "scripted-token"


ClientFor: TypeAlias = "Callable[..., HttpClient]"


@pytest.fixture
def client_for() -> Iterator[ClientFor]:
    with ExitStack() as stack:

        def make(
            origin: str,
            *,
            token: str = TOKEN,
            deadline_seconds: float = 10.0,
            proxies: Mapping[str, str] | None = None,
            ca_file: str = "",
        ) -> HttpClient:
            session = stack.enter_context(new_session(proxies=proxies or {}, ca_file=ca_file))
            return HttpClient(session, origin, Token(token), project_id=7, deadline_seconds=deadline_seconds)

        yield make
