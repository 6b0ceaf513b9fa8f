import json
from itertools import product
from typing import Any

import pytest

from pytest_automation_report.server.api.bodies import NAME_LENGTH
from pytest_automation_report.server.store import values
from support.contract import contract
from support.service import API, ON_SQLITE, SECOND, START, Service, a_test

RUNS = "/projects/1/automation/runs"
MOMENT = "2023-11-14T22:13:{:02}.000Z"
EVERYTHING = "automation_sources,configs,milestones,statuses,users"


def _ids(service: Service, query: str) -> list[int]:
    page = service.get(RUNS, f"order=asc&{query}").json
    assert page["total"] == len(page["result"])
    return [run["id"] for run in page["result"]]


def _many_runs(service: Service) -> list[dict[str, Any]]:
    """Make runs with every combination of source, configuration, milestone and tags, some of them completed."""
    for number, (source, config, milestone, tags) in enumerate(
        product("ab", "cd", "mn", ([], ["x"], ["x", "y"], ["z", "z"]))
    ):
        service.clock.now = START + number * SECOND
        run_id = service.new_run(source=source, config=config, milestone=milestone, tags=tags)
        if number % 3 == 0:
            service.append(service.new_thread(run_id), a_test(status="failed" if number % 2 else "passed"))
            service.complete(run_id)
    page: list[dict[str, Any]] = service.get(RUNS, "order=asc").json["result"]
    assert len(page) == 32
    return page


@pytest.mark.postgresql
def test_every_filter_works_alone_and_with_every_other(service: Service) -> None:
    """A run is listed exactly when it fits each filter, whichever filters are combined."""
    runs = _many_runs(service)
    chosen: dict[str, tuple[str, Any]] = {
        "status": ("2,4", lambda run: run["status"] in (2, 4)),
        "state": ("4,3", lambda run: run["status"] in (3, 4)),
        "source_id": ("2", lambda run: run["source_id"] == 2),
        "config_id": ("1,7", lambda run: run["config_id"] == 1),
        "milestone_id": ("2,1", lambda run: run["milestone_id"] in (1, 2)),
        "tags": ("y,z", lambda run: {"y", "z"} & set(run["tags"])),
        "created_by": ("1", lambda run: run["created_by"] == 1),
        "created_after": (MOMENT.format(25), lambda run: run["created_at"] > MOMENT.format(25)),
        "created_before": (MOMENT.format(45), lambda run: run["created_at"] < MOMENT.format(45)),
    }
    names = list(chosen)
    for subset in range(1, 2 ** len(names)):
        used = [name for bit, name in enumerate(names) if subset >> bit & 1]
        if 2 < len(used) < len(names) - 1:
            continue
        query = "&".join(f"{name}={chosen[name][0]}" for name in used)
        expected = [run["id"] for run in runs if all(chosen[name][1](run) for name in used)]
        assert _ids(service, query) == expected, query


def test_a_run_is_found_by_any_of_its_tags(service: Service) -> None:
    """Tags are compared whole, with their case and as they were stored; a run that has several is listed once."""
    first = service.new_run(tags=["smoke", "main", "smoke"])
    second = service.new_run(tags=["Smoke", "caf\u00e9 ol\u00e9"])
    service.new_run()
    answer = service.raw("POST", f"{API}{RUNS}", b'{"name": "n", "source": "s", "tags": ["a\\u0000b"]}')
    cases: dict[str, list[int]] = {
        "smoke": [first], "smoke,main": [first], "Smoke,main": [first, second], "smok": [], "%25": [],
        "caf%C3%A9+ol%C3%A9": [second], ",": [], "a%00b": [answer.json["id"]],
    }  # fmt: skip
    for query, expected in cases.items():
        assert _ids(service, f"tags={query}") == expected, query


@pytest.mark.postgresql
def test_runs_of_a_branch_and_those_without_one_are_found(service: Service) -> None:
    """An empty branch finds the runs whose client named none."""
    main = service.new_run(fields=[{"type": 1, "name": "Branch", "value": "main"}])
    without = service.new_run()
    assert (_ids(service, "branch=main"), _ids(service, "branch=")) == ([main], [without])


@pytest.mark.postgresql
def test_expands_hold_what_the_rows_of_the_page_refer_to(service: Service) -> None:
    """Each list has each record once, by id, and nothing that only other pages refer to."""
    for number in range(16):
        service.new_run(source=f"s{number % 3}", config=f"c{number % 2}", milestone="m")
    service.new_run(2, source="elsewhere", config="c0")
    first = service.get(RUNS, f"order=asc&per_page=15&expands={EVERYTHING}").json["expands"]
    assert list(first) == EVERYTHING.split(",")
    assert first["automation_sources"] == [{"id": each + 1, "name": f"s{each}"} for each in range(3)]
    assert first["configs"] == [{"id": 1, "name": "c0"}, {"id": 2, "name": "c1"}]
    assert first["milestones"] == [{"id": 1, "name": "m"}]
    statuses = enumerate(("untested", "passed", "failed", "retest", "blocked", "skipped"), 1)
    assert [(each["id"], each["system_name"]) for each in first["statuses"]] == list(statuses)
    assert [each["id"] for each in first["users"]] == [1]
    second = service.get(RUNS, "order=asc&per_page=15&page=2&expands=configs,automation_sources").json["expands"]
    assert second == {"configs": [{"id": 2, "name": "c1"}], "automation_sources": [{"id": 1, "name": "s0"}]}


@pytest.mark.postgresql
def test_expands_of_one_run_and_of_nothing(service: Service) -> None:
    """A run without configuration has none to show, and an empty page refers to nobody."""
    run_id = service.new_run()
    shown = service.get(f"/automation/runs/{run_id}", f"expands={EVERYTHING}").json["expands"]
    assert (shown["automation_sources"], shown["configs"]) == ([{"id": 1, "name": "a-source"}], [])
    assert service.get(f"/automation/runs/{run_id}").json["expands"] == {}
    empty = service.get(RUNS, f"status=3&expands={EVERYTHING}").json
    assert [len(empty["expands"][name]) for name in EVERYTHING.split(",")] == [0, 0, 0, 6, 0]
    assert [empty[name] for name in ("page", "prev_page", "next_page", "last_page")] == [None] * 4
    assert (empty["total"], empty["result"]) == (0, [])


def test_sources_expand_their_users(service: Service) -> None:
    """List and single source both show who made them."""
    service.new_run()
    for path in ("/projects/1/automation/sources", "/automation/sources/1"):
        users = service.get(path, "expands=users").json["expands"]
        assert users == {"users": [{"id": 1, "name": "Embedded server"}]}
        assert service.get(path).json["expands"] == {}
    assert service.get("/projects/1/automation/sources", "is_retired=1&expands=users").json["expands"] == {"users": []}


def test_a_thread_has_the_properties_of_the_contract_in_its_order(service: Service) -> None:
    """The text of a response names each property once, those of attachments that were not sent are null."""
    run_id = service.new_run()
    name = 'a "quoted" \u20ac %s \u0001 name'
    file = {"name": name, "url": "https://files.example.com/log"}
    thread_id = service.new_thread(run_id, fields=[{"type": 2, "name": name}], artifacts=[file])
    service.append(thread_id, a_test(0), a_test(1, status="failed"), elapsed_computed=7)
    pairs = json.loads(service.get(f"/automation/runs/{run_id}").text, object_pairs_hook=list)
    (thread,) = dict(dict(pairs)["result"])["threads"]
    names = ["untested_count", *(f"status{number}_count" for number in range(1, 25)), "success_count", "failure_count"]
    counts = dict.fromkeys(names, 0)
    counts |= {"status1_count": 1, "status2_count": 1, "success_count": 1, "failure_count": 1}
    assert thread == [
        ("id", thread_id), ("index", 1), ("name", "Thread 1"), ("status", 4), ("elapsed", 7), ("is_completed", False),
        *{**counts, "completed_count": 2, "total_count": 2}.items(),
        ("artifacts", [[("name", name), ("note", None), ("url", file["url"]), ("mime_type", None), ("size", None)]]),
        ("fields", [[("type", 2), ("name", name), ("value", None), ("meta", [])]]), ("created_at", MOMENT.format(20)),
        ("created_by", 1), ("completed_at", None), ("completed_by", None), ("session", []),
    ]  # fmt: skip


def test_each_thread_of_a_list_has_its_own_fields(service: Service) -> None:
    """Fields, artifacts and threads of several runs and threads, sent in turns, each stand where they were sent."""
    runs = [service.new_run(links=[{"name": f"link {number}", "url": "https://ci.example.com"}]) for number in range(2)]
    threads = [service.new_thread(run_id) for _ in range(2) for run_id in runs]
    for part in range(2):
        for thread_id in threads:
            service.append(thread_id, fields=[{"type": 1, "name": f"field {thread_id}.{part}", "value": "v"}])
    listed = service.get("/projects/1/automation/runs", "order=asc").json["result"]
    assert [[link["name"] for link in run["links"]] for run in listed] == [["link 0"], ["link 1"]]
    assert [[thread["id"] for thread in run["threads"]] for run in listed] == [threads[::2], threads[1::2]]
    for run in listed:
        for thread in run["threads"]:
            assert [field["name"] for field in thread["fields"]] == [f"field {thread['id']}.{n}" for n in range(2)]


def test_the_status_table_is_that_of_the_contract() -> None:
    """Ids, names, aliases, flags and the number of the count are those of the contract."""
    table = contract()["components"]["schemas"]["StatusExpand"]["x-default-statuses"]["statuses"]
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


@pytest.mark.postgresql
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


@pytest.mark.postgresql
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
        connection = service.reader.raw
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
