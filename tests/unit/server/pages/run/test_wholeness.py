"""What the page of a run says about tests that its jobs lost or ran twice."""

import re
from itertools import permutations

from pytest_automation_report.server.store.maintenance import check
from support.service import a_test
from support.website import Site, failing


def _shared_run(site: Site, *parts: range) -> int:
    """Store a completed run of these jobs, each of which ran these of six collected tests."""
    run = site.service.new_run()
    for place, part in enumerate(parts, 1):
        job = {"name": f"unit {place}/{len(parts)}", "attempt": 1}
        thread = site.service.new_thread(run, job=job, session_started=place)
        collection = {"digest": "0" * 32, "tests": 6, "chosen": len(part)}
        site.service.append(thread, *map(a_test, part), collection=collection)
    site.service.post(f"/automation/runs/{run}/complete", {})
    return run


def test_a_page_says_whether_the_run_is_whole(site: Site) -> None:
    """Heading and sentence have the proof, and a run whose jobs lost tests is not the base of a later one."""
    whole = _shared_run(site, range(3), range(3, 6))
    assert "6 tests, each once." in site.text(f"/runs/{whole}")
    torn = _shared_run(site, range(3), range(2, 5))
    shown = site.text(f"/runs/{torn}")
    assert "1 missing, 1 twice, from unit 2/2" in shown
    assert "No change" not in shown
    assert "6 tests passed, the run is not whole" in shown
    later = _shared_run(site, range(3), range(3, 6))
    assert f"since #{whole}" in site.text(f"/runs/{later}")


def test_counts_of_a_run_are_of_the_last_attempt_of_each_job(site: Site) -> None:
    """Results that a later attempt of their job replaced are in no count of a run, in whichever order they came."""
    attempts: tuple[tuple[int, list[str]], ...] = ((1, ["failed", "failed", "passed"]), (2, ["passed", "failed"]))
    for ordered in (attempts, attempts[::-1]):
        run = site.service.new_run()
        for attempt, statuses in ordered:
            thread = site.service.new_thread(run, job={"name": "unit", "attempt": attempt}, session_started=attempt)
            for number, status in enumerate(statuses):
                site.service.append(thread, a_test(number, status=status))
        site.service.post(f"/automation/runs/{run}/complete", {})
        counts = site.service.get(f"/automation/runs/{run}").json["result"]
        assert [counts[f"{name}_count"] for name in ("total", "success", "failure", "completed")] == [3, 2, 1, 3]
        assert "1 of 3 tests failed" in site.text(f"/runs/{run}")
    assert check(site.service.store).problems == ()


def test_lists_have_what_the_counts_of_a_run_have(site: Site) -> None:
    """A result that a later attempt of its job replaced is in no list of tests, nor in the tree of files."""
    run = site.service.new_run()
    for attempt, statuses in ((1, ["failed", "failed", "passed"]), (2, ["passed", "failed"])):
        thread = site.service.new_thread(run, job={"name": "unit", "attempt": attempt})
        tests = (a_test(number, status, file="tests/test_a.py") for number, status in enumerate(statuses))
        site.service.append(thread, *tests)
    site.service.post(f"/automation/runs/{run}/complete", {})
    for query, names in (("status=3", ["test_1"]), ("view=tests&group=none", ["test_1", "test_2", "test_0"]),
                         ("q=test_0", ["test_0"]), ("view=tests&open=tests/test_a.py", ["test_1", "test_2", "test_0"]),
                         ("view=tests&lane=1", ["test_0", "test_1", "test_2"])):  # fmt: skip
        shown = re.findall(r'class="leaf".*?<code>(test_\d)', site.shown(f"/runs/{run}?{query}"), re.DOTALL)
        assert shown == names, query
    assert "3 tests" in site.text(f"/runs/{run}?view=tests")


def test_a_file_that_a_later_attempt_collected_counts_no_more(site: Site) -> None:
    """What attempt 1 of a job could not collect and attempt 2 ran is no failure, in whichever order they came."""
    broken = failing(9, message="ImportError: x", name="tests.test_a", folder="tests.test_a", file="tests/test_a.py")
    attempts = ((1, broken), (2, a_test(1, file="tests/test_a.py")))
    for ordered in (attempts, attempts[::-1]):
        run = site.service.new_run()
        for attempt, test in ordered:
            thread = site.service.new_thread(run, job={"name": "unit", "attempt": attempt})
            site.service.append(thread, test)
        site.service.post(f"/automation/runs/{run}/complete", {})
        assert "The only test passed" in site.text(f"/runs/{run}")
        assert site.service.run(run)["failure_count"] == 0
        assert site.service.get(f"/automation/runs/{run}/findings").json["result"]["counts"]["newly_failing"] == 0
    assert check(site.service.store).problems == ()


def test_files_that_two_jobs_could_not_collect_are_no_tests(site: Site) -> None:
    """While a run goes on it has the tests of its jobs, whatever they could not collect or skipped as a whole."""
    module = {"name": "tests.test_a", "folder": "tests.test_a", "file": "tests/test_a.py"}
    other = {"name": "tests.test_b", "folder": "tests.test_b", "file": "tests/test_b.py"}
    run = site.service.new_run()
    for job in ("linux", "windows"):
        thread = site.service.new_thread(run, job={"name": job})
        site.service.append(thread, failing(9, **module), a_test(8, "skipped", **other), a_test(1), a_test(2))
    assert "<h1>4 tests ran</h1>" in re.sub(r">\s+|\s+<", lambda match: match[0].strip(), site.shown(f"/runs/{run}"))


def test_an_interrupted_attempt_replaces_no_outcome(site: Site) -> None:
    """A test that failed has failed, though a later attempt of the job was interrupted in it; so has one that passed.

    In whichever order they came, and beside a later attempt or an earlier one that nobody interrupted.
    """
    attempts = ((1, ["untested", "failed", "passed"]), (2, ["failed", "untested", "untested"]), (3, ["untested"] * 3))
    for ordered in permutations(attempts):
        run = site.service.new_run()
        for attempt, statuses in ordered:
            thread = site.service.new_thread(run, job={"name": "unit", "attempt": attempt}, session_started=attempt)
            site.service.append(thread, *(a_test(number, status=status) for number, status in enumerate(statuses)))
        site.service.post(f"/automation/runs/{run}/complete", {})
        counts = site.service.get(f"/automation/runs/{run}").json["result"]
        assert [counts[f"{name}_count"] for name in ("total", "success", "failure", "untested")] == [3, 1, 2, 0]
        assert "2 of 3 tests failed" in site.text(f"/runs/{run}")
        ran = site.service.get(f"/automation/runs/{run}/findings").json["result"]
        assert sum(reason["count"] for reason in ran["reasons"]) == 2
    assert check(site.service.store).problems == ()
