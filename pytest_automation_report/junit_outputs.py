"""What tests print for the official command-line tool, taken out of the output in JUnit XML (floor 1, pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LINE: Final = re.compile(r"\r?\n|\r")
_ATTACHMENT: Final = re.compile(r"\s*\[\[ATTACHMENT\|([^\]]+)\]\]")
_SINGLE: Final = re.compile(r"\s*\[\[PROPERTY\|([^=]+)=(.+)\]\]")
_BEGIN: Final = re.compile(r"\s*\[\[PROPERTY\|(.+)\]\]")
_END: Final = "[[/PROPERTY]]"


@dataclass(frozen=True, slots=True)
class Property:
    """A named value of a case; ``is_text`` tells that it was written as a text of several lines."""

    name: str
    value: str
    is_text: bool = False


def said_in(output: str) -> tuple[str, list[Property]]:
    """Return the output without the lines that say something, and what they say, in their order.

    Attachments are properties of the name ``attachment``.
    """
    if "[[" not in output:
        return output.strip(), []
    rest: list[str] = []
    said: list[Property] = []
    lines = iter(_LINE.split(output))
    for line in lines:
        if "[[" not in line:
            rest.append(line)
        elif (found := _ATTACHMENT.match(line)) is not None:
            said.append(Property("attachment", found[1].strip()))
        elif (found := _SINGLE.fullmatch(line)) is not None:
            said.append(Property(found[1].strip(), found[2].strip()))
        elif (found := _BEGIN.fullmatch(line)) is not None:
            inner: list[str] = []
            for each in lines:
                if _END in each:
                    break
                inner.append(each)
            value = "\n".join(inner).strip()
            if value:
                said.append(Property(found[1].strip(), value, is_text=True))
        else:
            rest.append(line)
    return "\n".join(rest).strip(), said
