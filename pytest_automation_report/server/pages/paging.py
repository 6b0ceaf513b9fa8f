"""Numbers of the pages of a list."""

from __future__ import annotations


def paging(page: int, total: int | None, size: int, *, has_more: bool = False) -> dict[str, int | None]:
    """Return the numbers of this page, of its neighbours and of the last one; None if missing or unknown.

    ``total`` is None for a list of unknown length: then ``has_more`` shows whether another page follows.
    """
    last = None if total is None else max(1, -(-total // size))
    is_followed = has_more if last is None else page < last
    return {"page": page, "before": page - 1 or None, "after": page + 1 if is_followed else None, "last": last}
