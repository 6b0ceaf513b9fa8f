"""Strips, marked messages, grids, lanes and trends, commands and versions, as the page of a run shows them."""

import re
from html import unescape
from typing import Any

import pytest

from support.service import SECOND, a_test
from support.website import RETRIED, Site, failing, field, missing, said

CART = {"file": "tests/test_cart.py", "folder": "tests.test_cart"}


def card(site: Site, *tests: dict[str, Any], **properties: Any) -> str:  # noqa: ANN401 - those of `Service.new_run`
    html = site.shown(f"/runs/{site.run_of(*tests, **properties)}")
    assert html.count('<details class="cause"') == 1
    return html.partition('<details class="cause"')[2].partition("</details>")[0]


def test_a_strip_shows_each_outcome_by_height_and_words(site: Site) -> None:
    """One path for each tone, the newest run at the right with a mark below it; runs before the test are left out."""
    for tests in (
        [a_test(1)],
        [a_test(0), a_test(1)],
        [failing(0), a_test(1)],
        [a_test(0, **RETRIED)],
    ):
        site.run_of(*tests)
    shown = card(site, failing(0))
    assert "last 4 runs: 1 passed, 2 failed, 1 flaky" in shown
    paths = dict(re.findall(r'<path class="(\w+)" d="([^"]*)"', shown))
    assert paths == {
        "pass": "M0 10h4v8h-4z",
        "fail": "M6 1h4v17h-4zM18 1h4v17h-4z",
        "flaky": "M12 5h4v13h-4z",
        "now": "M18 21h4v2h-4z",
    }


@pytest.mark.parametrize(
    ("message", "shown", "variable"),
    [
        ("RadioError: gateway 10.0.4.17:9031 refused", "RadioError: gateway", ["10.0.4.17", "9031"]),
        ("shop.errors.RadioError: no answer", "RadioError: no answer", []),
        ("assert 1260 == (8 * 180)", "AssertionError: assert 1260", ["1260", "8", "180"]),
        ("", "AssertionError: no message", []),
    ],
)
def test_variable_parts_of_a_message_are_marked(site: Site, message: str, shown: str, variable: list[str]) -> None:
    """The parts that differ from run to run; a reason without a message is never an empty heading."""
    failure = {**failing(0, message)["fields"][0], "value": ""} if not message else failing(0, message)["fields"][0]
    heading = card(site, failing(0, fields=[failure])).partition('<h3 class="says">')[2].partition("</h3>")[0]
    assert said(heading).startswith(shown)
    assert re.findall("<var>(.*?)</var>", heading) == variable


def test_a_large_grid_has_a_path_for_each_tone(site: Site) -> None:
    """300 squares are no links: the 15 that failed are one path."""
    tests = [(failing if n < 15 else a_test)(n, name=f"test_price[{n}]", **CART) for n in range(300)]
    grid = card(site, *tests).partition('class="cells"')[2].partition("</svg>")[0]
    assert "<a" not in grid
    paths = re.findall(r'<path class="(\w+)" d="([^"]*)"', grid)
    assert {tone: d.count("M") for tone, d in paths} == {"fail": 15, "pass": 285}


def test_workers_are_told_apart(site: Site) -> None:
    """The same name in several jobs has the worker's number; pytest's own process, alone in its run, has no name."""

    def names(*workers: str) -> list[str]:
        run = site.service.new_run()
        for worker in workers:
            site.service.append(site.service.new_thread(run, fields=[field("Worker", worker)]), a_test(0, elapsed=5))
        return re.findall(r"<title>All tests of (.*?)</title>", site.shown(f"/runs/{run}?view=time"))

    assert names("gw0", "gw1") == ["gw0", "gw1"]
    assert names("main", "gw0", "main") == ["main, worker 1", "gw0", "main, worker 3"]
    assert names("main") == ["pytest"]


@pytest.mark.parametrize(
    ("count", "where", "command"),
    [
        (2, CART, "pytest 'tests/test_cart.py::test_a[0]' 'tests/test_cart.py::test_a[1]'"),
        (9, CART, "pytest --automation-report-rerun-failed=1:REASON"),
        (1, {"folder": "t"}, None),
        (1, {"folder": "-k", "file": "-k.py"}, None),
    ],
)
def test_the_command_of_a_reason(site: Site, count: int, where: dict[str, Any], command: str | None) -> None:
    """Few tests are named one by one, many by their reason; without a file that is one there is no command."""
    shown = card(site, *(failing(number, name=f"test_a[{number}]", **where) for number in range(count)))
    commands = re.findall('id="command-[0-9a-f]*">(.*?)<', shown)
    assert [re.sub(r":[0-9a-f]{16}$", ":REASON", unescape(text)) for text in commands] == (
        [] if command is None else [command]
    )


def timed(site: Site, started: float, elapsed: float) -> int:
    """Report a run of one test by the seconds until it began and those that it took."""
    run = site.service.new_run()
    thread = site.service.new_thread(run, session_started=site.service.clock.now)
    before, own = int(started * SECOND), int(elapsed * SECOND)
    test = a_test(0, elapsed=own, started=before)
    site.service.append(thread, test, elapsed_observed=int((started + elapsed) * SECOND), elapsed_computed=own)
    site.service.complete(run)
    return run


def test_the_largest_waste_of_a_run_is_named(site: Site) -> None:
    """The shares of the workers' time are those of the lanes; the largest that is not tests has a sentence."""
    sentence = "% of the workers' time passed"
    assert missing(
        site.text(f"/runs/{timed(site, 6, 4)}?view=time"), "Tests ran 4.00 s 40 %", "Before the first test 6.00 s 60 %",
        f"60 {sentence} before the first test: start of pytest, collection",
    ) == []  # fmt: skip
    assert sentence not in site.text(f"/runs/{timed(site, 1, 9)}?view=time")


@pytest.mark.parametrize("seconds", [2.6, 86_400, 10**9])
def test_lanes_of_any_length_have_few_marks(site: Site, seconds: float) -> None:
    """Times of a short run have tenths; a client with a wrong clock gets an axis with no more marks than another."""
    html = site.shown(f"/runs/{timed(site, 0, seconds)}?view=time")
    marks = re.findall(r'text-anchor="middle">(.*?)<', html)
    assert 2 <= len(marks) <= 13
    assert ("0.5 s" in marks, "2:00:00" in marks) == (seconds == 2.6, seconds == 86_400)


def test_the_trend_names_the_run_with_which_failures_began(site: Site) -> None:
    """The first of the last runs that failed without a break has its number below, if there is room for it."""

    def began(*failed: int) -> list[int]:
        runs = [site.run_of(*map(failing, range(count)), a_test(9), source=str(failed)) for count in failed]
        numbers = re.findall(r"<text[^>]*>#(\d+)</text>", site.shown(f"/runs/{runs[-1]}"))
        return [runs.index(int(number)) for number in numbers]

    assert began(0, 0, 3, 0, 0, 1, 2, 2, 2, 2) == [0, 5, 9]
    assert began(0, 0, 0, 0, 0, 0, 0, 0, 1, 1) == [0, 9]
    assert began(1, 1, 1, 1, 1, 1, 1, 1, 1, 0) == [0, 9]


def test_the_bars_of_a_trend_are_as_high_as_their_values(site: Site) -> None:
    """Half as many failures are half as high."""
    runs = [site.run_of(*map(failing, range(count)), a_test(99)) for count in (40, 20, 10)]
    drawn = site.shown(f"/runs/{runs[-1]}").partition('class="trend')[2].partition("</svg>")[0]
    heights = [float(height) for height in re.findall(r'(?s)<rect class="fail".*? height="([0-9.]+)"', drawn)]
    assert [round(height / max(heights), 2) for height in heights] == [1.0, 0.5, 0.25]


@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_code_below_a_docstring_is_coloured_as_code(site: Site, quotes: str) -> None:
    """Lines that begin inside of a docstring are coloured as the whole function is: what runs there is no text."""
    text = f"""\
    def retried(item):
        {quotes}Try an item again.

        Items without a mark stay.
        {quotes}
        for mark in item.marks:
>           return mark.count + None
E           TypeError: unsupported operand

tests/retries.py:7: TypeError"""
    failure = {"type": 4, "name": "Failure", "value": text, "meta": {"type": "TypeError"}, "is_highlight": True}
    shown = card(site, failing(0, fields=[failure]))
    assert [int(number) for number in re.findall(r'data-n="(\d+)"', shown)] == [3, 4, 5, 6, 7]
    classes = {unescape(word).strip(): name for name, word in re.findall(r'<span class="(\w+)">([^<]*)</span>', shown)}
    assert classes["Items without a mark stay."] == classes[quotes] != ""
    assert classes["for"] == classes["return"] != classes[quotes]


def changed(site: Site, before: dict[str, str], after: dict[str, str]) -> str:
    """Return what the changes of a run with some fields say of its commits and versions."""
    for fields, commit in ((before, "a" * 40), (after, "b" * 40)):
        site.run_of(a_test(0), fields=[field("Commit", commit), *(field(*pair) for pair in fields.items())])
    text = site.text("/runs/2?view=changes").partition(" 0 newly")[0]
    return text.rpartition("nothing failed")[2].replace("Installed ", "").strip()


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (
            {"Python": "3.11.2", "OS": "Debian 12", "Packages": "attrs 23.1\nnumpy 1.26\nsix 1.16"},
            {"Python": "3.12.1", "OS": "Debian 12", "Packages": "attrs 23.1\nnumpy 2.0\nurllib3 2.2"},
            "Python 3.11.2 → 3.12.1 numpy 1.26 → 2.0 six 1.16 is gone urllib3 2.2 is new",
        ),
        # Other clients have the names of pytest's plugins.
        (
            {"pytest": "8.4.0", "Plugins": "pytest-cov 5.0, pytest-xdist 3.5"},
            {"pytest": "8.4.1", "Plugins": "pytest-cov 6.0, pytest-xdist 3.5", "Packages": "pytest-cov 6.0"},
            "pytest 8.4.0 → 8.4.1 pytest-cov 5.0 → 6.0",
        ),
        # A list that was cut calls no package new or gone.
        (
            {"Packages": "a 1\n" + "\n".join(f"package-{number:04d} 1.0" for number in range(1_000))},
            {"Packages": "a 2\nb 1"},
            "a 1 → 2",
        ),
        # The commits reach back to the base, or none of them is shown.
        ({}, {"Commits": "bbbbbbbbbb Round\ncccccccccc Up\naaaaaaaaaa Begin"}, "bbbbbbb Round ccccccc Up"),
        ({}, {"Commits": "bbbbbbbbbb Round\ncccccccccc Up"}, ""),
    ],
)
def test_versions_and_commits_are_shown(site: Site, before: dict[str, str], after: dict[str, str], shown: str) -> None:
    """The interpreter, and packages that have another version, are new or gone; commits after that of the base."""
    assert changed(site, before, after) == shown


def test_the_lanes_of_jobs_have_their_names_and_say_what_a_balanced_cut_takes(site: Site) -> None:
    """The lanes of a run that jobs share stand by job, and are named; of shards it is said how even they are."""
    service, run = site.service, site.service.new_run()
    long = "a job with so long a name that no page has room for it 3/3"
    shards = (("unit 10/12", 2, "gw0"), ("unit 2/12", 4, ""), (long, 6, ""), ("unit 10/12", 2, "gw1"))
    for number, (job, seconds, worker) in enumerate(shards):
        fields = [field("Worker", worker)] if worker else []
        thread = service.new_thread(run, job={"name": job}, session_started=service.clock.now, fields=fields)
        tests = [a_test(10 * number + each, elapsed=SECOND, started=each * SECOND) for each in range(seconds)]
        collection = {"digest": "ab" * 8, "tests": 14, "chosen": seconds}
        service.append(thread, *tests, elapsed_observed=seconds * SECOND, collection=collection)
    service.complete(run)
    html = site.shown(f"/runs/{run}?view=time")
    assert re.findall(r"<title>All tests of (.*?)</title>", html) == [
        long,
        "unit 2/12",
        "unit 10/12 gw0",
        "unit 10/12 gw1",
    ]
    assert re.findall(r'<text class="mono" x="0"[^>]*>(.*?)</text>', html)[0] == f"{long[:36]}…"
    sentence = "The tests took 2.00 s to 6.00 s a job; a balanced cut would have taken 4.00 s"
    assert sentence in site.text(f"/runs/{run}?view=time")
