"""Where two values differ: by path, and within texts."""

from __future__ import annotations

import re
from decimal import Decimal
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct, field

from pytest_automation_report.failures.values import Value, python_text, shortened
from pytest_automation_report.text.visible import common_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


Segments: TypeAlias = "tuple[tuple[str, bool], ...]"
"""A text in pieces; those with True differ from the other side."""

MAX_ROWS: Final = 200
"""Most differing paths that are returned; the others are counted."""

# Aligning two sequences costs their product, and much more for sequences that are made to cost much.
_MAX_ALIGNED: Final = 40_000
_MAX_MARKED: Final = 400
_KEY_LENGTH: Final = 100_000
# A path that fits into a cell.
_PATH_LENGTH: Final = 80
# Pieces of one or two equal characters between two differing ones say nothing: `37.2` and `34.1` share a point.
_LEAST_EQUAL: Final = 2
_DECIMAL: Final = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,9})?")
_NUMBERS: Final = frozenset({"int", "float", "bool"})
_SETS: Final = frozenset({"set", "frozenset"})


class Difference(Struct, frozen=True):
    """A path at which two values differ, as ``['berth']['each']``, empty for the whole value; None is no such part."""

    path: str
    left: Value | None
    right: Value | None


def differences(left: Value, right: Value) -> Differences:
    """Return where two values differ."""
    found = Differences()
    found.compare("", left, right)
    found.rows, found.more = found.rows[:MAX_ROWS], max(0, len(found.rows) - MAX_ROWS)
    return found


def mark_differences(left: str, right: str) -> tuple[Segments, Segments]:
    """Return two texts in pieces, those marked that differ; a whole text if hardly anything is equal."""
    if len(left) > _MAX_MARKED or len(right) > _MAX_MARKED:
        # Of long texts everything is marked that is between their equal beginning and their equal end.
        start = common_length(left, right)
        end = common_length(left[start:][::-1], right[start:][::-1])
        kept = [(0, 0, start), (len(left) - end, len(right) - end, end)]
    else:
        kept = _equal_blocks(left, right)
        if sum(size for _, _, size in kept) * 3 < max(len(left), len(right)):
            return ((left, True),) if left else (), ((right, True),) if right else ()
    return _pieces(left, [(start, size) for start, _, size in kept]), _pieces(
        right, [(start, size) for _, start, size in kept]
    )


def _equal_blocks(left: str, right: str) -> list[tuple[int, int, int]]:
    """Return place and size of the equal blocks of two texts: of several characters, and short ones at the ends."""
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    kept = [(a, b, size) for a, b, size in matcher.get_matching_blocks() if size >= _LEAST_EQUAL]
    # A block may have the first or last character of one side alone: of '100' and '1000' all of the left. Then no other
    # block can have it, or that side would have the character twice.
    is_free = all(a > 0 and b > 0 for a, b, _ in kept)
    if is_free and left and left[:1] == right[:1]:
        kept.insert(0, (0, 0, 1))
    is_free = all(a + size < len(left) and b + size < len(right) for a, b, size in kept)
    if is_free and left and left[-1:] == right[-1:]:
        kept.append((len(left) - 1, len(right) - 1, 1))
    return kept


def _pieces(text: str, equal: Sequence[tuple[int, int]]) -> Segments:
    pieces: list[tuple[str, bool]] = []
    position = 0
    for start, size in equal:
        if start > position:
            pieces.append((text[position:start], True))
        pieces.append((text[start : start + size], False))
        position = start + size
    if position < len(text):
        pieces.append((text[position:], True))
    return tuple(pieces)


class Differences(Struct):
    """The paths at which two values differ, and counts of equal parts and of differences beyond `MAX_ROWS`."""

    rows: list[Difference] = field(default_factory=list)
    equal_count: int = 0
    more: int = 0
    is_complete: bool = True  # no part of a value was left out before

    def _add(self, path: str, left: Value | None, right: Value | None) -> None:
        self.rows.append(Difference(path, left, right))

    def compare(self, path: str, left: Value, right: Value) -> None:
        """Add the differences of two values, or count them as equal."""
        before = len(self.rows)
        self.is_complete &= not _may_differ_elsewhere(left, right)
        if left.entries is not None and right.entries is not None:
            sides = [
                ((python_text(key, _KEY_LENGTH), entry) for key, entry in side)
                for side in (left.entries, right.entries)
            ]
            self._compare_named(lambda name: f"{path}[{shortened(name, _PATH_LENGTH)}]", sides[0], sides[1])
        elif left.fields is not None and right.fields is not None and left.type == right.type:
            self._compare_named(lambda name: f"{path}.{name}", left.fields, right.fields)
        elif left.items is not None and right.items is not None and (left.type in _SETS) == (right.type in _SETS):
            if left.type in _SETS:
                sides = [
                    ((python_text(item, _KEY_LENGTH), item) for item in side) for side in (left.items, right.items)
                ]
                self._compare_named(lambda _: f"{path}{{…}}", sides[0], sides[1])
            else:
                self._compare_items(path, left, right)
            if len(self.rows) == before and left.type != right.type:
                self._add(path, left, right)
        elif left.type == right.type == "str" and "\n" in f"{left.text}{right.text}":
            self._compare_lines(path, left, right)
        elif left.is_unknown and right.is_unknown and left.type == right.type:
            # They may differ or not.
            self.is_complete = False
        elif not _is_same_leaf(left, right):
            self._add(path, left, right)
        else:
            self.equal_count += 1

    def _child(self, path: str, left: Value, right: Value) -> None:
        """Compare two parts; an equal part counts once, however many parts it has itself."""
        rows, equal_count, is_complete = len(self.rows), self.equal_count, self.is_complete
        self.is_complete = True
        self.compare(path, left, right)
        is_whole, self.is_complete = self.is_complete, self.is_complete and is_complete
        if len(self.rows) == rows and is_whole:
            self.equal_count = equal_count + 1

    def _compare_named(
        self, path_of: Callable[[str], str], left: Iterable[tuple[str, Value]], right: Iterable[tuple[str, Value]]
    ) -> None:
        """Compare parts with the same name; of large dicts and sets only parts that both sides have are left out."""
        own, others = dict(left), dict(right)
        for name in own | others:
            part, other = own.get(name), others.get(name)
            if part is None or other is None:
                self._add(path_of(name), part, other)
            else:
                self._child(path_of(name), part, other)

    def _compare_items(self, path: str, left: Value, right: Value) -> None:
        own, others = left.items or (), right.items or ()
        for a, b in _aligned(own, others, left, right):
            if a is None:
                index = (b or 0) + right.start
                if left.size is None or index >= left.size:
                    self._add(f"{path}[{index}]", None, others[b or 0])
            elif b is None:
                index = a + left.start
                if right.size is None or index >= right.size:
                    self._add(f"{path}[{index}]", own[a], None)
            else:
                self._child(f"{path}[{a + left.start}]", own[a], others[b])

    def _compare_lines(self, path: str, left: Value, right: Value) -> None:
        own, others = (left.text or "").split("\n"), (right.text or "").split("\n")
        if len(own) * len(others) > _MAX_ALIGNED * 4:
            self._add(path, left, right)
            return
        for a, b in _aligned_texts(own, others):
            number = (a if a is not None else b or 0) + 1
            if a is None or b is None or own[a] != others[b]:
                self._add(
                    f"{path} line {number}".strip(),
                    None if a is None else Value("str", own[a]),
                    None if b is None else Value("str", others[b]),
                )
            else:
                self.equal_count += 1


def _may_differ_elsewhere(left: Value, right: Value) -> bool:
    # Clients leave out the equal beginning of two long lists or texts: what stands before a common start is equal.
    if left.start != right.start:
        return True
    return any(
        side.size is not None and (side.type in _SETS or side.start + len(side.text or side.items or ()) != side.size)
        for side in (left, right)
    )


def _aligned(
    own: Sequence[Value], others: Sequence[Value], left: Value, right: Value
) -> list[tuple[int | None, int | None]]:
    """Return which items of two sequences belong together: by index if they are equally long, else by likeness."""
    is_whole = left.size is None and right.size is None and not left.start and not right.start
    if is_whole and len(own) != len(others) and len(own) * len(others) <= _MAX_ALIGNED:
        texts = [[python_text(item, 2_000) for item in items] for items in (own, others)]
        return _aligned_texts(texts[0], texts[1])
    # Without what lies between the two, which may be as far apart as a client says.
    indices = {*range(left.start, left.start + len(own)), *range(right.start, right.start + len(others))}
    pairs = [(index - left.start, index - right.start) for index in sorted(indices)]
    return [(a if 0 <= a < len(own) else None, b if 0 <= b < len(others) else None) for a, b in pairs]


def _aligned_texts(left: Sequence[str], right: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Return the positions in both sequences that belong together, None on the side that has nothing."""
    pairs: list[tuple[int | None, int | None]] = []
    for _, a, a_end, b, b_end in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        pairs += zip_longest(range(a, a_end), range(b, b_end))
    return pairs


def _is_same_leaf(left: Value, right: Value) -> bool:
    if left.text is None or right.text is None or not (left.is_leaf and right.is_leaf):
        return False
    if left.text == right.text:
        return left.type == right.type or not left.type or not right.type
    if left.type not in _NUMBERS or right.type not in _NUMBERS:
        return False
    flags = {"True": "1", "False": "0"}
    own, other = (flags.get(text, text).replace("_", "") for text in (left.text, right.text))
    # Exactly: as floats, neighbours among large integers are the same.
    return bool(_DECIMAL.fullmatch(own) and _DECIMAL.fullmatch(other)) and Decimal(own) == Decimal(other)
