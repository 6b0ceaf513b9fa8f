"""Who keeps the files of results (floor 3): a server of ours, or a store of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from typing import TYPE_CHECKING, Final, Protocol

from pytest_automation_report.server.contents import file_name
from pytest_automation_report.stored import StoredFile

if TYPE_CHECKING:
    from typing import BinaryIO

    from pytest_automation_report.client import Client

PIECE_BYTES: Final = 1 << 20
"""How much of a file is read at once."""
_NAME_CHARACTERS: Final = 50  # each may become twelve in an address, which has to fit


class KeeperError(Exception):
    """A file cannot be kept, and trying again would not help; the message says why, in a few words."""


class Keeper(Protocol):
    """Takes files; a content that it has is not kept twice, so that an upload may be repeated at any time."""

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Keep a file and return where it can be read.

        Raises `KeeperError`, or one of the client's errors.
        """
        ...


@dataclass(frozen=True, slots=True)
class ServerKeeper:
    """The server that results go to, where it is one of ours."""

    client: Client

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Keep a file beside the results."""
        del mime_type  # the server looks at the content itself
        most = self.client.artifact_bytes or 0
        if size > most:
            raise KeeperError(f"the server keeps no file of more than {most:,} bytes")
        return self.client.put_artifact(file, size, name[-_NAME_CHARACTERS:])


def key_of(file: BinaryIO, name: str) -> str:
    """Return where a file stands in a store: below its hash, under its own name as far as every system takes it."""
    digest = sha256()
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
    file.seek(0)
    return f"{digest.hexdigest()}/{file_name(name)[-_NAME_CHARACTERS:]}"


def stored_at(url: str, name: str, mime_type: str | None) -> StoredFile:
    """Return what a store keeps at an address; raises `KeeperError` when results cannot refer to that."""
    try:
        return StoredFile(url, mime_type or guess_type(name)[0] or "")
    except ValueError as error:
        raise KeeperError(str(error)) from error
