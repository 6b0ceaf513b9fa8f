"""Turn templates into HTML, write numbers and times for readers, and load style, script and icon.

Templates escape every value. Style, script and icon are files of the package in a fixed table, so that no URL can
name another file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_automation_report.server.pages.texts import lines, plain, web_address
from pytest_automation_report.server.store.artifact_urls import content_path
from pytest_automation_report.text.limits import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import falcon

_PACKAGE = "pytest_automation_report.server.pages"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the package; its URL ``path`` has a hash of the content, so that browsers may cache it for ever."""

    path: str
    media_type: str
    content: bytes


def _asset(name: str, media_type: str) -> Asset:
    content = (files(_PACKAGE) / "static" / name).read_bytes()
    stem, _, suffix = name.partition(".")
    return Asset(f"/static/{stem}-{sha256(content).hexdigest()[:16]}.{suffix}", media_type, content)


STYLE = _asset("style.css", "text/css; charset=utf-8")
"""The style sheet of all pages."""

SCRIPT = _asset("page.js", "text/javascript; charset=utf-8")
"""The script of all pages; they can be read without it."""

ICON = _asset("icon.svg", "image/svg+xml")
"""The icon of all pages."""

ASSETS: Mapping[str, Asset] = {asset.path: asset for asset in (STYLE, SCRIPT, ICON)}
"""All these files by their URL."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND, _SECOND, _MINUTE, _HOUR = 1_000, 1_000_000, 60_000_000, 3_600_000_000
# Width of a bar, and of its smallest part: one failure among 100,000 tests must be seen.
_BAR: Final = 1_000.0
_MIN_PART: Final = 8.0


def render(template: str, **values: Any) -> str:  # noqa: ANN401 - templates take anything and escape it
    """Return a template with these values as HTML."""
    return _ENVIRONMENT.get_template(template).render(values)


def set_html(resp: falcon.Response, html: str) -> None:
    """Set a page as the body of a response."""
    resp.content_type = "text/html; charset=utf-8"
    resp.data = html.encode("utf-8", "replace")


def duration(microseconds: int | None) -> str:
    """Return a duration with one unit, or with two from a minute on; a dash for None.

    The limits are half of the last shown digit below a unit, so that no duration is rounded to 1000 ms or 60.0 s.
    """
    if microseconds is not None and 0 < microseconds < _MILLISECOND // 20:
        return "<0.1 ms"
    if microseconds is None:
        return "–"  # noqa: RUF001 - typography
    if microseconds < _SECOND - _MILLISECOND // 2:
        return f"{microseconds / _MILLISECOND:.{0 if microseconds >= 10 * _MILLISECOND else 1}f} ms"
    if microseconds < _MINUTE - 50 * _MILLISECOND:
        return f"{microseconds / _SECOND:.{1 if microseconds >= 10 * _SECOND else 2}f} s"
    if microseconds < _HOUR - _SECOND // 2:
        microseconds += _SECOND // 2
        return f"{microseconds // _MINUTE} min {microseconds % _MINUTE // _SECOND:02d} s"
    microseconds += _SECOND // 2
    return f"{microseconds // _HOUR} h {microseconds % _HOUR // _MINUTE:02d} min"


def moment(microseconds: int) -> str:
    """Return a time, in microseconds since 1970, for readers, in UTC; the page's script replaces it by local time."""
    return f"{_datetime(microseconds):%d %b %Y, %H:%M} UTC".lstrip("0")


def machine_moment(microseconds: int) -> str:
    """Return a time, in microseconds since 1970, for the ``datetime`` attribute."""
    return f"{_datetime(microseconds):%Y-%m-%dT%H:%M:%SZ}"


def quantity(number: int, noun: str = "") -> str:
    """Return a number with commas between the thousands, with a noun in singular or plural."""
    return f"{number:,}{' ' if noun else ''}{noun}{'s' if noun and number != 1 else ''}"


def file_size(size: int) -> str:
    """Return a number of bytes in the largest fitting unit."""
    if size < 1_000:  # noqa: PLR2004 - a unit
        return quantity(size, "byte")
    exponent = min(3, (len(str(size)) - 1) // 3)
    return f"{size / 1_000**exponent:.{0 if size >= 10 * 1_000**exponent else 1}f} {('kB', 'MB', 'GB')[exponent - 1]}"


def slices(parts: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return tone, start and width of each part of a bar; also the smallest part is wide enough to be seen."""
    present = [(str(part["tone"]), int(part["count"])) for part in parts if part["count"]]
    total = sum(count for _, count in present)
    widths = [max(_MIN_PART, _BAR * count / total) for _, count in present]
    # The minimum widths can make the bar too long.
    scale = _BAR / sum(widths) if widths else 1.0
    rectangles, start = [], 0.0
    for (tone, _), width in zip(present, widths, strict=True):
        rectangles.append((tone, f"{start:.2f}", f"{width * scale:.2f}"))
        start += width * scale
    return rectangles


def _datetime(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _finalized(value: object) -> object:
    """Return a value of a template with control and bidi characters escaped; markup is our own and stays."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pytest_automation_report.server.pages", "templates"),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(style=STYLE.path, script=SCRIPT.path, icon=ICON.path)
    environment.filters.update(
        content_path=content_path,
        file_size=file_size,
        duration=duration,
        machine_moment=machine_moment,
        moment=moment,
        plain=plain,
        quantity=quantity,
        slices=slices,
        text_lines=lines,
        web_address=web_address,
    )
    return environment


_ENVIRONMENT: Final = _environment()
