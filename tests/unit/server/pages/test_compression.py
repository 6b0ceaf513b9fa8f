import gzip

import pytest

from pytest_automation_report.server.pages.assets import asset_path
from support.service import a_test
from support.website import Site


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=1.0, *;q=0.5", "gzip, br, zstd", "GZIP"])
def test_a_page_is_compressed_for_browsers_that_take_it(site: Site, accepted: str) -> None:
    """The compressed page is the page, and caches learn that there are two forms of it."""
    site.run_of(*map(a_test, range(50)))
    plain = site.get("/runs/1")
    packed = site.get("/runs/1", Accept_Encoding=accepted)
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.headers["content-length"] == str(len(packed.content))
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) / 3


@pytest.mark.parametrize(
    "accepted", ["", "identity", "gzip;q=0", "gzip;q=0.0, br", "xgzip", "br", "gzip;q=.", "gzip;q=1.2.3"]
)
def test_a_page_is_sent_as_it_is_to_others(site: Site, accepted: str) -> None:
    """A client that does not take gzip, refuses it, or says so in no form that is known, gets the text."""
    site.run_of(a_test())
    answer = site.get("/runs/1", Accept_Encoding=accepted)
    assert "content-encoding" not in answer.headers
    assert answer.text.startswith("<!doctype html>")


# Most of the report is compressed already, but as a text whose letters take a quarter more than its bytes.
@pytest.mark.parametrize(
    ("name", "most"), [("junit.xml", 0.5), ("run.json", 0.5), ("tests.csv", 0.5), ("report.html", 0.85)]
)
def test_a_download_is_compressed_as_it_is_sent(site: Site, name: str, most: float) -> None:
    """What *Share* offers comes compressed to a browser that takes it, with the same content, else as it is."""
    run = site.run_of(*map(a_test, range(400)))
    plain = site.get(f"/runs/{run}/{name}")
    packed = site.get(f"/runs/{run}/{name}", Accept_Encoding="gzip")
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) * most


def test_style_and_errors_are_compressed_and_the_api_is_not(site: Site) -> None:
    """All text of pages is; a response of the API stays as clients know it, and one without content has none."""
    site.run_of(a_test(), is_open=True)
    style = site.get(asset_path("style.css"), Accept_Encoding="gzip")
    assert (style.headers["content-encoding"], style.headers["content-type"]) == ("gzip", "text/css; charset=utf-8")
    assert site.get("/nothing", Accept_Encoding="gzip").headers["content-encoding"] == "gzip"
    tag = site.get("/runs/1/live").headers["etag"]
    unchanged = site.get("/runs/1/live", Accept_Encoding="gzip", If_None_Match=tag)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert (
        "content-encoding" not in site.service.raw("GET", "/api/v1/automation/runs/1", Accept_Encoding="gzip").headers
    )
