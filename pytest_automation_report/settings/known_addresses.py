"""Remember which servers got a token, in files of the user that no checkout can write.

The console command asks here before it sends a token to an address of an ini file. pytest only adds to the used
addresses: a session runs the checkout's own code, so there is nothing left to protect.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pytest_automation_report.api.urls import origin_from
from pytest_automation_report.text.files import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIST: Final = "pytest-automation-report/addresses"
_USES: Final = "pytest-automation-report/used"
_MOST_BYTES: Final = 1 << 20
_MOST_USES: Final = 500
"""Used addresses that are kept: a server of tests has another port each time."""

_WRITABLE_BY_OTHERS: Final = 0o022
_UNTRACKED: Final = 1
"""Exit status of ``git ls-files --error-unmatch`` for a folder of which the checkout has no file."""


class KnownAddresses:
    """Look up the addresses that the user listed by hand, and those that got a token before.

    Used addresses are the names of empty files in a folder, so that several processes can add theirs at once. A list or
    folder counts if the user (or root) owns it, no other user can write it, and it is not in the checkout that holds
    ``root``: a foreign checkout may be the home folder of a container.
    """

    def __init__(self, environ: Mapping[str, str], root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        self.list_file = _place(environ, "XDG_CONFIG_HOME", ".config", _LIST)
        self._uses = _place(environ, "XDG_STATE_HOME", ".local/state", _USES)

    def is_listed(self, origin: str) -> bool:
        """Return whether the user's own list has this address.

        Raises `SettingError` for a line of it that is not an address.
        """
        text = b""
        if self.list_file is not None and not self._reason(self.list_file):
            with contextlib.suppress(OSError):  # there is none
                text = read_file(self.list_file, _MOST_BYTES)
        lines = map(str.strip, text.decode("utf-8", "replace").splitlines())
        return origin in {
            origin_from(line, f"{self.list_file}, line {number}", is_http_allowed=True, http_remedy="")
            for number, line in enumerate(lines, 1)
            if line and not line.startswith("#")
        }

    def is_used(self, origin: str, ca_file: str = "") -> bool:
        """Return whether a token was sent to this address; with a path, with these certificates."""
        if self._uses is None or self._reason(self._uses):
            return False
        return (self._uses / _name(origin, ca_file)).exists()

    def warnings(self) -> list[str]:
        """Return a warning for the list and the used addresses if they exist and do not count."""
        places = [place for place in (self.list_file, self._uses) if place is not None]
        return [f"{place} does not count: {reason}" for place in places if (reason := self._reason(place))]

    def remember(self, origin: str, ca_file: str = "") -> None:
        """Note that a token is sent to an address, and with these certificates."""
        if self._uses is None or self._is_in_checkout(self._uses):
            # A file in the checkout does not count, and would show up among the changes of the checkout.
            return
        # With a read-only home folder the console command asks again next time; the session goes on.
        with contextlib.suppress(OSError):
            self._uses.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The address alone, too: it stays known if the user later trusts other certificates.
            uses = [self._uses / _name(origin), self._uses / _name(origin, ca_file)]
            is_new = not all(use.exists() for use in uses)
            for use in uses:
                use.touch(mode=0o600)
            if is_new:
                kept = sorted(self._uses.iterdir(), key=lambda use: use.lstat().st_mtime_ns)
                for oldest in kept[:-_MOST_USES]:
                    oldest.unlink(missing_ok=True)

    def _reason(self, place: Path) -> str:
        """Return the reason why a list or folder does not count, "" if it does or is not there."""
        try:
            status = place.stat()
        except OSError as error:
            return "" if isinstance(error, FileNotFoundError) else f"it cannot be read ({error.strerror or error})"
        if self._is_in_checkout(place):
            return "it is in the checkout"
        if status.st_uid not in {0, os.geteuid()}:
            return "it belongs to another user"
        if status.st_mode & _WRITABLE_BY_OTHERS:
            return "others can write it (chmod go-w takes that away)"
        return "" if os.access(place, os.R_OK) else "it cannot be read"

    def _is_in_checkout(self, place: Path) -> bool:
        real = Path(os.path.realpath(place))
        holders = (folder for folder in (self._root, *self._root.parents) if (folder / ".git").exists())
        checkout = next(holders, self._root)
        return real.is_relative_to(self._root) or (real.is_relative_to(checkout) and not self._is_untracked)

    @cached_property
    def _is_untracked(self) -> bool:
        """Whether git tracks no file of the project: the checkout around it is another, of a user's home perhaps."""
        import subprocess  # noqa: PLC0415 - few homes are checkouts  # nosec B404

        command = ("git", "-c", "core.fsmonitor=false", "ls-files", "--error-unmatch", "--", ".")
        with contextlib.suppress(OSError):
            run = subprocess.run(command, cwd=self._root, capture_output=True, check=False)  # noqa: S603 - nothing of the user's  # nosec B603
            return run.returncode == _UNTRACKED
        return False


def _place(environ: Mapping[str, str], variable: str, default: str, name: str) -> Path | None:
    """Return a place in one of the user's own folders, None without a home folder."""
    folder, home = environ.get(variable, ""), environ.get("HOME", "")
    if Path(folder).is_absolute():
        return Path(folder) / name
    return Path(home) / default / name if Path(home).is_absolute() else None


def _name(origin: str, ca_file: str = "") -> str:
    """Return the name of the file of a use; a path may be longer than a name."""
    path = os.path.realpath(ca_file).encode("utf-8", "surrogateescape")
    return f"{quote(origin, safe='')} {hashlib.sha256(path).hexdigest()}" if ca_file else quote(origin, safe="")
