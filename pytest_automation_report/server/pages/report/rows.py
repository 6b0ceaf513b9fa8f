"""Turn the tests of a run into columns of JSON, from which the report's script fills in the rows of its lists.

The script has no markup of its own: a row is the template ``run/leaf.html``, rendered once for each kind of row that
the run has, with holes such as ``⟦function⟧`` where rows differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from markupsafe import Markup

from pytest_automation_report.server.pages.charts import strip_of
from pytest_automation_report.server.pages.links import link, paging
from pytest_automation_report.server.pages.report.fragments import fragment_of, relinked
from pytest_automation_report.server.pages.run.reasons import says_of
from pytest_automation_report.server.pages.run.tests import file_branches, ordered, path_of
from pytest_automation_report.server.pages.words import duration, rerun_command
from pytest_automation_report.text.names import NameParts, node_id, split_name, title_of
from pytest_automation_report.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.report.tests import ReportedTest, ReportedTests

_STRIP_HOLE: Final = Markup("⟦strip⟧")
_SORTS: Final = ("failed", "slowest", "ran")


class _Kind(NamedTuple):
    """The properties by which the markup of rows differs."""

    rank: int
    status: int
    tone: str
    status_name: str
    has_parameters: bool
    marks: tuple[str, ...]
    slower: str


def rows_of(tests: ReportedTests, environment: Environment, run: Json, files: Sequence[Json]) -> Json:
    """Return the member ``tests`` of the report's JSON; ``files`` are the files of the run's overview."""
    names = [split_name(test.name) for test in tests.rows]
    kinds = [_kind(tests, test, name) for test, name in zip(tests.rows, names, strict=True)]
    kind_list = sorted(set(kinds))
    shown = _Visible()
    file_numbers = {path_of(file): number for number, file in enumerate(files)}
    groups = [(file_numbers[path_of(test._asdict())], *_group(test, shown)) for test in tests.rows]
    group_list = sorted(set(groups))
    numbers = {group: number for number, group in enumerate(group_list)}
    functions = [
        (shown(name.function), shown(_place(test)), numbers[group])
        for test, name, group in zip(tests.rows, names, groups, strict=True)
    ]
    ids = [test.id for test in tests.rows]
    macros: Any = environment.get_template("run/macros.html").module
    drawings: Any = environment.get_template("parts/charts.html").module
    outcomes = {tests.letters(test) for test in tests.rows}
    strips = {letters: str(drawings.strip(strip_of(letters))) for letters in outcomes}
    return {
        "kinds": [_kind_values(kind, environment, run) for kind in kind_list],
        "groups": group_list,
        "columns": {
            "kind": {"values": list(range(len(kind_list))), "at": list(map(kind_list.index, kinds))},
            "function": _column(functions),
            "parameters": _column([shown(name.parameters) for name in names]),
            "time": _times([test.elapsed for test in tests.rows]),
            "strip": _column([strips[tests.letters(test)] for test in tests.rows]),
            "worker": _column([(shown(tests.worker(test)), str(test.thread)) for test in tests.rows]),
            "message": _column([shown(test.message or "") for test in tests.rows]),
            "changes": _column([tests.changes(test) for test in tests.rows]),
            "reason": _column([test.reason for test in tests.rows]),
        },
        # Results of one run mostly follow each other, so most steps are 1.
        "steps": [number - before for before, number in zip([0, *ids], ids, strict=False)],
        "left_out": [number for number, test in enumerate(tests.rows) if test.id in tests.left_out],
        "reasons": {fingerprint: macros.says(says_of(title)) for fingerprint, title in tests.reasons.items()},
        "files": _files(tests, environment, run, files),
    }


def _group(test: ReportedTest, shown: _Visible) -> tuple[str, str, str]:
    """Return the texts that tests of one class have in common: folder, node id and command, with holes for names."""
    node = node_id(test.file, test.folder, test.name) or title_of(test.folder, test.name)
    command = rerun_command(test._asdict(), ()) or ""
    return shown(test.folder), shown(_with_hole(node, test.name)), shown(_with_hole(command, test.name))


def _kind(tests: ReportedTests, test: ReportedTest, name: NameParts) -> _Kind:
    return _Kind(
        tests.ranks.get(test.status, len(tests.ranks)),
        test.status,
        tests.tone(test),
        tests.status_name(test),
        bool(name.parameters),
        tests.marks(test),
        tests.slower(test),
    )


def _kind_values(kind: _Kind, environment: Environment, run: Json) -> Json:
    """Return what the script knows of a kind, with the markup of its rows and of a page of one test."""
    values = {
        "id": "⟦id⟧",
        "href": "/results/⟦id⟧",
        "tone": kind.tone,
        "status_name": kind.status_name,
        "in_function": False,
        "short": NameParts("⟦function⟧", "⟦parameters⟧" if kind.has_parameters else ""),
        "where": "⟦folder⟧",
        "marks": kind.marks,
        "slower": kind.slower,
        "strip": _STRIP_HOLE,
        "worker": "⟦worker⟧",
        "time": "⟦time⟧",
    }
    is_inside = _always
    row = relinked(environment.get_template("run/leaf.html").render(leaf=values), is_inside)
    page = environment.get_template("report/test.html").render(test=values, run=run, is_fragment=True)
    return {
        "status": str(kind.status),
        "tone": kind.tone,
        "rank": kind.rank,
        "row": row.strip(),
        "page": [relinked(part, is_inside) for part in fragment_of(page)],
    }


def _always(address: str) -> bool:
    del address
    return True


def _files(tests: ReportedTests, environment: Environment, run: Json, files: Sequence[Json]) -> Json:
    """Return the rows of the files as HTML, with the orders in which they stand."""
    branches = file_branches(files, tests.statuses)
    rows = [
        {
            "leaf": None,
            "node": branch,
            "bar": branch.parts(tests.statuses),
            "is_open": False,
            "to": {"address": link("run", run["id"], view="tests", open=branch.path), "branch_address": "/"},
            "below": None,
        }
        for branch in branches
    ]
    level = {"rows": rows, "hidden": 0, "pages": paging(1, 0, 1), "opened": ""}
    html = environment.get_template("run/branch.html").render(level=level, state=None)
    numbers = {branch.path: number for number, branch in enumerate(branches)}
    orders = {
        sort: [numbers[branch.path] for branch in ordered(branches, (), sort, tests.statuses)]  # type: ignore[union-attr] # no tests among them
        for sort in _SORTS
    }
    return {"html": relinked(html, _always), "orders": orders}


def _place(test: ReportedTest) -> str:
    """Return where a test stands: file and line."""
    return f"{test.file}:{test.line}" if test.file and test.line is not None else test.file or ""


def _with_hole(text: str, name: str) -> str:
    """Return a text with a hole for the name of the test, so that tests of one place share it."""
    return text.replace(name, "⟦name⟧") if text.count(name) == 1 else text


def _times(microseconds: Sequence[int | None]) -> Json:
    """Return the column of the shown durations, shortest first: a test's place among them is its place by time."""
    shown = [duration(time) for time in microseconds]
    sums: dict[str, list[int]] = {}
    for text, time in zip(shown, microseconds, strict=True):
        sums.setdefault(text, []).append(-1 if time is None else time)
    means = {text: sum(times) / len(times) for text, times in sums.items()}
    return _coded(shown, sorted(means, key=lambda text: (means[text], text)))


class _Visible(dict[str, str]):
    """Texts of users with control characters escaped, as templates write them, by the texts."""

    def __missing__(self, text: str) -> str:
        self[text] = visible(text)
        return self[text]

    __call__ = dict.__getitem__


def _column(values: Sequence[Any]) -> Json:
    """Return a column: its distinct values and the number of each test's value, or the values if most differ."""
    distinct = set(values)
    return {"values": values} if 2 * len(distinct) > len(values) else _coded(values, sorted(distinct))


def _coded(values: Sequence[Any], distinct: Sequence[Any]) -> Json:
    numbers = {value: number for number, value in enumerate(distinct)}
    return {"values": distinct, "at": [numbers[value] for value in values]}
