"""Put the report of a run in one file together: the plain report, and the server's pages with their style and script.

What the script needs is one JSON, deflated: ``pages`` have title, path and content as HTML by address, ``tests`` the
columns of `report.rows`. The artifacts stand beside it, each deflated.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64encode
from collections import deque
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from markupsafe import Markup

from pytest_automation_report import __version__
from pytest_automation_report.server.pages.assets import asset_path, file_text, script_text, style_sheet, style_text
from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.queries import ask
from pytest_automation_report.server.pages.rendering import new_environment
from pytest_automation_report.server.pages.report.files import FileRule, ReportedFiles
from pytest_automation_report.server.pages.report.fragments import addresses_in, canonical, fragment_of, relinked
from pytest_automation_report.server.pages.report.plain import plain_values
from pytest_automation_report.server.pages.report.rows import rows_of
from pytest_automation_report.server.pages.report.shown_tests import shown_tests, tests_with_output
from pytest_automation_report.server.pages.report.tests import ReportedTests
from pytest_automation_report.server.pages.run.page import RunDocuments
from pytest_automation_report.server.pages.statuses import run_summary

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.report.shown_tests import PageSource

EVERY_FAILURE: Final = FileRule()
"""The usual rule: artifacts of failures, up to the usual size."""

_SCRIPTS: Final = ("page.js", "keys.js", "find.js", "report_page.js", "rows.js", "report.js")
_STRICT: Final = '"use strict";\n'
_VIEW: Final = re.compile(r'<section class="view ([a-z]+)')
_HEADER: Final = re.compile(r'<header class="top">.*?</header>', re.DOTALL)
# Each combination of these is a page in the file. Filters of the list of tests are the script's.
_VIEW_PARAMETERS: Final = frozenset({"view", "group", "page", "change", "base"})
_MOST_VIEWS: Final = 60
_RESULT: Final = re.compile(r"/results/([0-9]+)")
_AS_WRITTEN: Final = "show=pytest"
_VIEWS: Final = ("failures", "changes", "time", "details")
_POLICY: Final = (
    "default-src 'none'; style-src {styles}; script-src {scripts}; img-src data: blob:; media-src blob:; "
    "form-action 'none'; base-uri 'none'"
)


def report_of(
    source: PageSource,
    run_id: int,
    base_id: int | None = None,
    rule: FileRule = EVERY_FAILURE,
    *,
    note: str = "",
) -> str:
    """Return the report of a run.

    ``note`` is a sentence that stands above the report. Raises `ApiError` for an unknown run (404), and for a base of
    another source (422).
    """
    return _Report(source, run_id, base_id, rule).html(note)


class _Report:
    """One report while it is put together."""

    def __init__(self, source: PageSource, run_id: int, base_id: int | None, rule: FileRule) -> None:
        store, self._fetch, self._code_links = source
        self._documents = RunDocuments(store).of(run_id, base_id)
        self._store = store
        self._run_id = run_id
        self._base = {} if base_id is None else {"base": str(base_id)}
        self._path = link("run", run_id)
        self._tests = ask(store, lambda reader: ReportedTests(reader, run_id, self._documents.findings))
        names = {} if rule.which == "none" else self._tests.artifacts(only_of_failures=rule.which == "failed")
        self._rule = rule
        self._files = ask(store, lambda reader: ReportedFiles(reader, names, rule.max_bytes))
        self._environment = new_environment(link, asset_path, "")
        self._results = {test.id for test in self._tests.rows}
        self._view = ""
        self._pages: dict[str, str] = {}
        # Many pages link to the same places. It is asked only once the file has all its pages.
        self._knows = cache(self._is_inside)

    def html(self, note: str) -> str:
        """Return the document."""
        first = self._fetch(canonical(link("run", self._run_id, **self._base)))
        view = _VIEW.search(first)
        # Without failures the usual view is the list of tests.
        self._view = view[1] if view else "failures"
        start = self._named(self._path)
        self._pages[start] = first
        self._collect(start)
        run = ask(self._store, self._run)
        self._pages |= ask(self._store, lambda reader: shown_tests(reader, self._tests, self._code_links))
        self._pages |= ask(self._store, lambda reader: tests_with_output(reader, self._tests, run))
        style, script = self._style, _STRICT + "\n".join(script_text(name) for name in _SCRIPTS)
        data = {
            **self._frame(start),
            "style": style,
            "script": script,
            "start": start,
            "run": self._path,
            "usual": {"view": self._view, **self._base},
            "list": self._list_address("none"),
            "tree": self._list_address(""),
            "tests": rows_of(self._tests, self._environment, run, self._documents.overview["files"]),
            "pages": {address: self._page(html) for address, html in self._pages.items()},
        }
        values = ask(self._store, lambda reader: plain_values(reader, self._run_id, self._documents.findings))
        plain_style, loader = style_text("plain.css"), _STRICT + script_text("loader.js")
        return self._environment.get_template("report/report.html").render(
            values,
            policy=_own(_POLICY.format(styles=_hashes(plain_style, style), scripts=_hashes(loader, script))),
            version=__version__,
            title=fragment_of(first).title,
            style=_own(plain_style),
            script=_own(loader),
            data=_deflated(json.dumps(data, separators=(",", ":"), sort_keys=True).encode()),
            artifacts=[(hash_, self._files.type_of(hash_), self._file(hash_)) for hash_ in self._files.contents],
            note=note,
            left_out=self._files.left_out,
            max_bytes=self._rule.max_bytes,
        )

    def _run(self, reader: PageReader) -> Json:
        """Return the values of the run for the pages of its tests."""
        record = reader.run(self._run_id, max_threads=0)
        source = reader.source_name(record.row["source"])
        summary = run_summary(record, self._tests.statuses, source, self._documents.findings)
        return {**summary, "commit": record.row["commit"] or ""}

    @property
    def _style(self) -> str:
        return f"{style_sheet()}@layer report{{{style_text('report.css')}}}"

    def _frame(self, start: str) -> dict[str, str]:
        """Return what stands above and below the pages."""
        header = _HEADER.search(self._pages[start])
        # The script of the report searches.
        top = relinked(header[0], self._is_inside).replace(" data-find", "") if header else ""
        icons = re.sub(r"</?svg[^>]*>", "", file_text("icons.svg"))
        values = {"icons": _own(icons), "top": _own(top.replace("<header ", "<header hidden ", 1))}
        return {part: self._environment.get_template(f"report/{part}.html").render(values) for part in ("head", "foot")}

    def _collect(self, start: str) -> None:
        """Read the views of the run, and the pages that they lead to inside of a view."""
        queue = deque(canonical(link("run", self._run_id, view=view, **self._base)) for view in _VIEWS)
        lists = {self._list_address("none"), self._list_address("")}
        queue.extend(sorted(lists))
        queue.extend(addresses_in(self._pages[start]))
        while queue and len(self._pages) < _MOST_VIEWS:
            address = self._named(queue.popleft())
            if address in self._pages or not (address in lists or self._is_view(address)):
                continue
            self._pages[address] = self._fetch(address)
            queue.extend(addresses_in(self._pages[address]))

    def _list_address(self, group: str) -> str:
        """Return the address of the flat list of all tests, for the group ``none``, or of their files."""
        return canonical(link("run", self._run_id, view="tests", group=group, **self._base))

    def _named(self, address: str) -> str:
        """Return an address of the run with its view and its base, which the usual address leaves out."""
        split = urlsplit(address)
        query = dict(parse_qsl(split.query))
        if split.path != self._path:
            return address
        return canonical(f"{split.path}?{urlencode({'view': self._view, **self._base, **query})}")

    def _is_view(self, address: str) -> bool:
        """Whether an address is a page of the run that the file has as it is."""
        names = set(parse_qs(urlsplit(address).query))
        return self._view_of(address) not in {None, "tests"} and names <= _VIEW_PARAMETERS

    def _view_of(self, address: str) -> str | None:
        """Return the view that an address names; None for another page, or another base."""
        split = urlsplit(address)
        query = parse_qs(split.query)
        if split.path != self._path or query.get("base", [""])[0] != self._base.get("base", ""):
            return None
        return query.get("view", [""])[0]

    def _is_inside(self, address: str) -> bool:
        result = _RESULT.fullmatch(address)
        if result:
            return int(result[1]) in self._results
        named = self._named(address)
        if named in self._pages or self._view_of(named) == "tests":
            return True
        # The script shows the texts of any failure as pytest wrote them.
        return _AS_WRITTEN in named and self._is_inside(_without_show(named))

    def _page(self, html: str) -> list[str]:
        return [relinked(part, self._knows, self._files.hashes) for part in fragment_of(html)]

    def _file(self, content_hash: str) -> str:
        return _deflated(ask(self._store, lambda reader: self._files.data(reader, content_hash)))


def _without_show(address: str) -> str:
    path, _, query = address.partition("?")
    return canonical(f"{path}?{'&'.join(pair for pair in query.split('&') if pair != _AS_WRITTEN)}")


def _deflated(data: bytes) -> str:
    """Return the Base64 of deflated data, with the checksum by which a browser sees damage."""
    return b64encode(zlib.compress(data, 9)).decode("ascii")


def _own(text: str) -> Markup:
    """Return a text of ours as HTML: a file of the package, or HTML of a template. No test wrote it."""
    return Markup(text)  # noqa: S704 - see above  # nosec B704


def _hashes(*texts: str) -> str:
    """Return the sources of a policy that allow these texts."""
    return " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts)
