"""What the page of a run says about tests that its jobs lost or ran twice."""

from support.service import a_test
from support.website import Site


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


def test_a_page_judges_the_last_attempt_of_a_job(site: Site) -> None:
    """A test that passed when its job ran again did not fail: heading and title say so, and how many were replaced."""
    run = site.service.new_run()
    for attempt, status in ((1, "failed"), (2, "passed")):
        thread = site.service.new_thread(run, job={"name": "unit", "attempt": attempt}, session_started=attempt)
        site.service.append(thread, a_test(1, status=status), a_test(2))
    site.service.post(f"/automation/runs/{run}/complete", {})
    shown = site.text(f"/runs/{run}")
    assert "Both tests passed" in shown
    assert "Later attempts of jobs replaced 2 results." in shown
