"""Where pytest captures what tests print (floor 4): told once, so that a sender can read what a dead process left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["captured_files"]


def captured_files(config: pytest.Config) -> list[tuple[str, int, int, int]]:
    """Return of each captured stream its name, the descriptor of its file, and that file's device and inode.

    Empty where nothing is captured, or in memory (``--capture=sys``), or by a pytest that does it differently.
    """
    capturing = getattr(config.pluginmanager.getplugin("capturemanager"), "_global_capturing", None)
    found: list[tuple[str, int, int, int]] = []
    for stream in ("out", "err"):
        try:
            descriptor = getattr(capturing, stream).tmpfile.fileno()
            status = os.fstat(descriptor)
        except (AttributeError, OSError, ValueError):  # what is kept in memory has no descriptor
            continue
        found.append((f"std{stream}", descriptor, status.st_dev, status.st_ino))
    return found
