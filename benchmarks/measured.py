"""Runs one command and prints, as JSON, what it and everything it started cost; Linux only.

The process makes itself the reaper of its descendants, so that a process that detaches itself (our sender) is counted
too. How much memory such a process had is its own mark (VmHWM), read again and again while it runs: getrusage's
ru_maxrss of a new program begins with what its parent had. The command's parent is this small process.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

_PR_SET_CHILD_SUBREAPER = 36
_PAUSE_SECONDS = 0.02
_PROCESSES = pathlib.Path("/proc")


class Peaks:
    """The most memory that each child of this process has had, in bytes by its id, noted while the context is open."""

    def __init__(self) -> None:
        self._bytes_of: dict[int, int] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> dict[int, int]:
        self._thread.start()
        return self._bytes_of

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_PAUSE_SECONDS):
            for thread in (_PROCESSES / "self" / "task").iterdir():
                for pid in map(int, (thread / "children").read_text().split()):
                    # The last mark counts: until a process runs its own program, it has that of its parent.
                    with contextlib.suppress(OSError, IndexError):  # it has ended
                        status = (_PROCESSES / str(pid) / "status").read_text()
                        self._bytes_of[pid] = int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main() -> None:
    """Run the command in the arguments; its output goes to the file named first.

    A file ``began_to_end`` in the current folder, written by the suite, holds the time when the last test was over.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    output, *command = sys.argv[1:]
    mark = pathlib.Path("began_to_end")
    mark.unlink(missing_ok=True)
    others = []
    with open(output, "wb") as file, Peaks() as peaks:  # noqa: PTH123 - a descriptor is wanted
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        _, status, own = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall, ended = time.perf_counter() - began, time.time()
        with contextlib.suppress(ChildProcessError):
            while True:
                others.append(os.wait4(-1, 0)[2])
    peaks.pop(process.pid, None)
    cost = {
        "exit": process.returncode,
        "wall_seconds": wall,
        "end_seconds": ended - float(mark.read_text()) if mark.exists() else 0.0,
        "own_cpu_seconds": own.ru_utime + own.ru_stime,
        "cpu_seconds": sum(each.ru_utime + each.ru_stime for each in (own, *others)),
        "peak_bytes": own.ru_maxrss * 1024,
        "others_peak_bytes": max(peaks.values(), default=0),
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
