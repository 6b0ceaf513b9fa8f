"""Choose light or dark pages without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.pages.links import own_path
from pytest_automation_report.server.pages.page import THEME_COOKIE, THEMES
from pytest_automation_report.server.store.errors import not_found

if TYPE_CHECKING:
    import falcon

_YEAR_SECONDS: Final = 365 * 24 * 3600


class ThemeChoice:
    """The address that stores a theme; the pages' script does the same without a request."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, theme: str) -> None:
        """Store the theme in a cookie and go back; raises `ApiError` (404) for an unknown one."""
        if theme not in (*THEMES, "system"):
            raise not_found("theme")
        if theme in THEMES:
            # The script reads and writes it, too, and it has nothing that another site must not know.
            resp.set_cookie(
                THEME_COOKIE,
                theme,
                path="/",
                max_age=_YEAR_SECONDS,
                secure=False,
                http_only=False,
                same_site="Lax",
            )
        else:
            resp.unset_cookie(THEME_COOKIE, path="/")
        resp.status, resp.location = 303, own_path(req.get_param("to"))
