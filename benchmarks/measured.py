"""Runs one command and prints, as JSON, what it and everything it started cost; Linux only.

The process makes itself the reaper of its descendants, so that a process that detaches itself (our sender) is counted
too.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import time

_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Run the command in the arguments; its output goes to the file named first.

    A file ``began_to_end`` in the current folder, written by the suite, holds the time when the last test was over.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    output, *command = sys.argv[1:]
    mark = pathlib.Path("began_to_end")
    mark.unlink(missing_ok=True)
    with open(output, "wb") as file:  # noqa: PTH123 - a descriptor is wanted
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        _, status, own = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall, ended = time.perf_counter() - began, time.time()
    others = []
    with contextlib.suppress(ChildProcessError):
        while True:
            others.append(os.wait4(-1, 0)[2])
    cost = {
        "exit": process.returncode,
        "wall_seconds": wall,
        "end_seconds": ended - float(mark.read_text()) if mark.exists() else 0.0,
        "own_cpu_seconds": own.ru_utime + own.ru_stime,
        "cpu_seconds": sum(each.ru_utime + each.ru_stime for each in (own, *others)),
        "peak_bytes": own.ru_maxrss * 1024,
        "others_peak_bytes": max((each.ru_maxrss for each in others), default=0) * 1024,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
