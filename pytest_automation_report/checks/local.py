"""Check this machine: spool, embedded store, process 1, versions. Nothing is changed and no file remains."""

from __future__ import annotations

import platform
import sqlite3
import sys
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
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
    from collections.abc import Mapping

    from pytest_automation_report.spool.folder import SessionFolder

__all__ = ["database_check", "process_check", "spool_check", "versions"]

_PACKAGES: Final = (
    "pytest", "pytest-xdist", "requests", "urllib3", "certifi", "click", "falcon", "msgspec", "peewee", "waitress",
)  # fmt: skip
_INITS: Final = frozenset({
    "systemd", "init", "launchd", "tini", "docker-init", "dumb-init", "catatonit", "s6-svscan", "runit", "runsvdir",
    "openrc-init", "supervisord", "podman-init",
})  # fmt: skip
_MEGABYTE: Final = 1_000_000


def spool_check(spool: Path) -> Check:
    """Check that the spool can be read and locked, and count the sessions that wait in it."""
    try:
        folders = [each for each in session_folders(spool) if not is_delivered(each)]
        unreadable = [each.id for each in folders if not _is_readable(each)]
        others = others_in(spool) if spool.exists() else []
    except (OSError, SpoolError) as error:
        return Check("spool", "failed", f"{spool}: {error}", "make it readable, or set spool")
    hindrance = _lock_hindrance(spool)
    if hindrance:
        return Check("spool", "failed", f"{spool}: {hindrance}", "set spool to a folder on a local disk")
    if unreadable:
        told = f"{len(unreadable)} of {len(folders)} sessions in {spool} cannot be read: {', '.join(unreadable[:3])}"
        return Check("spool", "warning", told, "run automation-report send to see why")
    if folders:
        told = f"{len(folders)} session{'s wait' if len(folders) > 1 else ' waits'} in {spool}"
        return Check("spool", "warning", told, "send what is left with automation-report send")
    if others:
        return Check("spool", "ok", f"nothing waits in {spool}; what else it holds is left alone: {named(others)}")
    return Check("spool", "ok", f"nothing waits in {spool}")


def _lock_hindrance(spool: Path) -> str:
    """Return why sessions in the spool cannot be locked, empty if they can or if that cannot be tried."""
    folder = next(each for each in (spool, *spool.absolute().parents) if each.is_dir())
    try:
        with TemporaryFile(dir=folder) as file:
            return _hindrance(file.fileno())
    except OSError:
        return ""  # sessions use another place if this one is not writable


def _hindrance(descriptor: int) -> str:
    try:
        is_lock_taken(descriptor)
    except OSError as error:
        return without_locks(error)
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
        return Check("database", "ok", f"{path} is made with the first report")
    try:
        size = path.stat().st_size
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            (owner,) = connection.execute("PRAGMA application_id").fetchone()
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            (whole,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except (OSError, sqlite3.Error) as error:
        return Check("database", "failed", f"{path}: {string(str(error))}", "restore it, or set another database")
    if owner != application:
        return Check("database", "failed", f"{path} belongs to something else", "set another database")
    told = f"{path}, {size / _MEGABYTE:.1f} MB, tables of version {found}"
    if whole != "ok":
        return Check("database", "failed", f"{told}: {string(str(whole))}", "restore it, or set another database")
    if found > newest:
        return Check("database", "failed", told, f"update pytest-automation-report, which knows version {newest}")
    return Check("database", "ok", f"{told}{'' if found == newest else ', updated with the next report'}, whole")


def process_check(pid: int, parent: int, process_1: Path = Path("/proc/1/comm")) -> Check:
    """Check that the sender can outlive pytest: it cannot if process 1 is not an init and ends with the tests."""
    try:
        name = process_1.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return Check("process 1", "skipped", "this system does not tell it")
    if name in _INITS or 1 not in {pid, parent}:
        return Check("process 1", "ok", string(name))
    told = f"{string(name)} is no init: when it ends, it ends the sender"
    remedy = "start the container with an init (docker run --init), or set delivery = later"
    return Check("process 1", "warning", told, remedy)


def versions() -> Mapping[str, str]:
    """Return the versions of the packages that reporting depends on, without those that are not installed."""
    found = {"pytest-automation-report": __version__, "Python": platform.python_version(), "system": sys.platform}
    return {**found, **{name: text for name in _PACKAGES if (text := _version(name))}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
