"""Findings and overviews for pages: those of completed runs are read, those of open ones computed now and then."""

from pytest_automation_report.server.pages.run.page import RunDocuments
from support.service import a_test
from support.website import Site, failing


def test_documents_of_a_large_open_run_are_kept_for_a_while(site: Site) -> None:
    """Those of 5,001 results are kept for a second, those of few are never behind; a completed run is read."""
    seconds = [0.0]
    documents = RunDocuments(site.service.store, clock=lambda: seconds[0])

    def files(run: int) -> int:
        return sum(sum(entry["counts"].values()) for entry in documents.of(run, None).overview["files"])

    run = site.run_of(*map(a_test, range(4_999)), is_open=True)
    thread = site.service.run(run)["threads"][0]["id"]
    assert files(run) == 4_999
    for number in range(4_999, 5_002):
        site.service.append(thread, failing(number))
        assert files(run) == min(5_001, number + 1)
    seconds[0] = 1.1
    assert files(run) == 5_002
    site.service.append(thread, failing(5_002))
    site.service.post(f"/automation/runs/{run}/complete", {})
    assert files(run) == 5_003
