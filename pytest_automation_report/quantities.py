"""Numbers of things in words (floor 0, pure): what is told of one is told in the singular."""

from __future__ import annotations

__all__ = ["quantity"]


def quantity(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 result``, ``2 results``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
