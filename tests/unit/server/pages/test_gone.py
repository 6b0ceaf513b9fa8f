import re
from functools import partial

import pytest

from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.maintenance import remove_run
from pytest_automation_report.server.store.values import unreachable
from support.service import a_test
from support.website import Site, missing


def _remove(site: Site, run: int) -> None:
    """Report two newer runs and remove this one."""
    site.run_of(a_test(), source="backend", name="newer")
    site.run_of(a_test(), source="frontend", name="newest")
    site.service.store.write(partial(remove_run, run))


def test_a_removed_run_leads_to_the_newest_of_its_suite(site: Site) -> None:
    """The page says that the run was removed, and has a way on; a run that never existed is not found."""
    removed = site.run_of(a_test(), source="backend", name="old")
    result = site.result_ids(removed)[0]
    findings(site.service.store, removed)
    _remove(site, removed)
    for path in (f"/runs/{removed}", f"/runs/{removed}?view=tests", f"/automation/runs/view/{removed}"):
        answer = site.get(path)
        while answer.status_code == 302:
            answer = site.get(answer.headers["location"])
        assert answer.status_code == 410
        assert f"Run #{removed} is no longer stored" in answer.text
        assert re.findall(r'class="btn first" href="(.*?)"', answer.text) == ["/runs/2"]
    assert site.get(f"/results/{result}").status_code == 410
    for path in ("/runs/4", "/runs/0", "/results/99", "/results/0", "/nothing", "/sources/9"):
        assert site.get(path).status_code == 404, path


def test_a_removed_run_of_an_unknown_suite_leads_to_the_newest_run(site: Site) -> None:
    """Without findings nothing says of which suite it was."""
    removed = site.run_of(a_test(), source="gone")
    _remove(site, removed)
    assert re.findall(r'class="btn first" href="(.*?)"', site.get(f"/runs/{removed}").text) == ["/runs/3"]


def test_an_empty_store_has_removed_nothing(site: Site) -> None:
    """Without a run there is none to lead to."""
    assert [site.get(path).status_code for path in ("/runs/1", "/results/1")] == [404, 404]


def test_the_page_of_a_busy_store_loads_itself_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says that the store is busy, and loads itself again after a while."""

    def refuse(_: object) -> None:
        raise unreachable()

    site.run_of(a_test())
    site.shown("/runs/1")
    monkeypatch.setattr(site.service.store, "read", refuse)
    answer = site.get("/runs/1")
    again = ('<span data-again="5" hidden>', '<a class="btn first" href="/runs/1">Try again</a>')
    assert (answer.status_code, missing(answer.text, *again, "tries again in 5 seconds")) == (429, [])
    assert "data-again" not in site.get("/runs/x").text
