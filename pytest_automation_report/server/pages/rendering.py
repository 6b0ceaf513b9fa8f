"""Turn templates, which escape every value, into HTML, and answer URLs with it; style, scripts and icons beside it."""

from __future__ import annotations

import re
import sys
import time
from contextlib import suppress
from hashlib import sha256
from importlib.resources import files
from importlib.util import cache_from_source
from pathlib import Path
from pickle import UnpicklingError  # nosec B403 - the error alone
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup, escape
from msgspec import Struct
from msgspec.structs import asdict, replace

from pytest_automation_report.findings.flakiness import evidence_words
from pytest_automation_report.findings.sentences import among_words, commit_text, moment
from pytest_automation_report.findings.times import factor
from pytest_automation_report.server.pages import drawings, runs, words
from pytest_automation_report.server.pages.urls import link, own_path
from pytest_automation_report.server.store.values import content_path, iso_time
from pytest_automation_report.text.limits import duration, quantity
from pytest_automation_report.text.visible import plain, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping, Sequence

    import falcon
    from jinja2.bccache import Bucket

    from pytest_automation_report.failures.code import CodeTokens

STYLE_LAYERS: Final = ("base", "parts", "pages", "states")
"""Files of the style sheet, each a layer: a rule of a later layer wins, whatever the selectors are."""

# Modules of the pages; all pages can be read without them.
SCRIPTS: Final = ("page.js", "follow.js", "find.js", "lanes.js")
# Browsers show the icon of a window on grounds of their own.
_ICON_COLOURS: Final = {"mark": "#131b25", "fail": "#cf2f3b", "pass": "#23895a", "live": "#2468dd"}
_STATIC = files("pytest_automation_report.server.pages") / "static"
_script_comment = re.compile(r"/\*\*.*?\*/ ?", re.DOTALL)
_comment = re.compile(r"/\*.*?\*/", re.DOTALL)
_needless = re.compile(r"\s*([{};])\s*|(?<=[:,>])\s+")


class Asset(Struct, frozen=True):
    """A file of the package; its URL ``path`` has a hash of the content, so that browsers may cache it for ever."""

    path: str
    media_type: str
    content: bytes


def _asset(name: str, media_type: str, content: bytes) -> Asset:
    stem, _, suffix = name.partition(".")
    return Asset(f"/static/{stem}-{sha256(content).hexdigest()[:16]}.{suffix}", media_type, content)


def file_text(name: str) -> str:
    """Return a script or a drawing of the package, which the report in one file holds itself."""
    return (_STATIC / name).read_text("utf-8")


def script_text(name: str) -> str:
    """Return a module of the package as a script for the report in one file: without imports and exports."""
    lines = (line.removeprefix("export ") for line in _packed_script(name).split("\n"))
    return "\n".join(line for line in lines if not line.startswith("import "))


def _packed_script(name: str) -> str:
    """Return a module without comments and indentation."""
    # Each line is code or a comment: no text in these modules spans several lines, and each import is one line.
    lines = (line.strip() for line in _script_comment.sub("", file_text(name)).split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def style_sheet() -> str:
    """Return the style sheet of all pages, without comments and needless spaces."""
    return "".join(f"@layer {layer}{{{style_text(f'{layer}.css')}}}" for layer in STYLE_LAYERS)


def style_text(name: str) -> str:
    """Return a style sheet of the package, without comments and needless spaces."""
    text = _needless.sub(r"\1", _comment.sub("", file_text(name)))
    return re.sub(r"\s+", " ", text).replace(";}", "}").strip()


def _assets() -> dict[str, Asset]:
    assets = {"style.css": _asset("style.css", "text/css; charset=utf-8", style_sheet().encode())}
    # Modules import each other by their names: one hash of all of them is the folder in their URLs.
    scripts = {name: _packed_script(name).encode() for name in SCRIPTS}
    folder = sha256(b"".join(scripts.values())).hexdigest()[:16]
    for name, content in scripts.items():
        assets[name] = Asset(f"/static/{folder}/{name}", "text/javascript; charset=utf-8", content)
    sprite = file_text("icons.svg")
    images = {"icons.svg": sprite, **{f"icon-{name}.svg": _icon(sprite, name) for name in _ICON_COLOURS}}
    return assets | {name: _asset(name, "image/svg+xml", text.encode()) for name, text in images.items()}


def _icon(sprite: str, name: str) -> str:
    """Return the icon of a window: a symbol of the sprite, which has no colours of its own, in its colour."""
    box, shape = re.findall(f'<symbol id="i-{name}" (viewBox="[^"]*")>(.*)</symbol>', sprite)[0]
    colour, shape = _ICON_COLOURS[name], shape.replace("var(--panel)", "#fff")
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} fill="{colour}" color="{colour}">{shape}</svg>'


_BY_NAME: Final = _assets()

# All files by the path of their URL.
ASSETS: Final[Mapping[str, Asset]] = {asset.path: asset for asset in _BY_NAME.values()}


def asset_path(name: str) -> str:
    """Return the path of a file's URL, such as ``/static/0123456789abcdef/page.js`` for ``page.js``."""
    return _BY_NAME[name].path


def icon_path(tone: str) -> str:
    """Return the path of the icon of a window that shows something of this tone."""
    return asset_path(f"icon-{tone if tone in _ICON_COLOURS else 'mark'}.svg")


_SHORT: Final = 100


class Context(Struct, frozen=True):
    """All that one template gets, which escapes it: each member is a name that the template, or a part of it, uses."""

    template: ClassVar[str]


class PageContext(Context, frozen=True, kw_only=True):
    """What `base.html`, the frame of all pages, uses; `show` fills in the first three."""

    theme: str = ""  # that the user chose
    here: str = "/"  # path of the page, for links back to it
    now: int | None = None  # microseconds since 1970; a page in a file has no clock
    mistakes: Sequence[str] = ()  # what the address has and the page leaves out, in sentences
    is_live: bool = False  # an open page asked for its part that changes
    is_fragment: bool = False  # of the page only title, crumbs and content are wanted
    cut: Markup = Markup()  # where the report in one file takes a page apart
    is_report: bool = False


# No value of a page has this character: each is escaped.
_CUT: Final = Markup("\x1e")


class Fragment(NamedTuple):
    """The parts in which one page differs from others, as HTML."""

    title: str
    crumbs: str
    content: str


def render_fragment(context: PageContext) -> Fragment:
    """Return the parts of a page."""
    parts = render(replace(context, is_fragment=True, cut=_CUT)).split(_CUT)
    return Fragment(*(part.strip() for part in parts))


def render_frame(context: PageContext) -> tuple[str, str]:
    """Return what stands above and below the content of a page."""
    _, above, _, below, _ = render(replace(context, cut=_CUT)).split(_CUT)
    return above, below


def render(context: Context) -> str:
    """Return a page as HTML."""
    return _ENVIRONMENT.get_template(context.template).render(asdict(context))


def macros() -> Any:  # noqa: ANN401 - jinja makes its members from the template
    """Return the macros that templates share as functions, whose values are markup."""
    return _ENVIRONMENT.get_template("parts.html").module


def set_html(resp: falcon.Response, html: str) -> None:
    """Set a page as the body of a response."""
    resp.content_type = "text/html; charset=utf-8"
    resp.data = html.encode("utf-8", "replace")


def _finalized(value: object) -> object:
    """Return a value of a template with control and bidi characters escaped; markup is our own and stays.

    A float is a place in a drawing, and has one decimal.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return f"{value:.1f}" if isinstance(value, float) else value
    # Most values are short, and for those this is the fastest way to see that nothing is to be escaped.
    return value if len(value) < _SHORT and value.isprintable() else visible(value)


def _code(tokens: CodeTokens) -> Markup:
    """Return a line of code as HTML; a loop in a template takes three times as long, and pages have many lines."""
    pieces = [
        f'<span class="{class_}">{escape(_finalized(text))}</span>' if class_ else escape(_finalized(text))
        for class_, text in tokens
    ]
    return Markup("".join(pieces))  # noqa: S704 - escaped above  # nosec B704


class CompiledTemplates(FileSystemBytecodeCache):
    """Compiled templates beside the package's modules, as Python keeps theirs: to compile all of them takes 0.3 s."""

    # Loading one runs it: no one may write to the folder who cannot write the package.
    def __init__(self) -> None:
        here = Path(__file__)
        try:
            # Filters and options are part of what a template is compiled to, and this module has them.
            state = here.stat().st_mtime_ns
        except OSError:  # in an archive
            state = 0
        super().__init__(str(Path(cache_from_source(str(here))).parent), f"{here.stem}-{state:x}-%s.pyc")

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read a compiled template, if it can be read and is whole."""
        with suppress(OSError, UnpicklingError, EOFError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write a compiled template, if it can be written."""
        with suppress(OSError):
            if not sys.dont_write_bytecode:
                Path(self.directory).mkdir(parents=True, exist_ok=True)
                super().dump_bytecode(bucket)


class ContinuedLines(Extension):
    """An indented line of a template continues the line above: after a space unless it begins with ``<`` or ``{``."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return the source of a template with these lines joined."""
        del name, filename
        return re.sub(r"\n +", " ", re.sub(r"\n +(?=[<{])", "", source))


class _Environment(Environment):
    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        # One dictionary for all: Jinja's chain of them takes a twentieth of a page's time, for each imported macro.
        return super().make_globals(d) if d else self.globals


def _environment() -> Environment:
    environment = _Environment(
        loader=PackageLoader("pytest_automation_report.server.pages", "templates"),
        autoescape=True,
        extensions=[ContinuedLines],
        finalize=_finalized,
        undefined=StrictUndefined,
        bytecode_cache=CompiledTemplates(),
        # Templates are files of the package: whether one changed need not be asked for each part of a page.
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(link=link, asset=asset_path, icon_path=icon_path, sprite=asset_path("icons.svg"))
    filters: tuple[Callable[..., Any], ...] = (
        words.ago, runs.by_day, duration, words.duration_change, words.file_size, moment, words.web_address,
        drawings.clock, drawings.slices, drawings.trend, content_path, plain, among_words, commit_text, evidence_words,
        factor, quantity, words.halves, words.sign, words.usual_words,
    )  # fmt: skip
    environment.filters.update({each.__name__: each for each in filters})
    environment.filters.update(code=_code, strip=drawings.strip_of, text_lines=words.lines, machine_moment=iso_time)
    environment.filters.update(status=words.STATUSES_SHOWN.__getitem__, outcome_tone=words.OUTCOME_TONES.__getitem__)
    return environment


_ENVIRONMENT: Final = _environment()

THEMES: Final = ("light", "dark")  # themes that a user can choose; without a choice the system decides
THEME_COOKIE: Final = "automation-report-theme"  # cookie with the chosen theme; the pages' script writes it, too


def site_of(req: falcon.Request) -> str:
    """Return the address of this site as the browser has it, such as ``https://reports.example.com``."""
    return f"{'https' if is_encrypted(req) else 'http'}://{req.netloc}"


def is_encrypted(req: falcon.Request) -> bool:
    """Whether the browser uses TLS, which ends at a proxy before this server."""
    # Without X-Forwarded-Proto, Sec-Fetch headers show TLS: browsers send them over TLS, and otherwise only to this
    # machine. A client with false headers spoils only its own pass and its own page, which no cache keeps.
    if req.get_header("X-Forwarded-Proto", default="").lower() == "https":
        return True
    # A report in one file needs no falcon, which takes 0.1 s to import.
    from pytest_automation_report.server.http.guard import is_answered  # noqa: PLC0415 - loads falcon

    return req.get_header("Sec-Fetch-Site") is not None and not is_answered(req.get_header("Host"), frozenset())


def now_us() -> int:
    """Return the time in microseconds since 1970."""
    return int(time.time() * 1_000_000)


def show(req: falcon.Request, resp: falcon.Response, context: PageContext) -> None:
    """Answer with a page in the theme that its user chose."""
    (theme, *_) = req.get_cookie_values(THEME_COOKIE) or [""]
    # A link with a code must not be written into a page.
    here = "/" if req.path.startswith("/open") else own_path(req.relative_uri)
    set_html(resp, render(replace(context, theme=theme if theme in THEMES else "", here=here, now=now_us())))


def is_known(req: falcon.Request, resp: falcon.Response, state: object) -> bool:
    """Whether an open page shows this state already, by its representation; then the answer is 304."""
    tag = f'"{sha256(repr(state).encode("utf-8", "replace")).hexdigest()[:32]}"'
    resp.set_header("Cache-Control", "private, no-cache")
    resp.set_header("ETag", tag)
    if req.get_header("If-None-Match") != tag:
        return False
    resp.status = 304
    return True
