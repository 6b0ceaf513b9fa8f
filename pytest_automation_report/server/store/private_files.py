"""Store the secrets of a server in files beside its store, readable by its user alone."""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import StoreError
from pytest_automation_report.text.files import make_ignored_folder, open_file

if TYPE_CHECKING:
    from pathlib import Path

STATE_FOLDER: Final = ".automation-report"
TOKEN_LENGTH: Final = 16
"""Minimum length of a server's token; a shorter one can be guessed."""

TOKEN_BYTES: Final = 4096
"""Maximum size of a file with a secret."""

# Permissions of the group and of all other users.
_OTHERS_MODE: Final = 0o077

is_visible = re.compile(r"[\x21-\x7e]+").fullmatch
"""Match a text that can stand in a header."""


def make_state_folder(path: Path) -> None:
    """Create the folder of a store's file for its owner only; git ignores a project's own folder for results.

    Raises `StoreError` if folder or file is a link there: a foreign repository can contain such a link, and its target
    would be written. SQLite writes files beside its own, too.
    """
    folder = path.parent
    if folder.name != STATE_FOLDER:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    for place in (folder, *(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm", "-journal"))):
        if place.is_symlink():
            raise StoreError(
                f"{place} is a link, so that the store would be somewhere else: remove it, or name the place of the"
                " store with --database (automation_report_database)"
            )
    # The folder holds the server's token: `git add .` must not add it, also if no session has created the folder.
    make_ignored_folder(folder, is_ours=True)


def read_or_create_secret(path: Path, noun: str) -> str:
    """Return the secret in a file, which is created with a new secret if missing.

    Raises `StoreError` for a file that cannot be read or created, that another user owns or can read, or that is a
    link.
    """
    try:
        make_state_folder(path)
        if not os.path.lexists(path):
            _create_secret(path)
        text = _read_private(path).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise StoreError(f"{path}: the server's {noun} cannot be stored here: {reason}") from error
    if not is_visible(text) or len(text) < TOKEN_LENGTH:
        raise StoreError(f"{path}: holds no {noun}; remove the file, and a new {noun} is created")
    return text


def _read_private(path: Path) -> str:
    """Return the text of a file that only this user can read or write; raises `StoreError` for every other file.

    Another user who created the file knows its text, so that is no secret.
    """
    remedy = "remove it, and a new one is created"
    if path.is_symlink() or not path.is_file():
        raise StoreError(f"{path}: is {'a link' if path.is_symlink() else 'no file'}: {remedy}")
    with open_file(path, is_foreign=True) as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.geteuid():
            raise StoreError(f"{path}: belongs to user {status.st_uid}, who knows what it holds: {remedy}")
        if status.st_mode & _OTHERS_MODE:
            mode = stat.S_IMODE(status.st_mode)
            raise StoreError(f"{path}: others can read or write it (mode {mode:o}): {remedy}")
        return file.read(TOKEN_BYTES).decode("utf-8")


def _create_secret(path: Path) -> None:
    """Write a new secret to a draft and link that to its name, so that no process reads half of a secret."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor has no Path
            file.write(f"{secrets.token_urlsafe(32)}\n")
        # Not `rename`: it would replace the secret of a process that was first.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
