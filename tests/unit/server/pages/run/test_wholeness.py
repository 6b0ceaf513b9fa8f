"""What the page of a run says about tests that its jobs lost or ran twice."""

import re
from itertools import permutations

import pytest

from pytest_automation_report.api.models import Json
from pytest_automation_report.server.store.checks import check_store
from support.service import a_test
from support.website import Site, failing, killed, missing, on


def _shared_run(site: Site, *parts: range) -> int:
    """Store a completed run of these jobs, each of which ran these of six collected tests."""
    run = site.service.new_run()
    for place, part in enumerate(parts, 1):
        job = {"name": f"unit {place}/{len(parts)}", "attempt": 1}
        thread = site.service.new_thread(run, job=job, session_started=place)
        collection = {"digest": "0" * 32, "tests": 6, "chosen": len(part)}
        site.service.append(thread, *map(a_test, part), collection=collection)
    site.service.complete(run)
    return run


def test_a_page_says_whether_the_run_is_whole(site: Site) -> None:
    """Heading and sentence have the proof, and a run whose jobs lost tests is not the base of a later one."""
    whole = _shared_run(site, range(3), range(3, 6))
    assert "6 tests, each once in 2 jobs." in site.text(f"/runs/{whole}")
    torn = _shared_run(site, range(3), range(2, 5))
    shown = site.text(f"/runs/{torn}")
    assert "1 missing, 1 twice, from unit 2/2" in shown
    assert "No change" not in shown
    assert "6 results passed, the run is not whole" in shown
    later = _shared_run(site, range(3), range(3, 6))
    assert f"Compared with #{whole}" in site.text(f"/runs/{later}")


def test_a_test_of_two_jobs_is_not_counted_as_two_tests(site: Site) -> None:
    """Where jobs ran the same tests, what is counted are results; changes and reasons count the test once."""
    site.run_of(*map(a_test, range(6)))
    run = site.service.new_run()
    for place, name in enumerate(("py3.10", "py3.14"), 1):
        thread = site.service.new_thread(run, job={"name": name, "attempt": 1}, session_started=place)
        collection = {"digest": "0" * 32, "tests": 6, "chosen": 6}
        site.service.append(thread, failing(0), *map(a_test, range(1, 6)), collection=collection)
    site.service.complete(run)
    words = (
        "2 of 12 results failed",
        "6 tests, each once in each of its jobs",
        "1 new .",
        "New 1 reason, 1 test",
    )
    assert missing(site.text(f"/runs/{run}"), *words) == []


@pytest.mark.postgresql
def test_a_job_that_died_in_its_last_test_is_not_whole(site: Site) -> None:
    """The test whose process died is missing until the job runs again: nobody says that all tests passed."""

    def run_of(attempts: int) -> str:
        run = site.service.new_run()
        for attempt in range(1, attempts + 1):
            job = {"name": "unit", "attempt": attempt}
            thread = site.service.new_thread(run, job=job, session_started=attempt)
            ending = {"state": "died" if attempt == 1 else "ended"}
            site.service.post(f"/automation/runs/threads/{thread}/append", {"session": {"ending": ending}})
            last = killed(1) if attempt == 1 else a_test(1)
            collection = {"digest": "0" * 32, "tests": 2, "chosen": 2}
            site.service.append(thread, a_test(0), last, collection=collection)
        site.service.complete(run)
        return site.text(f"/runs/{run}")

    assert missing(run_of(1), "The session died after 1 of 2 tests", "1 missing, from unit") == []
    assert missing(run_of(2), "Both tests passed", "2 tests, each once.") == []
    died, passed = ("unit", 2, [a_test(0), killed(1)]), ("unit", 1, [a_test(0), a_test(1)])
    for ordered in ((died, passed), (passed, died)):
        run = site.service.run_of_jobs(*ordered)
        assert _counts(site, run, "total", "success", "failure") == [2, 2, 0], "the outcome before stands"
    assert "Ended after 1 of 2 tests" in site.text(f"/runs/{site.run_of(a_test(0), killed(1))}")


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ([("unit 1/2", 1, True), ("unit 2/2", 1, False)], "1 of 2 jobs died: unit 1/2; 2 tests ran"),
        ([("unit 1/2", 1, True), ("unit 1/2", 2, False), ("web (3.12)", 1, True)], "1 of 2 jobs died: web (3.12); 3"),
        ([("a", 1, True), ("b", 1, False), ("c", 1, True)], "2 of 3 jobs died: a, c; 3 tests ran"),
        ([("[a](b)", 1, True), ("b", 1, False)], "1 of 2 jobs died; 2 tests ran"),
        ([("unit", 1, True)], "The session died after 1 test"),
    ],
    ids=["one", "not one that ran again", "two", "a name that means something in Markdown", "a single job"],
)  # fmt: skip
def test_a_verdict_names_the_jobs_that_died(site: Site, jobs: list[tuple[str, int, bool]], words: str) -> None:
    """Of several jobs that share a run, the heading names those whose last attempt died."""
    run = site.service.new_run()
    for place, (name, attempt, has_died) in enumerate(jobs, 1):
        thread = site.service.new_thread(run, job={"name": name, "attempt": attempt}, session_started=place)
        site.service.append(thread, a_test(place))
        ending = {"state": "died" if has_died else "ended"}
        site.service.post(f"/automation/runs/threads/{thread}/append", {"session": {"ending": ending}})
    site.service.complete(run)
    assert words in site.text(f"/runs/{run}")


def _attempt(number: int, *statuses: str) -> tuple[str, int, list[Json]]:
    """Return an attempt of a job whose tests had these statuses."""
    return "unit", number, [a_test(each, status, file="tests/test_a.py") for each, status in enumerate(statuses)]


def _counts(site: Site, run: int, *names: str) -> list[int]:
    counts = site.service.run(run)
    return [counts[f"{name}_count"] for name in names]


@pytest.mark.postgresql
def test_counts_of_a_run_are_of_the_last_attempt_of_each_job(site: Site) -> None:
    """A result that a later attempt of its job replaced is in no count, list or tree, in whichever order they came."""
    attempts = (_attempt(1, "failed", "failed", "passed"), _attempt(2, "passed", "failed"))
    for ordered in (attempts[::-1], attempts):
        run = site.service.run_of_jobs(*ordered)
        assert _counts(site, run, "total", "success", "failure", "completed") == [3, 2, 1, 3]
        assert "1 of 3 tests failed" in site.text(f"/runs/{run}")
    for query, names in (("status=3", ["test_1"]), ("view=tests&group=none", ["test_1", "test_2", "test_0"]),
                         ("q=test_0", ["test_0"]), ("view=tests&open=tests/test_a.py", ["test_1", "test_2", "test_0"]),
                         ("view=tests&lane=1", ["test_0", "test_1", "test_2"])):  # fmt: skip
        address = f"/runs/{run}?{query}".replace("lane=1", f"lane={site.service.run(run)['threads'][0]['id']}")
        shown = re.findall(r'class="leaf".*?<code>(test_\d)', site.shown(address), re.DOTALL)
        assert shown == names, query
    assert "3 tests" in site.text(f"/runs/{run}?view=tests")
    assert check_store(site.service.store).errors == ()


@pytest.mark.postgresql
def test_a_file_that_a_later_attempt_collected_counts_no_more(site: Site) -> None:
    """What attempt 1 of a job could not collect and attempt 2 ran is no failure, in whichever order they came."""
    broken = failing(9, message="ImportError: x", name="tests.test_a", folder="tests.test_a", file="tests/test_a.py")
    attempts = (("unit", 1, [broken]), ("unit", 2, [a_test(1, file="tests/test_a.py")]))
    for ordered in (attempts, attempts[::-1]):
        run = site.service.run_of_jobs(*ordered)
        assert "The only test passed" in site.text(f"/runs/{run}")
        assert _counts(site, run, "failure") == [0]
        assert site.service.get(f"/automation/runs/{run}/findings").json["result"]["counts"]["newly_failing"] == 0
    assert check_store(site.service.store).errors == ()


def test_files_that_two_jobs_could_not_collect_are_no_tests(site: Site) -> None:
    """While a run goes on it has the tests of its jobs, whatever they could not collect or skipped as a whole."""
    broken, skipped = ({"name": name, "folder": name, "file": f"{name}.py"} for name in ("test_a", "test_b"))
    run = site.service.new_run()
    for job in ("linux", "windows"):
        thread = site.service.new_thread(run, job={"name": job})
        site.service.append(thread, failing(9, **broken), a_test(8, "skipped", **skipped), a_test(1), a_test(2))
    assert "<h1>4 tests ran</h1>" in re.sub(r">\s+|\s+<", lambda match: match[0].strip(), site.shown(f"/runs/{run}"))


def test_the_first_run_of_a_branch_knows_the_tests_of_a_file_that_it_broke(site: Site) -> None:
    """They are those of the base, though that is of another branch: they did not run, and are not gone."""
    module = {"name": "test_a", "folder": "test_a", "file": "test_a.py"}
    site.run_of(a_test(0), *(a_test(number, file="test_a.py") for number in (1, 2)), **on("main"))
    run = site.run_of(a_test(0), failing(9, message="ImportError: x", **module), **on("topic"))
    text = site.text(f"/runs/{run}")
    assert missing(text, "test_a.py could not be collected, so 2 tests of it did not run") == []
    assert "gone" not in text


def test_an_interrupted_attempt_replaces_no_outcome(site: Site) -> None:
    """A test that failed has failed, though a later attempt of the job was interrupted in it; so has one that passed.

    In whichever order they came, and beside a later attempt or an earlier one that nobody interrupted.
    """
    untested = "untested"
    first, second = _attempt(1, untested, "failed", "passed"), _attempt(2, "failed", untested, untested)
    for ordered in permutations((first, second, _attempt(3, untested, untested, untested))):
        run = site.service.run_of_jobs(*ordered)
        assert _counts(site, run, "total", "success", "failure", "untested") == [3, 1, 2, 0]
        assert "2 of 3 tests failed" in site.text(f"/runs/{run}")
        ran = site.service.get(f"/automation/runs/{run}/findings").json["result"]
        assert sum(reason["count"] for reason in ran["reasons"]) == 2
    assert check_store(site.service.store).errors == ()


def test_numbers_of_a_test_in_several_jobs_are_of_results(site: Site) -> None:
    """As in the verdict: each job skipped the same test."""
    jobs = [(job, 1, [a_test(0), a_test(1, "skipped")]) for job in ("linux", "windows")]
    run = site.service.run_of_jobs(*jobs)
    assert missing(site.text(f"/runs/{run}"), "Both results passed", "2 results were skipped.", "Skipped 2") == []
