"""The page of a run: what failed, why and since when, what changed, where the time went."""

import re
import time
from html import unescape
from itertools import product
from typing import Any

import pytest

from pytest_automation_report.api.models import Json
from pytest_automation_report.server.pages.run.page import RunDocuments
from pytest_automation_report.server.store.overview import overview
from pytest_automation_report.server.store.removal import remove_run
from pytest_automation_report.server.store.results import PAGE_ROWS, READ_LENGTH
from support.service import SECOND, a_test
from support.website import (
    RETRIED,
    Site,
    chips,
    failed_attempt,
    failing,
    field,
    killed,
    links,
    missing,
    names,
    on,
    said,
)

FILE = {"file": "tests/test_cart.py", "folder": "tests.test_cart"}
OTHER = {"file": "tests/b.py", "folder": "tests.b"}


def nodes(html: str) -> list[str]:
    """Return the nodes of the tree, in their order, each as a reader sees it."""
    found = re.findall(r'<a class="node".*?<span class="name">(.*?)</span><span class="col-strip">', html, re.DOTALL)
    return [said(node) for node in found]


def parameters(count: int, failed: int = 0) -> list[Json]:
    """Return the tests of a parametrized function, of which the first ones fail."""
    return [
        (failing if number < failed else a_test)(number, name=f"test_price[{number}]", **FILE)
        for number in range(count)
    ]


def test_failures_stand_by_reason_and_new_ones_first(site: Site) -> None:
    """Two runs: one reason is new, one has been failing; each card has place, number, since, code, grid and command."""
    steady = [failing(90 + number, message="KeyError: 'id'", **FILE) for number in range(2)]
    site.run_of(*parameters(18), *steady, **on("main", commit="a" * 40))
    run = site.run_of(*parameters(18, 15), *steady, **on("main", commit="b" * 40))
    html, text = site.shown(f"/runs/{run}"), site.text(f"/runs/{run}")
    assert "<h1>17 of 20 tests failed, for 2 reasons</h1>" in html
    assert re.search(r"on main: 15 new since bbbbbbb \([0-9,]+ days ago\), 2 still failing for up to 2 runs", text)
    assert re.search(r'title="Failures \(1\)">Failures\s*<span class="fail">17</span>', html), "tests, not reasons"
    assert re.findall(r"<h2>(New|Still failing|Flaky)</h2>", html) == ["New", "Still failing"]
    first, second = re.findall(r'<details class="cause" id="reason-[0-9a-f]{16}".*?</details>', html, re.DOTALL)
    assert missing(
        first, "data-scope open>", "<var>90</var> == <var>89</var>", '<span class="badge new">New</span>',
        "<code>tests/test_cart.py:29</code> in <code>test_discount</code>", '<span class="hit" data-n="29">',
        "15 of its 18 parameters", "pytest --automation-report-rerun-failed=2:", "last 2 runs: 1 passed, 1 failed",
    ) == []  # fmt: skip
    assert missing(second, "data-scope>", "since #1") == []
    assert first.count('class="fail" x=') == 15
    assert f"/runs/{run}?view=tests&reason={second[27:].partition('-')[2][:16]}" not in links(first)
    assert f"pytest --automation-report-rerun-failed={run}" in text
    assert text.count("Only what is new") == 1


def test_all_of_a_part_is_that_part(site: Site) -> None:
    """*Run again* has the command for the tests that were selected, not for the whole suite."""
    run = site.run_of(a_test(0), fields=[{"name": "Selection", "type": 1, "value": "-k cart tests"}])
    assert "pytest --automation-report -k cart tests</code>" in site.shown(f"/runs/{run}")


def test_a_card_has_the_command_for_its_tests_alone(site: Site) -> None:
    """It names the reason where the functions are many, and a test of a shortened name by the node id that was sent."""
    run = site.run_of(*(failing(number, **FILE) for number in range(6)), a_test(7, **FILE))
    (fingerprint,) = re.findall(r'id="command-([0-9a-f]{16})"', site.shown(f"/runs/{run}"))
    command = f"pytest --automation-report-rerun-failed={run}:{fingerprint}"
    assert command in site.text(f"/runs/{run}")
    assert command in site.get(f"/runs/{run}/failures.txt").text
    test = failing(0, **{**FILE, "name": "test_odd[x ... 83 characters cut"})
    sent = {"type": 1, "name": "Node id", "value": "tests/test_cart.py::test_odd[x y]"}
    odd = site.run_of({**test, "fields": [*test["fields"], sent]})
    assert "pytest 'tests/test_cart.py::test_odd[x y]'" in site.text(f"/runs/{odd}")


def test_squares_stand_by_their_parameters(site: Site) -> None:
    """Workers run parameters in any order; the squares of their grid stand as the numbers do, 9 before 10."""
    run = site.run_of(*(parameters(12, 12)[number] for number in (11, 2, 10, 0, 9, 1, 3, 8, 4, 7, 5, 6)), **on("main"))
    html = site.shown(f"/runs/{run}")
    assert "<code>[0] to [11]</code>" in html
    squares = [int(number) for number in re.findall(r'aria-label="\[([0-9]+)\]: failed', html)]
    assert squares == list(range(12))


def test_a_card_says_which_values_fail(site: Site) -> None:
    """Of tests with two parameters a table shows which value fails with all of the others, in words above it."""
    tests = [
        (failing if browser == "webkit" else a_test)(n, name=f"test_pay[{browser}-{language}]", **FILE)
        for n, (browser, language) in enumerate(product(("chromium", "webkit"), ("de", "en", "fr")))
    ]
    run = site.run_of(*tests)
    html = site.shown(f"/runs/{run}")
    assert "webkit fails with each of de , en and fr ; chromium passes." in site.text(f"/runs/{run}")
    table = html.partition('<div class="matrix">')[2].partition("</table>")[0]
    rows = [re.findall(r'aria-label="(\w+)"', row) for row in table.split("<tr>")[2:]]
    assert rows == [["passed"] * 3, ["failed"] * 3]
    alone = site.run_of(*tests[:3], failing(3, name="test_pay[webkit-de]", **FILE), *tests[1:3])
    assert 'class="matrix"' not in site.shown(f"/runs/{alone}")


@pytest.mark.postgresql
def test_card_and_test_say_on_which_branches_they_fail(site: Site) -> None:
    """By the newest run of each branch within two weeks; a branch where the tests fail for another reason is silent."""
    day = 24 * 3600 * SECOND
    now = site.service.clock.now
    site.service.clock.now = now - 15 * day
    site.run_of(a_test(0), a_test(1), **on("long ago"))
    site.service.clock.now = now
    for tests, branch in (
        ((a_test(0), a_test(1)), "topic/x"),
        ((failing(0), a_test(1)), "topic/x"),
        ((a_test(0), a_test(1)), "release/2"),
        ((failing(0, message="OSError: no such host"), a_test(1)), "offline"),
        ((a_test(5),), "docs"),
    ):
        site.run_of(*tests, **on(branch))
    run = site.run_of(failing(0), failing(1), **on("main"))
    words = "On main and topic/x it fails; on release/2 it passes."
    assert words in said(site.shown(f"/runs/{run}"))
    first, second = site.result_ids(run)
    assert "On main, offline and topic/x it fails; on release/2 it passes." in said(site.shown(f"/results/{first}"))
    assert "On main it fails; on offline, release/2 and topic/x it passes." in said(site.shown(f"/results/{second}"))
    case = re.findall(r"/tests/([0-9]+)", site.shown(f"/results/{first}"))[0]
    assert "On topic/x, main and offline it fails; on release/2" in said(site.shown(f"/tests/{case}"))
    site.run_of(failing(0), failing(1), **on("release/2"))
    assert "on release/2 it passes" not in site.text(f"/runs/{run}"), "it fails on each branch"


def test_a_card_says_in_which_job_its_tests_fail(site: Site) -> None:
    """In a run of several jobs it is the job, for one function and for several."""
    names = ("test_pay", "test_ship")
    broken = [failing(n, name=name, message="OSError: no such host", **FILE) for n, name in enumerate(names)]
    fine = [a_test(n, name=name, **FILE) for n, name in enumerate(names)]
    run = site.service.run_of_jobs(("py3.10", 1, fine), ("py3.14", 1, broken))
    folder = FILE["folder"]
    assert f"py3.14 fails in each of {folder}.test_pay and {folder}.test_ship ; py3.10 passes." in site.text(
        f"/runs/{run}"
    )
    run = site.service.run_of_jobs(("py3.10", 1, fine), ("py3.14", 1, [*fine[:1], *broken[1:]]))
    assert "py3.14 fails; py3.10 passes." in site.text(f"/runs/{run}").replace(" ;", ";")


def test_a_card_ends_with_the_notes_of_its_failure(site: Site) -> None:
    """Of a long message the card leaves lines out, and none of an example that stands as a note at its end."""
    lines = [f"E       line {number}" for number in range(30)]
    text = "\n".join(
        [">       f()", *lines, "E       Falsifying example: f(", "E           x=1,", "E       )", "", "t.py:3: E"]
    )
    failed = {**field("Failure", text, 4), "is_highlight": True, "meta": {"message": "line 0"}}
    run = site.run_of(a_test(1, "failed", fields=[failed], **FILE))
    shown = site.text(f"/runs/{run}")
    assert missing(shown, "line 0", "line 3", "more lines", "Falsifying example: f(", "x=1,") == []
    assert "line 20" not in shown


def test_failures_stand_by_file_or_as_one_list_and_as_text(site: Site) -> None:
    """The same failures in other arrangements; the text has one section for each reason, as Markdown."""
    run = site.run_of(failing(0, **FILE), failing(1, **OTHER), a_test(2))
    by_file = site.shown(f"/runs/{run}?group=file")
    assert re.findall(r"<h2><code>(.*?)</code></h2>", by_file) == ["tests/test_cart.py", "tests/b.py"]
    assert site.shown(f"/runs/{run}?group=none").count('<a class="member"') == 2
    answer = site.get(f"/runs/{run}/failures.txt")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.startswith("# 2 of 3 tests failed, for 1 reason.")
    assert missing(answer.text, "tests/test_cart.py::test_0", "tests/test_cart.py:29") == []


def test_many_reasons_have_pages(site: Site) -> None:
    """At most 20 reasons, those of most tests first; the rest is behind a link that leads to it."""
    words = [f"KeyError: 'key {chr(97 + number)}'" for number in range(23)]
    run = site.run_of(*(failing(number, message=word, **FILE) for number, word in enumerate(words)))
    html = site.shown(f"/runs/{run}")
    assert html.count('<details class="cause"') == 20
    assert "3 more reasons fail 3 tests." in site.text(f"/runs/{run}")
    assert f"/runs/{run}?page=2" in links(html)
    assert site.shown(f"/runs/{run}?page=2").count('<details class="cause"') == 3


def test_more_reasons_than_are_listed_are_counted_all(site: Site) -> None:
    """A hundred reasons are listed; head and end of each page have the number of all, and that of their tests."""
    words = [f"KeyError: 'key {first}{second}'" for first in "abcdefgh" for second in "klmnopqrstuvwxyz"]
    tests = [failing(number, message=word, **FILE) for number, word in enumerate([*words, *words[:50]])]
    run = site.run_of(*tests)
    assert (
        missing(site.text(f"/runs/{run}"), "All 178 tests failed, for 128 reasons", "108 more reasons fail 138 tests")
        == []
    )
    last = site.text(f"/runs/{run}?page=5")
    assert "28 more reasons fail 28 tests." in last


def test_a_run_without_failures_says_so_and_what_is_worth_a_look(site: Site) -> None:
    """Flaky tests stand in a green run with their evidence; without any the page leads to the list of tests."""
    site.run_of(failing(0), a_test(1), **on("main"))
    run = site.run_of(
        a_test(0), a_test(1, attempts=[failed_attempt(1), failed_attempt(2)]), a_test(2, "skipped"), **on("main")
    )
    assert missing(
        site.text(f"/runs/{run}"), "Both tests passed Compared with #1 on main: 1 test fixed, 1 new test",
        "Worth a look", "1 test passed only on a retry, 1 test was skipped.", "passed on attempt 3 of 3",
    ) == []  # fmt: skip
    assert chips(site.shown(f"/runs/{run}"))["Flaky"] == "1"
    green = site.run_of(a_test(0), a_test(1), source="green")
    assert nodes(site.shown(f"/runs/{green}")) or names(site.shown(f"/runs/{green}"))
    assert "The first run of this suite that is known here." in site.text(f"/runs/{green}")


def test_tests_are_a_tree_whose_nodes_are_links(site: Site) -> None:
    """Folders, files, classes, functions and parameters, failures first; an open node has its rows below it."""
    run = site.run_of(
        *(a_test(n, file=f"tests/api/v1/test_{n}.py", folder=f"tests.api.v1.test_{n}") for n in (1, 2)),
        a_test(3, file="tests/test_a.py", folder="tests.test_a.TestA"),
        failing(4, **FILE),
        *[a_test(10 + number, name=f"test_price[{number}]", **FILE) for number in range(3)],
    )
    path = f"/runs/{run}?view=tests"
    assert nodes(site.shown(path)) == ["tests/test_cart.py", "tests / api / v1 / 2 files", "tests/test_a.py"]
    opened = f"{path}&open=tests%2Ftest_cart.py"
    assert opened in links(site.shown(path))
    html = site.shown(opened)
    assert (names(html), nodes(html)[:2]) == (["test_4"], ["tests/test_cart.py", "test_price 3 parameters"])
    function = f"{opened}%3A%3Atest_price"
    assert function in links(html)
    assert names(site.shown(function)) == ["test_4", "0", "1", "2"]
    fragment = site.shown(f"/runs/{run}/branch?view=tests&open=tests%2Fapi%2Fv1%2F")
    assert ("<html" in fragment, nodes(fragment)) == (False, ["test_1.py", "test_2.py"])
    assert nodes(site.shown(f"/runs/{run}/branch?open=tests/test_a.py")) == ["TestA"]
    assert names(site.shown(f"/runs/{run}/branch?open=tests/test_a.py::TestA")) == ["test_3"]
    assert nodes(site.shown(f"{path}&sort=ran"))[0] == "tests / api / v1 / 2 files"


@pytest.mark.postgresql
def test_tests_without_a_file_stand_by_their_folder(site: Site) -> None:
    """Results of other tools have no file: their folder is the node."""
    run = site.run_of(a_test(0, folder="com.example.Cart"), a_test(1, folder="com.example.Order"))
    assert nodes(site.shown(f"/runs/{run}?view=tests")) == ["com.example.Cart", "com.example.Order"]
    assert names(site.shown(f"/runs/{run}?view=tests&open=com.example.Order")) == ["test_1"]


@pytest.mark.postgresql
def test_a_list_is_filtered_and_searched_by_its_address(site: Site) -> None:
    """Names, files, messages and node ids are found, filters are combined, chips have the numbers of the matches."""
    place = {"file": "a/test_a.py", "folder": "a.test_a.TestX"}
    run = site.run_of(
        failing(0, message="connection refused", **place),
        a_test(1, name="test_1[x-y]", **place),
        a_test(2, folder="b%_"),
        a_test(3, **RETRIED),
    )
    listed = f"/runs/{run}?view=tests&group=none&"
    everything = ["test_0", "test_1[x-y]", "test_2", "test_3"]
    cases: dict[str, list[str]] = {
        "status=3": ["test_0"], "status=2,3": everything, "status=flaky": ["test_3"], "q=REFUSED": ["test_0"],
        "q=a/test_a.py": everything[:2], "q=a/test_a.py::TestX::test_1[x-y]": ["test_1[x-y]"],
        "q=a/test_a.py::TestX": [], "q=a/test_a.py::TestX::test_": everything[:2], "q=%25_": ["test_2"],
        "folder=b%25_": ["test_2"], "sort=ran": everything,
    }  # fmt: skip
    for query, shown in cases.items():
        assert names(site.shown(listed + query)) == shown, query
    assert 'class="ic flaky"' in site.shown(f"{listed}status=flaky").partition("data-row")[2]
    assert chips(site.shown(f"/runs/{run}?q=test_a")) == {"Failed": "1", "Flaky": "0", "Passed": "1"}
    assert f"/runs/{run}?view=tests&status=2%2C3&q=test_a" in links(site.shown(f"/runs/{run}?status=3&q=test_a"))
    assert "No test matches “refuse zz”" in site.text(f"/runs/{run}?q=refuse zz")
    assert "Did you mean refused , which is in 1 test?" in site.text(f"/runs/{run}?q=refusd")


def test_pages_of_a_list_have_each_test_once(site: Site) -> None:
    """Turning pages shows every test, failures first, whatever their statuses, with a search or without."""
    statuses = ("passed", "failed", "passed", "skipped")
    run = site.run_of(*(a_test(number, statuses[number % 4]) for number in range(2 * PAGE_ROWS + 20)))
    path = f"/runs/{run}?view=tests&group=none"
    pages = [names(site.shown(f"{path}&page={number}")) for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [PAGE_ROWS, PAGE_ROWS, 20]
    assert pages[0][:2] == ["test_1", "test_5"]
    assert len({name for page in pages for name in page}) == 2 * PAGE_ROWS + 20
    assert [names(site.shown(f"{path}&q=test_&page={number}")) for number in (1, 2, 3)] == pages
    assert "Page 3 of 3" in site.text(f"{path}&page=3")
    assert "No matching tests" in site.text(f"{path}&page=4")


def test_slowest_tests_come_first_if_asked(site: Site) -> None:
    """In a list, and in the tree by the sum of a file's tests."""
    run = site.run_of(a_test(0, elapsed=2_000, **FILE), a_test(1, elapsed=9_000, **OTHER), a_test(2, **OTHER))
    assert names(site.shown(f"/runs/{run}?view=tests&group=none&sort=slowest")) == ["test_1", "test_0", "test_2"]
    assert nodes(site.shown(f"/runs/{run}?view=tests&sort=slowest")) == ["tests/b.py", "tests/test_cart.py"]


def test_changes_are_lists_against_a_base_that_one_chooses(site: Site) -> None:
    """Six counts, lists with before and now; another base changes them; one of another suite is left out."""
    first = site.run_of(failing(0), failing(1), a_test(2), a_test(3), a_test(7), a_test(8), **on("main"))
    site.run_of(failing(0), a_test(1), a_test(2), a_test(3), a_test(7), **on("main"))
    run = site.run_of(a_test(0), failing(1), failing(2), a_test(4), a_test(3, "skipped"), a_test(7), **on("main"))
    counts = "2 newly failing 1 fixed 0 still failing 0 slower 1 new tests 0 gone 1 newly skipped"
    assert missing(site.text(f"/runs/{run}?view=changes"), counts, "had failed for 2 runs") == []
    path = f"/runs/{run}?view=changes&base={first}"
    assert "1 newly failing 1 fixed 1 still failing" in site.text(path)
    headings = re.compile(r"<h2>(.*?)</h2>").findall
    assert headings(site.shown(path)) == ["Newly failing", "Fixed", "New tests", "Gone", "Newly skipped"]
    assert headings(site.shown(f"/runs/{run}?view=changes&change=fixed")) == ["Fixed"]
    assert names(site.shown(f"/runs/{run}?change=newly_failing")) == ["test_1", "test_2"]
    other = site.run_of(a_test(), source="other")
    for base in (other, 999):
        assert f"base={base} is left out: it must be an earlier run of this suite." in site.text(
            f"/runs/{run}?base={base}"
        )
    assert "Nothing to compare with" in site.text(f"/runs/{other}?view=changes")


def test_a_test_that_is_flaky_by_its_history_is_shown_where_it_passes(site: Site) -> None:
    """The terminal counts it, so the page of the run names it with its evidence; one that fails has a card."""
    commit = on("main", commit=40 * "a")
    site.run_of(a_test(0), failing(1), **commit)
    green = site.run_of(a_test(0), a_test(1), **commit)
    red = site.run_of(failing(0), a_test(1), **commit)
    words = "test_1 tests.a · passed and failed with the same files"
    assert words in site.text(f"/runs/{green}?view=failures").partition("Worth a look")[2]
    text = site.text(f"/runs/{red}")
    assert f"Flaky 1 test by its history {words}" in text
    assert text.count("with the same files") == 1
    skipped = site.run_of(failing(0), a_test(1, "skipped"), **commit)
    assert "by its history" not in site.text(f"/runs/{skipped}")


def test_the_command_for_what_is_new_runs_nothing_else(site: Site) -> None:
    """It has the option for new failures, whatever their number; nothing stands there if all are new."""
    old, count = failing(998), PAGE_ROWS + 1
    tax: dict[str, Any] = {"name": "test_tax", **FILE}
    base = site.run_of(old, *parameters(PAGE_ROWS), a_test(999, **tax), **on("main"))
    run = site.run_of(old, *parameters(PAGE_ROWS, PAGE_ROWS), failing(999, **tax), **on("main"))
    command = f"pytest --automation-report-rerun-failed={run}:new"
    assert f"Only what is new {count} tests {command}" in site.text(f"/runs/{run}")
    assert "Only what is new" not in site.text(f"/runs/{run}?base={base}")
    site.run_of(a_test(998), *parameters(PAGE_ROWS), **on("main"))
    assert "Only what is new" not in site.text(f"/runs/{site.run_of(old, *parameters(PAGE_ROWS), **on('main'))}")


def test_new_failures_are_told_from_those_that_are_back(site: Site) -> None:
    """A failure that was seen before the run it is compared with is new, and can be listed apart."""
    site.run_of(failing(1, **FILE), a_test(2), a_test(3), **on("main"))
    site.run_of(a_test(1, **FILE), a_test(2, **FILE), failing(3), **on("main"))
    run = site.run_of(failing(1, **FILE), failing(2, **FILE), failing(3), **on("main"))
    command = f"Only what is new 2 tests pytest --automation-report-rerun-failed={run}:new"
    assert missing(site.text(f"/runs/{run}"), "New 2 Failures", command) == []
    for change, tests in (("new", ["test_1", "test_2"]), ("back", ["test_1"])):
        assert names(site.shown(f"/runs/{run}?change={change}")) == tests


def test_a_failure_that_did_not_pass_before_says_so(site: Site) -> None:
    """Tests that were skipped or were not there in the run before, and fail now, are newly failing."""
    for status in ("passed", "skipped"):
        site.run_of(a_test(0), a_test(1), a_test(2, status), **on("main"))
    run = site.run_of(a_test(0), failing(1), failing(2), failing(3), **on("main"))
    text = site.text(f"/runs/{run}?view=changes&change=newly_failing")
    for number, before in ((1, "passed"), (2, "skipped"), (3, "not there")):
        assert f"test_{number} tests.a · assert 90 == 89 {before} failed" in text


def test_a_part_of_the_suite_is_called_so_and_no_faster(site: Site) -> None:
    """A run of selected tests names the options; only runs of the same tests, all of which ran, compare their times."""
    clock, selection = site.service.clock, field("Selection", "-k cart")

    def text_of_run(count: int, seconds: int, *fields: Json, **told: object) -> str:
        clock.now += 60 * SECOND
        run = site.service.new_run(**on("main", *fields), session=told)
        site.service.append(site.service.new_thread(run), *map(a_test, range(count)))
        clock.now += seconds * SECOND
        site.service.complete(run, measure_elapsed=True)
        return site.text(f"/runs/{run}")

    text_of_run(30, 60)
    assert "5.00 s part of the suite: -k cart" in text_of_run(3, 5, selection)
    assert missing(text_of_run(3, 9, selection), "9.00 s +4.00 s", "part of the suite: -k cart") == []
    assert "30.0 s 29" not in text_of_run(29, 30, collected=30)
    assert "1 min 1 s +" not in text_of_run(30, 61)
    text = site.text("/sources/1")
    assert text.count("· part of the suite") == 2
    changes = ("−55.0 s", "−30.0 s", "+31.0 s")  # noqa: RUF001 - a minus
    assert missing(text, "+4.00 s", *changes) == list(changes)


def test_parameters_that_are_new_or_gone_are_one_row(site: Site) -> None:
    """Thirty new parameters of one test do not fill the page: its row has the first, the last and their number."""
    both = [a_test(number) for number in range(60)]
    site.run_of(*both, *(a_test(60 + number, name=f"test_old[{number}]") for number in range(1, 4)))
    new = [a_test(100 + number, name=f"test_new[{number}]") for number in range(10, 40)]
    run = site.run_of(*both, a_test(99, "skipped", name="test_new[9]"), *new)
    assert missing(
        site.text(f"/runs/{run}?view=changes"), "New tests 31 tests",
        "test_new [10] … [39] tests.a not there passed 30 tests", "test_new [9] tests.a not there skipped",
        "test_old [1] … [3] tests.a there gone 3 tests",
    ) == []  # fmt: skip


def test_changes_and_lists_of_time_tell_tests_of_one_name_apart(site: Site) -> None:
    """In *Changes* failures of one reason are one row with its files; elsewhere equal names stand with their folder."""
    tests = [
        (number, {"name": f"test_export[{kind}]", "file": f"tests/{file}.py", "folder": f"tests.{file}"})
        for number, (file, kind) in enumerate(product("abc", ("pdf-de", "pdf-nl")))
    ]
    site.run_of(*(failing(number, **place) for number, place in tests[:2]), a_test(9), **on("main"))
    site.run_of(*(a_test(number, **place) for number, place in tests), failing(9), **on("main"))
    message = "TimeoutError: 5 s"
    run = site.run_of(*(failing(number, message, **place) for number, place in tests), failing(9), **on("main"))
    page = f"/runs/{run}?view=changes&change"
    assert missing(
        site.text(f"{page}=newly_failing"), "Newly failing 6 tests, 1 reason",
        "TimeoutError: 5 s tests.a and 2 more passed failed 6 tests",
    ) == []  # fmt: skip
    assert "test_9 tests.a · assert 90 == 89 failed failed since #2" in site.text(f"{page}=still_failing")
    assert re.search(
        r'<a href="[^"]*reason=[0-9a-f]{16}[^"]*"\s+data-row><code>TimeoutError', site.shown(f"{page}=newly_failing")
    )
    fixed = site.run_of(
        *(a_test(number, elapsed=SECOND - number, **place) for number, place in tests), a_test(9, elapsed=9)
    )
    slowest = site.text(f"/runs/{fixed}?view=time").partition("Slowest tests")[2]
    named = re.findall(r"[a-z._]+test_export \[pdf-..\]|\btest_9\b", slowest)
    assert named == [f"tests.{file}.test_export [pdf-{kind}]" for file in "abc" for kind in ("de", "nl")] + ["test_9"]
    rail = site.text(f"/runs/{fixed}?view=failures").partition("Fixed in this run")[2]
    assert "tests.a.test_export [pdf-de] test_export[pdf-nl] tests.b.test_export [pdf-de] test_9" in rail


def test_parameters_of_several_jobs_are_counted_once(site: Site) -> None:
    """Of thirty parameters one fails in both jobs, and one in one: two of thirty, with a square for each result."""
    first = parameters(30, 1)
    second = [*first[:4], failing(4, name="test_price[4]", **FILE), *first[5:]]
    run = site.service.run_of_jobs(("3.11", 1, first), ("3.13", 1, second))
    assert "2 of its 30 parameters" in site.text(f"/runs/{run}")
    assert site.shown(f"/runs/{run}").count("]: failed") == 3


def test_details_have_the_versions_that_differ(site: Site) -> None:
    """Versions that differ from those of the base stand beside all packages; commits between stand with the changes."""
    old, new = 10 * "a", 10 * "b"
    site.run_of(a_test(0), **on("main", field("Packages", "numpy 1.26"), commit=old + 30 * "0"))
    more = (field("Commits", f"{new} Round up\n{old} Begin"), field("Packages", "numpy 2.0\nsix 1.16"))
    run = site.run_of(failing(0), **on("main", *more, commit=new + 30 * "0"))
    details = site.text(f"/runs/{run}?view=details")
    assert missing(
        details, "Changed since #1 Installed numpy 1.26 → 2.0", "2 packages numpy 2.0 six 1.16", "Round up Begin"
    ) == ["Round up Begin"]  # fmt: skip


def test_the_first_run_of_a_branch_is_compared_with_the_main_branch(site: Site) -> None:
    """The page says so; strips go on with the history of main, and a reason that main has, too, began with its run."""
    for _ in range(2):
        site.run_of(a_test(0), a_test(1), **on("main"))
    first = site.run_of(a_test(0), failing(1, "KeyError: 'a'"), **on("main"))
    run = site.run_of(failing(0), failing(1, "KeyError: 'a'"), **on("fix/rounding"))
    html = site.shown(f"/runs/{run}")
    assert "No earlier run on fix/rounding . Compared with #3 on main: " in site.text(f"/runs/{run}")
    since = (f"since #{first}</span>", f'Failing since <a href="/runs/{first}">#{first}</a>')
    assert missing(html, "last 3 runs: 3 passed", *since, f"since #{run}<") == [f"since #{run}<"]


LINE = ">       assert discount(99, 10) == 89\nE       assert 90 == 89"


@pytest.mark.parametrize(
    ("code", "message", "shown"),
    [
        (LINE, "AssertionError", "assert discount(99, 10) == 89"),
        (LINE, "assert False", "assert discount(99, 10) == 89"),
        (LINE, "assert 90 == 89", "assert 90 == 89"),
        (
            ">       assert sums(\n            1, 2\n        )\nE       assert False",
            "assert False",
            "assert sums(1, 2 )",
        ),
        # The end of the statement is not there: the message is all there is.
        (">       assert sums(\nE       assert False", "assert False", "assert False"),
    ],
)
def test_an_assertion_without_a_message_is_its_line_of_code(site: Site, code: str, message: str, shown: str) -> None:
    """*assert False* says nothing, and neither does the type twice; a statement is shown whole, or not at all."""
    text = f"    def test_sums():\n{code}\n\ntests/test_cart.py:29: AssertionError"
    meta = {"message": message, "type": "AssertionError"}
    failure = {"type": 4, "name": "Failure", "value": text, "meta": meta, "is_highlight": True}
    run = site.run_of(a_test(0, "failed", fields=[failure]))
    assert f"AssertionError : {shown} " in site.text(f"/runs/{run}")


def test_a_reason_says_once_with_which_run_it_began(site: Site) -> None:
    """Of a new failure that an earlier run had first, the card says since when, and not the same as *First seen*."""
    passed, began, run = (site.run_of(test, **on("main")) for test in (a_test(0), failing(0), failing(0)))
    text = site.text(f"/runs/{run}?base={passed}")
    assert (f"New since #{began}" in text, "First seen" in text) == (True, False)


def test_new_reasons_are_those_of_new_failures(site: Site) -> None:
    """A test that fails for another reason than before is among those that failed before, in a card of its own."""
    site.run_of(failing(0), a_test(1), **on("main"))
    run = site.run_of(failing(0, message="KeyError: 'a'"), failing(1, message="KeyError: 'a'"), **on("main"))
    assert (
        missing(
            site.text(f"/runs/{run}"), "New 1 reason, 1 test", "Still failing 1 reason, 1 test", "never seen before"
        )
        == []
    )
    passed = site.run_of(a_test(0), a_test(1), **on("side"))
    again = site.run_of(*(failing(number, message="KeyError: 'b'") for number in (0, 2)), **on("side"))
    assert f"2 tests that did not fail in #{passed}" in site.text(f"/runs/{again}")


def test_time_is_shown_by_share_worker_test_and_file(site: Site) -> None:
    """Lanes have one block for a long test; only starts that the client sent are exact, and the page says so."""
    run = site.service.new_run()
    start = site.service.clock.now
    for worker, started in (("gw0", 0), ("gw1", 2)):
        fields = [field("Worker", worker)]
        thread = site.service.new_thread(run, fields=fields, session_started=start - SECOND)
        test = a_test(started, elapsed=(8 if started else 1) * SECOND, started=(1 + started) * SECOND, **FILE)
        site.service.append(thread, test, elapsed_observed=11 * SECOND, elapsed_computed=test["elapsed"])
        site.service.complete_thread(thread)
    site.service.clock.now += 10 * SECOND
    site.service.complete(run)
    assert missing(
        site.text(f"/runs/{run}?view=time"), "Tests ran", "Between tests", "Before the first test",
        "Waiting for the last worker", "gw1 began test_2 at 0:03 and kept the other workers waiting for 8.00 s",
        "tests/test_cart.py", "Start times are approximate",
    ) == ["Start times are approximate"]  # fmt: skip
    assert "<title>test_2, passed, 8.00 s, from 0:03</title>" in site.shown(f"/runs/{run}?view=time")
    about = site.run_of(a_test(0, elapsed=SECOND), source="other")
    alone = site.text(f"/runs/{about}?view=time")
    # In its first run nothing is usual, and a worker that is alone waits for nobody.
    assert missing(alone, "Start times are approximate", "test_0 1.00 s –", "Waiting for the last worker") == [  # noqa: RUF001 - typography
        "Waiting for the last worker"
    ]
    assert "No test of this run has a duration." in site.text(f"/runs/{site.run_of(source='none')}?view=time")


@pytest.mark.postgresql
def test_a_block_of_the_timeline_leads_to_all_of_its_tests(site: Site) -> None:
    """Short tests that are drawn together are listed as they ran, those of other kinds and workers left out."""
    workers, run = ("gw0", "gw1"), site.service.new_run()
    for worker in workers:
        thread = site.service.new_thread(run, fields=[field("Worker", worker)], session_started=site.service.clock.now)
        for number in range(5):
            timed: Json = {"name": f"{worker}_{number}", "elapsed": 1000, "started": number * 1100, **FILE}
            site.service.append(thread, (failing if number == 3 else a_test)(number, **timed))
        site.service.append(thread, a_test(5, "skipped", name=f"{worker}_5", elapsed=10, started=6000, **FILE))
        site.service.append(thread, a_test(6, name=f"{worker}_6", elapsed=9 * SECOND, started=8000, **FILE))
        site.service.complete_thread(thread)
    site.service.complete(run)

    def numbered(*numbers: int) -> list[list[str]]:
        return [[f"{worker}_{number}" for number in numbers] for worker in workers]

    html = site.shown(f"/runs/{run}?view=time")
    blocks = [unescape(address) for address in re.findall(r'href="(/runs/[^"]*lane=[^"]*passed)"', html)]
    assert [names(site.shown(address)) for address in blocks] == numbered(0, 1, 2, 4)
    assert missing(site.text(blocks[0]), "4 tests", "that passed on gw0 in one stretch") == []
    assert chips(site.shown(blocks[0])) == {"Failed": "0", "Skipped": "0", "Passed": "4"}
    lanes = [address for address in links(html) if re.search(r"lane=[0-9]+$", address)]
    assert [names(site.shown(address)) for address in lanes] == numbered(*range(7))
    assert len(names(site.shown(f"{lanes[0]}&status=3"))) == 1
    for kind, shown in (("failed", ["gw0_3"]), ("skipped", ["gw0_5"]), ("flaky", [])):
        assert names(site.shown(f"{lanes[0]}.1.999.{kind}")) == shown


def test_details_say_where_it_ran_and_whether_everything_arrived(site: Site) -> None:
    """Fields, links, files, workers; collected and reported tests are compared."""
    fields, told = [field("Python", "3.13.1")], {"collected": 3}
    files = [{"name": "coverage.xml", "url": "https://files.example.com/c.xml", "size": 214_000}]
    job = [{"name": "CI job", "url": "https://ci.example.com/7"}]
    run = site.run_of(a_test(0), a_test(1), fields=fields, session=told, artifacts=files, links=job, tags=["nightly"])
    shown = ("Python 3.13.1", "Collected 3, 1 did not run", "Reported 2", "coverage.xml", "214 kB", "CI job")
    assert missing(site.text(f"/runs/{run}?view=details"), *shown) == []
    assert "https://files.example.com/c.xml" in links(site.shown(f"/runs/{run}?view=details"))
    whole = site.run_of(*map(a_test, range(3)), session=told)
    assert "Collected 3, all reported" in site.text(f"/runs/{whole}?view=details")
    died = site.run_of(a_test(0), a_test(1), killed(2), session={**told, "ending": {"state": "died"}})
    for view in ("", "?view=details"):
        assert "Collected 3, all reported" in site.text(f"/runs/{died}{view}")


def test_results_of_modules_are_not_said_to_be_tests_that_were_collected(site: Site) -> None:
    """If there are more results than collected tests, both numbers stand there, and nothing is said to be complete."""
    run = site.run_of(failing(0), failing(1), session={"collected": 0})
    assert "Collected 0, 2 results" in site.text(f"/runs/{run}")
    assert missing(site.text(f"/runs/{run}?view=details"), "Collected 0, 2 results", "all reported") == ["all reported"]
    whole = site.run_of(failing(0), failing(1), session={"collected": 2})
    assert "Collected 2, all reported" in site.text(f"/runs/{whole}")


@pytest.mark.postgresql
def test_a_run_of_another_configuration_is_not_passed_over(site: Site) -> None:
    """Only runs that could have been the base are named as not compared with."""
    for config in ("linux", "windows", "linux"):
        run = site.run_of(a_test(0), config=config, **on("main"))
    assert missing(site.text(f"/runs/{run}?view=changes"), "Nothing changed, compared with #1.", "Not compared") == [
        "Not compared"
    ]


def test_a_slow_file_leads_to_its_place_in_the_tree(site: Site) -> None:
    """Its path has slashes in both, whatever its client wrote."""
    run = site.run_of(a_test(0, file="tests\\unit\\a.py", folder="tests.unit.a", elapsed=SECOND), a_test(1))
    (address,) = [each for each in links(site.shown(f"/runs/{run}?view=time")) if "unit%2Fa.py" in each]
    assert "test_0" in names(site.shown(address))


@pytest.mark.postgresql
def test_a_tag_leads_to_the_runs_of_the_suite_that_have_it(site: Site) -> None:
    """Those of the same branch, as the list of the suite's runs has them."""
    site.run_of(a_test(0), name="without", **on("main"))
    run = site.run_of(a_test(0), name="tagged", tags=["a tag"], **on("main"))
    (address,) = [link for link in links(site.shown(f"/runs/{run}")) if "tag=" in link]
    assert re.findall("without|tagged", site.text(address)) == ["tagged"]


def test_links_of_a_run_without_a_branch_lead_to_runs_without_one(site: Site) -> None:
    """They do not lead to the main branch, which an address without a branch means."""
    for branch in ("main", "main", "main", "", ""):
        run = site.run_of(a_test(0, elapsed=SECOND), tags=["a tag"], **on(branch))
    (result,) = site.result_ids(run)
    assert "/sources/1?branch=-" in links(site.shown(f"/results/{result}"))
    assert {"/sources/1?branch=-", "/sources/1?branch=-&tag=a+tag"} <= {*links(site.shown(f"/runs/{run}"))}
    assert "/tests/1?branch=-" in links(site.shown("/sources/1?branch=-"))
    (chosen,) = re.findall(r'href="/tests/1.branch=([^"]*)"\s+aria-current', site.shown("/tests/1?branch=-"))
    assert chosen == "-"


def test_a_session_that_died_says_so(site: Site) -> None:
    """The heading has the numbers of tests that finished and that there are; the killed one is not among the first."""
    site.run_of(a_test(0), a_test(1))
    run = site.run_of(a_test(0), killed(1), session={"ending": {"state": "died"}, "not_run": 1214})
    words = ("The session died after 1 of 1,215 tests", "It died while it ran test_1 .", "Not run 1,214", "1 new")
    assert missing(site.text(f"/runs/{run}"), *words) == ["1 new"]
    assert re.findall("<h2>(.*?)</h2>", site.shown(f"/runs/{run}"))[0] == "Running when the process died"
    result = site.result_ids(run)[1]
    assert missing(site.text(f"/results/{result}"), "It did not finish. It last ran in #1 and passed.") == []


def test_an_error_that_ended_the_session_is_named_in_the_head(site: Site) -> None:
    """With the line that raised it, the worker, and the test that ran."""
    ending = {"state": "ended", "status": 3, "error": "an internal error of pytest: OSError: <no> space"}
    ending |= {"place": "conftest.py:7", "running": [["gw1", "test_it.py::test_1"]]}
    run = site.run_of(a_test(0), session={"ending": ending, "not_run": 2})
    said = f"Ended by {ending['error']}, at conftest.py:7 on gw1, while test_it.py::test_1 ran."
    text = site.text(f"/runs/{run}")
    assert missing(text, "Ended after 1 of 3 tests", said) == []


def test_an_open_run_shows_its_progress_and_answers_without_news_in_one_read(site: Site) -> None:
    """How many of how many, what runs now; 304 until something changes; news wait in a pill; the end is said."""
    # The clock of a page is that of the machine.
    site.service.clock.now = time.time_ns() // 1000
    run = site.service.new_run(fields=[field("Branch", "main")], session={"collected": 4})
    thread = site.service.new_thread(run, session_started=site.service.clock.now)
    running = [{"key": "key3", "name": "test_3[x]", "folder": "tests.a", "since": 0}]
    site.service.append(thread, a_test(0), a_test(1), running=running)
    html = site.shown(f"/runs/{run}")
    assert missing(html, "<h1>2 of 4 tests ran</h1>", "● 2 of 4 so far · a run #1", "Running now", "test_3") == []
    live = unescape(re.findall(r'data-live="([^"]*)"', html)[0])
    first = site.get(live)
    assert "more failure" not in first.text
    tag = {"If_None_Match": first.headers["ETag"]}
    again = site.get(live, **tag)
    assert (again.status_code, again.content) == (304, b"")
    site.service.append(thread, failing(2))
    changed = site.get(live, **tag)
    # The page had no failure: its view comes along, and stands still from now on.
    words = ("3 of 4 tests ran, 1 failed", 'data-open="true"', '<details class="cause"')
    assert (changed.status_code, missing(changed.text, *words, "<html")) == (200, ["<html"])
    following = unescape(re.findall(r'data-next="([^"]*)"', changed.text)[0])
    site.service.append(thread, failing(3))
    assert missing(site.get(following).text, "1 more failure below", words[2]) == [words[2]]
    site.service.complete(run)
    assert 'data-open="false"' in site.get(live).text
    assert 'data-live=""' in site.shown(f"/runs/{run}")
    assert site.get("/runs/99/live").status_code == 404


def test_the_time_to_go_is_less_what_the_running_test_has_used(site: Site) -> None:
    """The last test takes its usual time less what it has run; without an earlier run its tests so far are usual."""

    def shown(lasted: int, branch: str = "main", source: str = "a-source") -> str:
        now = site.service.clock.now = time.time_ns() // 1000
        run = site.service.new_run(fields=[field("Branch", branch)], session={"collected": 3}, source=source)
        running = [{"key": "key2", "name": "test_2", "folder": "tests.a", "since": 0}]
        tests = [a_test(number, elapsed=60 * SECOND) for number in range(2)]
        thread = site.service.new_thread(run, session_started=now - lasted * SECOND)
        site.service.append(thread, *tests, running=running, elapsed_computed=120 * SECOND)
        return site.text(f"/runs/{run}")

    site.run_of(*(a_test(number, elapsed=(60, 60, 720)[number] * SECOND) for number in range(3)), **on("main"))
    assert "About 7 min 00 s to go , by the times of the last runs on main." in shown(300)
    assert "About 7 min 00 s to go , by the times of the last runs on main." in shown(300, "topic")
    assert "Longer than usual , by the times of the last runs on main." in shown(800)
    assert "About 40 s to go , by the times of its tests so far." in shown(20, source="other")


def test_each_page_has_one_usual_time_of_a_test_that_got_slower(site: Site) -> None:
    """Until and since when a test takes what stands on every page with a usual time; one run has it as news."""
    times = [100] * 8 + [800, 1000] + [900] * 9
    site.service.clock.now = time.time_ns() // 1000
    runs = [
        site.run_of(
            *(a_test(number, elapsed=(100 if number else slow) * 1000) for number in range(6)),
            **on("main", commit=f"{run:x}" * 40),
        )
        for run, slow in enumerate(times)
    ]
    assert missing(
        site.text(f"/runs/{runs[9]}?view=changes"), "1 slower",
        " 100 ms until #8 1.00 s ×10 since #9 (8888888)",  # noqa: RUF001 - the sign
    ) == []  # fmt: skip
    assert "test_0 tests.a · 100 ms until #8, 1.00 s since #9 (8888888) " in site.text(f"/runs/{runs[9]}")
    usual, last = "100 ms until #8, 900 ms since #9 (8888888)", runs[-1]
    result = site.result_ids(last)[0]
    pages = ["/sources/1", f"/runs/{last}?view=time", f"/results/{result}", "/tests/1"]
    assert [page for page in pages if usual not in site.text(page)] == []
    slow = "test_0 tests.a 900 ms 10.7 s 19 runs 100 ms until #8, ×9.0 since #9"  # noqa: RUF001 - the sign
    assert slow in site.text("/sources/1/tests")
    assert [run for run in runs[10:] if "slower than usual" in site.text(f"/runs/{run}")] == []


@pytest.mark.postgresql
def test_an_overview_is_stored_once_and_removed_with_its_run(site: Site) -> None:
    """That of an open run is computed each time; that of a completed one is read, and does not outlive the run."""
    store, sql = site.service.store, "SELECT COUNT(*) FROM run_document WHERE kind = 'overview'"

    def stored() -> int:
        return store.read(lambda connection: connection.number(sql))

    run = site.run_of(a_test(0), is_open=True)
    assert (len(overview(store, run)["files"]), stored()) == (1, 0)
    site.service.complete(run)
    assert overview(store, run) == overview(store, run)
    assert stored() == 1
    assert store.write(lambda writer: remove_run(run, writer)) == 1
    assert stored() == 0


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
    site.service.complete(run)
    assert files(run) == 5_003


def test_long_texts_are_only_on_the_page_of_their_test(site: Site) -> None:
    """The card of a reason does without the code of a test with longer fields than clients send."""
    long = {"type": 4, "name": "Request", "value": "x" * READ_LENGTH}
    test = failing(1)
    run = site.run_of({**test, "fields": [*test["fields"], long]})
    html = site.shown(f"/runs/{run}")
    assert "<var>90</var> == <var>89</var>" in html
    assert 'class="hit"' not in html


@pytest.mark.parametrize("view", ["failures", "tests", "changes", "time", "details"])
def test_each_view_of_an_empty_run_can_be_read(site: Site, view: str) -> None:
    """A run without results, open or not, has a sentence in each view, and no list without entries."""
    for is_open in (True, False):
        text = site.text(f"/runs/{site.run_of(is_open=is_open)}?view={view}")
        assert len(text) > 100
        assert "0 reasons" not in text


def test_the_usual_time_beside_a_slow_test_is_that_of_its_page(site: Site) -> None:
    """A run at another speed changes no usual time: both pages show the same one."""
    for _ in range(4):
        site.run_of(*(a_test(number, elapsed=SECOND) for number in range(12)), **on("main"))
    slow = site.run_of(*(a_test(number, elapsed=(3 + number) * SECOND) for number in range(12)), **on("main"))
    time_page = site.shown(f"/runs/{slow}?view=time")
    (row,) = [row for row in re.findall(r"<tr>.*?</tr>", time_page, re.DOTALL) if ">test_11<" in row]
    assert re.findall(r'<td class="num[^"]*">(.*?)</td>', row) == ["14.0 s", "1.00 s"]
    assert "usually 1.00 s" in site.text(f"/results/{site.result_ids(slow)[11]}")
