"""The findings of runs in a store: each is computed once, and says what the results of the runs before it say."""

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_automation_report.api.models import Json
from pytest_automation_report.delivery.attempts import unfinished_attempt
from pytest_automation_report.findings.comparison import WantedBase
from pytest_automation_report.findings.flakiness import WINDOW
from pytest_automation_report.findings.sentences import changes_line, findings_lines
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.server.pages.queries import ask
from pytest_automation_report.server.store import findings as store_findings
from pytest_automation_report.server.store.checks import check_store
from pytest_automation_report.server.store.compared import flaky_tests, main_branch, usual_durations
from pytest_automation_report.server.store.database import StoreConnection
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.histories import (
    UsualTime,
    histories,
    last_letters,
    series_of,
    usual_times,
)
from pytest_automation_report.server.store.overview import overview
from pytest_automation_report.server.store.reads import run_row
from pytest_automation_report.server.store.removal import remove_run, remove_unused_tests
from pytest_automation_report.server.store.results import ResultReader
from pytest_automation_report.server.store.values import ApiError, RunSubmission, StoredTest, ThreadSubmission
from pytest_automation_report.server.store.writes import Writer, set_main_branch, source_names
from support.service import SECOND, Service, a_test
from support.website import failed_attempt, field

if TYPE_CHECKING:
    from pytest_automation_report.findings.documents import RunFindings

MS = 1000
STATUSES = {"p": "passed", "r": "passed", "f": "failed", "s": "skipped", "u": "untested"}


def a_result(number: int, letter: str, message: str = "", elapsed: int = 100 * MS) -> Json:
    """Return test number N: p passed, r passed at its second attempt, f failed, s skipped."""
    properties: Json = {}
    if letter == "f":
        text = message or f"KeyError: 'key of {chr(97 + number % 26)}'"
        failure = {"name": "Failure", "type": 5, "value": text, "meta": {"message": text}, "is_highlight": True}
        properties = {"fields": [failure]}
    elif letter == "r":
        properties = {"attempts": [failed_attempt(1)]}
    return a_test(number, STATUSES[letter], elapsed=elapsed, file=f"tests/test_{number}.py", **properties)


def results(letters: str, elapsed: int = 100 * MS, messages: Mapping[int, str] | None = None) -> list[Json]:
    """Return a test for each letter; a dot stands for one that is not there."""
    texts = messages or {}
    return [
        a_result(number, letter, texts.get(number, ""), elapsed)
        for number, letter in enumerate(letters)
        if letter != "."
    ]


class Runs:
    """Runs of one source, one after the other, each a minute after the one before."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def open(
        self,
        letters: str = "",
        *,
        branch: str = "main",
        commit: str = "",
        more: Mapping[str, str] | None = None,
        session: Json | None = None,
        ancestors: Sequence[str] = (),
        **given: Any,  # noqa: ANN401 - those of `results`
    ) -> int:
        """Make a run with one test for each letter (a dot: the run lacks it), and return its id."""
        self.service.clock.now += 60 * SECOND
        fields = {"Branch": branch, "Commit": commit or f"c{self.service.clock.now}", **(more or {})}
        shown = [field(name, value) for name, value in fields.items() if value]
        run = self.service.new_run(fields=shown, session=session or {})
        if letters:
            thread = self.service.new_thread(run, **({"ancestors": [*ancestors]} if ancestors else {}))
            self.service.append(thread, *results(letters, **given))
        return run

    def __call__(self, letters: str, *others: Json, **more: Any) -> int:  # noqa: ANN401 - passed on
        """Make a completed run; the other tests are of a second worker."""
        run = self.open(letters, **more)
        if others:
            self.service.append(self.service.new_thread(run), *others)
        self.service.complete(run)
        return run

    def of_jobs(self, *jobs: tuple[str, int, str]) -> Json:
        """Make a run of jobs, each with its attempt and its letters; return its findings."""
        sent = [(name, attempt, results(letters)) for name, attempt, letters in jobs]
        return self.findings(self.service.run_of_jobs(*sent, run_id=self.open()))

    def findings(self, run: int, base: WantedBase = None) -> Json:
        return {**findings(self.service.store, run, base)}

    def changed(self, run: int, change: str) -> list[str]:
        """Return the names of the tests of a run that changed so."""
        return names(self.findings(run)["tests"][change])


@pytest.fixture
def runs(service: Service) -> Runs:
    return Runs(service)


def based_on(found: Json) -> tuple[int, str]:
    return found["base"]["run"], found["base"]["why"]


def names(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    return [entry["name"] for entry in entries]


def test_changes_since_the_run_before(runs: Runs) -> None:
    """Newly failing, still failing, fixed, new, gone and newly skipped tests are told by name, and since when."""
    first, second = runs("ppfffp.p", commit="a1"), runs("pfffpspp", commit="b2")
    found = runs.findings(second)
    assert based_on(found) == (first, "same branch")
    changes = {
        "newly_failing": ["test_1"], "still_failing": ["test_2", "test_3"], "fixed": ["test_4"], "passed_again": [],
        "new_tests": ["test_6"], "gone": [], "newly_skipped": ["test_5"], "not_run": [], "moved": [],
        "unstable_ids": [],
    }  # fmt: skip
    assert {word: names(tests) for word, tests in found["tests"].items()} == changes
    counted = ("newly_failing", "still_failing", "fixed", "gone")
    assert [found["counts"][word] for word in counted] == [len(changes[word]) for word in counted]
    (new,) = found["tests"]["newly_failing"]
    assert (new["since"]["run"], new["since"]["commit"], new["status"]) == (second, "b2", "failed")
    assert found["tests"]["still_failing"][0]["since"]["run"] == first
    assert len(new["fingerprint"]) == 16


def test_gone_tests_have_their_names(runs: Runs) -> None:
    """A test that the run lacks is gone, by the name that it had; in a run of a part of the suite none is gone."""
    runs("pppp")
    assert runs.changed(runs("pp.p"), "gone") == ["test_2"]
    part = runs.findings(runs("p", more={"Selection": "-k test_0"}))
    assert (part["is_partial"], part["tests"]["gone"]) == (True, [])


def test_the_first_run_has_no_base(runs: Runs) -> None:
    """The first run of a suite has reasons, and no changes."""
    found = runs.findings(runs("pff"))
    assert (found["base"], found["counts"]["newly_failing"], len(found["reasons"])) == (None, 0, 2)
    assert [reason["kind"] for reason in found["reasons"]] == [None, None]


def test_branches_are_apart(runs: Runs) -> None:
    """A branch is compared with itself, its first run with the target of its pull request, else with main."""
    main, release = runs("pp"), runs("pf", branch="release")
    topic = runs("ff", branch="topic")
    assert based_on(runs.findings(topic)) == (main, "main branch")
    found = runs.findings(runs("ff", branch="request", more={"Target branch": "release"}))
    assert (based_on(found), names(found["tests"]["newly_failing"])) == ((release, "target branch"), ["test_0"])
    assert based_on(runs.findings(runs("fp", branch="topic"))) == (topic, "same branch")


def test_a_wanted_base(runs: Runs) -> None:
    """Any two runs of a source can be compared; a run of another source, or none, is refused."""
    first, _, third = runs("pp"), runs("ff"), runs("fp")
    found = runs.findings(third, base=first)
    assert (based_on(found), names(found["tests"]["newly_failing"])) == ((first, "asked"), ["test_0"])
    assert runs.changed(third, "fixed") == ["test_1"]
    other = runs.service.new_run(source="another")
    for run, base, status in ((third, other, 422), (third, 999, 404), (999, None, 404)):
        with pytest.raises(ApiError) as refused:
            runs.findings(run, base=base)
        assert refused.value.status == status


def test_reasons(runs: Runs) -> None:
    """Failures with one reason are one entry, the most tests first; a reason is new if the base does not have it."""
    price = {3: "ValueError: no price for this article"}
    first = runs("pppf", messages=price, commit="a1")
    outage = {number: f"ConnectionRefusedError: [Errno 111] port {5000 + number}" for number in range(3)}
    many, known = runs.findings(runs("ffff", messages={**outage, **price}))["reasons"]
    assert [many[name] for name in ("count", "kind", "phase")] == [3, "new", "call"]
    assert [known[name] for name in ("count", "kind", "phase")] == [1, "still", "call"]
    assert (many["masked"], many["messages"]) == ("ConnectionRefusedError: [Errno <number>] port <number>", 3)
    assert (many["keys"], known["since"]["run"], known["since"]["commit"]) == (["key0", "key1", "key2"], first, "a1")


def test_new_reasons_are_first(runs: Runs) -> None:
    """What is new, or back, stands before what is flaky or was there before; then the reason of most tests."""
    runs("ppppf", commit="a1")
    runs("pfppf", commit="a1")
    runs("ppfpp", commit="b2")
    runs("pppff", commit="c3")
    reasons = runs.findings(runs("fffffff", messages=dict.fromkeys((5, 6), "OSError: no space is left")))["reasons"]
    assert [(reason["kind"], reason["count"]) for reason in reasons] == [
        ("new", 2), ("new", 1), ("new", 1), ("flaky", 1), ("still", 1), ("still", 1),
    ]  # fmt: skip


def test_a_reason_has_its_first_run_and_that_of_its_streak(runs: Runs) -> None:
    """A reason that was away for a while was first seen before its tests began to fail again."""
    first, _, back, last = (runs(letters) for letters in ("fp", "pp", "fp", "fp"))
    (reason,) = runs.findings(back)["reasons"]
    assert (reason["kind"], reason["first"]["run"], reason["since"]["run"]) == ("new", first, back)
    (reason,) = runs.findings(last)["reasons"]
    assert (reason["kind"], reason["first"]["run"], reason["since"]["run"]) == ("still", first, back)


def test_what_is_back_fails_for_the_same_reason_or_for_another(runs: Runs) -> None:
    """Each test that failed before the base is compared with itself; a reason of both kinds says neither."""
    runs("fffp", messages=dict.fromkeys((0, 1), "OSError: no space is left") | {2: "ValueError: the price is wrong"})
    runs("pppp")
    found = runs.findings(runs("ffff", messages=dict.fromkeys((0, 2, 3), "OSError: no space is left")))
    told = {test["name"]: (test["kind"], test["same_reason"]) for test in found["tests"]["newly_failing"]}
    assert told == {
        "test_0": ("new", True), "test_1": ("new", False), "test_2": ("new", False), "test_3": ("new", None),
    }  # fmt: skip
    assert [(each["kind"], each["same_reason"]) for each in found["reasons"]] == [("new", None), ("new", False)]
    assert [each["mine"] for each in found["reasons"]] == [{"new": 3}, {"new": 1}]
    runs("pppp")
    (reason,) = runs.findings(runs("fppp", messages={0: "OSError: no space is left"}))["reasons"]
    assert (reason["kind"], reason["same_reason"]) == ("new", True)
    runs("pppp")
    found = runs.findings(runs("fpfp", messages={0: "OSError: no space is left", 2: "OSError: no space is left"}))
    assert [reason["same_reason"] for reason in found["reasons"]] == [True, None], "the other is flaky"


def test_what_the_base_skipped_is_back_since_it_fails_again(runs: Runs) -> None:
    """A test that failed, was skipped and fails again is back since then, not since it failed first."""
    first, _, back = runs("fp"), runs("sp"), runs("fp")
    (entry,) = runs.findings(back)["tests"]["newly_failing"]
    assert (entry["kind"], entry["since"]["run"]) == ("new", back)
    (reason,) = runs.findings(back)["reasons"]
    assert (reason["kind"], reason["since"]["run"], reason["first"]["run"]) == ("new", back, first)


def test_what_a_branch_brought_along_fails_since_before_it_in_each_of_its_runs(runs: Runs) -> None:
    """The commits of a branch are not to blame for what failed on its base, however often the branch runs."""
    first = runs("fp", commit="a1")
    runs("fp", commit="b2")
    for commit in ("c3", "d4", "e5"):
        run = runs("fp", branch="topic", commit=commit)
        (entry,) = runs.findings(run)["tests"]["still_failing"]
        assert (entry["since"]["run"], entry["since"]["commit"]) == (first, "a1")
    mended = runs("pp", branch="topic")
    assert runs.changed(mended, "fixed") == ["test_0"]
    again = runs.findings(runs("fp", branch="topic", commit="f6"))["tests"]["newly_failing"]
    assert again[0]["since"]["commit"] == "f6"


def test_a_file_that_was_collected_in_between_fails_since_later(runs: Runs) -> None:
    """A file that can be collected has no result of its own, but its tests end its failures."""
    module = {
        **a_result(1, "f", "ModuleNotFoundError: No module named 'nonsense'"),
        "key": "module", "name": "tests.test_1", "folder": "tests.test_1",
    }  # fmt: skip
    first = runs("p", module)
    assert runs.findings(runs("p", module))["tests"]["still_failing"][0]["since"]["run"] == first
    for letters in ("pp", "p"):  # the last one has no test of the file, and says nothing of it
        runs(letters)
    back = runs("p", module)
    found = runs.findings(back)
    (entry,) = found["tests"]["newly_failing"]
    assert (entry["kind"], entry["since"]["run"], found["flaky"]) == ("new", back, [])
    (entry,) = runs.findings(runs("p", module))["tests"]["still_failing"]
    assert entry["since"]["run"] == back
    runs("pp")
    assert runs.service.store.read(partial(flaky_tests, source_id=runs.service.run(back)["source_id"]))["tests"] == []


def test_flaky_tests(runs: Runs) -> None:
    """A retry, a failure and a pass of one content, two isolated failures are flaky; three failed runs are broken."""
    letters = ("pppp", "pfff", "pppf", "rffp", "pppf", "pppf", "pppf")
    *_, last = (runs(each, commit=commit) for each, commit in zip(letters, "1234456", strict=True))
    found = runs.findings(last)
    states = {entry["name"]: entry["state"] for entry in found["flaky"]}
    assert states == {"test_0": "flaky", "test_1": "flaky", "test_2": "flaky", "test_3": "broken"}
    assert found["counts"]["flaky"] == 3
    entry = next(entry for entry in found["flaky"] if entry["name"] == "test_1")
    assert entry["evidence"] == {"retries": 0, "states": 1, "isolated": 2}
    assert (entry["failed"], entry["runs"]) == (2, 7)


def test_an_outage_makes_no_test_flaky(runs: Runs) -> None:
    """Tests that fail together for one reason are not flaky, however often that happens."""
    outage = dict.fromkeys(range(12), "ConnectionRefusedError: [Errno 111] Connection refused")
    for letters in ("p" * 40, "f" * 12 + "p" * 28, "p" * 40, "f" * 12 + "p" * 28, "p" * 40):
        last = runs(letters, messages=outage)
    assert runs.findings(last)["flaky"] == []


def test_slower_and_faster_tests(runs: Runs) -> None:
    """A test that takes twice as long is slower; on a machine that is slower as a whole nothing is."""
    for _ in range(8):
        runs("pppppp")
    *_, slow = (runs("pppppp", elapsed=250 * MS) for _ in range(3))
    found = runs.findings(slow)
    assert (found["slower"], found["faster"], found["speed"]) == ([], [], 2.5)
    first, last, *after = (runs("ppppp", a_result(5, "p", elapsed=900 * MS)) for _ in range(4))
    (slower,) = runs.findings(last)["slower"]
    assert (slower["name"], slower["elapsed"], slower["median"], slower["ratio"]) == ("test_5", 900 * MS, 100 * MS, 9.0)
    assert (slower["until"], slower["since"]["run"]) == (slow, first)
    assert [(runs.findings(run)["slower"], runs.findings(run)["counts"]["slower"]) for run in after] == [([], 0)] * 2


def paused(number: int, elapsed: int, paused: int) -> Json:
    """Return test number N, in which Python collected garbage."""
    return {**a_result(number, "p", elapsed=elapsed), "paused": paused}


def test_garbage_collection_makes_no_test_slower_or_faster(runs: Runs) -> None:
    """Its pauses are in no duration that is compared or named: not in a test's, and not in the speed of a run."""
    pausing = [paused(each, 700 * MS, 600 * MS) for each in range(5)]
    for _ in range(8):
        runs("pp", *pausing[2:], paused(5, 500 * MS, 300 * MS))
    last = [runs("..ppp", *pausing[:2], paused(5, 200 * MS, 0)) for _ in range(3)][-1]
    found = runs.findings(last)
    assert (found["slower"], found["faster"]) == ([], [])
    speeds = runs.service.store.read(lambda reader: reader.execute('SELECT DISTINCT "speed" FROM "run"'))
    assert speeds == [(1.0,)]
    last = [runs("ppppp", paused(5, 900 * MS, 500 * MS)) for _ in range(2)][-1]
    (slower,) = runs.findings(last)["slower"]
    assert (slower["name"], slower["elapsed"], slower["median"]) == ("test_5", 400 * MS, 200 * MS)


def test_a_pause_is_no_longer_than_its_test(runs: Runs) -> None:
    """No duration becomes negative, and a test without a duration has no pause."""
    untimed = {name: value for name, value in paused(2, 5, 9).items() if name != "elapsed"}
    run = runs("p", paused(1, 5, 9), untimed)
    sql = 'SELECT "paused" FROM "result" WHERE "run_id" = ? ORDER BY "id"'
    assert runs.service.store.read(lambda reader: reader.execute(sql, (run,))) == [(None,), (5,), (None,)]


def test_another_machine_is_the_usual_one_after_some_runs(runs: Runs) -> None:
    """On a machine half as fast nothing is slower or faster; after ten runs its speed and its durations are usual."""

    def run_on(speed: float, slowed: float = 1.0) -> Json:
        # One test waits for a clock, whatever the machine, and one computes.
        waiting = a_result(6, "p", elapsed=2000 * MS)
        computing = a_result(7, "p", elapsed=round(300 * MS * speed * slowed))
        return runs.findings(runs("pppppp", waiting, computing, elapsed=round(200 * MS * speed)))

    for _ in range(20):
        run_on(1.0)
    found = [run_on(2.0) for _ in range(14)]
    assert [document["speed"] for document in found] == [2.0] * 9 + [1.33] + [1.0] * 4
    assert [(document["slower"], document["faster"]) for document in found] == [([], [])] * 14
    (test,) = [run_on(2.0, slowed=3.0) for _ in range(2)][-1]["slower"]
    assert test["name"] == "test_7"
    assert [test["elapsed"], test["median"]] == pytest.approx([1800 * MS, 600 * MS], rel=0.001)


def test_the_usual_duration_is_one_that_was_measured(runs: Runs) -> None:
    """It is the median of a test's durations as they were, however fast the machine was in each run."""
    waiting = a_result(6, "p", elapsed=100 * MS)
    ids = [runs("pppppp", waiting, elapsed=elapsed * MS) for elapsed in (100, 100, 100, 400, 400, 400)]
    runs.findings(ids[-1])
    series = runs.service.store.read(lambda reader: series_of(reader, run_row(reader, ids[-1])))
    assert {run.speed for run in series.runs} >= {1.0, 4.0}
    found = runs.service.store.read(lambda reader: usual_times(reader, histories(reader, series, [7])))
    assert found == {7: UsualTime(100 * MS)}


def test_a_run_has_the_speed_that_was_measured_first(runs: Runs) -> None:
    """Findings that are computed anew divide by the speed that was stored, whatever was removed meanwhile."""
    first = [runs("pppppp") for _ in range(8)]
    slow = runs("pppppp", elapsed=250 * MS)
    assert runs.findings(slow)["speed"] == 2.5
    for run in first:
        runs.service.store.write(partial(remove_run, run))
    runs.service.store.write(lambda writer: writer.connection.change('UPDATE "run_document" SET "version" = 0'))
    assert runs.findings(slow)["speed"] == 2.5


@pytest.mark.parametrize("usual_ms", [20, 110, 400])
@pytest.mark.parametrize(("ratio", "is_changed"), [(1.0, False), (1.3, False), (3.0, True), (0.3, True)])
def test_every_change_of_a_duration_is_found(runs: Runs, usual_ms: int, ratio: float, *, is_changed: bool) -> None:
    """Durations are read for few tests only, and for all that got slower or faster by more than a tenth of a second."""
    now_ms = round(usual_ms * ratio)
    times = [usual_ms] * 9 + [now_ms] * 2
    *_, last = (runs("p" * 6, a_result(6, "p", elapsed=elapsed * MS), elapsed=50 * MS) for elapsed in times)
    found = runs.findings(last)
    is_told = is_changed and abs(now_ms - usual_ms) > 100
    assert names(found["slower"] + found["faster"]) == (["test_6"] if is_told else [])


def test_a_first_run_that_completes_after_a_later_one(runs: Runs) -> None:
    """Its findings are computed once and stored, and it is part of the history of its suite."""
    first, second = runs.open("fp"), runs.open("fp")
    for run in (second, first):
        runs.service.complete(run)
        runs.findings(run)
    assert ask(runs.service.store, lambda reader: reader.state(None))[1] == []
    third = runs.findings(runs("fp"))
    assert third["tests"]["still_failing"][0]["since"]["run"] == first


def test_findings_of_a_run_that_was_opened_again_are_not_stored(runs: Runs) -> None:
    """What was computed of a run before late results came is no finding of the run with them."""
    run = runs("pp")
    store = runs.service.store
    computed = store.read(partial(store_findings._computed, run_id=run, wanted=None))
    runs.service.clock.now += SECOND
    runs.service.append(runs.service.new_thread(run, job={"name": "late"}), a_result(2, "f"))
    runs.service.complete(run)
    store.write(partial(store_findings._keep, *computed))
    assert store.read(partial(store_findings.stored_findings, run_id=run)) is None
    assert [reason["count"] for reason in runs.findings(run)["reasons"]] == [1]


def test_an_open_run_is_compared_as_far_as_it_is(runs: Runs) -> None:
    """While a run is open its failures are known; nothing is gone, and nothing is stored."""
    runs("ppp")
    run = runs.open("pf")
    assert (runs.changed(run, "newly_failing"), runs.changed(run, "gone")) == (["test_1"], [])
    runs.service.append(runs.service.new_thread(run), a_result(2, "f"))
    assert runs.changed(run, "newly_failing") == ["test_1", "test_2"]
    runs.service.complete(run)
    assert runs.changed(run, "newly_failing") == ["test_1", "test_2"]


def test_an_author_at_work_makes_no_test_flaky(runs: Runs) -> None:
    """Failures of files that differ from their commit in an unknown way are no evidence, nor those without a commit."""
    changed: Json = {"commit": "a1", "more": {"Changes": "unknown"}}
    for letters in ("pppp", "fppf", "pppp", "fppf"):
        runs(letters, **changed)
    assert runs.findings(runs("prpp", **changed))["counts"]["flaky"] == 1
    *_, last = (runs(letters, more={"Commit": ""}) for letters in ("pppp", "pfpp", "pppp", "pfpp", "pppp"))
    assert runs.findings(last)["counts"]["flaky"] == 1
    *_, last = (runs(letters, commit="b2") for letters in ("ppfp", "pppp"))
    assert {entry["name"] for entry in runs.findings(last)["flaky"]} == {"test_1", "test_2"}


def test_equal_changes_are_one_content(runs: Runs) -> None:
    """A new test that fails and is mended is never flaky; one that fails and passes in one state of the files is."""
    *_, last = (
        runs(letters, commit="a1", more={"Changes": changes} if changes else {})
        for letters, changes in (("fp", "d1"), ("pp", "d2"), ("fp", "d3"), ("pf", "d4"), ("pp", "d4"), ("pp", ""))
    )
    assert [(entry["name"], entry["evidence"]) for entry in runs.findings(last)["flaky"]] == [
        ("test_1", {"retries": 0, "states": 1, "isolated": 0})
    ]


def test_a_commit_is_named_with_failures_that_it_may_have_brought(runs: Runs) -> None:
    """Not if the same files passed before, and without its author if the files differ from it."""
    by_ann: Json = {"commit": "a1", "more": {"Commit author": "Ann"}}
    runs("pppp", **by_ann)
    again = runs.findings(runs("fppp", **by_ann))
    changed = runs.findings(runs("pfpp", commit="a1", more={"Commit author": "Ann", "Changes": "d1"}))
    mended = runs.findings(runs("fpfp", commit="b2", more={"Commit author": "Ben"}))
    began = [found["tests"]["newly_failing"][-1]["since"] for found in (again, changed, mended)]
    assert [(since["commit"], since["author"], since["changes"]) for since in began] == [
        (None, None, None), ("a1", None, "d1"), ("b2", None, None),
    ]  # fmt: skip
    assert [found["reasons"][0]["since"]["commit"] for found in (again, changed)] == [None, "a1"]


A, B, C, D = ("a" * 10, "b" * 10, "c" * 10, "d" * 10)
BEN: Json = {"more": {"Commit author": "Ben"}}


@pytest.mark.parametrize(
    ("passed", "failed", "told"),
    [
        ([A], [B, A], (B, "Ben", None)),
        ([A], [D, C, B, A], (None, None, {"commits": 3, "after": A, "up_to": D})),
        ([C, B, A], [B, A], (None, None, None)),
        ([B], [C, B, A], (C, None, None)),
        ([A], [D], (D, None, None)),
        ([], [], (D, None, None)),
    ],
    ids=[
        "the only commit",
        "one of three",
        "an earlier commit",
        "a shallow clone before",
        "a shallow clone",
        "no history",
    ],
)
def test_an_author_is_named_if_it_can_be_no_other(
    runs: Runs, passed: Sequence[str], failed: Sequence[str], told: tuple[str | None, str | None, Json | None]
) -> None:
    """A failure began with a commit if the test passed at its parent; else with one of the commits in between."""
    runs("pp", commit=(passed or [A])[0], ancestors=passed)
    found = runs.findings(runs("fp", commit=(failed or [D])[0], ancestors=failed, **BEN))
    for since in (found["tests"]["newly_failing"][0]["since"], found["reasons"][0]["since"]):
        assert (since["commit"], since["author"], since.get("among")) == told
    words = changes_line(cast("RunFindings", found), 10**15)
    assert ("Ben" in words, "one of the 3 commits after aaaaaaa, up to ddddddd" in words) == (
        told[1] is not None, told[2] is not None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"Python": "3.11.7"}, {"Python": "3.13.0"}, (None, None)),
        ({"Packages": "click 8.1\nrich 13"}, {"Packages": "click 8.2\nrich 13"}, (None, None)),
        ({"Python": "3.11.7"}, {"Python": "3.11.7"}, (B, "Ben")),
        ({}, {"Python": "3.11.7"}, (B, "Ben")),
        ({"Target branch": "main"}, {"Target branch": "main"}, (B, None)),
    ],
    ids=["another Python", "another package", "the same", "not known before", "a pull request"],
)
def test_what_another_python_or_package_may_have_broken_blames_no_commit(
    runs: Runs, before: Mapping[str, str], after: Mapping[str, str], told: tuple[str | None, str | None]
) -> None:
    """Software that differs may be the cause, and so may what the target branch of a pull request has by then."""
    runs("pp", commit=A, ancestors=[A], more=before)
    found = runs.findings(runs("fp", commit=B, ancestors=[B, A], more={**BEN["more"], **after}))
    since = found["tests"]["newly_failing"][0]["since"]
    assert (since["commit"], since["author"]) == told


def test_a_commit_that_was_not_tested_is_not_passed_over(runs: Runs) -> None:
    """A new test that the last run did not reach may have failed there already: the next commit is not to blame."""
    passed = "p" * 19
    runs(passed, commit=A, ancestors=[A], session={"collected": 19})
    runs(passed, commit=B, ancestors=[B, A], session={"collected": 20, "not_run": 1})
    found = runs.findings(runs(f"{passed}f", commit=C, ancestors=[C, B, A], session={"collected": 20}, **BEN))
    assert found["tests"]["newly_failing"][0]["since"]["author"] is None
    runs("s", branch="topic", commit=A, ancestors=[A])
    found = runs.findings(runs("f", branch="topic", commit=B, ancestors=[B, A], **BEN))
    assert found["tests"]["newly_failing"][0]["since"]["author"] is None, "a skip says nothing"


def test_a_test_that_may_have_been_moved_blames_no_commit(runs: Runs) -> None:
    """What is new and has the name of a test that is gone may have failed under its old place already."""
    runs("pf", commit=A, ancestors=[A])
    moved = [{**test, "key": "moved", "folder": "moved"} for test in results(".f")]
    run = runs("p..f", *moved, commit=B, ancestors=[B, A], **BEN)
    since = {test["name"]: test["since"] for test in runs.findings(run)["tests"]["newly_failing"]}
    assert {name: (told["commit"], told["author"]) for name, told in since.items()} == {
        "test_1": (None, None), "test_3": (B, "Ben"),
    }  # fmt: skip
    part = runs.open(commit=C, more={**BEN["more"], "Selection": "moved"})
    runs.service.append(runs.service.new_thread(part, ancestors=[C, B, A]), {**moved[0], "key": "movedagain"})
    runs.service.complete(part)
    (entry,) = runs.findings(part)["tests"]["newly_failing"]
    assert (entry["since"]["commit"], entry["since"]["author"]) == (None, None), "where the run is a part"


def moved(letters: str, folder: str = "moved", **given: Any) -> list[Json]:  # noqa: ANN401 - those of `results`
    """Return the same tests in another folder."""
    return [{**test, "key": f"{folder}{test['name'][5:]}", "folder": folder} for test in results(letters, **given)]


def test_a_test_that_was_moved_is_compared_with_what_it_was(runs: Runs) -> None:
    """A renamed file has neither new nor gone tests, its old failures go on, and only what passed before is new."""
    runs("fpfp", commit=A, ancestors=[A])
    runs("fpfp", commit=B, ancestors=[B, A], **BEN)
    run = runs("", *moved("ffpp"), commit=C, ancestors=[C, B, A], **BEN)
    found = runs.findings(run)
    lists = {name: names(tests) for name, tests in found["tests"].items() if tests}
    everything = [f"test_{number}" for number in range(4)]
    assert lists == {
        "newly_failing": ["test_1"], "still_failing": ["test_0"], "fixed": ["test_2"], "moved": everything,
    }  # fmt: skip
    (still,), (new,) = found["tests"]["still_failing"], found["tests"]["newly_failing"]
    assert (still["since"]["run"], still["since"]["commit"]) == (1, A)
    assert (new["since"]["run"], new["since"]["commit"]) == (run, C)
    assert found["tests"]["moved"][0]["was"] == {"folder": "tests.a", "name": "test_0"}
    assert found["gate"] == {"base": 2, "branch": None, "failures": 1}
    assert findings_lines(cast("RunFindings", found), 0)[-1] == "  4 moved: tests.a -> moved"


def shifting(letters: str, *ids: str) -> list[Json]:
    """Return tests of one function with these ids, by which their keys differ."""
    given = zip(results(letters), ids, strict=True)
    return [{**test, "key": sha256(each.encode()).hexdigest(), "name": f"test_x[{each}]"} for test, each in given]


@pytest.mark.parametrize(("then", "now"), [
    ("<A object at 0x7f10c0a1b2c0>", "<A object at 0x7f2348a1b2c0>"),
    ("a-6f9619ff-8b86-4011-b42d-00cf4fc964ff", "a-0e0b6b6c-8b86-4011-b42d-00cf4fc964ff"),
    ("2026-12-03 14:23:32.123456", "2026-12-04 09:00:01.654321"),
    ("0.8444218515250481", "0.7579544029403025"),
    ("1764771812.1234567", "1764771913.7654321"),
])  # fmt: skip
def test_ids_that_differ_in_each_run_are_neither_new_nor_gone(runs: Runs, then: str, now: str) -> None:
    """They are said in one line; a failure goes on where it can be no other test, and blames no commit."""
    runs("pp", *shifting("f", then), commit=A, ancestors=[A])
    run = runs("pp", *shifting("f", now), commit=B, ancestors=[B, A], **BEN)
    found = runs.findings(run)
    lists = {name: names(tests) for name, tests in found["tests"].items() if tests}
    assert lists == {"still_failing": [f"test_x[{now}]"], "unstable_ids": [f"test_x[{now}]"]}
    assert found["tests"]["still_failing"][0]["since"] is None
    assert found["gate"]["failures"] == 0
    line = "; 1 test has an id that differs from run to run, so it has no history: give it ids="
    assert findings_lines(cast("RunFindings", found), 0)[0].endswith(line)


def test_two_ids_that_differ_in_each_run_are_no_pair(runs: Runs) -> None:
    """Nobody knows which of two was which: one that fails is a new failure, without a commit that is to blame."""
    runs("pp", *shifting("fp", "0x7f10c0a1b2c0", "0x7f10c0a1b2d0"), commit=A, ancestors=[A])
    run = runs("pp", *shifting("pf", "0x7f2348a1b2c0", "0x7f2348a1b2d0"), commit=B, ancestors=[B, A], **BEN)
    found = runs.findings(run)
    counts = {name: len(tests) for name, tests in found["tests"].items() if tests}
    assert counts == {"newly_failing": 1, "unstable_ids": 2}
    assert found["tests"]["newly_failing"][0]["since"] is None


def test_an_ordinary_value_that_changed_is_another_test(runs: Runs) -> None:
    """A number, a word or a day in an id is written by somebody."""
    runs("pp", *shifting("pppp", "1.5", "0x10", "2026-12-03", "red"))
    found = runs.findings(runs("pp", *shifting("pppp", "2.5", "0x20", "2026-12-04", "blue")))
    counts = {name: len(tests) for name, tests in found["tests"].items() if tests}
    assert counts == {"new_tests": 4, "gone": 4}


def test_the_history_of_a_moved_test_goes_on(runs: Runs) -> None:
    """Streaks, flakiness and durations, and the page of the test, have what it did under its earlier names."""
    runs("p" * 12, elapsed=SECOND)
    for _ in range(8):
        runs("rf" + "p" * 10, elapsed=SECOND)
    assert not runs.findings(runs("", *moved("pf" + "p" * 10, elapsed=SECOND)))["tests"]["new_tests"]
    *tests, last = moved("pf" + "p" * 10, "again", elapsed=SECOND)
    told = [runs.findings(runs("", *tests, {**last, "elapsed": 2 * SECOND})) for _ in range(3)]
    slower, found = [(entry["name"], entry["since"]["run"]) for each in told for entry in each["slower"]], told[-1]
    assert (found["counts"]["moved"], found["tests"]["still_failing"][0]["since"]["run"]) == (0, 2)
    assert [(entry["name"], entry["failed"]) for entry in found["flaky"] if entry["state"] == "flaky"] == [
        ("test_0", 8)
    ]
    assert slower == [("test_11", 11)]

    def past(connection: StoreConnection) -> list[int]:
        reader = ResultReader(connection)
        return [row.run for row in reader.history(25, reader.case(25).moved_from)]

    assert runs.service.store.read(past) == [*range(found["run"], 0, -1)]
    usual = usual_durations(runs.service.store, 1, "a-source", "main", None)
    assert {key[:5] for key in (*usual["durations"], *usual["failed"])} == {"again"}


def test_a_streak_of_a_moved_test_that_is_older_than_its_series(runs: Runs) -> None:
    """The streak is as old as the first failure under any of its names."""
    runs("fp")
    runs.findings(runs("", *moved("fp")))
    several = [runs("", *moved("fp")) for _ in range(WINDOW)]
    assert runs.findings(several[-1])["tests"]["still_failing"][0]["since"]["run"] == 1


def test_what_has_both_names_was_not_moved(runs: Runs) -> None:
    """A test that comes back beside the one that it was moved to has its own history again, and so has the other."""
    runs("fp")
    assert runs.findings(runs("", *moved("ff")))["counts"]["moved"] == 2
    found = runs.findings(runs("fp", *moved("ff")))
    assert [names(found["tests"][name]) for name in ("newly_failing", "still_failing", "new_tests")] == [
        ["test_0"], ["test_0", "test_1"], ["test_0", "test_1"],
    ]  # fmt: skip
    runs("pp", more={"Selection": "tests"})
    found = runs.findings(runs("", *moved("ff")))
    assert [entry["since"]["run"] for entry in found["tests"]["still_failing"]] == [2, 2]


def test_another_branch_keeps_the_names_of_its_own(runs: Runs) -> None:
    """Where the file was not renamed, the tests are those that they were; a run of a part moves nothing."""
    runs("fpp")
    assert runs.findings(runs("", *moved("fpp"), branch="topic"))["tests"]["still_failing"][0]["since"]["run"] == 1
    assert names(runs.findings(runs("fpf"))["tests"]["newly_failing"]) == ["test_2"]
    part = runs("", *moved("fpp", "part"), more={"Selection": "part"})
    assert runs.findings(part)["counts"]["moved"] == 0
    merged = runs.findings(runs("", *moved("fpf")))
    assert (merged["counts"]["moved"], names(merged["tests"]["still_failing"])) == (3, ["test_0", "test_2"])
    assert [entry["since"]["run"] for entry in merged["tests"]["still_failing"]] == [1, 3]


def test_local_changes_may_have_brought_what_fails_with_the_next_commit(runs: Runs) -> None:
    """A test that passed with changed files says nothing of the commit after it."""
    runs("pp", commit=A, ancestors=[A], more={"Changes": "d1"})
    since = runs.findings(runs("fp", commit=B, ancestors=[B, A], **BEN))["tests"]["newly_failing"][0]["since"]
    assert (since["commit"], since["author"]) == (B, None)


def test_a_test_that_is_flaky_on_main_is_known_to_be_so_on_a_branch(runs: Runs) -> None:
    """Neither is its failure new in the first runs of the branch, nor is it fixed when it passes again."""
    runs("ppp", commit="a1")
    runs("fpp", commit="a1")
    runs("ppp", commit="b2")
    first = runs.findings(runs("ffp", branch="topic"))
    second = runs.findings(runs("ppp", branch="topic"))
    assert [(test["name"], test["kind"]) for test in first["tests"]["newly_failing"]] == [
        ("test_0", "flaky"), ("test_1", "new"),
    ]  # fmt: skip
    assert first["mine"] == {"new": 1, "flaky": 1, "still": 0, "known": 0}
    assert [(entry["name"], entry["is_known"]) for entry in first["flaky"]] == [("test_0", True)]
    assert [names(second["tests"][change]) for change in ("fixed", "passed_again")] == [["test_1"], ["test_0"]]


def test_a_reason_is_as_new_as_its_failures(runs: Runs) -> None:
    """One that main had long ago is new on a branch whose test never failed, and stays so beside an old failure."""
    same = dict.fromkeys(range(3), "KeyError: 'the same key in each test'")
    runs("fpp", messages=same)
    runs("ppp")
    (new,) = runs.findings(runs("pfp", branch="topic", messages=same))["reasons"]
    both = runs.findings(runs("pff", branch="topic", messages=same))
    assert (new["kind"], new["first"]["run"] < new["since"]["run"]) == ("new", True)
    assert [(each["kind"], each["count"]) for each in both["reasons"]] == [("new", 1), ("still", 1)]
    assert (len({each["fingerprint"] for each in both["reasons"]}), both["counts"]["reasons"]) == (1, 1)


def test_a_test_that_was_killed_with_pytest_has_not_failed(runs: Runs) -> None:
    """Whoever killed it need not be the test: it is not new, back or flaky; one that let its worker die is all of it.

    It is named as a reason without a kind.
    """
    died = unfinished_attempt(
        "t.py::t", RecordingOptions(), kind="died", detail="last words", observed_us=1, worker="main"
    )
    killed = {1: died.causes[0].message, 2: "The worker gw0 crashed while it ran this test"}
    runs("pppp", commit="a1")
    dead = {"ending": {"state": "died"}, "collected": 4}
    found = runs.findings(runs("pff", messages=killed, commit="a1", session=dead))
    assert (found["verdict"]["long"], found["mine"]["new"]) == ("The session died after 2 of 4 tests, 1 failed", 1)
    assert names(found["tests"]["newly_failing"]) == ["test_2"]
    assert [(reason["count"], reason["kind"], reason["first"]) for reason in found["reasons"][1:]] == [(1, None, None)]
    assert names(found["tests"]["not_run"]) == ["test_3"]
    after = runs.findings(runs("pppp", commit="a1"))
    assert (names(after["flaky"]), names(after["tests"]["fixed"])) == (["test_2"], [])
    assert runs.findings(runs("pfpp", commit="b2"))["tests"]["newly_failing"][0]["kind"] == "new"


def test_a_run_that_was_cut_short_is_no_base(runs: Runs) -> None:
    """After an interrupted first run no test is new in the next; runs of one selection are compared with each other."""
    selected: Json = {"more": {"Selection": "-k cart"}, "session": {"collected": 3}}
    runs("pf", session={"collected": 40})
    whole = runs("pf" + "p" * 38, session={"collected": 40})
    assert runs.findings(whole)["base"] is None
    part = runs("ppf", **selected)
    assert based_on(runs.findings(part)) == (whole, "same branch")
    again = runs.findings(runs("pff", **selected))
    assert (based_on(again), again["is_partial"], again["counts"]["newly_failing"]) == ((part, "same branch"), False, 1)


@pytest.mark.parametrize("cut", ["p" * 18, "p" * 18 + "uu"])
def test_a_test_that_the_base_did_not_reach_is_compared_with_the_run_before(runs: Runs, cut: str) -> None:
    """After Ctrl-C near the end nothing that was there before is new, whether the run names what it did not reach."""
    first = runs("p" * 18 + "pf", session={"collected": 20})
    base = runs(cut, session={"collected": 20, "not_run": 2})
    found = runs.findings(runs("p" * 18 + "ff.p", session={"collected": 21}))
    assert based_on(found) == (base, "same branch")
    changed = {name: names(tests) for name, tests in found["tests"].items() if tests}
    assert changed == {"newly_failing": ["test_18"], "still_failing": ["test_19"], "new_tests": ["test_21"]}
    assert found["tests"]["still_failing"][0]["since"]["run"] == first


def test_a_failure_that_began_in_a_run_after_the_base_is_new(runs: Runs) -> None:
    """It was never away, although a run that was cut short had it first; one that failed before the base is back."""
    rest = "p" * 18
    runs(f"pf{rest}")
    base, cut = runs(f"pp{rest}"), runs("f", session={"collected": 20})
    found = runs.findings(runs(f"ff{rest}"))
    assert based_on(found) == (base, "same branch")
    kinds = [(test["kind"], test["since"]["run"]) for test in found["tests"]["newly_failing"]]
    assert kinds == [("new", cut), ("new", found["run"])]
    assert (found["counts"]["back"], found["mine"]["new"]) == (1, 2)


def test_a_run_whose_session_was_killed_is_no_base(runs: Runs) -> None:
    """However many of its tests ran: it is compared with the run before, and so is the next one that is killed."""
    dead = {"ending": {"state": "died"}, "collected": 20}
    whole = runs("pf" + "p" * 18, session={"collected": 20})
    first, second = (runs.findings(runs(letters + "p" * 17, session=dead)) for letters in ("pp", "fp"))
    assert (first["is_partial"], second["is_partial"]) == (True, True)
    assert (based_on(second), names(second["tests"]["fixed"])) == ((whole, "same branch"), ["test_1"])
    assert second["tests"]["gone"] == []
    shared = runs.open("p" * 19)
    runs.service.new_thread(shared, session=dead)
    runs.service.complete(shared)
    assert based_on(runs.findings(runs("pf" + "p" * 18))) == (whole, "same branch")


def test_a_test_that_was_not_selected_is_not_gone(runs: Runs) -> None:
    """A run in which a conftest left some tests out is a part: no test is gone by it, and none is back after it."""
    base = runs("f" + "p" * 19, session={"collected": 20})
    part = runs.findings(runs("." * 6 + "p" * 14, session={"collected": 14, "deselected": 6}))
    assert (based_on(part), part["is_partial"], part["counts"]["gone"]) == ((base, "same branch"), True, 0)
    after = runs.findings(runs("f" + "p" * 19, session={"collected": 20}))
    assert (based_on(after), after["mine"]["still"], after["counts"]["new_tests"]) == ((base, "same branch"), 1, 0)
    # One more test that is left out by rule takes nothing away from the suite.
    wider = runs("f" + "p" * 20, session={"collected": 21, "deselected": 1})
    assert based_on(runs.findings(runs("f" + "p" * 20, session={"collected": 21, "deselected": 1})))[0] == wider


def test_no_test_is_gone_that_merely_did_not_run(runs: Runs) -> None:
    """A session that stopped shortly before its end is whole, and still says nothing of the tests it did not reach.

    Tests that it names because it did not come to them are neither skipped, nor new, nor gone.
    """
    runs("p" * 20, session={"collected": 20})
    stopped = runs.findings(runs("p" * 19, session={"collected": 20}))
    assert (stopped["is_partial"], stopped["tests"]["gone"]) == (False, [])
    assert runs.changed(runs("p" * 18, session={"collected": 18}), "gone") == ["test_18", "test_19"]
    runs("pfps", branch="other")
    counts = runs.findings(runs("puusu", branch="other"))["counts"]
    assert [counts[word] for word in ("newly_skipped", "new_tests", "gone", "fixed")] == [0, 0, 0, 0]


@pytest.mark.parametrize("letters", ["uuff", "ffuu", "ssff", "ffss"])
def test_a_test_that_another_job_ran_did_run(runs: Runs, letters: str) -> None:
    """A failure counts although another job of the run, before or after it, skipped the test or did not come to it."""
    runs("pp")
    assert runs.changed(runs(letters[:2], *results(letters[2:])), "newly_failing") == ["test_0", "test_1"]


def test_main_branch_of_a_source(runs: Runs) -> None:
    """The first run of a branch is compared with the main branch that was set, for its source or for all."""
    usual, stable = runs("pp"), runs("pp", branch="stable")
    assert based_on(runs.findings(runs("pf", branch="one"))) == (usual, "main branch")
    store = runs.service.store
    assert store.write(partial(set_main_branch, "stable", "unknown")) == 0
    assert store.read(source_names) == ["a-source"]
    assert store.write(partial(set_main_branch, "stable", "a-source")) == 1
    assert based_on(runs.findings(runs("pf", branch="three"))) == (stable, "main branch")
    assert store.read(partial(flaky_tests, source_id=1))["branch"] == "stable"
    assert store.write(partial(set_main_branch, "main", None)) == 1
    assert store.read(partial(flaky_tests, source_id=1))["branch"] == "main"


def test_main_branch_of_a_source_that_is_still_to_come(runs: Runs) -> None:
    """A source has the main branch that the server was told for all, also once the server ran without the option."""
    runs.service.store.main_branch = "stable"
    _, stable = runs("pp"), runs("pp", branch="stable")
    runs.service.store.main_branch = ""
    assert based_on(runs.findings(runs("pf", branch="topic"))) == (stable, "main branch")
    assert runs.service.store.read(partial(main_branch, source_id=1)) == "stable"


def test_runs_of_a_store_are_added_when_they_are_needed(runs: Runs) -> None:
    """The history of a run is there although nobody has asked for the runs before it, in whatever order one asks.

    A run that skipped the test ends no streak of failures; later runs change nothing of what was computed.
    """
    made = [runs(letters) for letters in ("pp", "pf", "ps", "pf", "pf")]
    last, middle = runs.findings(made[4]), runs.findings(made[1])
    assert last["tests"]["still_failing"][0]["since"]["run"] == made[1]
    (new,) = middle["tests"]["newly_failing"]
    assert (new["name"], new["since"]["run"]) == ("test_1", made[1])
    assert runs.findings(made[0])["base"] is None
    runs.findings(runs("pp"))
    assert runs.findings(made[1]) == middle


@pytest.mark.parametrize("order", [1, -1])
def test_jobs_that_differ_make_no_test_flaky(runs: Runs, order: int) -> None:
    """A test that fails in one of two jobs of a run failed, whichever sends first, and is not flaky."""
    runs("pp")
    found = runs.of_jobs(*(("linux", 1, "fp"), ("windows", 1, "pp"))[::order])
    assert (names(found["tests"]["newly_failing"]), found["flaky"]) == (["test_0"], [])
    assert found["counts"]["in_several_jobs"] == 2


def test_jobs_without_a_name_are_as_different_ones(runs: Runs) -> None:
    """Where nothing says which job a result is of, no result replaces another one."""
    runs("pp")
    found = runs.findings(runs("f", a_result(0, "p")))
    assert (names(found["tests"]["newly_failing"]), found["flaky"]) == (["test_0"], [])


def test_a_later_attempt_of_a_job_replaces_the_earlier_one(runs: Runs) -> None:
    """A test that passes in the second attempt of its job passed, and is flaky: it was the same job at one commit."""
    runs("pp")
    found = runs.of_jobs(("linux", 2, "pf"), ("linux", 1, "fp"))
    assert names(found["tests"]["newly_failing"]) == ["test_1"]
    assert [(entry["name"], entry["state"]) for entry in found["flaky"]] == [("test_0", "flaky")]
    assert found["counts"]["in_several_jobs"] == 0


def test_all_letters_are_those_of_each_test(runs: Runs) -> None:
    """The report in one file reads the outcomes of all tests at once: they are those that the page of a test shows."""
    runs("pfsr.")
    runs.of_jobs(("linux", 1, "fp"), ("linux", 2, "pf"))
    last = runs.of_jobs(("linux", 1, "fp.p"), ("windows", 1, "pp"))["run"]

    def both(connection: StoreConnection) -> tuple[dict[int, str], dict[int, str]]:
        series = series_of(connection, run_row(connection, last))
        each = histories(connection, series, range(1, 5))
        return last_letters(connection, series, 9), {case: history.letters for case, history in each.items()}

    letters, expected = runs.service.store.read(both)
    assert letters == expected == {1: "prf", 2: "ffp", 3: "s..", 4: "r.p"}


def test_a_clock_that_jumps_back(runs: Runs) -> None:
    """A run that was completed before the one before it by the clock is added all the same, and no time is negative."""
    runs("pp")
    runs.service.clock.now -= 3600 * SECOND
    found = runs.findings(runs("pf"))
    assert names(found["tests"]["newly_failing"]) == ["test_1"]
    assert min(value for key, value in found["time"].items() if key != "workers") >= 0


def test_time_shares(runs: Runs) -> None:
    """The time of a run is told by worker: before its first test, in tests, between them, waiting for the others."""
    service, run = runs.service, runs.open()
    service.clock.now += 2 * SECOND
    threads = [service.new_thread(run), service.new_thread(run)]
    for number, (tests, observed) in enumerate(((3 * SECOND, 4 * SECOND), (SECOND, SECOND))):
        test = a_result(number, "p", elapsed=tests)
        service.append(threads[number], test, elapsed_computed=tests, elapsed_observed=observed)
    service.clock.now += 4 * SECOND
    service.complete(run, measure_elapsed=True)
    assert runs.findings(run)["time"] == {
        "wall": 6 * SECOND, "before": 4 * SECOND, "tests": 4 * SECOND, "between": SECOND, "waiting": 3 * SECOND,
        "after": 0, "balanced": 3 * SECOND,
        "workers": [
            {"started": 2 * SECOND, "ended": 6 * SECOND, "tests": 3 * SECOND, "began": 0, "over": None},
            {"started": 2 * SECOND, "ended": 3 * SECOND, "tests": SECOND, "began": 0, "over": None},
        ],
    }  # fmt: skip


def test_jobs_that_begin_later_wait_for_nobody(runs: Runs) -> None:
    """The time of a job's workers is that of its session: neither what ran before it, nor what went on after it."""
    service, run = runs.service, runs.open()
    for number in range(3):
        session = service.clock.now + number * 10 * SECOND
        thread = service.new_thread(run, session_started=session, job={"name": f"job-{number}"})
        test = {**a_result(number, "p", elapsed=2 * SECOND), "started": SECOND}
        service.append(thread, test, elapsed_computed=2 * SECOND, session={"ended": session + 4 * SECOND})
    service.complete(run)
    time = runs.findings(run)["time"]
    assert [time[name] // SECOND for name in ("before", "tests", "between", "waiting", "after")] == [3, 6, 0, 0, 3]
    spans = [(start * SECOND, (start + 4) * SECOND) for start in (0, 10, 20)]
    lanes = overview(service.store, run)
    assert [[(each["began"], each["over"]) for each in some] for some in (time["workers"], lanes["workers"])] == [
        spans, spans,
    ]  # fmt: skip
    assert lanes["waste"] is None


def test_results_without_any_time_have_no_shares(runs: Runs) -> None:
    """Results whose client sent no time but their own durations do not tell when their workers ran what."""
    service, run = runs.service, runs.open()
    service.append(service.new_thread(run), a_result(1, "p", elapsed=2 * SECOND))
    service.clock.now += 20 * SECOND
    service.complete(run, measure_elapsed=True)
    assert runs.findings(run)["time"]["workers"] == []


def test_starts_that_the_client_sent_are_those_of_the_shares(runs: Runs) -> None:
    """The shares of a run's page and of the API are the same, by the tests' own starts since the session began."""
    service, run = runs.service, runs.open()
    for start in (SECOND, 3 * SECOND):
        thread = service.new_thread(run, session_started=service.clock.now - SECOND)
        service.append(thread, {**a_result(1, "p", elapsed=2 * SECOND), "started": start}, elapsed_computed=2 * SECOND)
    # The thread of xdist's controller ran no test.
    service.new_thread(run, session_started=service.clock.now - SECOND)
    service.clock.now += 6 * SECOND
    service.complete(run, measure_elapsed=True)
    time = runs.findings(run)["time"]
    shares = {name: time[name] // SECOND for name in ("wall", "before", "tests", "between", "waiting", "after")}
    assert shares == {"wall": 7, "before": 4, "tests": 4, "between": 0, "waiting": 2, "after": 4}


def test_removed_runs_take_their_findings_with_them(runs: Runs) -> None:
    """Pruning removes findings and histories; the runs that stay can be compared, and the store is sound."""
    first, second = runs("pf."), runs("pf.")
    runs.findings(second)
    store = runs.service.store
    third = runs("..f")
    store.write(lambda writer: (remove_run(first, writer), remove_run(second, writer)))
    source = runs.service.run(third)["source_id"]
    assert store.write(lambda writer: remove_unused_tests(source, writer)) == 2
    assert check_store(store).errors == ()
    found = runs.findings(third)
    assert (found["base"], found["reasons"][0]["count"]) == (None, 1)


def test_flaky_tests_of_a_source(runs: Runs) -> None:
    """Without a branch the main branch is meant; each branch has its own evidence, and a source must exist."""
    main = runs("rp")
    runs("pp", branch="topic")
    runs("pr", branch="topic")
    store, source = runs.service.store, runs.service.run(main)["source_id"]
    found = store.read(partial(flaky_tests, source_id=source))
    assert (found["branch"], names(found["tests"]), found["tests"][0]["state"]) == ("main", ["test_0"], "flaky")
    assert names(store.read(partial(flaky_tests, source_id=source, branch="topic"))["tests"]) == ["test_1"]
    assert store.read(partial(flaky_tests, source_id=source, branch="nothing"))["tests"] == []
    with pytest.raises(ApiError) as unknown:
        store.read(partial(flaky_tests, source_id=999))
    assert unknown.value.status == 404


def test_failing_for_longer_than_outcomes_are_kept(runs: Runs) -> None:
    """A test that has failed for more than a hundred runs fails since the first of them, not since the hundredth."""
    failing = StoredTest("key0", "test_0", "tests.a", 3)

    def add(writer: Writer) -> int:
        run = writer.create_run(1, RunSubmission("r", "a-source"))
        thread = writer.create_thread(run, ThreadSubmission())
        writer.append_to_thread(thread, ThreadSubmission(tests=(failing,)))
        writer.complete_run(run, measure_elapsed=True)
        return run

    made = [runs.service.store.write(add) for _ in range(104)]
    found = [runs.findings(run) for run in made]
    assert found[-1]["tests"]["still_failing"][0]["since"]["run"] == made[0]


def based_on_gate(runs: Runs, run: int) -> tuple[int, str, list[str]]:
    """Return the base of the gate and why it is this one, and the tests that the gate finds to fail anew."""
    found = runs.findings(run, "change")
    return *based_on(found), names(found["tests"]["newly_failing"])


def test_a_pull_request_is_compared_with_the_newest_run_of_its_target(runs: Runs) -> None:
    """What fails in the target branch is not the pull request's, whenever it broke; what fails here stays its own."""
    runs("pp")
    main = runs("pf")
    request = {"branch": "pull/1", "more": {"Target branch": "main"}}
    for commit in ("b2", "b2", "c3"):
        assert based_on_gate(runs, runs("ff", commit=commit, **request)) == (main, "target branch", ["test_0"])
    away = runs("fp", branch="pull/2", more={"Target branch": "nowhere"})
    assert based_on_gate(runs, away) == (main, "main branch", ["test_0"])


def test_a_pull_request_is_no_base_of_others(runs: Runs) -> None:
    """A run with a target branch is a base of its own pull request alone, even if a client calls its branch main."""
    main = runs("pp")
    request = {"branch": "main", "more": {"Target branch": "main"}}
    first = runs("fp", **request)
    assert based_on(runs.findings(runs("fp"))) == (main, "same branch")
    assert based_on(runs.findings(runs("fp", branch="topic"))) == (first + 1, "main branch")
    assert based_on(runs.findings(runs("fp", branch="pull/2", more={"Target branch": "main"})))[0] == first + 1
    assert based_on(runs.findings(runs("fp", **request)))[0] == first + 1


def test_a_branch_is_compared_with_main_before_it_began(runs: Runs) -> None:
    """A branch is compared with the newest run of main whose commit it has, red or not, however often it is pushed."""
    runs("pp", commit="a" * 40)
    base = runs("pf", commit="b" * 40)
    newer = runs("pp", commit="c" * 40)
    for commit in ("d" * 40, "d" * 40, "e" * 40):
        run = runs("ff", branch="topic", commit=commit, ancestors=[commit[:10], "b" * 10, "a" * 10])
        assert based_on_gate(runs, run) == (base, "merge base", ["test_0"])
    # Of a shallow clone nothing is known, and nothing of the run from a job that had another commit.
    for others in ([], ["9" * 10, "b" * 10]):
        run = runs("ff", branch="topic", commit="f" * 40, ancestors=others)
        assert based_on_gate(runs, run) == (newer, "main branch", ["test_0", "test_1"])
    # Changed files of a commit of main.
    run = runs("ff", branch="topic", commit="b" * 40, more={"Changes": "0123456789ab"})
    assert based_on_gate(runs, run) == (base, "merge base", ["test_0"])


def test_a_run_of_the_same_files_is_the_last_base_that_is_used(runs: Runs) -> None:
    """A run of main with the same files is a base only if there is no other: what fails in both may be the branch's."""
    first = runs("pf", commit="b2")
    again = runs("ff", branch="topic", commit="b2")
    assert based_on_gate(runs, again) == (first, "merge base", ["test_0"])
    second = runs("pp", commit="a1")
    assert based_on_gate(runs, runs("pf", branch="topic", commit="b2")) == (second, "main branch", ["test_1"])


def test_main_is_compared_with_its_last_run_that_passed_the_gate(runs: Runs) -> None:
    """A second red push changes nothing, nor does any number of them; a mend and a known failure open the gate."""
    first = runs("fpp")
    for commit in ("b2", "b2", "c3", "d4"):
        red = runs("ffp", commit=commit)
        assert based_on_gate(runs, red) == (first, "let pass", ["test_1"])
    assert runs.findings(red)["gate"] == {"base": first, "branch": None, "failures": 1}
    assert runs.findings(red)["base"]["run"] == red - 1
    # What fails there since the first run is not new. What was mended may not break again.
    mended = runs("fpp")
    assert based_on_gate(runs, mended) == (first, "let pass", [])
    green = runs("ppp")
    assert based_on_gate(runs, green) == (mended, "let pass", [])
    assert based_on_gate(runs, runs("fpp")) == (green, "let pass", ["test_0"])
    known = {**a_result(1, "f"), "known": {"until": "2999-12-31", "reason": "SHOP-1"}}
    excused = runs("", a_result(0, "p"), a_result(2, "p"), known)
    assert runs.findings(excused)["gate"]["failures"] == 0
    assert based_on_gate(runs, runs("ppp")) == (excused, "let pass", [])
    past = runs(
        "", a_result(0, "p"), a_result(2, "p"), {**a_result(1, "f"), "known": {"until": "2020-01-01", "is_past": True}}
    )
    assert runs.findings(past)["gate"]["failures"] == 1
    assert based_on_gate(runs, runs("pfp")) == (past - 1, "let pass", ["test_1"])


def test_findings_that_are_stored_tell_what_passed_the_gate(runs: Runs) -> None:
    """What the gate compares with is the same whether earlier runs were looked at or not, also once one is removed."""
    made = [runs(letters) for letters in ("pfp", "ppp", "pfp", "ffp", "fpp")]
    fresh = based_on_gate(runs, made[-1])
    assert fresh == (made[1], "let pass", ["test_0"])
    for run in made:
        runs.findings(run)
    assert based_on_gate(runs, made[-1]) == fresh
    runs.service.store.write(partial(remove_run, made[1]))
    assert based_on_gate(runs, made[-1]) == (made[2], "let pass", ["test_0"])


def test_a_branch_without_main_is_compared_as_main_is(runs: Runs) -> None:
    """Without any run of main a branch has only its own: what its first run had is old, what broke later stays new."""
    first = runs("fp", branch="topic")
    assert runs.findings(first, "change")["base"] is None
    for _ in range(2):
        assert based_on_gate(runs, runs("ff", branch="topic", commit="b2")) == (first, "let pass", ["test_1"])


def test_a_failure_of_a_branch_that_main_never_had_is_new(runs: Runs) -> None:
    """What fails since an earlier push of the branch is not back: it was never away."""
    runs("pp")
    runs("fp", branch="topic")
    main = runs("pp")
    found = runs.findings(runs("fp", branch="topic"), "change")
    assert (found["base"]["run"], [test["kind"] for test in found["tests"]["newly_failing"]]) == (main, ["new"])
    assert found["tests"]["newly_failing"][0]["since"]["run"] == 2


def test_failures_that_main_does_not_have_are_told(runs: Runs) -> None:
    """Beside what changed since the last push stands how many failures main does not have; nothing where it has all."""
    main = runs("pfp")
    for commit in ("b2", "c3"):
        found = runs.findings(runs("ffp", branch="topic", commit=commit))
    assert found["gate"] == {"base": main, "branch": "main", "failures": 1}
    assert changes_line(cast("RunFindings", found), found["base"]["at"]).endswith(
        "; 1 failure that main does not have (run 1)"
    )
    found = runs.findings(runs("pfp", branch="topic"))
    assert "main" not in changes_line(cast("RunFindings", found), 0)


def test_urls_of_findings(runs: Runs) -> None:
    """The API has the findings of a run and the flaky tests of a source, with the form of errors that it has."""
    first, second = runs("pp"), runs("fr")

    def get(path: str, **headers: str) -> Any:  # noqa: ANN401 - falcon's result
        return runs.service.raw("GET", f"/api/v1/automation/{path}", b"", **headers)

    path = f"runs/{second}/findings"
    assert get(path).json["result"] == runs.findings(second)
    assert get(f"{path}?base={first}").json["result"]["base"]["why"] == "asked"
    assert get(f"{path}?base=change").json["result"] == runs.findings(second, "change")
    source = runs.service.run(first)["source_id"]
    assert names(get(f"sources/{source}/flaky").json["result"]["tests"]) == ["test_1"]
    for status, wrong in (
        (404, "runs/999/findings"),
        (404, "sources/999/flaky"),
        (404, f"{path}?base=999"),
        (422, f"{path}?base=x"),
        (422, f"{path}?base={first}&base={first}"),
    ):
        answer = get(wrong)
        assert (answer.status_code, list(answer.json)[:1]) == (status, ["message"]), wrong
    assert get(path, Authorization="Bearer x").status_code == 401
    assert get(f"sources/{source}/flaky?branch=a%00b").json["result"]["tests"] == []
