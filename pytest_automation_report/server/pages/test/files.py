"""Turn the artifacts of a test into pictures beside earlier ones, videos, texts and other files, for one attempt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.artifact_urls import content_hash
from pytest_automation_report.server.store.media_types import DOWNLOAD, TEXT, is_picture, is_video

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.artifact_rows import StoredContent

_ATTEMPT_NOTE: Final = re.compile(r"attempt ([1-9][0-9]{0,8})(?:: (.*))?", re.DOTALL)
_PREVIEWS: Final = 6
_PREVIEW_LINES: Final = 200
_PREVIEW_BYTES: Final = 24_000


@dataclass(frozen=True, slots=True)
class Preview:
    """The first lines of a text file; ``more_bytes`` are not shown, ``line_count`` is None if not all was read."""

    lines: tuple[str, ...]
    line_count: int | None
    more_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TestFile:
    """One artifact: ``shown`` is picture, video, text or link; ``url`` is empty if it is not stored any more.

    ``earlier`` is the picture of the same name in an earlier result, from the run ``earlier_run``.
    """

    __test__ = False  # pytest must not collect it

    name: str
    url: str
    shown: str
    note: str = ""
    mime_type: str = ""
    size: int | None = None
    hash: str = ""
    earlier: TestFile | None = None
    earlier_run: int = 0


def files_of(artifacts: Sequence[Json], contents: Mapping[str, StoredContent], attempt: int | None) -> list[TestFile]:
    """Return the files of an earlier attempt by its number, or those of the last one for None."""
    files = []
    for artifact in artifacts:
        match = _ATTEMPT_NOTE.fullmatch(artifact["note"])
        number = int(match[1]) if match else None
        if number == attempt:
            files.append(_file(artifact, (match[2] or "") if match else artifact["note"], contents))
    return files


def _file(artifact: Json, note: str, contents: Mapping[str, StoredContent]) -> TestFile:
    name, url, size = artifact["name"], artifact["url"], artifact["size"]
    hash_ = content_hash(url)
    if hash_ is None:  # stored somewhere else
        return TestFile(name, url, "link", note, artifact["mime_type"], size)
    content = contents.get(hash_)
    if content is None:
        return TestFile(name, "", "link", note or "no longer stored", artifact["mime_type"])
    media_type = content.media_type
    shown = (
        "picture"
        if is_picture(media_type)
        else "video"
        if is_video(media_type)
        else "text"
        if media_type == TEXT
        else "link"
    )
    # A file of no recognised type keeps the type that the test named.
    mime_type = artifact["mime_type"] if media_type == DOWNLOAD else content.mime_type
    return TestFile(name, url, shown, note, mime_type, content.size, hash_)


def previewed(files: Sequence[TestFile]) -> list[TestFile]:
    """Return the text files that are shown with their first lines."""
    return [file for file in files if file.shown == "text"][:_PREVIEWS]


def preview_of(data: bytes, size: int) -> Preview:
    """Return the beginning of a text file; ``data`` are its first bytes, ``size`` is the number of all of them."""
    text = data[:_PREVIEW_BYTES].decode("utf-8-sig", "replace")
    lines = text.removesuffix("\n").split("\n")
    is_whole = size <= min(len(data), _PREVIEW_BYTES)
    shown = lines[:_PREVIEW_LINES]
    more = max(0, size - len("\n".join(shown).encode())) if len(shown) < len(lines) or not is_whole else 0
    return Preview(tuple(shown), len(lines) if is_whole else None, more)
