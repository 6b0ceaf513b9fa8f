"""The spool in processes that a test forks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_automation_report.spool.artifacts import (
    ArtifactSpool,
    ArtifactSpoolError,
)
from pytest_automation_report.spool.records import Decoder, plain_record
from pytest_automation_report.spool.writer import SpoolWriter
from support.records import members_of

if TYPE_CHECKING:
    from pathlib import Path


def test_forked_child_writes_nothing(tmp_path: Path) -> None:
    """A child that a test forks leaves no record."""
    path = tmp_path / "main.records"
    writer = SpoolWriter(path)
    child = os.fork()
    if child == 0:
        writer.write(plain_record("x", n=7))
        writer.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    writer.write(plain_record("x", n=8))
    writer.close()
    assert [members_of(line.record)["n"] for line in Decoder().feed(path.read_bytes())] == [8]


def test_a_forked_process_keeps_nothing(tmp_path: Path) -> None:
    """What a child of a test adds belongs to no result, and takes no number from those that do."""
    own = ArtifactSpool(str(tmp_path), "main", most_bytes=100, most_together=1000)
    pid = os.fork()
    if pid == 0:
        try:
            own.add(b"child")
        except ArtifactSpoolError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert own.add(b"parent") == ("main-1", 6)
