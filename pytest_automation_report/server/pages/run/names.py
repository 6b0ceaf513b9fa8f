"""Names of tests for readers: function and parameters apart, class, file, node id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["TestName", "class_path", "common_phrase", "node_id", "test_name"]

_WORDS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,}")


@dataclass(frozen=True, slots=True)
class TestName:
    """Name of a test: ``function``, and ``parameters`` with their brackets; empty without any."""

    __test__ = False  # pytest must not collect it

    function: str
    parameters: str


def test_name(name: str) -> TestName:
    """Return the parts of a test's name."""
    function, bracket, parameters = name.partition("[")
    # A doctest's name or a sentence may have brackets in its middle.
    if not bracket or not name.endswith("]") or not function:
        return TestName(name, "")
    return TestName(function, bracket + parameters)


test_name.__test__ = False  # type: ignore[attr-defined] # pytest must not collect it


def class_path(file: str | None, folder: str) -> str:
    """Return the classes of a test, joined by dots: the part of its folder after the name of the module."""
    if not file:
        return ""
    module = file.removesuffix(".py").replace("\\", "/").replace("/", ".")
    _, separator, classes = f".{folder}.".rpartition(f".{module}.")
    return classes.strip(".") if separator else ""


def node_id(row: Mapping[str, Any]) -> str:
    """Return the node id of a test by its file, folder and name; folder and name if its file is unknown."""
    if not row["file"]:
        return f"{row['folder']}.{row['name']}" if row["folder"] else str(row["name"])
    classes = [part for part in class_path(row["file"], row["folder"]).split(".") if part]
    return "::".join([row["file"], *classes, row["name"]])


def common_phrase(texts: Iterable[str], word: str) -> str | None:
    """Return the word of these texts that is nearest to a misspelled one; None if none is near."""
    wanted = word.lower()
    # Words of names are joined by underscores: each is one to find, too.
    candidates = {part for text in texts for found in _WORDS.findall(text) for part in [found, *found.split("_")]}
    near = [(distance, candidate) for candidate in candidates if (distance := _distance(wanted, candidate.lower())) < 3]  # noqa: PLR2004
    return min(near)[1] if near and min(near)[0] <= max(1, len(wanted) // 4) else None


def _distance(first: str, second: str) -> int:
    """Return the number of changed, added and removed characters between two words, at most 3."""
    if abs(len(first) - len(second)) > 2:  # noqa: PLR2004 - see `common_phrase`
        return 3
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(second, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return min(3, row[-1])
