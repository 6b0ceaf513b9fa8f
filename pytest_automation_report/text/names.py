"""Names of tests for readers and for pytest: title, parameters, classes, node id, and the command to run them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Iterable


SHORT_COMMIT: Final = 7
"""Characters of a commit's hash where people read it."""


class NameParts(NamedTuple):
    """Name of a test: ``function``, and ``parameters`` with their brackets; empty without any."""

    function: str
    parameters: str


def split_name(name: str) -> NameParts:
    """Return the parts of a test's name."""
    function, bracket, parameters = name.partition("[")
    # A doctest's name or a sentence may have brackets in its middle.
    if not bracket or not name.endswith("]") or not function:
        return NameParts(name, "")
    return NameParts(function, bracket + parameters)


def title_of(folder: str, name: str) -> str:
    """Return folder and name; for a module, where both are the same, its name."""
    return name if folder in {"", name} else f"{folder}.{name}"


def class_path(file: str | None, folder: str) -> str:
    """Return the classes of a test, joined by dots: the part of its folder after the name of the module."""
    return _classes(file or "", folder) or ""


def node_id(file: str | None, folder: str, name: str) -> str:
    """Return the node id by which pytest finds a test: file, classes and name. A module's is its file.

    Empty if it is not known: without a Python file, or if the folder is not the file's, as with results of others.
    """
    classes = _classes(file or "", folder)
    if not file or classes is None or not file.endswith(".py") or not is_argument(file):
        return ""
    if name == folder:
        return file
    return string("::".join([file, *filter(None, classes.split(".")), name]))


def run_command(node_ids: Iterable[str]) -> str:
    """Return the command that runs these tests."""
    ids = list(node_ids)
    # The name of a function has no dot before its parameters; that of a doctest begins with its module's name.
    functions = [text.partition("[")[0].rpartition("::") for text in ids]
    has_doctest = any("." in function for _, separator, function in functions if separator)
    return shlex.join(["pytest", *(["--doctest-modules"] if has_doctest else []), *ids])


def is_argument(text: str) -> bool:
    """Whether pytest reads a text as a test, and not as an option (``-``) or a file of options (``@``)."""
    return bool(text) and not text.startswith(("-", "@"))


def _classes(file: str, folder: str) -> str | None:
    """Return the classes in a folder, joined by dots; None if the folder is not the module of the file."""
    module = file.removesuffix(".py").replace("\\", "/").replace("/", ".")
    _, separator, classes = f".{folder}.".rpartition(f".{module}.")
    return classes.strip(".") if separator and file else None
