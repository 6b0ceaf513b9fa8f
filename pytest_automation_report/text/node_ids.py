"""Name tests as people and pytest do, and write the commands that run them again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Iterable


class NameParts(NamedTuple):
    """Name of a test: ``function``, and ``parameters`` with their brackets; empty without any."""

    function: str
    parameters: str


def split_name(name: str) -> NameParts:
    """Return the parts of a test's name."""
    function, bracket, parameters = name.partition("[")
    # A doctest's name or a sentence may have brackets in its middle.
    is_parametrized = function and bracket and name.endswith("]")
    return NameParts(function, bracket + parameters) if is_parametrized else NameParts(name, "")


def join_place(file: str | None, line: int | None) -> str:
    """Return ``FILE:LINE``, the file alone if the line is unknown, and nothing without a file."""
    return f"{file}:{line}" if file and line else file or ""


def join_title(folder: str, name: str) -> str:
    """Return folder and name; for a module, where both are the same, its name."""
    return name if folder in {"", name} else f"{folder}.{name}"


def class_path(file: str | None, folder: str) -> str | None:
    """Return the classes of a test, joined by dots; None if the folder is not the module of the file."""
    module = (file or "").removesuffix(".py").replace("\\", "/").replace("/", ".")
    _, separator, classes = f".{folder}.".rpartition(f".{module}.")
    return classes.strip(".") if separator and file else None


def node_id(file: str | None, folder: str, name: str, line: int | None = None) -> str:
    """Return the node id by which pytest finds a test, empty without a Python file or for another program's folder.

    Of what has the name of its module, a test that failed has a line, and the module has none.
    """
    classes = class_path(file, folder)
    if not file or classes is None or not file.endswith(".py") or not is_argument(file):
        return ""
    if name == folder and line is None:
        return file
    return string("::".join([file, *filter(None, classes.split(".")), name]))


def read_node_id(file: str | None, folder: str, name: str, fields: Iterable[Any] = (), line: int | None = None) -> str:
    """Return the node id of a test; empty if its file is not known. Each field has name, type and value."""
    # It comes from the field that the plugin adds, else from file, folder and name, as JUnit XML has them.
    sent = (field.value or "" for field in fields if field.name == "Node id" and field.type == 1)
    known = next((string(text) for text in sent if is_argument(text)), "")
    return known or node_id(file, folder, name, line)


USED_BY_FIELD: Final = "Used by"
"""The field of a fixture that tests share with the node id of the test in which it failed, which pytest can run."""

MOST_NAMED: Final = 5


def command_line(node_ids: Iterable[str], count: int | None = None, otherwise: str = "") -> str:
    """Return the command that runs ``count`` tests; a test that is not known has an empty node id.

    For more than five tests it is ``otherwise``. Without that it names their functions, and so may run more tests than
    failed; it is empty if there are more than five functions.
    """
    known = list(dict.fromkeys(filter(None, node_ids)))
    is_whole = count in {None, len(known)} and len(known) <= MOST_NAMED
    if known and otherwise and not is_whole:
        return otherwise
    ids = known if is_whole else list(dict.fromkeys(text.partition("[")[0] for text in known))
    if not 0 < len(ids) <= MOST_NAMED:
        return ""
    # A function's name has no dot before its parameters; a doctest's name begins with its module's.
    names = [text.partition("[")[0].rpartition("::") for text in ids]
    has_doctest = any("." in name for _, separator, name in names if separator)
    return shlex.join(["pytest", *(["--doctest-modules"] if has_doctest else []), *ids])


def rerun_command(run_id: int, only: str = "") -> str:
    """Return the command that runs the failures of a run: all, only the ``new`` ones, or the failures of a reason."""
    return f"pytest --automation-report-rerun-failed={run_id}{f':{only}' if only else ''}"


def is_argument(text: str) -> bool:
    """Whether pytest reads a text as a test, and not as an option (``-``) or a file of options (``@``)."""
    return bool(text) and not text.startswith(("-", "@"))
