"""Hold a value of a test as a tree, read it from the text that ``repr`` wrote, and find the paths at which two differ.

A representation is read as an expression of Python. What is no code, as ``<Color.RED: 1>``, gets a name in its place.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Final

from msgspec import Struct

# More than a field of a result can have.
_MAX_CHARACTERS: Final = 20_000
_MAX_DEPTH: Final = 60
# Objects whose representation is a call around one container: the container is what differs.
_WRAPPERS: Final = frozenset(
    {"OrderedDict", "defaultdict", "Counter", "mappingproxy", "deque", "frozenset", "set", "dict", "list", "tuple"}
)
OPERATORS: Final = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.In: "in", ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip

# Strings stay; objects, numbers with what follows them, and dotted names become names. Chains that no value has are
# refused here: each link is a level of the syntax tree, and Python 3.13 crashes at some 4,000 levels in a thread with a
# stack of 1 MB, as on Alpine Linux.
_PART: Final = re.compile(
    r"""
    (?P<string>(?<!\w)[bBrRuU]{0,2}(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
    |(?<!\w)<(?=[^\W\d])[^<>\n]{1,1000}(?:<[^<>\n]{0,200}>[^<>\n]{0,1000}){0,8}>
    |(?<![\w.])(?:\.?[0-9]|[^\w\s()\[\]{},:=.<>!'"\\])(?:[^\s()\[\]{},:=.<>!'"]|\.(?!\.))*
    (?:[ ](?!\.\.\.|(?:and|else|if|in|is|not|or)\b)[^\s()\[\]{},:=<>!'"]+)*
    |(?<![\w.])[^\W\d]\w*(?:\.\w+)+
    |(?P<refused>['".]|(?<=\w)[-+*/%@&|^~]|[)\]}]\s*[(\[]|\bnot\s+not\b)
    """,
    re.VERBOSE,
)
_NUMBER: Final = re.compile(
    r"-?(?:0[xX][0-9a-fA-F]+|(?:[0-9][0-9_]*)?(?P<float>\.[0-9_]*)?(?P<power>[eE][+-]?[0-9]+)?)j?"
)
_DOTTED: Final = re.compile(r"[^\W\d][\w.]*")
_NAMED: Final = re.compile(r"\b_[0-9]+_\b")


class Value(Struct, frozen=True):
    """One value: a leaf with its text, or a container with its parts.

    ``type`` is the name of its class, empty if not known. ``text`` is a string's own characters, and the representation
    of every other leaf. ``size`` is the whole number of items, entries or characters if parts were left out; ``start``
    is the index of the first one that is there.
    """

    type: str
    text: str | None = None
    items: tuple[Value, ...] | None = None
    entries: tuple[tuple[Value, Value], ...] | None = None
    fields: tuple[tuple[str, Value], ...] | None = None
    size: int | None = None
    start: int = 0

    @property
    def is_leaf(self) -> bool:
        """Whether the value has no parts."""
        return self.items is None and self.entries is None and self.fields is None

    @property
    def is_unknown(self) -> bool:
        """Whether nothing but the class of the value is known."""
        return self.is_leaf and self.text is None


class Comparison(Struct, frozen=True):
    """A comparison that failed: ``left operator right``."""

    operator: str
    left: Value
    right: Value


class _UnreadableError(Exception):
    """The text is cut, or is no representation of a value."""


def read_value(text: str) -> Value | None:
    """Return the value that a representation stands for; None if the text is cut, too long or no representation."""
    try:
        reader = _Reader(text)
        return reader.value(reader.root)
    except _UnreadableError:
        return None


def read_comparison(text: str) -> Comparison | None:
    """Return ``left operator right``; None if one side of it cannot be read."""
    try:
        reader = _Reader(text)
        root = reader.root
        # pytest shortens a long representation in its middle, which cannot be seen from the outside of a string.
        if reader.is_shortened or not isinstance(root, ast.Compare) or len(root.ops) > 1:
            return None
        return Comparison(OPERATORS[type(root.ops[0])], reader.value(root.left), reader.value(root.comparators[0]))
    except _UnreadableError:
        return None


def shortened(text: str, length: int) -> str:
    """Return a text, cut to this many characters with an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def python_text(value: Value, limit: int = 300) -> str:
    """Return a value as Python would write it, cut to about ``limit`` characters."""
    parts: list[str] = []
    _write(value, parts, limit)
    text = "".join(parts)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _write(value: Value, parts: list[str], limit: int) -> None:
    if sum(map(len, parts)) > limit:
        return
    if value.entries is not None:
        entries = [(f"{python_text(key, limit)}: ", entry) for key, entry in value.entries[:limit]]
        _write_all("{", "}", entries, value, parts, limit)
    elif value.fields is not None:
        fields = [(f"{name}=", entry) for name, entry in value.fields[:limit]]
        _write_all(f"{value.type}(", ")", fields, value, parts, limit)
    elif value.items is not None:
        opening, closing = {"set": ("{", "}"), "tuple": ("(", ")")}.get(value.type, ("[", "]"))
        if value.type == "tuple" and len(value.items) == 1:
            closing = ",)"
        _write_all(opening, closing, [("", item) for item in value.items[:limit]], value, parts, limit)
    elif value.text is None:
        parts.append(f"<{value.type}>")
    else:
        text = repr(value.text[: limit + 1]) if value.type == "str" else value.text
        parts.append(f"{'…' if value.start else ''}{text}{'…' if _has_more(value, len(value.text)) else ''}")


def _write_all(
    opening: str, closing: str, members: list[tuple[str, Value]], value: Value, parts: list[str], limit: int
) -> None:
    parts.append(f"{opening}…, " if value.start else opening)
    for number, (prefix, member) in enumerate(members):
        parts.append(f"{', ' if number else ''}{prefix}")
        _write(member, parts, limit)
    parts.append(f", …{closing}" if _has_more(value, len(members)) else closing)


def _has_more(value: Value, length: int) -> bool:
    """Whether parts after the last one were left out."""
    return value.size is not None and value.size > value.start + length


class _Reader:
    """Read a representation as the syntax tree of an expression; raises `_UnreadableError` for any other text."""

    def __init__(self, text: str) -> None:
        if len(text) > _MAX_CHARACTERS:
            raise _UnreadableError
        self.is_shortened = False
        self._parts: dict[str, str] = {}
        source = _PART.sub(self._named, text).replace("\n", " ").strip()
        try:
            self._source = source.encode()  # a node has its place in bytes
            with warnings.catch_warnings():
                # An escape that Python does not know is no concern of the server.
                warnings.simplefilter("ignore")
                self.root = ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            raise _UnreadableError from error

    def _named(self, part: re.Match[str]) -> str:
        """Return a string as it is, and a name for what is no code."""
        # At once: to look for the end of a string again and again would take quadratic time.
        if part["refused"] is not None:
            raise _UnreadableError
        self.is_shortened |= "..." in part[0]
        if part["string"] is not None:
            return part[0]
        name = f"_{len(self._parts)}_"
        self._parts[name] = part[0]
        return name

    def _text(self, node: ast.expr) -> str:
        source = self._source[node.col_offset : node.end_col_offset].decode()
        return _NAMED.sub(lambda name: self._parts.get(name[0], name[0]), source)

    def value(self, node: ast.expr, depth: int = 0) -> Value:
        """Return the value of a node, which is ``depth`` containers deep."""
        if depth > _MAX_DEPTH:
            raise _UnreadableError
        match node:
            case ast.Constant(value=str(text)):
                return Value("str", text)
            case ast.Constant(value=bytes() | bool() | None as constant):
                return Value(type(constant).__name__, repr(constant))
            case ast.Dict(keys=keys, values=values) if None not in keys:
                pairs = zip(keys, values, strict=True)
                entries = tuple(
                    (self.value(key, depth + 1), self.value(value, depth + 1)) for key, value in pairs if key
                )
                return Value("dict", entries=entries)
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return Value(type(node).__name__.lower(), items=tuple(self.value(item, depth + 1) for item in items))
            case ast.Name():  # also an object, or a number
                text = self._text(node)
                type_name = ""
                if number := _NUMBER.fullmatch(text):
                    type_name = "float" if number["float"] or number["power"] else "int"
                return Value(type_name, text)
            case ast.Call(func=function) if _DOTTED.fullmatch(self._text(function)):
                return self._call(node, depth)
        raise _UnreadableError

    def _call(self, node: ast.Call, depth: int) -> Value:
        """Return ``Name(...)``: an object with fields, a container with a name, or a leaf."""
        name = self._text(node.func).rpartition(".")[2]
        fields = tuple((each.arg or "", self.value(each.value, depth + 1)) for each in node.keywords)
        arguments = [self.value(argument, depth + 1) for argument in node.args]
        if fields and not arguments:
            return Value(name, fields=fields)
        if name in _WRAPPERS and arguments and not arguments[-1].is_leaf:
            return Value(name, items=arguments[-1].items, entries=arguments[-1].entries)
        return Value(name, self._text(node))
