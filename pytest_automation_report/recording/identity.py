"""Which test a result belongs to (floor 1): names and keys as pytest's JUnit XML would lead to them.

A source on the server keeps the history of its tests by key, and the keys that exist were made from pytest's XML.
So the spelling of class and test name is repeated here, oddities included, in the form of the latest pytest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from pytest_automation_report.text.limits import string

# What XML 1.0 does not have, and DEL; written the other way round it takes 2 ms to compile at each start.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NO_NAME = "(no name)"


@dataclass(frozen=True, slots=True)
class TestIdentity:
    """Folder, name and key of a test on the server, and its node id as pytest spells it.

    ``is_respelled`` tells that folder or name, cleaned and cut, no longer show the node id as it is.
    """

    folder: str
    name: str
    key: str
    raw: str
    is_respelled: bool = False


def identity(nodeid: str, *, prefix: str = "") -> TestIdentity:
    """Return the identity of a node; ``prefix`` stands before the folder as ``--junit-prefix`` does in the XML."""
    path, colons, inner = nodeid.partition("::")
    module = _dotted(path)
    if colons:
        spelled, bracket, params = inner.partition("[")
        scopes, _, last = spelled.rpartition("::")
        if bracket:
            last = f"{last}[{params.removesuffix(']')}]"
        classname = f"{module}.{scopes.replace('::', '.')}" if scopes else module
        if prefix:
            classname = f"{prefix}.{classname}"
    else:
        last, classname = module, prefix
    name = last if last.isascii() and last.isprintable() else _NOT_IN_XML.sub(_visual_escape, last)
    shown = string(name) or _NO_NAME
    folder = string(classname) if classname else shown
    return TestIdentity(
        folder,
        shown,
        key_of(classname, name),
        nodeid,
        is_respelled=shown != last or classname not in {"", folder},
    )


def key_of(folder: str, name: str) -> str:
    """Return the hash of a test's address; a lone surrogate has no UTF-8 and is still told from others."""
    address = f"{folder}.{name}" if folder else name
    return sha256(address.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=1024)
def _dotted(path: str) -> str:
    """Return a file's path as a dotted module name."""
    return path.replace("/", ".").removesuffix(".py")


def _visual_escape(match: re.Match[str]) -> str:
    """Return pytest's stand-in for a character that XML cannot hold."""
    code = ord(match.group())
    return f"#x{code:02X}" if code <= 0xFF else f"#x{code:04X}"  # noqa: PLR2004 - the largest two-digit escape
