"""Turn the tests of a run into columns, from which the report's script makes the rows of lists and of the tree.

The markup of a row is that of the template ``run/leaf.html``, which is rendered once for each kind of row that the run
has. Holes such as ``⟦function⟧`` stand where rows differ; the script fills them with escaped texts.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_automation_report.server.pages.charts import slices
from pytest_automation_report.server.pages.numbers import duration, quantity
from pytest_automation_report.server.pages.paging import paging
from pytest_automation_report.server.pages.report.columns import coded, column, joined
from pytest_automation_report.server.pages.report.drawings import shown_letters
from pytest_automation_report.server.pages.report.fragments import relinked
from pytest_automation_report.server.pages.run.names import TestName, class_path, test_name
from pytest_automation_report.server.pages.run.reasons import says_of
from pytest_automation_report.server.pages.run.tree import TONE_RANKS
from pytest_automation_report.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jinja2 import Environment

    from pytest_automation_report.server.pages.report.lone_pages import LonePages
    from pytest_automation_report.server.pages.report.tests import ReportedTest, ReportedTests

__all__ = ["TestRows", "add_holes"]

_NO_STRIP: Final = "<span></span>"
_FUNCTION, _PARAMETERS, _FOLDER, _WORKER, _ELAPSED, _STRIP = (
    f"⟦{name}⟧" for name in ("function", "parameters", "folder", "worker", "elapsed", "strip")
)
# A bar of one part, of which the script makes all parts.
_HOLE_BAR: Final = ({"count": "⟦parts⟧", "name": "", "tone": ""},)
_PART: Final = ("⟦tone⟧", "⟦start⟧", "⟦width⟧")
_HOLE_NODE: Final = {
    "label": "⟦label⟧",
    "files": "⟦files⟧",
    "total": "⟦total⟧",
    "elapsed": _ELAPSED,
    "cells": None,
}
_BAR_PART: Final = re.compile(r'<rect class="⟦tone⟧"[^>]*>')


def add_holes(environment: Environment) -> None:
    """Let the filters of templates write holes where they expect numbers."""
    environment.filters["duration"] = lambda value: value if isinstance(value, str) else duration(value)
    environment.filters["quantity"] = lambda value, noun="": value if isinstance(value, str) else quantity(value, noun)
    environment.filters["slices"] = lambda parts: [_PART] if parts == _HOLE_BAR else slices(parts)


class _Kind(NamedTuple):
    """The properties by which the markup of rows differs."""

    rank: int
    status: int
    tone: str
    has_parameters: bool
    is_new: bool
    slower: str


class TestRows:
    """The columns of one report's tests."""

    __test__ = False  # pytest must not collect it

    def __init__(self, tests: ReportedTests, lone_pages: LonePages, environment: Environment) -> None:
        self._tests = tests
        self._environment = environment
        self._names = [test_name(test.name) for test in tests.rows]
        kinds = [
            lone_pages.kind(test, has_parameters=bool(name.parameters))
            for test, name in zip(tests.rows, self._names, strict=True)
        ]
        self.page_kinds, self._page_codes = coded(kinds)

    def fragments(self) -> Iterator[str]:
        """Yield the columns in the order in which the script reads them: each as its distinct values and its codes."""
        tests, rows = self._tests, self._tests.rows
        yield from self._kinds()
        yield from self._durations()
        yield from column([shown_letters(tests.letters(test)) for test in rows])
        yield from _texts(test.file or "" for test in rows)
        yield from _texts(test.folder for test in rows)
        yield from _texts(class_path(test.file, test.folder) for test in rows)
        yield from _texts(name.function for name in self._names)
        yield from _texts(name.parameters for name in self._names)
        yield from _texts(tests.worker(test) for test in rows)
        yield from _texts(test.message or "" for test in rows)
        yield from _texts(tests.changes(test) for test in rows)
        yield from _texts(test.reason for test in rows)
        # Results of one run mostly follow each other, and so do the tests of a file.
        yield from _steps([test.id for test in rows])
        yield from _steps([test.line or 0 for test in rows])
        yield from _texts(str(test.thread) for test in rows)
        yield joined(map(str, range(len(self.page_kinds))))
        yield self._page_codes
        yield json.dumps(self._nodes(), separators=(",", ":"), sort_keys=True)

    def _nodes(self) -> dict[str, Any]:
        """Return the markup of the nodes of the tree, closed and open, of a part of their bars, and of reasons."""
        template = self._environment.get_template("run/branch.html")
        empty = {"rows": [], "hidden": 0, "pages": paging(1, 0, 1), "opened": ""}
        says: Any = self._environment.get_template("run/macros.html").module
        reasons = {fingerprint: says.says(says_of(title)) for fingerprint, title in self._tests.reasons.items()}
        nodes: dict[str, Any] = {"closed": {}, "open": {}, "reasons": reasons}
        for kind in ("folder", "file", "class", "function"):
            for name, below in (("closed", None), ("open", empty)):
                row = {
                    "leaf": None,
                    "node": {**_HOLE_NODE, "kind": kind},
                    "bar": _HOLE_BAR,
                    "is_open": below is not None,
                    "to": {"address": "/⟦to⟧", "branch_address": "/"},
                    "below": below,
                }
                html = relinked(template.render(level={**empty, "rows": [row]}, state=None), lambda _: True)
                nodes["part"] = _BAR_PART.findall(html)[0]
                html = _BAR_PART.sub("⟦bar⟧", html).replace("⟦parts⟧ ", "⟦parts⟧")
                nodes[name][kind] = html.replace(
                    '<div class="below"></div>', '<div class="below">⟦below⟧</div>'
                ).strip()
        return nodes

    def _kinds(self) -> tuple[str, str]:
        """Return the kinds as JSON objects, each with the markup of its rows."""
        ranks = self._tests.ranks
        samples: dict[_Kind, ReportedTest] = {}
        kinds: list[_Kind] = []
        for test, name in zip(self._tests.rows, self._names, strict=True):
            kind = _Kind(
                ranks.get(test.status, len(ranks)),
                test.status,
                self._tests.tone(test),
                bool(name.parameters),
                self._tests.is_new(test),
                self._tests.slower(test),
            )
            samples.setdefault(kind, test)
            kinds.append(kind)
        distinct, codes = coded(kinds)
        leaf = self._environment.get_template("run/leaf.html")
        values = [
            {
                "status": str(kind.status),
                "tone": kind.tone,
                "name": "flaky" if kind.tone == "flaky" else self._tests.status_name(samples[kind]).lower(),
                "rank": kind.rank,
                "worst": TONE_RANKS[kind.tone],
                "rows": [
                    _with_hole(leaf.render(leaf=values))
                    for values in _leaves(kind, self._tests.status_name(samples[kind]))
                ],
            }
            for kind in distinct
        ]
        return joined(json.dumps(value, separators=(",", ":")) for value in values), codes

    def _durations(self) -> tuple[str, str]:
        """Return the shown durations, shortest first, each with the microseconds for which it stands.

        Tests that show the same duration have the same place in an order by time.
        """
        times = [test.elapsed for test in self._tests.rows]
        shown = [duration(time) for time in times]
        sums: dict[str, list[int]] = {}
        for text, time in zip(shown, times, strict=True):
            sums.setdefault(text, []).append(-1 if time is None else time)
        means = {text: round(sum(values) / len(values)) for text, values in sums.items()}
        distinct, codes = coded(shown, key=lambda text: (means[text], text))
        return joined(f"{text}\t{max(0, means[text])}" for text in distinct), codes


def _leaves(kind: _Kind, status_name: str) -> Iterator[dict[str, Any]]:
    """Yield the values of the template for a row of a list, of the tree, and below a function of the tree."""
    name = TestName(_FUNCTION, f"[{_PARAMETERS}]" if kind.has_parameters else "")
    for where, in_function in ((_FOLDER, False), ("", False), ("", True)):
        yield {
            "id": "⟦id⟧",
            "href": "/results/⟦id⟧",
            "tone": kind.tone,
            "status_name": status_name,
            "in_function": in_function,
            "short": name,
            "where": where,
            "is_new": kind.is_new,
            "slower": kind.slower,
            "strip": None,
            "worker": _WORKER,
            "elapsed": _ELAPSED,
        }


def _with_hole(html: str) -> str:
    """Return the markup of a row with a hole for its strip, and a link inside of the file."""
    before, mark, after = relinked(html, lambda _: True).partition(_NO_STRIP)
    if not mark:
        raise ValueError("the template of a row has no place for a strip")
    return f"{before}{_STRIP}{after}".strip()


def _texts(values: Iterable[str]) -> tuple[str, str]:
    """Return a column of texts of users."""
    texts = list(values)
    shown = {text: visible(text) for text in set(texts)}
    return column([shown[text] for text in texts])


def _steps(numbers: Sequence[int]) -> tuple[str, str]:
    """Return a column of numbers, each as its difference to the one before it."""
    return column([str(number - before) for before, number in zip([0, *numbers], numbers, strict=False)])
