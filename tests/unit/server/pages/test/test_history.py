"""What the history of a test says: since when it fails, how long it usually takes, how reliable it is."""

from typing import Any

import pytest

from pytest_automation_report.server.pages.test.history import (
    CHART_RUNS,
    RunOutcome,
    branch_histories,
    outcomes_of,
    reliability,
    sentence,
    trend_of,
)
from pytest_automation_report.server.store.stored import PastResult
from support.service import SECOND, a_test
from support.website import RETRIED, Site, failing, missing, on


def outcomes(letters: str, branch: str = "main", first: int = 1, elapsed: int = SECOND) -> list[RunOutcome]:
    """Return outcomes of a branch, newest first, from letters that are oldest first."""
    return [
        RunOutcome(first + place, first + place, branch, f"c{place}", letter, elapsed, place)
        for place, letter in enumerate(letters)
    ][::-1]


def said(letters: str, *others: RunOutcome) -> str:
    history = sorted([*outcomes(letters), *others], key=lambda outcome: -outcome.run)
    return "".join(piece.text for piece in sentence(history, len(letters)))


FLAKY = "Flaky. It failed, and passed on a retry."


@pytest.mark.parametrize(
    ("letters", "words"),
    [
        ("ppppf", "New failure. It passed in #4 and in all 4 earlier runs on main."),
        ("pprpf", "New failure. It passed in #4 and in 3 of the 4 earlier runs on main."),
        ("pprf", "New failure. It passed on a retry in #3 and in 2 of the 3 earlier runs on main."),
        ("pf", "New failure. It passed in #1, its only run before on main."),
        ("f", "It fails. This is its first run on main."),
        ("ppfff", "Failing since #3, for 3 runs on main. Before that it passed in all 2 runs."),
        ("ppfsff", "Failing since #3, for 3 runs on main. Before that it passed in all 2 runs."),
        ("fff", "Failing since #1, for 3 runs on main. It never passed there."),
        ("f" * 60, "Failing since #31 or longer, for 30 runs on main."),
        ("ppfp", "Fixed. It failed in #3, and in 1 of the 3 earlier runs on main."),
        ("ppr", FLAKY),
        ("prr", f"{FLAKY} In 1 of the 2 earlier runs on main an attempt failed, too."),
        ("ppp", "Passed, as in all 2 earlier runs on main."),
        ("rp", "Passed, as in the earlier run on main."),
        ("rff", "Failing since #2, for 2 runs on main. Before that it passed on a retry."),
        ("p", "Passed. This is its first run on main."),
        ("pfs", "Skipped. It last ran in #2 and failed."),
        ("s", "Skipped."),
    ],
)
def test_the_sentence(letters: str, words: str) -> None:
    """One sentence says what the outcome means beside the earlier ones of its branch."""
    assert said(letters) == words


@pytest.mark.parametrize(
    ("letters", "others", "words"),
    [
        ("pf", {"a": False}, " On main it fails; on a it passes."),
        ("pf", {"a": False, "b": True, "c": False}, " On main and b it fails; on a and c it passes."),
        ("pf", {"a": True}, " On main and a it fails."),
        ("pp", {"a": True}, " On a it fails; on main it passes."),
        ("ps", {"a": True, "b": False}, " On a it fails; on b it passes."),
        ("pp", {"a": False}, ""),
        ("pf", {}, ""),
    ],
)
def test_other_branches_in_the_sentence(letters: str, others: dict[str, bool], words: str) -> None:
    """It is silent where a test fails on no branch; each other branch is a link to its result there."""
    elsewhere = {branch: (100 + place, is_failed) for place, (branch, is_failed) in enumerate(others.items())}
    found = sentence(outcomes(letters), len(letters), elsewhere=elsewhere)
    assert "".join(piece.text for piece in found) == said(letters) + words
    if words:
        assert {piece.text: piece.result for piece in found if (piece.result or 0) >= 100} == {
            branch: result for branch, (result, _) in elsewhere.items()
        }


def test_a_failure_after_a_skip_is_back(site: Site) -> None:
    """It does not go on from the failure before: its page says what the page of the run says."""
    for test in (failing(), a_test(0, "skipped"), failing()):
        run = site.run_of(test, a_test(1), source="s", **on("main"))
    assert "1 new (back)" in site.text(f"/runs/{run}")
    (result, _) = site.result_ids(run)
    assert (
        missing(site.text(f"/results/{result}"), "New failure, back after a while. It last failed in #1 on main.") == []
    )


def test_the_page_of_a_test_says_that_it_shows_some_of_its_runs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """More runs are stored than the calendar has."""
    monkeypatch.setattr("pytest_automation_report.server.pages.test.history._CALENDAR", 2)
    said = []
    for _ in range(3):
        site.run_of(a_test(), source="s", **on("main"))
        said.append("of more" in site.text("/tests/1"))
    assert said == [False, False, True]


def test_the_sentence_links_the_runs_that_it_names() -> None:
    """The run before is a link to the result in it."""
    assert [piece.result for piece in sentence(outcomes("ppf"), 3) if piece.result] == [2]


def row(result: int, run: int, result_class: int = 2, **others: Any) -> PastResult:  # noqa: ANN401 - members of any type
    return PastResult(**{
        "id": result, "run": run, "name": "t", "folder": "f", "file": None, "line": None, "thread": 1,
        "branch": "main", "commit": "c", "result_class": result_class, "elapsed": 1,
        "created": 2, "changes": None, "failed_attempts": None, "fingerprint": None, "message": None, "job": None,
        "attempt": None, "status": result_class, **others,
    })  # fmt: skip


def test_a_run_has_one_outcome() -> None:
    """A failure in any job counts, and what did not finish says least; but the page's result stands for its run."""
    rows = [row(4, 2), row(3, 2, 3), row(2, 1, failed_attempts=1), row(1, 1, 1)]
    for result, found in (
        (None, [(2, 3, "f"), (1, 2, "r")]),
        (4, [(2, 4, "p"), (1, 2, "r")]),
        (1, [(2, 3, "f"), (1, 1, ".")]),
    ):
        assert [(outcome.run, outcome.result, outcome.letter) for outcome in outcomes_of(rows, result)] == found
    again = [row(6, 3, job="a", attempt=2), row(5, 3, 3, job="a", attempt=1)]
    assert [(outcome.result, outcome.letter) for outcome in outcomes_of(again)] == [(6, "r")]


def test_reliability_counts_decided_runs() -> None:
    """Skipped runs say nothing; without a decided run there is no reliability."""
    assert reliability(outcomes("pprfs")) == (2, 1, 4)
    assert reliability(outcomes("s")) is None
    assert reliability(outcomes("f" * 30 + "p" * 50)) == (50, 0, 50)


def test_other_branches_have_their_last_outcomes() -> None:
    """Each branch has its letters, oldest first, the branch with the newest run first."""
    history = sorted([*outcomes("pp"), *outcomes("pf", "a", 10), *outcomes("r", "b", 20)], key=lambda o: -o.run)
    found = [(entry.branch, entry.letters, entry.counts) for entry in branch_histories(history)]
    assert found == [("b", "r", (0, 1)), ("a", "pf", (1, 2)), ("main", "pp", (2, 2))]


def test_the_trend_reaches_the_current_run() -> None:
    """The last runs are drawn, oldest first, or those up to an older current run; branches are named if all are."""
    history = outcomes("p" * 99 + "f")
    newest = trend_of(history, history[0], has_branches=True)
    assert [point.run for point in newest] == list(range(71, 101))
    assert (newest[-1].words, newest[-1].tone, newest[-1].address) == ("failed, 1.00 s, main", "fail", "/results/100")
    older = trend_of(history, history[50], has_branches=False)
    assert (len(older), older[-1].run, older[-1].words) == (CHART_RUNS, 50, "passed, 1.00 s")


def test_the_usual_duration_is_that_of_lists(site: Site) -> None:
    """The median of the passed runs of the branch before a run; a first run of a branch has that of its base."""
    for seconds, branch in ((1, "main"), (3, "main"), (2, "main"), (9, "topic")):
        run = site.run_of(a_test(elapsed=seconds * SECOND), source="s", **on(branch, commit=f"a{seconds}"))
        site.shown(f"/runs/{run}?view=time")
    results = [site.result_ids(number)[0] for number in (3, run)]
    assert [missing(site.text(f"/results/{result}"), "Usually 2.00 s") for result in results] == [[], []]
    assert missing(site.text("/tests/1?branch=main"), "usually 2.00 s") == []


def test_the_page_of_a_test_across_runs(site: Site) -> None:
    """It shows outcomes by branch, reasons with counts, and each outcome leads to its result."""
    for test, branch in ((a_test(), "main"), (failing(), "main"), (a_test(), "feature/x")):
        site.run_of(test, source="s", **on(branch))
    words = ("the last 3 runs", "feature/x", "passed at the first attempt in 1 of 2 runs", "assert 90 == 89", "key0")
    assert missing(site.text("/tests/1"), *words) == []
    results = [f'href="/results/{number}"' for number in (1, 2, 3)]
    assert missing(site.shown("/tests/1?branch=feature/x"), *results, "Duration on feature/x") == []
    # Each run is a bar, also the one that failed.
    assert missing(site.shown("/tests/1?branch=main"), 'aria-label="#1: passed', 'aria-label="#2: failed') == []
    assert site.get("/tests/99").status_code == 404


def test_the_page_of_a_test_across_runs_has_its_command_and_why_it_is_flaky(site: Site) -> None:
    """Both are those of the pages of its runs."""
    for test in (a_test(), a_test(**RETRIED), failing()):
        run = site.run_of({**test, "file": "tests/a.py"}, source="s", **on("main"))
    site.shown(f"/runs/{run}")
    for path in ("/tests/1", f"/results/{site.result_ids(run)[0]}"):
        words = ("pytest tests/a.py::test_0", "a first attempt failed in 1 of 3 runs")
        assert missing(site.text(path), *words) == [], path
