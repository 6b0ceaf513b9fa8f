"""Which files belong to an attempt, how each is shown, and what is seen of a text."""

import pytest

from pytest_automation_report.server.pages.test.view_models import files_of, preview_of, previewed
from pytest_automation_report.server.pages.words import with_defaults
from pytest_automation_report.server.store.contents import DOWNLOAD, TEXT, StoredContent, content_address

HASHES = [f"{number:064x}" for number in range(5)]
CONTENTS = {
    hash_: StoredContent(hash_, size, media_type)
    for hash_, size, media_type in zip(HASHES, (1, 2, 3, 4), ("image/png", "video/webm", TEXT, DOWNLOAD), strict=False)
}


def artifact(name: str, url: str, **others: object) -> dict[str, object]:
    """Return an artifact with all properties."""
    return with_defaults({"name": name, "url": url, **others})


def test_each_file_is_shown_by_its_content() -> None:
    """The stored content decides and not the name or type that the test sent; a missing one is said."""
    artifacts = [artifact(f"f{number}", content_address(hash_, "x.html")) for number, hash_ in enumerate(HASHES)]
    artifacts.append(artifact("foreign", "https://files.example.com/x.png", size=7))
    files = files_of(artifacts, CONTENTS, None)
    assert [file.shown for file in files] == ["picture", "video", "text", "link", "link", "link"]
    assert [file.size for file in files] == [1, 2, 3, 4, None, 7]
    assert (files[4].note, files[4].url) == ("no longer stored", "")
    assert [file.name for file in previewed(files)] == ["f2"]


def test_files_belong_to_their_attempt() -> None:
    """The note that the client writes says the attempt, and a note of the user's own stays."""
    artifacts = [
        artifact("a", "https://x.example/a", note="attempt 1"),
        artifact("b", "https://x.example/b", note="attempt 1: after pay"),
        artifact("c", "https://x.example/c", note="after pay"),
    ]
    assert [(file.name, file.note) for file in files_of(artifacts, {}, 1)] == [("a", ""), ("b", "after pay")]
    assert [(file.name, file.note) for file in files_of(artifacts, {}, None)] == [("c", "after pay")]
    assert files_of(artifacts, {}, 2) == []


@pytest.mark.parametrize(
    ("data", "size", "lines", "line_count", "more"),
    [
        (b"a\nb\n", 4, 2, 2, 0),
        (b"a\n" * 300, 600, 200, 300, 201),
        (b"x" * 30_000, 30_000, 1, None, 6_000),
        (b"a\n", 1_000_000, 1, None, 999_999),
        (b"\xff\xfe", 2, 1, 1, 0),
    ],
)
def test_a_preview_says_how_much_it_leaves_out(
    data: bytes, size: int, lines: int, line_count: int | None, more: int
) -> None:
    """The first lines of a text are shown, and the number of bytes after them."""
    preview = preview_of(data, size)
    assert (len(preview.lines), preview.line_count, preview.more_bytes) == (lines, line_count, more)
