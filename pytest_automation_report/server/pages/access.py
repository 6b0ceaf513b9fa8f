"""Let browsers in: links that open the pages, the passes that browsers keep, and where a browser wanted to go."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import threading
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from msgspec import Struct

from pytest_automation_report.server.http.guard import OPENING
from pytest_automation_report.server.pages.rendering import frame_of, is_encrypted, render, set_html
from pytest_automation_report.server.pages.urls import link, own_path
from pytest_automation_report.server.store.values import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    import falcon

    from pytest_automation_report.api.models import Token

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
        """Whether a text is a pass that a server with this secret created in the last 30 days."""
        number, _, signature = text.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(number).encode()):
            return False
        created = number.partition("-")[0]
        return created.isdecimal() and 0 <= self._clock() - int(created) < PASS_SECONDS

    def _sign(self, number: str) -> str:
        return hmac.new(self._secret, number.encode("utf-8", "replace"), sha256).hexdigest()


class ProxyUser(Struct, frozen=True):
    """The header in which a proxy names the user whom it has logged in, and the networks of such proxies."""

    header: str
    proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    def of(self, req: falcon.Request) -> str:
        """Return the user of a request, "" if it comes from elsewhere or names none."""
        # Anybody else could write the header. The address is the connection's, whatever X-Forwarded-For says.
        address = ipaddress.ip_address(req.remote_addr.partition("%")[0])
        # A socket for IPv6 and IPv4 shows an IPv4 address in a form of IPv6.
        address = getattr(address, "ipv4_mapped", None) or address
        is_trusted = any(address in network for network in self.proxies)
        return req.get_header(self.header, default="").strip() if is_trusted else ""


class OpeningLink:
    """The link that opens the pages; its parameter ``run`` leads to one run instead of the list, ``to`` to any path."""

    def __init__(self, access: PageAccess, on_link_used: Callable[[str], None]) -> None:
        self._access = access
        self._on_link_used = on_link_used

    def on_get(self, req: falcon.Request, resp: falcon.Response, code: str) -> None:
        """Set the browser's pass; a request without a user, such as a preview, does not use up the link."""
        if _is_unseen(req):
            raise ApiError(403, "Open this link in a browser: a preview cannot use it.")
        before = self._access.path
        browser_pass = self._access.new_pass(code)
        if browser_pass is None:
            raise ApiError(403, "")
        _set_cookie(req, resp, cookie_name(req), browser_pass, PASS_SECONDS, "Strict")
        # Not a redirect: the browser would count it as a request of the site with the link, and leave the cookie out.
        set_html(resp, render("opening.html", to=_target(req, resp), **frame_of(req)))
        if self._access.path != before:
            self._on_link_used(self._access.path)


class OpeningForm:
    """The form of a closed page: it takes the whole link, or its code."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Redirect to the link; raises `ApiError` (403), which shows the form again, for any other text."""
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
