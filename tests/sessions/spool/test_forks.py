"""The spool in processes that a test forks."""

import os
from pathlib import Path

from pytest_automation_report.spool.artifacts import ArtifactSpool, ArtifactSpoolError


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
