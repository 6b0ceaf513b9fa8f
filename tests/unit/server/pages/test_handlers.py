import re
from html import unescape

import pytest

from pytest_automation_report.findings.flakiness import evidence_words
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.values import unreachable
from support.service import a_test
from support.website import HOSTILE, RETRIED, Site, failing, field, hostile, links, missing, on, said


def test_a_status_that_is_neither_passed_nor_failed_is_shown(site: Site) -> None:
    """It is shown, counted and filtered like any other."""
    run = site.run_of(a_test(0), a_test(1, "blocked"))
    assert "1 blocked, 1 passed" in site.shown("/projects/1")
    assert "test_1" in site.text(f"/runs/{run}?status=5")
    assert "test_0" not in site.text(f"/runs/{run}?status=5")


def test_hostile_values_stay_text(site: Site) -> None:
    """A value that is markup, a template or a turn of direction is shown as the characters that it has."""
    run, test = hostile(site)
    views = [f"/runs/{run}?view={view}" for view in ("failures", "tests&group=none", "changes", "time", "details")]
    foreign = r"<script(?! type=\"module\" src=\"/static/)|<img src=x|<b>x|<b>note|\u202e|javascript:[^<]*\""
    for path in ("/", *views, f"/runs/{run}?group=file", f"/runs/{run}/live", f"/results/{test}"):
        html = site.shown(path)
        assert not re.search(foreign, html), path
        assert "{{7*7}}\\u202eabc" in unescape(html)
        assert [link for link in links(html) if not re.match(r"/|#|\?|https://evil\.test/", link)] == []
    assert HOSTILE.replace("\u202e", "\\u202e") in unescape(site.shown(f"/results/{test}"))
    # What stands in an address is text, too.
    for query in ("q=%00%ff%22%3E%3Cscript%3E", "folder=%22%3E%3Cscript%3E", "q=a&q=%3Cscript%3E"):
        html = site.shown(f"/runs/{run}?{query}")
        assert "<script>" not in html
        assert "&lt;script&gt;" in html or "%3Cscript" in html


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/runs/1", "page=0 page=x status=26 status=faild view=all change=other base=main reason=xyz sort=name"),
        ("/runs/1", "group=folder lane=5.71.79 lane=gw0"),
        ("/results/1", "attempt=0 attempt=x show=x out=x pictures=x history=x"),
        ("/projects/1", "page=0 page=-1 page=x source=x status=blue status=9"),
    ],
)
def test_a_wrong_parameter_is_named(site: Site, path: str, queries: str) -> None:
    """People edit addresses: the page shows what it can, and says which part of the address it left out, and why."""
    site.run_of(a_test())
    for query in queries.split():
        answer = site.get(f"{path}?{query}")
        is_named = f"{query} is left out: it must be" in said(answer.text)
        assert (answer.status_code, is_named) == (200, True), query


@pytest.mark.parametrize(
    ("changes", "words"),
    [("", ""), ("d1", " + changes"), ("unknown", ", changes unknown")],
    ids=["no", "known", "unknown"],
)
def test_a_commit_is_named_with_its_changes(site: Site, changes: str, words: str) -> None:
    """Wherever a page names the commit of a run whose files differed from it, it says that they did."""
    properties = on("main", field("Changes", changes), commit="9d5b37ac0ffee")
    for test in (failing(0, message="before"), failing()):
        run = site.run_of(a_test(1), test, **properties)
        findings(site.service.store, run)
    result, *_ = (link for link in links(site.shown(f"/runs/{run}")) if link.startswith("/results/"))
    views = [f"/runs/{run}?view={view}" for view in ("failures", "tests", "changes", "time", "details")]
    for path in ("/sources/1", "/projects/1", *views, result, "/tests/2"):
        html = unescape(site.shown(path))
        named = re.findall(r"9d5b37a(?!c0ffee)([^<\n\"·]*)", html)
        # What may stand behind it: of which run it is, and when that was.
        named = [re.split(r" with|, \d\d? Nov", name)[0].rstrip(" .,") for name in named]
        assert (path, set(named)) == (path, {words})
    assert f"#1 main 9d5b37a{words} ·" in site.text(f"/runs/{run}?view=changes")


@pytest.mark.parametrize(
    ("letters", "properties", "words"),
    [
        ("ppr", {}, "a first attempt failed in 1 of 3 runs"),
        ("pfpr", {}, "a first attempt failed in 1 of 4 runs; failed in 1 run between two that passed"),
        ("fp", {"commit": "c0ffee"}, "passed and failed with the same files"),
        ("pfpfp", {"commit": ""}, ""),
        ("pfpfp" + "x", {}, "failed in 2 runs, each between two that passed"),
    ],
    ids=["retry", "retry and failure", "one commit", "no commit", "outage"],
)
def test_all_places_call_the_same_tests_flaky(site: Site, letters: str, properties: dict[str, str], words: str) -> None:
    """Findings, the pages of suite, run and test, and the report say the same of a test, with the same evidence."""
    made = {"p": a_test(1), "f": failing(1), "r": a_test(1, **RETRIED)}
    others = [a_test(number) for number in range(2, 21)]
    run = 0
    for number, letter in enumerate(letters):
        tests = [failing(number) for number in range(1, 21)] if letter == "x" else [made[letter], *others]
        run = site.run_of(*tests, **on("main", **{"commit": f"c{number}", **properties}))
        findings(site.service.store, run)
    entries = findings(site.service.store, run)["flaky"]
    assert [(entry["name"], evidence_words(entry)) for entry in entries if entry["state"] == "flaky"] == (
        [("test_1", words)] if words else []
    )
    suite, test = site.text("/sources/1"), site.text(f"/results/{site.result_ids(run)[0]}")
    assert (f"test_1 {words}" in suite, f"Flaky {words}" in test) == (bool(words), bool(words))
    assert "flaky" in test.lower() if words else "flaky" not in test.lower()


def test_a_failure_began_in_the_same_run_on_every_page(site: Site) -> None:
    """Pages of suite, run and test say since when it fails: not since it was first seen, nor since a branch began."""
    *_, found = (
        findings(site.service.store, site.run_of(failing(1) if letter == "f" else a_test(1), a_test(2), **on(branch)))
        for branch, tests in (("main", "fpfffff"), ("topic", "f"))
        for letter in tests
    )
    (reason,), (test,) = found["reasons"], found["tests"]["still_failing"]
    assert [each and each["run"] for each in (reason["since"], test["since"], reason["first"])] == [3, 3, 1]
    for number, branch in ((7, "main"), (8, "topic")):
        result = site.result_ids(number)[0]
        assert missing(site.text(f"/results/{result}"), "Failing since #3") == [], branch
        assert missing(site.text(f"/runs/{number}?view=failures"), "Failing since #3", "First seen in #1") == [], branch
        assert "since #3" in site.text(f"/sources/1?branch={branch}")


def _remove(site: Site, run: int) -> None:
    """Report two newer runs and remove this one."""
    site.run_of(a_test(), source="backend", name="newer")
    site.run_of(a_test(), source="frontend", name="newest")
    site.remove(run)


def test_a_page_of_an_error_leads_on(site: Site) -> None:
    """It has the search of all suites and the way to them."""
    site.run_of(a_test(0))
    html = site.get("/runs/99").text
    assert missing(html, 'action="/search"', '<nav class="crumbs"', "Not found") == []


def test_long_names_do_not_fill_titles_and_rails(site: Site) -> None:
    """A title has 80 characters of a test's name; in a rail its end can be read, and all of it stands in its title."""
    name = f"test_total_of_many_items_in_the_cart[{'x' * 400}]"
    run = site.run_of(a_test(0, name=name, elapsed=900_000), failing(1))
    html = site.shown(f"/results/{site.result_ids(run)[0]}")
    assert f"<title>✓ {name[:77]}... ·" in html
    assert f'<code title="{name}"><span>{name[:-16]}</span><span>{name[-16:]}</span></code>' in site.shown(
        f"/runs/{run}"
    )


@pytest.mark.postgresql
def test_a_removed_run_leads_to_the_newest_of_its_suite(site: Site) -> None:
    """The page says that the run was removed, and has a way on; a run that never existed is not found."""
    assert [site.get(path).status_code for path in ("/runs/1", "/results/1")] == [404, 404]
    removed = site.run_of(a_test(), source="backend", name="old")
    result = site.result_ids(removed)[0]
    findings(site.service.store, removed)
    _remove(site, removed)
    for path in (f"/runs/{removed}", f"/runs/{removed}?view=tests", f"/automation/runs/view/{removed}"):
        answer = site.get(path)
        while answer.status_code == 302:
            answer = site.get(answer.headers["location"])
        assert (answer.status_code, f"Run #{removed} is no longer stored" in answer.text) == (410, True)
        assert re.findall(r'class="btn first" href="(.*?)"', answer.text) == ["/runs/2"]
    assert site.get(f"/results/{result}").status_code == 410
    for path in ("/runs/4", "/runs/0", "/results/99", "/results/0", "/nothing", "/sources/9"):
        assert site.get(path).status_code == 404, path


def test_a_removed_run_of_an_unknown_suite_leads_to_the_newest_run(site: Site) -> None:
    """Without findings nothing says of which suite it was."""
    removed = site.run_of(a_test(), source="gone")
    _remove(site, removed)
    assert re.findall(r'class="btn first" href="(.*?)"', site.get(f"/runs/{removed}").text) == ["/runs/3"]


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
