import json

import pytest

from pytest_automation_report.api.client import created_id
from pytest_automation_report.api.responses import (
    ApiRequest,
    ClientError,
    HttpOutcome,
    HttpResponse,
    InProgressError,
    NoResponse,
    NotSentError,
    RefusedError,
    ThrottledError,
    TokenRefusedError,
    UnknownAnswerError,
    classify,
)

CREATE = ApiRequest("POST", "/runs", 201)
APPEND = ApiRequest("POST", "/append", 204)
READ = ApiRequest("GET", "/runs/1", 200)


def error_of(call: ApiRequest, outcome: HttpOutcome, *, was_sent: bool = True, secret: str = "") -> ClientError:
    with pytest.raises(ClientError) as caught:
        classify(call, outcome, created_id, was_sent=was_sent, secret=secret)
    assert caught.value.__context__ is None, "an exception of requests would carry the request with its token"
    return caught.value


def class_of(status: int) -> type[ClientError]:
    if status == 429:
        return ThrottledError
    if status in (401, 403):
        return TokenRefusedError
    return RefusedError if 300 <= status < 500 and status not in (408, 409) else UnknownAnswerError


@pytest.mark.parametrize("call", [CREATE, APPEND, READ])
def test_each_status(call: ApiRequest) -> None:
    """Every status that is not the documented success has exactly the class that the rule gives it."""
    for status in {*range(100, 600), 999} - {call.success}:
        error = error_of(call, HttpResponse(status))
        assert type(error) is class_of(status)
        assert str(status) in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b'{"id": 1', b"[]", b"null", b"{}", b'{"id": null}', b'{"id": "1"}', b'{"id": true}',
        b'{"id": 0}', b'{"id": 1, "x": NaN}', b'{"id": 1, "x": -Infinity}',
        b'{"id": -1}', b'{"id": 1.0}', b'{"id": 1e400}', b'{"id": NaN}', b'{"id": Infinity}', b"\xff\xfe",
        b'{"id": ' + b"9" * 5000 + b"}", b"[" * 100_000, b'{"a":' * 100_000,
    ],
)  # fmt: skip
def test_success_that_makes_no_sense(body: bytes) -> None:
    """A 201 without a good id says nothing about whether the run exists."""
    assert type(error_of(CREATE, HttpResponse(201, body))) is UnknownAnswerError


def test_reason_why_it_makes_no_sense() -> None:
    """The message says what is wrong with a body, by a reason of ours; one without a body says that, too."""
    deep = str(error_of(READ, HttpResponse(200, b"[" * 100_000)))
    assert deep == "200 with an invalid body (nested too deep)"
    assert str(error_of(READ, HttpResponse(200, b"[NaN]"))).endswith("(NaN is not JSON)")
    assert "line 1 column 1 (char 0)" in str(error_of(READ, HttpResponse(200)))


def test_failures() -> None:
    """Without an answer, what counts is whether the request left whole."""
    assert type(error_of(APPEND, NoResponse("reset"), was_sent=True)) is UnknownAnswerError
    assert type(error_of(APPEND, NoResponse("refused"), was_sent=False)) is NotSentError
    assert str(error_of(APPEND, NoResponse("reset"))) == "reset"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (413, RefusedError), (401, TokenRefusedError), (429, ThrottledError), (302, RefusedError),
        (500, NotSentError), (503, NotSentError), (408, NotSentError),
    ],
)  # fmt: skip
def test_answers_to_half_a_request(status: int, expected: type[ClientError]) -> None:
    """Half a request cannot have been applied, so an error of the server means that it can be repeated."""
    assert type(error_of(APPEND, HttpResponse(status), was_sent=False)) is expected


def test_success_for_half_a_request() -> None:
    """A success for a request that did not leave whole is too strange to build on."""
    for call, body in ((CREATE, b'{"id": 1}'), (READ, b'{"id": 1}'), (APPEND, b"")):
        error = error_of(call, HttpResponse(call.success, body), was_sent=False)
        assert type(error) is UnknownAnswerError
        assert str(error) == f"the server answered {call.success}"
    with pytest.raises(UnknownAnswerError):
        classify(APPEND, HttpResponse(204), lambda document: document, was_sent=False)


def test_error_body() -> None:
    """A refusal tells the server's message and keeps all its errors by property."""
    errors = {"tests.3.key": ["Bad.", 7], "name": "Missing.", "x": None}
    body = {"message": "The given data was invalid.", "errors": errors}
    error = error_of(APPEND, HttpResponse(422, json.dumps(body).encode()))
    assert isinstance(error, RefusedError)
    assert str(error) == "422: The given data was invalid."
    assert (error.status, error.errors) == (422, {"tests.3.key": ["Bad."], "name": ["Missing."], "x": []})


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"message": 7, "errors": []}', b'{"errors": "x"}', b"[" * 99_999]
)
def test_odd_error_body(body: bytes) -> None:
    """A refusal is a refusal, whatever its body."""
    error = error_of(APPEND, HttpResponse(422, body))
    assert isinstance(error, RefusedError)
    assert (str(error), error.errors) == ("the server answered 422", {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(status: int) -> None:
    """A redirect is refused and the message blames the configured address."""
    error = error_of(APPEND, HttpResponse(status, location="https://login.example/"))
    assert isinstance(error, RefusedError)
    assert error.status == status
    expected = f"redirected ({status} to https://login.example/): the server's URL is wrong"
    assert str(error) == expected
    nowhere = error_of(APPEND, HttpResponse(status))
    assert str(nowhere) == f"redirected ({status}): the server's URL is wrong"


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("0", "", 0), ("120", "", 120), (" 3 ", "", 3), ("1.5", "", 1.5), ("-5", "", 0), ("1000000000", "", 1e9),
        ("9" * 1000, "", float("inf")), (DATE, "", None), ("", "", None), ("soon", "", None), ("1e9", "", None),
        ("nan", "", None), ("inf", "", None), ("٣", "", None), ("Wed, 21 Oct 2026 07:28:30 GMT", DATE, 30),
        ("Wed, 21 Oct 2026 07:27:00 GMT", DATE, 0), ("Wed, 21 Oct 2026 09:28:30 +0200", DATE, 30),
        ("Wed, 21 Oct 2026 07:28:30 -0000", DATE, 30), ("Wed, 21 Oct 2026 07:28:30 GMT", "", None),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "yesterday", None), ("Wed, 99 Oct 2026 07:28:30 GMT", DATE, None),
        ("2026-10-21T07:28:30Z", DATE, None),
    ],
)  # fmt: skip
def test_retry_after(value: str, date: str, seconds: float | None) -> None:
    """Seconds and moments are understood, negative waits are none, and nonsense is told apart from 0."""
    error = error_of(APPEND, HttpResponse(429, retry_after=value, date=date))
    assert isinstance(error, ThrottledError)
    assert error.retry_after_seconds == seconds


def test_a_conflict_that_says_when_to_look_again() -> None:
    """A 409 with a usable ``Retry-After`` has an unknown outcome and a wait; without one it is unknown alone."""
    error = error_of(CREATE, HttpResponse(409, retry_after="2"))
    assert isinstance(error, InProgressError)
    assert isinstance(error, UnknownAnswerError)
    assert error.retry_after_seconds == 2
    assert type(error_of(CREATE, HttpResponse(409, retry_after="soon"))) is UnknownAnswerError
    assert type(error_of(CREATE, HttpResponse(408, retry_after="2"))) is UnknownAnswerError
    assert type(error_of(CREATE, HttpResponse(409, retry_after="2"), was_sent=False)) is NotSentError


@pytest.mark.parametrize("call", [APPEND, READ])
def test_long_and_dirty_texts(call: ApiRequest) -> None:
    """What a server writes stays on one short line and cannot steer a terminal or a CI log."""
    text = "\n::add-mask::x\x1b[31m\x00\u202e\ud800" + "a" * 1000
    error = error_of(call, HttpResponse(422, json.dumps({"message": text, "errors": {"a\n": [text]}}).encode()))
    assert isinstance(error, RefusedError)
    message = str(error)
    assert message.startswith("422: \\n::add-mask::x\\x1b[31m\\x00\\u202e\\ud800aaa")
    assert len(message) < 250
    assert message.isprintable()
    assert list(error.errors) == ["a\\n"]
    assert error.errors["a\\n"][0].isprintable()
