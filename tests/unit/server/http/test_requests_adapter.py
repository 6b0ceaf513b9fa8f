from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

import pytest
import requests

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Token
from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.http.requests_adapter import StoreAdapter
from support.contract import CheckedAdapter, Contract
from support.service import TOKEN, a_test

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNS = f"{EMBEDDED_ORIGIN}/api/v1/projects/1/automation/runs"
RUN = {"name": "n", "source": "s"}


@pytest.fixture
def session(tmp_path: Path, contract: Contract) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {TOKEN.value}"
        session.mount("http+local://", CheckedAdapter(StoreAdapter(tmp_path / "store.db", TOKEN), contract))
        yield session


def test_a_mounted_store_answers_like_a_server(session: requests.Session) -> None:
    """Status, reason, headers, address, request, text and JSON are those that requests gives for a server."""
    answer = session.post(RUNS, json=RUN, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.reason, answer.ok, answer.url) == (201, "Created", True, RUNS)
    assert (answer.headers["IDEMPOTENCY-KEY"], answer.headers["content-type"]) == ("k", "application/json")
    assert (answer.json(), answer.text, answer.encoding) == ({"id": 1}, '{"id":1}', "utf-8")
    assert answer.request.method == "POST"
    assert session.post(f"{EMBEDDED_ORIGIN}/api/v1/automation/runs/1/complete", json={}).content == b""


def test_query_parameters_arrive(session: requests.Session) -> None:
    """Parameters given to requests, or in the address, work."""
    for _ in range(16):
        session.post(RUNS, json=RUN)
    page = session.get(RUNS, params={"per_page": 15, "page": 2}).json()
    assert (page["page"], len(page["result"])) == (2, 1)
    assert session.get(f"{RUNS}?per_page=15&order=asc").json()["result"][0]["id"] == 1


def test_an_answer_can_be_read_in_pieces(tmp_path: Path) -> None:
    """A streamed answer is readable bit by bit, so that a client can limit what it reads."""
    with requests.Session() as session:
        session.mount("http+local://", StoreAdapter(tmp_path / "store.db", TOKEN))
        headers = {"Authorization": f"Bearer {TOKEN.value}"}
        session.post(RUNS, json=RUN, headers=headers)
        with session.get(RUNS, headers=headers, stream=True) as answer:
            assert answer.raw.read(10) == b'{"page":1,'
            assert b"".join(answer.iter_content(7)).endswith(b'"expands":{}}')


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "n", "source": "s"}',
        io.BytesIO(b'{"name": "n", "source": "s"}'),
    ],
)
def test_bytes_and_files_arrive_whole(tmp_path: Path, body: bytes | io.BytesIO) -> None:
    """A body is bytes or one file: clients of a store send nothing else."""
    with requests.Session() as session:
        session.mount("http+local://", StoreAdapter(tmp_path / "store.db", TOKEN))
        headers = {"Authorization": f"Bearer {TOKEN.value}", "Content-Type": "application/json"}
        assert session.post(RUNS, data=body, headers=headers).status_code == 201


def test_other_bodies_are_errors_of_the_caller(tmp_path: Path) -> None:
    """A text or an iterator of parts raises an error, and no run is created from a part of it."""
    with requests.Session() as session:
        session.mount("http+local://", StoreAdapter(tmp_path / "store.db", TOKEN))
        session.headers["Authorization"] = f"Bearer {TOKEN.value}"
        for body in ('{"name": "n", "source": "s"}', iter([b'{"name": "n", "source": "s"}'])):
            with pytest.raises(TypeError):
                session.post(RUNS, data=body, headers={"Content-Type": "application/json"})
        assert session.get(RUNS).status_code == 404


def test_the_token_is_asked_for(tmp_path: Path) -> None:
    """A mounted store is no way around the token."""
    with requests.Session() as session:
        session.mount("http+local://", StoreAdapter(tmp_path / "store.db", TOKEN))
        assert session.get(RUNS).status_code == 401
        assert session.get(RUNS, headers={"Authorization": "Bearer other"}).status_code == 401


def test_nothing_is_opened_before_the_first_request(tmp_path: Path) -> None:
    """A mounted adapter that is not used makes no file."""
    adapter = StoreAdapter(tmp_path / "folder" / "store.db", TOKEN)
    adapter.close()
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_opened_is_an_error_of_its_own_type(tmp_path: Path) -> None:
    """The error of the store reaches who asked, as it is."""
    with requests.Session() as session:
        session.mount("http+local://", StoreAdapter(tmp_path, TOKEN))
        with pytest.raises(StoreError, match=str(tmp_path)):
            session.get(RUNS)


def test_closing_the_session_closes_the_store(tmp_path: Path) -> None:
    """SQLite takes its log away when the last connection is closed; a later request opens the store again."""
    adapter = StoreAdapter(tmp_path / "store.db", TOKEN)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {TOKEN.value}"
    session.mount("http+local://", adapter)
    session.post(RUNS, json=RUN)
    assert (tmp_path / "store.db-wal").exists()
    session.close()
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]
    assert session.get(RUNS).json()["total"] == 1
    session.close()


class _InParts(io.BytesIO):
    """A file that is never to be read at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Give a part."""
        assert size is not None
        assert 0 <= size <= 1 << 20
        return super().read(size)


def test_a_file_is_sent_in_parts(tmp_path: Path) -> None:
    """An artifact is kept from its file, from where that stands, and comes back whole."""
    content = b"header" + bytes(range(256)) * 10_000
    source = _InParts(content)
    source.seek(6)
    with requests.Session() as session:
        session.mount("http+local://", StoreAdapter(tmp_path / "store.db", TOKEN))
        session.headers["Authorization"] = f"Bearer {TOKEN.value}"
        told = session.post(f"{EMBEDDED_ORIGIN}/artifacts", params={"name": "a.bin"}, data=source).json()
        assert (told["name"], told["size"]) == ("a.bin", len(content) - 6)
        assert session.get(told["url"]).content == content[6:]


def test_threads_may_share_a_mounted_store(session: requests.Session) -> None:
    """Requests from several threads at once are all stored."""
    session.post(RUNS, json=RUN)

    def work() -> None:
        thread_id = session.post(f"{EMBEDDED_ORIGIN}/api/v1/automation/runs/1/threads", json={}).json()["id"]
        for number in range(10):
            body = {"tests": [a_test(number)]}
            session.post(f"{EMBEDDED_ORIGIN}/api/v1/automation/runs/threads/{thread_id}/append", json=body)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run = session.get(f"{EMBEDDED_ORIGIN}/api/v1/automation/runs/1").json()["result"]
    assert [each["total_count"] for each in run["threads"]] == [10] * 4
    assert sorted(each["index"] for each in run["threads"]) == [1, 2, 3, 4]


def test_two_adapters_with_tokens_of_their_own_share_a_file(tmp_path: Path) -> None:
    """The token belongs to the application, not to the file."""
    for number, token in enumerate((Token("one"), Token("two"))):
        with requests.Session() as session:
            session.mount("http+local://", StoreAdapter(tmp_path / "store.db", token))
            answer = session.post(RUNS, json=RUN, headers={"Authorization": f"Bearer {token.value}"})
            assert answer.json() == {"id": number + 1}
