"""Add the pages to the application: their routes, the access to them, the headers of their responses.

The pages show output of tests. Other users of this machine and foreign sites can reach the server, too, so a browser
must come in by a link that opens once; then it keeps a pass in a cookie::

    serve prints the link --> GET /open/CODE --> cookie with the pass, and a page that goes on to the runs
                                             --> serve prints the next link, with a new code
"""

from __future__ import annotations

import gzip
import hmac
import json
import re
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import quote, unquote

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import ARTIFACTS_PATH
from pytest_automation_report.server.http.guard import METRICS, OPENING, PROBES, ExtraRoutes, is_within
from pytest_automation_report.server.pages import report_file
from pytest_automation_report.server.pages.lists import show_home, show_latest, show_project, show_suite
from pytest_automation_report.server.pages.queries import PageReader, ask
from pytest_automation_report.server.pages.rendering import (
    ASSETS,
    THEME_COOKIE,
    THEMES,
    Asset,
    PageContext,
    is_encrypted,
    show,
)
from pytest_automation_report.server.pages.run import page
from pytest_automation_report.server.pages.search import show_search
from pytest_automation_report.server.pages.test.costs import show_costs
from pytest_automation_report.server.pages.test.handlers import NO_LINKS, CodeLinks, show_result
from pytest_automation_report.server.pages.test.history import show_case
from pytest_automation_report.server.pages.urls import link, own_path
from pytest_automation_report.server.store.values import ApiError, not_found

if TYPE_CHECKING:
    import falcon

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.server.http.guard import Networks
    from pytest_automation_report.server.store.store import Store

_OPENING_FORM: Final = "/open"
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
_FIRST_ERROR, _FORBIDDEN, _NOT_FOUND, _BUSY = 400, 403, 404, 429


class DoorContext(PageContext, frozen=True):
    """The way in: a closed page, or one that goes on ``to`` a path at once."""

    template: ClassVar[str] = "door.html"
    to: str = ""


class ErrorContext(PageContext, frozen=True):
    """What went wrong: ``newest`` is a run to look at instead, 0 without one."""

    template: ClassVar[str] = "error.html"
    title: str
    message: str
    symbol: str = "flaky"
    newest: int | None = None
    retry_seconds: int | None = None


class Pages:
    """The pages over one store, as an extension of the application.

    ``secret`` signs the passes of browsers. The link with ``team_code`` opens any number of times. ``on_link_used`` is
    called with the path of the next link after a browser has used one. ``proxy_user`` lets the users of a proxy in.
    """

    def __init__(
        self,
        store: Store,
        secret: Token,
        on_link_used: Callable[[str], None] = lambda _: None,
        *,
        code_links: CodeLinks = NO_LINKS,
        team_code: Token | None = None,
        proxy_user: ProxyUser | None = None,
    ) -> None:
        self._store = store
        self._proxy_user = proxy_user
        self._access = PageAccess(secret, team_code=team_code)
        documents = page.RunDocuments(store)
        answers: Mapping[str, Callable[..., None]] = {
            "/": partial(show_home, store),
            "/live": partial(show_home, store),
            "/projects/{project_id:id}": partial(show_project, store),
            "/projects/{project_id:id}/live": partial(show_project, store),
            "/sources/{source_id:id}": partial(show_suite, store),
            "/sources/{source_id:id}/live": partial(show_suite, store),
            "/sources/{source_id:id}/latest": partial(show_latest, store),
            "/sources/{source_id:id}/tests": partial(show_costs, store),
            "/search": partial(show_search, store),
            "/compare/{base_id:id}/{run_id:id}": partial(
                _redirect, lambda base_id, run_id: link("run", run_id, view="changes", base=base_id)
            ),
            "/runs/{run_id:id}": partial(page.show_run, documents),
            "/runs/{run_id:id}/live": partial(page.show_changes, documents),
            "/runs/{run_id:id}/branch": partial(page.show_rows, documents),
            "/runs/{run_id:id}/failures.txt": partial(page.send_failures, documents),
            "/results/{result_id:id}": partial(show_result, store, code_links),
            "/tests/{case_id:id}": partial(show_case, store),
            "/theme/{theme}": _choose_theme,
            # Where Testmo shows a run: clients print this URL for every server.
            "/automation/runs/view/{run_id:id}": partial(_redirect, lambda run_id: link("run", run_id)),
            f"{OPENING}{{code}}": partial(_open, self._access, on_link_used),
            _OPENING_FORM: _open_by_form,
            **{path: partial(_send_asset, asset) for path, asset in ASSETS.items()},
            **{f"/runs/{{run_id:id}}/{form.file}": partial(page.send_download, store, form) for form in page.DOWNLOADS},
            "/runs/{run_id:id}/report.html": partial(report_file.send_report, store, code_links),
            "/api/v1/automation/runs/{record_id:id}/report": partial(report_file.send_document, store, code_links),
        }
        self._routes = [(path, SimpleNamespace(on_get=answer)) for path, answer in answers.items()]

    @property
    def opening_path(self) -> str:
        """The path of the link that opens the pages the next time."""
        return self._access.path

    @property
    def extension(self) -> ExtraRoutes:
        """The routes and checks of the pages."""
        return ExtraRoutes(self._routes, self._authorize, self._finish, _answer_link)

    def _authorize(self, req: falcon.Request) -> bool:
        """Return True for a request of a page, False for one of the API; raise `ApiError` (403) without a pass."""
        if _is_api(req):
            return False
        if req.path in ASSETS or req.path == _OPENING_FORM or req.path.startswith(OPENING):
            return True
        if self._proxy_user is not None and (user := self._proxy_user.of(req)):
            req.context["user"] = user
            return True
        if not any(map(self._access.is_pass, req.get_cookie_values(cookie_name(req)) or ())):
            raise ApiError(403, "")
        return True

    def _finish(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add the headers of pages to a response, and turn an error into a page."""
        if _is_api(req) or (_is_artifact(req.path) and resp.status_code < _FIRST_ERROR):
            return
        resp.set_headers({name: value for name, value in _HEADERS.items() if resp.get_header(name) is None})
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")
        if resp.status_code >= _FIRST_ERROR:
            self._set_error_page(req, resp)
        compress(req, resp)

    def _set_error_page(self, req: falcon.Request, resp: falcon.Response) -> None:
        status, error = resp.status_code, json.loads(resp.data or b"{}")
        details = [f"{name}: {text}" for name, texts in error.get("errors", {}).items() for text in texts]
        message = " ".join([error.get("message", ""), *details]).strip()
        # The refusals of `_authorize` and `OpeningLink` have no message: their page explains the link.
        if status == _FORBIDDEN and not message:
            remember_target(req, resp)
            show(req, resp, DoorContext())
            return
        context = ErrorContext(_TITLES.get(status, "Something went wrong"), message)
        if status == _BUSY:
            text = resp.get_header("Retry-After") or ""
            context = replace(
                context, symbol="again", retry_seconds=min(int(text), 60) if text.isdecimal() and int(text) else 1
            )
        elif status == _NOT_FOUND:
            removed = None
            # While the store is busy the page still says that nothing was found.
            with suppress(ApiError):
                removed = ask(self._store, partial(removed_at, req.path))
            context = replace(context, symbol="search")
            if removed is not None:
                resp.status, (title, newest) = GONE, removed
                message = "It was removed with old runs, by automation-report store prune."
                context = replace(context, title=title, newest=newest, message=message)
        show(req, resp, context)


def _answer_link(req: falcon.Request, resp: falcon.Response) -> bool:
    """Answer a click on a link of another site with a page that opens the same URL again, now from this site."""
    # Browsers leave the cookie with the pass out of a request that another site causes. The response is the same for
    # every URL, so that the other site learns nothing from it.
    if _is_api(req):
        return False
    # Two slashes would lead to another host, and to browsers a backslash is one.
    path = "/" + req.relative_uri.replace("\\", "%5C").lstrip("/")
    resp.set_headers({**_HEADERS, "Cache-Control": "no-store"})
    show(req, resp, DoorContext(path))
    return True


def _redirect(address: Callable[..., str], _: falcon.Request, resp: falcon.Response, **ids: int) -> None:
    resp.status, resp.location = 302, address(**ids)


def _send_asset(asset: Asset, _: falcon.Request, resp: falcon.Response) -> None:
    resp.content_type = asset.media_type
    resp.set_header("Cache-Control", "public, max-age=31536000, immutable")
    resp.data = asset.content


def _is_api(req: falcon.Request) -> bool:
    """Whether a request is of a program: of the API, or of an artifact with a token or to upload it."""
    is_program = req.auth is not None or req.method == "POST"
    is_artifact = is_program and _is_artifact(req.path)
    return is_artifact or req.path in (*PROBES, METRICS, "/api") or req.path.startswith("/api/")


def _is_artifact(path: str) -> bool:
    return path == ARTIFACTS_PATH or path.startswith(f"{ARTIFACTS_PATH}/")


GONE: Final = 410  # status of a page whose run or test was removed
_find = re.compile(r"/(automation/runs/view|runs|results)/([0-9]{1,18})(?:/|$)").match


def removed_at(path: str, reader: PageReader) -> tuple[str, int] | None:
    """Return the title of what was removed from a path, and a run to look at instead, 0 without one; else None."""
    match = _find(path)
    if match is None:
        return None
    number = int(match[2])
    if match[1] == "results":
        title, instead = "This test's result is no longer stored", reader.instead_of_result(number)
    else:
        title, instead = f"Run #{number} is no longer stored", reader.instead_of_run(number)
    return None if instead is None else (title, instead)


_SMALLEST_BYTES: Final = 1_000
# More would cost more time than it saves: 71 KB become 4.2 KB with 6 and 4.4 KB with 5.
_LEVEL: Final = 5
_GZIP: Final = zlib.MAX_WBITS | 16
_is_text = re.compile(r"text/|image/svg|application/(?:json|xml)").match
_find_encoding = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=([01](?:\.[0-9]*)?)\s*)?(?=,|$)", re.IGNORECASE).search


def compress(req: falcon.Request, resp: falcon.Response) -> None:
    """Compress the text of a response if the client takes gzip and the text is not short; a stream as it is sent."""
    pieces = resp.stream if isinstance(resp.stream, Iterator) else None
    if (pieces is None and len(resp.data or b"") < _SMALLEST_BYTES) or not _is_text(resp.content_type or ""):
        return
    resp.append_header("Vary", "Accept-Encoding")
    match = _find_encoding(req.get_header("Accept-Encoding", default=""))
    if match is None or (match[1] is not None and not float(match[1])):
        return
    if pieces is not None:
        resp.stream = _compressed(pieces)
    else:
        # Without a time in it the same page has the same bytes.
        resp.data = gzip.compress(resp.data or b"", _LEVEL, mtime=0)
    resp.set_header("Content-Encoding", "gzip")


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if packed := compressor.compress(piece):
            yield packed
    yield compressor.flush()


def _choose_theme(req: falcon.Request, resp: falcon.Response, theme: str) -> None:
    """Store a theme in a cookie and go back, as the pages' script does by itself; raises `ApiError` (404)."""
    if theme not in (*THEMES, "system"):
        raise not_found("theme")
    if theme in THEMES:
        # The script reads and writes it, too, and it has nothing that another site must not know.
        year = 365 * 24 * 3600
        resp.set_cookie(THEME_COOKIE, theme, path="/", max_age=year, secure=False, http_only=False, same_site="Lax")
    else:
        resp.unset_cookie(THEME_COOKIE, path="/")
    resp.status, resp.location = 303, own_path(req.get_param("to"))


PASS_SECONDS: Final = 30 * 24 * 3600  # age at which a browser's pass expires
_CODE_BYTES: Final = 24
_TARGET_LENGTH: Final = 1_000
_is_id = re.compile(r"[0-9]{1,18}").fullmatch
_find_code = re.compile(r"(?:^|/open/)([A-Za-z0-9_-]{16,200})(?=$|[?#])").search
# Headers of browsers that fetch a page before a user opens it.
_PURPOSES: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
# User agents of programs that fetch a link to show a preview of it. The list need not be complete: a preview that is
# not recognised uses up one link, and serve prints the next one.
_is_previewer = re.compile(
    r"bot\b|crawl|spider|preview|externalhit|whatsapp|slack|embed|unfurl|skypeuri|iframely|link-?check|scanner",
    re.IGNORECASE,
).search


class PageAccess:
    """Create links that open once and passes for browsers, and check both; owned by one server, safe in all threads.

    A pass is its creation time and a random number, signed with the secret of the pages: the server stores none of
    them, they stay valid after a restart, and a new secret ends all of them.
    """

    def __init__(
        self, secret: Token, clock: Callable[[], float] = time.time, *, team_code: Token | None = None
    ) -> None:
        # The prefix separates these signatures from all others that might be made with the same secret.
        self._secret = b"pages\n" + secret.value.encode("utf-8", "surrogatepass")
        self._clock = clock
        self._lock = threading.Lock()
        self._code = secrets.token_urlsafe(_CODE_BYTES)
        self._team_code = None if team_code is None else team_code.value.encode()

    @property
    def path(self) -> str:
        """The path of the link that opens the pages the next time."""
        with self._lock:
            return f"{OPENING}{self._code}"

    def new_pass(self, code: str) -> str | None:
        """Return a pass for the code of the link, which then gets a new code, or for the team's; None for any other."""
        given = code.encode("utf-8", "replace")
        if self._team_code is None or not hmac.compare_digest(given, self._team_code):
            with self._lock:
                if not hmac.compare_digest(given, self._code.encode()):
                    return None
                self._code = secrets.token_urlsafe(_CODE_BYTES)
        number = f"{int(self._clock())}-{secrets.token_urlsafe(_CODE_BYTES)}"
        return f"{number}.{self._sign(number)}"

    def is_pass(self, text: str) -> bool:
        """Whether a text is a pass that a server with this secret created in the last 30 days.

        The clock of another server may be ahead of ours.
        """
        number, _, signature = text.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(number).encode()):
            return False
        created = number.partition("-")[0]
        return created.isdecimal() and abs(self._clock() - int(created)) < PASS_SECONDS

    def _sign(self, number: str) -> str:
        return hmac.new(self._secret, number.encode("utf-8", "replace"), sha256).hexdigest()


class ProxyUser(Struct, frozen=True):
    """The header in which a proxy names the user whom it has logged in, and the networks of such proxies."""

    header: str
    proxies: Networks

    def of(self, req: falcon.Request) -> str:
        """Return the user of a request, "" if it comes from elsewhere or names none."""
        # Anybody else could write the header. The address is the connection's, whatever X-Forwarded-For says.
        is_trusted = is_within(req.remote_addr, self.proxies)
        return req.get_header(self.header, default="").strip() if is_trusted else ""


def _open(
    access: PageAccess, on_link_used: Callable[[str], None], req: falcon.Request, resp: falcon.Response, code: str
) -> None:
    """Set the browser's pass; a request without a user, such as a preview, does not use up the link.

    The parameter ``run`` leads to one run instead of the list, ``to`` to any path.
    """
    if _is_unseen(req):
        raise ApiError(403, "Open this link in a browser: a preview cannot use it.")
    before = access.path
    browser_pass = access.new_pass(code)
    if browser_pass is None:
        raise ApiError(403, "")
    _set_cookie(req, resp, cookie_name(req), browser_pass, PASS_SECONDS, "Strict")
    # Not a redirect: the browser would count it as a request of the site with the link, and leave the cookie out.
    show(req, resp, DoorContext(_target(req, resp)))
    if access.path != before:
        on_link_used(access.path)


def _open_by_form(req: falcon.Request, resp: falcon.Response) -> None:
    """Redirect to the link that a closed page was given; raises `ApiError` (403), which shows its form again."""
    match = _find_code((req.get_param("link") or "").strip())
    if match is None:
        raise ApiError(403, "")
    resp.status, resp.location = 303, f"{OPENING}{match[1]}"


def remember_target(req: falcon.Request, resp: falcon.Response) -> None:
    """Store where a browser without a pass wanted to go: the link that lets it in goes on there."""
    path = own_path(req.relative_uri, "") if req.method == "GET" else ""
    # A script of an open page asks for parts of it, which are no page to go to.
    is_page = req.get_header("Sec-Fetch-Mode", default="navigate") == "navigate"
    if path and is_page and len(path) <= _TARGET_LENGTH and not path.startswith("/open"):
        # Lax: the link that opens the pages may be clicked on another site, such as a chat.
        _set_cookie(req, resp, f"{cookie_name(req)}-to", quote(path, safe=""), 600, "Lax")


def cookie_name(req: falcon.Request) -> str:
    """Return the name of a browser's pass, with the port: browsers send the cookies of a host to all its ports."""
    return f"automation-report-{req.port}"


def _target(req: falcon.Request, resp: falcon.Response) -> str:
    """Return the path that a browser is led to: the link's, else the path that it asked for before."""
    run = req.get_param("run")
    if run and _is_id(run):
        return link("run", run)
    name = f"{cookie_name(req)}-to"
    remembered = [unquote(text) for text in req.get_cookie_values(name) or ()]
    if remembered:
        resp.unset_cookie(name, path="/")
    return own_path(req.get_param("to"), own_path(remembered[0] if remembered else None))


def _set_cookie(
    req: falcon.Request, resp: falcon.Response, name: str, value: str, seconds: int, same_site: str
) -> None:
    secure = is_encrypted(req)
    resp.set_cookie(name, value, path="/", max_age=seconds, secure=secure, http_only=True, same_site=same_site)


def _is_unseen(req: falcon.Request) -> bool:
    """Whether a browser prefetches a page, a script sends the request, or a chat or mail program previews a link."""
    purposes = " ".join(req.get_header(name, default="") for name in _PURPOSES).lower()
    is_ahead = any(word in purposes for word in ("prefetch", "prerender", "preview"))
    is_script = req.get_header("Sec-Fetch-Mode", default="navigate") != "navigate"
    return is_ahead or is_script or _is_previewer(req.user_agent or "") is not None
