"""Choose the artifacts that a report holds: those of failures first, as many as fit, and the names of all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct

from pytest_automation_report.server.store.contents import PART_BYTES, part_of, stored_contents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.store.contents import StoredContent

# Tests whose artifacts a report holds: none, those that failed, or all that have a page in it.
Which: TypeAlias = Literal["none", "failed", "all"]
DEFAULT_BYTES: Final = 5_000_000  # largest size of all artifacts of a report together


class FileRule(Struct, frozen=True):
    """The artifacts that a user wants in a report; ``max_bytes`` is for all together."""

    which: Which = "failed"
    max_bytes: int = DEFAULT_BYTES


class ReportedFiles:
    """The contents in a report by their hash, and the names and sizes of those that did not fit.

    ``names`` has the name of each wanted artifact by its hash. Small ones go first, so that most of them fit.
    """

    def __init__(self, reader: PageReader, names: Mapping[str, str], max_bytes: int) -> None:
        stored = stored_contents(reader.connection, names)
        self.contents: dict[str, StoredContent] = {}
        self.left_out: list[tuple[str, int]] = []
        free = max_bytes
        for content in sorted(stored.values(), key=lambda content: (content.size, content.hash)):
            if content.size <= free:
                self.contents[content.hash] = content
                free -= content.size
            else:
                self.left_out.append((names[content.hash], content.size))
        self.left_out.sort(key=lambda entry: (-entry[1], entry[0]))

    def type_of(self, content_hash: str) -> str:
        """Return the media type under which a browser shows a content; all but pictures and videos are downloads."""
        content = self.contents[content_hash]
        is_shown = content.media_type.startswith(("image/", "video/"))
        return content.mime_type if is_shown else "application/octet-stream"

    def data(self, reader: PageReader, content_hash: str) -> bytes:
        """Return a content."""
        positions = range(-(-self.contents[content_hash].size // PART_BYTES))
        return b"".join(part_of(reader.connection, content_hash, position) for position in positions)
