"""A new source whose tests have a history under another name."""

import pytest

from pytest_automation_report.server.store.findings import findings
from support.service import Service, a_test


def a_run(service: Service, source: str, *numbers: int, project: int = 1) -> int:
    """Store a completed run of these tests and return its id."""
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
