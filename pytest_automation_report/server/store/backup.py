"""Copy a store, even one in use."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.store.migrations import APPLICATION_ID
from pytest_automation_report.server.store.store import BUSY_SECONDS
from pytest_automation_report.system.console import publish

if TYPE_CHECKING:
    from pathlib import Path


def back_up(store: Path, target: Path) -> int:
    """Copy a store, even one in use, to a new file that only its owner can read; return the file's size in bytes.

    Raises `SettingError` for a target that exists or cannot be created, and `StoreError` for a file that is no store.
    """
    # The file gets its name once it is complete. A plain copy would miss the changes in the write-ahead log.
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        _write_backup(store, draft)
        publish(draft, target)
    except FileExistsError as error:
        raise SettingError("FILE", str(target), "it is there already; name a new file") from error
    except OSError as error:
        raise SettingError("FILE", str(target), f"{error.strerror}; name a file that can be written") from error
    except sqlite3.Error as error:
        raise StoreError(f"{store}: cannot be copied to {target}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def _write_backup(store: Path, draft: Path) -> None:
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with closing(sqlite3.connect(store, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            if database.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
                raise StoreError(f"{store}: is not a store of automation-report")
            database.execute("VACUUM INTO ?", (str(draft),))
        # VACUUM INTO does not wait until the file is on disk.
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
