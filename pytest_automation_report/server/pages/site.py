"""Who may see the pages: browsers that came in by a link which opens once.

The pages show what tests print, so that being on this machine is not enough: other users and other sites are, too.

The pages as one thing that the application takes: their addresses, who may see them, their headers.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.http.hosts import is_answered
from pytest_automation_report.server.http.middleware import HEALTH, Extension
from pytest_automation_report.server.pages.handlers import HomePage, ProjectPage, RunChangesPage, RunPage, TestPage
from pytest_automation_report.server.pages.rendering import ASSETS, Asset, page
from pytest_automation_report.server.store.artifact_urls import PATH as ARTIFACTS
from pytest_automation_report.server.store.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import falcon

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.server.store.store import Store

PASS_SECONDS: Final = 30 * 24 * 3600
"""How long a browser's pass is good."""

_CODE_BYTES: Final = 24


class PageAccess:
    """Gives out links that open once, and the passes that browsers keep; owned by one server, safe from any thread.

    A pass is signed with a secret of its own and has an age, so that it is good after a restart too and nothing has to
    be stored; another secret ends all passes.
    """

    def __init__(self, secret: Token, clock: Callable[[], float] = time.time) -> None:
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
        """Return a pass for the code of a link, which then is no longer good; None for any other code."""
        with self._lock:
            if not hmac.compare_digest(code.encode("utf-8", "replace"), self._code.encode()):
                return None
            self._code = secrets.token_urlsafe(_CODE_BYTES)
        number = f"{int(self._clock())}-{secrets.token_urlsafe(_CODE_BYTES)}"
        return f"{number}.{self._sign(number)}"

    def is_pass(self, text: str) -> bool:
        """Whether a text is a pass that a server with this secret made in the last 30 days."""
        number, _, signature = text.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(number).encode()):
            return False
        made = number.partition("-")[0]
        return made.isdecimal() and 0 <= self._clock() - int(made) < PASS_SECONDS

    def _sign(self, number: str) -> str:
        return hmac.new(self._secret, number.encode("utf-8", "replace"), sha256).hexdigest()


_OPENING: Final = "/open/"
RUN_PARAMETER: Final = "run"
"""The parameter of an opening link that leads to one run instead of the list."""

_WEB_ADDRESS: Final = "/automation/runs/view/{run_id:id}"
"""Where Testmo shows a run: what reports to a server names its runs so, whoever serves them."""

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TITLES: Final[Mapping[int, str]] = {
    403: "This page is closed",
    404: "Nothing is here",
    405: "This cannot be done here",
    422: "This address cannot be read",
    429: "The store is busy",
}
_PURPOSES: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_is_previewer = re.compile(
    r"bot\b|crawl|spider|preview|externalhit|whatsapp|slack|embed|unfurl|skypeuri|iframely|link-?check|scanner",
    re.IGNORECASE,
).search
_FIRST_ERROR: Final = 400
_FORBIDDEN: Final = 403


class Pages:
    """Shows a store to browsers that came in by a link.

    Their passes are signed with ``secret``; ``told`` gets the path of each new link after one was used.
    """

    def __init__(self, store: Store, secret: Token, *, told: Callable[[str], None] = lambda _: None) -> None:
        self._entrance = PageAccess(secret)
        self._routes: Mapping[str, object] = {
            "/": HomePage(store),
            "/projects/{project_id:id}": ProjectPage(store),
            "/runs/{run_id:id}": RunPage(store),
            "/runs/{run_id:id}/live": RunChangesPage(store),
            "/results/{result_id:id}": TestPage(store),
            _WEB_ADDRESS: _Moved(),
            f"{_OPENING}{{code}}": _Opening(self._entrance, told),
            **{path: _Served(asset) for path, asset in ASSETS.items()},
        }

    @property
    def opening_path(self) -> str:
        """The path of the link that opens the pages the next time."""
        return self._entrance.path

    @property
    def extension(self) -> Extension:
        """The pages as the application takes them."""
        return Extension(tuple(self._routes.items()), self._admits, self._finish, _answer_link)

    def _admits(self, req: falcon.Request) -> bool:
        """Return whether a page is asked for; refuse (403) a browser that did not come in by a link."""
        if _is_api(req):
            return False
        if req.path in ASSETS or req.path.startswith(_OPENING):
            return True
        if not any(self._entrance.is_pass(text) for text in req.get_cookie_values(_cookie(req)) or ()):
            raise ApiError(403, "")
        return True

    def _finish(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Give an answer the headers of pages, and an error the looks of one."""
        if _is_api(req) or (_is_artifact(req.path) and resp.status_code < _FIRST_ERROR):
            return
        resp.set_headers(_HEADERS)
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")
        status = resp.status_code
        if status < _FIRST_ERROR:
            return
        told = json.loads(resp.data or b"{}")
        details = [f"{name}: {text}" for name, texts in told.get("errors", {}).items() for text in texts]
        message = " ".join([told.get("message", ""), *details]).strip()
        is_closed = status == _FORBIDDEN and not message
        title = _TITLES.get(status, "This did not work")
        _show(resp, page("closed.html" if is_closed else "error.html", title=title, message=message))


def _answer_link(req: falcon.Request, resp: falcon.Response) -> bool:
    """Answer a click on another site's link to a page: by a page that asks for the same address from here.

    Browsers leave the pass out of what another site asks for. The answer is the same for every address, so that the
    other site learns nothing.
    """
    if _is_api(req):
        return False
    # Two slashes would lead to another host, and to browsers a backslash is one.
    path = "/" + req.relative_uri.replace("\\", "%5C").lstrip("/")
    resp.set_headers({**_HEADERS, "Cache-Control": "no-store"})
    _show(resp, page("arriving.html", path=path))
    return True


class _Opening:
    """Where a link leads: it opens the pages once."""

    def __init__(self, entrance: PageAccess, told: Callable[[str], None]) -> None:
        self._entrance = entrance
        self._told = told

    def on_get(self, req: falcon.Request, resp: falcon.Response, code: str) -> None:
        """Give the browser its pass; a fetch that no user sees uses nothing up."""
        if _is_unseen(req):
            raise ApiError(403, "The link is for a page that somebody looks at.")
        made = self._entrance.new_pass(code)
        if made is None:
            raise ApiError(403, "")
        resp.set_cookie(
            _cookie(req),
            made,
            path="/",
            max_age=PASS_SECONDS,
            secure=_is_encrypted(req),
            http_only=True,
            same_site="Strict",
        )
        # A redirect would count as coming from the site that the link stood on, and leave the cookie out.
        run_id = _number(req.get_param(RUN_PARAMETER))
        _show(resp, page("opened.html", to="/" if run_id is None else f"/runs/{run_id}"))
        self._told(self._entrance.path)


def _is_unseen(req: falcon.Request) -> bool:
    """Whether a browser fetches ahead, a script asks, or a chat or mail program makes a preview of a link."""
    purposes = " ".join(req.get_header(name, default="") for name in _PURPOSES).lower()
    is_ahead = any(word in purposes for word in ("prefetch", "prerender", "preview"))
    is_script = req.get_header("Sec-Fetch-Mode", default="navigate") != "navigate"
    return is_ahead or is_script or _is_previewer(req.user_agent or "") is not None


def _is_encrypted(req: falcon.Request) -> bool:
    """Whether the browser came over TLS, which a proxy ends: it says so, or the browser trusts the address.

    Browsers send Sec-Fetch headers over TLS, and else only to this machine, where a Secure cookie would be lost.
    A lie in these headers costs only the browser that tells it its own pass.
    """
    if req.get_header("X-Forwarded-Proto", default="").lower() == "https":
        return True
    return req.get_header("Sec-Fetch-Site") is not None and not is_answered(req.get_header("Host"), frozenset())


class _Moved:
    """A run by the address that Testmo has for it."""

    def on_get(self, _: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Send the browser to the run's page here."""
        resp.status, resp.location = 302, f"/runs/{run_id}"


class _Served:
    """One packaged file; there is no way from an address to a path."""

    def __init__(self, asset: Asset) -> None:
        self._asset = asset

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        """Send it, to be kept: its address changes with its content."""
        resp.content_type = self._asset.media_type
        resp.set_header("Cache-Control", "public, max-age=31536000, immutable")
        resp.data = self._asset.content


def _is_api(req: falcon.Request) -> bool:
    """Whether a program asks: for the API, or for an artifact with a token or to put one there."""
    is_program = req.auth is not None or req.method == "POST"
    is_artifact = is_program and _is_artifact(req.path)
    return is_artifact or req.path in (HEALTH, "/api") or req.path.startswith("/api/")


def _is_artifact(path: str) -> bool:
    return path == ARTIFACTS or path.startswith(f"{ARTIFACTS}/")


def _number(text: str | None) -> int | None:
    """Return the number that a text is; None for all else: it becomes part of an address."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


def _cookie(req: falcon.Request) -> str:
    """Return the cookie's name; browsers send cookies to every port of a machine, so that each has its own."""
    return f"automation-report-{req.port}"


def _show(resp: falcon.Response, text: str) -> None:
    value: Any = text.encode("utf-8", "replace")
    resp.content_type, resp.data = "text/html; charset=utf-8", value
