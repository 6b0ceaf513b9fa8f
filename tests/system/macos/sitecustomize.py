"""Make a Python on Linux take its system for macOS: no ``/proc``, no hard links, and a sync that reaches the disk.

`Popen` hands this over to isolated Pythons, too. ``PLAYED_NOTES`` names a file for each sync of the disk.
"""

import builtins
import contextlib
import errno
import fcntl
import importlib
import os
import platform
import subprocess
import sys
import sysconfig
import urllib.request
from typing import Any

assert sys.platform == "linux"

sysconfig.get_config_vars()
urllib.request.getproxies()
platform.mac_ver()
with contextlib.suppress(ImportError):  # an isolated interpreter finds it later
    importlib.import_module("click.termui")

real_open, real_fcntl = builtins.open, fcntl.fcntl
FULL_SYNC = 51


class Popen(subprocess.Popen[Any]):
    def __init__(self, args: Any, *more: Any, **options: Any) -> None:
        if isinstance(args, list) and args[0] == sys.executable and "-I" in args and "-c" in args:
            at = args.index("-c") + 1
            title, _, code = args[at].partition("\n")
            own = f"exec(open({__file__!r}).read(), {{'__file__': {__file__!r}}})"
            args = [*args[:at], f"{title}\n{own}\n{code}", *args[at + 1 :]]
            options["env"] = {**options["env"], **{key: os.environ[key] for key in NOTED if key in os.environ}}
        super().__init__(args, *more, **options)


NOTED = ("PLAYED_NOTES",)


def opened(path: Any, *more: Any, **options: Any) -> Any:
    if str(path).startswith("/proc"):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
    return real_open(path, *more, **options)


def controlled(descriptor: int, command: int, *more: Any) -> Any:
    if command != FULL_SYNC:
        return real_fcntl(descriptor, command, *more)
    if "PLAYED_NOTES" in os.environ:
        with real_open(os.environ["PLAYED_NOTES"], "a") as notes:
            print("full sync", file=notes)
    return os.fsync(descriptor)


def linked(*_: object, **__: object) -> None:
    raise OSError(errno.ENOTSUP, "Operation not supported")


for name in ("pidfd_open", "fdatasync", "posix_fadvise"):
    delattr(os, name)
for module, member, played in (
    (builtins, "open", opened), (fcntl, "fcntl", controlled), (fcntl, "F_FULLFSYNC", FULL_SYNC), (os, "link", linked),
    (subprocess, "Popen", Popen),
):  # fmt: skip
    setattr(module, member, played)
sys.platform = "darwin"
