"""Remember the servers that got a token of the user, in files of the user that no checkout can write.

The console command asks here before it sends a token to an address of an ini file. pytest only adds to the file of
uses: a session runs the checkout's own code, so there is nothing left to protect.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.urls import origin_from
from pytest_automation_report.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER: Final = "pytest-automation-report"
_FILE: Final = "addresses"
_MOST_BYTES: Final = 64 * 1024
"""Size of the file of uses from which the next use drops all lines but the newest."""

_NEWEST_LINES: Final = 200
_WRITABLE_BY_OTHERS: Final = 0o022


class _FileLines(Value):
    """Hold the lines of a file that counts, or the reason why it does not."""

    lines: tuple[str, ...] = ()
    reason: str = ""


class KnownAddresses:
    """Look up the addresses that the user listed by hand, and those that a token was sent to.

    A line of the file of uses is an address, and after a blank the path of the certificates that were trusted there.

    A file counts if the user (or root) owns it, no other user can write it, and it is not in the checkout that holds
    ``root``: a foreign checkout may be the home folder of a container.
    """

    def __init__(self, environ: Mapping[str, str], root: Path) -> None:
        self._root = root
        self.list_file = _file(environ, "XDG_CONFIG_HOME", ".config")
        self._use_file = _file(environ, "XDG_STATE_HOME", ".local/state")

    def is_listed(self, origin: str) -> bool:
        """Return whether the user's own list has this address.

        Raises `SettingError` for a line of it that is not an address.
        """
        numbered = [(number, line.strip()) for number, line in enumerate(self._lines(self.list_file).lines, 1)]
        addresses = [(number, line) for number, line in numbered if line and not line.startswith("#")]
        return origin in {
            origin_from(line, f"{self.list_file}, line {number}", is_http_allowed=True, http_remedy="")
            for number, line in addresses
        }

    def is_used(self, origin: str, ca_file: str = "") -> bool:
        """Return whether a token was sent to this address before; with a path, also with these certificates."""
        return _use_line(origin, ca_file) in self._lines(self._use_file).lines

    def warnings(self) -> list[str]:
        """Return a warning for each file that exists and does not count."""
        files = (self.list_file, self._use_file)
        return [f"{file} does not count: {reason}" for file in files if (reason := self._lines(file).reason)]

    def remember(self, origin: str, ca_file: str = "") -> None:
        """Note that a token is sent to an address, and with these certificates, unless that is known."""
        # A line without certificates, too: the address stays known if the user later trusts others.
        lines = [f"{_use_line(origin, each)}\n" for each in sorted({"", ca_file}) if not self.is_used(origin, each)]
        lines = [line for line in lines if line.count("\n") == 1]  # a path must not add an address of its own
        if self._use_file is None or not lines or self._is_in_checkout(self._use_file):
            # A file in the checkout does not count, and would show up among the changes of the checkout.
            return
        # With a read-only home folder the console command asks again next time; the session goes on.
        with contextlib.suppress(OSError):
            _append(self._use_file, lines)

    def _is_in_checkout(self, file: Path) -> bool:
        return Path(os.path.realpath(file)).is_relative_to(_checkout(self._root))

    def _lines(self, file: Path | None) -> _FileLines:
        if file is None:
            return _FileLines()
        if self._is_in_checkout(file):
            return _FileLines(reason="it is in the checkout" if file.exists() else "")
        try:
            with file.open("rb") as stream:
                reason = _reason(os.fstat(stream.fileno()))
                text = "" if reason else stream.read(2 * _MOST_BYTES).decode("utf-8", errors="replace")
        except OSError as error:
            is_missing = isinstance(error, FileNotFoundError)
            return _FileLines(reason="" if is_missing else f"it cannot be read ({error.strerror or error})")
        return _FileLines(tuple(text.splitlines()), reason)


def _reason(status: os.stat_result) -> str:
    """Return the reason why other users may have written a file, empty if only this user can."""
    if status.st_uid not in {0, os.geteuid()}:
        return "it belongs to another user"
    return "others can write it (chmod go-w takes that away)" if status.st_mode & _WRITABLE_BY_OTHERS else ""


def _file(environ: Mapping[str, str], variable: str, default: str) -> Path | None:
    """Return a file in one of the user's own folders, None without a home folder."""
    folder, home = environ.get(variable, ""), environ.get("HOME", "")
    if Path(folder).is_absolute():
        return Path(folder) / _FOLDER / _FILE
    return Path(home) / default / _FOLDER / _FILE if Path(home).is_absolute() else None


def _checkout(root: Path) -> Path:
    """Return the folder of the git checkout that holds a folder, else the folder itself; links are followed."""
    real = Path(os.path.realpath(root))
    return next((folder for folder in (real, *real.parents) if (folder / ".git").exists()), real)


def _use_line(origin: str, ca_file: str) -> str:
    return f"{origin} {os.path.realpath(ca_file)}" if ca_file else origin


def _append(file: Path, lines: list[str]) -> None:
    """Add lines to a file, in one write; a file that has grown too long keeps its newest lines."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Servers on changing ports would fill the file of a machine that lives for years.
    if file.exists() and file.stat().st_size > _MOST_BYTES:
        newest = file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)[-_NEWEST_LINES:]
        _replace(file, "".join([*newest, *lines]))
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(file, flags, 0o600)
    try:
        os.write(descriptor, "".join(lines).encode())
    finally:
        os.close(descriptor)


def _replace(file: Path, text: str) -> None:
    """Replace a file at once: another process reads the old or the new one whole."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
    new.replace(file)
