import re
import time
from typing import Any

import pytest

from support.report_file import text_of
from support.service import SECOND, a_test
from support.website import HOSTILE, LONG, RETRIED, Site, chips, failing, links, missing, said

MINUTE = 60 * SECOND


def _fields(**values: str) -> list[dict[str, Any]]:
    """Return fields of a run; underscores of names stand for spaces."""
    return [{"type": 1, "name": name.replace("_", " "), "value": value} for name, value in values.items()]


def _rows(site: Site, path: str) -> list[str]:
    return [text_of(row) for row in re.findall(r'<li class="run-row".*?</li>', site.shown(path), re.DOTALL)]


def _numbers(site: Site, path: str) -> list[int]:
    return [int(number) for number in re.findall(r'data-row><span class="id">#(\d+)<', site.shown(path))]


def _run(site: Site, *tests: dict[str, Any], branch: str = "main", **properties: Any) -> int:  # noqa: ANN401 - those of `Service.new_run`
    """Report a run of a branch ten minutes after the one before."""
    site.service.clock.now += 10 * MINUTE
    return site.run_of(*tests, fields=_fields(Branch=branch, Commit="4f2a9c1d" * 5), **properties)


def test_a_part_of_the_suite_hides_nothing_that_fails(site: Site) -> None:
    """After a run of a part the card and the suite's page still say what the last whole run said, and name the part."""
    site.run_of(a_test(0), source="other")
    for tests, part in (
        ((failing(1), a_test(2, **RETRIED), a_test(3)), ""),
        ((a_test(3),), "-k test_3"),
    ):
        run = site.run_of(*tests, fields=_fields(Branch="main", Selection=part), source="s")
        site.shown(f"/runs/{run}")
        assert ("ran a part" in site.text("/")) == bool(part)
    said = ("1 of 3 tests failed", "After it, #3 ran a part of the suite, in which nothing failed.")
    assert [missing(site.text(page), *said) for page in ("/", "/sources/2")] == [[], []]
    assert "Failing now 1 Flaky 1" in site.text("/")


def test_an_empty_store_waits_for_its_first_run(site: Site) -> None:
    """The first page shows the command that fills it, and becomes another page when a run begins."""
    assert missing(site.text("/"), "Waiting for the first run", "pytest --automation-report") == []
    assert 'data-live="/live" data-page="nothing"' in site.shown("/")
    site.run_of(is_open=True)
    assert 'data-page="suite"' in site.shown("/live")


def test_a_row_says_what_changed_since_the_run_before(site: Site) -> None:
    """New, earlier and fixed failures, the change of the duration, commit, subject and tags stand in a row."""
    _run(site, failing(1), failing(2), a_test(3), source="backend")
    fields = _fields(Branch="main", Commit="4f2a9c1d" * 5, Commit_subject="Move the gateway")
    properties: dict[str, Any] = {"links": [{"name": "CI job", "url": "https://ci.example.com/7"}], "fields": fields}
    site.service.clock.now += MINUTE
    tests = (failing(1), a_test(2), failing(3), failing(4))
    site.run_of(*tests, source="backend", tags=["nightly"], **properties)
    newest, first = _rows(site, "/")
    words = (
        "2 new · 1 still failing · 1 passed again",
        "#2",
        "Move the gateway",
        "4f2a9c1",
        "nightly",
        "CI job",
        "2.50 s",
    )
    assert missing(newest, *words) == []
    assert "2 failed" in first
    link = '<a href="https://ci.example.com/7" rel="noopener noreferrer"'
    assert missing(site.shown("/"), link, 'aria-label="3 failed, 1 passed"') == []


def test_suites_that_fail_come_first(site: Site) -> None:
    """Of these and of the others the one that ran last is the first."""
    for source, test in (("a", failing(0)), ("b", a_test(0)), ("c", failing(0)), ("d", a_test(0))):
        site.run_of(test, source=source)
    cards = site.shown("/").partition('<ul class="cards">')[2].partition("</ul>")[0]
    assert re.findall(r'<h2><a href="/sources/\d+" data-row>(\w)</a>', cards) == ["c", "a", "d", "b"]


def test_a_branch_is_compared_with_itself(site: Site) -> None:
    """Failures of another branch change nothing in a row; a suite's page has the runs of one branch."""
    _run(site, failing(1), a_test(2))
    other = _run(site, failing(1), failing(2), branch="fix/rounding")
    newest = _run(site, failing(1), a_test(2))
    assert "1 still failing" in _rows(site, "/")[0]
    assert _numbers(site, "/") == [newest, 1]
    assert _numbers(site, "/sources/1?branch=fix/rounding") == [other]
    assert "main" in site.text("/sources/1?branch=fix/rounding")
    assert _numbers(site, "/projects/1") == [newest, other, 1]


@pytest.mark.postgresql
def test_runs_that_go_on_come_first_with_their_progress(site: Site) -> None:
    """The number of collected tests says how much is to come, failures so far are counted."""
    more = {"fields": _fields(Branch="main"), "session": {"collected": 2418}}
    going_on = site.run_of(failing(1), a_test(2), is_open=True, source="backend", **more)
    completed = _run(site, a_test(1), source="backend")
    assert _numbers(site, "/") == [going_on, completed]
    assert "2 of 2,418 tests ran, 1 failed" in _rows(site, "/")[0]
    assert "2 of 2,418 results are here, 1 failed" in site.text(f"/runs/{going_on}")
    assert _numbers(site, "/projects/1?status=running") == [going_on]
    assert _numbers(site, "/projects/1?status=passed") == [completed]


def test_what_another_client_says_of_its_session_is_a_field_like_any_other(site: Site) -> None:
    """Fields that are named as a Testmo instance shows a session's numbers, and its end, mean nothing."""
    fields = _fields(Collected="2418", Not_run="1214", Session="pytest died before the session ended")
    run = site.run_of(a_test(1), is_open=True, fields=fields)
    assert "1 test ran" in _rows(site, "/")[0]
    site.service.complete(run)
    assert missing(site.text(f"/runs/{run}"), "The only test passed", "Not run", "died") == ["Not run", "died"]
    details = site.text(f"/runs/{run}?view=details")
    assert missing(details, "Collected 2418", "Not run 1214", "Session pytest died before the session ended") == []


@pytest.mark.postgresql
def test_tests_that_did_not_run_are_counted(site: Site) -> None:
    """Lists, chip and changes have one number, by the collection; names are those of the run, else of the base."""
    site.run_of(a_test(1), a_test(2))
    run = site.run_of(a_test(1), session={"not_run": 1214})
    assert "1,214 not run" in _rows(site, "/")[0]
    changes = site.text(f"/runs/{run}?view=changes").partition("Changes")[2]
    assert missing(changes, "1,214 not run", "Not run 1,214 tests, 1 of them by name", "test_2") == []
    assert "Not run 1,214" in site.text(f"/runs/{run}")
    site.run_of(*map(a_test, range(9)))
    few = site.run_of(*map(a_test, range(4)), a_test(4, "untested"), session={"collected": 6})
    changes = site.text(f"/runs/{few}?view=changes")
    assert missing(changes, "Not run 2", "2 not run", "Not run 2 tests, among these 5 tests of the base") == []
    named = site.run_of(*map(a_test, range(4)), a_test(4, "untested"), session={"collected": 5})
    changes = site.text(f"/runs/{named}?view=changes")
    assert missing(changes, "1 not run", "Not run 1 test ", "test_4") == []


def test_a_test_that_did_not_run_is_counted_once(site: Site) -> None:
    """A test with a result that says so has the chip and part of its status, and is not among those without one."""
    tests = (*map(a_test, range(4)), a_test(4, "untested"))
    site.run_of(*map(a_test, range(6)))
    run = site.run_of(*tests, session={"collected": 6})
    assert chips(site.shown(f"/runs/{run}")) == {"Untested": "1", "Passed": "4", "Not run": "1"}
    for path in (f"/runs/{run}", "/projects/1"):
        assert 'aria-label="1 untested, 4 passed, 1 not run"' in site.shown(path)


def test_each_page_of_a_list_has_the_number_of_all_runs(site: Site) -> None:
    """Those that go on are counted on each page, also if they are more than a page shows."""
    site.run_of(a_test())
    for _ in range(26):
        site.service.new_run()
    assert missing(site.text("/projects/1"), "Runs 27 runs", "Running the newest 25 runs") == []
    assert "Runs 27 runs" in site.text("/projects/1?page=2")


def test_a_day_has_the_number_of_its_runs(site: Site) -> None:
    """A list of several pages says none: a page may have a part of the day's runs."""
    find_numbers = re.compile(r"</h2><p>([0-9]+ runs?)</p>").findall
    for _ in range(2):
        site.run_of(a_test())
    paths = ("/sources/1", "/projects/1")
    assert [find_numbers(site.shown(path)) for path in paths] == [["2 runs"], ["2 runs"]]
    for _ in range(24):
        site.run_of(a_test())
    assert [find_numbers(site.shown(path)) for path in (*paths, "/sources/1?page=2")] == [[], [], []]


@pytest.mark.postgresql
def test_a_list_is_filtered_by_its_address(site: Site) -> None:
    """Suite, branch, status and tag can be combined, and stay while pages are turned."""
    passing = _run(site, a_test(), source="one", tags=["nightly"])
    broken = _run(site, failing(), source="two", tags=["nightly"])
    assert _numbers(site, "/projects/1?status=failed&tag=nightly&source=&branch=") == [broken]
    assert _numbers(site, "/?status=passed&tag=nightly") == [passing]
    assert _numbers(site, "/projects/1?source=1&branch=main") == [passing]
    assert "No run matches" in site.text("/projects/1?source=1&status=failed")
    for _ in range(26):
        site.run_of(a_test(), source="many", tags=["x y&z=1"])
    address = "/projects/1?tag=x+y%26z%3D1"
    first, second = (site.shown(f"{address}{page}") for page in ("", "&page=2"))
    assert f"{address}&page=2" in links(first)
    assert address in links(second)
    assert len(_numbers(site, f"{address}&page=2")) == 1
    assert "There is no page 9" in site.text("/projects/1?page=9")


def test_tags_of_shared_runs_are_no_choice(site: Site) -> None:
    """The tag by which jobs find a shared run stands beside it and fills no filter; its address lists the run."""
    shared = _run(site, a_test(), tags=["nightly", "run-key-99-0123456789"])
    shown = site.shown("/projects/1")
    assert shown.count("run-key-99-0123456789</") == 1
    assert '<option value="nightly">' in shown
    assert '<option value="run-key-99-0123456789">' not in shown
    assert _numbers(site, "/projects/1?tag=run-key-99-0123456789") == [shared]


def test_runs_are_grouped_by_day(site: Site) -> None:
    """The day stands above its runs."""
    for _ in range(3):
        site.service.clock.now += 24 * 60 * MINUTE
        site.run_of(a_test())
    assert len(re.findall(r'<div class="lot"><h2>\w+, \d+ Nov 2023</h2><p>1 run</p>', site.shown("/"))) == 3


@pytest.mark.postgresql
def test_the_first_page_fits_the_store(site: Site) -> None:
    """One suite shows itself; several have a card each; of several projects each shows its newest run."""
    _run(site, failing(1), a_test(2), source="backend")
    assert "1 of 2 tests failed" in site.text("/")
    _run(site, a_test(1), source="frontend")
    cards = ("frontend The only test passed · #2 on main", "backend 1 of 2 tests failed · #1 on main")
    assert missing(site.text("/"), "Suites 2 suites", *cards) == []
    assert {"/sources/1", "/sources/2", "/projects/1"} <= set(links(site.shown("/")))
    site.run_of(name="of seven", project_id=7, is_open=True)
    site.service.store.write(lambda writer: writer.connection.change("INSERT INTO project (id, created) VALUES (3, 0)"))
    assert {"/projects/1", "/projects/3", "/projects/7", "/runs/3"} <= set(links(site.shown("/")))
    assert re.search(r"Project 1 2 runs .* Project 3 0 runs Project 7 1 run Running #3 of seven", site.text("/"))
    assert _numbers(site, "/projects/7") == [3]
    assert "/projects/7" in links(site.shown("/runs/3"))


def test_a_suite_shows_what_fails_is_flaky_and_slow(site: Site) -> None:
    """Failures since their first run, flaky tests with evidence, slow tests by their usual time, all as links."""
    retried = a_test(2, **RETRIED)
    tests = [a_test(1, elapsed=SECOND), a_test(2), a_test(3, elapsed=9 * SECOND)]
    _run(site, *tests)
    slow = {**failing(1), "elapsed": SECOND}
    for _ in range(2):
        _run(site, slow, retried, tests[2])
    last = _run(site, slow, tests[1], tests[2])
    text, addresses = site.text("/sources/1"), links(site.shown("/sources/1"))
    for words in (
        "1 of 3 tests failed",
        "Failing now 1 All assert 90 == 89 1 test flaky",
        r"Flaky \d .*test_2 a first attempt failed in 2 of 4 runs",
        "Slowest usual duration test_3 9.00 s test_1 1.00 s",
    ):
        assert re.search(words, text), words
    assert {f"/runs/{last}?view=failures", "/tests/3?branch=main", f"/runs/{last - 1}"} <= set(addresses)
    assert any(address.startswith(f"/runs/{last}?view=failures#reason-") for address in addresses)


def test_what_fails_now_has_the_run_in_which_its_streak_began(site: Site) -> None:
    """A reason that was away for a while fails since its tests fail again; a file that was not collected is a file."""
    broken = failing(9, message="ImportError: x", name="tests.test_b", folder="tests.test_b", file="tests/test_b.py")
    for tests in ((failing(1),), (a_test(1),), (failing(1), broken), (failing(1), broken)):
        site.run_of(*tests)
    assert missing(site.text("/sources/1"), "assert 90 == 89 1 test since #3,", "ImportError: x 1 file since #3,") == []
    assert "1 file" in site.text("/runs/4")


def test_flaky_and_slow_tests_of_some_weeks_have_a_page(site: Site) -> None:
    """It tells how often the flaky ones failed, what all of them cost, and since which run and commit."""
    # The clock of a page is that of the machine.
    now, day = time.time_ns() // 1000, 24 * 60 * MINUTE
    for place in range(16):
        site.service.clock.now = now - (61 - 4 * place) * day
        own = failing(0, elapsed=2 * MINUTE) if place in {3, 9} else a_test(0, elapsed=MINUTE)
        slower = a_test(1, elapsed=(3 if place >= 10 else 1) * SECOND)
        run = site.run_of(own, slower, fields=_fields(Branch="main", Commit=f"{place:x}" * 40))
        # Findings measure the speed of each run.
        site.shown(f"/runs/{run}")
    assert "/sources/1/tests?branch=main" in links(site.shown("/sources/1"))
    assert missing(
        site.text("/sources/1/tests"),
        "16 runs of main in 90 days", "1 test, whose failures and retries took 4 min 00 s",
        "test_0 tests.a · in its last 16 runs: failed in 2 runs, each between two that passed 12.5 % 2 of 16 runs",
        "4 min 00 s #4 3333333 49 days ago",
        "test_1 tests.a 3.00 s 28.0 s 16 runs 1.00 s until #10, ×3.0 since #11 aaaaaaa 21 days ago",  # noqa: RUF001 - the sign
    ) == []  # fmt: skip
    month = site.text("/sources/1/tests?days=30")
    assert missing(month, "8 runs of main in 30 days", "12.5 % 1 of 8 runs 2 min 00 s #4") == []
    assert "No flaky test failed in these 90 days." in site.text("/sources/1/tests?branch=other")
    assert site.get("/sources/99/tests").status_code == 404


def test_a_stall_makes_no_test_the_slowest(site: Site) -> None:
    """Slow tests are ordered by what they usually take, and those that take next to nothing are left out."""
    site.service.clock.now = time.time_ns() // 1000
    for place in range(9):
        times = {0: 40 * SECOND if place == 4 else SECOND, 1: 2 * SECOND, 2: SECOND // 100, 3: SECOND * 9 // 10}
        site.run_of(*(a_test(number, elapsed=elapsed) for number, elapsed in times.items()))
    listed = site.text("/sources/1/tests").partition("Slow")[2]
    assert re.findall(r"test_([0-9])", listed) == ["1", "0", "3"]


def test_many_tests_that_take_as_long_as_each_other_are_slow(site: Site) -> None:
    """Where each takes less than a hundredth of their time the page does not say that none took long."""
    site.service.clock.now = time.time_ns() // 1000
    for first in range(0, 120, 30):
        site.run_of(*(a_test(number, elapsed=SECOND) for number in range(first, first + 30)))
    assert missing(site.text("/sources/1/tests"), "the tests that usually take the most time", "1.00 s") == []


def test_a_suite_without_branches_does_not_name_them(site: Site) -> None:
    """Runs of a folder that is no repository have no branch, so there is nothing to choose, and no word for it."""
    for _ in range(3):
        site.run_of(failing(1), a_test(2, elapsed=200))
    assert "branch" not in site.shown("/").partition("<main")[2].partition("</main>")[0].replace("branch=", "")
    words = "Compared with #2 : nothing new , 1 still failing. The oldest failure began in #1 ,"
    assert missing(site.text("/"), words, "Slowest") == ["Slowest"]
    assert "Branch" not in site.shown("/projects/1").partition("<main")[2]


def test_a_green_suite_says_for_how_long(site: Site) -> None:
    """A suite without failures has its number of green runs, and a green mark in the title's icon."""
    for test in (failing(1), a_test(1), a_test(1)):
        _run(site, test)
    assert "Nothing failed in the last 2 runs" in site.text("/")
    icon = 'rel="icon" type="image/svg+xml" href="/static/icon-pass-'
    assert missing(site.shown("/"), "<title>✓ passed · a-source", icon) == []


@pytest.mark.postgresql
def test_addresses_lead_to_the_newest_run_and_to_changes(site: Site) -> None:
    """Bookmarks of a branch's newest run stay true; two runs are compared by one address."""
    _run(site, a_test())
    newest, other = _run(site, a_test()), _run(site, a_test(), branch="fix/x")
    for path, target in (
        ("/sources/1/latest?branch=main", f"/runs/{newest}"),
        ("/sources/1/latest", f"/runs/{other}"),
        ("/compare/1/2", "/runs/2?view=changes&base=1"),
    ):
        assert site.get(path).headers["location"] == target
    for path in ("/sources/1/latest?branch=none", "/sources/9/latest", "/sources/9"):
        assert site.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/live", "/projects/1/live", "/sources/1/live", "/projects/1/live?status=failed"])
def test_an_open_list_hears_of_changes_alone(site: Site, path: str) -> None:
    """An answer has a tag, and nothing is sent while it holds."""
    thread = site.service.new_thread(site.service.new_run())
    first = site.get(path)
    assert "<html" not in first.text
    tag = first.headers["etag"]
    assert site.get(path, If_None_Match=tag).status_code == 304
    site.service.clock.now += SECOND
    site.service.append(thread, failing(1))
    second = site.get(path, If_None_Match=tag)
    assert (second.status_code, second.headers["etag"] != tag) == (200, True)


def test_findings_of_many_runs_are_computed_little_by_little(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list does not wait for them: its rows have the failures, and what changed with one of the next answers."""
    monkeypatch.setattr("pytest_automation_report.server.pages.lists._COMPUTING_SECONDS", -1)
    _run(site, failing(1), a_test(2))
    _run(site, failing(1), failing(2))
    assert ["2 failed" in row for row in _rows(site, "/projects/1")] == [True, False]
    tag = site.get("/projects/1/live").headers["etag"]
    monkeypatch.undo()
    answer = site.get("/projects/1/live", If_None_Match=tag)
    assert answer.status_code == 200
    assert "1</b> new" in answer.text


def test_hostile_values_of_a_list_stay_text(site: Site) -> None:
    """Names, branches, commits, subjects, tags and addresses are shown as they are, wherever a list has them."""
    fields = _fields(Branch=HOSTILE, Commit=HOSTILE, Commit_subject=HOSTILE + LONG, Collected=HOSTILE)
    files = [{"name": HOSTILE, "url": "javascript:alert(1)"}, {"name": "Commit", "url": "javascript:alert(2)"}]
    for number in range(2):
        failure = failing(number, message=HOSTILE, name=HOSTILE, folder=HOSTILE)
        site.run_of(failure, source=HOSTILE, name=HOSTILE, tags=[HOSTILE], fields=fields, links=files)
    site.run_of(a_test(), source="another")
    harmful = ["<script>fetch", "<img", "\u202e"]
    for path in ("/", "/projects/1", "/sources/1", "/sources/1/live"):
        html = site.shown(path)
        assert missing(html, *harmful) == harmful
        assert not [address for address in links(html) if "javascript" in address.partition("?")[0]]


@pytest.mark.postgresql
def test_runs_and_tests_are_found_from_the_lists(site: Site) -> None:
    """Runs by number, name, branch and commit; tests by name, file, message of their last results and node id."""
    old = _run(site, a_test(7, file="tests/a.py"), source="backend", name="nightly")
    newest = _run(site, failing(8, message="gateway refused", file="tests/a.py"), source="backend", branch="main")
    _run(site, a_test(9), source="frontend", branch="fix/rounding")
    for number in (f"%23{old}", old):
        assert site.get(f"/search?q={number}").headers["location"] == f"/runs/{old}"
    for text, runs in (("nightly", [old]), ("rounding", [3]), ("4f2a9c1", [3, newest, old])):
        assert _numbers(site, f"/search?q={text}") == runs
    for text in ("refused", "test_8", "tests/a.py", "tests/a.py::test_8"):
        found = site.shown(f"/search?q={text}")
        assert ('href="/tests/2"' in found, f"in #{newest}" in said(found)) == (True, True), text
    assert "test_9" in site.text("/search?q=test_")
    assert "test_9" not in site.text("/search?q=test_&source=1")


@pytest.mark.postgresql
def test_a_search_looks_into_all_kept_runs(site: Site) -> None:
    """Reasons and tests of any run and branch are found, the newest first; the page says what it looked at."""
    _run(site, failing(1, message="KeyError: 'first reason'"), a_test(2, name="test_gone"), source="backend")
    fix = _run(site, failing(1, message="ValueError: reason of a branch"), source="backend", branch="fix")
    _run(site, a_test(1), source="backend", branch="main")
    other = _run(site, failing(3, message="OSError: reason of another suite"), source="frontend")
    html = site.shown("/search?q=reason")
    assert re.findall(r"last in #([0-9]+)", html) == [str(other), str(fix), "1"]
    words = "3 tests, and the last 20 messages of each reason, in all 4 stored runs, #1 to #4."
    assert words in text_of(html)
    (address,) = (each for each in links(html) if each.startswith(f"/runs/{fix}?reason="))
    assert "reason of a branch" in site.text(address)
    assert "test_gone" in site.text("/search?q=gone status:passed")
    assert missing(site.text("/search?q=reason&source=1"), "another suite") == ["another suite"]
    nothing = site.text("/search?q=absent is:new")
    assert missing(nothing, "Nothing matches “absent is:new”", "in all 4 stored runs", "is:new is left out") == []
    site.remove(fix)
    assert "reason of a branch" not in site.text("/search?q=reason")


def test_a_reason_is_found_by_any_message_that_its_card_shows(site: Site) -> None:
    """One reason has a message for each of its parameters: what was not the last one finds it, too."""
    site.run_of(*(failing(n, f"OSError: no table rows_{n}", name=f"test_rows[{n}]", folder="t") for n in (1, 22, 3)))
    html = site.shown("/search?q=rows_22")
    assert ("1 reason, newest first" in text_of(html), "no table rows_22" in text_of(html)) == (True, True)


def test_a_search_shows_the_test_of_this_very_name_first(site: Site) -> None:
    """A test stands above those whose names only begin like its own, though they ran before it."""
    others = (a_test(number, name=f"test_echo_{number}") for number in range(30))
    site.run_of(*others, a_test(30, name="test_echo"), a_test(31, name="test_echo[x]"))
    names = re.findall(r'<span class="name"><code>(.*?)</code>', site.shown("/search?q=test_echo"))
    assert (names[:3], len(names)) == (["test_echo", "test_echo[x]", "test_echo_0"], 20)


def test_a_search_that_finds_nothing_offers_the_nearest_word(site: Site) -> None:
    """A misspelled word leads to one that tests have; nothing is searched for an empty text."""
    _run(site, a_test(1, name="test_gateway_refuses"))
    assert "/search?q=gateway" in links(site.shown("/search?q=gatway"))
    assert "Nothing matches “gatway”" in site.text("/search?q=gatway")
    assert "Search runs, reasons and tests" in site.text("/search?q=")
    hostile = site.shown("/search?q=" + "%3Cscript%3Efetch(1)&source=x")
    assert "<script>fetch" not in hostile


def test_many_suites_have_a_line_each(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards are for the suites that ran last; the others are links with their newest run."""
    monkeypatch.setattr("pytest_automation_report.server.pages.lists._CARDS_SHOWN", 1)
    for name in ("alpha", "beta", "gamma"):
        _run(site, a_test(1), source=name)
    text = site.text("/")
    assert "Suites 3 suites" in text
    assert re.search(r"gamma The only test passed .* More suites 2 suites.* beta #2, .* alpha #1,", text)
    assert "beta 1 test passed" not in text
    assert "/sources/1" in links(site.shown("/"))


def test_only_a_name_that_a_user_chose_is_shown(site: Site) -> None:
    """Clients derive a name from source, branch, number of the build or time: a list has all of that already."""
    derived = [
        "harbour",
        *(f"harbour {more}" for more in ("2026-11-23 08:08:14", "2026-11-23 08:08", "main #1214", "#7")),
    ]
    chosen = ["harbour nightly", "harbour release #7", "nightly", "harbourmaster"]
    for name in (*derived, *chosen):
        _run(site, a_test(), source="harbour", name=name)
    names = re.findall(r'<span class="id">#\d+</span>\s*(?:<b>(.*?)</b>)?', site.shown("/projects/1"))
    assert names == [*chosen[::-1], *[""] * len(derived)]
