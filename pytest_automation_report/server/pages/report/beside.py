"""Name the files of a report whose artifacts and style are in a folder beside it.

Jenkins serves a report with a policy that lets styles and pictures of the same server through, and nothing inside of
the file. And the file stays small, however large the artifacts are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pytest_automation_report.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_automation_report.server.store.artifact_rows import StoredContent

__all__ = ["STYLE_FILE", "Beside", "ReportFolder", "file_name"]

STYLE_FILE: Final = "report.css"
"""Name of the style sheet in the folder."""

_HASH_CHARACTERS: Final = 32
_NAME_CHARACTERS: Final = 60
_OTHER: Final = re.compile(r"[^A-Za-z0-9._-]+")
_SUFFIX: Final = re.compile(r"\.[a-z0-9]{1,8}$")
# Suffixes of files that a program opens as data: none of them is run, by a browser or by a double click.
_TEXT_SUFFIXES: Final = frozenset({".txt", ".log", ".json", ".csv", ".md", ".har"})
_OTHER_SUFFIXES: Final = frozenset({".zip", ".gz", ".tar", ".pdf", ".pcap"})
_SHOWN_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "image/avif": (".avif",),
    "video/mp4": (".mp4", ".m4v"),
    "video/webm": (".webm",),
}


class ReportFolder(Value):
    """The folder beside a report by its name, from which the addresses of its files are made."""

    name: str

    def address(self, file: str) -> str:
        """Return the address of a file in the folder, relative to the report."""
        return f"{quote(self.name, safe='')}/{quote(file, safe='')}"


class Beside(Value):
    """A report, and the files of its folder by name; each is read in pieces when it is written."""

    html: str
    files: Mapping[str, Callable[[], Iterator[bytes]]]


def file_name(content: StoredContent, name: str) -> str:
    """Return the name of an artifact in the folder: a part of its hash, and its name in characters of every system.

    The suffix is that of the content's type. What could run when it is opened gets another one, as a download.
    """
    stem = _OTHER.sub("_", name)[-_NAME_CHARACTERS:].lstrip(".-") or "file"
    match = _SUFFIX.search(stem.lower())
    suffix = match[0] if match else ""
    return f"{content.hash[:_HASH_CHARACTERS]}-{stem}{_added_suffix(content.media_type, suffix)}"


def _added_suffix(media_type: str, suffix: str) -> str:
    """Return what makes a suffix fit the type of a content, "" if it does."""
    shown = _SHOWN_SUFFIXES.get(media_type.partition(";")[0])
    if shown is not None:
        return "" if suffix in shown else shown[0]
    if media_type.startswith("text/"):
        return "" if suffix in _TEXT_SUFFIXES else ".txt"
    return "" if suffix in _OTHER_SUFFIXES else ".bin"
