"""Starts the sender from pytest (floor 3): a process that is no child of pytest's and that nothing of pytest's reaches.

The interpreter starts isolated and without ``site`` (so no ``.pth`` file, no coverage, no environment of the tested
project runs in it), forks once so that pytest's own child ends at once, and reads from its standard input where our
package and what it needs are. This module is imported in pytest's process: it must not import what only the sender
needs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.artifacts import is_bucket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.delivery.handover import SenderConfig

NEEDED: Final = ("pytest_automation_report", "requests", "urllib3", "certifi", "idna")
NEEDED_FOR_BUCKETS: Final = "obstore"
NEEDED_EMBEDDED: Final = ("falcon", "peewee", "marshmallow")
# What some versions of those need: on the path where it is installed.
_OFTEN_NEEDED: Final = ("charset_normalizer", "chardet", "packaging", "typing_extensions", "backports")

# Without these some interpreters do not find their own libraries.
_LOADER_VARIABLES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

_BOOT: Final = """\
'pytest_automation_report sender'
import os, sys
if os.fork():
    os._exit(0)
import json
given = b''
while True:
    piece = os.read(0, 65536)
    if not piece:
        break
    given += piece
given = json.loads(given)
sys.path += given['folders']
os.dup2(os.open(os.devnull, os.O_RDWR), 0)
from pytest_automation_report.delivery.handover import SenderConfig
from pytest_automation_report.delivery.process import run
run(SenderConfig.from_json(given['handover']))
os._exit(0)  # all is closed; to take each module down would be an eighth of what a short session costs
"""


class LaunchError(Exception):
    """The sender could not be started; the message says why."""


def start_sender(handover: SenderConfig) -> None:
    """Start a sender of this session and return when it is on its own; raises `LaunchError`."""
    needed = (*NEEDED, *(NEEDED_EMBEDDED if handover.endpoint.is_embedded else ()))
    if handover.store is not None and is_bucket(handover.store.address):
        needed = (*needed, NEEDED_FOR_BUCKETS)
    given = json.dumps({"folders": folders_of(needed), "handover": handover.to_json()}).encode()
    flags = ["-I", "-S", *(["-B"] if sys.flags.dont_write_bytecode else [])]
    command = [sys.executable, *flags, "-X", "utf8", "-c", _BOOT, Path(handover.folder).name]
    try:
        middle = subprocess.Popen(  # noqa: S603 - our own interpreter and text
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=loader_environment(),
            start_new_session=True,
            pass_fds=[number for _, number, _, _ in handover.captured],
        )
        middle.communicate(given)
    except OSError as error:
        raise LaunchError(f"{sys.executable} could not be started: {error.strerror or error}") from error
    if middle.returncode != 0:
        raise LaunchError(f"{sys.executable} ended with status {middle.returncode} before the sender was on its own")


def loader_environment() -> dict[str, str]:
    """Return what of this environment an interpreter needs to find its own libraries."""
    return {name: os.environ[name] for name in _LOADER_VARIABLES if name in os.environ}


def folders_of(packages: Iterable[str]) -> list[str]:
    """Return the folders that hold these packages, once each, in order; raises `LaunchError` for a missing one."""
    folders: dict[str, None] = {}
    for name in packages:
        folder = _folder_of(name)
        if folder is None:
            raise LaunchError(f"the package {name} is not installed for {sys.executable}")
        folders[folder] = None
    folders.update(dict.fromkeys(folder for name in _OFTEN_NEEDED if (folder := _folder_of(name)) is not None))
    return list(folders)


def _folder_of(name: str) -> str | None:
    spec = find_spec(name)
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    path = Path(spec.origin)
    return str(path.parent.parent if spec.submodule_search_locations is not None else path.parent)
