"""Runs one command and prints, as JSON, what it and everything it started cost; Linux only.

The process makes itself the reaper of its descendants, so that a process that detaches itself (our sender) is counted
too.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import subprocess
import sys
import time

_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Run the command in the arguments; its output goes to the file named first."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    output, *command = sys.argv[1:]
    with open(output, "wb") as file:  # noqa: PTH123 - measured.py has no need of pathlib
        began = time.perf_counter()
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
        wall = time.perf_counter() - began
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {
        "exit": done.returncode,
        "wall_seconds": wall,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
