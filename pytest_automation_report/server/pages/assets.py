"""The style, the script and the icon of the pages (floor 2): packaged files in a fixed table."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


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
