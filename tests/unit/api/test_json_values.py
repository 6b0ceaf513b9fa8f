"""Values with a JSON form: the types that a class may declare, and the errors for values of others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, Literal

import pytest

from pytest_automation_report.api.json_values import INLINE, JsonError, JsonValue
from pytest_automation_report.text.visible import ColouredText
from pytest_automation_report.values import field

MAX = 2**63 - 1


class Colour(IntEnum):
    """An enumeration."""

    RED = 1
    BLUE = 2


def read_even(value: object) -> int:
    """Read an even number."""
    if type(value) is not int or value % 2:
        raise JsonError("an even number", value)
    return value


class Part(JsonValue, omit_defaults=True):
    """A part with a member that has a default."""

    name: str
    size: int | None = None


class Place(JsonValue):
    """Members that stand beside those of their owner."""

    file: str
    line: int = 1


class Whole(JsonValue):
    """A member of each type."""

    number: int = field(key="n")
    ratio: float
    text: str
    flag: bool
    word: Literal["a", "b"]
    colour: Colour
    part: Part
    parts: tuple[Part, ...]
    triple: tuple[str, int, int | None]
    names: list[str]
    by_name: Mapping[str, int]
    document: dict[str, Any]
    anything: Any
    even: Annotated[int, read_even]
    place: Place = field(key=INLINE)
    maybe: Literal["a", "b"] | None = None
    maybe_part: Part | None = None
    local: tuple[int, ...] = field(default=(7,), key=None)
    always: str = field(default="x", required=True)


BODY: dict[str, Any] = {
    "n": -(2**63), "ratio": 1.5, "text": "t", "flag": True, "word": "b", "colour": 2, "part": {"name": "p"},
    "parts": [{"name": "q", "size": 3}], "triple": ["s", 1, None], "names": ["x"], "by_name": {"y": MAX},
    "document": {"deep": [{}]}, "anything": [1, "2"], "even": 4, "file": "f.py", "line": 5, "maybe": "a",
    "maybe_part": {"name": "r"}, "always": "z",
}  # fmt: skip
WHOLE = Whole(
    -(2**63), 1.5, "t", True, "b", Colour.BLUE, Part("p"), (Part("q", 3),), ("s", 1, None), ["x"],  # noqa: FBT003
    {"y": MAX}, {"deep": [{}]}, [1, "2"], 4, Place("f.py", 5), "a", Part("r"), always="z",
)  # fmt: skip


def test_each_type_comes_back() -> None:
    """A value is decoded from what it is encoded to, with members of each type."""
    assert json.loads(json.dumps(WHOLE.body())) == BODY
    assert Whole.from_body(BODY) == WHOLE
    assert Whole.from_body(BODY).local == (7,)


def test_missing_and_unknown_members() -> None:
    """A member with a default may be missing, unless it is required; an unknown member is ignored."""
    body = {name: value for name, value in BODY.items() if name not in {"maybe", "maybe_part", "line"}}
    whole = Whole.from_body({**body, "of a later version": 1})
    assert (whole.maybe, whole.maybe_part, whole.place) == (None, None, Place("f.py"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n", MAX + 1, "n: an integer of 64 bits expected, not int"),
        ("n", -MAX - 2, "n: an integer of 64 bits expected, not int"),
        ("n", True, "n: an integer expected, not bool"),
        ("n", 1.0, "n: an integer expected, not float"),
        ("n", None, "n: an integer expected, not NoneType"),
        ("ratio", "1", "ratio: a number expected, not str"),
        ("text", 5, "text: a text expected, not int"),
        ("flag", 1, "flag: true or false expected, not int"),
        ("word", "c", "word: one of a, b expected, not str"),
        ("word", [], "word: one of a, b expected, not list"),
        ("colour", 3, "colour: one of 1, 2 expected, not int"),
        ("colour", True, "colour: one of 1, 2 expected, not bool"),
        ("part", [], "part: an object expected, not list"),
        ("part", {}, "part.name: a text expected, not missing"),
        ("part", {"name": "p", "size": "3"}, "part.size: an integer or null expected, not str"),
        ("parts", {}, "parts: a list expected, not dict"),
        ("parts", [{"name": "p"}, {"name": 5}], "parts.1.name: a text expected, not int"),
        ("triple", ["s", 1], "triple: a list of 3 expected, not list"),
        ("triple", ["s", 1, "x"], "triple: an integer or null expected, not str"),
        ("names", ["x", None], "names.1: a text expected, not NoneType"),
        ("by_name", {"y": 1, "z": "2"}, "by_name.z: an integer expected, not str"),
        ("by_name", {"y": MAX + 1}, "by_name.y: an integer of 64 bits expected, not int"),
        ("by_name", [], "by_name: an object expected, not list"),
        ("document", [], "document: an object expected, not list"),
        ("even", 3, "even: an even number expected, not int"),
        ("maybe", "c", "maybe: one of a, b expected, not str"),
        ("maybe_part", {"name": None}, "maybe_part.name: a text expected, not NoneType"),
        ("file", 5, "file: a text expected, not int"),
        ("always", None, "always: a text expected, not NoneType"),
    ],
)
def test_wrong_members(name: str, value: object, message: str) -> None:
    """A member of another type is refused, and the error has its path, the declared type and the type found."""
    with pytest.raises(JsonError, match=f"^{re.escape(message)}$"):
        Whole.from_body({**BODY, name: value})


@pytest.mark.parametrize("name", [name for name in BODY if name not in {"maybe", "maybe_part", "line"}])
def test_members_that_are_needed(name: str) -> None:
    """Without a member that has no default, or is required, a body is refused."""
    with pytest.raises(JsonError, match=f"^{name}: .*expected, not missing$"):
        Whole.from_body({other: value for other, value in BODY.items() if other != name})


@pytest.mark.parametrize("body", [None, [], "x", 5])
def test_bodies_that_are_no_objects(body: object) -> None:
    """A body that is not an object is refused."""
    with pytest.raises(JsonError, match=r"^document: an object expected, not "):
        Whole.from_body(body)


class Strict(JsonValue, forbid_unknown=True):
    """A value without unknown members."""

    name: str


class Checked(JsonValue, null_is_missing=True):
    """A value that accepts null for what is missing, and checks its members."""

    first: int = 1
    last: int = 2
    text: str = field(default="", required=True)

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if self.first > self.last:
            raise JsonError("a range", self.first)


class Empty(JsonValue):
    """A value without members."""


def test_keywords_of_classes() -> None:
    """Classes may forbid unknown members, accept null for missing ones, and check a value as a whole."""
    with pytest.raises(JsonError):
        Strict.from_body({"name": "n", "more": 1})
    assert Checked.from_body({"first": None, "text": "t"}) == Checked(1, 2, "t")
    with pytest.raises(JsonError, match=r"^text: a text expected, not NoneType$"):
        Checked.from_body({"text": None})
    with pytest.raises(JsonError, match=r"^document: a range expected, not int$"):
        Checked.from_body({"first": 3, "text": ""})
    assert (Empty().body(), Empty.from_body({"more": 1})) == ({}, Empty())


def test_values_without_a_json_form() -> None:
    """An object of another class is not encoded."""
    with pytest.raises(TypeError, match="object has no JSON form"):
        Strict(object()).body()  # type: ignore[arg-type]


def test_text_with_colours_is_a_text() -> None:
    """A text that has its colours beside it is encoded as any other."""
    body = Part(ColouredText("red", ((0, 3, "31"),))).body()
    assert json.dumps(body) == '{"name": "red"}'
