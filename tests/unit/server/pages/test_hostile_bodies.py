"""What a client wrote may make the pages of its own run ugly: every page and document is there after it."""

import json
import re
from collections.abc import Iterator

import pytest

from support.hostile_bodies import NUMBERS, PATHS, TEXTS, Bodies
from support.service import API, a_test
from support.website import Site, failing, field, links

PARTS = 4
EACH = 6
"""So many values are overdone in one run, each in requests of its own."""

OVERDONE: list[str | int] = [*TEXTS, *NUMBERS]
RUNS, APPEND, COMPLETE, THREADS, TESTS, END = PATHS
ANSWERS = {201, 204, 400, 413, 422}


class Visitor:
    """Reads everything that a run is in, and keeps the addresses that could not be read."""

    def __init__(self, site: Site, run: int) -> None:
        self.site = site
        self.run = run
        document = json.loads(site.service.raw("GET", f"{API}/automation/runs/{run}").text)["result"]
        listed = json.loads(site.service.raw("GET", f"{API}/automation/runs/{run}/tests?per_page=1000").text)["result"]
        self.results = [each["automation_test_id"] for each in listed] or [1]
        self.ids = {"run_id": run, "record_id": run, "project_id": 1, "source_id": document["source_id"]}
        self.ids |= {"base_id": 1, "result_id": self.results[0], "case_id": 1, "theme": "dark", "code": "x"}
        self.failed = list[str]()

    def addresses(self) -> Iterator[str]:
        """Yield each page, each test, and each document of the API."""
        for template, _ in self.site.pages.extension.routes:
            if not template.endswith((".js", ".css", ".svg", ".woff2", ".html")) or "{" in template:
                yield re.sub(r"\{(\w+)[^}]*\}", lambda match: str(self.ids[match[1]]), template)
        yield from (f"/results/{each}" for each in self.results[:20])
        run = f"/automation/runs/{self.run}"
        yield from (f"{API}{run}{end}" for end in ("", "/tests", "/results", "/findings", "/findings?base=change"))
        yield f"{API}/projects/1/automation/runs?verdicts=1&expands=automation_sources"
        source = self.ids["source_id"]
        yield from (f"{API}/automation/sources/{source}{end}" for end in ("", "/flaky"))
        yield from (f"{API}/projects/1/automation/{end}" for end in ("sources", "durations?source=x"))

    def visit(self, address: str) -> set[str]:
        """Read an address, and return the links that it has."""
        is_api = address.startswith("/api/") and not address.endswith("/report")
        answer = self.site.service.raw("GET", address) if is_api else self.site.get(address)
        if answer.status_code >= 500:
            self.failed.append(address)
        is_page = "html" in answer.headers.get("content-type", "") and "report.html" not in address
        return {each.partition("#")[0] for each in links(answer.text)} if is_page else set()

    def read(self, *, is_crawled: bool = False) -> None:
        """Read all addresses, and of the links on these pages one of each kind."""
        found = {each for address in self.addresses() for each in self.visit(address)}
        kinds = dict[tuple[str, ...], str]()
        for address in sorted(found):
            path, _, query = address.partition("?")
            parameters = (
                re.sub("=.*", "", each) if not each.startswith("view=") else each for each in query.split("&")
            )
            if path.startswith("/") and not path.startswith(("/theme", "/artifacts", "/trace")):
                kinds.setdefault((re.sub(r"[0-9]+", "1", path), *sorted(parameters)), address)
        for address in kinds.values() if is_crawled else ():
            self.visit(address)


def send(site: Site, path: str, number: int, body: object) -> int:
    """Send a body, and return the id of what was created; it is taken or refused, and no failure of the server."""
    answer = site.service.raw("POST", API + path.format(number), json.dumps(body).encode())
    assert answer.status_code in ANSWERS, (path, answer.text, body)
    return int(answer.json["id"]) if answer.status_code == 201 else 0


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_is_there_after_any_body(site: Site, part: int) -> None:
    """Whatever stands in whatever member of a body, no page fails, neither of its own run nor any other."""
    failed = list[tuple[list[str | int], list[str]]]()
    bodies = Bodies(part)
    for first in range(part * EACH, len(OVERDONE), PARTS * EACH):
        values = OVERDONE[first : first + EACH]
        bodies.overdone = values[0]
        of_run = {name: value for name, value in bodies.of(RUNS).items() if not name.endswith("_id")}
        run = send(site, RUNS, 1, of_run)
        for value in values:
            bodies.overdone = value
            send(site, APPEND, run, bodies.of(APPEND))
            thread = send(site, THREADS, run, bodies.of(THREADS)) or site.service.new_thread(run)
            send(site, TESTS, thread, bodies.of(TESTS))
            send(site, END, thread, bodies.of(END))
        visitor = Visitor(site, run)
        visitor.read()
        send(site, COMPLETE, run, bodies.of(COMPLETE))
        visitor.read(is_crawled=first < PARTS * EACH)
        if visitor.failed:
            failed.append((values, visitor.failed))
    assert failed == []


@pytest.mark.postgresql
def test_a_value_of_a_wrong_type_is_refused_or_left_out(site: Site) -> None:
    """What no member takes is answered with 4xx, or left out if it is an extension; all pages are there after it."""
    bodies = Bodies(0)
    run = site.service.new_run()
    thread = site.service.new_thread(run)
    for _ in range(12):
        for path in (RUNS, APPEND, THREADS, TESTS):
            number = {RUNS: 1, TESTS: thread}.get(path, run)
            send(site, path, number, bodies.spoilt(path))
    visitor = Visitor(site, run)
    visitor.read()
    assert visitor.failed == []


@pytest.mark.parametrize("digits", ["9" * 309, "9" * 4_400])
def test_a_number_of_hundreds_of_digits_breaks_no_page(site: Site, digits: str) -> None:
    """What says that many tests were collected or not run, or had attempts, is no number; each page is there."""
    other = site.run_of(a_test())
    tried = {**field("Attempts", digits), "meta": {"counts": "attempts"}}
    run = site.run_of(failing(fields=[tried]), is_open=True)
    for name in ("collected", "not_run", "deselected"):
        body = b'{"session": {"%b": %b}}' % (name.encode(), digits.encode())
        site.service.raw("POST", f"/api/v1/automation/runs/{run}/append", body)
    site.service.complete(run)
    for address in ("/", "/projects/1", "/sources/1", *(f"/runs/{each}" for each in (run, other))):
        assert site.get(address).status_code == 200, address
