"""Requests that are small or ordinary to send and could be dear to answer."""

import gzip
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from falcon.testing import Result

from pytest_automation_report.server.api.bodies import MAX_TESTS
from pytest_automation_report.server.api.decoding import MAX_BODY_BYTES, MAX_VALUES, MISTAKES_LISTED
from pytest_automation_report.server.store.database import MAX_ATTACHED
from support.service import API, ON_SQLITE, Service, a_test

RUNS = f"{API}/projects/1/automation/runs"
_SECONDS = 4.0
_KIBIBYTES = 160 * 1024


def _cheap(send: Callable[[], Result]) -> Result:
    """Return an answer that took little processor time and memory."""
    if sys.platform == "win32":
        pytest.skip("limits of memory")
    import resource  # noqa: PLC0415 - Windows has none

    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    answer = send()
    assert time.process_time() - begun < _SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < _KIBIBYTES
    return answer


def _append(service: Service, body: bytes) -> Result:
    path = f"{API}/automation/runs/threads/{service.new_thread(service.new_run())}/append"
    return _cheap(lambda: service.raw("POST", path, gzip.compress(body), Content_Encoding="gzip"))


@ON_SQLITE
def test_many_empty_tests_cost_little(service: Service) -> None:
    """A kilobyte that becomes 400,000 tests is too many of them; of as many as are taken 100 mistakes are listed."""
    answer = _append(service, b'{"tests": [%s]}' % b",".join([b"{}"] * 400_000))
    assert answer.status_code == 413
    assert f"at most {MAX_TESTS}" in answer.json["message"]
    answer = _append(service, b'{"tests": [%s]}' % b",".join([b"{}"] * MAX_TESTS))
    assert (answer.status_code, len(answer.json["errors"])) == (422, MISTAKES_LISTED)
    assert "and at least " in answer.json["message"]
    assert len(answer.content) < 20_000


def test_the_mistakes_that_are_not_listed_are_counted(service: Service) -> None:
    """Of an ordinary batch the number of all mistakes is told; the list has the first ones, in their order."""
    tests = [{"key": f"k{number}", "folder": "f"} for number in range(250)]
    answer = service.post(f"/automation/runs/threads/{service.new_thread(service.new_run())}/append", {"tests": tests})
    assert answer.status_code == 422
    assert answer.json["message"].endswith("the first 100, and 400 more.")
    assert set(answer.json["errors"]) == {f"tests.{each}.{name}" for each in range(50) for name in ("name", "status")}


@ON_SQLITE
def test_large_appends_of_good_tests_cost_little(service: Service) -> None:
    """One bad test does not send the others through the slow checks, nor do whole numbers that are written as 2.0."""
    tests: list[Any] = [a_test(number) for number in range(20_000)]
    tests[7] = {**a_test(), "status": "unheard"}
    answer = _append(service, json.dumps({"tests": tests}).encode())
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["tests.7.status"])
    fields = [{"type": 1.0, "name": "n", "value": "v"}] * 10
    tests = [a_test(number, elapsed=2.0, fields=fields) for number in range(5_000)]
    assert _append(service, json.dumps({"tests": tests}).encode()).status_code == 204


@ON_SQLITE
def test_very_many_small_gzip_members_cost_little(service: Service) -> None:
    """Data of 800,000 empty members is refused at once; a thousand members of any size are read."""
    sent = gzip.compress(b"") * (MAX_BODY_BYTES // len(gzip.compress(b"")))
    assert _cheap(lambda: service.raw("POST", RUNS, sent, Content_Encoding="gzip")).status_code == 400
    large = b'{"name": "n", "source": "s", "unknown": "%s"}' % (b"x" * 12_000_000)
    members = [gzip.compress(large[at : at + 12_100], 1) for at in range(0, len(large), 12_100)]
    assert 900 < len(members) < 1000
    assert _cheap(lambda: service.raw("POST", RUNS, b"".join(members), Content_Encoding="gzip")).status_code == 201


@ON_SQLITE
@pytest.mark.parametrize("unit", [b"[],", b"{},", b"257,", b'"ab",'])
def test_very_many_values_are_refused_before_they_are_made(service: Service, unit: bytes) -> None:
    """A body of the largest size may not become gigabytes of lists and objects."""
    start, end = b'{"name": "n", "source": "s", "unknown": [', b"0]}"
    body = start + unit * ((MAX_BODY_BYTES - len(start) - len(end)) // len(unit)) + end
    answer = _cheap(lambda: service.raw("POST", RUNS, body))
    assert (answer.status_code, str(MAX_VALUES) in answer.json["message"]) == (413, True)


@ON_SQLITE
@pytest.mark.parametrize("unit", ["[],{},", '\\"],{', "\\\\,,"])
def test_texts_may_have_any_number_of_brackets(service: Service, unit: str) -> None:
    """Tracebacks are full of them: only values count, whatever stands in texts."""
    text = unit * (12_000_000 // len(unit))
    body = b'{"name": "n", "source": "s", "unknown": "%s"}' % text.encode()
    assert _cheap(lambda: service.raw("POST", RUNS, body)).status_code == 201
    assert _cheap(lambda: service.raw("POST", RUNS, body[:-2])).status_code == 400


def test_what_is_attached_to_a_run_has_a_largest_length(service: Service) -> None:
    """Every list of runs shows it: a run takes no more when it has 2 MiB of fields with its threads, however added."""
    field = {"type": 4, "name": "Output", "value": "x" * (MAX_ATTACHED // 2)}
    run = service.new_run(fields=[field])
    for path in (f"/automation/runs/{run}/append", f"/automation/runs/{run}/threads"):
        answer = service.post(path, {"fields": [field]})
        assert (answer.status_code, "fields, artifacts and links" in answer.json["message"]) == (422, True)
    large = {"name": "n", "source": "s", "fields": [field] * 2}
    assert service.post("/projects/1/automation/runs", large).status_code == 422
    assert (len(service.run(run)["fields"]), service.run(run)["thread_count"]) == (1, 0)
    service.append(service.new_thread(run), a_test())
