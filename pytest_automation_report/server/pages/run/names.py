"""Find the word of a run's tests that a misspelled search may mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["common_phrase"]

_WORDS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,}")


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
