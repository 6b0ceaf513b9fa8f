"""Make a table of what a failed assertion compared: its sides named, its differing paths, the differing characters.

The values come from the client if it sent them, else from the text that pytest wrote.
"""

from __future__ import annotations

import ast
import re
import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.failures.differences import Difference, Differences, differences, mark_differences
from pytest_automation_report.failures.values import (
    OPERATORS,
    Comparison,
    Value,
    python_text,
    read_comparison,
    read_value,
    shortened,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_automation_report.failures.differences import Segments

_TITLE_LENGTH: Final = 60
_CELL_LENGTH: Final = 600
# Equal text between two differences is shortened to this many characters on either side.
_CONTEXT: Final = 40
_MARKED_ROWS: Final = 40
# In a thread with a stack of 1 MB, as on Alpine Linux, Python 3.13 crashes at `-` or `.a` 5,000 times in a row.
_STATEMENT_LENGTH: Final = 4_000
_STATEMENT_LINES: Final = 60
# A value that `pprint` wrote is read line by line until it ends.
_VALUE_LENGTH: Final = 8_000
_VALUES: Final = 4
_ATTEMPTS: Final = 20
_TABLE_LINE: Final = 1_000
_ASSERT_LINE: Final = re.compile(r"^(?:\w+: )?assert ", re.MULTILINE)
# " +  where 3 = len(boats)": the diff of two texts begins with two spaces.
_WHERE: Final = re.compile(r" \+ {2,}(?:where|and)\b")
_OMITTED: Final = re.compile(r"Omitting (?P<count>[0-9]+) identical items?")
_AT_INDEX: Final = re.compile(r"At index (?P<index>[0-9]+) diff: (?P<values>.+)")
_CONTAINS_MORE: Final = re.compile(
    r"(?P<side>Left|Right) contains (?:one more item|[0-9]+ more items, first extra item): (?P<value>.+)"
)
_MORE_KEYS: Final = re.compile(r"(?P<side>Left|Right) contains [0-9]+ more items?:")
_EXTRA: Final = re.compile(r"Extra items in the (?P<side>left|right) set:")
_APPROX_HEAD: Final = re.compile(r"Index\s+\| Obtained\s+\| Expected\s*")
_APPROX_ROW: Final = re.compile(r"(?P<index>.+?)\s+\| (?P<left>.+?)\s+\| (?P<right>.+?)\s*")
_TRUNCATED: Final = re.compile(r"\.\.\.Full output truncated|^\.\.\.$|Skipping [0-9]+ identical", re.MULTILINE)


class Assertion(Struct, frozen=True):
    """An ``assert`` as its source code has it, without its message; the sides are empty but for one comparison."""

    condition: str
    left: str = ""
    operator: str = ""
    right: str = ""


class TableRow(Struct, frozen=True):
    """A path that differs; a side is a text in pieces, those marked that differ, None if it has no such part."""

    path: str
    left: Segments | None
    right: Segments | None


class Table(Struct, frozen=True):
    """The differing paths of a comparison, with the expressions of both sides.

    ``equal_count`` counts equal parts, ``more`` the differences that are left out. ``is_complete`` is False if a part
    of a value was left out before. With another ``operator`` than ``==`` the only row has both values, and nothing is
    marked.
    """

    left_title: str
    right_title: str
    rows: tuple[TableRow, ...]
    operator: str = "=="
    equal_count: int = 0
    more: int = 0
    is_complete: bool = True


# As of a traceback, a page reads it twice.
@lru_cache(maxsize=16)
def parse_assertion(statement: str) -> Assertion | None:
    """Return the assertion in a statement's source code, also one of unittest's; None if there is none."""
    code = textwrap.dedent(statement[:_STATEMENT_LENGTH]).strip()
    if not code.startswith(("assert ", "assert(", "self.assert")):
        return None
    lines = code.split("\n")
    # The code may have lines after the statement: the shortest beginning that is one is read.
    for count in range(1, min(len(lines), _STATEMENT_LINES) + 1):
        source = "\n".join(lines[:count])
        try:
            node = ast.parse(source).body[0]
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            continue
        return _assertion(node, source)
    return None


def table_from_values(comparison: Comparison, assertion: Assertion | None) -> Table:
    """Return the table of two values, as the client sent them."""
    operator, left, right = comparison.operator, comparison.left, comparison.right
    if operator == "==":
        return _table(differences(left, right), assertion)
    row = TableRow("", ((python_text(left, _CELL_LENGTH), False),), ((python_text(right, _CELL_LENGTH), False),))
    return replace(_table(Differences(), assertion), operator=operator, rows=(row,))


def table_from_text(message: str, assertion: Assertion | None) -> Table | None:
    """Return the table that all lines of a failure's message allow; None without values that can be compared."""
    if mark := _ASSERT_LINE.search(message):
        line, _, explanation = message[mark.end() :].partition("\n")
        lines = [line for line in explanation.split("\n") if not _WHERE.match(line)]
        rest = textwrap.dedent("\n".join(lines)).strip("\n").split("\n")
        sides = read_comparison(line)
        if sides is not None:
            return table_from_values(sides, assertion)
        if assertion is not None and assertion.operator not in {"==", ""}:
            return None
        found = _from_explanation(rest)
        if found is None or not found.rows:
            return None
        return _table(found, assertion)
    # unittest: "{'a': 1} != {'a': 2}" and its own diff.
    sides = read_comparison(message.partition("\n")[0])
    if sides is not None and sides.operator == "!=":
        return table_from_values(Comparison("==", sides.left, sides.right), assertion)
    return None


def _assertion(node: ast.stmt, source: str) -> Assertion | None:
    if isinstance(node, ast.Assert):
        test = node.test
        condition = _source(source, test)
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            operator = OPERATORS[type(test.ops[0])]
            return Assertion(condition, _source(source, test.left), operator, _source(source, test.comparators[0]))
        return Assertion(condition)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and len(node.value.args) >= 2:  # noqa: PLR2004 - both sides
        call = node.value
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name.startswith("assert") and name.endswith("Equal") and "Not" not in name:
            return Assertion(_source(source, call), _source(source, call.args[0]), "==", _source(source, call.args[1]))
    return None


def _source(source: str, node: ast.AST) -> str:
    """Return the source code of a node in one line."""
    return " ".join((ast.get_source_segment(source, node) or "").split())


def _table(found: Differences, assertion: Assertion | None) -> Table:
    left, right = (
        ("left", "right") if assertion is None or not assertion.operator else (assertion.left, assertion.right)
    )
    rows = tuple(_row(row, is_marked=number < _MARKED_ROWS) for number, row in enumerate(found.rows))
    return Table(
        shortened(left, _TITLE_LENGTH),
        shortened(right, _TITLE_LENGTH),
        rows,
        equal_count=found.equal_count,
        more=found.more,
        is_complete=found.is_complete,
    )


def _row(row: Difference, *, is_marked: bool) -> TableRow:
    left, right = (None if side is None else python_text(side, _CELL_LENGTH) for side in (row.left, row.right))
    is_number = all(side is not None and side.type in {"int", "float"} for side in (row.left, row.right))
    if left is None or right is None or not is_marked or is_number:
        return TableRow(
            row.path, None if left is None else ((left, True),), None if right is None else ((right, True),)
        )
    left_pieces, right_pieces = mark_differences(left, right)
    return TableRow(row.path, _shortened(left_pieces), _shortened(right_pieces))


def _shortened(segments: Segments) -> Segments:
    """Return the pieces of a text with long equal ones shortened around a mark."""
    shortened = []
    for number, (text, is_different) in enumerate(segments):
        before = "" if number == 0 else text[:_CONTEXT]
        after = "" if number == len(segments) - 1 else text[-_CONTEXT:]
        if is_different or len(text) <= len(before) + len(after) + _CONTEXT:
            shortened.append((text, is_different))
        else:
            shortened.append((f"{before}…{after}", False))
    return tuple(shortened)


def _from_explanation(lines: Sequence[str]) -> Differences | None:
    is_complete = not any(_TRUNCATED.search(line) for line in lines)
    diff = next((number for number, line in enumerate(lines) if line.startswith("Full diff:")), None)
    if diff is not None and is_complete:
        left, right = (read_value(text) for text in _diff_sides(lines[diff + 1 :]))
        if left is not None and right is not None:
            return differences(left, right)
    rows = [*_items(lines), *_sequence(lines), *_sets(lines), *_attributes(lines), *_approx(lines)]
    equal = sum(int(match["count"]) for line in lines if (match := _OMITTED.match(line)))
    if rows:
        # Of a sequence pytest shows the first difference alone.
        has_more = any(line.startswith("At index ") for line in lines)
        return Differences(rows, equal, is_complete=is_complete and not has_more)
    if any(line.startswith(("- ", "+ ")) for line in lines):
        left_text, right_text = _diff_sides(lines)
        if not is_complete and not (left_text and right_text):  # the other side was cut off, and is not empty
            return None
        found = differences(Value("str", left_text), Value("str", right_text))
        if not is_complete:  # nobody knows which lines the parts are
            found.rows, found.is_complete = [replace(row, path="") for row in found.rows], False
        return found
    return None


def _diff_sides(lines: Iterable[str]) -> tuple[str, str]:
    """Return both texts of a diff; pytest marks lines of the left side with ``+``."""
    left, right = [], []
    for line in lines:
        if line.startswith("..."):
            break
        mark = line[:2].strip()
        if mark in {"+", ""}:
            left.append(line[2:])
        if mark in {"-", ""}:
            right.append(line[2:])
    return "\n".join(left).strip("\n"), "\n".join(right).strip("\n")


def _only(path: str, value: Value, side: str) -> Difference:
    """Return the difference of a part that one side alone has, as pytest names it: ``Left`` or ``right``."""
    return Difference(path, value, None) if side.lower() == "left" else Difference(path, None, value)


def _below(path: str, text: str) -> Iterable[Difference]:
    """Yield the differences in a text ``left != right`` about the parts at a path."""
    if (sides := read_comparison(text)) is not None:
        for row in differences(sides.left, sides.right).rows:
            yield Difference(f"{path}{row.path}", row.left, row.right)


def _items(lines: Sequence[str]) -> Iterable[Difference]:
    """Yield the differences of two dicts: the items that differ, and those that one side alone has."""
    for line in lines:
        is_item = line.startswith("{") and line.endswith("}") and "} != {" in line
        sides = read_comparison(line) if is_item else None
        if sides is not None and sides.left.entries and sides.right.entries:
            yield from differences(sides.left, sides.right).rows
    headings = [(number, match) for number, line in enumerate(lines) if (match := _MORE_KEYS.fullmatch(line))]
    for number, match in headings[:_VALUES]:
        if (value := _value_after(lines, number)) is not None:
            for key, entry in value.entries or ():
                yield _only(f"[{python_text(key, 80)}]", entry, match["side"])


def _value_after(lines: Sequence[str], number: int) -> Value | None:
    """Return the value that ``pprint`` wrote after a line; None if it does not end."""
    text = ""
    attempts = 0
    for line in lines[number + 1 :]:
        text += f"{line}\n"
        if len(text) > _VALUE_LENGTH or attempts == _ATTEMPTS:
            return None
        # A dict ends with its bracket; most lines inside of it end with a comma.
        if line.endswith(("}", ")")):
            attempts += 1
            value = read_value(text)
            if value is not None:
                return value
    return None


def _sequence(lines: Iterable[str]) -> Iterable[Difference]:
    for line in lines:
        if match := _AT_INDEX.fullmatch(line):
            yield from _below(f"[{match['index']}]", match["values"])
        elif (match := _CONTAINS_MORE.fullmatch(line)) and (value := read_value(match["value"])) is not None:
            yield _only("more items", value, match["side"])


def _sets(lines: Sequence[str]) -> Iterable[Difference]:
    side = ""
    for line in lines:
        if match := _EXTRA.fullmatch(line):
            side = match["side"]
        elif side and (value := read_value(line)) is not None:
            yield _only("{…}", value, side)
        else:
            side = ""


def _attributes(lines: Sequence[str]) -> Iterable[Difference]:
    """Yield the differing attributes of two objects, those inside of others with their whole path."""
    path: list[str] = []
    for line in lines:
        text = line.strip()
        if text.startswith("Drill down into differing attribute ") and text.endswith(":"):
            depth = (len(line) - len(line.lstrip())) // 2
            path = [*path[:depth], text.removeprefix("Drill down into differing attribute ")[:-1]]
        elif path and text.startswith(f"{path[-1]}: "):
            # pytest marks its last line with three dots if it left lines out.
            prefix = "".join(f".{name}" for name in path)
            yield from _below(prefix, text[len(path[-1]) + 2 :].removesuffix("..."))


def _approx(lines: Sequence[str]) -> Iterable[Difference]:
    is_table = False
    for line in lines:
        if _APPROX_HEAD.fullmatch(line):
            is_table = True
        elif is_table and len(line) <= _TABLE_LINE and (match := _APPROX_ROW.fullmatch(line)):
            yield Difference(f"[{match['index']}]", Value("", match["left"]), Value("", match["right"]))
