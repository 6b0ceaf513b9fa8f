"""A copy of a store's file as it is at one moment (floor 2).

Copying the file itself would leave out what stands in the write-ahead log beside it, and could meet a write in its
middle. The store is not brought up to date first: a copy from before an upgrade is what an upgrade needs.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.connections import APPLICATION_ID, BUSY_SECONDS

if TYPE_CHECKING:
    from pathlib import Path


def back_up(store: Path, target: Path) -> int:
    """Copy a store that others may be using to a new file, for its owner only, and return the file's bytes.

    The file has its name once it is whole and on disk. Raises `SettingError` for a file that is there or cannot be
    made, and `StoreError` for a store that is none or cannot be read.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        _write(store, draft)
        os.link(draft, target)
    except FileExistsError as error:
        raise SettingError("FILE", str(target), "it is there already; name a new file") from error
    except OSError as error:
        raise SettingError("FILE", str(target), f"{error.strerror}; name a file that can be written") from error
    except sqlite3.Error as error:
        raise StoreError(f"{store}: cannot be copied to {target}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def _write(store: Path, draft: Path) -> None:
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        with closing(sqlite3.connect(store, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            if database.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
                raise StoreError(f"{store}: is no store of this program")
            database.execute("VACUUM INTO ?", (str(draft),))
        # SQLite does not wait for the disk here.
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
