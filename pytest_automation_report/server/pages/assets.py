"""Style sheet, scripts and icons: files of the package in a fixed table, so that no URL can name another file."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STYLE_LAYERS: Final[Mapping[str, Sequence[str]]] = {
    "base": ("tokens", "base"),
    "parts": ("top", "controls", "head", "lists", "code"),
    "pages": ("run", "test"),
    "states": ("states", "print"),
}
"""Layers of the style sheet with their files: a rule of a later layer wins, whatever the selectors are."""

# Modules of the pages; all pages can be read without them.
SCRIPTS: Final = ("page.js", "follow.js", "keys.js", "find.js", "lanes.js", "pictures.js")
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
    """Return a module without comments and indentation.

    Each line is code or a comment: no text in these modules spans several lines, and each import is one line.
    """
    lines = (line.strip() for line in _script_comment.sub("", file_text(name)).split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def style_sheet() -> str:
    """Return the style sheet of all pages, without comments and needless spaces."""
    return "".join(
        f"@layer {layer}{{{''.join(style_text(f'style/{name}.css') for name in names)}}}"
        for layer, names in STYLE_LAYERS.items()
    )


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
    for name in ("icons.svg", "icon.svg", "icon-pass.svg", "icon-fail.svg", "icon-live.svg"):
        assets[name] = _asset(name, "image/svg+xml", (_STATIC / name).read_bytes())
    return assets


_BY_NAME: Final = _assets()

# All files by the path of their URL.
ASSETS: Final[Mapping[str, Asset]] = {asset.path: asset for asset in _BY_NAME.values()}


def asset_path(name: str) -> str:
    """Return the path of a file's URL, such as ``/static/0123456789abcdef/keys.js`` for ``keys.js``."""
    return _BY_NAME[name].path
