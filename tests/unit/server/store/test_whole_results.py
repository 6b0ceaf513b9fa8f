"""The whole results of a run, as exports read them."""

import pytest
from falcon.testing import Result

from pytest_automation_report.server.store import reads
from support.service import Service, a_test

FAILURE = {"name": "Failure", "type": 4, "value": "E   no", "meta": {"message": "no"}, "is_highlight": True}
ARTIFACT = {"name": "a.png", "url": "https://files.example.com/a.png"}


def results(service: Service, run: int, query: str = "") -> Result:
    """Ask for results; the URL is beside the contract, so no contract is checked."""
    return service.raw("GET", f"/api/v1/automation/runs/{run}/results{query and '?'}{query}")


def test_results_have_all_that_was_sent(service: Service) -> None:
    """Fields, artifacts, place and reason of a result come back; one without them has empty lists and nulls."""
    thread = service.new_thread(run := service.new_run())
    rich = {"fields": [FAILURE], "artifacts": [ARTIFACT], "file": "tests/a.py", "line": 3, "elapsed": 5}
    service.append(thread, a_test(1, "failed", **rich), a_test(2, "untested"))
    result = results(service, run).json["result"]
    first, second = result["tests"]
    assert result["next"] is None
    sent = {**rich, "key": "key1", "status": 3, "status_name": "failed", "thread_id": thread, "phase": "call"}
    assert {name: first[name] for name in sent} == sent
    assert len(first["fingerprint"]) == 16
    bare = {"status": 1, "status_name": "untested", "fields": [], "artifacts": [], "file": None, "fingerprint": None}
    assert {name: second[name] for name in bare} == bare


def test_pages(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each result is on one page, also if others arrive in between; a page ends when its texts are long."""
    monkeypatch.setattr(reads, "PAGE_RESULTS", 2)
    run, other = service.new_run(), service.new_run()
    thread = service.new_thread(run)
    service.append(thread, *map(a_test, range(3)))
    service.append(service.new_thread(other), a_test(9))
    service.append(thread, a_test(3), a_test(4, "failed"))
    pages: list[list[str]] = []
    after: int | None = 0
    while after is not None:
        result = results(service, run, f"after={after}").json["result"]
        pages.append([test["key"] for test in result["tests"]])
        after = result["next"]
    assert pages == [["key0", "key1"], ["key2", "key3"], ["key4"]]
    monkeypatch.setattr(reads, "PAGE_CHARACTERS", 1)
    long = service.new_run()
    service.append(service.new_thread(long), *(a_test(number, "failed", fields=[FAILURE]) for number in range(2)))
    first = results(service, long).json["result"]
    assert ([test["key"] for test in first["tests"]], first["next"] is None) == (["key0"], False)


def test_only_failures(service: Service) -> None:
    """The list can be restricted to classes of results, as the API's list can; mistakes are told as in the API."""
    run = service.new_run()
    service.append(service.new_thread(run), a_test(1), a_test(2, "failed"), a_test(3, "skipped"))
    result = results(service, run, "status_id=1,3").json["result"]
    assert [test["key"] for test in result["tests"]] == ["key2", "key3"]
    wrong = results(service, run, "after=x&status_id=9")
    assert (wrong.status_code, sorted(wrong.json["errors"])) == (422, ["after", "status_id"])
    assert results(service, 99).status_code == 404
    closed = service.raw("GET", f"/api/v1/automation/runs/{run}/results", Authorization="Bearer no")
    assert closed.status_code == 401
