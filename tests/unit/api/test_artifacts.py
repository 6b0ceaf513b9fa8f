"""The one call beside the contract: a file to a server that has shown that it keeps files."""

import io
from collections.abc import Iterator

import pytest
import responses

from pytest_automation_report.api.responses import StoredFile
from pytest_automation_report.api.urls import KEEPS_HEADER
from pytest_automation_report.errors import RefusedError, UnknownAnswerError
from support.client_fixtures import ClientFor

ORIGIN = "https://instance.example"
URL = "http+local://store/artifacts/abc/a.png"


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mocked:
        yield mocked


@pytest.mark.parametrize(
    ("header", "expected"), [({KEEPS_HEADER: "500"}, 500), ({}, None), ({KEEPS_HEADER: "yes"}, None)]
)
def test_what_a_server_keeps_is_learnt_from_its_answers(
    client_for: ClientFor, mocked: responses.RequestsMock, header: dict[str, str], expected: int | None
) -> None:
    """The header of any answer tells the largest file; without it, or with nonsense in it, no file is kept."""
    client = client_for(ORIGIN)
    assert (client.has_answered, client.artifact_bytes) == (False, None)
    mocked.post(f"{ORIGIN}/api/v1/automation/runs/4/complete", status=204, headers=header)
    client.complete_run(4, measure_elapsed=True)
    assert (client.has_answered, client.artifact_bytes) == (True, expected)


def test_an_error_of_something_between_is_no_answer(client_for: ClientFor, mocked: responses.RequestsMock) -> None:
    """A gateway's 502 says nothing about what the server behind it keeps."""
    client = client_for(ORIGIN)
    mocked.post(f"{ORIGIN}/api/v1/automation/runs/4/complete", status=502)
    with pytest.raises(UnknownAnswerError):
        client.complete_run(4, measure_elapsed=True)
    assert not client.has_answered


@pytest.mark.parametrize("content", [b"\x89PNG", b""])
def test_a_file_goes_as_it_is(client_for: ClientFor, mocked: responses.RequestsMock, content: bytes) -> None:
    """The body is the file, of known length, its name a query, the token a header; the answer has its address."""
    mocked.post(f"{ORIGIN}/artifacts", status=201, json={"url": URL, "mime_type": "image/png"})
    stored = client_for(ORIGIN).put_artifact(io.BytesIO(content), len(content), "a b.png")
    assert stored == StoredFile(URL, "image/png")
    request = mocked.calls[0].request
    assert request.url == f"{ORIGIN}/artifacts?name=a+b.png"
    assert request.headers["Content-Length"] == str(len(content))
    assert request.headers["Content-Type"] == "application/octet-stream"
    assert request.headers["Authorization"] == "Bearer scripted-token"
    assert "Transfer-Encoding" not in request.headers


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"url": 7},
        {"url": "javascript:alert(1)"},
        {"url": "file:///etc/passwd"},
        {"url": "https://" + "a" * 750},
    ],
)
def test_an_address_that_makes_no_sense_is_none(
    client_for: ClientFor, mocked: responses.RequestsMock, answer: object
) -> None:
    """An answer without an address that a result can refer to counts as none."""
    mocked.post(f"{ORIGIN}/artifacts", status=201, json=answer)
    with pytest.raises(UnknownAnswerError):
        client_for(ORIGIN).put_artifact(io.BytesIO(b"1"), 1, "a")


def test_a_refusal_is_one(client_for: ClientFor, mocked: responses.RequestsMock) -> None:
    """What the server says in refusing a file is in the error."""
    mocked.post(f"{ORIGIN}/artifacts", status=422, json={"message": "There is no room."})
    with pytest.raises(RefusedError, match=r"422: There is no room\."):
        client_for(ORIGIN).put_artifact(io.BytesIO(b"1"), 1, "a")
