"""The page of a test whatever the run."""

from pytest_automation_report.server.pages.test.handlers import duration_line
from pytest_automation_report.server.pages.test.history import Outcome
from support.service import a_test
from support.website import Site, failing


def outcome(run: int, letter: str, branch: str = "main", fingerprint: int | None = None) -> Outcome:
    """Return an outcome that took as many seconds as the number of its run."""
    return Outcome(run, run, branch, "", letter, run * 1_000_000, 0, fingerprint, f"reason {fingerprint}")


def test_durations_of_passed_runs() -> None:
    """A run that did not pass interrupts the line."""
    assert duration_line([outcome(3, "p"), outcome(2, "f"), outcome(1, "r")]) == [1.0, None, 3.0]


def test_the_page_of_a_test_across_runs(site: Site) -> None:
    """It shows outcomes by branch, reasons with counts, and each outcome leads to its result."""
    for number, branch in enumerate(("main", "main", "feature/x")):
        fields = [{"type": 1, "name": "Branch", "value": branch}]
        site.run_of(failing() if number == 1 else a_test(), name=f"run {number}.", source="s", fields=fields)
    text = site.text("/tests/1")
    for words in ("the last 3 runs", "feature/x", "passed at once in 1 of 2 runs", "assert 90 == 89", "key0"):
        assert words in text, words
    html = site.shown("/tests/1?branch=feature/x")
    assert all(f'href="/results/{number}"' in html for number in (1, 2, 3))
    assert "Duration on feature/x" in html
    assert site.get("/tests/99").status_code == 404
