"""The pages over a store that tests fill through the API, and a visitor who came in by the link."""

import io
import re
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

from falcon.testing import Result, TestClient

from pytest_automation_report.api.models import Json, PostgresDatabase
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import ServerOptions
from pytest_automation_report.server.pages.site import Pages
from pytest_automation_report.server.store.contents import ArtifactContents
from pytest_automation_report.server.store.removal import remove_run
from pytest_automation_report.server.store.values import content_address
from support.contract import Contract
from support.report_file import text_of
from support.service import TOKEN, Service, a_test

COOKIE = "automation-report-80"
HOSTILE = '<script>fetch("http://evil.test/")</script>"\'><img src=x onerror=alert(1)>{{7*7}}\u202eabc'
"""A value that would do harm wherever it is taken for markup, a template or a change of direction."""

LONG = "W" * 700
"""A value without a place to break it."""

TRACEBACK = """\
    def test_discount():
>       assert discount(99, 10) == 89
E       assert 90 == 89

tests/test_cart.py:29: AssertionError"""


class Site:
    def __init__(self, place: Path | PostgresDatabase, contract: Contract) -> None:
        self.service = Service(place, contract)
        self.links: list[str] = []
        self.pages = Pages(self.service.store, TOKEN, on_link_used=self.links.append)
        application = create_application(self.service.store, TOKEN, ServerOptions(extension=self.pages.extension))
        self.client = TestClient(application)
        self._pass: str | None = None

    def raw(self, path: str, method: str = "GET", **headers: str) -> Result:
        """Ask as a browser that has no pass; header names with underscores for dashes."""
        address, _, query = path.partition("?")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.simulate_request(method, address, query_string=query, headers=sent)

    def get(self, path: str, method: str = "GET", **headers: str) -> Result:
        """Ask as a browser that came in by the link."""
        if self._pass is None:
            self._pass = self.raw(self.pages.opening_path).cookies[COOKIE].value
        return self.raw(path, method, Cookie=f"{COOKIE}={self._pass}", **headers)

    def shown(self, path: str) -> str:
        """Return a page as HTML; it must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def text(self, path: str) -> str:
        """Return what a page says, with single spaces."""
        return text_of(self.shown(path).partition("<main")[2].partition("</main>")[0])

    def run_of(
        self,
        *tests: dict[str, Any],
        is_open: bool = False,
        ancestors: Any = (),  # noqa: ANN401 - and the others are those of `Service.new_run`
        **properties: Any,  # noqa: ANN401
    ) -> int:
        run = self.service.new_run(**properties)
        worker = [{"type": 1, "name": "Worker", "value": "gw0"}]
        thread = self.service.new_thread(run, fields=worker, **({"ancestors": [*ancestors]} if ancestors else {}))
        for first in range(0, len(tests), 250):
            self.service.append(thread, *tests[first : first + 250])
        if not is_open:
            self.service.post(f"/automation/runs/threads/{thread}/complete", {"elapsed_observed": 2_500_000})
            self.service.post(f"/automation/runs/{run}/complete", {})
        return run

    def kept(self, content: bytes, name: str) -> str:
        """Keep a file of this content, as its upload does; return the URL of an artifact with this name."""
        return content_address(ArtifactContents(self.service.store).put(io.BytesIO(content)).hash, name)

    def remove(self, run: int) -> None:
        self.service.store.write(partial(remove_run, run))

    def result_ids(self, run: int) -> list[int]:
        """Return the ids of a run's tests, in the order of their arrival."""
        listed = self.service.get(f"/automation/runs/{run}/tests", "order=asc&per_page=1000").json["result"]
        return [each["automation_test_id"] for each in listed]


def said(html: str) -> str:
    """Return what HTML says, with single spaces, and nothing in the place of its tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", html)))


def links(html: str) -> list[str]:
    return [unescape(address) for address in re.findall(r'href="([^"]*)"', html)]


def names(html: str) -> list[str]:
    """Return the tests of a list or tree, in their order."""
    rows = re.findall(r'<a class="leaf".*?</a>', html, re.DOTALL)
    return [said(re.findall(r"<code>(.*?)</code>", row)[0]) for row in rows]


def chips(html: str) -> dict[str, str]:
    """Return the numbers of the chips by their words."""
    found = re.findall(r'<a class="chip"[^>]*>(.*?)</a>', html, re.DOTALL)
    words = [said(chip).strip().rpartition(" ") for chip in found]
    return {name: number for name, _, number in words}


def missing(text: str, *words: str) -> list[str]:
    """Return those of these words that a text does not have."""
    return [each for each in words if each not in text]


def field(name: str, value: str, kind: int = 1) -> Json:
    return {"type": kind, "name": name, "value": value}


def failed_attempt(number: int, error: str = "KeyError: 'before'", **more: object) -> Json:
    """Return an attempt that failed before the last one."""
    cause = {"kind": "failure", "name": "Failure", "text": f"E   {error}"}
    return {"number": number, "status": "failure", "causes": [cause], **more}


RETRIED: Json = {"attempts": [failed_attempt(1)]}
"""What says of a test that its first attempt failed."""


def on(branch: str, *more: Json, commit: str = "") -> dict[str, Any]:
    return {"fields": [field("Branch", branch), *([field("Commit", commit)] if commit else []), *more]}


def failing(number: int = 0, message: str = "assert 90 == 89", **properties: object) -> dict[str, Any]:
    meta = {"message": message, "type": "AssertionError"}
    failure = {"type": 4, "name": "Failure", "value": TRACEBACK, "meta": meta, "is_highlight": True}
    return a_test(number, "failed", **{"fields": [failure], **properties})


def killed(number: int) -> dict[str, Any]:
    """Return a test that was running when its process died."""
    said = "The process that ran this test died before it finished (os._exit, a signal or a lost machine)."
    failure = {"type": 4, "name": "Error", "value": said, "meta": {"message": said}, "is_highlight": True}
    return a_test(number, "error", fields=[failure])


def hostile(site: Site) -> tuple[int, int]:
    """Report a run that has a hostile value wherever the API takes one; return its id and that of its test."""
    fields = [{"type": kind, "name": HOSTILE, "value": HOSTILE + LONG} for kind in range(1, 5)]
    files = [{"name": HOSTILE, "url": 'https://evil.test/"><script>alert(1)</script>', "note": "<b>note</b>"}]
    properties: dict[str, Any] = {
        "name": HOSTILE,
        "source": HOSTILE,
        "fields": fields,
        "artifacts": files,
        "links": files,
    }
    run = site.service.new_run(**properties)
    thread = site.service.new_thread(run, fields=fields, artifacts=files)
    steps = f'<test-steps><test-step status="passed">{LONG}</test-step></test-steps>'
    own = [
        {"type": 4, "name": "Failure", "value": HOSTILE + LONG, "meta": {"message": HOSTILE + LONG, "type": HOSTILE}},
        {
            "type": 3,
            "name": HOSTILE,
            "value": "<test-steps><test-step status='passed'><b>x</b></test-step></test-steps>",
        },
        {"type": 3, "name": "Steps", "value": steps},
        {"type": 5, "name": "address", "value": "javascript:alert(1)"},
        {"type": 4, "name": "Attempt 1", "value": HOSTILE, "meta": {"status": HOSTILE, "message": HOSTILE}},
        *fields,
    ]
    test = a_test(0, "failed", fields=own, artifacts=files)
    site.service.append(thread, {**test, "name": HOSTILE, "folder": HOSTILE, "file": "tests/test_a.py", "line": 1})
    site.service.append(thread, a_test(1, "failed", name=LONG, folder=LONG))
    return run, site.result_ids(run)[0]
