"""Compare the beginnings of texts."""

from __future__ import annotations


def common_length(left: str, right: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    low, high = 0, min(len(left), len(right))
    # By halves: Python compares slices much faster than single characters.
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
