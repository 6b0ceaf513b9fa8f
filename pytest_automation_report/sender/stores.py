"""The user's own store of files (floor 3): a folder, or a bucket."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_automation_report.artifact_addresses import address_of, is_bucket
from pytest_automation_report.sender.keepers import PIECE_BYTES, KeeperError, key_of, stored_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from pytest_automation_report.model import ArtifactStore
    from pytest_automation_report.sender.keepers import Keeper
    from pytest_automation_report.stored import StoredFile


@dataclass(frozen=True, slots=True)
class FolderKeeper:
    """A folder on this machine that something else, the CI for one, makes readable at addresses by a template."""

    folder: Path
    template: str

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Keep a file under its hash, whole or not at all."""
        del size
        key = key_of(file, name)
        path = self.folder / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            with part.open("wb") as copy:
                shutil.copyfileobj(file, copy, PIECE_BYTES)
            part.replace(path)
        except OSError as error:
            raise KeeperError(f"{self.folder} cannot be written: {error.strerror or error}") from error
        return stored_at(address_of(self.template, key, name), name, mime_type)


def keeper_of(store: ArtifactStore | None, clock: Callable[[], float]) -> Keeper | None:
    """Return who keeps the files for the user, None where nobody but the server does; ``clock`` is in seconds."""
    if store is None:
        return None
    if not is_bucket(store.address):
        return FolderKeeper(Path(store.address), store.url)
    from pytest_automation_report.sender.buckets import BucketKeeper  # noqa: PLC0415 - it needs an extra package

    return BucketKeeper(store, clock)
