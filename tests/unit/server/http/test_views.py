import json

from pytest_automation_report.server.store.values import COUNT_NAMES
from support.service import Service, a_test


def test_a_thread_has_the_properties_of_the_contract_in_its_order(service: Service) -> None:
    """The text of a response names each property once, those of attachments that were not sent are null."""
    run_id = service.new_run()
    name = 'a "quoted" \u20ac %s \u0001 name'
    file = {"name": name, "url": "https://files.example.com/log"}
    thread_id = service.new_thread(run_id, fields=[{"type": 2, "name": name}], artifacts=[file])
    service.append(thread_id, a_test(0), a_test(1, status="failed"), elapsed_computed=7)
    pairs = json.loads(service.get(f"/automation/runs/{run_id}").text, object_pairs_hook=list)
    (thread,) = dict(dict(pairs)["result"])["threads"]
    counts = dict.fromkeys(COUNT_NAMES, 0)
    counts |= {"status1_count": 1, "status2_count": 1, "success_count": 1, "failure_count": 1}
    assert thread == [
        *(
            ("id", thread_id),
            ("index", 1),
            ("name", "Thread 1"),
            ("status", 4),
            ("elapsed", 7),
            ("is_completed", False),
        ),
        *{**counts, "completed_count": 2, "total_count": 2}.items(),
        ("artifacts", [[("name", name), ("note", None), ("url", file["url"]), ("mime_type", None), ("size", None)]]),
        ("fields", [[("type", 2), ("name", name), ("value", None), ("meta", [])]]),
        *(
            ("created_at", "2023-11-14T22:13:20.000Z"),
            ("created_by", 1),
            ("completed_at", None),
            ("completed_by", None),
        ),
    ]


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
