"""Check this machine: spool, embedded store, process 1, versions. Nothing is changed and no file remains."""

from __future__ import annotations

import platform
import shlex
import sqlite3
import sys
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

from pytest_automation_report import __version__
from pytest_automation_report.checks.check import Check
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import is_lock_taken, session_folders, without_locks
from pytest_automation_report.spool.removal import named, others_in
from pytest_automation_report.spool.sessions import is_delivered
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_automation_report.spool.folder import SessionFolder

_PACKAGES: Final = (
    "pytest", "pytest-xdist", "requests", "urllib3", "certifi", "click", "falcon", "msgspec", "waitress",
)  # fmt: skip
_INITS: Final = frozenset({
    "systemd", "init", "launchd", "tini", "docker-init", "dumb-init", "catatonit", "s6-svscan", "runit", "runsvdir",
    "openrc-init", "supervisord", "podman-init",
})  # fmt: skip
_MEGABYTE: Final = 1_000_000


def addopts_check(text: str, options: Collection[str]) -> Check | None:
    """Check how PYTEST_ADDOPTS spells our options that have a value; None if there is nothing to say.

    pytest chooses its root folder before it knows these options. It takes a value after a space that is the path of an
    existing file for a path to tests, so that a file outside of the project moves the root folder out of it.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        return Check("options", "warning", f"PYTEST_ADDOPTS cannot be read: {error}", "close its quotes")
    for option, value in pairwise(words):
        if option in options and Path(value).exists():
            finding = f"PYTEST_ADDOPTS: pytest takes {value} for a path to tests, and its folder may become the root"
            return Check("options", "warning", finding, f"write {option}={value}")
    return None


def spool_check(spool: Path) -> Check:
    """Check that the spool can be read and locked, and count the sessions that wait in it."""
    try:
        folders = [folder for folder in session_folders(spool) if not is_delivered(folder)]
        unreadable = [folder.id for folder in folders if not _is_readable(folder)]
        others = others_in(spool) if spool.exists() else []
    except (OSError, SpoolError) as error:
        return Check("spool", "failed", f"{spool}: {error}", "make it readable, or set spool")
    lock_error = _lock_error(spool)
    if lock_error:
        return Check("spool", "failed", f"{spool}: {lock_error}", "set spool to a folder on a local disk")
    if unreadable:
        finding = f"{len(unreadable)} of {len(folders)} sessions in {spool} cannot be read: {', '.join(unreadable[:3])}"
        return Check("spool", "warning", finding, "run automation-report send to see why")
    if folders:
        finding = f"{len(folders)} session{'s wait' if len(folders) > 1 else ' waits'} in {spool}"
        return Check("spool", "warning", finding, "send what is left with automation-report send")
    if others:
        return Check("spool", "ok", f"nothing waits in {spool}; what else it holds is left alone: {named(others)}")
    return Check("spool", "ok", f"nothing waits in {spool}")


def _lock_error(spool: Path) -> str:
    """Return why sessions in the spool cannot be locked, empty if they can or if that cannot be tried."""
    folder = next(path for path in (spool, *spool.absolute().parents) if path.is_dir())
    try:
        with TemporaryFile(dir=folder) as file:
            try:
                is_lock_taken(file.fileno())
            except OSError as error:
                return without_locks(error)
    except OSError:
        pass  # sessions use another folder if this one is not writable
    return ""


def _is_readable(folder: SessionFolder) -> bool:
    try:
        folder.read_session()
    except SpoolError:
        return False
    return True


def database_check(path: Path, *, application: int, newest: int) -> Check:
    """Check the embedded store: its size, the version of its tables and its integrity.

    ``application`` is the application id of our database files, ``newest`` the latest version that this release reads.
    """
    if not path.exists():
        return Check("database", "ok", f"{path} is created with the first report")
    try:
        size = path.stat().st_size
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            (owner,) = connection.execute("PRAGMA application_id").fetchone()
            (tables_version,) = connection.execute("PRAGMA user_version").fetchone()
            (whole,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except (OSError, sqlite3.Error) as error:
        return Check("database", "failed", f"{path}: {string(str(error))}", "restore it, or set another database")
    if owner != application:
        return Check("database", "failed", f"{path} belongs to something else", "set another database")
    finding = f"{path}, {size / _MEGABYTE:.1f} MB, tables of version {tables_version}"
    if whole != "ok":
        return Check("database", "failed", f"{finding}: {string(str(whole))}", "restore it, or set another database")
    if tables_version > newest:
        return Check("database", "failed", finding, f"update pytest-automation-report, which knows version {newest}")
    return Check(
        "database", "ok", f"{finding}{'' if tables_version == newest else ', updated with the next report'}, whole"
    )


def process_check(pid: int, parent: int, process_1: Path = Path("/proc/1/comm")) -> Check:
    """Check that the sender can outlive pytest: it cannot if process 1 is not an init and ends with the tests."""
    try:
        name = process_1.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return Check("process 1", "skipped", "this system does not show it")
    if name in _INITS or 1 not in {pid, parent}:
        return Check("process 1", "ok", string(name))
    finding = f"{string(name)} is no init: when it ends, it ends the sender"
    remedy = "start the container with an init (docker run --init), or set delivery = later"
    return Check("process 1", "warning", finding, remedy)


def versions() -> Mapping[str, str]:
    """Return the versions of the packages that reporting depends on, without those that are not installed."""
    versions_here = {
        "pytest-automation-report": __version__,
        "Python": platform.python_version(),
        "system": sys.platform,
    }
    return {**versions_here, **{name: text for name in _PACKAGES if (text := _version(name))}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
