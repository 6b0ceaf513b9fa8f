"""`values`: declared as dataclasses, but without generated code."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pytest_automation_report.values import MutableValue, Value, field, replace

if TYPE_CHECKING:
    from collections.abc import Mapping


class Address(Value):
    """A value with all kinds of members."""

    names: ClassVar[tuple[str, ...]] = ("host",)
    host: str
    port: int = 80
    token: str = field(default="", repr=False)
    meta: Mapping[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Declared:
    """The same as a dataclass."""

    host: str
    port: int = 80
    token: str = dataclasses.field(default="", repr=False)
    meta: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Counter(MutableValue):
    """A value that changes, with a member that it computes."""

    start: int
    count: int = 0
    total: int = field(init=False)

    def __post_init__(self) -> None:
        """Compute the total."""
        self.total = self.start + self.count


class Named(Value, kw_only=True):
    """A value whose members must be named."""

    first: int
    second: int = 2


class Pair(Value, kw_only=True):
    """Another class with the same members."""

    first: int
    second: int = 2


def test_members_are_set_by_position_by_name_and_by_default() -> None:
    """An instance has its values, and the defaults of the members that were not given."""
    address = Address("example", token="t")
    assert (address.host, address.port, address.token, address.meta) == ("example", 80, "t", {})
    assert address.origin == "example:80"
    assert Address.names == ("host",)


def test_a_default_factory_makes_a_new_object_for_each_instance() -> None:
    """Two instances do not share a mutable default."""
    assert Address("a").meta is not Address("a").meta


@pytest.mark.parametrize(
    ("values", "named", "message"),
    [
        ((), {}, "Address needs host"),
        ((), {"port": 1}, "Address needs host"),
        (("a", 1, "t", {}, 5), {}, "Address takes 4 values, not 5"),
        (("a",), {"host": "b"}, "Address got host twice"),
        (("a",), {"color": "b"}, "Address has no member color"),
    ],
)
def test_wrong_members_raise(values: tuple[Any, ...], named: dict[str, Any], message: str) -> None:
    """A member that is missing, unknown or given twice raises `TypeError` with its name."""
    with pytest.raises(TypeError, match=message):
        Address(*values, **named)


def test_keyword_only_members_must_be_named() -> None:
    """A class with ``kw_only`` takes no value by position."""
    assert Named(first=1).second == 2
    with pytest.raises(TypeError, match="takes 0 values, not 1"):
        Named(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_a_value_cannot_change() -> None:
    """Setting and deleting a member raises the error of frozen dataclasses, and so does a new name."""
    address: Any = Address("a")
    for name in ("host", "color"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(address, name, "b")
    with pytest.raises(dataclasses.FrozenInstanceError):
        del address.host
    assert address == Address("a")


def test_a_mutable_value_changes_and_has_no_hash() -> None:
    """A mutable value takes new values for its members, no other names, and cannot be a key."""
    counter: Any = Counter(1, 2)
    assert counter.total == 3
    counter.count = 5
    assert (counter.count, counter.total) == (5, 3)
    with pytest.raises(AttributeError):
        counter.color = 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)
    with pytest.raises(TypeError, match="has no member total"):
        Counter(1, total=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_values_are_equal_by_class_and_members() -> None:
    """Equal values of one class are equal and have one hash; another class is never equal."""
    assert Named(first=1) == Named(first=1, second=2)
    assert len({Named(first=1), Named(first=1, second=2), Named(first=2)}) == 2
    assert Named(first=1) != Pair(first=1)


def test_repr_is_that_of_a_dataclass() -> None:
    """``repr`` shows all members but those that are declared without it, such as secrets."""
    shown = repr(Address("a", token="secret"))
    assert shown == repr(Declared("a", token="secret")).replace("Declared", "Address")
    assert "secret" not in shown


def test_functions_of_dataclasses_work() -> None:
    """`replace`, `asdict`, `astuple` and `fields` treat a value as a dataclass."""
    address = Address("a", 1, "t", {"b": "c"})
    declared = Declared("a", 1, "t", {"b": "c"})
    assert dataclasses.is_dataclass(address)
    assert dataclasses.asdict(address) == dataclasses.asdict(declared)
    assert dataclasses.astuple(address) == dataclasses.astuple(declared)
    assert [member.name for member in dataclasses.fields(Address)] == ["host", "port", "token", "meta"]
    assert dataclasses.replace(address, port=2) == Address("a", 2, "t", {"b": "c"})
    assert dataclasses.replace(Counter(1, 2), count=3).total == 4


def test_replace_is_that_of_dataclasses() -> None:
    """Our `replace` gives what `dataclasses.replace` gives, computed members included, and refuses the same."""
    address, counter = Address("a", 1, "t", {"b": "c"}), Counter(1, 2)
    assert replace(address, port=2) == dataclasses.replace(address, port=2)
    assert replace(counter, count=3).total == dataclasses.replace(counter, count=3).total == 4
    with pytest.raises(TypeError, match="has no member color"):
        replace(address, color="b")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_value_can_be_copied(copied: Any) -> None:  # noqa: ANN401 - three functions of the standard library
    """Copies and pickles of a value are equal to it, although it cannot change."""
    assert copied(Address("a", meta={"b": "c"})) == Address("a", meta={"b": "c"})


def test_a_pattern_matches_by_position() -> None:
    """`match` accepts the members in their order."""
    match Address("a", 1):
        case Address(host, port):
            assert (host, port) == ("a", 1)


def test_no_code_is_generated() -> None:
    """Classes share their methods: this is what makes creating one cheap."""
    assert not {"__init__", "__eq__", "__hash__", "__repr__"} & (vars(Address).keys() | vars(Named).keys())
    assert "__dict__" not in dir(Address("a"))
