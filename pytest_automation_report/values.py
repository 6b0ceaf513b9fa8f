"""Classes with named members, declared as dataclasses are, that cost next to nothing to create.

`dataclasses` compiles methods for each class: 61 classes took 38 ms of the 90 that pytest's process spent on reporting
a session of one test, and the sender spent as much. Here all classes share their methods: creating a class takes 10 us
instead of 600, and creating an instance 0.7 us instead of 0.4. Type checkers and the functions of `dataclasses`
(`replace`, `asdict`, `fields`) treat these classes as dataclasses.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import dataclass_transform
else:  # `typing` has the function since Python 3.11; at run time it does nothing

    def dataclass_transform(**_: object) -> Callable[[T], T]:
        """Return a decorator that changes nothing."""
        return lambda cls: cls


T = TypeVar("T")

# Sets a member of a frozen value, too, whose own `__setattr__` raises.
_set: Final = object.__setattr__


class _ValueType(type):
    """Creates a class: its annotations become slots, the values beside them the defaults.

    With ``kw_only`` the members must be named when an instance is created.
    """

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, kw_only: bool = False
    ) -> _ValueType:
        """Create the class; annotations must be strings, as ``from __future__ import annotations`` makes them."""
        annotations: Mapping[str, str] = namespace.get("__annotations__", {})
        members = tuple(member for member, type_ in annotations.items() if not type_.startswith("ClassVar"))
        declared = {member: namespace.pop(member) for member in members if member in namespace}
        fields = {member: value for member, value in declared.items() if isinstance(value, dataclasses.Field)}
        accepted = [member for member in members if member not in fields or fields[member].init]
        defaults = {**declared, **{member: field.default for member, field in fields.items()}}
        namespace["_defaults"] = {
            member: value for member, value in defaults.items() if value is not dataclasses.MISSING
        }
        namespace["__slots__"] = namespace["__match_args__"] = namespace["_members"] = members
        namespace["_positions"] = {member: position for position, member in enumerate(accepted)}
        namespace["_max_positional"] = 0 if kw_only else len(accepted)
        namespace["_factories"] = {
            member: field.default_factory
            for member, field in fields.items()
            if field.default_factory is not dataclasses.MISSING
        }
        namespace["_hidden"] = frozenset(member for member, field in fields.items() if not field.repr)
        return super().__new__(cls, name, bases, namespace)


@cache
def _dataclass_fields(owner: type[_Base]) -> dict[str, dataclasses.Field[Any]]:
    fields: dict[str, dataclasses.Field[Any]] = {}
    for name in owner._members:  # noqa: SLF001 - a part of the class
        field = fields[name] = dataclasses.field(init=name in owner._positions)  # noqa: SLF001 - as above
        field.name = name
        # By this private mark `dataclasses` recognises members; it is the same in Python 3.7 to 3.13.
        field._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # noqa: SLF001
    return fields


class _Fields:
    """The fields of a class as `dataclasses` describes them, created when one of its functions asks for them."""

    def __get__(self, instance: object, owner: type[_Base]) -> dict[str, dataclasses.Field[Any]]:
        return _dataclass_fields(owner)


class _Base(metaclass=_ValueType):
    """The methods that all values share."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
        _members: ClassVar[tuple[str, ...]]
        # By the names of the members that `__init__` accepts.
        _positions: ClassVar[Mapping[str, int]]
        _max_positional: ClassVar[int]
        _defaults: ClassVar[Mapping[str, Any]]
        _factories: ClassVar[Mapping[str, Callable[[], Any]]]
        # Members that `repr` leaves out.
        _hidden: ClassVar[frozenset[str]]
    else:
        __dataclass_fields__ = _Fields()

    def __init__(self, *values: Any, **named: Any) -> None:  # noqa: ANN401 - of any class
        """Set the members; raises `TypeError` for one that is missing, unknown or given twice."""
        positions = self._positions
        if len(values) > self._max_positional:
            raise TypeError(f"{type(self).__name__} takes {self._max_positional} values, not {len(values)}")
        for name, value in zip(positions, values, strict=False):
            _set(self, name, value)
        for name, value in named.items():
            if positions.get(name, -1) < len(values):
                problem = f"got {name} twice" if name in positions else f"has no member {name}"
                raise TypeError(f"{type(self).__name__} {problem}")
            _set(self, name, value)
        if len(values) + len(named) < len(self._members):
            self._set_defaults(len(values), named)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Set members that depend on others; for classes to override."""

    def _set_defaults(self, count: int, named: Mapping[str, Any]) -> None:
        """Set the members that were not given: neither among the first ``count`` nor by name."""
        missing = []
        for name in self._members:
            position = self._positions.get(name)
            if name in named or (position is not None and position < count):
                continue
            if name in self._defaults:
                _set(self, name, self._defaults[name])
            elif name in self._factories:
                _set(self, name, self._factories[name]())
            elif position is not None:
                missing.append(name)
        if missing:
            raise TypeError(f"{type(self).__name__} needs {', '.join(missing)}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._members)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self._members))

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._members if name not in self._hidden)
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Value(_Base):
    """Base of immutable classes with named members; compared by their members."""

    def __setattr__(self, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete {name!r}")

    def __reduce__(self) -> tuple[Callable[..., Value], tuple[Any, ...]]:
        """Copy and pickle by the members: the default would set them, which raises."""
        return _restored, (type(self), *(getattr(self, name) for name in self._members))


def _restored(cls: type[Value], *values: object) -> Value:
    value = cls.__new__(cls)
    for name, member in zip(cls._members, values, strict=True):
        _set(value, name, member)
    return value


@dataclass_transform(field_specifiers=(dataclasses.field,))
class MutableValue(_Base):
    """Base of classes with named members that may change; compared by their members, without a hash."""

    __hash__ = None  # type: ignore[assignment]
