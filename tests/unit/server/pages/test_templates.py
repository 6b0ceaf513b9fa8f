"""Contexts of templates beside what these use: names, and members of values whose types are declared."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import (
    Any,
    ForwardRef,
    NamedTuple,
    TypeAlias,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import pytest
from jinja2 import meta, nodes
from msgspec import Struct

from pytest_automation_report.server.pages import rendering, site

ENVIRONMENT = rendering._ENVIRONMENT
PAGES = Path(site.__file__).parent
Types: TypeAlias = "tuple[Any, ...]"
"""The possible types of a value; none if nothing is known of it."""

Names: TypeAlias = "dict[str, Any]"
"""The names that a part of a template knows: `Types`, a `Macro`, or the names of a template that is imported."""


class Macro(NamedTuple):
    node: nodes.Macro
    names: Names  # around it


def subclasses(kind: type) -> Iterator[Any]:
    each: type
    for each in kind.__subclasses__():
        yield from (each, *subclasses(each))


CONTEXTS = [each for each in subclasses(rendering.Context) if hasattr(each, "template")]


@cache
def parsed(template: str) -> nodes.Template:
    assert ENVIRONMENT.loader is not None
    return ENVIRONMENT.parse(ENVIRONMENT.loader.get_source(ENVIRONMENT, template)[0])


@cache
def names_of_types() -> Mapping[str, Any]:
    """Return what modules import for annotations alone, and aliases of types that they have as texts."""
    found: dict[str, Any] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("pytest_automation_report.") and module.__file__:
            for block in ast.parse(inspect.getsource(module)).body:
                if isinstance(block, ast.AnnAssign) and ast.unparse(block.annotation) == "TypeAlias":
                    found[ast.unparse(block.target)] = getattr(block.value, "value", Any)
                imports = [node for node in getattr(block, "body", ()) if isinstance(node, ast.ImportFrom)]
                for node in imports if isinstance(block, ast.If) else ():
                    home = import_module(node.module or "")
                    found |= {each.name: getattr(home, each.name, Any) for each in node.names}
    return {name: ForwardRef(value) if isinstance(value, str) else value for name, value in found.items()}


@cache
def members(kind: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any type
    """Return the members of a type with their types; none if they are not declared."""
    is_struct = isinstance(kind, type) and issubclass(kind, Struct)
    if not (is_struct or is_typeddict(kind) or hasattr(kind, "_fields")):
        return {}
    found = dict.fromkeys(dir(kind), Any) | get_type_hints(kind, localns={**names_of_types()})
    for name in dir(kind):
        value = inspect.getattr_static(kind, name)
        getter = getattr(value, "fget", None) or getattr(value, "func", None)
        if getter is not None:
            found[name] = get_type_hints(getter, localns={**names_of_types()}).get("return", Any)
    return found


def possible(annotation: Any) -> Types:  # noqa: ANN401 - any type
    if get_origin(annotation) in {Union, UnionType}:
        return tuple(each for part in get_args(annotation) for each in possible(part))
    return () if annotation in {Any, type(None)} else (annotation,)


def elements(types: Types) -> Types:
    """Return the types of the elements of some sequences."""
    found: list[Any] = []
    for kind in types:
        inner = get_args(kind)
        is_tuple = getattr(kind, "__origin__", None) is tuple
        if inner[1:] == (Ellipsis,) if is_tuple else len(inner) == 1:
            found += possible(inner[0])
    return tuple(found)


def parts_of(kind: Any) -> Sequence[Any]:  # noqa: ANN401 - any type
    """Return the types of the parts of a tuple, with names or without."""
    if getattr(kind, "__origin__", None) is tuple:
        return get_args(kind)
    return [members(kind)[each] for each in getattr(kind, "_fields", ())]


def bound(target: nodes.Node, types: Types) -> dict[str, Types]:
    """Return the names that a value of these types is given to."""
    if isinstance(target, nodes.Name):
        return {target.name: types}
    assert isinstance(target, nodes.Tuple)
    rows = [parts_of(kind) for kind in types]
    columns = [[row[place] for row in rows if len(row) == len(target.items)] for place in range(len(target.items))]
    known = [tuple(each for part in column for each in possible(part)) for column in columns]
    found: dict[str, Types] = {}
    for each, own in zip(target.items, known, strict=True):
        found |= bound(each, own)
    return found


def names_in(template: str, known: Names) -> Names:
    """Return the names of a template: those that it is given, what it imports, and its macros."""
    names = {**known}
    for node in parsed(template).find_all((nodes.Import, nodes.FromImport, nodes.Macro)):
        if isinstance(node, nodes.Import):
            names[node.target] = names_in(node.template.value, {})  # type: ignore[attr-defined] # a constant in ours
        elif isinstance(node, nodes.FromImport):
            module = names_in(node.template.value, {})  # type: ignore[attr-defined] # a constant in ours
            names |= {each: module[each] for each in node.names if isinstance(each, str)}
        elif isinstance(node, nodes.Macro):
            names[node.name] = Macro(node, names)
    return names


class Reading:
    """What the template of a context uses, with all that it extends, includes and imports."""

    def __init__(self, context: Any) -> None:  # noqa: ANN401 - a class with a template
        self.names: set[str] = set()
        self.used: set[tuple[Any, str]] = set()
        self.missing: set[str] = set()
        self._seen: set[object] = set()
        self._read(context.template, {name: possible(members(context)[name]) for name in context.__struct_fields__})

    def _read(self, template: str, known: Names) -> None:
        tree: Any = parsed(template)
        names = names_in(template, known)
        for node in tree.find_all((nodes.Extends, nodes.Include)):
            if isinstance(node.template, nodes.Const):
                self._read(node.template.value, known)
            else:  # of a view that knows its template
                for view in known["view"]:
                    self._read(view.template, {**known, "view": (view,)})
        targets = [node.target for node in tree.find_all((nodes.Assign, nodes.AssignBlock))]
        own = {name for target in targets for name in bound(target, ())}
        self.names |= meta.find_undeclared_variables(tree) - (names.keys() - known.keys()) - own
        self._walk(tree.body, names)

    def _walk(self, body: Iterable[Any], names: Names) -> None:
        for node in body:
            if isinstance(node, nodes.For):
                inner = names | bound(node.target, elements(self._types(cast("nodes.Expr", node.iter), names)))
                self._walk([*filter(None, [node.test]), *node.body, *node.else_], inner)
            elif isinstance(node, nodes.Assign):
                sides: list[tuple[Any, Any]] = [(node.target, node.node)]
                if isinstance(node.target, nodes.Tuple) and isinstance(node.node, nodes.Tuple):
                    sides = list(zip(node.target.items, node.node.items, strict=True))
                for target, value in sides:
                    names |= bound(target, self._types(value, names))
            elif isinstance(node, nodes.Block):
                self._walk(node.body, {**names})
            elif isinstance(node, nodes.CallBlock):
                self._types(node.call, names)
                self._walk(node.body, names | {each.name: () for each in node.args})
            elif isinstance(node, nodes.Expr):
                self._types(node, names)
            elif not isinstance(node, nodes.Macro):  # which is read with the types of each call
                self._walk(node.iter_child_nodes(), names)

    def _types(self, node: nodes.Expr, names: Names) -> Types:
        """Return the possible types of an expression, after a look at its parts."""
        if isinstance(node, nodes.Name):
            found = names.get(node.name, ())
            return found if type(found) is tuple else ()
        if isinstance(node, nodes.Getattr):
            return self._member(self._types(node.node, names), node.attr)
        if isinstance(node, nodes.Call):
            return self._call(node, names)
        inner = [self._types(each, names) for each in node.iter_child_nodes() if isinstance(each, nodes.Expr)]
        for pair in node.iter_child_nodes():
            if isinstance(pair, (nodes.Keyword, nodes.Pair)):
                self._types(pair.value, names)
        if isinstance(node, nodes.Getitem):
            return self._item(inner[0], node.arg)
        if isinstance(node, (nodes.Or, nodes.CondExpr)):
            return tuple(each for types in inner for each in types)
        return inner[0] if isinstance(node, nodes.Filter) and node.name == "reverse" else ()

    def _member(self, types: Types, name: str) -> Types:
        declared = [kind for kind in types if members(kind)]
        having = [kind for kind in declared if name in members(kind)]
        self.used |= {(kind, name) for kind in having}
        if declared and not having and len(declared) == len(types):
            self.missing.add(f"{' or '.join(kind.__name__ for kind in declared)}.{name}")
        return tuple(each for kind in having for each in possible(members(kind)[name]))

    def _item(self, types: Types, place: nodes.Expr) -> Types:
        if isinstance(place, nodes.Slice):
            return types
        number = place.value if isinstance(place, nodes.Const) else None
        fixed = [parts_of(kind) for kind in types]
        chosen = [parts[number] for parts in fixed if isinstance(number, int) and -len(parts) <= number < len(parts)]
        return elements(types) + tuple(each for part in chosen for each in possible(part))

    def _call(self, node: nodes.Call, names: Names) -> Types:
        """Look at a call, and into the macro that it calls, with the types of its arguments."""
        given = [self._types(each, names) for each in node.args]
        named = {each.key: self._types(each.value, names) for each in node.kwargs}
        called: Any = names.get(node.node.name) if isinstance(node.node, nodes.Name) else None
        if isinstance(node.node, nodes.Getattr):
            module = names.get(node.node.node.name) if isinstance(node.node.node, nodes.Name) else None
            if not isinstance(module, dict):
                owner = self._types(node.node.node, names)
                self._member(owner, node.node.attr)
                pairs = [get_args(kind) for kind in owner if node.node.attr == "items"]
                return tuple(list[tuple[pair]] for pair in pairs)  # type: ignore[valid-type] # types of values
            called = module.get(node.node.attr)
        if isinstance(called, Macro):
            arguments = {each.name: () for each in called.node.args} | named
            arguments |= dict(zip(arguments, given, strict=False))
            seen = (called.node, str(arguments))
            if seen not in self._seen:
                self._seen.add(seen)
                self._walk(called.node.body, called.names | arguments)
        return ()


@pytest.fixture(scope="module")
def readings() -> Mapping[Any, Reading]:
    return {context: Reading(context) for context in CONTEXTS}


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.__name__)
def test_a_template_uses_what_its_context_has(readings: Mapping[Any, Reading], context: Any) -> None:  # noqa: ANN401 - a class with a template
    """No template uses a name, or a member of a declared value, that is not there; no member of a context is unused."""
    reading, frame = readings[context], set(rendering.PageContext.__struct_fields__)
    fields = set(context.__struct_fields__)
    assert (reading.names - fields, fields - frame - reading.names, reading.missing) == (set(), set(), set())


def test_every_member_of_the_frame_is_used(readings: Mapping[Any, Reading]) -> None:
    """What all pages are given, some page uses."""
    assert set(rendering.PageContext.__struct_fields__) <= {name for each in readings.values() for name in each.names}


def test_every_member_of_a_value_is_used(readings: Mapping[Any, Reading]) -> None:
    """Each member of a declared value that a context brings is used by a template, or by a module of the pages."""
    used = {pair for each in readings.values() for pair in each.used}
    code = "".join(path.read_text("utf-8") for path in PAGES.rglob("*.py"))
    unused = [
        f"{kind.__name__}.{name}"
        for kind in {kind for kind, _ in used if kind.__module__.startswith(f"{rendering.__package__}.")}
        for name in getattr(kind, "_fields", ()) or getattr(kind, "__struct_fields__", ())
        if (kind, name) not in used and not re.search(rf"\.{name}\b", code)
    ]
    assert sorted(unused) == []
