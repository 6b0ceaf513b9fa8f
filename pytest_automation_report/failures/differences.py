"""Find the paths at which two values differ, and the characters at which two strings do."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct, field

from pytest_automation_report.failures.values import Value, shortened, text_of

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
_NUMBER: Final = re.compile(r"-?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?")
_NUMBERS: Final = frozenset({"int", "float", "bool"})
_SETS: Final = frozenset({"set", "frozenset"})


class Difference(Struct, frozen=True):
    """A path at which two values differ, as Python would write it: ``['berth']['each']``, empty for the whole value.

    A side is None if it has no such part.
    """

    path: str
    left: Value | None
    right: Value | None


class Differences(Struct, frozen=True):
    """The paths at which two values differ, and the number of parts that are equal.

    ``more`` counts differences beyond `MAX_ROWS`. ``is_complete`` is False if parts of a value were left out before.
    """

    rows: tuple[Difference, ...]
    equal_count: int = 0
    more: int = 0
    is_complete: bool = True


class _Collector(Struct):
    """Rows and counts of one comparison."""

    rows: list[Difference] = field(default_factory=list)
    equal_count: int = 0
    is_complete: bool = True

    def add(self, path: str, left: Value | None, right: Value | None) -> None:
        self.rows.append(Difference(path, left, right))


def differences(left: Value, right: Value) -> Differences:
    """Return where two values differ."""
    collector = _Collector()
    _compare("", left, right, collector)
    rows = collector.rows
    return Differences(
        tuple(rows[:MAX_ROWS]), collector.equal_count, max(0, len(rows) - MAX_ROWS), collector.is_complete
    )


def marked(left: str, right: str) -> tuple[Segments, Segments]:
    """Return two texts in pieces, those marked that differ; a whole text if nothing worth mentioning is equal."""
    if len(left) > _MAX_MARKED or len(right) > _MAX_MARKED:
        return _between_ends(left, right)
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size >= _LEAST_EQUAL or not block.size]
    kept = _at_ends(blocks, left, right)
    if sum(size for _, _, size in kept) * 3 < max(len(left), len(right)):
        return ((left, True),) if left else (), ((right, True),) if right else ()
    return _pieces(left, [(start, size) for start, _, size in kept]), _pieces(
        right, [(start, size) for _, start, size in kept]
    )


def _at_ends(blocks: Sequence[tuple[int, int, int]], left: str, right: str) -> list[tuple[int, int, int]]:
    """Return the equal blocks that are kept: those of several characters, and short ones at both ends."""
    kept = [(a, b, size) for a, b, size in blocks if size]
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


def _between_ends(left: str, right: str) -> tuple[Segments, Segments]:
    """Return two long texts with everything marked between their equal beginning and their equal end."""
    limit = min(len(left), len(right))
    start = next((place for place in range(limit) if left[place] != right[place]), limit)
    rest = limit - start
    end = next((place for place in range(rest) if left[-1 - place] != right[-1 - place]), rest)
    return (_pieces(left, [(0, start), (len(left) - end, end)]), _pieces(right, [(0, start), (len(right) - end, end)]))


def _compare(path: str, left: Value, right: Value, out: _Collector) -> None:
    """Add the differences of two values, or count them as equal."""
    before = len(out.rows)
    out.is_complete &= not _may_differ_elsewhere(left, right)
    if left.entries is not None and right.entries is not None:
        sides = [((text_of(key, _KEY_LENGTH), entry) for key, entry in side) for side in (left.entries, right.entries)]
        _compare_named(lambda name: f"{path}[{shortened(name, _PATH_LENGTH)}]", sides[0], sides[1], out)
    elif left.fields is not None and right.fields is not None and left.type == right.type:
        _compare_named(lambda name: f"{path}.{name}", left.fields, right.fields, out)
    elif left.items is not None and right.items is not None and (left.type in _SETS) == (right.type in _SETS):
        if left.type in _SETS:
            sides = [((text_of(item, _KEY_LENGTH), item) for item in side) for side in (left.items, right.items)]
            _compare_named(lambda _: f"{path}{{…}}", sides[0], sides[1], out)
        else:
            _compare_items(path, left, right, out)
        if len(out.rows) == before and left.type != right.type:
            out.add(path, left, right)
    elif left.type == right.type == "str" and "\n" in f"{left.text}{right.text}":
        _compare_lines(path, left, right, out)
    elif left.is_unknown and right.is_unknown and left.type == right.type:
        # They may differ or not.
        out.is_complete = False
    elif not _is_same_leaf(left, right):
        out.add(path, left, right)
    else:
        out.equal_count += 1


def _may_differ_elsewhere(left: Value, right: Value) -> bool:
    """Return whether parts were left out that may differ.

    Clients leave out the equal beginning of two long lists or texts: what stands before a common start is equal.
    """
    if left.start != right.start:
        return True
    return any(
        side.size is not None and (side.type in _SETS or side.start + len(side.text or side.items or ()) != side.size)
        for side in (left, right)
    )


def _child(path: str, left: Value, right: Value, out: _Collector) -> None:
    """Compare two parts; an equal part counts once, however many parts it has itself."""
    rows, equal_count, is_complete = len(out.rows), out.equal_count, out.is_complete
    out.is_complete = True
    _compare(path, left, right, out)
    is_whole, out.is_complete = out.is_complete, out.is_complete and is_complete
    if len(out.rows) == rows and is_whole:
        out.equal_count = equal_count + 1


def _compare_named(
    path_of: Callable[[str], str],
    left: Iterable[tuple[str, Value]],
    right: Iterable[tuple[str, Value]],
    out: _Collector,
) -> None:
    """Compare parts with the same name; of large dicts and sets only parts that both sides have are left out."""
    own, others = dict(left), dict(right)
    for name, part in own.items():
        if name in others:
            _child(path_of(name), part, others[name], out)
        else:
            out.add(path_of(name), part, None)
    for name, part in others.items():
        if name not in own:
            out.add(path_of(name), None, part)


def _compare_items(path: str, left: Value, right: Value, out: _Collector) -> None:
    own, others = left.items or (), right.items or ()
    for a, b in _aligned(own, others, left, right):
        if a is None:
            index = (b or 0) + right.start
            if left.size is None or index >= left.size:
                out.add(f"{path}[{index}]", None, others[b or 0])
        elif b is None:
            index = a + left.start
            if right.size is None or index >= right.size:
                out.add(f"{path}[{index}]", own[a], None)
        else:
            _child(f"{path}[{a + left.start}]", own[a], others[b], out)


def _aligned(
    own: Sequence[Value], others: Sequence[Value], left: Value, right: Value
) -> list[tuple[int | None, int | None]]:
    """Return which items of two sequences belong together: by index if they are equally long, else by likeness."""
    is_whole = left.size is None and right.size is None and not left.start and not right.start
    if is_whole and len(own) != len(others) and len(own) * len(others) <= _MAX_ALIGNED:
        texts = [[text_of(item, 2_000) for item in items] for items in (own, others)]
        return _aligned_texts(texts[0], texts[1])
    # Without what lies between the two, which may be as far apart as a client says.
    indices = {*range(left.start, left.start + len(own)), *range(right.start, right.start + len(others))}
    pairs = [(index - left.start, index - right.start) for index in sorted(indices)]
    return [(a if 0 <= a < len(own) else None, b if 0 <= b < len(others) else None) for a, b in pairs]


def _aligned_texts(left: Sequence[str], right: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Return the positions in both sequences that belong together, None on the side that has nothing."""
    pairs: list[tuple[int | None, int | None]] = []
    for _, a, a_end, b, b_end in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        pairs += [
            (a + step if a + step < a_end else None, b + step if b + step < b_end else None)
            for step in range(max(a_end - a, b_end - b))
        ]
    return pairs


def _compare_lines(path: str, left: Value, right: Value, out: _Collector) -> None:
    own, others = (left.text or "").split("\n"), (right.text or "").split("\n")
    if len(own) * len(others) > _MAX_ALIGNED * 4:
        out.add(path, left, right)
        return
    for a, b in _aligned_texts(own, others):
        number = (a if a is not None else b or 0) + 1
        if a is None or b is None or own[a] != others[b]:
            out.add(
                f"{path} line {number}".strip(),
                None if a is None else Value("str", own[a]),
                None if b is None else Value("str", others[b]),
            )
        else:
            out.equal_count += 1


def _is_same_leaf(left: Value, right: Value) -> bool:
    if left.text is None or right.text is None or not (left.is_leaf and right.is_leaf):
        return False
    if left.text == right.text:
        return left.type == right.type or not left.type or not right.type
    if left.type in _NUMBERS and right.type in _NUMBERS:
        numbers = [{"True": 1.0, "False": 0.0}.get(side.text or "") for side in (left, right)]
        for position, side in enumerate((left, right)):
            if numbers[position] is None and _NUMBER.fullmatch(side.text or ""):
                numbers[position] = float((side.text or "").replace("_", ""))
        return numbers[0] is not None and numbers[0] == numbers[1]
    return False
