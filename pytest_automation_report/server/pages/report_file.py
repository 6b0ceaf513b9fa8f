"""Put the report of a run in one file together: the plain report, and the server's pages with their style and script.

What the script needs is one JSON, deflated: ``pages`` have title, path and content as HTML by address, ``tests`` the
columns of `report_tests`. The plain report needs neither script nor style, as mail programs and Jenkins show it.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64encode
from collections import deque
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report import __version__
from pytest_automation_report.findings.sentences import split_reasons
from pytest_automation_report.server.api.documents import Query, in_range, one_of
from pytest_automation_report.server.pages import rendering, report_tests
from pytest_automation_report.server.pages.queries import PageReader, ask
from pytest_automation_report.server.pages.run.page import Documents, RunDocuments, RunPageContext, RunView, facts_in
from pytest_automation_report.server.pages.test.handlers import NO_LINKS, CodeLinks
from pytest_automation_report.server.pages.urls import RunState, link, read_parameters, run_state
from pytest_automation_report.server.pages.words import counts_of, parts_of
from pytest_automation_report.server.store import contents
from pytest_automation_report.server.store.stored import causes_in
from pytest_automation_report.server.store.values import hexadecimal, json_text
from pytest_automation_report.text.node_ids import join_place, join_title, rerun_command
from pytest_automation_report.text.visible import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import falcon

    from pytest_automation_report.findings.documents import FailureReason, FlakyResult, Mine, RunFindings
    from pytest_automation_report.server.pages.run.facts import ShownRun
    from pytest_automation_report.server.pages.words import Part
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import StoredResult, StoredRun

_FAILURES_SHOWN: Final = 100
_ALL_CHARACTERS: Final = 48_000
_TEXT_CHARACTERS: Final = 3_000
_KNOWN_REASON_CHARACTERS: Final = 300


class PlainReason(Struct, frozen=True):
    """A reason in the plain report, with the command that runs its tests."""

    reason: FailureReason
    command: str


class PlainFailure(Struct, frozen=True):
    """A failure in the plain report: ``left_out`` are characters of its text."""

    title: str
    place: str
    message: str
    kind: Mine | None
    text: str
    left_out: int


class PlainReport(Struct, frozen=True):
    """The report without script and style, which mail programs and Jenkins show; the script replaces it."""

    run: StoredRun
    source: str
    statuses: Sequence[Part]
    findings: RunFindings
    reasons: Sequence[PlainReason]
    failures: Sequence[PlainFailure]
    failures_left: int
    flaky: Sequence[FlakyResult]


class ReportContext(rendering.Context, frozen=True, kw_only=True):
    """The report in one file: the plain one, and the data of the script; ``left_out`` are names and sizes of files."""

    template: ClassVar[str] = "report/report.html"
    plain: PlainReport
    policy: Markup
    version: str
    title: str
    style: Markup
    script: Markup
    data: str
    artifacts: Sequence[EmbeddedFile]
    note: str
    left_out: Sequence[tuple[str, int]]
    max_bytes: int


def plain_report(facts: ShownRun, findings: RunFindings) -> PlainReport:
    """Return the plain report of a run."""
    row = facts.row
    parts = parts_of(counts_of(row))
    reasons = findings["reasons"]
    split = split_reasons(findings)
    order = {reason["fingerprint"]: -place for place, reason in enumerate(reversed(reasons))}
    # Unlike the reasons of findings, the list is the run's own: also failures without a text are in it.
    failures = facts.reader.whole_failures(row.id, _FAILURES_SHOWN)
    failures.sort(key=lambda failure: order.get(hexadecimal(failure.fingerprint or 0), 1))
    tests = findings["tests"]
    kinds: dict[int | None, Mine | None] = {
        entry["result"]: entry["kind"] for entry in (*tests["newly_failing"], *tests["still_failing"])
    }
    return PlainReport(
        run=row,
        source=facts.source,
        statuses=sorted(parts, key=lambda part: (-part.count, part.name)),
        findings=findings,
        reasons=[
            # The command would rerun failures of other kinds, too.
            PlainReason(reason, "" if reason["fingerprint"] in split else rerun_command(row.id, reason["fingerprint"]))
            for reason in reasons
        ],
        failures=_failures(failures, kinds),
        failures_left=max(0, row.failure_count - _FAILURES_SHOWN),
        flaky=[test for test in findings["flaky"] if test["state"] == "flaky"],
    )


def _failures(rows: Sequence[StoredResult], kinds: Mapping[int | None, Mine | None]) -> list[PlainFailure]:
    """Return failures; the first one of each reason has a longer text, since the others are alike."""
    texts = []
    for row in rows:
        values = [cause.text for cause in causes_in(row.causes) if cause.kind != "xpass"]
        texts.append("\n\n".join(map(plain, values)))
    firsts = {row.fingerprint: row.id for row in reversed(rows)}
    is_first = [firsts[row.fingerprint] == row.id for row in rows]
    longest = _longest([len(text) for text, first in zip(texts, is_first, strict=True) if first])
    failures = []
    for row, text, first in zip(rows, texts, is_first, strict=True):
        characters = longest if first else min(longest, _KNOWN_REASON_CHARACTERS)
        # The end of a long text has the error; a line that is cut would be hard to read.
        shown = text if len(text) <= characters else text[-characters:].partition("\n")[2] or text[-characters:]
        failure = PlainFailure(
            join_title(row.folder, row.name),
            join_place(row.file, row.line),
            row.message or "",
            kinds.get(row.id),
            shown,
            len(text) - len(shown),
        )
        failures.append(failure)
    return failures


def _longest(lengths: Sequence[int]) -> int:
    """Return how many characters of each text are shown, so that all of them together are not too many."""
    left = _ALL_CHARACTERS
    for place, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - place)
        if length > share:
            return min(share, _TEXT_CHARACTERS)
        left -= length
    return _TEXT_CHARACTERS


EVERY_FAILURE: Final = contents.FileRule()  # the usual rule: artifacts of failures, up to the usual size
_SCRIPTS: Final = ("page.js", "find.js", "report.js")
_STRICT: Final = '"use strict";\n'
_LEAF: Final = re.compile(r'<a class="leaf".*?</a>', re.DOTALL)
# Each combination of these is a page in the file. Filters of the list of tests are the script's.
_VIEW_PARAMETERS: Final = frozenset({"view", "group", "page", "change", "base"})
_MOST_VIEWS: Final = 60
_RESULT: Final = re.compile(r"/results/([0-9]+)")
_VIEWS: Final = ("failures", "changes", "time", "details")
_POLICY: Final = (
    "default-src 'none'; style-src {styles}; script-src {scripts}; img-src data: blob:; media-src blob:; "
    "form-action 'none'; base-uri 'none'"
)


def _fitting(
    reader: PageReader, run_id: int, names: Mapping[str, str], free: int
) -> tuple[dict[str, contents.StoredContent], list[tuple[str, int]]]:
    """Return the contents that fit into a report by their hash, and the names and sizes of the others."""
    fitting: dict[str, contents.StoredContent] = {}
    left_out: list[tuple[str, int]] = []
    stored = contents.stored_contents(reader.connection, names, run_id)
    # Small ones go first, so that most of them fit.
    for content in sorted(stored.values(), key=lambda content: (content.size, content.hash)):
        if content.size <= free:
            fitting[content.hash] = content
            free -= content.size
        else:
            left_out.append((names[content.hash], content.size))
    return fitting, sorted(left_out, key=lambda entry: (-entry[1], entry[0]))


class EmbeddedFile(NamedTuple):
    """A stored file in the report; all but pictures and videos are downloads."""

    hash: str
    type: str
    data: str


def _embedded(reader: PageReader, content: contents.StoredContent) -> EmbeddedFile:
    is_shown = content.media_type.startswith(("image/", "video/"))
    positions = range(-(-content.size // contents.PART_BYTES))
    data = b"".join(contents.part_of(reader.connection, content.hash, position) for position in positions)
    return EmbeddedFile(content.hash, content.mime_type if is_shown else contents.DOWNLOAD, _deflated(data))


def report_of(
    store: Store,
    run_id: int,
    base_id: int | None = None,
    rule: contents.FileRule = EVERY_FAILURE,
    *,
    code_links: CodeLinks = NO_LINKS,
    note: str = "",
) -> str:
    """Return the report of a run, with the sentence ``note`` above it; raises `ApiError` as `findings` does."""
    documents = RunDocuments(store).of(run_id, base_id)
    return ask(store, lambda reader: _Report(reader, run_id, base_id, rule, documents, code_links).html(note))


class _Report:
    def __init__(
        self,
        reader: PageReader,
        run_id: int,
        base_id: int | None,
        rule: contents.FileRule,
        documents: Documents,
        code_links: CodeLinks,
    ) -> None:
        self._reader = reader
        self._code_links = code_links
        self._findings = documents.findings
        self._facts = facts_in(reader, run_id, documents)
        self._run_id = run_id
        self._base = {} if base_id is None else {"base": str(base_id)}
        self._path = link("run", run_id)
        self._tests = report_tests.ReportedTests(self._facts, documents.findings)
        names = {} if rule.which == "none" else self._tests.artifacts(only_of_failures=rule.which == "failed")
        self._rule = rule
        self._files, self._left_out = _fitting(reader, run_id, names, rule.max_bytes)
        self._results = {row.id for row in self._tests.rows}
        # Without failures the usual view is the list of tests.
        self._view = RunView(self._facts, RunState(run_id=run_id)).view
        self._pages: report_tests.Fragments = {}
        # The flat list of all tests, and the tree of their files.
        self._list, self._tree = (
            report_tests.canonical(link("run", run_id, view="tests", group=group, **self._base))
            for group in ("none", "")
        )
        # Many pages link to the same places. It is asked only once the file has all its pages.
        self._knows = cache(self._is_inside)

    def html(self, note: str) -> str:
        start = self._named(self._path)
        first = self._fetch(start)
        self._pages[start] = first
        self._collect(first)
        self._pages |= report_tests.shown_tests(self._tests, self._code_links)
        self._pages |= report_tests.tests_with_output(self._tests)
        style = f"{rendering.style_sheet()}@layer report{{{rendering.style_text('report.css')}}}"
        script = _STRICT + "\n".join(rendering.script_text(name) for name in _SCRIPTS)
        data = {
            **self._frame(start),
            "style": style,
            "script": script,
            "start": start,
            "run": self._path,
            "usual": {"view": self._view, **self._base},
            "list": self._list,
            "tree": self._tree,
            "tests": report_tests.rows_of(self._tests, self._findings),
            "pages": {
                address: [report_tests.relinked(part, self._knows, self._files) for part in page]
                for address, page in self._pages.items()
                if page
            },
        }
        plain_style, loader = rendering.style_text("plain.css"), _STRICT + rendering.script_text("loader.js")
        context = ReportContext(
            plain=plain_report(self._facts, self._findings),
            policy=_own(_POLICY.format(styles=_hashes(plain_style, style), scripts=_hashes(loader, script))),
            version=__version__,
            title=first.title,
            style=_own(plain_style),
            script=_own(loader),
            data=_deflated(json.dumps(data, separators=(",", ":"), sort_keys=True).encode()),
            artifacts=[_embedded(self._reader, content) for content in self._files.values()],
            note=note,
            left_out=self._left_out,
            max_bytes=self._rule.max_bytes,
        )
        return rendering.render(context)

    def _context(self, address: str) -> RunPageContext:
        state = run_state(self._run_id, dict(parse_qsl(urlsplit(address).query)))
        context = RunView(self._facts, state).context()
        return replace(context, is_report=True)

    def _fetch(self, address: str) -> rendering.Fragment:
        return rendering.render_fragment(self._context(address))

    def _frame(self, start: str) -> dict[str, str]:
        """Return what the script puts above and below the pages: it shows the top once it has a page to show."""
        head, foot = rendering.render_frame(self._context(start))
        # The script of the report searches.
        top = report_tests.relinked(head, self._is_inside).replace(" data-find", "")
        top = re.sub('<header|<a class="skip-to"', r"\g<0> hidden", top)
        icons = rendering.file_text("icons.svg").replace("<svg", '<svg width="0" height="0" aria-hidden="true"', 1)
        return {"head": icons + top, "foot": foot}

    def _collect(self, first: rendering.Fragment) -> None:
        queue = deque(report_tests.canonical(link("run", self._run_id, view=view, **self._base)) for view in _VIEWS)
        lists = (self._tree, self._list)
        queue.extend([*lists, *report_tests.addresses_in(first)])
        while queue and len(self._pages) < _MOST_VIEWS:
            address = self._named(queue.popleft())
            has_own_page = set(parse_qs(urlsplit(address).query)) <= _VIEW_PARAMETERS
            is_view = has_own_page and self._view_of(address) not in {None, "tests"}
            if address in self._pages or not (address in lists or is_view):
                continue
            page = self._fetch(address)
            # The script fills a list with rows.
            self._pages[address] = page._replace(content=_LEAF.sub("", page.content)) if address in lists else page
            queue.extend(report_tests.addresses_in(page))

    def _named(self, address: str) -> str:
        split = urlsplit(address)
        query = dict(parse_qsl(split.query))
        if split.path != self._path:
            return address
        return report_tests.canonical(f"{split.path}?{urlencode({'view': self._view, **self._base, **query})}")

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
        path, _, query = named.partition("?")
        pairs = parse_qsl(query)
        others = [pair for pair in pairs if pair != ("show", "pytest")]
        return pairs != others and self._is_inside(report_tests.canonical(f"{path}?{urlencode(others)}"))


def _deflated(data: bytes) -> str:
    """Return the Base64 of deflated data, with the checksum by which a browser sees damage."""
    return b64encode(zlib.compress(data, 9)).decode("ascii")


def _own(text: str) -> Markup:
    """Return a text of ours as HTML: a file of the package, or HTML of a template. No test wrote it."""
    return Markup(text)  # noqa: S704 - see above  # nosec B704


def _hashes(*texts: str) -> str:
    """Return the sources of a policy that allow these texts."""
    return " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts)


# Largest size of artifacts in a report over HTTP: clients read no response of more than 16 MiB.
MAX_BYTES: Final = 8_000_000
_WISHES: Final[Query] = {
    "base": in_range(range(1, 10**15)),
    "artifacts": one_of(("none", "failed", "all"), "failed"),
    "artifacts_size": in_range(range(MAX_BYTES + 1), contents.DEFAULT_BYTES),
}


def _asked(store: Store, code_links: CodeLinks, req: falcon.Request, run_id: int) -> str:
    wished = read_parameters(_WISHES, req.params)
    rule = contents.FileRule(wished["artifacts"], wished["artifacts_size"])
    return report_of(store, run_id, wished["base"], rule, code_links=code_links)


def send_report(store: Store, code_links: CodeLinks, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
    """Send the report of a run as a file that a browser saves."""
    rendering.set_html(resp, _asked(store, code_links, req, run_id))
    resp.set_header("Content-Disposition", f'attachment; filename="run-{run_id}.html"')


def send_document(
    store: Store, code_links: CodeLinks, req: falcon.Request, resp: falcon.Response, record_id: int
) -> None:
    """Answer with the report in the member ``html`` of a document of the API, for the console command."""
    resp.data = json_text({"result": {"html": _asked(store, code_links, req, record_id)}}).encode()
