"""Put the report of a run in one file together: the plain report, style, script, and the archive of its pages."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import deque
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from markupsafe import Markup

from pytest_automation_report import __version__
from pytest_automation_report.server.pages.assets import asset_path, file_text, script_text, style_sheet, style_text
from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.rendering import new_environment
from pytest_automation_report.server.pages.report.archive import Archive
from pytest_automation_report.server.pages.report.drawings import OWN_ID, packed_strips
from pytest_automation_report.server.pages.report.files import FileRule, ReportedFiles
from pytest_automation_report.server.pages.report.fragments import (
    addresses_in,
    canonical,
    fragment_of,
    relinked,
    without_rows,
)
from pytest_automation_report.server.pages.report.lines import SharedLines
from pytest_automation_report.server.pages.report.lone_pages import LonePages, with_folder
from pytest_automation_report.server.pages.report.plain import PlainTexts, plain_values
from pytest_automation_report.server.pages.report.rows import TestRows, add_holes
from pytest_automation_report.server.pages.report.shown_tests import shown_tests
from pytest_automation_report.server.pages.report.tests import ReportedTests
from pytest_automation_report.server.pages.run.documents import RunDocuments
from pytest_automation_report.server.pages.run_summary import run_summary
from pytest_automation_report.server.pages.sources import SourceReader

if TYPE_CHECKING:
    from pytest_automation_report.server.pages.report.shown_tests import PageSource
    from pytest_automation_report.server.store.reads import Reader

__all__ = ["EVERY_FAILURE", "report_of"]

EVERY_FAILURE: Final = FileRule()
"""The usual rule: artifacts of failures, up to the usual size."""

_SCRIPTS: Final = ("page.js", "keys.js", "archive.js", "rows.js", "tree.js", "report.js")
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
        self._findings = self._documents.findings
        self._store = store
        self._run_id = run_id
        self._base = {} if base_id is None else {"base": str(base_id)}
        self._path = link("run", run_id)
        self._tests = store.read(lambda reader: ReportedTests(reader, run_id, self._findings))
        names = {} if rule.which == "none" else self._tests.artifacts(only_of_failures=rule.which == "failed")
        self._rule = rule
        self._files = store.read(lambda reader: ReportedFiles(reader, names, rule.max_bytes))
        self._environment = new_environment(link, asset_path, "")
        add_holes(self._environment)
        self._lone_pages = store.read(self._read_lone_pages)
        self._ids = {0, *(test.id for test in self._tests.rows)}
        self._view = ""
        self._pages: dict[str, str] = {}
        self._relinked: dict[str, str] = {}

    def _read_lone_pages(self, reader: Reader) -> LonePages:
        record = reader.run(self._run_id, max_threads=0)
        source = SourceReader(reader.database).source_name(record.row["source"])
        run = {**run_summary(record, self._tests.statuses, source), "commit": record.row["commit"] or ""}
        return LonePages(reader, self._tests, run, self._environment)

    def html(self, note: str) -> str:
        """Return the document."""
        first = self._fetch(canonical(link("run", self._run_id, **self._base)))
        view = _VIEW.search(first)
        # Without failures the usual view is the list of tests, which the script makes of the rows.
        self._view = view[1] if view else "failures"
        start = self._named(self._path)
        self._pages[start] = first
        self._collect(start)
        self._collect_results()
        values = self._store.read(lambda reader: plain_values(reader, self._run_id, self._findings))
        plain = self._environment.get_template("report/plain.html").render(values)
        self._plain_texts = PlainTexts(values["failures"], plain)
        return self._document(fragment_of(first).title, plain, self._archive(start), note)

    @property
    def _style(self) -> str:
        return f"{style_sheet()}\n{style_text('report.css')}"

    @property
    def _script(self) -> str:
        return "\n".join(script_text(name) for name in _SCRIPTS)

    def _frame(self, start: str) -> list[str]:
        """Return what stands above and below the pages."""
        header = _HEADER.search(self._pages[start])
        top = relinked(header[0], self._is_inside).replace("<header ", "<header hidden ", 1) if header else ""
        icons = re.sub(r"</?svg[^>]*>", "", file_text("icons.svg"))
        values = {"icons": _own(icons), "top": _own(top)}
        return [self._environment.get_template(f"report/{part}.html").render(values) for part in ("head", "foot")]

    def _collect(self, start: str) -> None:
        """Read the views of the run, and the pages that they lead to inside of a view."""
        queue = deque([*(canonical(link("run", self._run_id, view=view, **self._base)) for view in _VIEWS)])
        lists = {self._list_address("none"), self._list_address("")}
        queue.extend(sorted(lists))
        queue.extend(addresses_in(self._pages[start]))
        while queue and len(self._pages) < _MOST_VIEWS:
            address = self._named(queue.popleft())
            if address in self._pages or not (address in lists or self._is_view(address)):
                continue
            self._pages[address] = self._fetch(address)
            queue.extend(addresses_in(self._pages[address]))

    def _collect_results(self) -> None:
        """Read the pages of the tests that are worth one, with the states of each page."""
        self._pages |= self._store.read(lambda reader: shown_tests(reader, self._tests, self._code_links))

    def _list_address(self, group: str) -> str:
        """Return the address of the flat list of all tests, for the group ``none``, or of their tree."""
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
        split = urlsplit(address)
        query = parse_qs(split.query)
        if split.path != self._path or not set(query) <= _VIEW_PARAMETERS:
            return False
        return query.get("view", [""]) != ["tests"] and query.get("base", [""])[0] == self._base.get("base", "")

    def _is_list(self, address: str) -> bool:
        """Whether an address is a list of tests, which the script makes of the rows."""
        split = urlsplit(address)
        query = parse_qs(split.query)
        return (
            split.path == self._path
            and query.get("view") == ["tests"]
            and query.get("base", [""])[0] == self._base.get("base", "")
        )

    def _is_inside(self, address: str) -> bool:
        result = _RESULT.fullmatch(address)
        if result:
            return int(result[1]) in self._ids
        named = self._named(address)
        if named in self._pages or self._is_list(named):
            return True
        # The script shows the texts of any failure as pytest wrote them.
        return _AS_WRITTEN in named and self._is_inside(_without_show(named))

    def _archive(self, start: str) -> str:
        archive = Archive()
        places: dict[str, tuple[int, int]] = {}
        tests = TestRows(self._tests, self._lone_pages, self._environment)
        views = [address for address in self._pages if urlsplit(address).path == self._path]
        results = [address for address in self._pages if urlsplit(address).path != self._path]
        self._pages.update(self._lone_pages.whole())
        self._pages.update((f"lone {n}", self._lone_pages.with_holes(kind)) for n, kind in enumerate(tests.page_kinds))
        lone = [*self._pages][len(views) + len(results) :]
        # In the order in which a reader needs them: a chunk is unpacked after those before it.
        places |= self._add_pages(archive, views)
        rows = archive.add(tests.fragments())
        for addresses in (results, lone):
            places |= self._add_pages(archive, addresses)
        files = {
            hash_: [archive.add_file(self._store.read(partial(self._files.data, hash_))), self._files.type_of(hash_)]
            for hash_ in self._files.contents
        }
        index = {
            "start": start,
            "run": self._path,
            "usual": {"view": self._view, **self._base},
            "list": self._list_address("none"),
            "tree": self._list_address(""),
            "pages": places,
            "rows": rows,
            "files": files,
            "total": len(self._tests.rows),
            "texts": self._plain_texts.checksum,
        }
        described = json.dumps(index, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
        return archive.text([described, *self._frame(start), self._style, self._script])

    def _add_pages(self, archive: Archive, addresses: list[str]) -> dict[str, tuple[int, int]]:
        """Add pages to the archive; return the chunk of each, and its number in the chunk."""
        places: dict[str, tuple[int, int]] = {}
        lines = SharedLines()
        waiting: dict[str, int] = {}
        for address in addresses:
            waiting[address] = lines.add(self._lines(address))
            if lines.is_full or address == addresses[-1]:
                chunk = archive.add(lines.fragments())
                places |= {page: (chunk, number) for page, number in waiting.items()}
                lines, waiting = SharedLines(), {}
        return places

    def _lines(self, address: str) -> list[str]:
        """Return the lines of a page, with links inside of the file; most lines are those of other pages, too."""
        own = _RESULT.match(address)
        html = self._pages[address]
        fragment = fragment_of(self._plain_texts.replaced(int(own[1]), html) if own else html)
        lines = (without_rows(fragment) if self._is_list(address) else fragment).lines()
        known, hashes = self._relinked, self._files.hashes
        for line in lines:
            if line not in known:
                known[line] = packed_strips(with_folder(relinked(line, self._is_inside, hashes)))
        if own is None:
            return [known[line] for line in lines]
        # A page leads to its own result some times: lines that differ in nothing else are the same line.
        return [known[line].replace(own[0], f"/results/{OWN_ID}") for line in lines]

    def _document(self, title: str, plain: str, archive: str, note: str) -> str:
        style, script = style_text("plain.css"), script_text("loader.js")
        policy = _POLICY.format(styles=_hashes(style, self._style), scripts=_hashes(script, self._script))
        return self._environment.get_template("report/report.html").render(
            policy=_own(policy),
            version=__version__,
            title=title,
            style=_own(style),
            script=_own(script),
            archive=_own(archive),
            note=note,
            left_out=self._files.left_out,
            max_bytes=self._rule.max_bytes,
            plain=_own(plain),
        )


def _without_show(address: str) -> str:
    path, _, query = address.partition("?")
    return canonical(f"{path}?{'&'.join(pair for pair in query.split('&') if pair != _AS_WRITTEN)}")


def _own(text: str) -> Markup:
    """Return a text of ours as HTML: a file of the package, Base64, or HTML of a template. No test wrote it."""
    return Markup(text)  # noqa: S704 - see above  # nosec B704


def _hashes(*texts: str) -> str:
    """Return the sources of a policy that allow these texts."""
    return " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts)
