"""Show the message of a failure: its exception, and which parts differ from run to run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_automation_report.findings.fingerprints import MASK, mask_variables
from pytest_automation_report.text.visible import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

_TYPE: Final = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*): ")


class Said(NamedTuple):
    """A message: the exception's type, and parts of the text; some parts differ from run to run."""

    type: str
    parts: Sequence[tuple[str, bool]]


def says_of(title: str, type_name: str = "") -> Said:
    """Return a message in parts, with its variable ones marked."""
    title = plain(title)
    match = _TYPE.match(title)
    if match:
        type_name, title = match[1], title[match.end() :]
    # It shows which parts differ from run to run: its literal pieces stand in the title, in their order.
    mask = plain(mask_variables(title))
    pieces = MASK.split(mask)
    parts: list[tuple[str, bool]] = []
    place = 0
    for number, piece in enumerate(pieces):
        start = title.find(piece, place) if piece else (len(title) if number == len(pieces) - 1 else place)
        if start < 0 or (number == 0 and start > 0):
            # The mask changed more than whole parts: nothing is marked then.
            return Said(type_name, [(title, False)])
        if number and start > place:
            parts.append((title[place:start], True))
        parts.append((piece, False))
        place = start + len(piece)
    if place < len(title):
        parts.append((title[place:], False))
    words = "no message" if type_name else "Failed without a message"
    return Said(type_name.rpartition(".")[2], [part for part in parts if part[0]] or [(title or words, False)])
