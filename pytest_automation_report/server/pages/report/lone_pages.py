"""Make the pages of tests that passed or were skipped: from the template of a test's page, without other tests.

Tests that have fields, steps or output get a whole page, up to a limit. A page with holes stands for all others, one
for each kind of them; the script fills it with the values of the test's row.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_automation_report.server.pages.attachments import with_defaults
from pytest_automation_report.server.pages.test.code_links import NO_LINKS
from pytest_automation_report.server.pages.test.handlers import lone_values
from pytest_automation_report.server.pages.test.url import TestState
from pytest_automation_report.server.pages.texts import rerun_command
from pytest_automation_report.server.store.tables import ResultRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jinja2 import Environment

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.report.tests import ReportedTest, ReportedTests
    from pytest_automation_report.server.store.reads import Reader

__all__ = ["MOST_LONE_PAGES", "LonePages", "PageKind", "with_folder"]

MOST_LONE_PAGES: Final = 1_000
"""Most tests beside failures and flaky ones of which the file has fields, steps and output."""

_FIELDS_AT_ONCE: Final = 500
_TIME: Final = re.compile(r"<span><time [^>]*>[^<]*</time></span>\n?")
_NOTHING: Final = "This test has no message and no output."
_LEFT_OUT: Final = f"Fields and output of this test are not in this file, which has those of {MOST_LONE_PAGES:,} tests."
_FOLDER_IN_URL: Final = "%E2%9F%A6folder%E2%9F%A7"


class PageKind(NamedTuple):
    """The properties by which the markup of pages with holes differs."""

    status: int
    has_parameters: bool
    has_file: bool
    has_line: bool
    has_folder: bool
    has_command: bool
    is_left_out: bool


class LonePages:
    """The pages of a run's tests that do not have the server's page."""

    def __init__(self, reader: Reader, tests: ReportedTests, run: Json, environment: Environment) -> None:
        self._tests = tests
        self._run = run
        self._template = environment.get_template("test/test.html")
        shown = set(tests.shown)
        wanted = [test for test in tests.rows if test.has_more and test.id not in shown]
        # What did not pass first: skipped tests have a reason.
        wanted.sort(key=lambda test: (tests.ranks.get(test.status, 0), test.id))
        self._whole = {test.id for test in wanted[:MOST_LONE_PAGES]}
        self._left_out = {test.id for test in wanted[MOST_LONE_PAGES:]}
        self._rows = list(_rows(reader, sorted(self._whole)))
        self._commands: dict[tuple[str | None, str], bool] = {}

    def whole(self) -> Iterator[tuple[str, str]]:
        """Yield address and HTML of each page of a test that has fields, steps or output."""
        by_id = {test.id: test for test in self._tests.rows if test.id in self._whole}
        for row in self._rows:
            fields = [with_defaults(field) for field in json.loads(row["fields"] or "[]")]
            values = self._values(row, fields, TestState(), self._tests.worker(by_id[row["id"]]))
            address = f"/results/{row['id']}"
            yield address, self._html(values)
            for output in values["outputs"][1:]:
                state = TestState(stream=output.stream)
                yield f"{address}?out={output.stream}", self._html(self._values(row, fields, state, values["worker"]))

    def kind(self, test: ReportedTest, *, has_parameters: bool) -> PageKind:
        """Return the kind of the page with holes that stands for a test."""
        place = test.file, test.folder
        if place not in self._commands:
            row = {"file": test.file, "folder": test.folder, "name": test.name}
            self._commands[place] = rerun_command(row, ()) is not None
        return PageKind(
            test.status,
            has_parameters,
            bool(test.file),
            bool(test.line),
            bool(test.folder),
            self._commands[place],
            test.id in self._left_out,
        )

    def with_holes(self, kind: PageKind) -> str:
        """Return the HTML of the page that stands for all tests of a kind."""
        # All other columns are empty.
        row: Json = defaultdict(lambda: None, id=0, case=0, run=self._run["id"], thread=0, created=0)
        row["status"] = kind.status
        row["name"] = "⟦name⟧"
        row["folder"] = "⟦folder⟧" if kind.has_folder else ""
        row["file"] = "⟦file⟧" if kind.has_file else None
        row["line"] = "⟦line⟧" if kind.has_line else None
        values = {
            **self._values(row, (), TestState(), "⟦worker⟧"),
            "function": ("⟦function⟧", "[⟦parameters⟧]" if kind.has_parameters else ""),
            "command": "⟦command⟧" if kind.has_command else None,
        }
        row["elapsed"] = "⟦elapsed⟧"
        html = _TIME.sub("<span>⟦strip⟧</span>\n", self._html(values), count=1)
        if kind.is_left_out:
            html = html.replace(_NOTHING, _LEFT_OUT)
        return html.replace('"/results/0"', '"/results/⟦id⟧"').replace('#t-0"', '#t-⟦id⟧"')

    def _values(self, row: Json, fields: Sequence[Json], state: TestState, worker: str) -> dict[str, Any]:
        values = lone_values(row, self._tests.statuses, fields, state)
        return {**values, "run": self._run, "worker": worker or "timeline", "code_links": NO_LINKS, "is_fragment": True}

    def _html(self, values: dict[str, Any]) -> str:
        return self._template.render(values)


def with_folder(line: str) -> str:
    """Return a line of a page whose address has the hole for a folder, as the script fills it."""
    return line.replace(_FOLDER_IN_URL, "⟦folderInUrl⟧")


def _rows(reader: Reader, ids: Sequence[int]) -> Iterable[Json]:
    """Yield the whole rows of these results."""
    for start in range(0, len(ids), _FIELDS_AT_ONCE):
        query: Any = ResultRow.select().where(ResultRow.id.in_(ids[start : start + _FIELDS_AT_ONCE]))
        yield from query.order_by(ResultRow.id).dicts().execute(reader.database)
