"""Derive folder, name and key of a test from its node id, exactly as pytest's JUnit XML leads to them.

The server finds the history of a test by its key, and the keys of earlier runs came from pytest's XML. So the spelling
of class and test name is repeated here, its oddities included, as the latest pytest writes them.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from pytest_automation_report.text.limits import string
from pytest_automation_report.text.patterns import lazy_pattern

if TYPE_CHECKING:
    import re

# Characters that XML 1.0 does not allow, and DEL. As the complement of the allowed ones it would take 2 ms to compile
# at each start of pytest.
_NOT_IN_XML = lazy_pattern("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NO_NAME = "(no name)"


class TestIdentity(Struct, frozen=True):
    """Folder, name and key of a test on the server, and its node id (``raw``).

    ``is_respelled`` is True if folder and name, escaped and cut, do not show the node id unchanged.
    """

    folder: str
    name: str
    key: str
    raw: str
    is_respelled: bool = False


def identity_of(nodeid: str, *, prefix: str = "") -> TestIdentity:
    """Return the identity of a node; ``prefix`` stands before the folder, as ``--junit-prefix`` in pytest's XML."""
    path, colons, inner = nodeid.partition("::")
    module = _dotted(path)
    if colons:
        names, bracket, params = inner.partition("[")
        scopes, _, last = names.rpartition("::")
        if bracket:
            last = f"{last}[{params.removesuffix(']')}]"
        classname = f"{module}.{scopes.replace('::', '.')}" if scopes else module
        if prefix:
            classname = f"{prefix}.{classname}"
    else:
        last, classname = module, prefix
    # The key is made of the whole name; only the shown one is cut.
    name = last if last.isascii() and last.isprintable() else _NOT_IN_XML.sub(_visual_escape, last)
    shown = string(name) or _NO_NAME
    folder = string(classname) if classname else shown
    return TestIdentity(
        folder,
        shown,
        key_of(classname, name),
        nodeid,
        shown != last or classname not in {"", folder},
    )


def key_of(folder: str, name: str) -> str:
    """Return the key: SHA-256 of ``folder.name``. Lone surrogates have no UTF-8, but must not make two keys equal."""
    address = f"{folder}.{name}" if folder else name
    return sha256(address.encode("utf-8", "surrogatepass")).hexdigest()


def one_based(line: int | None) -> int | None:
    """Return pytest's line of a test, which counts from 0, as editors count it; None if it is not known."""
    return None if line is None or line < 0 else line + 1


@lru_cache(maxsize=1024)
def _dotted(path: str) -> str:
    """Return the path of a file as a dotted module name."""
    return path.replace("/", ".").removesuffix(".py")


def _visual_escape(match: re.Match[str]) -> str:
    """Return pytest's escape for a character that XML does not allow."""
    code = ord(match.group())
    return f"#x{code:02X}" if code <= 0xFF else f"#x{code:04X}"  # noqa: PLR2004 - the largest two-digit escape
