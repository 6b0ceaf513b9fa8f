"""The addresses of files that wait in the spool (floor 0, pure): a result has them until the files are stored.

A result is encoded once, when its attempt ends; where its files are to be read is known only when they were uploaded.
So a file has an address that names it in the session's own folder, and nothing else: it is never a path.
"""

from __future__ import annotations

import re
from typing import Final

MARK: Final = '"url":"spooled:'
"""Part of the JSON of each result that has such an address; of hardly any other."""

_SCHEME: Final = "spooled:"
_ADDRESS: Final = re.compile(r"spooled:(\S*) ?(.*)", re.DOTALL)
_is_name = re.compile(r"[A-Za-z0-9_-]{1,80}").fullmatch
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


def spooled_address(name: str, shown: str) -> str:
    """Return the address of a file in the spool; ``shown`` tells people what it was, should nobody store it."""
    return f"{_SCHEME}{name} {shown}"


def spooled_name(worker: str, number: int) -> str:
    """Return the name of a file that a worker puts into the spool."""
    return f"{_OTHER.sub('_', worker)[:60]}-{number}"


def is_spooled_name(name: str) -> bool:
    """Whether a file in the spool may have this name; a forged record can have any."""
    return _is_name(name) is not None


def spooled_file(address: str) -> tuple[str, str] | None:
    """Return the name of a file in the spool, as the record has it, and what it is for people; None for others."""
    match = _ADDRESS.fullmatch(address)
    return (match[1], match[2]) if match else None
