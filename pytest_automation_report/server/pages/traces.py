"""Show traces of Playwright in the viewer that the installed ``playwright`` package has."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.contents import PART_BYTES, part_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import falcon

    from pytest_automation_report.server.store.database import StoreConnection

_FOLDER: Final = "/trace/"
VIEWER: Final = f"{_FOLDER}index.html"
_IN_PACKAGE: Final = ("driver", "package", "lib", "vite", "traceViewer")
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".webmanifest": "application/manifest+json",
}
# The viewer's service worker answers each request of a recorded page from the trace. Its own requests fall under this
# policy, too, so nothing that a trace names is asked for in the network.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self' data: blob:;"
    " style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:;"
    " frame-src 'self' blob:; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_ZIP: Final = b"PK\x03\x04"


def viewer_files() -> dict[str, TraceViewerFile]:
    """Return the files of the viewer by the paths of their URLs; none if ``playwright`` is not installed."""
    spec = find_spec("playwright")
    places = [] if spec is None else spec.submodule_search_locations or []
    found: Mapping[str, Path] = {
        f"{_FOLDER}{path.relative_to(folder).as_posix()}": path
        for folder in (Path(place, *_IN_PACKAGE) for place in places)
        for path in folder.rglob("*")
        if path.suffix in _TYPES and path.is_file()
    }
    # Each file is a route: no text of a request becomes a path.
    return {address: TraceViewerFile(path) for address, path in found.items()} if VIEWER in found else {}


def is_trace(connection: StoreConnection, content_hash: str, name: str, size: int) -> bool:
    """Return whether a stored file is a trace of Playwright, by its name and by the names of its entries."""
    if "trace" not in name.lower() or not name.lower().endswith(".zip"):
        return False
    first, last = (part_of(connection, content_hash, number) for number in (0, max(0, size - 1) // PART_BYTES))
    return first.startswith(_ZIP) and (b".trace" in first or b".trace" in last)


class TraceViewerFile:
    """One file of the viewer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        """Send the file."""
        resp.content_type = _TYPES[self._path.suffix]
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.data = self._path.read_bytes()
