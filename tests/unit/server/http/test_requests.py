import gzip
import json
import logging
import sys
import zlib
from typing import Any, NoReturn
from wsgiref.validate import validator

import pytest
from falcon.testing import TestClient, create_environ

from pytest_automation_report.server.api.decoding import MAX_BODY_BYTES
from support.service import API, TOKEN, Service

RUNS = f"{API}/projects/1/automation/runs"


@pytest.mark.parametrize(
    "given",
    [
        "", "Bearer", "Bearer ", "Bearer no", f"Basic {TOKEN.value}", TOKEN.value, f"Bearer {TOKEN.value}x",
        "Bearer \xff",
    ],
)  # fmt: skip
def test_without_the_token_nothing_is_told(service: Service, given: str) -> None:
    """A missing or wrong token is 401 for every address, known or not, and the answer does not show the right one."""
    for path in (RUNS, "/nothing", f"{API}/automation/runs/1"):
        answer = service.raw("GET", path, Authorization=given)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert TOKEN.value not in answer.text
    service.new_run()
    assert service.raw("GET", RUNS, Authorization=f"bearer {TOKEN.value}").status_code == 200, "in any case"


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"nonsense", b"[]", b'"text"', b"null", b"3", b"\xff\xfe", b'{"name": NaN}', b'{"size": -Infinity}',
        b"[" * 100_000, b'{"a":' * 100_000, b"\xef\xbb\xbf{}", b'{"name": "a\x00b"}',
        b'{"\\u0000":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_400(service: Service, body: bytes) -> None:
    """What cannot be read as a JSON object is refused as such, however deep it is nested."""
    answer = service.raw("POST", RUNS, body)
    assert answer.status_code == 400, answer.text
    assert answer.json["message"]


def test_a_body_may_be_missing_where_nothing_is_needed(service: Service) -> None:
    """Creating a run and appending need a body; some clients send none with threads and completions."""
    run_id = service.new_run()
    thread_id = service.post(f"/automation/runs/{run_id}/threads").json["id"]
    run, thread = f"/automation/runs/{run_id}", f"/automation/runs/threads/{thread_id}"
    for path in ("/projects/1/automation/runs", f"{run}/append", f"{thread}/append"):
        assert service.raw("POST", f"{API}{path}").status_code == 400
    for path in (f"{thread}/complete", f"{run}/complete"):
        answer = service.post(path)
        assert (answer.status_code, answer.content, "content-type" in answer.headers) == (204, b"", False)


@pytest.mark.parametrize(
    ("status", "types"),
    [
        (201, ("application/json", "application/json; charset=utf-8", "Application/JSON")),
        (415, ("text/plain", "application/x-www-form-urlencoded", "")),
    ],
)
def test_bodies_are_json_by_type_too(service: Service, status: int, types: tuple[str, ...]) -> None:
    """A body that a web page of another origin could send without asking is refused."""
    for media in types:
        answer = service.raw("POST", RUNS, b'{"name": "n", "source": "s"}', Content_Type=media)
        assert answer.status_code == status, media


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP"])
def test_a_gzip_body_is_read(service: Service, name: str) -> None:
    """A compressed body is what it holds, also in several parts; one that is plain, damaged or cut is unreadable."""
    whole = gzip.compress(b'{"name": "n", "source": "s"}')
    for body in (b"{}", whole[:-8], b"\x1f\x8b", b"\x1f"):
        assert service.raw("POST", RUNS, body, Content_Encoding=name).status_code == 400
    body = gzip.compress(b'{"name": "n", ') + gzip.compress(b'"source": "s"}')
    assert service.raw("POST", RUNS, body, Content_Encoding=name).status_code == 201
    assert service.run(1)["name"] == "n"


@pytest.mark.parametrize("name", ["br", "deflate", "gzip, gzip", "zstd"])
def test_an_encoding_other_than_gzip_is_refused(service: Service, name: str) -> None:
    """Other compressions are not read."""
    assert service.raw("POST", RUNS, b"{}", Content_Encoding=name).status_code == 415


def _compressed(start: bytes, amount: int, end: bytes) -> bytes:
    """Return a gzip body with so many letters between its ends, without ever holding them."""
    member = zlib.compressobj(1, wbits=31)
    whole, rest = divmod(amount, 1 << 20)
    parts = [start, *(b"x" * (1 << 20),) * whole, b"x" * rest + end]
    return b"".join([*map(member.compress, parts), member.flush()])


def test_a_gzip_body_is_limited_by_what_it_holds(service: Service) -> None:
    """16 MiB may come out of a small body, one byte more is 413; a bomb costs no more than the limit."""
    if sys.platform == "win32":
        pytest.skip("limits of memory")
    import resource  # noqa: PLC0415 - Windows has none

    start, end = b'{"name": "n", "source": "s", "unknown": "', b'"}'
    room = MAX_BODY_BYTES - len(start) - len(end)
    for more, status in ((0, 201), (1, 413), (2**28, 413)):
        sent = _compressed(start, room + more, end)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert service.raw("POST", RUNS, sent, Content_Encoding="gzip").status_code == status
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 * 1024


@pytest.mark.parametrize(("levels", "status"), [(62, 201), (63, 400), (900, 400)])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_body_may_be_64_levels_deep(service: Service, levels: int, status: int, opening: str, closing: str) -> None:
    """The body and a list in it are two levels; one more than 64 is refused, in what is ignored, too."""
    deep = '{"name": "n", "source": "s", "unknown": [%s%s]}' % (opening * levels, "1" if "a" in opening else "")  # noqa: UP031 - braces
    body = deep[:-2] + closing * levels + deep[-2:]
    assert service.raw("POST", RUNS, body.encode()).status_code == status


def test_a_body_over_the_limit_is_413_and_one_below_it_is_read(service: Service) -> None:
    """16 MiB are read, one byte more is refused."""
    thread_id = service.new_thread(service.new_run())
    path = f"{API}/automation/runs/threads/{thread_id}/append"
    start, end = b'{"unknown": "', b'"}'
    room = MAX_BODY_BYTES - len(start) - len(end)
    assert service.raw("POST", path, start + b"x" * room + end).status_code == 204
    answer = service.raw("POST", path, start + b"x" * (room + 1) + end)
    assert (answer.status_code, "message" in answer.json) == (413, True)


@pytest.mark.parametrize(
    ("methods", "path", "allowed"),
    [
        ("PUT OPTIONS HEAD TRACE", RUNS, "GET, POST"),
        ("DELETE", f"{API}/automation/runs/1", "GET"),
        ("GET", f"{API}/automation/runs/1/append", "POST"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_a_wrong_method_is_405_and_told_the_right_ones(service: Service, methods: str, path: str, allowed: str) -> None:
    """Every address knows its methods, also for those that frameworks like to answer themselves, or that are none."""
    for method in methods.split():
        answer = service.raw(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    environ = create_environ(path=path, headers={"Authorization": f"Bearer {TOKEN.value}"})
    environ["REQUEST_METHOD"] = "BREW"
    started: list[str] = []
    application: Any = service.application
    body = b"".join(application(environ, lambda status, _headers, _info=None: started.append(status)))
    assert (started[0][:3], "message" in json.loads(body)) == ("405", True)


@pytest.mark.parametrize(
    "path",
    [
        "/", API, "/api/v2/projects/1/automation/runs", f"{RUNS}/",
        *(f"{API}/projects/{number}/automation/runs" for number in ("0", "x", "01", "9007199254740992")),
        *(f"{API}/automation/runs/{number}" for number in ("99999999999999999999999", "-1", "1.0", "%D9%A1")),
    ],
)  # fmt: skip
def test_an_address_that_does_not_exist_is_404(service: Service, path: str) -> None:
    """Unknown paths and ids that cannot exist are not found, in the form of all errors."""
    answer = service.raw("GET", path)
    assert (answer.status_code, list(answer.json)) == (404, ["message"])


def test_records_that_do_not_exist_are_404(service: Service) -> None:
    """Every operation on an unknown run or thread says so; any id of a project up to 2^53-1 is one."""
    for path in ("77/append", "77/complete", "77/threads", "threads/77/append", "threads/77/complete"):
        assert service.post(f"/automation/runs/{path}", {}).status_code == 404
    assert service.get("/automation/runs/77").status_code == 404
    assert service.run(service.new_run(2**53 - 1))["project_id"] == 2**53 - 1


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (rb"a\u0000b", r"a\x00b"), (rb"a\ud800b", r"a\ud800b"), (rb"\uDFFF", r"\udfff"), (b"\xed\xa0\x80", r"\ud800"),
        (rb"\ud83d\ude00", "\U0001f600"), (rb"\\u0000", r"\u0000"),
    ],
)  # fmt: skip
def test_texts_that_cannot_be_stored_are_made_visible(service: Service, sent: bytes, shown: str) -> None:
    """NUL and lone surrogates are accepted and spelled out, in names of pairs, too."""
    body = b'{"name": "%s", "source": "s", "tags": ["%s"], "fields": [{"type": 1, "name": "n", "meta": {"%s": "%s"}}]}'
    answer = service.raw("POST", RUNS, body % (sent, sent, sent, sent))
    assert answer.status_code == 201, answer.text
    run = service.run(answer.json["id"])
    assert (run["name"], run["tags"], run["fields"][0]["meta"]) == (shown, [shown], {shown: shown})


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        (RUNS, "threads=none per_page=16 per_page= page=0 page=-1 page=x page=1.0 page=%D9%A1 order=up sort=name"),
        (RUNS, "status=1 status=2, status=2&status=3 state=5 source_id=0 source_id=a source_id=99999999999999999999"),
        (RUNS, "created_after=yesterday created_before= tags="),
        (RUNS, "expands=configs,tests expands=Configs expands=users,users expands=,users"),
        (f"{API}/automation/runs/1", "expands=tests"),
        (f"{API}/projects/1/automation/sources", "expands=configs"),
        (f"{API}/automation/sources/1", "expands=statuses"),
    ],
)
def test_a_bad_parameter_is_422_and_named(service: Service, path: str, queries: str) -> None:
    """A parameter that the contract does not allow is told by name; each address knows what it can expand."""
    service.new_run()
    for query in queries.split():
        answer = service.raw("GET", f"{path}?{query}")
        assert (answer.status_code, list(answer.json["errors"])) == (422, [query.partition("=")[0]]), query


def test_every_bad_parameter_is_in_one_answer(service: Service) -> None:
    """Mistakes in a query are told together; unknown parameters, and an empty list of expands, change nothing."""
    service.new_run()
    query = "page=0&per_page=99&order=x&sort=y&thread_id=z&status_id=5"
    answer = service.raw("GET", f"{API}/automation/runs/1/tests?{query}")
    assert sorted(answer.json["errors"]) == ["order", "page", "per_page", "sort", "status_id", "thread_id"]
    assert service.raw("GET", f"{RUNS}?unknown=1&expands=").json["expands"] == {}


def test_a_failure_tells_a_number_and_nothing_else(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went wrong inside is in the log, under the number that the answer shows."""

    def fail(_: object) -> NoReturn:
        raise LookupError("a connection is gone")

    monkeypatch.setattr(service.store, "read", fail)
    with caplog.at_level(logging.ERROR):
        answer = service.raw("GET", f"{API}/automation/runs/1")
    assert answer.status_code == 500
    assert list(answer.json) == ["message"]
    assert "connection" not in answer.text
    number = answer.json["message"].split()[-1].strip(".")
    assert number in caplog.text
    assert "LookupError: a connection is gone" in caplog.text


def test_the_application_keeps_to_wsgi(service: Service) -> None:
    """The validator of wsgiref has nothing to say about success, an error, and an answer without a body."""
    application: Any = service.application
    validated: Any = validator(application)

    def signed(environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401 - falcon looks at the signature
        return validated(environ, start_response)

    client = TestClient(signed)
    headers = {"Authorization": f"Bearer {TOKEN.value}", "Content-Type": "application/json"}
    assert client.simulate_post(RUNS, headers=headers, body=b'{"name": "n", "source": "s"}').status_code == 201
    assert client.simulate_post(f"{API}/automation/runs/1/complete", headers=headers).status_code == 204
    assert client.simulate_get(f"{API}/automation/runs/2", headers=headers).status_code == 404
    assert client.simulate_get(RUNS).status_code == 401
