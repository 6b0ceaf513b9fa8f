"""Classes with named members, declared as dataclasses are, that cost next to nothing to create.

`dataclasses` compiles methods for each class: 61 classes took 38 ms of the 90 that pytest's process spent on reporting
a session of one test, and the sender spent as much. Here all classes share their methods: creating a class takes 10 us
instead of 600, and creating an instance 0.7 us instead of 0.4. Type checkers and the functions of `dataclasses`
(`replace`, `asdict`, `fields`) treat these classes as dataclasses. The sender does not even import `dataclasses`, which
takes 7 ms: `field` and `replace` are those of this module.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, TypeVar

if TYPE_CHECKING:
    import dataclasses
    from collections.abc import Callable, Mapping
    from dataclasses import replace

    from typing_extensions import dataclass_transform

    def field(
        *,
        default: Any = ...,  # noqa: ANN401 - of the member's type
        default_factory: Callable[[], Any] | None = None,
        init: bool = True,
        repr: bool = True,  # noqa: A002 - as in `dataclasses`
        key: str | None = "",
        required: bool = False,
    ) -> Any:  # noqa: ANN401 - of the member's type
        """Declare a member, for type checkers."""
else:
    # `typing` has this function since Python 3.11; at run time it does nothing.
    def dataclass_transform(**_: object) -> Callable[[T], T]:
        """Return a decorator that changes nothing."""
        return lambda cls: cls

    def field(
        *,
        default: object = ...,
        default_factory: Callable[[], object] | None = None,
        init: bool = True,
        repr: bool = True,  # noqa: A002 - as in `dataclasses`
        key: str | None = "",
        required: bool = False,
    ) -> _Declared:
        """Declare a member, as `dataclasses.field` does; ``...`` is no default.

        ``key`` and ``required`` are for values with a JSON form (`api.json_values`). ``key`` is the member's name there
        if it is another one, ``INLINE`` for a value whose members stand beside those of this class, and None for a
        member that the JSON does not have. With ``required`` the JSON must have the member although the class has a
        default.
        """
        return _Declared(default, default_factory, is_accepted=init, is_shown=repr, key=key, required=required)

    def replace(value: T, /, **changes: object) -> T:
        """Return a copy of a value with other members, as `dataclasses.replace` does."""
        names = getattr(value, "__struct_fields__", None) or value._accepted  # noqa: SLF001 - shared by all values
        members = {name: getattr(value, name) for name in names if name not in changes}
        return type(value)(**members, **changes)


__all__ = ["MutableValue", "Value", "field", "replace"]

T = TypeVar("T")

# Sets a member of a frozen value, too, whose own `__setattr__` raises.
_set: Final = object.__setattr__


class _Declared:
    """The declaration of a member by `field`."""

    __slots__ = ("default", "default_factory", "is_accepted", "is_shown", "key", "required")

    def __init__(
        self,
        default: object,
        default_factory: Callable[[], object] | None,
        *,
        is_accepted: bool,
        is_shown: bool,
        key: str | None,
        required: bool,
    ) -> None:
        self.default, self.default_factory = default, default_factory
        self.is_accepted, self.is_shown, self.key, self.required = is_accepted, is_shown, key, required


class _ValueType(type):
    """Creates a class: its annotations become slots, the values beside them the defaults.

    With ``kw_only`` the members must be named when an instance is created. The other keywords are attributes of the
    class, which its subclasses inherit.
    """

    _setters: tuple[Callable[[Any, Any], None], ...]

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, kw_only: bool = False, **keywords: object
    ) -> _ValueType:
        """Create the class; annotations must be strings, as ``from __future__ import annotations`` makes them."""
        annotations: Mapping[str, str] = namespace.get("__annotations__", {})
        members = tuple([member for member, type_ in annotations.items() if not type_.startswith("ClassVar")])
        accepted, defaults, factories, hidden = members, {}, {}, frozenset[str]()
        fields: dict[str, _Declared] = {}
        for member in members:
            if member in namespace:
                default = namespace.pop(member)
                if type(default) is _Declared:
                    fields[member] = default
                    default = default.default
                if default is not ...:
                    defaults[member] = default
        # Most classes use no `field`: asked first, since a session of one test creates 150 classes.
        if fields:
            accepted = tuple([member for member in members if member not in fields or fields[member].is_accepted])
            declared = fields.items()
            factories = {member: field_.default_factory for member, field_ in declared if field_.default_factory}
            hidden = frozenset([member for member, field_ in declared if not field_.is_shown])
        namespace["__slots__"] = namespace["__match_args__"] = namespace["_members"] = members
        namespace["_accepted"], namespace["_max_positional"] = accepted, 0 if kw_only else len(accepted)
        namespace["_defaults"], namespace["_factories"] = defaults, factories
        namespace["_hidden"], namespace["_declared"] = hidden, fields
        namespace.update(keywords)
        created = super().__new__(cls, name, bases, namespace)
        slots = created.__dict__
        created._setters = tuple([slots[member].__set__ for member in accepted])
        return created


@cache
def _dataclass_fields(owner: type[_Base]) -> dict[str, dataclasses.Field[Any]]:
    import dataclasses  # noqa: PLC0415 - only if a function of it is called

    fields: dict[str, dataclasses.Field[Any]] = {}
    for name in owner._members:  # noqa: SLF001 - a part of the class
        field_ = fields[name] = dataclasses.field(init=name in owner._accepted)  # noqa: SLF001 - as above
        field_.name = name
        # By this private mark `dataclasses` recognises members; it is the same in Python 3.7 to 3.13.
        field_._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # noqa: SLF001
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
        # The names of the members that `__init__` accepts, and their setters.
        _accepted: ClassVar[tuple[str, ...]]
        _setters: ClassVar[tuple[Callable[[Any, Any], None], ...]]
        _max_positional: ClassVar[int]
        _defaults: ClassVar[Mapping[str, Any]]
        _factories: ClassVar[Mapping[str, Callable[[], Any]]]
        # Members that `repr` leaves out.
        _hidden: ClassVar[frozenset[str]]
        # Members that `field` declares.
        _declared: ClassVar[Mapping[str, _Declared]]
    else:
        __dataclass_fields__ = _Fields()

    def __init__(self, *values: Any, **named: Any) -> None:  # noqa: ANN401 - of any class
        """Set the members; raises `TypeError` for one that is missing, unknown or given twice."""
        setters = self._setters
        complete = self._completed(values, named) if named or len(values) != len(setters) else values
        # The slots' own setters: `object.__setattr__` would look up each name.
        for set_member, value in zip(setters, complete, strict=True):
            set_member(self, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Set members that depend on others; for classes to override."""

    def _completed(self, values: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """Return the values of all members that have one, in the order of their setters."""
        if len(values) > self._max_positional:
            raise TypeError(f"{type(self).__name__} takes {self._max_positional} values, not {len(values)}")
        complete, defaults = list(values), self._defaults
        for name in self._accepted[len(values) :]:
            if name in named:
                complete.append(named.pop(name))
            elif name in defaults:
                complete.append(defaults[name])
            elif name in self._factories:
                complete.append(self._factories[name]())
            else:
                raise TypeError(f"{type(self).__name__} needs {name}")
        for name in named:
            problem = f"got {name} twice" if name in self._accepted else f"has no member {name}"
            raise TypeError(f"{type(self).__name__} {problem}")
        return complete

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._members)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self._members))

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._members if name not in self._hidden)
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Value(_Base):
    """Base of immutable classes with named members; compared by their members."""

    def __setattr__(self, name: str, value: object) -> None:
        _refuse(f"cannot assign to {name!r}")

    def __delattr__(self, name: str) -> None:
        _refuse(f"cannot delete {name!r}")

    def __reduce__(self) -> tuple[Callable[..., Value], tuple[Any, ...]]:
        """Copy and pickle by the members: the default would set them, which raises."""
        return _restored, (type(self), *(getattr(self, name) for name in self._members))


def _refuse(text: str) -> NoReturn:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415 - only for mistakes

    raise FrozenInstanceError(text)


def _restored(cls: type[Value], *values: object) -> Value:
    value = cls.__new__(cls)
    for name, member in zip(cls._members, values, strict=True):
        _set(value, name, member)
    return value


@dataclass_transform(field_specifiers=(field,))
class MutableValue(_Base):
    """Base of classes with named members that may change; compared by their members, without a hash."""

    __hash__ = None  # type: ignore[assignment]
