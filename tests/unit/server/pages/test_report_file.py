"""The report of a run in one file, made of the server's own pages."""

import re
import tracemalloc
from hashlib import sha256
from typing import Any

import pytest
from falcon.testing import Result

from pytest_automation_report.api.models import Json
from pytest_automation_report.server.pages import report_file
from pytest_automation_report.server.pages.test.handlers import CodeLinks
from pytest_automation_report.server.store.contents import FileRule
from pytest_automation_report.server.store.values import ApiError, content_address
from pytest_automation_report.server.store.writes import Writer
from support.report_file import ReportFile, text_of
from support.service import ON_SQLITE, SECOND, a_test
from support.website import HOSTILE, RETRIED, Site, failing, field, hostile, missing, on

MAIN = [field("Branch", "main")]


def flaky(number: int) -> Json:
    return a_test(number, **RETRIED)


def report_of(site: Site, run: int, base: int | None = None, **options: Any) -> ReportFile:  # noqa: ANN401 - those of `report_file.report_of`
    return ReportFile(report_file.report_of(site.service.store, run, base, **options))


def two_runs(site: Site) -> int:
    """Report a run, and one in which a test fails that passed before; return its id."""
    site.run_of(a_test(0), a_test(1), failing(2), source="shop", fields=MAIN)
    site.service.clock.now += 60 * SECOND
    tests = (failing(0, file="tests/a.py"), a_test(1, "skipped"), failing(2, elapsed=SECOND), flaky(3), a_test(4))
    return site.run_of(*tests, source="shop", fields=MAIN)


MENU = re.compile(r'<details class="menu.*?</details>|<span class="(?:btn|small)"[^>]*title=.*?</span>', re.DOTALL)
MOMENT = re.compile(r"[0-9,]+ (days?|h|min) ago|[0-9]+ [A-Z][a-z]+ 20[0-9]+, [0-9:]+ UTC")


def said(html: str) -> str:
    """Return what a page says, without ages and moments, and without its menus, of which a file has fewer."""
    return MOMENT.sub("then", text_of(MENU.sub("", html)))


def server_text(site: Site, address: str) -> str:
    return said(site.shown(address).partition('<main id="content"')[2].partition(">")[2].partition("</main>")[0])


def test_each_page_says_what_the_servers_page_says(site: Site) -> None:
    """All views, and the pages of failed and flaky tests, have the text of the server's pages, at its addresses."""
    for _ in range(3):
        site.run_of(a_test(1, elapsed=SECOND), failing(2, elapsed=SECOND), source="shop", fields=MAIN)
    run = two_runs(site)
    report = report_of(site, run)
    views = {f"/runs/{run}?view={view}" for view in ("failures", "changes", "time", "details")}
    failed, _, still, again, passed = site.result_ids(run)
    pages = {f"/results/{result}" for result in (failed, still, again)} | {f"/results/{again}?attempt=1"}
    assert views | pages <= set(report.addresses)
    assert f"/results/{passed}" not in report.addresses
    shown = [one for one in report.addresses if "view=tests" not in one]  # the script fills lists
    assert [one for one in shown if said(report.page(one)) != server_text(site, one)] == []


def test_streams_of_output_have_pages(site: Site) -> None:
    """Each stream but the one that the page begins with has a page of its own; links lead to both."""
    output = [field(name, f"a line of {name}", 4) for name in ("Output", "Log")]
    run = site.run_of(failing(0, fields=[*failing()["fields"], *output]))
    report = report_of(site, run)
    (result,) = site.result_ids(run)
    page, first, other = (f"/results/{result}{query}" for query in ("", "?out=stdout", "?out=log"))
    assert {page, first, other} & set(report.addresses) == {page, other}
    assert f'href="#{first}#' in report.page(other)
    assert [said(report.page(one)) for one in (page, other)] == [server_text(site, one) for one in (first, other)]


def test_other_parameters_are_those_of_the_servers_page(site: Site) -> None:
    """A failure has the number of its function's parameters, and 60 of them at most."""
    names = [*(f"test_a[{number}]" for number in range(70)), "test_a", "test_ab[1]", "test_b[1]", "test_b[2]"]
    failed = (0, 69, 70, 73)
    tests = [(failing if number in failed else a_test)(number, name=name) for number, name in enumerate(names)]
    run = site.run_of(*tests, a_test(90, name="test_a[90]", folder="tests.b"), a_test(91, name="test_a[91]"))
    report, results = report_of(site, run), site.result_ids(run)
    pages = [f"/results/{results[number]}" for number in failed]
    assert [said(report.page(one)) for one in pages] == [server_text(site, one) for one in pages]
    assert "Parameters 71 , 2 failed" in server_text(site, pages[0])


@ON_SQLITE
def test_what_tests_have_in_common_is_read_once(site: Site) -> None:
    """Each further failure costs five statements: its row, key and history, others of its reason, those before it."""
    statements = list[str]()
    site.service.reader.raw.set_trace_callback(statements.append)
    taken = []
    for count in (2, 7):
        run = site.run_of(*map(failing, range(count)), source=f"suite of {count}")
        report_file.report_of(site.service.store, run)
        statements.clear()
        report_file.report_of(site.service.store, run)
        taken.append(sum(sql.startswith("SELECT") for sql in statements))
    site.service.reader.raw.set_trace_callback(None)
    assert taken[1] - taken[0] == 5 * 5


def test_failures_lead_to_the_code_as_on_the_server(site: Site) -> None:
    """With a template of links to the code, the page of a test in the file has the link of the server's page."""
    run = site.run_of(failing(0, file="tests/a.py", line=7))
    (result,) = site.result_ids(run)
    links = CodeLinks("https://code.example/{file}#L{line}")
    report = ReportFile(report_file.report_of(site.service.store, run, code_links=links))
    assert 'href="https://code.example/tests/a.py#L7"' in report.page(f"/results/{result}")


def test_all_links_lead_inside(site: Site) -> None:
    """No page of the file has an address of a server, and each link to a page is to one that the file has."""
    run = two_runs(site)
    report = report_of(site, run)
    results = {f"/results/{result}" for result in site.result_ids(run)}
    for address in report.addresses:
        page = report.page(address)
        for attribute in ("href", "src", "action", "data-live", "data-branch"):
            assert f'{attribute}="/' not in page
            assert f"{attribute}='/" not in page
        assert not re.search(r">[0-9,]+ (days?|h|min) ago<", page)
        for target in page.split('href="#/')[1:]:
            inner = "/" + target.partition('"')[0].partition("#")[0].replace("&amp;", "&")
            is_list = inner.startswith(f"/runs/{run}?") and "view=tests" in inner
            is_usual = inner == f"/runs/{run}" or (inner.startswith(f"/runs/{run}?") and "view=" not in inner)
            other = inner.replace("&show=pytest", "").replace("?show=pytest", "")
            is_made = other in results or other in report.addresses
            assert is_list or is_usual or is_made, f"{address} -> {inner}"


def test_the_plain_report_has_what_matters(site: Site) -> None:
    """Without script and style: verdict, counts, what changed, reasons, failures with their text, flaky tests."""
    plain = text_of(report_of(site, two_runs(site)).plain)
    assert plain.startswith("2 of 5 tests failed, for 1 reason shop, run 2, branch main")
    words = ("Compared with run 1: 1 new failure, 1 still failing, 0 fixed, 1 flaky.", "E assert 90 == 89")
    assert missing(plain, *words, "tests.a.test_0 : assert 90 == 89 tests/a.py") == []
    assert "1 test , new: assert 90 == 89" in plain or "1 test, new : assert 90 == 89" in plain


def test_the_plain_report_has_reasons_and_failures_in_one_order(site: Site) -> None:
    """New reasons come first and are called so, each with the command that runs its tests again."""
    messages = ("KeyError: 'old'", "assert 90 == 89")
    site.run_of(failing(0, message=messages[0]), *map(a_test, (1, 2, 3)))
    tests = (failing(0, message=messages[0]), a_test(1), a_test(2), failing(3))
    plain = text_of(report_of(site, site.run_of(*tests)).plain)
    reasons, failures = plain.partition(" Failures ")[::2]
    assert re.findall(r"pytest --automation-report-rerun-failed=2:[0-9a-f]{16}", reasons)[1:]
    assert [part.index(messages[1]) < part.index(messages[0]) for part in (reasons, failures)] == [True, True]
    assert "new tests.a.test_3 : assert 90 == 89" in failures


def test_the_policy_allows_its_own_style_and_script_alone(site: Site) -> None:
    """The hashes of the policy are those of both styles and both scripts, and nothing may reach a network."""
    report = report_of(site, two_runs(site))
    style, archived_style, script, archived_script = report.hashes
    assert report.policy == (
        f"default-src 'none'; style-src {style} {archived_style}; script-src {script} {archived_script}; "
        "img-src data: blob:; media-src blob:; form-action 'none'; base-uri 'none'"
    )


def test_the_plain_report_names_20_flaky_tests(site: Site) -> None:
    """Of many flaky tests the plain report counts those that it does not name."""
    plain = text_of(report_of(site, site.run_of(*map(flaky, range(23)))).plain)
    assert plain.count("failed in 1 of 1 run") == 20
    assert "3 more flaky tests not in this list." in plain


def test_scripts_have_no_comments(site: Site) -> None:
    """The file has the code of its scripts without comments and indentation, and nothing else is left out."""
    report = ReportFile(report_file.report_of(site.service.store, two_runs(site)))
    lines = [*report.loader.split("\n"), *report.data["script"].split("\n")]
    assert not [line for line in lines if not line or line != line.strip() or line.startswith("//")]
    assert "await navigator.clipboard.writeText(text);" in lines


def test_hostile_texts_are_texts(site: Site) -> None:
    """Names, messages and fields with markup are escaped in each layer of the file."""
    run, result = hostile(site)
    site.service.complete(run)
    report = report_of(site, run)
    tests = report.data["tests"]
    rows = [tests["files"]["html"], *tests["reasons"].values(), *(kind["row"] for kind in tests["kinds"])]
    assert f"/results/{result}" in report.addresses
    harmful = ["<script", "<img src=x", "javascript:"]
    for layer in [report.plain, *rows, *map(report.page, report.addresses)]:
        assert missing(layer.replace("javascript:alert(1)</", ""), *harmful) == harmful
    assert HOSTILE.replace("\u202e", "\\u202e")[:20] in text_of(report.plain)


def failure_of(number: int, lines: int) -> dict[str, Any]:
    """Return a test that failed for a reason that no other one has, with a text of some lines of 100 characters."""
    code = "\n".join(f"    line_{line:03} = {'x' * 83}" for line in range(lines - 1))
    error = f">   assert {number}\nE   AssertionError: {number}\n\ntests/a.py:{number}: AssertionError"
    meta = {"type": f"Error{number}", "message": f"Error{number}"}
    failure = {**field("Failure", f"def test_{number}():\n{code}\n{error}", 4), "meta": meta, "is_highlight": True}
    return failing(number, fields=[failure], line=number, file=f"tests/test_{number}.py")


@pytest.mark.parametrize(
    ("count", "lines", "least", "most"), [(1, 50, 2_800, 3_000), (5, 9, 850, 1_100), (60, 50, 700, 800)]
)
def test_the_plain_report_has_an_end(site: Site, count: int, lines: int, least: int, most: int) -> None:
    """Texts of failures have 3,000 characters at most, fewer if there are many reasons; their ends have the error."""
    report = ReportFile(
        report_file.report_of(site.service.store, site.run_of(*(failure_of(number, lines) for number in range(count))))
    )
    texts = re.findall("<pre>(.*?)</pre>", report.plain, re.DOTALL)
    assert len(texts) == count
    assert [text for text in texts if not least <= len(text) <= most] == []
    errors = [re.findall(r"E   AssertionError: (\d+)\n", text) for text in texts]
    assert sorted(errors, key=lambda found: int(found[0])) == [[str(number)] for number in range(count)]
    assert sum(map(len, texts)) <= 48_000
    assert report.plain.count("characters left out") == (0 if lines < 30 else count)


def test_a_run_without_failures_and_one_without_results(site: Site) -> None:
    """A green run begins with its list of tests; a run without results says so."""
    green, empty = report_of(site, site.run_of(a_test(0), a_test(1))), report_of(site, site.run_of())
    assert green.data["usual"] == {"view": "tests"}
    assert text_of(green.plain).startswith("Both tests passed")
    assert text_of(empty.plain).startswith("No test ran")
    assert empty.column("time") == []


def test_the_base_can_be_chosen(site: Site) -> None:
    """With a base the whole file compares with it; one of another source is refused, as is an unknown run."""
    run = two_runs(site)
    third = site.run_of(failing(0), source="shop", fields=MAIN)
    report = report_of(site, third, 1)
    assert "Compared with run 1:" in text_of(report.plain)
    changes = report.page(f"/runs/{third}?base=1&view=changes")
    command = f"Another run: automation-report html {third} --base ID"
    assert missing(changes, command, "Compare with") == ["Compare with"]
    other = site.run_of(a_test(0), source="other")
    for asked_run, base, status in ((run, other, 422), (99, None, 404)):
        with pytest.raises(ApiError) as refused:
            report_file.report_of(site.service.store, asked_run, base)
        assert refused.value.status == status


def asked(site: Site, run: int, query: str = "") -> Result:
    token = {"Authorization": "Bearer a-token-of-these-tests"}
    return site.client.simulate_get(f"/api/v1/automation/runs/{run}/report", query_string=query, headers=token)


def test_a_text_that_is_read_later_has_no_ages(site: Site) -> None:
    """The report and the failures as text have moments, and so the same bytes tomorrow."""
    site.run_of(a_test(0), **on("main", commit=40 * "a"))
    run = site.run_of(failing(0), **on("main", commit=40 * "b"))
    report = report_of(site, run)
    assert "1 new since bbbbbbb (" in said(report.page(f"/runs/{run}?view=failures"))
    assert not [address for address, parts in report.data["pages"].items() if " ago" in "".join(parts)]
    assert " ago" not in site.get(f"/runs/{run}/failures.txt").text


def test_over_http(site: Site) -> None:
    """The pages offer the file, the same bytes each time, and so does the API; both need a pass or a token."""
    run = two_runs(site)
    download = site.get(f"/runs/{run}/report.html")
    assert download.headers["Content-Disposition"] == f'attachment; filename="run-{run}.html"'
    assert download.text == report_file.report_of(site.service.store, run) == asked(site, run).json["result"]["html"]
    assert site.raw(f"/runs/{run}/report.html").status_code == 403
    assert site.raw(f"/api/v1/automation/runs/{run}/report").status_code == 401
    assert site.get("/runs/99/report.html").status_code == 404
    assert f'href="/runs/{run}/report.html"' in site.shown(f"/runs/{run}")
    wrong = asked(site, run, "base=x")
    assert (wrong.status_code, list(wrong.json["errors"])) == (422, ["base"])


def test_fields_of_tests_that_passed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skipped tests, then those that passed, have a page with fields and output; beyond a limit a page says so."""
    output = [field("Output", "said", 4), field("Log", "logged", 4)]
    reason = {**field("Skipped", "needs a printer", 4), "is_highlight": True}
    run = site.run_of(a_test(0, fields=output), a_test(1), a_test(2, "skipped", fields=[reason]), failing(3))
    passed, _, skipped, _ = (f"/results/{result}" for result in site.result_ids(run))
    report = report_of(site, run)
    for page, words in ((passed, "said"), (f"{passed}?out=log", "logged"), (skipped, "needs a printer")):
        assert words in text_of(report.page(page))
    monkeypatch.setattr("pytest_automation_report.server.pages.report_tests.MOST_OUTPUT_PAGES", 1)
    limited = report_of(site, run)
    assert {skipped, passed} & set(limited.addresses) == {skipped}
    assert len(limited.html) < len(report.html)
    assert limited.data["tests"]["left_out"] == [0]


PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 300_000
PAGE = b"<script>document.title = 'ran'</script>"


def a_run(site: Site) -> tuple[int, dict[str, str]]:
    """Report a run with a failure that has a picture and a page, and a flaky test with a log; return id and hashes."""
    files = {"shot.png": PNG, "page.html": PAGE, "log.txt": b"a log"}
    picture, page, log = ({"name": name, "url": site.kept(content, name)} for name, content in files.items())
    run = site.run_of(failing(0, artifacts=[picture, page]), a_test(1, artifacts=[log], **RETRIED))
    return run, {name: sha256(content).hexdigest() for name, content in files.items()}


@pytest.mark.postgresql
def test_files_of_failures(site: Site) -> None:
    """Files of failures are in the report, whole, and pages show them; all but pictures and videos are downloads."""
    run, hashes = a_run(site)
    report = report_of(site, run)
    assert report.files == {hashes["shot.png"]: "image/png", hashes["page.html"]: "application/octet-stream"}
    assert report.inflated(f'id="file-{hashes["shot.png"]}" data-type="image/png"') == PNG
    page = report.page(f"/results/{site.result_ids(run)[0]}")
    assert re.search(rf'<img data-file="{hashes["shot.png"]}" data-name="shot.png"', page)
    assert "/artifacts/" not in page


def test_which_files(site: Site) -> None:
    """A report can be without files, or with those of all tests that have a page."""
    run, hashes = a_run(site)
    none = report_of(site, run, rule=FileRule("none"))
    assert (none.files, "data-file" in "".join(map(none.page, none.addresses))) == ({}, False)
    assert set(report_of(site, run, rule=FileRule("all")).files) == set(hashes.values())


def test_large_files_are_left_out_and_named(site: Site) -> None:
    """Small files go first; each that does not fit is named with its size, and no page refers to it."""
    run, hashes = a_run(site)
    report = report_of(site, run, rule=FileRule("failed", 1_000))
    assert set(report.files) == {hashes["page.html"]}
    assert "1 file left out: shot.png (300 kB)" in text_of(report.html.partition('<div id="page">')[2])
    assert hashes["shot.png"] not in "".join(map(report.page, report.addresses))


LARGE = 25_000_000
"""Size of each artifact of the run with 5 GB of them."""


def a_run_of_5_gb(site: Site) -> int:
    """Report a run of 20 failures with 10 artifacts each: the store has their sizes, and no bytes of them."""
    hashes = {f"video-{number}.mp4": sha256(str(number).encode()).hexdigest() for number in range(200)}
    row = 'INSERT INTO "content" ("hash", "size", "media_type", "created") VALUES (?, ?, ?, 1)'

    def insert(writer: Writer) -> None:
        for each in hashes.values():
            writer.connection.change(row, (each, LARGE, "video/mp4"))

    site.service.store.write(insert)
    artifacts = [{"name": name, "url": content_address(each, name)} for name, each in hashes.items()]
    return site.run_of(*(failing(number, artifacts=artifacts[number * 10 :][:10]) for number in range(20)))


@pytest.mark.postgresql
def test_5_gb_of_artifacts(site: Site) -> None:
    """A report of a run with 5 GB of artifacts leaves them out, names them, and needs no memory for them."""
    run = a_run_of_5_gb(site)
    report_file.report_of(site.service.store, run, rule=FileRule("none"))  # templates are compiled once
    tracemalloc.start()
    try:
        html = report_file.report_of(site.service.store, run)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    left_out = text_of(html.partition('<div id="page">')[2])
    words = ("200 files left out: video-0.mp4 (25 MB), video-1.mp4 (25 MB), ", "(25 MB) and more.")
    assert (ReportFile(html).files, missing(left_out, *words)) == ({}, [])
    assert (peak < 20 << 20, len(html) < 1 << 20) == (True, True), (peak, len(html))


def test_files_over_http(site: Site) -> None:
    """Both URLs take the rule; wrong values are refused together."""
    run, _ = a_run(site)
    assert ReportFile(site.get(f"/runs/{run}/report.html?artifacts=none").text).files == {}
    wrong = asked(site, run, "artifacts=some&artifacts_size=9999999999")
    assert (wrong.status_code, sorted(wrong.json["errors"])) == (422, ["artifacts", "artifacts_size"])
    small = asked(site, run, "artifacts=failed&artifacts_size=1000")
    assert len(ReportFile(small.json["result"]["html"]).files) == 1
