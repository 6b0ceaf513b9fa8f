"""Values with a JSON form: a class declares its members once; encoding, decoding and checking follow from that.

The annotations name the types: ``int`` (of 64 bits), ``float``, ``str``, ``bool``, ``Any``, ``Literal``, an `IntEnum`,
another `JsonValue`, ``tuple``, ``list`` and ``dict`` or ``Mapping`` of these, each with ``| None``, and ``Annotated``
with a function that reads the member instead. A member with a default may be missing. Unknown members are those of
later versions, and are ignored.

msgspec does the same, and is faster; but pytest's process and the sender would import it for a few bodies, which takes
12 to 40 ms. Here a class costs 15 us, and 3 us for each of its members when it is first decoded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NoReturn,
    TypeAlias,
    Union,
    get_args,
    get_origin,
)

from msgspec import Struct, ValidationError, convert, to_builtins

from pytest_automation_report.values import Value

if TYPE_CHECKING:
    from typing_extensions import Self

INLINE: Final = "."
"""Key of a member whose own members stand beside those of its owner, in one JSON object."""

MISSING: Final = object()
"""Stands for a member that a JSON object does not have."""

# Integers of a forged document may have thousands of digits; the contract's, and those of real records, have 64 bits.
_MIN_INTEGER: Final = -(2**63)
_MAX_INTEGER: Final = 2**63 - 1
_NONE: Final = type(None)


class JsonError(ValueError):
    """A JSON value is not of the declared type; the message has the path of the wrong member from the root."""

    def __init__(self, expected: str, actual: object) -> None:
        super().__init__(expected)
        self.expected = expected
        self.actual = "missing" if actual is MISSING else type(actual).__name__
        self.path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{'.'.join(self.path) or 'document'}: {self.expected} expected, not {self.actual}"


class JsonValue(Value):
    """Base of values with a JSON form.

    Keywords of a class, which its subclasses inherit: with ``omit_defaults`` a member is not encoded if it has its
    default; with ``forbid_unknown`` unknown members are refused; with ``null_is_missing`` a null that the type does not
    accept stands for a missing member.
    """

    omit_defaults: ClassVar[bool] = False
    forbid_unknown: ClassVar[bool] = False
    null_is_missing: ClassVar[bool] = False

    @classmethod
    def from_body(cls, body: object) -> Self:
        """Decode a JSON object; raises `JsonError` if a member is missing or of another type."""
        return decoder_of(cls)(body)  # type: ignore[no-any-return]

    def body(self) -> dict[str, Any]:
        """Return the JSON object that `from_body` decodes."""
        members, encoding = _encoding_of(type(self))
        body: dict[str, Any] = {}
        for member, (key, default) in zip(members(self), encoding, strict=False):
            if member is default or (default is not MISSING and member == default):
                continue
            encode = _ENCODERS.get(type(member)) or _encoder_of(type(member))
            if encode is _itself:
                body[key] = member
            elif key is INLINE:
                body.update(member.body())
            else:
                body[key] = encode(member)
        return body


def _itself(value: object) -> object:
    return value


def _encoded_list(values: Sequence[object]) -> list[object]:
    return [(_ENCODERS.get(type(value)) or _encoder_of(type(value)))(value) for value in values]


def _encoded_mapping(values: Mapping[str, object]) -> dict[str, Any]:
    return {key: (_ENCODERS.get(type(value)) or _encoder_of(type(value)))(value) for key, value in values.items()}


# By the type of a value, the function that returns its JSON; those of other types are added when one arrives.
_ENCODERS: Final[dict[type, Callable[[Any], object]]] = {
    **dict.fromkeys((str, int, bool, float, _NONE), _itself),
    tuple: _encoded_list,
    list: _encoded_list,
    dict: _encoded_mapping,
}


def _encoder_of(type_: type) -> Callable[[Any], object]:
    if issubclass(type_, JsonValue):
        encoder: Callable[[Any], object] = type_.body
    elif issubclass(type_, Struct):
        encoder = to_builtins
    elif issubclass(type_, int):
        encoder = int  # of an enumeration
    elif issubclass(type_, str):
        encoder = _itself  # a text with its colours
    elif issubclass(type_, Mapping):
        encoder = _encoded_mapping
    else:
        raise TypeError(f"{type_.__name__} has no JSON form")
    _ENCODERS[type_] = encoder
    return encoder


@cache
def _encoding_of(cls: type[JsonValue]) -> tuple[Callable[[JsonValue], tuple[Any, ...]], list[tuple[str, object]]]:
    """Return how the members of a class are encoded: the function that returns them, their keys and their defaults.

    The default is `MISSING` for a member that is encoded although it has its default.
    """
    names: list[str] = []
    encoding: list[tuple[str, object]] = []
    for name in cls._members:
        declared = cls._declared.get(name)
        key, is_required = (name, False) if declared is None else (declared.key, declared.required)
        if key is None:
            continue
        names.append(name)
        is_omitted = cls.omit_defaults and not is_required
        encoding.append((key or name, _default_of(cls, name) if is_omitted else MISSING))
    # With two names more, since `attrgetter` needs one, and returns no tuple for a single one.
    return attrgetter(*names, "__class__", "__class__"), encoding


def _default_of(cls: type[JsonValue], name: str) -> object:
    """Return the default of a member, `MISSING` if it has none."""
    if name in cls._defaults:
        return cls._defaults[name]
    return cls._factories[name]() if name in cls._factories else MISSING


@cache
def decoder_of(cls: type[JsonValue]) -> Callable[[object], Any]:
    """Return the function that decodes a class's JSON objects; compiled when the first of them arrives."""
    keyed, inline, absent = _decoding_of(cls)
    known = frozenset(key for _, key, *_ in keyed) if cls.forbid_unknown else None
    create = cls.__new__
    is_complete = not inline and not absent and cls.__post_init__ is Value.__post_init__

    def decode(body: object) -> Any:  # noqa: ANN401 - of the class
        if type(body) is not dict or (known is not None and not known.issuperset(body)):
            raise JsonError("an object", body)
        value, get, key = create(cls), body.get, ""
        try:
            for name, key, exact, read, set_member in keyed:
                member = get(key, MISSING)
                kind = type(member)
                if kind not in exact:
                    is_absent = member is MISSING or (member is None and cls.null_is_missing)
                    member = _read_absent(cls, name, read, member) if is_absent else read(member)
                elif kind is int and not _MIN_INTEGER <= member <= _MAX_INTEGER:
                    _refuse_size(member)
                set_member(value, member)
        except JsonError as error:
            error.path = (key, *error.path)
            raise
        if not is_complete:
            _complete(value, body, inline, absent)
        return value

    return decode


def _complete(value: JsonValue, body: object, inline: list[tuple[str, _Reader]], absent: list[str]) -> None:
    """Set the members that have no key, and check the value."""
    for name, read in inline:
        object.__setattr__(value, name, read(body))
    for name in absent:
        object.__setattr__(value, name, _default_of(type(value), name))
    value.__post_init__()


def _refuse_size(value: int) -> NoReturn:
    raise JsonError("an integer of 64 bits", value)


def _read_absent(cls: type[JsonValue], name: str, read: _Reader, member: object) -> object:
    """Return the default of a member; the error for one without a default is that of its reader."""
    declared = cls._declared.get(name)
    default = MISSING if declared is not None and declared.required else _default_of(cls, name)
    return read(member) if default is MISSING else default


_Reader: TypeAlias = "Callable[[Any], Any]"
_Keyed: TypeAlias = "tuple[str, str, frozenset[type], _Reader, Callable[[Any, Any], None]]"


def _decoding_of(cls: type[JsonValue]) -> tuple[list[_Keyed], list[tuple[str, _Reader]], list[str]]:
    """Return how the members of a class are decoded: by a key, beside the members of the class, or not at all.

    A member with a key has the types whose values are accepted as they are, the function that reads others, and that
    which sets its slot.
    """
    keyed: list[_Keyed] = []
    inline: list[tuple[str, _Reader]] = []
    absent: list[str] = []
    for name in cls._members:
        declared = cls._declared.get(name)
        key = name if declared is None else declared.key
        if key is None:
            absent.append(name)
            continue
        annotation = cls.__annotations__[name]
        exact, read = _reading_of(annotation, "" if annotation in _SIMPLE else cls.__module__)
        if key == INLINE:
            inline.append((name, read))
        else:
            keyed.append((name, key or name, exact, read, cls.__dict__[name].__set__))
    return keyed, inline, absent


# By the annotations of most members: what they name needs no evaluation, which takes 7 us.
_SIMPLE: Final[Mapping[str, Any]] = {
    "int": int,
    "str": str,
    "bool": bool,
    "float": float,
    "int | None": int | None,
    "str | None": str | None,
}


@cache
def _reading_of(annotation: str, module: str) -> tuple[frozenset[type], _Reader]:
    # The text stands in a class of this package. `typing.get_type_hints` does the same in three times as long.
    type_ = eval(annotation, vars(sys.modules[module])) if module else _SIMPLE[annotation]  # noqa: S307 # nosec B307
    exact, read, expected = _reading_of_type(type_)
    return exact, read or _refusing(expected)


def _refusing(expected: str) -> _Reader:
    def refuse(value: object) -> object:
        raise JsonError(expected, value)

    return refuse


_EXPECTED: Final[Mapping[type, str]] = {
    int: "an integer",
    float: "a number",
    str: "a text",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


def _reading_of_type(type_: Any) -> tuple[frozenset[type], _Reader | None, str]:  # noqa: ANN401, PLR0911 - of any type; one a kind of type
    """Return the accepted types, the function that reads values of others, and the words for the declared type."""
    if type_ in _EXPECTED:
        return frozenset({type_, int} if type_ is float else {type_}), None, _EXPECTED[type_]
    if type_ is None or type_ is _NONE:
        return frozenset({_NONE}), None, "null"
    origin, arguments = get_origin(type_), get_args(type_)
    if origin in {Union, UnionType}:
        parts = [_reading_of_type(part) for part in arguments]
        exact = frozenset().union(*(part for part, _, _ in parts))
        read = next((read for _, read, _ in parts if read is not None), None)
        return exact, read, " or ".join(expected for _, _, expected in parts)
    if origin is Annotated:
        return frozenset(), type_.__metadata__[0], ""
    if type_ is Any:
        return frozenset(), _anything, ""
    if origin is Literal:
        return frozenset(), _one_of({word: word for word in arguments}, str), ""
    if origin in {dict, Mapping}:
        return _mapping_reading(arguments[1])
    if origin in {tuple, list}:
        return frozenset(), _list_reader(origin, arguments), ""
    if issubclass(type_, IntEnum):
        return frozenset(), _one_of({int(member): member for member in type_}, int), ""
    return frozenset(), _struct_reader(type_) if issubclass(type_, Struct) else decoder_of(type_), ""


def _struct_reader(type_: type[Struct]) -> _Reader:
    def read(value: object) -> object:
        try:
            return convert(value, type_)
        except ValidationError as error:
            raise JsonError(str(error), value) from None

    return read


def _anything(value: object) -> object:
    if value is MISSING:
        raise JsonError("a value", value)
    return value


def _one_of(members: Mapping[Any, object], type_: type) -> _Reader:
    expected = f"one of {', '.join(map(str, members))}"

    def read(value: object) -> object:
        if type(value) is not type_ or value not in members:
            raise JsonError(expected, value)
        return members[value]

    return read


def _item_reader(type_: object) -> _Reader:
    """Return the function that reads one item of a list, or one value of an object."""
    exact, read, expected = _reading_of_type(type_)
    read = read or _refusing(expected)

    def read_item(value: object) -> object:
        if type(value) not in exact:
            return read(value)
        if type(value) is int and not _MIN_INTEGER <= value <= _MAX_INTEGER:
            _refuse_size(value)
        return value

    return read_item if exact else read


def _mapping_reading(type_: object) -> tuple[frozenset[type], _Reader | None, str]:
    if type_ is Any:
        return frozenset({dict}), None, "an object"
    read = _item_reader(type_)

    def read_mapping(value: object) -> object:
        if type(value) is not dict:
            raise JsonError("an object", value)
        return dict(zip(value, _read_all(value.items(), read), strict=True))

    return frozenset(), read_mapping, ""


def _list_reader(type_: Callable[[list[Any]], object], arguments: tuple[Any, ...]) -> _Reader:
    """Return the function that reads a list of one type, or a tuple with a type for each position."""
    if type_ is tuple and arguments[-1] is not Ellipsis:
        readers: Sequence[_Reader] = [_item_reader(argument) for argument in arguments]
        expected = f"a list of {len(arguments)}"

        def read_tuple(value: object) -> object:
            if type(value) is not list or len(value) != len(readers):
                raise JsonError(expected, value)
            return tuple([read(item) for read, item in zip(readers, value, strict=True)])

        return read_tuple
    read = _item_reader(arguments[0])

    def read_list(value: object) -> object:
        if type(value) is not list:
            raise JsonError("a list", value)
        return type_(_read_all(enumerate(value), read))

    return read_list


def _read_all(items: Any, read: _Reader) -> list[Any]:  # noqa: ANN401 - pairs of a name and a value
    name, values = None, []
    try:
        for name, value in items:  # noqa: B007 - for the error
            values.append(read(value))
    except JsonError as error:
        error.path = (str(name), *error.path)
        raise
    return values
