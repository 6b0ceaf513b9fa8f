"""The page of a test in a run, over a store that was filled through the API."""

import io
import re
import sys
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile

import pytest

from pytest_automation_report.api.models import Json
from pytest_automation_report.cli.main import main
from pytest_automation_report.server.pages.test.handlers import NO_LINKS, CodeLinks
from pytest_automation_report.server.store.contents import PART_BYTES
from support.commands import command_runner
from support.contract import Contract
from support.report_file import ReportFile
from support.service import a_test, option
from support.website import RETRIED, TRACEBACK, Site, failed_attempt, failing, field, links, missing, names, on

PNG = b"\x89PNG\r\n\x1a\n"


def _stored(site: Site, contents: Mapping[str, bytes]) -> list[dict[str, Any]]:
    about = {"mime_type": "text/html", "size": 1}
    return [{"name": name, "url": site.kept(content, name), **about} for name, content in contents.items()]


def _reported(site: Site, test: Json, **properties: Any) -> str:  # noqa: ANN401 - those of `Service.new_run`
    return f"/results/{site.result_ids(site.run_of(test, **properties))[0]}"


def test_a_failed_test_shows_all_that_is_stored(site: Site) -> None:
    """Message, comparison, code, output, steps, attempts, fields, artifacts, place and the command have their place."""
    fields = [
        *failing()["fields"], field("Output", "printed\n", 4), field("Log", "logged", 4),
        field("issue", "https://issues.example.com/HARB-1", 5), field("severity", "critical"),
    ]  # fmt: skip
    files = [{"name": "page.png", "url": "https://files.example.com/p.png", "size": 20480, "mime_type": "image/png"}]
    steps = [{"name": "pay & wait", "status": "failed"}]
    place: dict[str, Any] = {"file": "tests/a.py", "line": 29, "assertions": 3, "elapsed": 1_500_000}
    address = _reported(site, failing(fields=fields, artifacts=files, **RETRIED, steps=steps, **place))
    assert missing(
        site.text(address),
        "It fails. This is its first run", "AssertionError : assert discount(99, 10) == 89", "discount(99, 10) 89",
        "the value 90 89", "tests/test_cart.py:29 in test_discount", "printed", "pay & wait", "Attempt 1", "HARB-1",
        "severity critical", "1.50 s", "tests/a.py:29", "3 assertions", "20 kB", "image/png", "gw0",
        "pytest tests/a.py::test_0", "logged",
    ) == ["logged"]  # fmt: skip
    addresses = {"https://issues.example.com/HARB-1", "https://files.example.com/p.png", "/runs/1"}
    assert addresses <= set(links(site.shown(address)))
    assert "logged" in site.text(f"{address}?out=log")
    assert missing(site.text(f"{address}?attempt=1"), "KeyError : 'before'", "printed") == ["printed"]


def test_values_that_pytest_cut_are_parts(site: Site) -> None:
    """Of a difference whose end pytest left out the table says that it shows a part."""
    lines = ("assert 'one...' == 'two...'", "", "- two", "+ one", "", "...Full output truncated, use '-vv' to show")
    text = ">       assert a == b\n" + "\n".join(f"E         {line}" for line in lines) + "\n\na.py:2: AssertionError"
    failure = {**failing()["fields"][0], "value": text, "meta": {"message": "\n".join(lines)}}
    shown = site.text(_reported(site, failing(fields=[failure])))
    assert missing(shown, "part of the value", "there may be more differences") == []


def test_all_tests_of_a_reason_are_one_click_away(site: Site) -> None:
    """The page names some other tests that failed for its reason; its link to all of them shows no other test."""
    run = site.run_of(*map(failing, range(12)), failing(12, "KeyError: 'x'"), a_test(13))
    html = site.shown(f"/results/{site.result_ids(run)[0]}")
    (address,) = re.findall(r'<a href="([^"]*)">all 12', html)
    assert "12 tests" in site.text(unescape(address))
    assert len(names(site.shown(unescape(address)))) == 12


def _evidence(site: Site) -> str:
    """Return the address of a test with colours, files at its steps and an earlier attempt."""
    artifacts = _stored(site, {"shot.png": PNG, "page.txt": b"<b>"})
    (first,) = _stored(site, {"first.txt": b"1"})
    failure = {**field("Failure", "E   red <i>", 4), "is_highlight": True, "meta": {"message": "red"}}
    cause = {"kind": "failure", "name": "Failure", "text": "E   other", "message": "other", "phase": "call"}
    number = {"type": "int"}
    sent: dict[str, Any] = {
        "fields": [
            failure, field("Report", "blue", 4),
            field("Output", "<i>green</i> and plain\n\x1b]8;;https://evil.example\x07x", 4),
        ],
        "artifacts": [*artifacts, {**first, "note": "attempt 1"}],
        "steps": [{"name": "open", "status": "passed", "elapsed": 3, "files": [1, 0, 9]}],
        "colours": {"Output": [[0, 5, "32"], [3, 9, "31"], [5, 999, "31"]], "Report": [[0, 4, "34"]],
                    "Failure": [[4, 7, "1;31"]]},
        "attempts": [{
            "number": 1,
            "status": "failure",
            "causes": [cause],
            "output": {"Output": "of the first", "Log": "logged <i>"},
            "phases": [100_000, 200_000, 0],
            "steps": [{"name": "open first", "status": "failed", "elapsed": 2_000_000, "files": [0]}],
            "colours": {"Failure": [[4, 9, "33"]], "Output": [[0, 2, "36"]]},
            "comparison": {"operator": "==", "left": {**number, "text": "71"}, "right": {**number, "text": "72"}},
        }],
    }  # fmt: skip
    return _reported(site, failing(**sent))


def test_colours_are_shown_and_nothing_of_a_text_runs(site: Site) -> None:
    """Coloured parts have classes; parts that do not fit, markup and other sequences are text or nothing."""
    address = _evidence(site)
    html = site.shown(address)
    coloured = (
        '<span class="ansi-ok">&lt;i&gt;gr</span>een&lt;/i&gt; and plain',
        '<span class="ansi-info">blue</span>',
    )
    assert missing(html, *coloured, "evil.example", "<i>") == ["evil.example", "<i>"]
    raw = site.shown(f"{address}?show=pytest")
    assert '<code>E   <span class="ansi-bold ansi-bad">red</span> &lt;i&gt;\n</code>' in raw
    assert '<code>E   <span class="ansi-warn">other</span>\n</code>' in site.shown(f"{address}?show=pytest&attempt=1")


def test_files_are_shown_at_their_step_and_lines_have_addresses(site: Site) -> None:
    """A step has its files, pictures small; all files stand below, too; each line of output has a link by number."""
    html = site.shown(_evidence(site))
    step = html.partition('<div class="at-step">')[2].partition("</div>")[0]
    assert re.findall(r">([^<>]+)</a>", step) == ["page.txt", "shot.png"]
    assert step.count("<img ") == 1
    assert missing(html.partition('id="files"')[2], "page.txt", "shot.png") == []
    assert re.findall(r'id="(out-\d+)"', html) == ["out-1", "out-2"]
    assert {"#out-1", "#out-2"} <= set(links(html))


def test_an_earlier_attempt_has_its_own_evidence(site: Site) -> None:
    """Each attempt shows its output, steps with times, files and comparison, and nothing of another one."""
    address = _evidence(site)
    html, text = site.shown(f"{address}?attempt=1"), site.text(f"{address}?attempt=1")
    own, others = ("of the first", "open first", "first.txt", "71 72"), ("and plain", "page.txt", "blue", "logged")
    assert missing(text, *own, "2.00 s", "after 300 ms", *others) == list(others)
    assert missing(site.text(address), *own) == list(own)
    assert '<span class="ansi-aqua">of</span> the first' in html
    assert "logged &lt;i&gt;" in site.shown(f"{address}?attempt=1&out=log")


def test_pytests_own_text_is_one_click_away(site: Site) -> None:
    """The text of the failure is shown whole, its lines numbered, and marked as pytest marks them."""
    html = site.shown(f"{_reported(site, failing())}?show=pytest")
    lines = re.findall(r'<span(?: class="(\w+)")? data-n="\d+"><code>(.*?)\n</code></span>', html, re.DOTALL)
    assert "\n".join(unescape(text) for _, text in lines) == TRACEBACK
    assert [class_ for class_, _ in lines] == ["", "hit", "err", "", ""]


def test_a_test_is_compared_with_its_history(site: Site) -> None:
    """Outcomes of its source are drawn with a link each; other tests and other sources are not mixed in."""
    for number in range(4):
        site.run_of(failing() if number == 3 else a_test(), a_test(1), name=f"run {number}.", source="s")
    site.run_of(a_test(), name="elsewhere", source="another")
    assert "New failure. It passed in #3 and in all 3 earlier runs." in site.text("/results/7")
    html = site.shown("/results/7")
    drawing = html.partition('class="spark"')[2].partition("</svg>")[0]
    assert re.findall(r'href="([^"]*)"', drawing) == [f"/results/{number}" for number in (1, 3, 5, 7)]
    assert re.findall(r'<rect class="(\w+)"', drawing) == ["pass", "pass", "pass", "fail", "now"]
    assert 'data-key="["' in html


def test_a_failure_names_the_commit_it_began_with(site: Site) -> None:
    """Author and age of the first commit of its streak stand in the sentence, on later runs, too."""
    run = 0
    for number, test in enumerate((a_test(), failing(), failing())):
        author = field("Commit author", ("Zoe", "Ann", "Ben")[number])
        commits = [f"{each}b2c3d4e5f" for each in range(number, -1, -1)]
        run = site.run_of(test, **on("main", author, commit=commits[0]), ancestors=commits)
        site.shown(f"/runs/{run}")
    first, second, fine = (site.text(f"/results/{site.result_ids(number)[0]}") for number in (run - 1, run, 1))
    assert "New failure. It passed in #1 , its only run before on main. It began with 1b2c3d4 by Ann, " in first
    told = [
        re.search(r"It began with 1b2c3d4 by Ann, \S+ days ago \.", text) is not None for text in (first, second, fine)
    ]
    assert told == [True, True, False]


def test_a_failure_is_new_or_back_as_on_the_page_of_its_run(site: Site) -> None:
    """What failed before the run that it is compared with is back, and a failure of a flaky test is not new."""
    for letters in ("fp", "pp", "ff"):
        run = site.run_of(
            *(failing(number) if letter == "f" else a_test(number) for number, letter in enumerate(letters))
        )
        site.shown(f"/runs/{run}")
    back, new = site.result_ids(run)
    again = "New failure, back after a while."
    for address, words in ((f"/results/{back}", again), ("/tests/1", again),
                           (f"/results/{new}", "New failure."), ("/tests/2", "New failure.")):  # fmt: skip
        assert words in site.text(address)


def test_what_is_flaky_on_main_is_so_in_the_first_run_of_a_branch(site: Site) -> None:
    """The sentence of its page says that it is known."""
    for tests, branch in ((a_test(), "main"), (failing(), "main"), (a_test(), "main"), (failing(), "topic")):
        run = site.run_of(tests, a_test(1), **on(branch, commit="a1"))
        site.shown(f"/runs/{run}")
    result, _ = site.result_ids(run)
    assert "Known to be flaky. This is its first run on topic." in site.text(f"/results/{result}")


def test_failures_are_gone_through_by_their_reason(site: Site) -> None:
    """Previous and next lead to the other reasons of the run; other tests of the same one are listed."""
    run = site.run_of(failing(0), failing(1), failing(2, message="KeyError: 'a'"), a_test(3))
    first, second, other, passed = site.result_ids(run)
    html = site.shown(f"/results/{first}")
    assert re.search(rf'rel="next"[^>]*href="/results/{other}"', html)
    assert "1 of 2 reasons" in html
    assert f"/results/{second}" in links(html)
    assert "reasons" not in site.text(f"/results/{passed}")
    assert "of 4 tests" in site.text(f"/results/{first}?from=view%3Dtests")


def test_other_parameters_and_the_tests_before_are_shown(site: Site) -> None:
    """Tests of the same function with other parameters, and those that ran before on the worker, have links."""
    run = site.run_of(*(a_test(name=f"test_form[{name}]", key=name) for name in ("phone", "tablet")), a_test(7))
    words = ("Parameters 2 Passed phone Passed tablet", "Just before it on gw0 test_form[phone]")
    assert missing(site.text(f"/results/{site.result_ids(run)[1]}"), *words) == []


@pytest.mark.postgresql
def test_many_parameters_have_their_numbers_and_a_window(site: Site) -> None:
    """Of 300 parameters the page counts all, and names those that failed and those around its own, in their order."""
    failed = (3, 250)
    tests = [(failing if n in failed else a_test)(n, name=f"test_many[{n}]", folder="t") for n in range(300)]
    run = site.run_of(*tests, a_test(300, name="test_other[1]", folder="t"))
    html = site.shown(f"/results/{site.result_ids(run)[100]}")
    assert "Parameters 300 , 2 failed" in site.text(f"/results/{site.result_ids(run)[100]}")
    shown = [int(number) for number in re.findall(r"<code>([0-9]+)</code>", html.partition('class="params"')[2])]
    assert shown == [3, 250, *range(71, 129)]
    (address,) = {each for each in links(html) if "q=test_many" in each}
    assert names(site.shown(address))[:3] == ["test_many[3]", "test_many[250]", "test_many[0]"]


def test_stored_files_are_shown_by_their_content(site: Site) -> None:
    """A picture is seen, a video can be played, a text is read, the rest are links; others' stay links."""
    lost = "http+local://store/artifacts/" + "0" * 64 + "/lost.png"
    artifacts = _stored(site, {"a.png": PNG, "b.mp4": b"\0\0\0\x1cftypisom", "c.svg": b"<svg/>", "d.txt": b"one\ntwo"})
    artifacts += [{"name": "lost", "url": lost}, {"name": "foreign", "url": "https://files.example.com/x.png"}]
    address = _reported(site, a_test(artifacts=artifacts), artifacts=artifacts[:1])
    html = site.shown(address)
    paths = {entry["name"]: entry["url"].removeprefix("http+local://store") for entry in artifacts[:4]}
    assert re.findall(r'<img src="(/artifacts[^"]*)" alt="([^"]*)"', html) == [(paths["a.png"], "a.png, this run")]
    assert re.findall(r'<video src="([^"]*)" controls', html) == [paths["b.mp4"]]
    assert {*paths.values(), "https://files.example.com/x.png"} <= set(links(html))
    assert html.count("text/html") == 1, "only where nothing else is known"
    words = ("c.svg text/html 6 bytes", "lost not stored here", "d.txt 2 lines 7 bytes one two")
    assert missing(site.text(address), *words) == []
    shown = site.get(paths["a.png"])
    assert (shown.status_code, shown.content, shown.headers["Content-Type"]) == (200, PNG, "image/png")
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert site.raw(paths["a.png"]).status_code == 403
    assert site.get("/artifacts", method="POST").status_code == 401


@pytest.mark.postgresql
@pytest.mark.parametrize("mode", ["beside", "slider", "difference"])
def test_a_picture_stands_beside_the_one_of_the_last_passed_run(site: Site, mode: str) -> None:
    """The picture of the same name, of the last run in which the test passed, is shown with that of the failure."""
    before, now = _stored(site, {"form.png": PNG + b"1"}), _stored(site, {"form.png": PNG + b"2"})
    site.run_of(a_test(artifacts=before), source="s")
    html = site.shown(f"{_reported(site, failing(artifacts=now), source='s')}?pictures={mode}")
    paths = [entry["url"].removeprefix("http+local://store") for entry in (*before, *now)]
    assert [html.count(f'src="{path}"') for path in paths] == [1, 1]
    assert html.count("<img ") == 2
    assert "#1, when it passed" in html


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("beside", [("a-actual.png", "actual"), ("a-expected.png", "expected"), ("a-diff.png", "difference")]),
        ("slider", [("a-expected.png", "expected"), ("a-actual.png", "actual")]),
        ("difference", [("a-diff.png", "difference of actual and expected")]),
    ],
)
def test_expected_actual_and_diff_are_one_comparison(site: Site, mode: str, shown: list[tuple[str, str]]) -> None:
    """An actual picture stands beside the expected one of its result, not beside an older one; others stay alone."""
    names = ("a-diff.png", "a-actual.png", "b-actual.png", "a-expected.png")
    site.run_of(a_test(artifacts=_stored(site, {"a-actual.png": PNG})), source="s")
    files = _stored(site, {name: PNG + name.encode() for name in names})
    html = site.shown(f"{_reported(site, failing(artifacts=files), source='s')}?pictures={mode}")
    pictures = re.findall(r'alt="([^"]*), ([^"]*)"', html)
    assert pictures == [*shown, ("b-actual.png", "this run")]


@pytest.mark.postgresql
def test_a_file_of_another_project_is_not_shown(site: Site) -> None:
    """A test that names it has no preview, picture or copy of it, neither on its page nor in the report."""
    words = ["server", "token", "create", "a", "--role", "report", "--project", "2"]
    made = command_runner().invoke(main, [*words, "--database", option(site.service.place)])
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    files = _stored(site, {"notes.txt": b"a secret of project 1", "page.png": PNG})
    site.run_of(failing(artifacts=files))

    def post(path: str, body: object) -> Any:  # noqa: ANN401 - any JSON
        return site.client.simulate_post(f"/api/v1{path}", headers=headers, json=body).json

    run = post("/projects/2/automation/runs", {"name": "n", "source": "s"})["id"]
    thread = post(f"/automation/runs/{run}/threads", {})["id"]
    post(f"/automation/runs/threads/{thread}/append", {"tests": [failing(artifacts=files)]})
    (result,) = site.result_ids(run)
    html = site.shown(f"/results/{result}")
    assert (html.count("not stored here"), "a secret" in html, "<img" in html) == (2, False, False)
    report = site.client.simulate_get(f"/api/v1/automation/runs/{run}/report", headers=headers)
    assert report.status_code == 200
    assert ReportFile(report.json["result"]["html"]).files == {}


def _zip(*names: str) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, bytes(PART_BYTES // 2))
    return content.getvalue()


TRACE = {"trace; one.zip": _zip("trace.trace", "trace.network"), "trace2.zip": _zip("a", "b", "c", "0.trace")}
OTHERS = {"trace3.zip": _zip("trace.txt"), "x.zip": _zip("trace.trace"), "trace4.zip": b"\0 no zip, trace.trace"}


def test_a_trace_has_the_command_that_shows_it(site: Site) -> None:
    """A zip is a trace of Playwright by its name and its entries; the command that opens it is there to copy."""
    text = site.text(_reported(site, failing(artifacts=_stored(site, {**TRACE, **OTHERS}))))
    assert text.count("Playwright trace") == 2
    assert missing(text, "playwright show-trace 'trace; one.zip'", "playwright show-trace trace2.zip") == []


def test_no_viewer_of_traces_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contract: Contract) -> None:
    """An installed viewer is at no address of the pages: its service worker would answer with what a trace has."""
    folder = tmp_path / "playwright/driver/package/lib/vite/traceViewer"
    folder.mkdir(parents=True)
    for name in ("index.html", "sw.bundle.js", "snapshot.html"):
        (folder / name).write_text(name)
    (tmp_path / "playwright/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "playwright", raising=False)
    site = Site(tmp_path / "store.db", contract)
    html = site.shown(_reported(site, failing(artifacts=_stored(site, TRACE))))
    assert [address for address in links(html) if "trace=" in address or address.startswith("/trace")] == []
    assert [site.get(f"/trace/{name}").status_code for name in ("index.html", "sw.bundle.js", "snapshot.html")] == [
        404
    ] * 3
    site.service.store.close()


def test_the_moment_of_a_test_is_counted_from_the_begin_of_its_run(site: Site) -> None:
    """A client that sends starts has its tests placed in the run, as on its timeline, with the parts of their time.

    The run begins with its first session, also for a test of a later one.
    """
    run = site.service.new_run()
    thread = site.service.new_thread(run, session_started=1_000_000)
    timed: dict[str, Any] = {"elapsed": 3_000_000, "started": 42_000_000, "phases": [500_000, 2_400_000, 100_000],
                             "paused": 700_000}  # fmt: skip
    site.service.append(thread, failing(**timed))
    words = (
        "in the test itself, after 2.90 s",
        "setup 500 ms, test 2.40 s, teardown 100 ms, 700 ms of it garbage collection",
    )
    assert missing(site.text("/results/1"), "42.0 s into the run", *words) == []
    later = site.service.new_thread(run, session_started=61_000_000)
    site.service.append(later, a_test(1, elapsed=3_000_000, started=2_000_000))
    assert "1 min 02 s into the run" in site.text("/results/2")


def test_a_long_value_of_a_field_is_opened_to_be_read(site: Site) -> None:
    """It takes a line until then, and nothing of it is missing."""
    value = "start " + "middle " * 100 + "end"
    html = site.shown(_reported(site, a_test(fields=[field("long", value)])))
    shown = re.findall(r"<details><summary>(.{20}).*?</summary>(.*?)</details>", html)
    assert shown == [("start middle middle ", value)]


def test_a_passed_test_without_anything(site: Site) -> None:
    """A test without message and output says so, how its output is kept, and where an attempt before has failed."""
    address = _reported(site, a_test())
    assert "No output This test has no message" in site.text(address)
    flaky = _reported(site, a_test(**RETRIED))
    words = "No output What failed before stands in attempt 1 ; this one has no message"
    assert words in site.text(flaky)
    assert f"{flaky}?attempt=1" in site.shown(flaky).partition("No output")[2]


def test_the_failure_can_be_copied_as_markdown(site: Site) -> None:
    """The page has the failure as Markdown, for the button that copies it."""
    html = site.shown(_reported(site, failing()))
    markdown = unescape(html.partition('<pre id="markdown" hidden>')[2].partition("</pre>")[0])
    assert markdown.startswith("### `tests.a.test_0`")
    assert "| value | `90` | `89` |" in markdown


def test_a_long_history_is_cut_and_hostile_output_is_text(site: Site) -> None:
    """Colours of the output become classes, and everything else of it is text; a line of a megabyte is cut."""
    value = "\x1b[31mred\x1b[0m <script>alert(1)</script>\n" + "x" * 1_000_000
    html = site.shown(_reported(site, a_test(fields=[field("Output", value, 4)])))
    assert missing(html, '<span class="ansi-bad">red</span> &lt;script&gt;', "more characters") == []
    assert len(html) < 100_000


def test_results_of_several_jobs_stand_beside_each_other(site: Site) -> None:
    """The page of a test has its results in all jobs and attempts of the run, each with a link, whichever it shows."""
    failed = [{**failing(), "key": "key"}]
    site.service.run_of_jobs(("linux", 1, failed), ("linux", 2, [a_test(key="key")]), ("windows", 1, failed))
    results = {f"/results/{result}" for result in (1, 2, 3)}
    words = ("linux, attempt 1: failed, replaced by a later attempt", "linux, attempt 2: passed", "windows: failed")
    for result in results:
        assert missing(site.text(result), *words) == []
        assert results <= set(links(site.shown(result)))
    assert "In this run" not in site.text(_reported(site, a_test(5)))


@pytest.mark.postgresql
def test_a_replaced_result_can_be_left_out(site: Site) -> None:
    """The list of a run's failed tests has no test that passed in a later attempt of its job, if asked so."""
    run = site.service.run_of_jobs(
        ("linux", 1, (failing(0), failing(1))), ("linux", 2, (a_test(0),)), ("windows", 1, (failing(2), a_test(1)))
    )
    for query, numbers in (("", (0, 1, 2)), ("&replaced=0", (1, 2))):
        page = site.service.get(f"/automation/runs/{run}/tests", f"status_id=3&order=asc{query}").json
        keys = [failing(number)["key"] for number in numbers]
        assert ([test["key"] for test in page["result"]], page["total"]) == (keys, len(keys))


FILE = {"file": "tests/a.py", "folder": "tests.a"}


def test_new_reasons_stand_before_known_ones(site: Site) -> None:
    """As their cards do, however many tests fail for each."""
    site.run_of(failing(0), failing(1), a_test(2))
    run = site.run_of(failing(0), failing(1), failing(2, message="KeyError: 'a'"))
    site.shown(f"/runs/{run}")
    still, other, new = site.result_ids(run)
    assert (walked(site, new, ""), walked(site, other, "")) == ([new, still], [other])
    assert "2 of 2 reasons" in site.text(f"/results/{other}")


def walked(site: Site, result: int, origin: str) -> list[int]:
    """Return the results to which *Next* leads from one, as far as it goes, with the words at the last one."""
    seen, following = [], [result]
    while following:
        seen += following
        html = site.shown(f"/results/{seen[-1]}?from={quote(origin)}")
        following = [int(each) for each in re.findall(r'rel="next"[^>]*href="/results/([0-9]+)', html)[:1]]
    return seen


@pytest.mark.postgresql
def test_next_goes_through_the_list_that_one_came_from(site: Site) -> None:
    """Filters, searches, orders and files are kept; without one a test leads to its kind."""
    again: dict[str, Any] = {"attempts": [failed_attempt(1)]}
    other = {"file": "tests/b.py", "folder": "tests.b"}
    site.run_of(*map(a_test, range(7)))
    run = site.run_of(
        failing(0, **FILE), a_test(1, "skipped", elapsed=50, **FILE), a_test(2, elapsed=900, **FILE),
        a_test(3, "skipped", elapsed=70, **other), a_test(4, elapsed=10, **FILE, **again),
        a_test(5, **other, **again), a_test(6, elapsed=800, **other),
    )  # fmt: skip
    ids = site.result_ids(run)
    site.shown(f"/runs/{run}?view=tests&change=newly_skipped")
    for origin, numbers in (
        *(("", [1, 3]), ("view=tests&status=6", [1, 3]), ("", [4, 5]), ("view=tests&status=flaky", [4, 5]), ("", [2])),
        *(("view=tests&open=tests/a.py", [0, 1, 2, 4]), ("view=tests&group=none", [0, 1, 3, 2, 4, 5, 6])),
        *(("view=tests&sort=slowest&group=none", [2, 6, 3]), ("view=tests&q=tests/b.py", [3, 5, 6])),
        *(
            ("view=tests&change=newly_skipped", [1, 3]),
            ("view=tests&q=is:newly-skipped", [1, 3]),
            ("view=tests&status=999", [0, 1, 3, 2, 4, 5, 6]),
        ),
    ):
        found = [ids.index(result) for result in walked(site, ids[numbers[0]], origin)]
        assert (found[:3] if "slowest" in origin else found) == numbers, origin
    html = site.shown(f"/results/{ids[3]}?from={quote('view=tests&q=tests/b.py')}")
    assert "1 of 3 tests" in html


def test_u_leads_back_to_the_row(site: Site) -> None:
    """The address of the run's page has the list, and the place of the test in it exists there."""
    run = site.run_of(failing(0, **FILE), a_test(1, "skipped", **FILE), a_test(2, **FILE))
    ids = site.result_ids(run)
    for number, origin in (
        (0, ""),
        (0, "view=failures&group=none"),
        (0, "view=failures&group=file"),
        (1, "view=tests&status=6"),
        (2, "view=tests&open=tests/a.py"),
        (2, "view=tests&group=none&sort=ran"),
        (2, "/runs/99?view=tests&group=none&evil=1"),
    ):
        html = site.shown(f"/results/{ids[number]}?from={quote(origin)}")
        match = re.search(r'<a href="([^"]*)" data-key="u"', html)
        assert match is not None
        address, _, place = unescape(match[1]).partition("#")
        assert address.startswith(f"/runs/{run}")
        assert "evil" not in address
        assert f'id="{place}"' in site.shown(address), (origin, place)


LINKS = CodeLinks("https://code.example/blob/{commit}/{file}#L{line}", "vscode://file/work/{file}:{line}")


@pytest.mark.parametrize(
    ("file", "source", "editor"),
    [
        ("tests/a.py", "https://code.example/blob/4f2a9c1/tests/a.py#L12", "vscode://file/work/tests/a.py:12"),
        ("tests\\a.py", "https://code.example/blob/4f2a9c1/tests/a.py#L12", "vscode://file/work/tests/a.py:12"),
        # No name of a file can add a parameter, or a placeholder.
        (
            'a"?x&{line}#',
            "https://code.example/blob/4f2a9c1/a%22%3Fx%26%7Bline%7D%23#L12",
            "vscode://file/work/a%22%3Fx%26%7Bline%7D%23:12",
        ),
        # Files outside of the project have no link.
        *((path, "", "") for path in ("", "/usr/lib/json/decoder.py", "../other.py", "C:\\a.py", "<string>")),
    ],
)
def test_lines_of_the_project_have_links(file: str, source: str, editor: str) -> None:
    """File, line, from 1, and commit stand where the templates say; without a template or a commit there is no link."""
    assert (LINKS.source_url(file, 12, "4f2a9c1"), LINKS.editor_url(file, 12)) == (source, editor)
    assert NO_LINKS.source_url(file, 12, "4f2a9c1") == NO_LINKS.editor_url(file, 12) == ""
    assert LINKS.source_url(file, 12, "") == ""
    assert LINKS.editor_url("a.py", 0) == "vscode://file/work/a.py:1"


def test_a_worker_has_the_name_of_its_job_as_on_the_page_of_its_run(site: Site) -> None:
    """Jobs of one run have workers of the same name, which alone would not tell where a test ran."""
    run = site.service.run_of_jobs(("linux", 1, [a_test(0)]), ("windows", 1, [a_test(1)]))
    for result, job in zip(site.result_ids(run), ("linux", "windows"), strict=True):
        assert f'view=time">{job}' in re.sub(r">\s+", ">", site.shown(f"/results/{result}"))
