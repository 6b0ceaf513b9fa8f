"""Capture the two sides of a failed comparison as trees of plain values.

pytest calls its hook for each comparison of an assert that fails, also where a test expects the failure. So a capture
is bounded to 0.5 ms, reads values without the code of their classes, and keeps no reference to them: tests may count
references.
"""

from __future__ import annotations

from enum import Enum
from itertools import chain, islice
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pytest_automation_report.text.visible import FILLER, common_length, mark_fillers, mask_spans, runs, unmasked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_automation_report.text.redaction import TextCleaner


Node: TypeAlias = "dict[str, Any]"
"""A value as the extension ``comparison`` has it; `docs/api.md` describes the members."""

Nodes: TypeAlias = "tuple[Node, Node]"
Sides: TypeAlias = "tuple[str, Node, Node]"
"""Operator, left side and right side."""

_MAX_NODES: Final = 100  # of both sides together
_MAX_PARTS: Final = 40  # of one container
_MAX_DEPTH: Final = 8
_MAX_ITEMS: Final = 2000  # of a set, for its items to be shown
_ITEMS_AT_ONCE: Final = 100
_MAX_SCANNED: Final = 700  # pairs of values that are compared to find the parts that differ
_MAX_TEXT: Final = 400  # of a text within a container, in characters
_MAX_WHOLE_TEXT: Final = 6000  # of a text that is a side itself
_MAX_BYTES: Final = 1000  # of binary data
_CONTEXT: Final = 3  # equal items before the first one that differs
_TEXT_CONTEXT: Final = 80  # equal characters before the first one that differs
# Half of a secret may not be recognised: a cut text is redacted with a margin, which is cut off then. It has room for
# a private key.
_MARGIN: Final = 4096
_MAX_BITS: Final = 4096  # of a number: Python refuses to write a very long one
_MAX_COMPARED: Final = 1 << 20  # characters of a text in which the first difference is looked for

_LEAVES: Final = frozenset({str, bytes, int, float, complex, bool, type(None)})
_REPRESENTED: Final = frozenset({float, complex, bool, type(None)})
# Modules of the standard library whose classes have short representations without code of users.
_SAFE_MODULES: Final = frozenset({"datetime", "decimal", "fractions", "uuid", "ipaddress", "pathlib", "pathlib._local"})
_PLAIN_HASHES: Final = (str.__hash__, int.__hash__, object.__hash__, Enum.__hash__)
_PLAIN_COMPARISONS: Final = (str.__eq__, int.__eq__, object.__eq__)
_CONTAINERS: Final[tuple[Any, ...]] = (dict, list, tuple, set, frozenset)
# A leaf of these types is written as it is, one of another type between quotes.
_UNQUOTED: Final = frozenset({"int", "float", "complex", "bool", "NoneType", "bytes", "bytearray"})
_BRACKETS: Final = {"items": ("[", "]"), "entries": ("{", "}"), "fields": ("", ")")}
# Members whose value is the name of what stands beside it as one of the others.
_NAMING: Final = ("name", "key", "field", "label")
_VALUES: Final = frozenset({"value", "content"})
# Stands between texts that are no lines of one list.
_BREAK: Final = "\x02"
_MISSING: Final = object()


def captured_sides(operator: str, left: object, right: object) -> Sides:
    """Return a comparison as trees; of large sides of ``==`` the parts that differ."""
    capture = _Capture()
    if operator == "==":
        return operator, *capture.pair(left, right)
    return operator, capture.single(left), capture.single(right)


def clean_comparison(sides: Sides, cleaner: TextCleaner) -> Node | None:
    """Return a captured comparison without secrets, as the extension has it; None if the captured sides are equal."""
    operator, left, right = sides
    if operator == "==" and left == right:
        return None
    text = _Written(operator, left, right, cleaner)
    return {"operator": operator, "left": text.cleaned(left), "right": text.cleaned(right)}


class _Capture:
    __slots__ = ("characters", "nodes", "scans")

    def __init__(self) -> None:
        self.nodes = _MAX_NODES
        self.characters = 2 * _MAX_WHOLE_TEXT
        self.scans = _MAX_SCANNED

    def pair(self, left: Any, right: Any, depth: int = 0) -> Nodes:  # noqa: ANN401 - values of any class
        """Return two values that stand at the same place; an equal part is left out of both or of neither."""
        nodes: Nodes | None = None
        if depth < _MAX_DEPTH:
            is_one_class = type(left) is type(right)
            own, others = (_fields(left), _fields(right)) if is_one_class else (None, None)
            bases = {_base(type(left)), _base(type(right))}
            if is_one_class and type(left) is str:
                nodes = self._texts(left, right, depth)
            elif own is not None and others is not None:
                nodes = self._named("fields", (left, right), own, others, depth)
            elif is_one_class and bases <= {list, tuple}:
                nodes = self._items(left, right, depth)
            elif bases == {dict}:
                nodes = self._named("entries", (left, right), left, right, depth)
            elif bases <= {set, frozenset}:
                nodes = self._sets(left, right, depth)
        return (self.single(left, depth), self.single(right, depth)) if nodes is None else nodes

    def single(self, value: Any, depth: int = 0) -> Node:  # noqa: ANN401 - values of any class
        """Return one value with its first parts."""
        self.nodes -= 1
        kind = type(value)
        node: Node = {"type": _name(kind)}
        text = _leaf_text(value)
        if text is not None:
            is_cut = kind in (bytes, bytearray) and len(value) > _MAX_BYTES
            self._set_text(node, text, 0, depth, len(repr(value[:_MAX_BYTES])) - 1 if is_cut else _MAX_WHOLE_TEXT)
            if is_cut:
                node["size"] = len(value)
        elif depth < _MAX_DEPTH:
            fields, base = _fields(value), _base(kind)
            if fields is not None:
                self._set_parts(node, "fields", fields.items(), len(fields), depth)
            elif base is dict:
                self._set_parts(node, "entries", dict.items(value), dict.__len__(value), depth)
            elif base is not None:
                self._set_parts(node, "items", base.__iter__(value), base.__len__(value), depth)
                if base in (set, frozenset):
                    node["items"].sort(key=_order)
        return node

    def _set_parts(self, node: Node, name: str, parts: Iterable[Any], size: int, depth: int) -> None:
        """Add the first parts of a container: items, or pairs of a name or key and a value."""
        nodes: list[Any] = []
        for part in islice(parts, _MAX_PARTS):
            if self.nodes <= 0:
                break
            if name == "items":
                nodes.append(self.single(part, depth + 1))
            else:
                key = part[0] if name == "fields" else self.single(part[0], depth + 1)
                nodes.append([key, self.single(part[1], depth + 1)])
        _add(node, name, nodes, size)

    def _texts(self, left: str, right: str, depth: int) -> Nodes:
        """Return two texts; of long ones what begins a little before the first difference."""
        self.nodes -= 2
        start = 0
        if max(len(left), len(right)) > (_MAX_TEXT if depth else _MAX_WHOLE_TEXT):
            start = max(0, common_length(left[:_MAX_COMPARED], right[:_MAX_COMPARED]) - _TEXT_CONTEXT)
        nodes: Nodes = {"type": "str"}, {"type": "str"}
        for node, text in zip(nodes, (left, right), strict=True):
            self._set_text(node, text, start, depth)
        return nodes

    def _set_text(self, node: Node, text: str, start: int, depth: int, room: int = _MAX_WHOLE_TEXT) -> None:
        """Add a text, or the part of it from ``start`` on that there is room for."""
        room = min(_MAX_TEXT if depth else room, self.characters)
        end = min(len(text), start + room)
        self.characters -= end - start
        if end - start == len(text):
            node["text"] = text
            return
        # How many more characters there are at both ends: `_Written` cuts them off after redaction.
        before, after = min(start, _MARGIN), min(len(text) - end, _MARGIN)
        node |= {"text": text[start - before : end + after], "size": len(text), "margins": (before, after)}
        if start:
            node["start"] = start

    def _items(self, left: Any, right: Any, depth: int) -> Nodes:  # noqa: ANN401 - lists or tuples
        """Return two lists; of long ones what begins a little before the first difference."""
        base = _base(type(left))
        sides, sizes = (left, right), (base.__len__(left), base.__len__(right))
        start = 0
        if max(sizes) > _MAX_PARTS:
            start = max(0, self._first_difference(base, left, right, min(sizes)) - _CONTEXT)
        self.nodes -= 2
        lists: tuple[list[Node], list[Node]] = [], []
        for index in range(start, min(max(sizes), start + _MAX_PARTS)):
            if self.nodes <= 0:
                break
            both = zip(sides, sizes, strict=True)
            values = [base.__getitem__(side, index) if index < size else _MISSING for side, size in both]
            self._add_pair(values, lists, None, depth)
        return _both(sides, "items", lists, sizes, start)

    def _first_difference(self, base: Any, left: Any, right: Any, size: int) -> int:  # noqa: ANN401 - lists or tuples
        """Return the index of the first items that are not certainly equal, ``size`` if all items before it are."""
        for start in range(0, size, _ITEMS_AT_ONCE):
            stretch = slice(start, start + _ITEMS_AT_ONCE)
            own, others = base.__getitem__(left, stretch), base.__getitem__(right, stretch)
            # Compared at once, which takes a fifth of the time, if no code of users can run.
            if self.scans > 0 and _LEAVES.issuperset(map(type, chain(own, others))) and own == others:
                self.scans -= _ITEMS_AT_ONCE // 5
                continue
            for index, pair in enumerate(zip(own, others, strict=False), start):
                if not self._is_equal(*pair):
                    return index
        return size

    def _named(
        self, name: str, sides: Sequence[object], left: dict[Any, Any], right: dict[Any, Any], depth: int
    ) -> Nodes | None:
        """Return two dicts, or two objects by their fields; None if a key has code of users, which `dict.get` calls."""
        parts = [*chain(*(islice(dict.__iter__(side), _MAX_SCANNED) for side in (left, right)))]
        if not all(map(_is_plain, parts)):
            return None
        keys = list(dict.fromkeys(parts))
        if len(keys) > _MAX_PARTS:
            keys = [key for key in keys if not self._has_equal(left, right, key)]
        self.nodes -= 2
        lists: tuple[list[Any], list[Any]] = [], []
        for key in keys[:_MAX_PARTS]:
            if self.nodes <= 0:
                break
            label = key if name == "fields" else self.single(key, depth + 1)
            values = [dict.get(side, key, _MISSING) for side in (left, right)]
            self._add_pair(values, lists, label, depth)
        return _both(sides, name, lists, (dict.__len__(left), dict.__len__(right)))

    def _add_pair(self, values: Sequence[object], lists: Sequence[list[Any]], label: object, depth: int) -> None:
        """Add the values of both sides at one place to their lists, with its label; `_MISSING` stands for none."""
        if _MISSING is values[0] or _MISSING is values[1]:
            nodes = [None if value is _MISSING else self.single(value, depth + 1) for value in values]
        else:
            nodes = [*self.pair(values[0], values[1], depth + 1)]
        for node, parts in zip(nodes, lists, strict=True):
            if node is not None:
                parts.append(node if label is None else [label, node])

    def _sets(self, left: Any, right: Any, depth: int) -> Nodes | None:  # noqa: ANN401 - sets
        """Return two sets, first the items that one of them lacks; None if an item has code of users."""
        sides, sizes = [], []
        for side in (left, right):
            base = _base(type(side))
            items = [*islice(base.__iter__(side), _MAX_ITEMS)]
            if not all(map(_is_plain, items)):
                return None
            sides.append(set(items))
            sizes.append(base.__len__(side))
        self.nodes -= 2
        lists: tuple[list[Node], list[Node]] = [], []
        if max(sizes) <= _MAX_ITEMS:
            for item in islice(chain(sides[0] ^ sides[1], sides[0] & sides[1]), _MAX_PARTS):
                if self.nodes <= 0:
                    break
                node = self.single(item, depth + 1)
                for side, items in zip(sides, lists, strict=True):
                    if item in side:
                        items.append(node)
        return _both((left, right), "items", [sorted(items, key=_order) for items in lists], sizes)

    def _has_equal(self, left: dict[Any, Any], right: dict[Any, Any], key: object) -> bool:
        values = dict.get(left, key, _MISSING), dict.get(right, key, _MISSING)
        return values[0] is not _MISSING and values[1] is not _MISSING and self._is_equal(*values)

    def _is_equal(self, left: Any, right: Any) -> bool:  # noqa: ANN401 - values of any class
        """Return whether two values are certainly equal; classes that are not built in are not asked."""
        self.scans -= 1
        kind = type(left)
        if left is right:
            return True
        if self.scans <= 0 or kind is not type(right):
            return False
        if kind in _LEAVES:
            return bool(left == right)
        if kind is list or kind is tuple:
            return len(left) == len(right) and all(map(self._is_equal, left, right))
        if kind is dict:
            is_same_size = len(left) == len(right) and all(map(_is_plain, chain(left, right)))
            return is_same_size and all(self._has_equal(left, right, key) for key in left)
        return False


def _both(
    sides: Sequence[object], name: str, lists: Sequence[list[Any]], sizes: Sequence[int], start: int = 0
) -> Nodes:
    """Return the nodes of two containers with these parts of them, which begin at ``start``."""
    nodes: Nodes = {"type": _name(type(sides[0]))}, {"type": _name(type(sides[1]))}
    for node, parts, size in zip(nodes, lists, sizes, strict=True):
        _add(node, name, parts, size)
        if start:
            node["start"], node["size"] = start, size
    return nodes


def _add(node: Node, name: str, parts: list[Any], size: int) -> None:
    node[name] = parts
    if len(parts) < size:
        node["size"] = size


def _order(node: Node) -> tuple[str, str]:
    return node["type"], node.get("text", "")


def _base(kind: type) -> Any:  # noqa: ANN401 - one of the classes above
    """Return the built-in container that a class derives from, None for any other class."""
    for base in _CONTAINERS:
        if issubclass(kind, base):
            return base
    return None


def _of_class(kind: type, name: str) -> Any:  # noqa: ANN401 - whatever a class has
    """Return an attribute of a class without its metaclass, None if it has none."""
    try:
        return type.__getattribute__(kind, name)
    except AttributeError:
        return None


def _name(kind: type) -> str:
    name = _of_class(kind, "__name__")
    return name if type(name) is str else "object"


def _is_plain(key: object) -> bool:
    """Whether to hash and compare a key certainly calls no code of users."""
    kind = type(key)
    if kind is tuple:
        return all(map(_is_plain, tuple.__iter__(key)))  # type: ignore[arg-type]
    return kind in _LEAVES or (
        _of_class(kind, "__hash__") in _PLAIN_HASHES and _of_class(kind, "__eq__") in _PLAIN_COMPARISONS
    )


def _leaf_text(value: Any) -> str | None:  # noqa: ANN401 - values of any class
    """Return the text of a value without parts, None for any other."""
    kind = type(value)
    if kind in _REPRESENTED:
        return repr(value)
    if kind is int:
        return repr(value) if value.bit_length() <= _MAX_BITS else None
    if kind is bytes or kind is bytearray:
        return repr(value[: _MAX_BYTES + _MARGIN])
    if issubclass(kind, str):
        return str.__getitem__(value, slice(None))
    module = _of_class(kind, "__module__")
    if type(module) is str and module in _SAFE_MODULES:
        # A zone of users has a representation of users.
        zone = getattr(value, "tzinfo", None) if module == "datetime" else None
        is_safe = zone is None or _of_class(type(zone), "__module__") in ("datetime", "zoneinfo")
        return repr(value) if is_safe else None
    return f"{_name(kind)}.{object.__getattribute__(value, '_name_')}" if issubclass(kind, Enum) else None


def _fields(value: Any) -> dict[str, object] | None:  # noqa: ANN401 - values of any class
    """Return the compared fields of a dataclass, an attrs class or a named tuple; None for any other class."""
    kind = type(value)
    if kind in _LEAVES or issubclass(kind, type):
        return None
    declared = _of_class(kind, "__dataclass_fields__")
    if type(declared) is dict:
        return _members(value, [name for name, field in declared.items() if getattr(field, "compare", True)])
    attributes = _of_class(kind, "__attrs_attrs__")
    if attributes is not None and issubclass(type(attributes), tuple):
        return _members(value, [attribute.name for attribute in attributes if attribute.eq])
    names = _of_class(kind, "_fields")
    if issubclass(kind, tuple) and type(names) is tuple:
        return dict(zip(names, tuple.__iter__(value), strict=False))
    return None


def _members(value: object, names: Sequence[str]) -> dict[str, object]:
    """Return attributes of an object from where they are stored, so that no property of its class is called."""
    try:
        stored = object.__getattribute__(value, "__dict__")
    except AttributeError:
        stored = {}
    members: dict[str, object] = {}
    for name in names:
        slot = _of_class(type(value), name)
        if name in stored:
            members[name] = stored[name]
        elif type(slot) is MemberDescriptorType:
            try:
                members[name] = slot.__get__(value)
            except AttributeError:
                continue  # not set
    return members


class _Written:
    """Both sides as one text: what is hidden at the places of a leaf is hidden in the leaf."""

    def __init__(self, operator: str, left: Node, right: Node, cleaner: TextCleaner) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._has_margins = False
        self._places: dict[int, list[tuple[int, int]]] = {}
        # Leaves with more than a word are also written as they are: lists as lines, and a break around all others.
        self._lines: list[Node | None] = []
        self._write(left, is_root=True)
        self._add(f"\n{operator}\n")
        self._write(right, is_root=True)
        for node in self._lines:
            self._add("\n")
            if node is None:
                self._add(_BREAK)
            else:
                self._write(node, is_root=True)
        self._text = "".join(self._pieces)
        self._mask = cleaner.masked(self._text)
        # Nearly all comparisons hide nothing, and few have a text that was cut.
        self._is_unchanged = FILLER not in self._mask and not self._has_margins

    def _add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)

    def _write(self, node: Node, *, is_root: bool = False) -> None:
        """Write a node as `repr` would, and a text that is a side as it is."""
        if "text" in node:
            is_plain = is_root or node["type"] in _UNQUOTED
            written, edge = (node["text"], 0) if is_plain else (repr(node["text"]), 1)
            place = (self._length + edge, self._length + len(written) - edge)
            self._places.setdefault(id(node), []).append(place)
            self._has_margins |= "margins" in node
            self._add(written)
            if not is_plain and not node["text"].isalnum():
                self._lines.append(node)
            return
        for member, (opening, closing) in _BRACKETS.items():
            if member in node:
                self._add(f"{node['type']}(" if member == "fields" else opening)
                self._break()
                self._write_parts(member, node[member])
                self._break()
                self._add(closing)

    def _break(self) -> None:
        if self._lines and self._lines[-1] is not None:
            self._lines.append(None)

    def _write_parts(self, member: str, parts: list[Any]) -> None:
        """Write items, entries or fields; one may name another one, as `name='DB_PASSWORD', value='x'`."""
        named = dict(zip(map(_label, parts), parts, strict=True)) if member != "items" else {}
        naming = [named[label][1]["text"] for label in _NAMING if label in named and "text" in named[label][1]]
        for number, part in enumerate(parts):
            self._add(", " if number else "")
            if member == "fields":
                self._add(f"{part[0]}=")
            elif member == "entries":
                self._write(part[0])
                self._break()
                self._add(": ")
            if naming and _label(part) in _VALUES:
                self._add(f"{naming[0]!r}: ")
            self._write(part if member == "items" else part[1])

    def cleaned(self, node: Node) -> Node:
        """Return a node without secrets."""
        if self._is_unchanged:
            return node
        node = {member: part for member, part in node.items() if member != "margins"} | self._clean_text(node)
        for member in _BRACKETS.keys() & node.keys():
            if member == "items":
                node[member] = [self.cleaned(item) for item in node[member]]
            else:
                node[member] = [
                    [name if member == "fields" else self.cleaned(name), self.cleaned(part)]
                    for name, part in node[member]
                ]
        return node

    def _clean_text(self, node: Node) -> Node:
        if "text" not in node:
            return {}
        text = node["text"]
        mask = unmasked(text)
        # Last come the places at which it is written as it is.
        for start, end in reversed(self._places[id(node)]):
            place = self._mask[start:end]
            if len(place) == len(text):
                mask = mask_spans(mask, runs(place))
            # Of a text with escapes the positions differ.
            elif mark_fillers(self._text[start:end], place) != repr(mark_fillers(text, mask))[1:-1]:
                mask = FILLER * len(text)
        before, after = node.get("margins", (0, 0))
        shown = slice(before, len(text) - after)
        return {"text": mark_fillers(text[shown], mask[shown])}


def _label(part: Any) -> str:  # noqa: ANN401 - a name or a node, and a node
    """Return the lowered name of an entry or a field."""
    label = part[0] if type(part[0]) is str else part[0].get("text", "")
    return str(label).lower()
