"""Add the pages to the application: their routes, the access to them, the headers of their responses.

The pages show output of tests. Other users of this machine and foreign sites can reach the server, too, so a browser
must come in by a link that opens once; then it keeps a pass in a cookie::

    serve prints the link --> GET /open/CODE --> cookie with the pass, and a page that goes on to the runs
                                             --> serve prints the next link, with a new code
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.http.hosts import is_answered
from pytest_automation_report.server.http.middleware import HEALTH, Extension
from pytest_automation_report.server.pages.assets import ASSETS, Asset
from pytest_automation_report.server.pages.page import frame_of
from pytest_automation_report.server.pages.rendering import render, set_html
from pytest_automation_report.server.pages.run.handlers import RunChangesPage, RunPage
from pytest_automation_report.server.pages.runs.handlers import (
    HomePage,
    LatestRun,
    ProjectPage,
    RunComparison,
    SuitePage,
)
from pytest_automation_report.server.pages.test.case import CasePage
from pytest_automation_report.server.pages.test.code_links import NO_LINKS
from pytest_automation_report.server.pages.test.handlers import TestPage
from pytest_automation_report.server.pages.theme import ThemeChoice
from pytest_automation_report.server.store.artifact_urls import PATH as ARTIFACTS
from pytest_automation_report.server.store.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import falcon

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.server.pages.test.code_links import CodeLinks
    from pytest_automation_report.server.store.store import Store

PASS_SECONDS: Final = 30 * 24 * 3600
"""Age at which a browser's pass expires."""

_CODE_BYTES: Final = 24
_OPENING: Final = "/open/"
RUN_PARAMETER: Final = "run"
"""The parameter of an opening link that leads to one run instead of the list."""

_TESTMO_RUN_PATH: Final = "/automation/runs/view/{run_id:id}"
"""Path under which Testmo shows a run: clients print this URL for every server."""

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TITLES: Final[Mapping[int, str]] = {
    403: "No access",
    404: "Not found",
    405: "Not possible here",
    422: "This URL is not valid",
    429: "The store is busy",
}
# Headers of browsers that fetch a page before a user opens it.
_PURPOSES: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
# User agents of programs that fetch a link to show a preview of it. The list need not be complete: a preview that is
# not recognised uses up one link, and serve prints the next one.
_is_previewer = re.compile(
    r"bot\b|crawl|spider|preview|externalhit|whatsapp|slack|embed|unfurl|skypeuri|iframely|link-?check|scanner",
    re.IGNORECASE,
).search
_FIRST_ERROR: Final = 400
_FORBIDDEN: Final = 403


class PageAccess:
    """Create links that open once and passes for browsers, and check both; owned by one server, safe in all threads.

    A pass is its creation time and a random number, signed with the secret of the pages. So the server stores none of
    them, they stay valid after a restart, and a new secret ends all of them.
    """

    def __init__(self, secret: Token, clock: Callable[[], float] = time.time) -> None:
        # The prefix separates these signatures from all others that might be made with the same secret.
        self._secret = b"pages\n" + secret.value.encode("utf-8", "surrogatepass")
        self._clock = clock
        self._lock = threading.Lock()
        self._code = secrets.token_urlsafe(_CODE_BYTES)

    @property
    def path(self) -> str:
        """The path of the link that opens the pages the next time."""
        with self._lock:
            return f"/open/{self._code}"

    def new_pass(self, code: str) -> str | None:
        """Return a pass for the code of the link, which then gets a new code; None for any other code."""
        with self._lock:
            if not hmac.compare_digest(code.encode("utf-8", "replace"), self._code.encode()):
                return None
            self._code = secrets.token_urlsafe(_CODE_BYTES)
        number = f"{int(self._clock())}-{secrets.token_urlsafe(_CODE_BYTES)}"
        return f"{number}.{self._sign(number)}"

    def is_pass(self, text: str) -> bool:
        """Whether a text is a pass that a server with this secret created in the last 30 days."""
        number, _, signature = text.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(number).encode()):
            return False
        created = number.partition("-")[0]
        return created.isdecimal() and 0 <= self._clock() - int(created) < PASS_SECONDS

    def _sign(self, number: str) -> str:
        return hmac.new(self._secret, number.encode("utf-8", "replace"), sha256).hexdigest()


class Pages:
    """The pages over one store, as an extension of the application.

    ``secret`` signs the passes of browsers. ``on_link_used`` is called with the path of the next link after a browser
    has used one. ``code_links`` are the templates for links to the code.
    """

    def __init__(
        self,
        store: Store,
        secret: Token,
        *,
        on_link_used: Callable[[str], None] = lambda _: None,
        code_links: CodeLinks = NO_LINKS,
    ) -> None:
        self._access = PageAccess(secret)
        self._routes: Mapping[str, object] = {
            "/": HomePage(store),
            "/live": HomePage(store, is_live=True),
            "/projects/{project_id:id}": ProjectPage(store),
            "/projects/{project_id:id}/live": ProjectPage(store, is_live=True),
            "/sources/{source_id:id}": SuitePage(store),
            "/sources/{source_id:id}/live": SuitePage(store, is_live=True),
            "/sources/{source_id:id}/latest": LatestRun(store),
            "/compare/{base_id:id}/{run_id:id}": RunComparison(),
            "/runs/{run_id:id}": RunPage(store),
            "/runs/{run_id:id}/live": RunChangesPage(store),
            "/results/{result_id:id}": TestPage(store, code_links),
            "/tests/{case_id:id}": CasePage(store),
            "/theme/{theme}": ThemeChoice(),
            _TESTMO_RUN_PATH: _TestmoRunUrl(),
            f"{_OPENING}{{code}}": _OpeningLink(self._access, on_link_used),
            **{path: _AssetFile(asset) for path, asset in ASSETS.items()},
        }

    @property
    def opening_path(self) -> str:
        """The path of the link that opens the pages the next time."""
        return self._access.path

    @property
    def extension(self) -> Extension:
        """The routes and checks of the pages."""
        return Extension(tuple(self._routes.items()), self._authorize, self._finish, _answer_link)

    def _authorize(self, req: falcon.Request) -> bool:
        """Return True for a request of a page, False for one of the API; raise `ApiError` (403) without a pass."""
        if _is_api(req):
            return False
        if req.path in ASSETS or req.path.startswith(_OPENING):
            return True
        if not any(self._access.is_pass(text) for text in req.get_cookie_values(_cookie(req)) or ()):
            raise ApiError(403, "")
        return True

    def _finish(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add the headers of pages to a response, and turn an error into a page."""
        if _is_api(req) or (_is_artifact(req.path) and resp.status_code < _FIRST_ERROR):
            return
        resp.set_headers(_HEADERS)
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")
        status = resp.status_code
        if status < _FIRST_ERROR:
            return
        error = json.loads(resp.data or b"{}")
        details = [f"{name}: {text}" for name, texts in error.get("errors", {}).items() for text in texts]
        message = " ".join([error.get("message", ""), *details]).strip()
        # The refusals of `_authorize` and `_OpeningLink` have no message: their page explains the link.
        is_closed = status == _FORBIDDEN and not message
        title = _TITLES.get(status, "Something went wrong")
        template = "closed.html" if is_closed else "error.html"
        set_html(resp, render(template, title=title, message=message, **frame_of(req)))


def _answer_link(req: falcon.Request, resp: falcon.Response) -> bool:
    """Answer a click on a link of another site with a page that opens the same URL again, now from this site.

    Browsers leave the cookie with the pass out of a request that another site causes. The response is the same for
    every URL, so that the other site learns nothing from it.
    """
    if _is_api(req):
        return False
    # Two slashes would lead to another host, and to browsers a backslash is one.
    path = "/" + req.relative_uri.replace("\\", "%5C").lstrip("/")
    resp.set_headers({**_HEADERS, "Cache-Control": "no-store"})
    set_html(resp, render("arriving.html", path=path, **frame_of(req)))
    return True


class _OpeningLink:
    """The link that opens the pages once."""

    def __init__(self, access: PageAccess, on_link_used: Callable[[str], None]) -> None:
        self._access = access
        self._on_link_used = on_link_used

    def on_get(self, req: falcon.Request, resp: falcon.Response, code: str) -> None:
        """Set the browser's pass; a request without a user, such as a preview, does not use up the link."""
        if _is_unseen(req):
            raise ApiError(403, "The link opens in a browser alone, not in a preview.")
        browser_pass = self._access.new_pass(code)
        if browser_pass is None:
            raise ApiError(403, "")
        resp.set_cookie(
            _cookie(req),
            browser_pass,
            path="/",
            max_age=PASS_SECONDS,
            secure=_is_encrypted(req),
            http_only=True,
            same_site="Strict",
        )
        # Not a redirect: the browser would count it as a request of the site with the link, and leave the cookie out.
        run_id = _number(req.get_param(RUN_PARAMETER))
        set_html(resp, render("opened.html", to="/" if run_id is None else f"/runs/{run_id}", **frame_of(req)))
        self._on_link_used(self._access.path)


def _is_unseen(req: falcon.Request) -> bool:
    """Whether a browser prefetches a page, a script sends the request, or a chat or mail program previews a link."""
    purposes = " ".join(req.get_header(name, default="") for name in _PURPOSES).lower()
    is_ahead = any(word in purposes for word in ("prefetch", "prerender", "preview"))
    is_script = req.get_header("Sec-Fetch-Mode", default="navigate") != "navigate"
    return is_ahead or is_script or _is_previewer(req.user_agent or "") is not None


def _is_encrypted(req: falcon.Request) -> bool:
    """Whether the browser uses TLS, which ends at a proxy before this server.

    A proxy can set X-Forwarded-Proto. Without it, Sec-Fetch headers show TLS: browsers send them over TLS, and
    otherwise only to this machine, where they would drop a Secure cookie. A client with false headers spoils only its
    own pass.
    """
    if req.get_header("X-Forwarded-Proto", default="").lower() == "https":
        return True
    return req.get_header("Sec-Fetch-Site") is not None and not is_answered(req.get_header("Host"), frozenset())


class _TestmoRunUrl:
    """The URL of a run as Testmo has it."""

    def on_get(self, _: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Redirect to the run's page."""
        resp.status, resp.location = 302, f"/runs/{run_id}"


class _AssetFile:
    """One file of the package."""

    def __init__(self, asset: Asset) -> None:
        self._asset = asset

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        """Send the file; browsers may cache it for ever."""
        resp.content_type = self._asset.media_type
        resp.set_header("Cache-Control", "public, max-age=31536000, immutable")
        resp.data = self._asset.content


def _is_api(req: falcon.Request) -> bool:
    """Whether a request is of a program: of the API, or of an artifact with a token or to upload it."""
    is_program = req.auth is not None or req.method == "POST"
    is_artifact = is_program and _is_artifact(req.path)
    return is_artifact or req.path in (HEALTH, "/api") or req.path.startswith("/api/")


def _is_artifact(path: str) -> bool:
    return path == ARTIFACTS or path.startswith(f"{ARTIFACTS}/")


def _number(text: str | None) -> int | None:
    """Return the number that a text is; None for any other text, since it becomes part of a URL."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


def _cookie(req: falcon.Request) -> str:
    """Return the cookie's name, with the port: browsers send the cookies of a host to all its ports."""
    return f"automation-report-{req.port}"
