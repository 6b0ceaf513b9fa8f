"""Start the sender from pytest, as a process that is independent of pytest and of the tested project.

The interpreter starts isolated and without ``site``, so that no ``.pth`` file, no coverage tool and no environment
variable of the tested project has an effect on it. It forks once, so that pytest's own child ends at once and the
sender is not pytest's child. It reads from its standard input where this package and its dependencies are installed.

Imported in pytest's process, so this module must not import anything that only the sender needs.
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

# Packages that the sender imports, for any server, for a bucket and for the embedded server.
NEEDED: Final = ("pytest_automation_report", "requests", "urllib3", "certifi", "idna")
NEEDED_FOR_BUCKETS: Final = "obstore"
NEEDED_EMBEDDED: Final = ("falcon", "peewee", "msgspec")
# Dependencies of some versions of those: their folders are added if they are installed.
_OPTIONAL: Final = ("charset_normalizer", "chardet", "packaging", "typing_extensions", "backports")

# The only variables that are passed on: without them some interpreters do not find their own libraries.
_LOADER_VARIABLES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

_BOOT: Final = """\
'pytest_automation_report sender'
import os, sys
if os.fork():
    os._exit(0)
import json
data = b''
while True:
    piece = os.read(0, 65536)
    if not piece:
        break
    data += piece
start = json.loads(data)
sys.path += start['folders']
os.dup2(os.open(os.devnull, os.O_RDWR), 0)
from pytest_automation_report.delivery.handover import SenderConfig
from pytest_automation_report.delivery.process import run
run(SenderConfig.from_json(start['config']))
os._exit(0)  # all is closed, and to unload each module would be an eighth of the cost of a short session
"""


class LaunchError(Exception):
    """The sender could not be started; the message is the reason."""


def start_sender(config: SenderConfig) -> None:
    """Start the sender of a session and return when it is independent; raises `LaunchError`."""
    needed = (*NEEDED, *(NEEDED_EMBEDDED if config.endpoint.is_embedded else ()))
    if config.store is not None and is_bucket(config.store.address):
        needed = (*needed, NEEDED_FOR_BUCKETS)
    data = json.dumps({"folders": folders_of(needed), "config": config.to_json()}).encode()
    flags = ["-I", "-S", *(["-B"] if sys.flags.dont_write_bytecode else [])]
    # The folder's name is not read: it shows in a list of processes which session the sender is of.
    command = [sys.executable, *flags, "-X", "utf8", "-c", _BOOT, Path(config.folder).name]
    try:
        starter = subprocess.Popen(  # noqa: S603 - our own interpreter and text
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=loader_environment(),
            start_new_session=True,
            pass_fds=[number for _, number, _, _ in config.captured],
        )
        starter.communicate(data)
    except OSError as error:
        raise LaunchError(f"{sys.executable} could not be started: {error.strerror or error}") from error
    if starter.returncode != 0:
        raise LaunchError(f"{sys.executable} ended with status {starter.returncode} before the sender was independent")


def loader_environment() -> dict[str, str]:
    """Return the environment for an isolated interpreter."""
    return {name: os.environ[name] for name in _LOADER_VARIABLES if name in os.environ}


def folders_of(packages: Iterable[str]) -> list[str]:
    """Return the folders that hold these packages and the optional ones, each once, in order.

    Raises `LaunchError` if a package is missing.
    """
    folders: dict[str, None] = {}
    for name in packages:
        folder = _folder_of(name)
        if folder is None:
            raise LaunchError(f"the package {name} is not installed for {sys.executable}")
        folders[folder] = None
    folders.update(dict.fromkeys(folder for name in _OPTIONAL if (folder := _folder_of(name)) is not None))
    return list(folders)


def _folder_of(name: str) -> str | None:
    spec = find_spec(name)
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    path = Path(spec.origin)
    return str(path.parent.parent if spec.submodule_search_locations is not None else path.parent)
