"""What the store derives from results and runs, and reads of them."""

import json
from typing import Any

import pytest
from falcon.testing import Result
from msgspec.json import encode

from pytest_automation_report.api.text_fields import read_fields
from pytest_automation_report.server.store import reads
from pytest_automation_report.server.store.database import StoreConnection
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.values import ResultClass, StoredAttachment, StoredTest
from pytest_automation_report.server.store.writes import Derived, derived, renew_reasons, run_columns
from support.service import Service, a_test
from support.website import failed_attempt

PASSED, FAILED, NEUTRAL = ResultClass.SUCCESS, ResultClass.FAILURE, ResultClass.NEUTRAL


def a_result(*fields: dict[str, object], name: str = "test_a", folder: str = "tests.test_cart") -> StoredTest:
    read = read_fields(fields, has_failed=True, has_passed=False)
    return StoredTest("k", name, folder, 3, file="tests/test_cart.py", causes=encode(read.causes).decode())


def failure(message: str = "assert 3 == 4", name: str = "Failure", **more: object) -> dict[str, object]:
    return {"name": name, "type": 5, "value": "text", "meta": {"message": message}, "is_highlight": True, **more}


def told(message: str, phase: str) -> dict[str, object]:
    return failure(meta={"message": message, "phase": phase})


@pytest.mark.parametrize(
    ("test", "result_class"),
    [(a_result(), PASSED), (a_result(), NEUTRAL), (a_result(failure()), NEUTRAL)],
    ids=["passed", "skipped", "expected-failure"],
)
def test_nothing_is_derived(test: StoredTest, result_class: int) -> None:
    """A test that passed at once, and one that decides nothing, have no derived columns."""
    assert derived(test, result_class) == Derived()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"attempts": [failed_attempt(1)]}, 1),
        ({"attempts": [failed_attempt(2), failed_attempt(1)]}, 2),
        ({"attempts": [{"number": 3}]}, 3),  # of a client of an earlier release
        ({"attempts": []}, None),
        ({"attempts": [{"number": 0}]}, None),
        ({"fields": [{"name": "Attempts", "value": "7", "type": 1, "meta": {"counts": "attempts"}}]}, None),
    ],
)
def test_failed_attempts(service: Service, sent: dict[str, Any], expected: int | None) -> None:
    """The attempts before the last one are those that failed; what fields say of attempts means nothing."""
    thread = service.new_thread(service.new_run())
    service.append(thread, a_test(1, **sent))
    (found,) = service.store.read(lambda connection: connection.rows('SELECT "failed_attempts" FROM "result"'))
    assert found["failed_attempts"] == expected


def test_reasons_are_derived_anew(service: Service) -> None:
    """After a change of what makes two reasons one, a migration gives stored failures those of today."""
    thread = service.new_thread(service.new_run())
    service.append(thread, a_test(1), a_test(2, status="failed", fields=[failure()]))
    sql = 'SELECT "phase", "message", "fingerprint" FROM "result" ORDER BY "id"'
    told = service.store.read(lambda connection: connection.execute(sql))
    assert told[0] == (None, None, None)

    def change(connection: StoreConnection) -> None:
        connection.execute('UPDATE "result" SET "message" = \'old\', "fingerprint" = 7 WHERE "fingerprint" IS NOT NULL')
        renew_reasons(connection, 1, connection.number('SELECT MAX("id") FROM "result"'))

    service.store.write(lambda writer: change(writer.connection))
    assert service.store.read(lambda connection: connection.execute(sql)) == told


OUTPUT: dict[str, object] = {"name": "Output", "value": "o"}


@pytest.mark.parametrize(
    ("test", "phase", "message"),
    [
        pytest.param(a_result(failure()), "call", "assert 3 == 4", id="call"),
        pytest.param(a_result(failure('failed on setup with "E: x"', "Error")), "setup", "E: x", id="setup"),
        pytest.param(a_result(told('failed on setup with "x"', "call")), "call", "x", id="said-call"),
        pytest.param(a_result(told("E: full", "teardown")), "teardown", "E: full", id="said-teardown"),
        pytest.param(a_result(told("E: full", "lunch")), "call", "E: full", id="said-nothing"),
        pytest.param(a_result(failure("first\nsecond")), "call", "first", id="first-line"),
        pytest.param(a_result(failure("x y " * 75)), "call", "x y " * 50, id="long"),
        pytest.param(a_result(OUTPUT, failure(is_highlight=False)), "call", "assert 3 == 4", id="not-highlighted"),
        pytest.param(a_result(failure("E: x", "Error"), name="tests.test_cart"), "collection", "E: x", id="collection"),
        pytest.param(a_result(OUTPUT), "call", "", id="no-failure-field"),
        pytest.param(a_result(), "call", "", id="no-fields"),
    ],
)
def test_failure(test: StoredTest, phase: str, message: str) -> None:
    """Each failure has a phase, the first line of its message and a fingerprint of 64 bits."""
    found = derived(test, FAILED)
    assert (found.phase, found.message) == (phase, message)
    assert found.fingerprint is not None
    assert -(2**63) <= found.fingerprint < 2**63


def fields(**values: object) -> list[StoredAttachment]:
    names = {name.replace("_", " "): value for name, value in values.items()}
    return [StoredAttachment("fields", json.dumps({"name": name, "value": value})) for name, value in names.items()]


@pytest.mark.parametrize(
    ("attachments", "expected"),
    [
        (fields(Branch="main", Commit="a1b2"), {"branch": "main", "commit": "a1b2"}),
        (fields(Target_branch="main", Selection="-k cart"), {"target_branch": "main", "selection": "-k cart"}),
        (fields(Branch="", Other="x"), {}),
        (fields(Branch=None), {}),
        ([StoredAttachment("links", json.dumps({"name": "Commit", "url": "https://example.com"}))], {}),
        ([], {}),
    ],
)
def test_run_columns(attachments: list[StoredAttachment], expected: dict[str, object]) -> None:
    """A run's branch, commit and selection are those of its fields; links of the same name are not."""
    assert run_columns(attachments) == expected


FAILURE = {"name": "Failure", "type": 4, "value": "E   no", "meta": {"message": "no"}, "is_highlight": True}
ARTIFACT = {"name": "a.png", "url": "https://files.example.com/a.png"}


def results(service: Service, run: int, query: str = "") -> Result:
    """Ask for results; the URL is beside the contract, so no contract is checked."""
    return service.raw("GET", f"/api/v1/automation/runs/{run}/results{query and '?'}{query}")


def test_results_have_all_that_was_sent(service: Service) -> None:
    """Causes, artifacts, place and reason of a result come back; one without them has empty lists and nulls."""
    thread = service.new_thread(run := service.new_run())
    rich = {"fields": [FAILURE], "artifacts": [ARTIFACT], "file": "tests/a.py", "line": 3, "elapsed": 5}
    service.append(thread, a_test(1, "failed", **rich), a_test(2, "untested"))
    result = results(service, run).json["result"]
    first, second = result["tests"]
    assert result["next"] is None
    causes = [{"kind": "failure", "name": "Failure", "text": "E   no", "message": "no"}]
    sent = {
        **rich,
        "fields": [],
        "causes": causes,
        "key": "key1",
        "status": 3,
        "status_name": "failed",
        "thread_id": thread,
        "phase": "call",
    }
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


def a_run(service: Service, source: str, *numbers: int, project: int = 1) -> int:
    return service.completed_run(*map(a_test, numbers), project_id=project, source=source)


def test_first_run_of_a_renamed_source(service: Service) -> None:
    """It names the older source and its number of runs; later runs and runs of the older source name none."""
    a_run(service, "small", *range(10))
    older = [a_run(service, "shop", *range(300)) for _ in range(2)]
    first = a_run(service, "shop-app", *range(250), *range(400, 500))
    assert findings(service.store, first)["earlier_source"] == {"name": "shop", "runs": 2}
    later = a_run(service, "shop-app", *range(250))
    assert findings(service.store, later)["earlier_source"] is None
    assert [findings(service.store, run)["earlier_source"] for run in older] == [None, None]


def test_of_two_older_sources_the_newer_one(service: Service) -> None:
    """Of sources with the same tests the one that was begun last is named: an earlier change of name led to it."""
    for source in ("a-shop", "b-shop"):
        a_run(service, source, *range(8))
    found = findings(service.store, a_run(service, "c-shop", *range(8)))
    assert found["earlier_source"] == {"name": "b-shop", "runs": 1}


@pytest.mark.parametrize(
    ("before", "tests", "project"),
    [(range(8), range(5, 20), 1), (range(4), range(4), 1), (range(8), range(8), 2), (range(8), range(0), 1)],
    ids=["other-tests", "few-tests", "other-project", "no-tests"],
)
def test_a_source_that_is_new(service: Service, before: range, tests: range, project: int) -> None:
    """Without half of the tests, with few tests, or in another project, a new source has no older one."""
    a_run(service, "shop", *before)
    run = a_run(service, "library", *tests, project=project)
    assert findings(service.store, run)["earlier_source"] is None
