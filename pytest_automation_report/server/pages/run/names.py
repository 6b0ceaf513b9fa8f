"""Find the word of a run's tests that a misspelled search may mean."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLOSE: Final = 0.75
_WORDS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,}")


def common_phrase(texts: Iterable[str], word: str) -> str | None:
    """Return the word of these texts that is nearest to a misspelled one; None if none is near."""
    # Words of names are joined by underscores: each is one to find, too.
    candidates = {
        part.lower(): part for text in texts for found in _WORDS.findall(text) for part in (found, *found.split("_"))
    }
    near = get_close_matches(word.lower(), candidates, n=1, cutoff=_CLOSE)
    return candidates[near[0]] if near else None
