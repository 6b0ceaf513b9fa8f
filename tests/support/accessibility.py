"""What the checker of accessibility, axe, finds in a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

_RUN: Final = "([context, options]) => axe.run(context, options).then(results => results.violations)"

_ROWS: Final = {"exclude": [[".leaf:nth-child(n + 30)"]]}
"""Where the checker does not look: the rows of a long list are alike."""

_EVERYTHING: Final = {
    "resultTypes": ["violations"],
    # Half of the checker's time: selectors of what it finds, and style sheets, which only rules look at that are off.
    "selectors": False,
    "preload": {"assets": ["media"]},
}
_COLOURS: Final = {**_EVERYTHING, "preload": False, "runOnly": ["color-contrast", "link-in-text-block"]}


def accessibility_faults(page: Page) -> list[str]:
    """Return what the checker finds in a page that is shown in light, and in its colours in dark; and what sticks out.

    Dark differs from light in nothing but colours (`light-dark` in the style sheet), so no other rule can find more
    there. A narrow window places the same things in the same colours, so it's looked at in light. The page is left in
    light.
    """
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # noqa: PLC0415 - not everyone has it

    page.evaluate(Axe().axe_script)
    faults: dict[str, Any] = {}
    is_narrow = page.evaluate("window.innerWidth <= 720")
    for scheme, options in (("dark", _COLOURS), ("light", _EVERYTHING))[is_narrow:]:
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        faults[scheme] = page.evaluate(_RUN, [_ROWS, options])
    is_too_wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return ["wider than the window"] * is_too_wide + [
        f"{scheme}: {fault['id']}: {[node['html'][:200] for node in fault['nodes'][:3]]}"
        for scheme, found in faults.items()
        for fault in found
    ]
