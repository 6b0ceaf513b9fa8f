"""What the checker of accessibility, axe, finds in a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from support.browsers import NARROW, WIDE

if TYPE_CHECKING:
    from playwright.sync_api import Page

_RUN: Final = "([context, options]) => axe.run(context, options).then(results => results.violations)"
_IS_TOO_WIDE: Final = "document.documentElement.scrollWidth > window.innerWidth"

_ROWS: Final = {"exclude": [[".leaf:nth-child(n + 10)"]]}
"""Where the checker does not look: the rows of a long list are alike."""

_CONTRASTS: Final = ("color-contrast", "link-in-text-block")
_EVERYTHING: Final = {
    "resultTypes": ["violations"],
    # Half of the checker's time: selectors of what it finds, and style sheets, which only rules look at that are off.
    "selectors": False,
    "preload": {"assets": ["media"]},
}
_COLOURS: Final = {**_EVERYTHING, "preload": False, "runOnly": _CONTRASTS}
_PLACES: Final = {**_EVERYTHING, "rules": {name: {"enabled": False} for name in _CONTRASTS}}


def accessibility_faults(page: Page) -> list[str]:
    """Return what the checker finds in a page of a wide window, in dark, in light and made narrow; and what sticks out.

    Dark differs from light in nothing but colours (`light-dark` in the style sheet), so no other rule can find more
    there. Made narrow, the page has the same colours in other places (`test_a_narrow_window_has_no_other_colours`):
    their contrasts are half of the checker's time. The page is left wide and in light.
    """
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # noqa: PLC0415 - not everyone has it

    page.evaluate(Axe().axe_script)
    faults: dict[str, Any] = {}
    for scheme, options in (("dark", _COLOURS), ("light", _EVERYTHING)):
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        faults[scheme] = page.evaluate(_RUN, [_ROWS, options])
    wide, too_wide = page.viewport_size or WIDE, [page.evaluate(_IS_TOO_WIDE)]
    page.set_viewport_size(NARROW)
    faults["narrow"] = page.evaluate(_RUN, [_ROWS, _PLACES])
    too_wide.append(page.evaluate(_IS_TOO_WIDE))
    page.set_viewport_size(wide)
    return ["wider than the window"] * sum(too_wide) + [
        f"{name}: {fault['id']}: {[node['html'][:200] for node in fault['nodes'][:3]]}"
        for name, found in faults.items()
        for fault in found
    ]
