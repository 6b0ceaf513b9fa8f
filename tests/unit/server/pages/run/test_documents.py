"""Findings and overviews for pages: those of completed runs are read, those of open ones computed now and then."""

from pytest_automation_report.server.pages.run.documents import RunDocuments
from support.service import a_test
from support.website import Site, failing


def test_documents_of_a_large_open_run_are_kept_for_ten_times_their_cost(site: Site) -> None:
    """What costs 0.2 s is computed each 2 s at most; what costs little is never behind; a completed run is read."""
    seconds, cost = [0.0], [0.2]
    spent = [0.0]

    def cpu() -> float:
        spent[0] += cost[0]
        return spent[0]

    documents = RunDocuments(site.service.store, clock=lambda: seconds[0], cpu=cpu)

    def files(run: int) -> int:
        return sum(sum(entry["counts"].values()) for entry in documents.of(run, None).overview["files"])

    run = site.run_of(a_test(0), is_open=True)
    thread = site.service.run(run)["threads"][0]["id"]
    assert files(run) == 1
    site.service.append(thread, failing(1))
    seconds[0] = 1.9
    assert files(run) == 1
    seconds[0] = 2.1
    assert files(run) == 2
    site.service.append(thread, failing(2))
    site.service.post(f"/automation/runs/{run}/complete", {})
    assert files(run) == 3
    cost[0] = 0.01
    small = site.run_of(a_test(0), is_open=True)
    assert files(small) == 1
    site.service.append(site.service.run(small)["threads"][0]["id"], a_test(1))
    assert files(small) == 2
