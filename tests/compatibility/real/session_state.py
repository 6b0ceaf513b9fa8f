"""A pytest plugin for both sessions of a comparison: writes what each process has when its session begins and ends.

It is copied into the environments of the packages, and takes nothing from this project.
"""

import gc
import json
import os
import signal
import sys
import threading
import warnings
from pathlib import Path

import pytest

_PASSING = (
    "PYTEST_CURRENT_TEST", "PYTEST_XDIST_TESTRUNUID", "AUTOMATION_REPORT_TOKEN", "_AUTOMATION_REPORT_LIMITS",
    "SESSION_STATE_FOLDER",
)  # fmt: skip
_FOLDER = os.environ.get("SESSION_STATE_FOLDER", "")
_PROCESS = os.getpid()
"""Children that a test forked away, and that end the session a second time, say nothing."""


@pytest.hookimpl(trylast=True)
def pytest_sessionstart() -> None:
    """Write the state before the first test is collected."""
    _write("start")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Write the state after the last test."""
    _write("finish")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Write the state when the plugins have ended."""
    _write("end")


def _write(moment: str) -> None:
    if not _FOLDER or os.getpid() != _PROCESS:
        return
    process = os.environ.get("PYTEST_XDIST_WORKER", "main")
    Path(_FOLDER, f"{process}.{moment}.json").write_text(json.dumps(state()), encoding="utf-8")


def state() -> dict[str, object]:
    """Return what this process has now, without the files of garbage, which is collected at one time or another."""
    gc.collect()
    descriptors = _descriptors()
    return {
        "threads": sorted(each.name for each in threading.enumerate()),
        "children": _children(),
        "descriptors": sorted(each for each in descriptors if ".automation-report" not in each),
        "of the spool": sum(".automation-report" in each for each in descriptors),
        "environment": {name: value for name, value in os.environ.items() if name not in _PASSING},
        "signals": [str(signal.getsignal(each)) for each in sorted(signal.valid_signals())],
        "umask": [os.umask(0o022), os.umask(0o022)][0],
        "folder": str(Path.cwd()),
        "finders": [_named(each) for each in sys.meta_path],
        "filters": [str(each) for each in warnings.filters],
        "hooks": [
            *map(str, (sys.gettrace(), sys.getprofile(), threading.gettrace())),
            *map(_named, (sys.excepthook, sys.unraisablehook)),
        ],
    }


def _named(thing: object) -> str:
    return getattr(thing, "__qualname__", type(thing).__qualname__)


def _descriptors() -> list[str]:
    each = sorted(Path("/proc/self/fd").iterdir())  # among them that of the listing itself, which is closed by now
    return [str(one.readlink()).partition(":")[0] for one in each if one.is_symlink()]


def _children() -> list[str]:
    lists = [each.read_text(encoding="ascii").split() for each in Path("/proc/self/task").glob("*/children")]
    names = [Path(f"/proc/{child}/comm") for each in lists for child in each]
    return sorted(each.read_text(encoding="utf-8").strip() for each in names if each.exists())
