"""Write the links of pages, and the numbers of a list's pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping


_PATHS: Final[Mapping[str, str]] = {
    "home": "/",
    "search": "/search",
    "project": "/projects/{}",
    "suite": "/sources/{}",
    "latest": "/sources/{}/latest",
    "run": "/runs/{}",
    "run-live": "/runs/{}/live",
    "run-branch": "/runs/{}/branch",
    "run-text": "/runs/{}/failures.txt",
    "run-junit": "/runs/{}/junit.xml",
    "run-json": "/runs/{}/run.json",
    "run-csv": "/runs/{}/tests.csv",
    "report": "/runs/{}/report.html",
    "result": "/results/{}",
    "case": "/tests/{}",
    "theme": "/theme/{}",
}
_is_own_path = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*").fullmatch


def link(kind: str, id: int | str | None = None, at: str = "", **query: Any) -> str:  # noqa: A002, ANN401 - reads well; any value has a text
    """Return the path of a page; parameters that are empty, None or False are left out.

    The name of a parameter may end with an underscore, which is no part of it: ``from`` is a word of Python. ``kind``
    is a key of the table above, ``id`` the number of a run, result or source, ``at`` the id of an element of the page.
    Raises `KeyError` for an unknown kind.
    """
    path = _PATHS[kind]
    if id is not None:
        path = path.format(id if isinstance(id, int) else quote(id, safe=""))
    if not query and not at:
        return path
    pairs = [
        (name.rstrip("_"), str(value))
        for name, value in query.items()
        if value is not None and value is not False and value != ""
    ]
    return f"{path}{'?' if pairs else ''}{urlencode(pairs, errors='replace')}{'#' if at else ''}{quote(at)}"


def route_of(kind: str, field: str) -> str:
    """Return the template of a route: the path of a kind of link, with a field in the place of its number."""
    return _PATHS[kind].format("{" + field + "}")


def own_path(text: str | None, default: str = "/") -> str:
    """Return a text if it is a path of this site, else ``default``.

    Two slashes or a backslash would lead to another host, and a control character could end a header.
    """
    return text if text and _is_own_path(text) else default


def paging(page: int, total: int | None, size: int, *, has_more: bool = False) -> dict[str, int | None]:
    """Return the numbers of this page, of its neighbours and of the last one; None if missing or unknown.

    ``total`` is None for a list of unknown length: then ``has_more`` shows whether another page follows.
    """
    last = None if total is None else max(1, -(-total // size))
    is_followed = has_more if last is None else page < last
    return {"page": page, "before": page - 1 or None, "after": page + 1 if is_followed else None, "last": last}
