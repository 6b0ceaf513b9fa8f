"""Read the failures of a run for its page: by reason, by file or as one list; flaky and slower tests beside them."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, TypeAlias

from msgspec import Struct

from pytest_automation_report.failures.code import CodeTokens, colour_code
from pytest_automation_report.failures.frames import is_in_package
from pytest_automation_report.failures.markdown import ReportedFailure, failure_markdown
from pytest_automation_report.failures.tracebacks import CodeLine, Frame, Raised, one_line, parse_traceback
from pytest_automation_report.findings.flakiness import (
    MOST_VALUES,
    TEST,
    Axis,
    Sample,
    by_branch,
    evidence_words,
    find_matrix,
)
from pytest_automation_report.findings.sentences import split_reasons, unlisted_reasons
from pytest_automation_report.server.pages.drawings import (
    TONES,
    Grid,
    SmallLanes,
    Square,
    Strip,
    grid_of,
    merged_letters,
    small_lanes,
    strip_of,
)
from pytest_automation_report.server.pages.run.changes import failing_runs
from pytest_automation_report.server.pages.run.details import where_it_ran
from pytest_automation_report.server.pages.run.facts import (
    ListedTest,
    ShownRun,
    Slow,
    entries_of,
    marks_of,
    path_of,
    shares_of,
    slowest_tests,
)
from pytest_automation_report.server.pages.run.messages import Said, says_of
from pytest_automation_report.server.pages.urls import FLAKY, RunState, link
from pytest_automation_report.server.pages.words import tests_and_files, told_apart, usual_words
from pytest_automation_report.server.store.histories import UsualTime
from pytest_automation_report.server.store.results import PAGE_ROWS
from pytest_automation_report.server.store.stored import causes_in, entries_in
from pytest_automation_report.server.store.values import KILLED, RESULT_STATUSES, hexadecimal
from pytest_automation_report.text.limits import quantity
from pytest_automation_report.text.node_ids import (
    MOST_NAMED,
    command_line,
    join_place,
    join_title,
    node_id,
    read_node_id,
    rerun_command,
    split_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.findings.documents import FailureReason, TestAxis, TestFamily
    from pytest_automation_report.server.store.stored import ListedResult

    Function: TypeAlias = tuple[str, str, str]

MAX_CARDS: Final = 20  # reasons with a card; the rest are behind a link
_MAX_MEMBERS: Final = 3
# Members of a card whose outcomes are part of its strip, though most stay behind its link.
_MEMBERS_OF_STRIP: Final = 20
_is_respelled: Final = re.compile("#x[0-9A-F]{2}| characters cut").search
_NOUNS: Final[Mapping[str, str]] = {
    "collection": "file", "fixture setup": "fixture", "fixture teardown": "fixture",
}  # fmt: skip
_PHASES: Final[Mapping[str, str]] = {
    "setup": "in its setup",
    "teardown": "in its teardown",
    "collection": "while the tests were collected",
    "crash": "its process died",
    "timeout": "over its time limit",
    "xpass": "was expected to fail",
}


_LOTS: Final = (
    ("new", "New"),
    ("flaky", "Known to be flaky"),
    ("still", "Still failing"),
    ("known", "Known failures"),
    (None, "Running when the process died"),
)


class ReasonCard(Struct, frozen=True):
    """A reason of failures with its first tests; ``anchor`` is the end of its card's id, as links know it."""

    reason: FailureReason
    anchor: str
    marks: tuple[str, ...]
    says: Said
    code: Code
    command: str
    members: Sequence[ListedTest]
    strip: Strip | None
    cells: FunctionGrid | None
    matrix: ReasonMatrix | None
    branches: Sequence[tuple[str, str]]

    @property
    def noun(self) -> str:
        """What failed."""
        return _NOUNS.get(self.reason["phase"] or "", "test")

    @property
    def phase(self) -> str:
        """When it failed, in words; nothing for a test itself."""
        fixture = self.reason.get("fixture")
        return f"in the {fixture}" if fixture else _PHASES.get(self.reason["phase"] or "", "")


class FunctionGrid(Struct, frozen=True):
    """The grid of a function's results: ``failed`` of its ``count`` parameters did; ``range`` has first and last."""

    node: str
    failed: int
    count: int
    range: str
    grid: Grid


class ReasonMatrix(NamedTuple):
    """What tells the failed tests of a reason in words, and rows of cells if two values of theirs do.

    A cell has a tone, words, the number of its tests, and the id of the only one.
    """

    sentence: Sequence[tuple[str, str]]
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, str, int, int | None]]]]


def _counted(cards: Sequence[ReasonCard]) -> str:
    counts = Counter[str]()
    for card in cards:
        counts[card.noun] += card.reason["count"]
    if not counts["fixture"]:
        return tests_and_files(counts.total(), counts["file"])
    return " and ".join(quantity(counts[noun], noun) for noun in ("test", "file", "fixture") if counts[noun])


def _function_of(row: ListedResult) -> Function:
    return row.file or "", row.folder, split_name(row.name).function


def _cells_of(rows: Sequence[ListedResult], families: Mapping[Function, TestFamily]) -> FunctionGrid | None:
    functions = Counter(_function_of(row) for row in rows if row.name.endswith("]"))
    if not functions:
        return None
    (key, count), *_ = functions.most_common(1)
    family = families.get(key)
    if family is None or count < 2 or count * 2 < len(rows):  # noqa: PLR2004 - one square is no grid
        return None
    own = {row.id: split_name(row.name).parameters for row in rows}
    cells = [
        Square(result, "fail" if result in own else TONES[kind], own.get(result, ""))
        for result, kind in family["cells"]
    ]
    first, last = cells[0].name, cells[-1].name
    shown = f"{first} to {last}" if first and last and len(cells) == family["count"] else ""
    failed = len({own[row.id] for row in rows if _function_of(row) == key})
    node = node_id(*key) or join_title(key[1], key[2])
    return FunctionGrid(node, failed, family["parameters"], shown, grid_of(cells))


def _matrix_of(rows: Sequence[ListedResult], families: Mapping[Function, TestFamily]) -> ReasonMatrix | None:
    """Return the tests of a reason's functions by what tells the failed ones; None if nothing does, or squares do."""
    counts = Counter(_function_of(row) for row in rows)
    known = {key: families[key] for key, _ in counts.most_common() if key in families and families[key]["axes"]}
    if not known or 2 * sum(counts[key] for key in known) < len(rows):
        return None
    shared = set.intersection(*({_axis(axis) for axis in family["axes"]} for family in known.values()))
    if not shared:
        known = dict(list(known.items())[:1])
    functions = Axis(TEST, tuple(join_title(*key[1:]) for key in known))
    tests = []
    for name, family in zip(functions.values, known.values(), strict=True):
        axes = {_axis(axis): axis["of"] for axis in family["axes"] if len(known) == 1 or _axis(axis) in shared}
        for place, (result, kind) in enumerate(family["cells"]):
            own = {axis: axis.values[of[place]] for axis, of in axes.items()}
            if 1 < len(known) <= MOST_VALUES:
                own[functions] = name
            if kind != "sk":
                tests.append(Sample(result, kind == "fa", own))
    found = find_matrix(tests)
    if found is None or (found.columns is None and not found.rows.name and len(known) == 1):
        return None
    columns = found.columns.values if found.columns else ()
    cells = [(row, [_cell(found.cell(row, column)) for column in columns]) for row in found.rows.values]
    return ReasonMatrix(found.sentence(), columns, cells)


def _axis(axis: TestAxis) -> Axis:
    return Axis(axis["name"], tuple(axis["values"]))


def _cell(tests: Sequence[Sample]) -> tuple[str, str, int, int | None]:
    failed = sum(test.is_failed for test in tests)
    tone = "fail" if failed == len(tests) else "flaky" if failed else "pass"
    words = f"{failed:,} of {len(tests):,} failed"
    return tone, words, len(tests), tests[0].result if len(tests) == 1 else None


_FLAKY_SHOWN: Final = 50
_KNOWN_FLAKY_SHOWN: Final = 20
_RAIL_LINES: Final = 4


class Lot(NamedTuple):
    """The cards of one kind of failures, and how many tests these are in words."""

    kind: str | None
    name: str
    cards: Sequence[ReasonCard]
    counted: str


class FlakyTests(Struct, frozen=True):
    """Tests that passed after a failed attempt, ``count`` of them, and ``known`` ones that passed at the first.

    ``hidden`` and ``known_hidden`` are the numbers of those that are not among the rows.
    """

    count: int
    known: int
    rows: Sequence[ListedTest]
    hidden: int
    known_hidden: int


class Rail(Struct, frozen=True):
    """What stands beside the failures: lanes, slowest tests, fixed ones and for how long they had failed, the place."""

    lanes: SmallLanes | None
    slowest: Sequence[Slow]
    fixed: Sequence[tuple[int, str, int]]
    fixed_count: int
    where: Sequence[tuple[str, str]]


class FailuresView(Struct, frozen=True, kw_only=True):
    """The failures of a run, arranged by reason, by file or as one list: ``lots`` of cards, or ``groups`` of tests.

    ``rest_reasons`` are not on this page or before it, and ``rest_tests`` fail for these; some ``are_listed``
    on the next page. ``hidden`` failures are not in the groups.
    """

    name: ClassVar = "failures"
    template: ClassVar = "run/failures.html"
    group: str
    flaky: FlakyTests
    slower: Sequence[ListedTest]
    rail: Rail
    lots: Sequence[Lot]
    rest_reasons: int
    rest_tests: int
    are_listed: bool
    groups: Sequence[tuple[str, Sequence[ListedTest]]]
    hidden: int


class FailureCards:
    """The failures of one run."""

    def __init__(self, facts: ShownRun, state: RunState) -> None:
        self._facts = facts
        self._state = state
        self._reader = facts.reader

    @cached_property
    def _rows(self) -> Mapping[str, Sequence[ListedResult]]:
        """The failures that are read, by the anchors of their reasons."""
        tests = self._facts.findings["tests"]
        kinds = {entry["result"]: entry["kind"] for name in ("newly_failing", "still_failing") for entry in tests[name]}
        rows: dict[str, list[ListedResult]] = {}
        for row in self._facts.failures:
            fingerprint = hexadecimal(row.fingerprint or 0)
            split = f"-{kinds.get(row.id)}" if fingerprint in self._split else ""
            rows.setdefault(f"{fingerprint}{split}", []).append(row)
        return rows

    @cached_property
    def _split(self) -> set[str]:
        """The reasons each kind of whose failures has a card."""
        return split_reasons(self._facts.findings)

    def _rows_of(self, reason: FailureReason) -> Sequence[ListedResult]:
        return self._rows.get(self._anchor(reason), ())

    def _anchor(self, reason: FailureReason) -> str:
        fingerprint = reason["fingerprint"]
        return f"{fingerprint}-{reason['kind']}" if fingerprint in self._split else fingerprint

    def texts(self, site: str) -> list[str]:
        """Return the reasons as Markdown, each with one of its tests; ``site`` is the address of the pages."""
        reasons = [each for each in self._facts.findings["reasons"][:MAX_CARDS] if self._rows_of(each)]
        causes = self._causes(reasons)
        sections: list[str] = []
        for reason in reasons:
            row = self._rows_of(reason)[0]
            text, type_name = causes.get(row.id, ("", ""))
            more = reason["count"] - 1
            failure = ReportedFailure(
                node_id(row.file, row.folder, row.name, row.line) or join_title(row.folder, row.name),
                text,
                row.message or "",
                type_name,
                reason["place"] or "",
                f"And {quantity(more, 'more test')} for the same reason." if more else "",
                self._command(reason),
                f"{site}{link('result', row.id)}",
                file=row.file or "",
            )
            sections.append(failure_markdown(failure))
        return sections

    def view(self) -> FailuresView:
        """Return the view of the failures, with the lots or groups that the state has."""
        group = self._state.group or "reason"
        findings = self._facts.findings
        lots, rest = self._by_reason() if group == "reason" else ([], [])
        groups, hidden = self._as_tests(by_file=group == "file") if group != "reason" else ([], 0)
        return FailuresView(
            group=group,
            lots=lots,
            rest_reasons=len(rest) + unlisted_reasons(findings) if group == "reason" else 0,
            rest_tests=sum(reason["count"] for reason in rest) + findings["counts"]["unlisted_failures"],
            are_listed=bool(rest),
            groups=groups,
            hidden=hidden,
            flaky=self._flaky(),
            slower=self._slower(),
            rail=self._rail(),
        )

    def _by_reason(self) -> tuple[list[Lot], Sequence[FailureReason]]:
        """Return the lots of cards, by whose their failures are, one without a base; and the reasons after them."""
        first, reasons = (self._state.page - 1) * MAX_CARDS, self._facts.findings["reasons"]
        rest = reasons[first + MAX_CARDS :]
        cards = self._cards(reasons[first : first + MAX_CARDS])
        lots = [(kind, name, [card for card in cards if card.reason["kind"] == kind]) for kind, name in _LOTS]
        if not self._facts.findings["base"]:
            lots = [(None, "Failed", cards)]
        return [Lot(*lot, _counted(lot[2])) for lot in lots if lot[2]], rest

    def _as_tests(self, *, by_file: bool) -> tuple[list[tuple[str, list[ListedTest]]], int]:
        """Return at most a page of failures by file, or as one list as they arrived; and the number of the others."""
        # With a heading for each file there are fewer.
        rows = self._facts.failures[: 100 if by_file else PAGE_ROWS]
        listed = self._facts.listed(rows, self._state, lambda row: row.message or "")
        groups: dict[str, list[ListedTest]] = {}
        for row, test in zip(rows, listed, strict=True):
            groups.setdefault(path_of(row.file, row.folder) if by_file else "", []).append(test)
        hidden = max(0, self._facts.row.failure_count - len(rows))
        return sorted(groups.items(), key=lambda item: -len(item[1])), hidden

    def _rail(self) -> Rail:
        facts, found = self._facts, self._facts.findings
        entries = found["tests"]["fixed"][:_RAIL_LINES]
        fixed = self._reader.rows_of(result for entry in entries if (result := entry["result"])).values()
        facts.histories.load((row.case for row in fixed), is_whole=True)
        busy = shares_of(found["time"])[0].percent
        return Rail(
            lanes=small_lanes(facts.overview, busy) if facts.overview["workers"] and found["time"]["workers"] else None,
            slowest=slowest_tests(facts.overview, lambda row: facts.slower.get(row["id"], ""))[:_RAIL_LINES],
            fixed=[
                (row.id, name, failing_runs(facts.histories.letters(row.case)))
                for row, name in zip(fixed, told_apart([(row.folder, row.name) for row in fixed]), strict=True)
            ],
            fixed_count=found["counts"]["fixed"],
            where=where_it_ran(facts),
        )

    def _cards(self, reasons: Sequence[FailureReason]) -> list[ReasonCard]:
        first_rows = [row for reason in reasons for row in self._rows_of(reason)[:_MEMBERS_OF_STRIP]]
        self._facts.histories.load(row.case for row in first_rows)
        causes = self._causes(reasons)
        families = {(each["file"], each["folder"], each["function"]): each for each in self._facts.overview["families"]}
        tests = ((row.case, row.fingerprint or 0) for row in first_rows if row.fingerprint != KILLED)
        elsewhere = self._reader.by_branch(tests, self._reader.other_branches(self._facts.row) if reasons else {})
        found = self._facts.findings
        flaky = {entry["key"] for entry in entries_of(found, FLAKY)}
        cards = []
        for reason in reasons:
            rows = self._rows_of(reason)
            row = rows[0] if rows else None
            cause = None if row is None else causes.get(row.id)
            says = says_of(reason["title"]) if row is None or cause is None else says_of(row.message or "", cause[1])
            code, says = _code(reason["place"] or "", row, cause, says)
            letters = merged_letters(self._facts.histories.letters(row.case) for row in rows[:_MEMBERS_OF_STRIP])
            card = ReasonCard(
                reason,
                self._anchor(reason),
                marks_of(reason["kind"], is_flaky=not flaky.isdisjoint(reason["keys"])),
                says,
                code,
                self._command(reason),
                self._facts.listed(rows[:_MAX_MEMBERS], self._state),
                strip_of(letters, has_now=True) if rows else None,
                _cells_of(rows, families),
                _matrix_of(rows, families),
                () if row is None else self._branches(row, elsewhere),
            )
            cards.append(card)
        return cards

    def _branches(
        self, row: ListedResult, elsewhere: Mapping[int, Mapping[str, tuple[int, bool]]]
    ) -> Sequence[tuple[str, str]]:
        """Return on which branches a reason is, and on which its tests pass; nothing if they pass on none."""
        others = elsewhere.get(row.fingerprint or 0, {})
        if all(is_failed for _, is_failed in others.values()):
            return ()
        return by_branch({self._facts.row.branch or "": (row.id, True), **others}).sentence()

    def _command(self, reason: FailureReason) -> str:
        """Return the command that runs the tests of a reason; empty if no command runs all of them."""
        rows, count = self._rows_of(reason), reason["count"]
        # Pytest knows such a test by another name, which stands in a field.
        respelled = [row.id for row in rows[:MOST_NAMED] if _is_respelled(row.name)]
        found = self._reader.fields(respelled) if respelled else ()
        fields = {result: entries_in(text) for result, text, _ in found}
        ids = (read_node_id(row.file, row.folder, row.name, fields.get(row.id, ()), row.line) for row in rows)
        has_all = len(reason["keys"]) == count and reason["fingerprint"] not in self._split
        if reason.get("fixture"):  # pytest cannot run it by its name
            return rerun_command(self._facts.row.id, reason["fingerprint"])
        return command_line(ids, count, rerun_command(self._facts.row.id, reason["fingerprint"]) if has_all else "")

    def _causes(self, reasons: Sequence[FailureReason]) -> dict[int, tuple[str, str]]:
        """Return text and type of the failure of the first test of each reason, by its result."""
        causes: dict[int, tuple[str, str]] = {}
        firsts = [rows[0].id for reason in reasons if (rows := self._rows_of(reason))]
        for result_id, _, text in self._reader.fields(firsts):
            for cause in causes_in(text)[:1]:
                causes[result_id] = cause.text, cause.type
        return causes

    def _flaky(self) -> FlakyTests:
        """Return the tests that passed after a failed attempt, and the passed ones that are flaky by their history."""
        overview = self._facts.overview["flaky"]
        found = self._facts.findings["flaky"]
        states = {entry["result"]: entry for entry in found if entry["state"] == "flaky"}
        tried = overview["results"][:_FLAKY_SHOWN]
        rows = self._reader.rows_of([*tried, *filter(None, states)])
        passed = {status.id for status in RESULT_STATUSES.values() if status.is_passed}
        known = [row for row in rows.values() if not row.failed_attempts and row.status in passed]
        shown = [*(rows[result] for result in tried if result in rows), *known[:_KNOWN_FLAKY_SHOWN]]

        def about(row: ListedResult) -> str:
            entry, attempts = states.get(row.id), (row.failed_attempts or 0) + 1
            said = [f"passed on attempt {attempts} of {attempts}"] if attempts > 1 else []
            return "; ".join([*said, *([evidence_words(entry)] if entry else [])])

        return FlakyTests(
            overview["count"],
            len(known),
            self._facts.listed(shown, self._state, about),
            max(0, overview["count"] - len(tried)),
            len(known[_KNOWN_FLAKY_SHOWN:]),
        )

    def _slower(self) -> list[ListedTest]:
        """Return the tests that got slower."""
        entries = {entry["result"]: entry for entry in self._facts.findings["slower"][:10]}
        rows = self._reader.rows_of(filter(None, entries))

        def about(row: ListedResult) -> str:
            entry = entries[row.id]
            return usual_words(UsualTime(entry["elapsed"], entry["median"], entry["until"], entry["since"]))

        return self._facts.listed([rows[result] for result in entries if result in rows], self._state, about)


class Code(NamedTuple):
    """The code that raised: where it is, how deep its function calls itself, lines with numbers, and the error's."""

    place: str
    function: str
    depth: int = 0
    lines: Sequence[tuple[CodeLine, CodeTokens]] = ()
    errors: Sequence[str] = ()


def _code(place: str, row: ListedResult | None, cause: tuple[str, str] | None, says: Said) -> tuple[Code, Said]:
    """Return the code that raised; a message that says nothing becomes the line that did."""
    found = None if cause is None else code_frame(parse_traceback(cause[0], place))
    if found is None:
        line, function = (None, "") if row is None else (row.line, split_name(row.name).function)
        return Code(join_place(place, line), function), says
    hit = one_line([line for line, _ in found.lines])
    # Where a message is no more than that an assertion failed, the line of code says which.
    says_nothing = {says.type, "no message", "assert False", "assert None", "assert not True"}
    if hit and "".join(part for part, _ in says.parts) in says_nothing:
        says = says._replace(parts=[(hit, False)])
    return found, says


_LINES_BEFORE, _LINES_AFTER = 4, 3
# Lines above those that show whether they begin inside of a docstring.
_LINES_ABOVE: Final = 100
_ERROR_LINES: Final = 10
_LINE_LENGTH: Final = 240


def code_frame(exceptions: Sequence[Raised]) -> Code | None:
    """Return the innermost frame in the user's code with the lines of the exception; None without any code."""
    if not exceptions or not exceptions[0].frames:
        return None
    raised = exceptions[0]
    frames = [frame for frame in raised.frames if frame.code] or list(raised.frames)
    own = [frame for frame in frames if not is_in_package(frame.path)]
    frame = (own or frames)[-1]
    before, lines = _shown(frame)
    texts = [line.text for line in lines]
    # With one end of a docstring among them, code would be coloured as text and the text as code.
    is_torn = any("\n".join(texts).count(quotes) % 2 for quotes in ('"""', "'''"))
    tokens = colour_code([*(line.text for line in before), *texts])[len(before) :] if is_torn else colour_code(texts)
    # Calls of the same function around it.
    depth = sum(1 + other.repeats for other in raised.frames if other.function == frame.function)
    members = raised.remark.split("\n") if raised.remark.lstrip().startswith("+-") else []
    errors = [line[:_LINE_LENGTH] for line in (*raised.lines, *members) if line.strip()]
    if len(errors) > _ERROR_LINES:
        # Notes stand at the end, such as the example of hypothesis that fails.
        left = f"… {len(errors) - _ERROR_LINES + 1} more lines"
        errors = [*errors[: _ERROR_LINES // 2 - 1], left, *errors[-_ERROR_LINES // 2 :]]
    # A function that calls itself once is nothing special.
    depth = depth if depth > 2 else 0  # noqa: PLR2004 - as said
    place = join_place(frame.path, frame.line)
    return Code(place, frame.function, depth, list(zip(lines, tokens, strict=True)), errors)


def _shown(frame: Frame) -> tuple[Sequence[CodeLine], list[CodeLine]]:
    hits = [place for place, line in enumerate(frame.code) if line.is_hit]
    place = hits[-1] if hits else len(frame.code) - 1
    first = max(0, place - _LINES_BEFORE)
    around = frame.code[first : place + 1 + _LINES_AFTER]
    return frame.code[max(0, first - _LINES_ABOVE) : first], [
        line if len(line.text) <= _LINE_LENGTH else type(line)(line.number, f"{line.text[:_LINE_LENGTH]}…", line.is_hit)
        for line in around
    ]
