"""What kind of content a file is, by what it begins with (floor 2, pure).

What a client says of a file, its name and its type alike, is a claim; what a browser is told must be true. So only
content that is recognised gets a type of its own, and nothing that a browser would run is among those types.
"""

from __future__ import annotations

import codecs
from typing import Final

HEAD_BYTES: Final = 4096
"""How much of a content tells its type."""

DOWNLOAD: Final = "application/octet-stream"
"""The type of what browsers keep as a file instead of showing it."""

TEXT: Final = "text/plain; charset=utf-8"
"""The type of all text without markup."""

_BEGINNINGS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"isom": "video/mp4",
    b"iso2": "video/mp4",
    b"iso4": "video/mp4",
    b"iso5": "video/mp4",
    b"iso6": "video/mp4",
    b"avc1": "video/mp4",
    b"mp41": "video/mp4",
    b"mp42": "video/mp4",
    b"dash": "video/mp4",
    b"M4V ": "video/mp4",
}
_MATROSKA: Final = b"\x1a\x45\xdf\xa3"


def media_type(head: bytes) -> str:
    """Return the type of a content that begins like this: a picture, a video, text without markup, or a download."""
    for beginning, found in _BEGINNINGS:
        if head.startswith(beginning):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], DOWNLOAD)
    if head.startswith(_MATROSKA):
        return "video/webm" if b"webm" in head[:64] else DOWNLOAD
    return TEXT if _is_plain(head) else DOWNLOAD


def is_picture(told: str) -> bool:
    """Whether a page can show content of this type as a picture."""
    return told.startswith("image/")


def is_video(told: str) -> bool:
    """Whether a page can play content of this type."""
    return told.startswith("video/")


def _is_plain(head: bytes) -> bool:
    """Whether this is the beginning of UTF-8 text that is no markup; the last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return "\0" not in text and not text.lstrip().startswith(("<", "%PDF"))
