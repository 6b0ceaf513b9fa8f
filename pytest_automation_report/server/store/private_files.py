"""Store the secrets of a server in files beside its store, readable by its user alone."""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

STATE_FOLDER: Final = ".automation-report"
TOKEN_LENGTH: Final = 16
"""Minimum length of a server's token; a shorter one can be guessed."""

_MAX_BYTES: Final = 4096
# Permissions of the group and of all other users.
_OTHERS_MODE: Final = 0o077

is_visible = re.compile(r"[\x21-\x7e]+").fullmatch
"""Match a text that can stand in a header."""


def make_state_folder(folder: Path) -> None:
    """Create the folder of a store for its owner only; git ignores a project's own folder for results.

    Raises `StoreError` if that is a link: a foreign repository can contain such a link, and files would be written to
    its target.
    """
    if folder.name != STATE_FOLDER:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    if folder.is_symlink():
        raise StoreError(
            f"{folder} is a link, so that the store would be somewhere else: remove it, or name the place of the store"
            " with --database (automation_report_database)"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The folder holds the server's token: `git add .` must not add it, also if no session has created the folder.
    ignore = folder / ".gitignore"
    if not os.path.lexists(ignore):
        ignore.write_text("*\n", encoding="ascii")


def read_or_create_secret(path: Path, noun: str) -> str:
    """Return the secret in a file, which is created with a new secret if missing.

    Raises `StoreError` for a file that cannot be read or created, that another user owns or can read, or that is a
    link.
    """
    try:
        make_state_folder(path.parent)
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
    if path.is_symlink():
        raise StoreError(f"{path}: is a link: {remedy}")
    # Without O_NONBLOCK, opening a named pipe would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"{path}: is no file: {remedy}")
        if status.st_uid != os.geteuid():
            raise StoreError(f"{path}: belongs to user {status.st_uid}, who knows what it holds: {remedy}")
        if status.st_mode & _OTHERS_MODE:
            mode = stat.S_IMODE(status.st_mode)
            raise StoreError(f"{path}: others can read or write it (mode {mode:o}): {remedy}")
        return os.read(descriptor, _MAX_BYTES).decode("utf-8")
    finally:
        os.close(descriptor)


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
