from importlib.resources import files

import yaml

from pytest_automation_report.server.api.bodies import NAME_LENGTH
from pytest_automation_report.server.store import values
from support.service import ON_SQLITE, Service, a_test


def test_the_status_table_is_that_of_the_contract() -> None:
    """Ids, names, aliases, flags and the number of the count are those of the packaged contract."""
    contract = files("pytest_automation_report").joinpath("openapi.yaml")
    document = yaml.safe_load(contract.read_text(encoding="utf-8"))
    table = document["components"]["schemas"]["StatusExpand"]["x-default-statuses"]["statuses"]
    names = ("id", "name", "system_name", "is_final", "is_untested", "is_passed", "is_failed")
    ours = [
        {
            **{name: getattr(each, name) for name in names},
            "count": values.slot_name(each.id),
            "class": int(each.result_class),
            "aliases": list(each.aliases),
        }
        for each in values.RESULT_STATUSES.values()
    ]
    assert ours == table


def test_every_alias_is_counted_in_the_run_and_in_its_thread(service: Service) -> None:
    """The counts follow the contract's numbering, and the run's are the sums of its threads'."""
    run_id = service.new_run()
    threads = [service.new_thread(run_id) for _ in range(2)]
    for number, alias in enumerate(values.STATUS_IDS):
        service.append(threads[number % 2], a_test(number, alias))
    run = service.run(run_id)
    by_status = {f"status{number}_count": count for number, count in ((1, 4), (2, 4), (3, 1), (4, 1), (5, 2))}
    expected = {
        **by_status, "untested_count": 1, "success_count": 4, "failure_count": 4, "completed_count": 11,
        "total_count": 13,
    }  # fmt: skip
    assert {name: run[name] for name in values.COUNT_NAMES if run[name]} == expected
    for name in values.COUNT_NAMES:
        assert run[name] == sum(thread[name] for thread in run["threads"])


def test_an_append_with_one_bad_test_stores_nothing(service: Service) -> None:
    """An append is all or nothing, its durations, fields and artifacts included."""
    run_id = service.new_run()
    thread_id = service.new_thread(run_id)
    body = {
        "elapsed_observed": 5,
        "fields": [{"type": 1, "name": "f"}],
        "tests": [a_test(number) for number in range(30)] + [a_test(30, key="UPPER")],
    }
    answer = service.post(f"/automation/runs/threads/{thread_id}/append", body)
    assert list(answer.json["errors"]) == ["tests.30.key"]
    thread = service.run(run_id)["threads"][0]
    assert (thread["total_count"], thread["elapsed"], thread["fields"]) == (0, None, [])


def test_tests_are_listed_with_what_they_were_sent_with(service: Service) -> None:
    """A result shows key, name, folder, class, time and thread."""
    thread_id = service.new_thread(run_id := service.new_run())
    service.append(thread_id, a_test(5, "skipped", elapsed=12, file="a.py", line=3, assertions=0, unknown="ignored"))
    (test,) = service.get(f"/automation/runs/{run_id}/tests").json["result"]
    assert test == {
        "automation_test_id": 1, "automation_case_id": 1, "repository_case_id": None, "repository_case_ids": [],
        "key": "key5", "name": "test_5", "folder": "tests.a", "status": 1, "elapsed": 12, "thread_id": thread_id,
        "created_at": "2023-11-14T22:13:20.000Z",
    }  # fmt: skip


def test_the_same_key_twice_is_two_results_of_one_case(service: Service) -> None:
    """Nothing is merged; the case's id joins results of a source across runs, but not across sources."""
    cases = []
    for source in ("one", "one", "two"):
        run_id = service.new_run(source=source)
        service.append(service.new_thread(run_id), a_test(1), a_test(1, "failure"))
        page = service.get(f"/automation/runs/{run_id}/tests").json
        assert page["total"] == 2
        cases.append({test["automation_case_id"] for test in page["result"]})
    assert cases[0] == cases[1] != cases[2]
    assert all(len(each) == 1 for each in cases)


def test_tests_are_paged_sorted_and_filtered(service: Service) -> None:
    """Order and filters do what the contract says, and totals come from the counts."""
    run_id = service.new_run()
    first, second = service.new_thread(run_id), service.new_thread(run_id)
    words = ("passed", "failure", "skipped")
    service.append(first, *(a_test(number, words[number % 3], elapsed=number) for number in range(120)))
    service.append(second, a_test(500, "error", name="zzz"))

    def listed(query: str) -> tuple[list[str], int]:
        page = service.get(f"/automation/runs/{run_id}/tests", query).json
        return [test["name"] for test in page["result"]], page["total"]

    newest = ["zzz", *(f"test_{number}" for number in range(119, 20, -1))]
    assert listed("") == (newest, 121)
    assert listed("order=asc&page=2") == ([f"test_{number}" for number in range(100, 120)] + ["zzz"], 121)
    assert listed(f"thread_id={second}") == (["zzz"], 1)
    elsewhere = service.new_thread(service.new_run())
    service.append(elsewhere, a_test())
    assert listed("thread_id=99") == listed(f"thread_id={elsewhere}") == ([], 0)
    assert listed(f"thread_id={first}&status_id=3")[1] == 40
    assert listed("status_id=3&order=asc")[0][:2] == ["test_1", "test_4"]
    assert listed("status_id=1,2")[1] == 80
    assert listed("status_id=4") == ([], 0)
    assert listed("sort=automation_run_tests:name")[0][0] == "zzz"
    assert listed("sort=automation_run_tests:elapsed")[0][0] == "test_119"
    assert listed("sort=automation_run_tests:status")[0][:2] == ["zzz", "test_118"]
    assert listed("per_page=1000&sort=automation_run_tests:created_at&order=asc")[0][0] == "test_0"
    assert service.get("/automation/runs/99/tests").status_code == 404


def test_texts_are_stored_as_they_are(service: Service) -> None:
    """Quotes, commas, braces and the word NULL in a name change nothing, nor its length; its order is of characters."""
    texts = (
        '"', "\\", '\\"', "NULL", "null", "{a,b}", "{", " a ", "a,b", "'", "\n\t", "\u2028", "\U0001f600", "%s ?",
        "a::b/c", "x" * NAME_LENGTH, "a", "B", "_c", "Z", "\xe9", "10", "9",
    )  # fmt: skip
    thread_id = service.new_thread(service.new_run())
    fields = [{"type": 4, "name": "Output", "value": "v" * 200_000, "meta": {}}] * 49
    tests = [a_test(number, name=text, folder=text) for number, text in enumerate(texts)]
    service.append(thread_id, {**tests[0], "fields": fields}, *tests[1:])
    for order, expected in (("", list(texts)), ("&sort=automation_run_tests:name", sorted(texts))):
        found = service.get("/automation/runs/1/tests", f"order=asc&per_page=100{order}").json["result"]
        assert [(test["name"], test["folder"]) for test in found] == [(text, text) for text in expected]


@ON_SQLITE
def test_reading_a_run_costs_the_same_whatever_it_holds(service: Service) -> None:
    """The database looks at as many rows for a run with 2,000 results as for one with 20."""
    costs = []
    for amount in (20, 2_000):
        run_id = service.new_run()
        service.append(service.new_thread(run_id), *(a_test(number) for number in range(amount)))
        service.run(run_id)
        connection = service.file._readers.queue[-1].raw
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        connection.set_progress_handler(count, 1)
        service.run(run_id)
        connection.set_progress_handler(None, 0)
        costs.append(steps)
    assert costs[1] <= costs[0] * 1.2
