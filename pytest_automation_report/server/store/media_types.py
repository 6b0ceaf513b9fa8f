"""Detect the media type of a content by its first bytes.

Name and type that a client sends with a file are not trusted: a page with a script, stored as a picture, must not run
in the browser of a reader. So only recognised contents get their own type, and browsers run none of these types.
"""

from __future__ import annotations

import codecs
from typing import Final

HEAD_BYTES: Final = 4096
"""Number of bytes that `media_type` looks at."""

DOWNLOAD: Final = "application/octet-stream"
"""The type of all contents that browsers save as a file instead of showing them."""

TEXT: Final = "text/plain; charset=utf-8"
"""The type of text without markup."""

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# The brand at byte 8 of an ISO media file, after its length and `ftyp`.
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
    """Return the type of a content with these first bytes: a picture, a video, text without markup, or a download."""
    for signature, detected_type in _SIGNATURES:
        if head.startswith(signature):
            return detected_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], DOWNLOAD)
    # WebM is Matroska with the document type "webm"; browsers do not play other Matroska files.
    if head.startswith(_MATROSKA):
        return "video/webm" if b"webm" in head[:64] else DOWNLOAD
    return TEXT if _is_plain(head) else DOWNLOAD


def is_picture(mime_type: str) -> bool:
    """Return whether a page can show content of this type as a picture."""
    return mime_type.startswith("image/")


def is_video(mime_type: str) -> bool:
    """Return whether a page can play content of this type."""
    return mime_type.startswith("video/")


def _is_plain(head: bytes) -> bool:
    """Return whether these bytes begin a UTF-8 text without markup; the last character may be incomplete."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return "\0" not in text and not text.lstrip().startswith(("<", "%PDF"))
