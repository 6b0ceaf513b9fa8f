"""Hold a value of a test as a tree, and read such a tree from the text that Python's ``repr`` wrote.

The reader is not ``ast.literal_eval``: it never runs out of stack, and it also reads ``Boat(name='Anna')`` or
``<Color.RED: 1>``, which are no literals.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Final, NamedTuple

from msgspec import Struct

_MAX_CHARACTERS: Final = 60_000
_MAX_DEPTH: Final = 60
# Objects whose representation is a call around one container: the container is what differs.
_WRAPPERS: Final = frozenset(
    {"OrderedDict", "defaultdict", "Counter", "mappingproxy", "deque", "frozenset", "set", "dict", "list", "tuple"}
)
_OPERATORS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not"})
_OPENING: Final = {"(": ")", "[": "]", "{": "}"}

# No alternative can match one text in two ways: the time is linear.
_TOKEN: Final = re.compile(
    r"""
    (?P<string>(?:[bB][rR]?|[rR][bB]?|[uU])?(?:'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\"|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
    |(?P<number>-?(?:0[xX][0-9a-fA-F]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)j?)
    |(?P<name>[^\W\d][\w.]*)
    |(?P<operator>==|!=|<=|>=)
    |(?P<dots>\.\.\.)
    |(?P<object><(?=[^\W\d])[^<>\n]{1,1000}(?:<[^<>\n]{0,200}>[^<>\n]{0,1000}){0,8}>)
    |(?P<mark>[()\[\]{},:=<>])
    |(?P<space>\s+)
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


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


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class _UnreadableError(Exception):
    """The text is cut, or is no representation of a value."""


def read_value(text: str) -> Value | None:
    """Return the value that a representation stands for; None if the text is cut, too long or no representation."""
    if len(text) > _MAX_CHARACTERS:
        return None
    try:
        return _Reader(text, _tokens(text)).whole()
    except _UnreadableError:
        return None


def read_comparison(text: str) -> Comparison | None:
    """Return ``left operator right``; None if one side of it cannot be read.

    pytest shortens a long representation in its middle, which cannot be seen from the outside of a string: none with
    three dots is read.
    """
    if len(text) > _MAX_CHARACTERS:
        return None
    try:
        tokens = _tokens(text)
        if any(token.kind in {"string", "object"} and "..." in token.text for token in tokens):
            return None
        position, length, operator = _operator(tokens)
        left = _Reader(text, tokens[:position]).whole()
        right = _Reader(text, tokens[position + length :]).whole()
    except _UnreadableError:
        return None
    return Comparison(operator, left, right)


def text_of(value: Value, limit: int = 300) -> str:
    """Return a value as Python would write it, cut to about ``limit`` characters."""
    parts: list[str] = []
    _write(value, parts, limit)
    text = "".join(parts)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _write(value: Value, parts: list[str], limit: int) -> None:
    if sum(map(len, parts)) > limit:
        return
    if value.entries is not None:
        entries = [(f"{text_of(key, limit)}: ", entry) for key, entry in value.entries[:limit]]
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


def _tokens(text: str) -> list[_Token]:
    tokens = [
        _Token(match.lastgroup or "", match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)
    ]
    return [token for token in tokens if token.kind != "space"]


def _operator(tokens: list[_Token]) -> tuple[int, int, str]:
    """Return position, number of tokens and text of the operator outside of all brackets."""
    depth = 0
    for position, token in enumerate(tokens):
        if token.text in _OPENING:
            depth += 1
        elif token.text in {")", "]", "}"}:
            depth -= 1
        elif not depth and token.kind in {"operator", "name", "mark"}:
            following = tokens[position + 1].text if position + 1 < len(tokens) else ""
            if f"{token.text} {following}" in _OPERATORS:
                return position, 2, f"{token.text} {following}"
            if token.text in _OPERATORS:
                return position, 1, token.text
    raise _UnreadableError


class _Reader:
    """Read one value from tokens by recursive descent, at most `_MAX_DEPTH` deep."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._position = 0

    def whole(self) -> Value:
        """Return the value that all tokens make up."""
        value = self._value(0)
        if self._position < len(self._tokens):
            raise _UnreadableError
        return value

    def _peek(self) -> str:
        return self._tokens[self._position].text if self._position < len(self._tokens) else ""

    def _value(self, depth: int) -> Value:
        if depth > _MAX_DEPTH or self._position >= len(self._tokens):
            raise _UnreadableError
        token = self._tokens[self._position]
        if token.text in _OPENING:
            value = self._container(token.text, depth)
        elif token.kind == "string":
            value = self._string()
        elif token.kind == "name":
            value = self._name(depth)
        else:
            value = self._other()
        if self._peek() and self._peek() not in {",", ":", ")", "]", "}"}:
            # Such as "2.1 ± 2.1e-06": a leaf of several tokens. A sentence begins with a name.
            if token.kind in {"name", "string"}:
                raise _UnreadableError
            return self._rest(token.start)
        return value

    def _container(self, opening: str, depth: int) -> Value:
        self._position += 1
        items: list[Value] = []
        entries: list[tuple[Value, Value]] = []
        has_comma = False
        while self._peek() != _OPENING[opening]:
            item = self._value(depth + 1)
            if opening == "{" and self._peek() == ":":
                self._position += 1
                entries.append((item, self._value(depth + 1)))
            else:
                items.append(item)
            if self._peek() == ",":
                has_comma = True
                self._position += 1
            elif self._peek() != _OPENING[opening]:
                raise _UnreadableError
        self._position += 1
        if opening == "{":
            if entries and items:
                raise _UnreadableError
            return Value("set", items=tuple(items)) if items else Value("dict", entries=tuple(entries))
        if opening == "(" and len(items) == 1 and not has_comma:
            return items[0]
        return Value("list" if opening == "[" else "tuple", items=tuple(items))

    def _string(self) -> Value:
        """Read a string; ``pprint`` breaks long ones into several, which belong together."""
        texts: list[str | bytes] = []
        while self._position < len(self._tokens) and self._tokens[self._position].kind == "string":
            try:
                with warnings.catch_warnings():
                    # An escape that Python does not know is no concern of the server.
                    warnings.simplefilter("ignore")
                    texts.append(ast.literal_eval(self._tokens[self._position].text))
            except (ValueError, SyntaxError) as error:
                raise _UnreadableError from error
            self._position += 1
        strings = [text for text in texts if isinstance(text, str)]
        if len(strings) == len(texts):
            return Value("str", "".join(strings))
        if strings:
            raise _UnreadableError
        return Value("bytes", repr(b"".join(text for text in texts if isinstance(text, bytes))))

    def _name(self, depth: int) -> Value:
        token = self._tokens[self._position]
        self._position += 1
        if self._peek() != "(" or self._tokens[self._position].start != token.end:
            return Value({"None": "NoneType", "True": "bool", "False": "bool"}.get(token.text, ""), token.text)
        return self._call(token, depth)

    def _call(self, name: _Token, depth: int) -> Value:
        """Read ``Name(...)``: an object with fields, a container with a name, or a leaf."""
        self._position += 1
        fields: list[tuple[str, Value]] = []
        arguments: list[Value] = []
        while self._peek() != ")":
            token = self._tokens[self._position] if self._position < len(self._tokens) else None
            is_field = (
                token is not None
                and token.kind == "name"
                and self._position + 1 < len(self._tokens)
                and self._tokens[self._position + 1].text == "="
            )
            if is_field and token is not None:
                self._position += 2
                fields.append((token.text, self._value(depth + 1)))
            else:
                arguments.append(self._value(depth + 1))
            if self._peek() == ",":
                self._position += 1
            elif self._peek() != ")":
                raise _UnreadableError
        end = self._tokens[self._position].end
        self._position += 1
        short_name = name.text.rpartition(".")[2]
        if fields and not arguments:
            return Value(short_name, fields=tuple(fields))
        if short_name in _WRAPPERS and arguments and not arguments[-1].is_leaf:
            inner = arguments[-1]
            return Value(short_name, items=inner.items, entries=inner.entries)
        return Value(short_name, self._text[name.start : end])

    def _other(self) -> Value:
        token = self._tokens[self._position]
        if token.kind not in {"number", "object", "other"} or token.text in {"'", '"'}:
            raise _UnreadableError
        self._position += 1
        type_name = ""
        if token.kind == "number":
            type_name = "float" if re.search(r"[.eE]", token.text) and not token.text.startswith("0x") else "int"
        return Value(type_name, token.text)

    def _rest(self, start: int) -> Value:
        """Return a leaf from ``start`` up to the end of this member of a container."""
        depth = 0
        while self._position < len(self._tokens):
            token = self._tokens[self._position]
            if token.kind == "dots" or token.text in {"'", '"'}:
                raise _UnreadableError
            if not depth and token.text in {",", ")", "]", "}", ":"}:
                break
            depth += (token.text in _OPENING) - (token.text in {")", "]", "}"})
            self._position += 1
        return Value("", self._text[start : self._tokens[self._position - 1].end])
