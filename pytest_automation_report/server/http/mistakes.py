"""Find the mistakes of a request body: the response lists the first 100 and the number of the others."""

from __future__ import annotations

from functools import lru_cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

from msgspec import Meta, Struct, UnsetType, ValidationError, convert
from msgspec.structs import fields

from pytest_automation_report.server.store.errors import ApiError, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MISTAKES_LISTED: Final = 100
"""Most mistakes that a response lists."""

# A body has up to a million values, and each mistake takes microseconds to find. A batch of a usual client has fewer.
_MISTAKES_COUNTED: Final = 5000
_PATH_LENGTH: Final = 200


class Mistakes:
    """The mistakes of one body by dotted path; memory and response stay small for any number of them."""

    def __init__(self) -> None:
        self._listed: dict[str, Sequence[str]] = {}
        self._unlisted = 0

    @property
    def is_full(self) -> bool:
        """Whether the rest of the body is not examined any more."""
        return self._unlisted >= _MISTAKES_COUNTED

    def add(self, path: str, message: str) -> None:
        """Add the mistake of the value at this path."""
        if len(self._listed) < MISTAKES_LISTED:
            self._listed[path[:_PATH_LENGTH]] = [message]
        else:
            self._unlisted += 1

    def refuse(self) -> None:
        """Raise `ApiError` (422) if there was a mistake."""
        if not self._listed:
            return
        if not self._unlisted:
            raise validation_error(self._listed)
        unlisted = f"at least {self._unlisted}" if self.is_full else self._unlisted
        message = f"The request has values that cannot be used: the first {len(self._listed)}, and {unlisted} more."
        raise ApiError(422, message, self._listed)


def examined(value: object, annotation: Any, mistakes: Mistakes, path: str = "") -> Any:  # noqa: ANN401 - any declared type
    """Return a value as its declared type; add each of its mistakes, with which the result has no meaning.

    Raises `ApiError` for a list that is longer than a whole request may have it.
    """
    try:
        return convert(value, annotation)
    except ValidationError:
        declared = _declared(annotation)
    if value is None:
        mistakes.add(path, "This property may not be null.")
    elif declared.struct is not None:
        if isinstance(value, dict):
            return _examined_properties(value, declared.struct, mistakes, path)
        mistakes.add(path, "Must be an object.")
    elif not isinstance(value, (list, dict)) or not isinstance(value, declared.container):
        mistakes.add(path, f"Must be {declared.meta.description}.")
    elif len(value) > (declared.meta.max_length or 0):
        _refuse_length(len(value), declared.meta, mistakes, path)
    else:
        return _examined_entries(value, declared, mistakes, path)
    return None


class _Declared(NamedTuple):
    """A declared type taken apart: a struct, a JSON ``list`` or ``dict`` of entries of one type, or a single value."""

    struct: type[Struct] | None
    container: type | tuple[()]
    entry: Any
    meta: Meta


@lru_cache(maxsize=256)
def _declared(annotation: Any) -> _Declared:  # noqa: ANN401 - any declared type
    meta = Meta()
    if get_origin(annotation) in (Union, UnionType):  # of one type with null, or with a missing value
        (annotation,) = (one for one in get_args(annotation) if one not in (type(None), UnsetType))
    if get_origin(annotation) is Annotated:
        annotation, meta = get_args(annotation)
    if get_origin(annotation) is tuple:
        return _Declared(None, list, get_args(annotation)[0], meta)
    if get_origin(annotation) is dict:
        return _Declared(None, dict, get_args(annotation)[1], meta)
    is_struct = isinstance(annotation, type) and issubclass(annotation, Struct)
    return _Declared(annotation if is_struct else None, (), None, meta)


def _examined_properties(value: dict[str, Any], struct: type[Struct], mistakes: Mistakes, path: str) -> Any:  # noqa: ANN401 - a struct
    """Return a struct of the properties that it declares; the others, and malformed extensions, are ignored."""
    properties = _properties(struct)
    known = {declared.name: value[declared.name] for declared in properties if declared.name in value}
    if len(known) < len(value):  # perhaps the others were all that msgspec refused
        return examined(known, struct, mistakes, path)
    prefix = f"{path}." if path else ""
    ignorable: frozenset[str] = getattr(struct, "ignorable", frozenset())
    for declared in properties:
        if declared.name in known and declared.name in ignorable:
            try:
                known[declared.name] = convert(known[declared.name], declared.type)
            except ValidationError:
                del known[declared.name]
        elif declared.name in known:
            known[declared.name] = examined(known[declared.name], declared.type, mistakes, prefix + declared.name)
        elif declared.required:
            mistakes.add(prefix + declared.name, "This property is required.")
            known[declared.name] = None
    return struct(**known)


_properties = lru_cache(maxsize=256)(fields)


def _examined_entries(value: Any, declared: _Declared, mistakes: Mistakes, path: str) -> Any:  # noqa: ANN401 - a list or an object
    pairs: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    entries = []
    for name, entry in pairs:
        if mistakes.is_full:
            break
        entries.append((name, examined(entry, declared.entry, mistakes, f"{path}.{name}")))
    return dict(entries) if isinstance(value, dict) else tuple(entry for _, entry in entries)


def _refuse_length(length: int, meta: Meta, mistakes: Mistakes, path: str) -> None:
    if meta.extra is not None:
        message = f"The request has {length} {path}; at most {meta.max_length} are taken: send fewer at once."
        raise ApiError(meta.extra["status"], message)
    mistakes.add(path, f"Has {length} entries; at most {meta.max_length} are taken.")
