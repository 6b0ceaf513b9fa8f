"""Strips, names, marked messages, grids and lanes: values of small drawings."""

import json
from typing import Any

import pytest

from pytest_automation_report.failures.tracebacks import parse_traceback
from pytest_automation_report.server.pages.drawings import (
    clock,
    failure_trend,
    lanes_of,
    merged_letters,
    reduced_cells,
    strip_of,
    trend,
)
from pytest_automation_report.server.pages.run.changes import failing_runs
from pytest_automation_report.server.pages.run.facts import worker_names
from pytest_automation_report.server.pages.run.failures import code_frame, command_for, says_of
from pytest_automation_report.server.pages.run.time import shares_of, time_of, waste_sentence
from pytest_automation_report.server.pages.state import RunState
from pytest_automation_report.server.pages.words import percent
from pytest_automation_report.server.store.reads import RunRecord


def test_a_strip_shows_each_outcome_by_height_and_words() -> None:
    """One path for each tone, the newest run at the right with a mark below it; runs before the test are left out."""
    strip = strip_of("..ppfr", has_now=True)
    assert strip is not None
    assert strip.label == "last 4 runs: 2 passed, 1 failed, 1 flaky"
    assert dict(strip.paths) == {
        "pass": "M0 10h4v8h-4zM6 10h4v8h-4z",
        "fail": "M12 1h4v17h-4z",
        "flaky": "M18 5h4v13h-4z",
        "now": "M18 21h4v2h-4z",
    }
    assert strip.width == 22
    assert strip_of("") is strip_of("...") is None


def test_histories_end_with_the_run_of_the_page() -> None:
    """Several tests show their worst outcome in each run."""
    assert merged_letters(["ppp", "pf", "r"]) == "ppf"
    assert merged_letters([]) == ""


@pytest.mark.parametrize(
    ("title", "type_name", "type_shown", "variable"),
    [
        ("RadioError: radio gateway 10.0.4.17:9031 refused", "", "RadioError", ["10.0.4.17", "9031"]),
        ("shop.errors.RadioError: no answer", "", "RadioError", []),
        ("assert 1260 == (8 * 180)", "AssertionError", "AssertionError", ["1260", "8", "180"]),
        ("plain words", "", "", []),
    ],
)
def test_variable_parts_of_a_message_are_marked(
    title: str, type_name: str, type_shown: str, variable: list[str]
) -> None:
    """The parts that differ from run to run are marked, and together the parts are the whole message."""
    message = says_of(title, type_name)
    assert message["type"] == type_shown
    assert [text for text, is_variable in message["parts"] if is_variable] == variable
    assert title.endswith("".join(text for text, _ in message["parts"]))


def test_a_failure_without_a_message_has_words() -> None:
    """A reason is never an empty heading."""
    assert says_of("", "KeyError")["parts"] == [("no message", False)]
    assert says_of("")["parts"] == [("Failed without a message", False)]


def test_a_small_grid_has_links_and_a_large_one_has_paths() -> None:
    """Squares are links while they are few; 300 of them are one path for each tone."""
    few = reduced_cells([{"id": n, "tone": "fail" if n < 15 else "pass", "name": ""} for n in range(18)])
    assert [square["id"] for square in few["squares"]] == list(range(18))
    many = reduced_cells([{"id": n, "tone": "fail" if n < 15 else "pass", "name": ""} for n in range(300)])
    assert not many["squares"]
    assert {tone: path.count("M") for tone, path in many["paths"]} == {"fail": 15, "pass": 285}


def test_workers_are_told_apart() -> None:
    """The same name in several jobs has the thread's number; pytest's own process, alone in its run, has no name."""

    def named(*workers: str) -> list[str]:
        threads = [{"id": number, "position": number + 1} for number in range(len(workers))]
        fields = [
            {"thread": number, "kind": "fields", "body": json.dumps({"name": "Worker", "value": worker})}
            for number, worker in enumerate(workers)
        ]
        names = worker_names(RunRecord({"thread_count": len(workers)}, threads, fields))
        return [names.get(number, "") for number in range(len(workers))]

    assert named("gw0", "gw1") == ["gw0", "gw1"]
    assert named("main", "gw0", "main") == ["main, thread 1", "gw0", "main, thread 3"]
    assert named("main") == [""]
    assert named("gw0") == ["gw0"]


def test_the_command_of_a_reason_names_tests_functions_or_files() -> None:
    """Few tests are named one by one, many by their function; too many files or no file give no command."""
    rows = [{"file": "t.py", "folder": "t", "name": f"test_a[{n}]"} for n in range(9)]
    assert command_for(rows[:2], 2) == "pytest 't.py::test_a[0]' 't.py::test_a[1]'"
    assert command_for(rows, 300) == "pytest t.py::test_a"
    assert command_for([{**rows[0], "file": None}], 1) is None
    assert command_for([{**rows[0], "file": "-k.py"}], 1) is None
    spread = [{"file": f"t{n}.py", "folder": f"t{n}", "name": f"test_{n}"} for n in range(9)]
    assert command_for(spread, 9) is None


def test_changes_of_time_are_percentages() -> None:
    """With a sign, and with the runs that a fixed test had failed for."""
    assert percent(21_400_000, 9_100_000) == "+135 %"
    assert percent(5, 10) == "−50 %"  # noqa: RUF001 - a minus
    assert failing_runs("pffsfp") == 3
    assert failing_runs("ppp") == 0


def _overview() -> dict[str, Any]:
    second = 1_000_000
    return {
        "wall": 20 * second,
        "is_exact": True,
        "worker_count": 3,
        "workers": [{"thread": 5, "start": second, "end": 20 * second, "tests": 2, "busy": 19 * second, "position": 1}],
        "lanes": [[[second, 11 * second, "pa", 1, 71, 71], [11 * second, 20 * second, "fa", 8, 72, 79]]],
        "waste": {"worker": 5, "result": 71, "start": second, "waited": 9 * second, "name": "test_slow", "elapsed": 10},
    }


def test_lanes_are_drawn_to_scale() -> None:
    """Each block has its place, its words and its link: to its test, or to the list of its tests; so has a lane."""
    overview: Any = _overview()
    drawing = lanes_of(overview, lambda thread: f"gw{thread}", {71: "test_slow"}, RunState(3, "time"))
    (lane,) = drawing["lanes"]
    assert (lane["name"], lane["href"]) == ("gw5", "/runs/3?view=tests&lane=5")
    assert lane["blocks"][0]["href"] == "/results/71?from=view%3Dtime"
    first, second = lane["blocks"]
    assert (first["title"], first["label"]) == ("test_slow, passed, 10.0 s, from 0:01", "slow")
    assert (second["title"], second["tone"], second["href"]) == (
        "8 tests, failed, 9.00 s, from 0:11",
        "fail",
        "/runs/3?view=tests&lane=5.72.79.failed",
    )
    assert float(second["x"]) == pytest.approx(float(first["x"]) + float(first["width"]) + 1.0, abs=0.2)
    assert drawing["hidden"] == 2
    assert [tick["text"] for tick in drawing["ticks"]][:3] == ["0:00", "0:02", "0:04"]


def test_shares_are_those_of_the_drawing_where_starts_are_known() -> None:
    """The numbers above the lanes add up to what they show; else they are those of the findings."""
    time: Any = {"workers": [1], "tests": 60, "between": 2, "before": 38, "waiting": 0, "wall": 100, "balanced": 9}
    overview: Any = {**_overview(), "worker_count": 1}
    shares = time_of(overview, time)
    assert shares is not None
    second = 1_000_000
    assert [shares[name] for name in ("before", "tests", "between", "waiting")] == [second, 19 * second, 0, 0]
    assert shares["balanced"] == 9
    for more in ({"is_exact": False}, {"worker_count": 65}):
        assert time_of(overview | more, time) == time
    assert time_of(overview, None) is None


def test_the_waste_of_a_run_is_named() -> None:
    """The test that kept the others waiting, or the largest share that is not tests."""
    overview: Any = _overview()
    time: Any = {"workers": [1], "tests": 60, "between": 2, "before": 38, "waiting": 0, "balanced": 9_000_000}
    text = "".join(part for part, _ in waste_sentence(overview, time, lambda thread: f"gw{thread}"))
    assert text == (
        "gw5 began test_slow at 0:01 and kept the other workers waiting for 9.00 s; begun first, the run takes up to"
        " 9.00 s less"
    )
    overview["waste"] = None
    text = "".join(part for part, _ in waste_sentence(overview, time, str))
    assert text == "38 % of the workers' time passed before the first tests: start of pytest, collection"
    assert waste_sentence(overview, time | {"before": 2}, str) == []
    assert [share["percent"] for share in shares_of(time)] == [60, 2, 38, 0]


def test_the_trend_names_the_run_with_which_failures_began() -> None:
    """The first of the last runs that failed without a break has its number below, if there is room for it."""

    def began(*failed: int) -> int | None:
        row = {"success_count": 1, "untested_count": 0, "status5_count": 0, "collected": None, "selection": None}
        row["is_completed"] = True
        rows = [
            {**row, "id": 10 + place, "failure_count": count, "total_count": count + 1}
            for place, count in enumerate(failed)
        ]
        named = [bar.point.run for bar in trend(failure_trend(rows, {})) if bar.has_number]
        return next((run for run in named if run not in {rows[0]["id"], rows[-1]["id"]}), None)

    assert began(0, 0, 3, 0, 0, 1, 2, 2, 2, 2) == 15
    assert began(0, 0, 0, 0, 0, 0, 0, 0, 1, 1) is None
    assert began(1, 1, 1, 1, 1, 1, 1, 1, 1, 1) is None
    assert began(1, 1, 1, 1, 1, 1, 1, 1, 1, 0) is None


def test_times_of_a_short_run_are_written_as_its_axis() -> None:
    """With marks each tenth of a second the end of a worker and the start of a block have tenths, too."""
    overview: Any = {
        **_overview(),
        "wall": 2_600_000,
        "workers": [{"thread": 5, "start": 0, "end": 2_400_000, "tests": 1, "busy": 1, "position": 1}],
        "lanes": [[[1_300_000, 2_400_000, "pa", 1, 71, 71]]],
    }
    drawing = lanes_of(overview, str, {71: "test_slow"}, RunState(3, "time"))
    (lane,) = drawing["lanes"]
    assert drawing["ticks"][1]["text"] == "0.5 s"
    assert (lane["end"], lane["blocks"][0]["title"]) == ("2.4 s", "test_slow, passed, 1.10 s, from 1.3 s")


def test_lanes_of_any_length_have_few_marks() -> None:
    """A client with a wrong clock sends times of thousands of years: the axis has no more marks than another."""
    for seconds in (86_400, 10**9, 2**62 // 10**6):
        overview: Any = {**_overview(), "wall": seconds * 1_000_000}
        drawing = lanes_of(overview, str, {}, RunState(1, "time"))
        assert 2 <= len(drawing["ticks"]) <= 13


def test_a_time_into_a_run_is_short() -> None:
    """Minutes and seconds, hours only if there are any."""
    assert [clock(seconds * 1_000_000) for seconds in (0.4, 65, 3725)] == ["0:00", "1:05", "1:02:05"]


@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_code_below_a_docstring_is_coloured_as_code(quotes: str) -> None:
    """Lines that begin inside of a docstring are coloured as the whole function is: what runs there is no text."""
    exceptions = parse_traceback(f"""\
    def retried(item):
        {quotes}Try an item again.

        Items without a mark stay.
        {quotes}
        for mark in item.marks:
>           return mark.count + None
E           TypeError: unsupported operand

tests/retries.py:7: TypeError""")
    frame = code_frame(exceptions)
    assert frame is not None
    assert [line["number"] for line in frame["lines"]] == [3, 4, 5, 6, 7]
    classes = {text.strip(): class_ for line in frame["lines"] for class_, text in line["tokens"]}
    assert classes["Items without a mark stay."] == classes[quotes] != ""
    assert classes["for"] == classes["return"] not in {"", classes[quotes]}
