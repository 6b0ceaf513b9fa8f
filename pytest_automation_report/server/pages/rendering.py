"""The style, the script and the icon of the pages: packaged files in a fixed table.

Templates to text: everything is escaped, and numbers and times are written for people.
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

_PACKAGE = "pytest_automation_report.server.pages"


@dataclass(frozen=True, slots=True)
class Asset:
    """One packaged file; ``path`` is its address, which is another one when its content is another."""

    path: str
    media_type: str
    content: bytes


def _asset(name: str, media_type: str) -> Asset:
    content = (files(_PACKAGE) / "static" / name).read_bytes()
    stem, _, suffix = name.partition(".")
    return Asset(f"/static/{stem}-{sha256(content).hexdigest()[:16]}.{suffix}", media_type, content)


STYLE = _asset("style.css", "text/css; charset=utf-8")
"""How the pages look."""

SCRIPT = _asset("page.js", "text/javascript; charset=utf-8")
"""What the pages do by themselves."""

ICON = _asset("icon.svg", "image/svg+xml")
"""The mark of the pages."""

ASSETS: Mapping[str, Asset] = {asset.path: asset for asset in (STYLE, SCRIPT, ICON)}
"""Every file that is served, by its address."""


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND, _SECOND, _MINUTE, _HOUR = 1_000, 1_000_000, 60_000_000, 3_600_000_000
_MANY: Final = 10 * _SECOND
# A sliver of a bar that can still be seen, of a width of 1,000.
_SLIVER: Final = 8.0
_BAR: Final = 1_000.0


def page(template: str, **values: Any) -> str:  # noqa: ANN401 - templates take anything and escape it
    """Return a template as HTML."""
    return _ENVIRONMENT.get_template(template).render(values)


def duration(microseconds: int | None) -> str:
    """Return a duration for people: the two units that matter."""
    if microseconds is not None and 0 < microseconds < _MILLISECOND // 20:
        return "<0.1 ms"
    if microseconds is None:
        return "–"  # noqa: RUF001 - typography
    if microseconds < _SECOND - _MILLISECOND // 2:
        return f"{microseconds / _MILLISECOND:.{0 if microseconds >= 10 * _MILLISECOND else 1}f} ms"
    if microseconds < _MINUTE - 50 * _MILLISECOND:
        return f"{microseconds / _SECOND:.{1 if microseconds >= _MANY else 2}f} s"
    if microseconds < _HOUR - _SECOND // 2:
        microseconds += _SECOND // 2
        return f"{microseconds // _MINUTE} min {microseconds % _MINUTE // _SECOND:02d} s"
    microseconds += _SECOND // 2
    return f"{microseconds // _HOUR} h {microseconds % _HOUR // _MINUTE:02d} min"


def moment(microseconds: int) -> str:
    """Return a time in UTC for people."""
    return f"{_when(microseconds):%d %b %Y, %H:%M} UTC".lstrip("0")


def machine_moment(microseconds: int) -> str:
    """Return a time in UTC for programs."""
    return f"{_when(microseconds):%Y-%m-%dT%H:%M:%SZ}"


def count(number: int, noun: str = "") -> str:
    """Return a number with its thousands apart, and a noun in its number."""
    return f"{number:,}{' ' if noun else ''}{noun}{'s' if noun and number != 1 else ''}"


def file_size(size: int) -> str:
    """Return a number of bytes for people."""
    if size < 1_000:  # noqa: PLR2004 - a unit
        return count(size, "byte")
    exponent = min(3, (len(str(size)) - 1) // 3)
    return f"{size / 1_000**exponent:.{0 if size >= 10 * 1_000**exponent else 1}f} {('kB', 'MB', 'GB')[exponent - 1]}"


def slices(parts: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return tone, start and width of each part's stretch of a bar; the smallest part can still be seen."""
    present = [(str(part["tone"]), int(part["amount"])) for part in parts if part["amount"]]
    total = sum(amount for _, amount in present)
    widths = [max(_SLIVER, _BAR * amount / total) for _, amount in present]
    scale = _BAR / sum(widths) if widths else 1.0
    drawn, start = [], 0.0
    for (tone, _), width in zip(present, widths, strict=True):
        drawn.append((tone, f"{start:.2f}", f"{width * scale:.2f}"))
        start += width * scale
    return drawn


def _when(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _finalized(value: object) -> object:
    """Spell out what could turn a page around; markup is our own and stays."""
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
        amount=count,
        content_path=content_path,
        file_size=file_size,
        duration=duration,
        machine_moment=machine_moment,
        moment=moment,
        plain=plain,
        slices=slices,
        text_lines=lines,
        web_address=web_address,
    )
    return environment


_ENVIRONMENT: Final = _environment()
