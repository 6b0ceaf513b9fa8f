"""Cut the parts of a page out of its HTML, and turn its links into links inside of the file.

The pages come from the templates of the server: they are written once, escaped once, and look the same in both places.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_CRUMBS: Final = re.compile(r'<nav class="crumbs".*?</nav>', re.DOTALL)
_MAIN: Final = re.compile(r'<main id="content"[^>]*>(.*)</main>', re.DOTALL)
_HREF: Final = re.compile(r' href="(/[^"]*)"')
_ADDRESS: Final = re.compile(r' (href|src|action|poster|data-branch|data-live|data-icon|data-page)="(/[^"]*)"')
# The time since a moment is true for a minute; the moment itself stands in the title.
_AGO: Final = re.compile(r'(<time datetime="[^"]*") title="([^"]*)" data-ago>[^<]*</time>')
_OUTSIDE: Final = re.compile(r"<a\b[^>]* data-outside[^>]*>")
# The state of the page that a reader came from: in the file, the browser's history has it.
_LEFT_OUT: Final = frozenset({"from"})
_ARTIFACT: Final = re.compile(r"/artifacts/([0-9a-f]{64})(?:/(.*))?", re.DOTALL)


class Fragment(NamedTuple):
    """The parts of one page that differ from those of others, as HTML."""

    title: str
    crumbs: str
    content: str


def fragment_of(html: str) -> Fragment:
    """Return the parts of a page; raises `ValueError` if it does not extend the base template."""
    title, crumbs, content = _TITLE.search(html), _CRUMBS.search(html), _MAIN.search(html)
    if title is None or content is None:
        raise ValueError("the page has no title or no content")
    return Fragment(title[1].strip(), crumbs[0] if crumbs else "", content[1].strip())


def addresses_in(html: str) -> list[str]:
    """Return the canonical addresses of all pages that a page links to, in their order."""
    return [canonical(unescape(match[1])) for match in _HREF.finditer(html)]


# Pages of one run lead to the same places.
@lru_cache(maxsize=4096)
def canonical(address: str) -> str:
    """Return an address with its parameters in one order, without its fragment and without `from`."""
    split = urlsplit(address)
    pairs = sorted(pair for pair in parse_qsl(split.query) if pair[0] not in _LEFT_OUT)
    return f"{split.path}?{urlencode(pairs)}" if pairs else split.path


@lru_cache(maxsize=4096)
def _inner(address: str) -> str:
    """Return the address of a page as a place inside of the file, as HTML."""
    place = urlsplit(address).fragment
    return f"#{escape(canonical(address))}{'#' if place else ''}{escape(place)}"


def relinked(html: str, is_inside: Callable[[str], bool], files: frozenset[str] = frozenset()) -> str:
    """Return HTML whose links lead to places inside of the file; a link to anything else is no link any more.

    ``files`` are the hashes of the artifacts that the file holds.
    """

    def replaced(match: re.Match[str]) -> str:
        name, address = match[1], unescape(match[2])
        artifact = _ARTIFACT.fullmatch(address)
        if artifact is not None:
            name_ = escape(unquote(artifact[2] or ""))
            return f' data-file="{artifact[1]}" data-name="{name_}"' if artifact[1] in files else ""
        if name == "action":
            return f' data-action="{escape(canonical(address))}"'
        if name != "href":
            # The script opens nodes by itself.
            return " data-branch" if name == "data-branch" else ""
        if address.startswith("/static/"):
            return f' href="#{escape(urlsplit(address).fragment)}"'
        if not is_inside(canonical(address)):
            return " data-outside"
        return f' href="{_inner(address)}"'

    return _OUTSIDE.sub(_named_drawing, _AGO.sub(r"\1>\2</time>", _ADDRESS.sub(replaced, html)))


def _named_drawing(match: re.Match[str]) -> str:
    """Return the tag of a link that leads nowhere with a role that may have a label, such as a bar of a drawing."""
    return f'{match[0][:-1]} role="img">' if "aria-label=" in match[0] else match[0]
