"""Remember which token was used for which server, in files of the user that no checkout can write.

The console command asks here before it sends a token to an address of an ini file. pytest only adds to the file of
uses: a session runs the checkout's own code, so there is nothing left to protect.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.urls import origin_from
from pytest_automation_report.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Token

__all__ = ["KnownAddresses", "certificates_digest"]

_FOLDER: Final = "pytest-automation-report"
_FILE: Final = "addresses"
_MOST_BYTES: Final = 64 * 1024
"""Size of the file of uses from which the next use drops all lines but the newest."""

_NEWEST_LINES: Final = 200
_WRITABLE_BY_OTHERS: Final = 0o022

# With a salt for each line, no table of digests that was computed before finds a token.
_SALT_BYTES: Final = 8

_USE_PARTS: Final = 3
"""Parts of a line of the file of uses: address, salt and digest."""


class _FileLines(Value):
    """Hold the lines of a file that counts, or the reason why it does not."""

    lines: tuple[str, ...] = ()
    reason: str = ""


class KnownAddresses:
    """Look up the addresses that the user listed by hand, and those that a token was used for.

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

    def is_used(self, origin: str, token: Token, certificates: str = "") -> bool:
        """Return whether this token was used for this address; with a digest, with these certificates."""
        for line in self._lines(self._use_file).lines:
            parts = line.split()
            if len(parts) == _USE_PARTS and parts[0] == origin:
                _, salt, digest = parts
                if digest == _fingerprint(salt, origin, token, certificates):
                    return True
        return False

    def warnings(self) -> list[str]:
        """Return a warning for each file that exists and does not count."""
        files = (self.list_file, self._use_file)
        return [f"{file} does not count: {reason}" for file in files if (reason := self._lines(file).reason)]

    def remember(self, origin: str, token: Token, certificates: str = "") -> None:
        """Note that a token is used for an address, and with these certificates, unless that is known."""
        # A line without certificates, too: the address stays known if the user later trusts others.
        digests = sorted({"", certificates})
        lines = [_use_line(origin, token, digest) for digest in digests if not self.is_used(origin, token, digest)]
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


def certificates_digest(path: str) -> str:
    """Return a digest of a file of certificates, or of all files of a folder; empty for no path.

    Raises OSError if they cannot be read.
    """
    if not path:
        return ""
    place = Path(path)
    files = sorted(file for file in place.iterdir() if file.is_file()) if place.is_dir() else [place]
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.name if place.is_dir() else ''}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


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


def _use_line(origin: str, token: Token, certificates: str) -> str:
    salt = os.urandom(_SALT_BYTES).hex()
    return f"{origin} {salt} {_fingerprint(salt, origin, token, certificates)}\n"


def _fingerprint(salt: str, origin: str, token: Token, certificates: str) -> str:
    """Return a salted digest that recognizes a token and does not reveal it."""
    text = f"{salt}\n{origin}\n{certificates}\n{token.value}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _append(file: Path, lines: list[str]) -> None:
    """Add lines to a file, in one write; a file that has grown too long keeps its newest lines."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Tokens that live for one job would fill the file of a runner that lives for years.
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
