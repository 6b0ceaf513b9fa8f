import os
from pathlib import Path

import pytest

from pytest_automation_report.delivery.captured_output import CapturedOutput
from pytest_automation_report.recording.options import RecordingOptions


@pytest.mark.parametrize("what", ["named", "other", "missing", "folder"])
def test_only_captured_files_are_opened(tmp_path: Path, what: str) -> None:
    """A record that names a descriptor of something else than a file without a name opens nothing."""
    path = tmp_path / "named"
    path.write_text("s3cr3t of a file that somebody has")
    descriptor = os.open(tmp_path if what == "folder" else path, os.O_RDONLY)
    if what == "other":
        path.unlink()
    found = os.fstat(descriptor)
    captured = CapturedOutput(RecordingOptions())
    inode = found.st_ino + (what == "other")
    captured.watch("main", os.getpid(), [["stdout", 10_000 if what == "missing" else descriptor, found.st_dev, inode]])
    assert captured.last_words("main") == ""
    captured.close()
    os.close(descriptor)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="captured files are found through /proc")  # noqa: PTH110 - at hand here
def test_end_of_what_was_captured(tmp_path: Path) -> None:
    """The last 8,192 characters of each stream are shown, hidden before they are cut; empty streams are not."""
    files = []
    for stream, printed in (("stdout", b"s3cr3t-value " * 20_000 + b"\xff pin-12 end"), ("stderr", b"")):
        descriptor = os.open(tmp_path / stream, os.O_RDWR | os.O_CREAT, 0o600)
        (tmp_path / stream).unlink()
        os.write(descriptor, printed)
        found = os.fstat(descriptor)
        files.append([stream, descriptor, found.st_dev, found.st_ino])
    captured = CapturedOutput(RecordingOptions(redact=("pin-[0-9]+",), secrets=("s3cr3t-value",)))
    captured.watch("main", os.getpid(), files)
    for each in files:
        os.close(int(str(each[1])))
    shown = captured.last_words("main")
    captured.close()
    heading, _, text = shown.partition("\n")
    assert heading == "Captured stdout, the last of it"
    assert text.endswith("[redacted] \ufffd [redacted] end")
    assert "3cr3t" not in text.replace("[redacted]", "")
    assert len(text) == 8192
    assert captured.last_words("gw0") == ""
