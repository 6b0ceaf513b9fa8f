"""Fragments of pages, and their links inside of one file."""

import pytest

from pytest_automation_report.server.pages.report.pages import canonical, fragment_of, relinked

HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/runs/1", "/runs/1"),
        ("/runs/1?view=tests&q=a+b#row", "/runs/1?q=a+b&view=tests"),
        ("/results/3?from=view%3Dtests&attempt=2", "/results/3?attempt=2"),
        ("/results/3?from=x", "/results/3"),
    ],
)
def test_addresses_have_one_form(address: str, expected: str) -> None:
    """Parameters have one order; the place on a page and the page one came from are no part of an address."""
    assert canonical(address) == expected


def test_nothing_asks_the_server() -> None:
    """Icons are those of the file; forms, pictures and sections that follow a run name no address any more."""
    html = (
        '<use href="/static/icons-0123.svg#i-fail"/><form action="/runs/1"><img src="/artifacts/' + HASH + '/a.png">'
        '<div data-live="/runs/1/live" data-icon="/static/icon.svg"></div>'
    )
    assert relinked(html, lambda _: False) == ('<use href="#i-fail"/><form data-action="/runs/1"><img><div></div>')
    assert f'<img data-file="{HASH}" data-name="a.png">' in relinked(html, lambda _: False, frozenset({HASH}))


def test_moments_instead_of_ages() -> None:
    """A time that says how long ago it was says when it was."""
    html = '<time datetime="2026-01-01T00:00:00Z" title="1 Jan 2026, 00:00 UTC" data-ago>3 h ago</time>'
    assert relinked(html, lambda _: False) == '<time datetime="2026-01-01T00:00:00Z">1 Jan 2026, 00:00 UTC</time>'


def test_parts_of_a_page() -> None:
    """Title, path and content are cut out of a page; anything else is no page."""
    crumbs = '<nav class="crumbs" aria-label="Path">c</nav>'
    fragment = fragment_of(f'<title>T &amp; more</title>{crumbs}<main id="content" class="w">\n<p>x</p></main>')
    assert fragment == ("T &amp; more", crumbs, "<p>x</p>")
    with pytest.raises(ValueError, match="no title or no content"):
        fragment_of("<p>an error</p>")
