"""The sides of a failed comparison as trees: kinds, bounds, secrets, and code of users that is never called."""

import enum
import json
import sys
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from random import Random
from typing import Any, NamedTuple

import pytest

from pytest_automation_report.recording.comparison import captured_sides, clean_comparison
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from support.compared_secrets import with_secrets, without_secrets
from support.drawn import shown_pieces

CLEANER = cleaner_for(RecordingOptions(redact=("canary-[0-9]+",)))


@dataclass
class Point:
    x: int
    y: object = 0
    note: str = field(default="", compare=False)


class Slotted:
    __slots__ = ("x",)
    __dataclass_fields__ = Point.__dataclass_fields__

    def __init__(self, x: int) -> None:
        self.x = x


class Attribute(NamedTuple):
    name: str
    eq: bool


class Defined:
    """A class as attrs makes it."""

    __attrs_attrs__ = (Attribute("x", eq=True), Attribute("secretly", eq=False), Attribute("unset", eq=True))

    def __init__(self, x: int) -> None:
        self.x = x
        self.secretly = Hostile()

    @property
    def unset(self) -> object:
        raise AssertionError("code of a user")


Variable = namedtuple("Variable", "name type value")  # noqa: PYI024 - the class that users have
Pair = namedtuple("Pair", "one two")  # noqa: PYI024 - the class that users have


class Colour(enum.Enum):
    RED = "#f00"


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise AssertionError("code of a user")


class Hostile:
    """An object all of whose code fails the test."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("code of a user")

    def __repr__(self) -> str:
        raise AssertionError("code of a user")

    def __getattr__(self, name: str) -> object:
        raise AssertionError("code of a user")

    __hash__ = object.__hash__


def _encoded(left: object, right: object, operator: str = "==") -> Any:  # noqa: ANN401 - what JSON holds
    return json.loads(json.dumps(clean_comparison(captured_sides(operator, left, right), CLEANER)))


def _leaf(kind: str, text: str, **more: object) -> dict[str, object]:
    return {"type": kind, "text": text, **more}


ONE = _leaf("int", "1")


@pytest.mark.parametrize(
    ("value", "node"),
    [
        (1, ONE),
        (-2.5, _leaf("float", "-2.5")),
        (True, _leaf("bool", "True")),
        (None, _leaf("NoneType", "None")),
        (1j, _leaf("complex", "1j")),
        ("a\n\u20ac", _leaf("str", "a\n\u20ac")),
        (b"\x00a", _leaf("bytes", r"b'\x00a'")),
        (Text("a"), _leaf("Text", "a")),
        (Colour.RED, _leaf("Colour", "Colour.RED")),
        (date(2026, 1, 2), _leaf("date", "datetime.date(2026, 1, 2)")),
        (PurePosixPath("/a"), _leaf("PurePosixPath", "PurePosixPath('/a')")),
        (1 << 100_000, {"type": "int"}),
        (Hostile(), {"type": "Hostile"}),
        (Point, {"type": "type"}),
        ([1], {"type": "list", "items": [ONE]}),
        ((1,), {"type": "tuple", "items": [ONE]}),
        ({1}, {"type": "set", "items": [ONE]}),
        (frozenset((1,)), {"type": "frozenset", "items": [ONE]}),
        ({"a": 1}, {"type": "dict", "entries": [[_leaf("str", "a"), ONE]]}),
        (OrderedDict(a=1), {"type": "OrderedDict", "entries": [[_leaf("str", "a"), ONE]]}),
        (Point(1, note="n"), {"type": "Point", "fields": [["x", ONE], ["y", _leaf("int", "0")]]}),
        (Slotted(1), {"type": "Slotted", "fields": [["x", ONE]]}),
        (Defined(1), {"type": "Defined", "fields": [["x", ONE]]}),
        (Pair(1, "b"), {"type": "Pair", "fields": [["one", ONE], ["two", _leaf("str", "b")]]}),
        ({"h": [Hostile()]}, {"type": "dict", "entries": [
            [_leaf("str", "h"), {"type": "list", "items": [{"type": "Hostile"}]}]]}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_each_kind_of_value_has_its_tree(value: object, node: object) -> None:
    """A value is the same tree on either side, whatever it is compared with; no code of its class runs."""
    other = object()
    assert _encoded(value, other) == {"operator": "==", "left": node, "right": {"type": "object"}}
    assert _encoded(other, value)["right"] == node
    assert _encoded(value, [value, 0], "in")["left"] == node


@pytest.mark.parametrize(
    ("left", "right", "index"),
    [
        (list(range(3000)), [*range(2500), -1, *range(2501, 3000)], 2497),
        (tuple(range(700)), tuple(range(699)), 696),
        ([{"a": [n]} for n in range(200)], [{"a": [n % 150]} for n in range(200)], 147),
    ],
)
def test_long_lists_begin_where_they_differ(left: Any, right: Any, index: int) -> None:  # noqa: ANN401 - lists and tuples
    """Of long lists both sides have the same stretch, which begins a little before the first difference."""
    sides = _encoded(left, right)
    assert [(side["start"], side["size"]) for side in (sides["left"], sides["right"])] == [
        (index, len(left)),
        (index, len(right)),
    ]
    assert sides["left"]["items"][:3] == sides["right"]["items"][:3]
    assert sides["left"]["items"][3:4] != sides["right"]["items"][3:4]


def test_large_dicts_and_sets_have_what_differs() -> None:
    """Of large dicts and sets those parts are shown in which the sides differ."""
    left = {f"key{number}": number for number in range(300)}
    sides = _encoded(left, {**left, "key200": -1, "more": [1]})
    key = _leaf("str", "key200")
    assert sides["left"] == {"type": "dict", "entries": [[key, _leaf("int", "200")]], "size": 300}
    assert sides["right"]["entries"] == [
        [key, _leaf("int", "-1")],
        [_leaf("str", "more"), {"type": "list", "items": [ONE]}],
    ]
    sides = _encoded(set(range(300)), set(range(1, 301)))
    left_items, right_items = sides["left"]["items"], sides["right"]["items"]
    assert [item for item in left_items if item not in right_items] == [_leaf("int", "0")]
    assert [item for item in right_items if item not in left_items] == [_leaf("int", "300")]
    assert sides["left"]["size"] == 300 > len(left_items)


def test_long_texts_begin_where_they_differ() -> None:
    """A long text begins a little before the first character that differs, on both sides alike."""
    sides = _encoded("a" * 100_000 + "bc", "a" * 100_000 + "dc")
    assert sides["left"] == _leaf("str", "a" * 80 + "bc", size=100_002, start=99_920)
    assert sides["right"] == _leaf("str", "a" * 80 + "dc", size=100_002, start=99_920)
    assert len(_encoded("a" * 100_000, 1)["left"]["text"]) == 6000


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([[["x" * 5000] * 50] * 50] * 50, [[["y" * 5000] * 50] * 50] * 50),
        ({n: dict.fromkeys(range(60), "€" * 900) for n in range(60)}, {n: {} for n in range(60)}),
        ([Point(n, "s" * 900) for n in range(500)], [Point(n, "t" * 900) for n in range(500)]),
        ("\U0001f600" * 90_000, "\u20ac" * 90_000),
        (set(range(90_000)), {"a"}),
        (b"a" * 90_000, b"b" * 90_000),
    ],
)
def test_the_size_is_bounded(left: object, right: object) -> None:
    """However large the sides are, the server has room for them."""
    body = json.dumps(_encoded(left, right), ensure_ascii=False).encode()
    assert len(body) < 60_000


def test_values_that_contain_themselves_end() -> None:
    """A list within itself is shown to some depth."""
    left: list[Any] = [1]
    left.append(left)
    assert clean_comparison(captured_sides("==", left, [1, 2]), CLEANER)
    assert clean_comparison(captured_sides("==", left, 0), CLEANER)


def test_secrets_are_hidden() -> None:
    """Texts are redacted as all others, also by the name of their entry or field, and where a long one is cut."""
    left = {"note": "canary-123", "password": "hunter2-x", "api_token": ["zq7-lk2-9f"], "canary-9": 1, "n": 1}
    right = [f"{'x' * 399}canary-12345678", Pair("canary-5", 2)]
    body = json.dumps(_encoded(left, right))
    assert not [secret for secret in ("canary", "hunter2", "zq7-lk2") if secret in body]
    cut = json.dumps(_encoded(["x" * 395 + "canary-12345678"], [1]))
    assert "canary" not in cut
    assert "xx" in cut


SECRET = "hunter2-Pony"
KEY = "\n".join(
    ["-----BEGIN PRIVATE KEY-----", *[f"{n:02}{'aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF' * 2}" for n in range(40)]]
)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (["psql", "--password", SECRET, "db"], ["psql"]),
        (("curl", "-u", f"deploy:{SECRET}", "https://h"), ()),
        ([b"tool", b"--api-key", SECRET.encode()], []),
        ([("user", "u"), ("password", SECRET)], []),
        ([["password", SECRET]], [["password", "x"]]),
        ([{"name": "DB_PASSWORD", "value": SECRET}], []),
        ([{"Value": SECRET, "Type": "SecureString", "Name": "DB_PASSWORD"}], []),
        ([{"key": "password", "value": {"S": [SECRET]}}], []),
        (Variable("DB_PASSWORD", "plain", SECRET), Variable("DB_PASSWORD", "plain", "x")),
        ({"password": SECRET, "note": [f"login with {SECRET} failed"]}, {}),
        ({"password": SECRET}, {"note": f"login with {SECRET} failed"}),
        ({"password": {"value": {"plain": SECRET}}}, {}),
        ({"password": [{"version": 2, "it's": SECRET}]}, {}),
        ({"auth": Pair("user", Pair("x", SECRET + "12345"))}, {}),
        (Point(1, {"api_token": Pair(1, SECRET)}), Point(1, 2)),
        ({"url": f"https://u:{SECRET}@h/x", "it's": [SECRET]}, {}),
        ([f"it's\ntoken={SECRET} or '{SECRET}'", SECRET], []),
        ([f"x{'y' * 500}\nDB_PASSWORD={SECRET}"], [f"x{'y' * 500}\nDB_PASSWORD={SECRET}-2"]),
        ({"note-1": SECRET}, {"note-2": 1}),
        (f"user=u\npassword={SECRET}\n", f"{SECRET}\n"),
        (b"x" * 980 + f" password={SECRET}".encode(), b""),
    ],
)
def test_what_a_failure_hides_is_hidden_in_its_values(left: object, right: object) -> None:
    """A value is hidden wherever the text of both sides hides it: in arguments, in pairs, nested, elsewhere."""
    cleaner = cleaner_for(RecordingOptions(redact=("'note-1': 'hunter2-Pony'",)))
    for sides in ((left, right), (right, left)):
        text = json.dumps(clean_comparison(captured_sides("==", *sides), cleaner))
        assert [SECRET[at : at + 6] for at in range(len(SECRET) - 5) if SECRET[at : at + 6] in text] == []
    assert "redacted" in text


@pytest.mark.parametrize("kind", with_secrets(Random(0)))
def test_compared_values_hide_what_texts_hide(kind: str) -> None:
    """A secret of 66 kinds in a compared value is hidden on both sides, but for one in a row below a row of names."""
    for number in range(5):
        value, secret = with_secrets(Random(number))[kind]
        for sides in ((value, None), (None, value), (value, [value])):
            cleaned = json.dumps(clean_comparison(captured_sides("==", *sides), CLEANER), ensure_ascii=False)
            shown = shown_pieces("", [secret], cleaned)
            assert (shown != []) is (kind == "rows"), cleaned
    CLEANER.take_found()


def test_compared_values_without_secrets_stay() -> None:
    """Values with words and signs of secrets, but without one, are shown as they are."""
    for number in range(5):
        for value in without_secrets(Random(number)):
            cleaned = json.dumps(clean_comparison(captured_sides("==", value, None), CLEANER))
            assert cleaned.count("redacted") == repr(value).count("redacted"), value


def test_a_part_of_a_private_key_is_hidden() -> None:
    """Of two private keys that differ somewhere no line is shown, wherever the shown part begins."""
    for at in (40, 1400, 2500):
        other = f"{KEY[:at]}x{KEY[at + 1 :]}"
        for sides in ((KEY, other), ([KEY], [other]), ({"a": KEY}, {"a": other}), (KEY.encode(), other.encode())):
            assert "sT1vW4" not in json.dumps(clean_comparison(captured_sides("==", *sides), CLEANER))


def test_names_of_secrets_hide_no_schema() -> None:
    """What stands below the name of a secret and is plainly none, as in a schema, stays."""
    schema = {"password": {"type": "string", "minLength": 8, "title": "Password", "required": True}}
    assert "redacted" not in json.dumps(_encoded(schema, {}))


def test_no_reference_is_kept() -> None:
    """A capture refers to no part of the sides: a test may count references."""
    value = "a text of its own" * 3
    counts = sys.getrefcount(value)
    sides = captured_sides("==", [[value] * 3], [[1]])
    del sides
    held = captured_sides("==", [Hostile()], [1])
    assert sys.getrefcount(value) == counts
    assert held[1]["items"] == [{"type": "Hostile"}]


def test_sides_that_look_equal_are_left_out() -> None:
    """Two sides that differ in nothing that is captured say nothing."""
    assert clean_comparison(captured_sides("==", Hostile(), Hostile()), CLEANER) is None
    assert clean_comparison(captured_sides("!=", 1, 1), CLEANER)
