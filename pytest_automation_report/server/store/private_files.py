"""Keep secrets of a server in files beside its store, which its user alone can read."""

from __future__ import annotations

import os
import re
import secrets
import stat
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

STATE_FOLDER: Final = ".automation-report"
TOKEN_LENGTH: Final = 16
"""Fewest characters of a server's token: a shorter one can be guessed."""

_LARGEST_BYTES: Final = 4096
_OTHERS: Final = 0o077

is_visible = re.compile(r"[\x21-\x7e]+").fullmatch
"""Whether a text can stand in a header."""


def check_state_folder(folder: Path) -> None:
    """Raise `StoreError` where a project's folder for results is a link, which a foreign repository can bring along."""
    if folder.name == STATE_FOLDER and folder.is_symlink():
        raise StoreError(
            f"{folder} is a link, so that the store would be somewhere else: remove it, or name the place of the store"
            " with --database (automation_report_database)"
        )


def kept_secret(path: Path, noun: str) -> str:
    """Return the secret that a file holds; a new one is made if the file is missing.

    Raises `StoreError` for a file that cannot be read or made, that another user owns or can read, or that is a link.
    """
    check_state_folder(path.parent)
    try:
        if not os.path.lexists(path):
            _make(path)
        text = _private_text(path).strip()
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise StoreError(f"{path}: the server's {noun} cannot be kept here: {words}") from error
    if not is_visible(text) or len(text) < TOKEN_LENGTH:
        raise StoreError(f"{path}: holds no {noun}; remove the file and a new {noun} is made")
    return text


def _private_text(path: Path) -> str:
    """Return what a file holds that is this user's alone; whoever made another one knows what it holds."""
    remedy = "remove it and a new one is made"
    if path.is_symlink():
        raise StoreError(f"{path}: is a link: {remedy}")
    # A pipe in its place must not make the server wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{path}: is no file: {remedy}")
        if found.st_uid != os.geteuid():
            raise StoreError(f"{path}: belongs to user {found.st_uid}, who knows what it holds: {remedy}")
        if found.st_mode & _OTHERS:
            mode = stat.S_IMODE(found.st_mode)
            raise StoreError(f"{path}: others can read or write it (mode {mode:o}): {remedy}")
        return os.read(descriptor, _LARGEST_BYTES).decode("utf-8")
    finally:
        os.close(descriptor)


def _make(path: Path) -> None:
    """Write a new secret completely under another name first, so that no process reads half of one."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor has no Path
            file.write(f"{secrets.token_urlsafe(32)}\n")
        _publish(draft, path)
    finally:
        draft.unlink()


def _publish(draft: Path, path: Path) -> None:
    """Give the finished file its name, unless another process was first."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
