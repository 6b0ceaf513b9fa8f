import io
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import responses

from pytest_automation_report import __version__
from pytest_automation_report.api.http import HttpClient
from pytest_automation_report.api.models import KEEPS_HEADER, Artifact, Field, FieldType, Link, NewRun, Resources, Token
from pytest_automation_report.api.responses import NotSentError, RefusedError, StoredFile, UnknownAnswerError
from pytest_automation_report.errors import SettingError
from support.client_fixtures import ClientFor
from support.contract import Contract

ORIGIN = "https://instance.example"
FIELDS = Resources(fields=(Field("f", "v", FieldType.CONSOLE, {"message": "m"}, is_highlight=True),))
WIRE_FIELDS = [{"type": 4, "name": "f", "value": "v", "meta": {"message": "m"}, "is_highlight": True}]
RUN = {"id": 4, "is_completed": False, "total_count": 0}


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mocked:
        yield mocked


@pytest.fixture
def client(client_for: ClientFor) -> HttpClient:
    return client_for(ORIGIN)


def sent(mocked: responses.RequestsMock) -> tuple[str, str, dict[str, str], Any]:
    """Return method, path, query and JSON body of the only request, whose headers and contract are checked."""
    assert len(mocked.calls) == 1
    request = mocked.calls[0].request
    parts = urlsplit(str(request.url))
    assert parts.netloc == "instance.example"
    assert request.headers["Authorization"] == "Bearer scripted-token"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["User-Agent"] == f"pytest-automation-report/{__version__}"
    assert request.headers.get("Content-Type") == ("application/json" if request.method == "POST" else None)
    body = request.body
    assert body is None or isinstance(body, bytes)
    Contract().check_request(str(request.method), parts.path, parts.query, body)
    return str(request.method), parts.path, dict(parse_qsl(parts.query)), None if body is None else json.loads(body)


RUN_BODY = {
    "name": "n", "source": "s", "config_id": 3, "tags": ["t"], "links": [{"name": "l", "url": "https://l"}],
    "fields": [{"type": 1, "name": "Build", "value": None}],
}  # fmt: skip
NEW_RUN = NewRun("n", "s", None, 3, tags=("t",), fields=(Field("Build", None),), links=(Link("l", "https://l"),))
ARTIFACT = Resources(artifacts=(Artifact("a", "s3://a", size=1),))
WRITES: dict[str, tuple[Callable[[HttpClient], Any], str, Any]] = {
    "create_run": (lambda c: c.create_run(NEW_RUN), "projects/7/automation/runs", RUN_BODY),
    "append_run": (
        lambda c: c.append_run(4, ARTIFACT),
        "runs/4/append", {"artifacts": [{"name": "a", "url": "s3://a", "size": 1}]},
    ),
    "complete_run": (lambda c: c.complete_run(4, measure_elapsed=True), "runs/4/complete", {"measure_elapsed": True}),
    "complete_run by longest thread": (
        lambda c: c.complete_run(4, measure_elapsed=False), "runs/4/complete", {"measure_elapsed": False},
    ),
    "create_thread": (lambda c: c.create_thread(4, FIELDS), "runs/4/threads", {"fields": WIRE_FIELDS}),
    "create_thread empty": (lambda c: c.create_thread(4, Resources()), "runs/4/threads", {}),
    "append_thread": (
        lambda c: c.append_thread(9, b'{"tests": [], "elapsed_computed": 3}'),
        "runs/threads/9/append", {"tests": [], "elapsed_computed": 3},
    ),
    "complete_thread": (lambda c: c.complete_thread(9), "runs/threads/9/complete", {}),
    "complete_thread with totals": (
        lambda c: c.complete_thread(9, elapsed_observed=8, elapsed_computed=0),
        "runs/threads/9/complete", {"elapsed_observed": 8, "elapsed_computed": 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("operation", WRITES)
def test_writes(mocked: responses.RequestsMock, client: HttpClient, operation: str) -> None:
    """Each write sends its documented request, without what is null or empty, and returns the new id, or nothing."""
    call, path, body = WRITES[operation]
    path = f"/api/v1/{path}" if path.startswith("projects") else f"/api/v1/automation/{path}"
    new_id = 77 if operation.startswith("create") else None
    mocked.post(f"{ORIGIN}{path}", status=201 if new_id else 204, json={"id": 77} if new_id else None)
    assert call(client) == new_id
    assert sent(mocked) == ("POST", path, {}, body)
    assert "Idempotency-Key" not in mocked.calls[0].request.headers


PAGE: dict[str, Any] = {
    "page": 1, "prev_page": None, "next_page": None, "last_page": 1, "per_page": 100, "total": 0, "result": [],
}  # fmt: skip
MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=timezone(timedelta(hours=1)))
READS: dict[str, tuple[Callable[[HttpClient], Any], str, dict[str, str]]] = {
    "run": (lambda c: c.run(4), "automation/runs/4", {}),
    "runs": (lambda c: c.runs(), "projects/7/automation/runs", {"page": "1", "per_page": "100", "order": "desc"}),
    "runs filtered": (
        lambda c: c.runs(
            page=2, per_page=15, status=(3, 4), tags=("a b", "c"), created_before=MOMENT, branch="b", commit="c",
            expands=("automation_sources",),
        ),
        "projects/7/automation/runs",
        {
            "page": "2", "per_page": "15", "order": "desc", "status": "3,4", "tags": "a b,c",
            "created_before": "2026-02-03T03:05:06.789Z", "expands": "automation_sources",
        },
    ),
    "run_tests": (lambda c: c.run_tests(4), "automation/runs/4/tests", {"page": "1", "per_page": "1000"}),
    "run_tests filtered": (
        lambda c: c.run_tests(4, page=3, per_page=100, thread_id=9, status_id=(2, 3), is_newest_first=True),
        "automation/runs/4/tests",
        {
            "page": "3", "per_page": "100", "thread_id": "9", "status_id": "2,3", "sort": "automation_run_tests:id",
            "order": "desc",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("operation", READS)
def test_reads(mocked: responses.RequestsMock, client: HttpClient, operation: str) -> None:
    """Each read sends exactly its documented query and returns a typed value."""
    call, path, query = READS[operation]
    mocked.get(f"{ORIGIN}/api/v1/{path}", json={"result": RUN, "expands": []} if operation == "run" else PAGE)
    value = call(client)
    assert value.id == 4 if operation == "run" else value.total == 0
    assert sent(mocked) == ("GET", f"/api/v1/{path}", query, None)


def test_count_of_sources(mocked: responses.RequestsMock, client: HttpClient) -> None:
    """The number of sources is that of the page, and a page without valid sources is unreadable."""
    url = f"{ORIGIN}/api/v1/projects/7/automation/sources"
    mocked.get(url, json={**PAGE, "total": 2, "result": [{"id": 1}, {"id": 2}]})
    mocked.get(url, json={**PAGE, "result": [{"name": "s"}]})
    assert client.sources().total == 2
    assert sent(mocked)[2] == {"page": "1", "per_page": "100", "order": "desc"}
    with pytest.raises(UnknownAnswerError, match=r"`id` - at `\$\.result\[0\]`"):
        client.sources()


@pytest.mark.parametrize(
    ("key", "echo", "is_known"),
    [
        ("k1", {"Idempotency-Key": "k1"}, True), ("k1", {"Idempotency-Key": "k"}, False), ("k1", {}, False),
        ("", {}, False),
    ],
)  # fmt: skip
def test_idempotency_keys(
    mocked: responses.RequestsMock,
    client: HttpClient,
    key: str,
    echo: dict[str, str],
    is_known: bool,  # noqa: FBT001 - a table's column
) -> None:
    """A key goes out as a header, and a server that names it back is known to know keys."""
    mocked.post(f"{ORIGIN}/api/v1/automation/runs/threads/9/append", status=204, headers=echo)
    assert not client.knows_keys
    client.append_thread(9, b"{}", key=key)
    assert mocked.calls[0].request.headers.get("Idempotency-Key", "") == key
    assert client.knows_keys is is_known


def test_encoded_answers(mocked: responses.RequestsMock, client: HttpClient) -> None:
    """An answer in an encoding that was not asked for is not unpacked."""
    mocked.get(f"{ORIGIN}/api/v1/automation/runs/4", body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    with pytest.raises(UnknownAnswerError, match="encoded"):
        client.run(4)


@pytest.mark.parametrize(
    "origin", ["instance.example", "ftp://instance.example", "http://", "http://[::1", "http://a..b"]
)
def test_bad_origins(client_for: ClientFor, origin: str) -> None:
    """An address that requests cannot use is a request that was not sent."""
    with pytest.raises(NotSentError):
        client_for(origin).run(4)


def test_threads_have_no_links(client: HttpClient) -> None:
    """Links for a thread are a mistake of the caller, and nothing is sent."""
    with pytest.raises(ValueError, match="a thread cannot have links"):
        client.create_thread(4, Resources(links=(Link("l", "https://l"),)))


def test_moments_need_a_zone(client: HttpClient) -> None:
    """A moment without a time zone could mean any hour, and nothing is sent."""
    with pytest.raises(ValueError, match="time zone"):
        client.runs(created_before=datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake itself


@pytest.mark.parametrize("value", ["", "a b", "a\nb", "a\r", "tökén", "\x00", "a\u2028"])
def test_tokens_that_no_header_takes(value: str) -> None:
    """A token that cannot stand in a header is refused without being shown."""
    with requests.Session() as session, pytest.raises(SettingError) as caught:
        HttpClient(session, ORIGIN, Token(value), project_id=1)
    assert "Token('***')" in str(caught.value)
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "another"])
def test_threads_can_be_left_out(mocked: responses.RequestsMock, client: HttpClient, *, is_ours: bool) -> None:
    """The parameter of our own server is sent to no other one, which might refuse it, nor before that is known."""
    runs = f"{ORIGIN}/api/v1/projects/7/automation/runs"
    mocked.get(runs, json=PAGE, headers={KEEPS_HEADER: "9"} if is_ours else {})
    for _ in range(2):
        client.runs(has_threads=False)
        client.runs()
    queries = [dict(parse_qsl(urlsplit(call.request.url or "").query)) for call in mocked.calls]
    left_out = "0" if is_ours else None
    assert [query.get("threads") for query in queries] == [None, None, left_out, None]


@pytest.mark.parametrize("status", [500, 503])
def test_a_read_is_tried_again_after_an_error(mocked: responses.RequestsMock, client: HttpClient, status: int) -> None:
    """A GET that a server could not answer for a moment is made again; a change is not: it may have been applied."""
    url = f"{ORIGIN}/api/v1/automation/runs/4"
    mocked.add(responses.GET, url, status=status)
    mocked.add(responses.GET, url, json={"result": RUN}, status=200)
    assert client.run(4).id == 4
    mocked.add(responses.POST, f"{url}/append", status=status)
    with pytest.raises(UnknownAnswerError):
        client.append_run(4, FIELDS)
    assert [call.request.method for call in mocked.calls] == ["GET", "GET", "POST"]


def test_a_read_is_given_up_after_three_attempts(mocked: responses.RequestsMock, client: HttpClient) -> None:
    """A server that goes on to fail is no reason to wait for ever, and other statuses are none to try again."""
    for status, attempts in ((503, 3), (502, 1), (404, 1)):
        mocked.reset()
        mocked.add(responses.GET, f"{ORIGIN}/api/v1/automation/runs/4", status=status)
        with pytest.raises((UnknownAnswerError, RefusedError)):
            client.run(4)
        assert len(mocked.calls) == attempts


@pytest.mark.parametrize(
    ("status", "header", "has_answered", "expected"),
    [
        (204, {KEEPS_HEADER: "500"}, True, 500), (204, {}, True, None), (204, {KEEPS_HEADER: "yes"}, True, None),
        (502, {}, False, None),
    ],
)  # fmt: skip
def test_what_a_server_keeps_is_learnt_from_its_answers(
    client: HttpClient,
    mocked: responses.RequestsMock,
    status: int,
    header: dict[str, str],
    expected: int | None,
    *,
    has_answered: bool,
) -> None:
    """A header tells the largest file, without it no file is kept; a gateway's error says nothing of the server."""
    mocked.post(f"{ORIGIN}/api/v1/automation/runs/4/complete", status=status, headers=header)
    with pytest.raises(UnknownAnswerError) if status == 502 else nullcontext():
        client.complete_run(4, measure_elapsed=True)
    assert (client.has_answered, client.artifact_bytes) == (has_answered, expected)


@pytest.mark.parametrize("content", [b"\x89PNG", b""])
def test_a_file_goes_as_it_is(client: HttpClient, mocked: responses.RequestsMock, content: bytes) -> None:
    """The body is the file, of known length, its name a query, the token a header; the answer has its address."""
    url = "http+local://store/artifacts/abc/a.png"
    mocked.post(f"{ORIGIN}/artifacts", status=201, json={"url": url, "mime_type": "image/png"})
    assert client.put_artifact(io.BytesIO(content), len(content), "a b.png") == StoredFile(url, "image/png")
    request = mocked.calls[0].request
    assert request.url == f"{ORIGIN}/artifacts?name=a+b.png"
    assert request.headers["Content-Length"] == str(len(content))
    assert request.headers["Content-Type"] == "application/octet-stream"
    assert request.headers["Authorization"] == "Bearer scripted-token"
    assert "Transfer-Encoding" not in request.headers
