"""How the sessions of a run ended: the one duration of the run, and pytest's exit status without a failed test."""

from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.api.models import Json
from pytest_automation_report.cli.main import main
from pytest_automation_report.text.limits import duration
from support.commands import command_runner
from support.service import SECOND, a_test
from support.website import Site, failing, missing

SAID = "pytest ended with 1 although no test failed: a plugin, for instance coverage"
PART = "pytest ended with 1 in {} although no test failed: a plugin, for instance coverage"


def session(site: Site, *, before: int, lasts: int, skew: int = 0) -> int:
    """Report a session that began so many seconds before its run was created; return the run."""
    began = site.service.clock.now - before * SECOND
    run = site.service.new_run()
    own = began + skew * SECOND
    thread = site.service.new_thread(run, session_started=own)
    times: list[dict[str, Any]] = [{"elapsed": SECOND // 2, "started": (before + each) * SECOND} for each in range(2)]
    site.service.append(
        thread, failing(0, **times[0]), a_test(1, **times[1]), elapsed_observed=2 * SECOND, elapsed_computed=SECOND
    )
    site.service.complete_thread(thread)
    site.service.clock.now += 2 * SECOND
    note = {"session": {"ended": own + lasts * SECOND}}
    assert site.service.post(f"/automation/runs/{run}/append", note).status_code == 204
    site.service.complete(run, measure_elapsed=True)
    return run


@pytest.mark.parametrize(
    ("before", "lasts", "skew"),
    [(12, 14, 0), (66, 68, 0), (3700, 3702, 0), (66, 68, 7200), (66, 68, -7200)],
    ids=["12 s", "68 s", "an hour", "a clock that is fast", "a clock that is slow"],
)
def test_one_duration(site: Site, before: int, lasts: int, skew: int) -> None:
    """A session's own clock, without a limit, is the duration of head, rail, lists, *Time* and Markdown."""
    run = session(site, before=before, lasts=lasts, skew=skew)
    assert site.service.run(run)["elapsed"] == lasts * SECOND
    time = site.service.get(f"/automation/runs/{run}/findings").json["result"]["time"]
    assert (time["wall"], time["before"]) == (lasts * SECOND, before * SECOND)
    shown = duration(lasts * SECOND)
    pages = (f"/runs/{run}", "/sources/1", "/sources/1?view=runs", "/")
    assert [path for path in pages if shown not in site.text(path)] == []
    assert f"{shown}; tests ran in" in site.text(f"/runs/{run}"), "the rail"
    assert duration(before * SECOND) in site.text(f"/runs/{run}?view=time")
    if isinstance(site.service.place, Path):  # PostgreSQL is read by way of a server
        command = ["run", "export", str(run), "--format", "markdown", "--database", str(site.service.place)]
        assert shown in command_runner().invoke(main, command).stdout


def job(  # noqa: PLR0913 - what a job sends
    site: Site, run: int, name: str, began: int, ended: int | None, *, attempt: int = 1, exits: int = 0,
    tests: tuple[Json, ...] = (),
) -> None:  # fmt: skip
    """Add the session of a job that began and ended at these seconds; None for one whose machine was lost."""
    own: dict[str, Any] = {"job": {"name": name, "attempt": attempt}, "session_started": began * SECOND + 1}
    thread = site.service.new_thread(run, **own)
    site.service.append(thread, *(tests or (a_test(began),)))
    if ended is not None:
        ending = {"state": "ended", "status": exits, "is_unexplained": exits > 0}
        end = {"session": {"ended": ended * SECOND + 1, "ending": ending}}
        assert site.service.post(f"/automation/runs/threads/{thread}/append", end).status_code == 204
    site.service.complete_thread(thread)


def test_the_duration_of_a_shared_run(site: Site) -> None:
    """It is from the first start of a session to the last end; a job that comes late, or runs again, counts, too."""
    run = site.service.new_run()
    job(site, run, "a", 0, 70)
    job(site, run, "b", 30, 95)
    job(site, run, "lost", 90, None)
    site.service.complete(run, measure_elapsed=True)
    assert site.service.run(run)["elapsed"] == 95 * SECOND
    job(site, run, "lost", 200, 210, attempt=2)
    assert site.service.run(run)["elapsed"] == 210 * SECOND
    assert duration(210 * SECOND) in site.text(f"/runs/{run}")


def test_an_end_before_the_start(site: Site) -> None:
    """Whatever a client says of its end, no run takes less than nothing."""
    assert site.service.run(session(site, before=5, lasts=-9))["elapsed"] == 0


@pytest.mark.parametrize(
    ("jobs", "said", "status"),
    [
        ([("a", 1, 0), ("b", 1, 1), ("c", 1, 0), ("d", 1, 0)], PART.format("b"), 3),
        ([("a", 1, 1), ("a", 2, 0), ("b", 1, 0)], "All 3 tests passed", 2),
        ([("a", 2, 0), ("a", 1, 1), ("b", 1, 0)], "All 3 tests passed", 2),
        ([("a", 1, 0), ("a", 2, 1)], PART.format("a"), 3),
        ([("a", 1, 1), ("b", 1, 1)], PART.format("a, b"), 3),
        ([("[a](b)", 1, 1), ("b", 1, 0)], SAID, 3),
    ],
    ids=["one of four", "it ran again", "it ran again, the first comes late", "again, worse", "two", "odd name"],
)
def test_jobs(site: Site, jobs: list[tuple[str, int, int]], said: str, status: int) -> None:
    """One job whose last attempt ended so makes the run red, in its status, page and lists, and is named."""
    run = site.service.new_run()
    for place, (name, attempt, exits) in enumerate(jobs):
        job(site, run, name, place, place + 1, attempt=attempt, exits=exits)
    site.service.complete(run)
    assert site.service.run(run)["status"] == status
    assert said in site.text(f"/runs/{run}")
    findings = site.service.get(f"/automation/runs/{run}/findings").json["result"]
    assert (findings["verdict"]["tone"], findings["ran"]["unexplained_exit"]) == (
        ("fail", 1) if status == 3 else ("pass", 0)
    )
    listed = site.shown("/sources/1?view=runs")
    assert ("tone-fail" in listed or "ended with 1" in listed) is (status == 3)


def test_a_later_attempt_makes_it_green(site: Site) -> None:
    """A job that runs again takes the reason away from a run that was completed before."""
    run = site.service.new_run()
    job(site, run, "a", 0, 1, exits=1)
    site.service.complete(run)
    assert site.service.run(run)["status"] == 3
    assert SAID.replace("1 although", "1 in a although") in site.text(f"/runs/{run}")
    job(site, run, "a", 2, 3, attempt=2)
    assert site.service.run(run)["status"] == 2
    assert "although" not in site.text(f"/runs/{run}")


def test_beside_failures(site: Site) -> None:
    """Beside failures it is said behind their number, and the run stays failed."""
    run = site.service.new_run()
    job(site, run, "a", 0, 1, tests=(failing(0), a_test(1)))
    job(site, run, "b", 1, 2, exits=1, tests=(a_test(2),))
    site.service.complete(run)
    words = "1 of 3 tests failed; pytest ended with 1 in b although no other test failed: a plugin"
    assert missing(site.text(f"/runs/{run}"), words) == []


@pytest.mark.parametrize(
    "end", [{"ended": -1}, {"ended": "soon"}, {}, 7, {"ending": {"state": "ended", "status": 10**30}}]
)
def test_an_end_that_cannot_be_read(site: Site, end: object) -> None:
    """An extension of another form is left out, and what came with it is stored."""
    run = site.run_of(a_test(0), is_open=True)
    note = {"fields": [{"type": 1, "name": "Session", "value": "ended"}], "session": end}
    assert (
        site.service.raw(
            "POST", f"/api/v1/automation/runs/{run}/append", str(note).replace("'", '"').encode()
        ).status_code
        == 204
    )
    site.service.complete(run)
    assert "1 test passed" in site.text(f"/runs/{run}") or "The only test passed" in site.text(f"/runs/{run}")
