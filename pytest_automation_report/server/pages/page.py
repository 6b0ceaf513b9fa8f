"""One page of the site: a class that answers a URL from the store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pytest_automation_report.server.http.guard import is_answered
from pytest_automation_report.server.pages.links import own_path
from pytest_automation_report.server.pages.queries import ask
from pytest_automation_report.server.pages.rendering import render, set_html

if TYPE_CHECKING:
    from collections.abc import Callable

    import falcon

    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.store.store import Store

T = TypeVar("T")

THEMES: Final = ("light", "dark")
"""Themes that a user can choose; without a choice the system decides."""

THEME_COOKIE: Final = "automation-report-theme"
"""Cookie with the chosen theme; the pages' script writes it, too."""


WITHOUT_CLOCK: Final = "automation_report.without_clock"
"""Set in the environment of a request whose page shows moments, and not the time since them."""


def frame_of(req: falcon.Request) -> dict[str, Any]:
    """Return the values that each page needs from its request: the chosen theme, and its own path for links back."""
    (theme, *_) = req.get_cookie_values(THEME_COOKIE) or [""]
    # A link with a code must not be written into a page.
    here = "/" if req.path.startswith("/open") else own_path(req.relative_uri)
    return {"theme": theme if theme in THEMES else "", "here": here}


def site_of(req: falcon.Request) -> str:
    """Return the address of this site as the browser has it, such as ``https://reports.example.com``."""
    return f"{'https' if is_encrypted(req) else 'http'}://{req.netloc}"


def is_encrypted(req: falcon.Request) -> bool:
    """Whether the browser uses TLS, which ends at a proxy before this server.

    A proxy can set X-Forwarded-Proto. Without it, Sec-Fetch headers show TLS: browsers send them over TLS, and
    otherwise only to this machine, where they would drop a Secure cookie. No proxy need be trusted: a client with
    false headers spoils only its own pass and its own page, which no cache keeps.
    """
    if req.get_header("X-Forwarded-Proto", default="").lower() == "https":
        return True
    return req.get_header("Sec-Fetch-Site") is not None and not is_answered(req.get_header("Host"), frozenset())


class Page:
    """A page that reads one store; each page of the site is a subclass with ``on_get``.

    ``clock`` returns seconds since 1970.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self._clock = clock

    def read(self, question: Callable[[PageReader], T]) -> T:
        """Run queries on one snapshot of the store and return their value."""
        return ask(self.store, question)

    def show(self, req: falcon.Request, resp: falcon.Response, template: str, **values: Any) -> None:  # noqa: ANN401 - templates take anything and escape it
        """Answer with a template; ``now``, the time in microseconds since 1970, is one of its values.

        It is None in a request without a clock.
        """
        now = None if req.env.get(WITHOUT_CLOCK) else self.now_us()
        set_html(resp, render(template, **{**frame_of(req), "now": now, **values}))

    def now_us(self) -> int:
        """Return the time in microseconds since 1970."""
        return int(self._clock() * 1_000_000)
