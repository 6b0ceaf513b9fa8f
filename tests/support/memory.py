"""Temporary files in memory, where there is room."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 2 * 1024**3
"""Four times what all tests keep at once."""


def keep_temporary_files_in_memory() -> None:
    """Let this process and its children make temporary files in memory, unless ``TMPDIR`` names a place.

    Sessions and stores wait until a disk has what they write: with many milliseconds for each, tests would mostly wait.
    """
    if "TMPDIR" not in os.environ and _has_room():
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None


def _has_room() -> bool:
    """Return whether all tests fit, and may run the programs that they write: a container has 64 MB and no programs."""
    if sys.platform != "linux" or not os.access(_MEMORY, os.W_OK):
        return False
    is_executable = not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    return is_executable and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
