"""Artifacts in the report of a run."""

import io
import re
import tracemalloc
from hashlib import sha256

from pytest_automation_report.server.pages.report.files import FileRule
from pytest_automation_report.server.store.contents import ArtifactContents
from pytest_automation_report.server.store.values import content_address
from pytest_automation_report.server.store.writes import Writer
from support.report_file import ReportFile, text_of
from support.service import a_test
from support.website import Site, attempts, failing

PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 300_000
PAGE = b"<script>document.title = 'ran'</script>"


def a_run(site: Site) -> tuple[int, dict[str, str]]:
    """Report a run with a failure that has a picture and a page, and a flaky test with a log; return id and hashes."""
    stored = ArtifactContents(site.service.store)
    contents = {"shot.png": PNG, "page.html": PAGE, "log.txt": b"a log"}
    hashes = {name: stored.put(io.BytesIO(content)).hash for name, content in contents.items()}
    files = {name: {"name": name, "url": content_address(hash_, name)} for name, hash_ in hashes.items()}
    failed = failing(0, artifacts=[files["shot.png"], files["page.html"]])
    flaky = a_test(1, artifacts=[files["log.txt"]], fields=[attempts("2")])
    return site.run_of(failed, flaky), hashes


def test_files_of_failures(site: Site) -> None:
    """Files of failures are in the report, whole, and pages show them; all but pictures and videos are downloads."""
    run, hashes = a_run(site)
    report = ReportFile(site.pages.report(run))
    assert report.files == {hashes["shot.png"]: "image/png", hashes["page.html"]: "application/octet-stream"}
    assert report.inflated(f'id="file-{hashes["shot.png"]}" data-type="image/png"') == PNG
    page = report.page(f"/results/{site.result_ids(run)[0]}")
    assert re.search(rf'<img data-file="{hashes["shot.png"]}" data-name="shot.png"', page)
    assert "/artifacts/" not in page


def test_which_files(site: Site) -> None:
    """A report can be without files, or with those of all tests that have a page."""
    run, hashes = a_run(site)
    none = ReportFile(site.pages.report(run, rule=FileRule("none")))
    assert (none.files, "data-file" in "".join(map(none.page, none.addresses))) == ({}, False)
    assert set(ReportFile(site.pages.report(run, rule=FileRule("all"))).files) == set(hashes.values())


def test_large_files_are_left_out_and_named(site: Site) -> None:
    """Small files go first; each that does not fit is named with its size, and no page refers to it."""
    run, hashes = a_run(site)
    report = ReportFile(site.pages.report(run, rule=FileRule("failed", 1_000)))
    assert set(report.files) == {hashes["page.html"]}
    assert "1 file left out: shot.png (300 kB)" in text_of(report.html.partition('<div id="page">')[2])
    assert hashes["shot.png"] not in "".join(map(report.page, report.addresses))


LARGE = 25_000_000
"""Size of each artifact of the run with 5 GB of them."""


def a_run_of_5_gb(site: Site) -> int:
    """Report a run of 20 failures with 10 artifacts each: the store has their sizes, and no bytes of them."""
    hashes = [sha256(str(number).encode()).hexdigest() for number in range(200)]
    rows = [(hash_, LARGE, "video/mp4", 1) for hash_ in hashes]
    columns = '("hash", "size", "media_type", "created")'

    def insert(writer: Writer) -> None:
        for row in rows:
            writer.connection.change(f'INSERT INTO "content" {columns} VALUES (?, ?, ?, ?)', row)

    site.service.store.write(insert)
    artifacts = [
        {"name": f"video-{number}.mp4", "url": content_address(hash_, f"video-{number}.mp4")}
        for number, hash_ in enumerate(hashes)
    ]
    return site.run_of(*(failing(number, artifacts=artifacts[number * 10 :][:10]) for number in range(20)))


def test_5_gb_of_artifacts(site: Site) -> None:
    """A report of a run with 5 GB of artifacts leaves them out, names them, and needs no memory for them."""
    run = a_run_of_5_gb(site)
    site.pages.report(run, rule=FileRule("none"))  # templates are compiled once
    tracemalloc.start()
    try:
        html = site.pages.report(run)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    report = ReportFile(html)
    assert report.files == {}
    left_out = text_of(html.partition('<div id="page">')[2])
    assert "200 files left out: video-0.mp4 (25 MB), video-1.mp4 (25 MB), " in left_out
    assert "(25 MB) and more." in left_out
    assert (peak < 20 << 20, len(html) < 1 << 20) == (True, True), (peak, len(html))


def test_files_over_http(site: Site) -> None:
    """Both URLs take the rule; wrong values are refused together."""
    run, _ = a_run(site)
    assert ReportFile(site.get(f"/runs/{run}/report.html?artifacts=none").text).files == {}
    token = {"Authorization": "Bearer a-token-of-these-tests"}
    path = f"/api/v1/automation/runs/{run}/report"
    wrong = site.client.simulate_get(path, query_string="artifacts=some&artifacts_size=9999999999", headers=token)
    assert (wrong.status_code, sorted(wrong.json["errors"])) == (422, ["artifacts", "artifacts_size"])
    small = site.client.simulate_get(path, query_string="artifacts=failed&artifacts_size=1000", headers=token)
    assert len(ReportFile(small.json["result"]["html"]).files) == 1
