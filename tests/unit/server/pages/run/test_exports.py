"""The downloads of a run in the forms of other tools."""

import csv
import io
import json
import re
from html import unescape
from xml.etree import ElementTree as ET

import pytest

from pytest_automation_report.server.store.reads import PAGE_RESULTS
from support.junit_schema import mistakes
from support.service import a_test
from support.website import HOSTILE, Site, failing, hostile

NAMES = ("junit.xml", "run.json", "tests.csv")


def test_the_menu_offers_each_form_as_a_file(site: Site) -> None:
    """The links of *Share* lead to files with a name, of the right type; a chosen base goes with them."""
    site.run_of(a_test(0))
    run = site.run_of(failing(0))
    html = site.shown(f"/runs/{run}?base=1")
    offered = [unescape(address) for address in re.findall(r'<a href="([^"]*)" download>', html)]
    paths = [address.partition("?")[0] for address in offered]
    assert paths == [f"/runs/{run}/{name}" for name in ("report.html", *NAMES)]
    for address, media_type in zip(
        offered, ("text/html", "application/xml", "application/json", "text/csv"), strict=True
    ):
        answer = site.get(address)
        file = f"run-{run}.{media_type.rpartition('/')[2]}"
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.headers["content-disposition"] == f'attachment; filename="{file}"'
    assert json.loads(site.get(offered[2]).content)["findings"]["base"]["run"] == 1


def test_each_form_has_every_test_of_a_large_run(site: Site) -> None:
    """A run whose results fill more than one page of reading is whole in each file; the suite is the source's name."""
    names = [f"test_{number}" for number in range(PAGE_RESULTS + 7)]
    tests = [a_test(number, file="tests/b.py") for number in range(1, len(names))]
    run = site.run_of(failing(0, file="tests/a.py"), *tests, source="back & front")
    xml = ET.fromstring(site.get(f"/runs/{run}/junit.xml").content)
    assert mistakes(ET.tostring(xml, encoding="unicode")) == []
    counts = {"name": "back & front", "tests": str(len(names)), "failures": "1"}
    assert ({name: xml.get(name) for name in counts}, len(xml.findall("testsuite"))) == (counts, 2)
    assert {case.get("name") for case in xml.iter("testcase")} == set(names)
    document = json.loads(site.get(f"/runs/{run}/run.json").content)
    assert (document["run"]["id"], document["run"]["source"]) == (run, "back & front")
    assert [test["name"] for test in document["tests"]] == names
    assert document["tests"][0]["causes"][0]["text"].endswith("AssertionError")
    table = list(csv.reader(io.StringIO(site.get(f"/runs/{run}/tests.csv").text)))
    assert len(table) == len(names) + 1


def test_hostile_values_are_texts_of_the_files(site: Site) -> None:
    """Markup, control characters and halves of characters end no element, no text and no cell."""
    run, _ = hostile(site)
    ET.fromstring(site.get(f"/runs/{run}/junit.xml").content)
    tests = json.loads(site.get(f"/runs/{run}/run.json").content)["tests"]
    assert tests[0]["name"] == HOSTILE
    assert len(list(csv.reader(io.StringIO(site.get(f"/runs/{run}/tests.csv").text)))) == 3


@pytest.mark.parametrize("name", NAMES)
def test_downloads_have_the_access_of_pages(site: Site, name: str) -> None:
    """No file without a pass; a run that does not exist is a page that says so, and so is a wrong base."""
    run = site.run_of(a_test(0))
    refused = site.raw(f"/runs/{run}/{name}")
    assert (refused.status_code, "test_0" in refused.text) == (403, False)
    assert site.get(f"/runs/99/{name}").status_code == 404
    assert site.get(f"/runs/{run}/{name}?base=x").status_code == 422
