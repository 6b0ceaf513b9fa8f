"""The folder beside a report: its names are safe, its files are whole, and the report refers to them."""

from __future__ import annotations

import io
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.server.pages.report.beside import STYLE_FILE, file_name
from pytest_automation_report.server.pages.report.files import FileRule
from pytest_automation_report.server.store.artifact_rows import StoredContent
from pytest_automation_report.server.store.artifact_urls import content_address
from pytest_automation_report.server.store.artifacts import ArtifactContents
from support.report_file import ReportFile
from support.website import failing

if TYPE_CHECKING:
    from support.website import Site

HASH = "0123456789abcdef" * 4
PICTURE = b"\x89PNG\r\n\x1a\n" + b"p" * 1000
PAGE = b"<script>document.title = 'ran'</script>"


@pytest.mark.parametrize(
    ("name", "media_type", "expected"),
    [
        ("shot.png", "image/png", "shot.png"),
        ("shot.html", "image/png", "shot.html.png"),
        ("page.html", "application/octet-stream", "page.html.bin"),
        ("picture.svg", "application/octet-stream", "picture.svg.bin"),
        ("trace.zip", "application/octet-stream", "trace.zip"),
        ("output.log", "text/plain; charset=utf-8", "output.log"),
        ("run.bat", "text/plain; charset=utf-8", "run.bat.txt"),
        ("no suffix", "text/plain; charset=utf-8", "no_suffix.txt"),
        ("../../etc/passwd", "text/plain; charset=utf-8", "_.._etc_passwd.txt"),
        ("C:\\a\\b.png\0", "image/png", "C_a_b.png_.png"),
        ("..", "application/octet-stream", "file.bin"),
        ("прив/ет.webm", "video/webm", "_.webm"),
        ("x" * 500 + ".mp4", "video/mp4", "x" * 56 + ".mp4"),
    ],
)
def test_names(name: str, media_type: str, expected: str) -> None:
    """A name has the hash, characters that every system takes, and a suffix under which nothing runs."""
    assert file_name(StoredContent(HASH, 1, media_type), name) == f"{HASH[:32]}-{expected}"


def a_run(site: Site, **contents: bytes) -> int:
    """Report a run with a failure that has these files, their names with an underscore for the dot."""
    stored = ArtifactContents(site.service.store)
    artifacts = []
    for given, content in contents.items():
        name = given.replace("_", ".")
        artifacts.append({"name": name, "url": content_address(stored.put(io.BytesIO(content)).hash, name)})
    return site.run_of(failing(0, artifacts=artifacts))


def test_report_and_its_folder(site: Site) -> None:
    """The archive holds no file: pages, and the plain layer, have the relative addresses of those in the folder."""
    run = a_run(site, shot_png=PICTURE, page_html=PAGE)
    beside = site.pages.report_beside(run, None, FileRule(), "my report#1-files")
    report = ReportFile(beside.html)
    written = {name: b"".join(pieces()) for name, pieces in beside.files.items()}
    picture = next(name for name in written if name.endswith("shot.png"))
    page = next(name for name in written if name.endswith("page.html.bin"))
    assert (written[picture], written[page], set(written)) == (PICTURE, PAGE, {picture, page, STYLE_FILE})
    assert set(report.index["files"].values()) == {
        f"my%20report%231-files/{picture}",
        f"my%20report%231-files/{page}",
    }
    assert f'<link rel="stylesheet" href="my%20report%231-files/{STYLE_FILE}">' in report.html
    assert f'<img src="my%20report%231-files/{picture}" alt="shot.png"' in report.plain
    assert f'<a href="my%20report%231-files/{page}">page.html</a>' in report.plain
    assert "script-src 'sha256-" in report.policy
    assert "http" not in report.policy
    assert "in the folder my report#1-files beside it" in report.html


def test_file_alone_has_no_folder(site: Site) -> None:
    """A report without a folder refers to none, and its policy lets nothing of a server through."""
    report = ReportFile(site.pages.report(a_run(site, shot_png=PICTURE)))
    assert "<link" not in report.html
    assert "'self'" not in report.policy
    assert "<img" not in report.plain


def test_large_files_are_read_in_pieces(site: Site) -> None:
    """A file of 32 MB, the largest that a store takes, is written without being in memory as a whole."""
    run = a_run(site, video_bin=bytes(32 << 20))
    beside = site.pages.report_beside(run, None, FileRule("failed", 100_000_000), "files")
    (large,) = set(beside.files) - {STYLE_FILE}
    tracemalloc.start()
    try:
        size = sum(map(len, beside.files[large]()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == 32 << 20
    assert peak < 8 << 20
