"""Connect a client to an endpoint: the only place that distinguishes the embedded server from a remote one."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import Endpoint, Token


def import_client(*, is_embedded: bool) -> None:
    """Import the modules that `connected` needs: the sender does so before it knows its session."""
    if is_embedded:
        import pytest_automation_report.server.embedded.client  # noqa: PLC0415 - servers need no store
    else:
        import pytest_automation_report.api.http  # noqa: F401, PLC0415 - loads requests, 100 ms


@contextmanager
def connected(
    endpoint: Endpoint,
    token: Token,
    *,
    deadline_seconds: float,
    on_answer: Callable[[Mapping[str, str]], None] | None = None,
) -> Iterator[Client]:
    """Yield a client of this endpoint.

    Requests to the embedded store are applied to it in this process. ``deadline_seconds`` bounds each request to a
    server as a whole. ``on_answer`` is called with the headers of each response of a server.
    """
    if endpoint.is_embedded:
        from pytest_automation_report.server.embedded.client import StoreClient  # noqa: PLC0415 - servers need no store

        with StoreClient(Path(endpoint.database), endpoint.project_id) as store_client:
            yield store_client
        return
    from pytest_automation_report.api.http import HttpClient, new_session  # noqa: PLC0415 - loads requests, 100 ms

    with new_session(proxies=endpoint.proxies, ca_file=endpoint.ca_file) as session:
        if on_answer is not None:
            session.hooks["response"].append(lambda response, **_: on_answer(response.headers))
        yield HttpClient(
            session, endpoint.origin, token, project_id=endpoint.project_id, deadline_seconds=deadline_seconds
        )
