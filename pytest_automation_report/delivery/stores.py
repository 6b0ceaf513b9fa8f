"""Connect to what takes results and files, and upload the files of results before the results are sent."""

from __future__ import annotations

import os
import stat
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache, partial
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from msgspec.structs import replace

from pytest_automation_report.api.models import (
    Artifact,
    ArtifactStoreConfig,
    Endpoint,
    Field,
    Token,
    file_address,
    file_name,
    is_bucket,
    shown_store,
)
from pytest_automation_report.api.responses import RefusedError, StoredFile, UnknownAnswerError
from pytest_automation_report.delivery.attempts import with_kept_files
from pytest_automation_report.delivery.testmo import fit_to_limits
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.recording.options import FAILED
from pytest_automation_report.spool.folder import FOLDER, is_spooled_name
from pytest_automation_report.spool.ledger import StoredRecord, UnstoredRecord
from pytest_automation_report.spool.records import spooled_file
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import string
from pytest_automation_report.text.output import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.delivery.queues import Batch, Result
    from pytest_automation_report.delivery.requests import DeliveryOptions, RepeatableStep
    from pytest_automation_report.delivery.retries import RetryPolicy
    from pytest_automation_report.spool.folder import SessionManifest


_PIECE_BYTES: Final = 1 << 20
_NAME_CHARACTERS: Final = 50  # each may become twelve in a URL, which has a limit
_MAX_TRIES: Final = 3  # of a file whose uploads have no response, though the server answers other requests
NO_STORE: Final = "the server stores no files (set artifact_url or artifact_store, or implement the hook)"
REPORT_FILE_BYTES: Final = 5_000_000  # the largest file of a report from the spool


class ArtifactStoreError(Exception):
    """A file cannot be stored, and a retry would not help; the message is a short reason."""


def file_key(file: BinaryIO, name: str) -> str:
    """Return the key of a file in a store: its hash, a slash, and its name in characters that every system accepts."""
    digest = sha256()
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
    file.seek(0)
    return f"{digest.hexdigest()}/{file_name(name)[-_NAME_CHARACTERS:]}"


def stored_file(url: str, name: str, mime_type: str | None) -> StoredFile:
    """Describe a file that a store has at a URL; raises `ArtifactStoreError` if results cannot refer to that URL."""
    try:
        return StoredFile(url, mime_type or guess_type(name)[0] or "")
    except ValueError as error:
        raise ArtifactStoreError(str(error)) from error


def put_in_folder(folder: Path, template: str, file: BinaryIO, name: str, mime_type: str | None) -> StoredFile:
    """Store a file under its hash, completely or not at all, in a folder whose files have URLs by this template."""
    key = file_key(file, name)
    path = folder / key
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two senders may store the same file, and a reader must not see half of it.
        replace_file(path, iter(lambda: file.read(_PIECE_BYTES), b""))
    except OSError as error:
        raise ArtifactStoreError(f"{folder} cannot be written: {error.strerror or error}") from error
    return stored_file(file_address(template, key, name), name, mime_type)


# After a failure nothing is tried for so long: the results of a session must not each wait for the same error.
_PAUSE_SECONDS: Final = 60.0


class BucketStore:
    """Stores files in a bucket of S3, Google Cloud Storage or Azure, with retries."""

    def __init__(self, config: ArtifactStoreConfig, clock: Callable[[], float]) -> None:
        self._config, self._clock = config, clock
        self._bucket: Any = None
        self._failed_at: float | None = None
        self._failure = ""

    def put(self, file: BinaryIO, name: str, mime_type: str | None) -> StoredFile:
        """Store a file under its hash."""
        import obstore  # noqa: PLC0415 - an extra that only a session with a bucket needs
        from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra that only a session with a bucket needs

        from pytest_automation_report.server.store.buckets import open_bucket  # noqa: PLC0415 - loads SQLite

        if self._failed_at is not None and self._clock() - self._failed_at < _PAUSE_SECONDS:
            raise ArtifactStoreError(self._failure)
        key = file_key(file, name)
        try:
            if self._bucket is None:
                os.environ.update(self._config.environ)  # of the sender alone
                self._bucket = open_bucket(self._config.address, os.environ)
            media_type = stored_file("https://host", name, mime_type).mime_type or "application/octet-stream"
            obstore.put(self._bucket, key, file, attributes={"Content-Type": media_type})
            if self._config.url:
                url = file_address(self._config.url, key, name)
            else:  # seven days are the longest time that S3 allows
                url = str(obstore.sign(self._bucket, "GET", key, timedelta(days=7)))
        except (BaseError, ValueError, OSError) as error:
            # pytest's summary shows the first line alone.
            line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            self._failed_at, self._failure = self._clock(), f"{shown_store(self._config.address)}: {line}"
            raise ArtifactStoreError(self._failure) from error
        return stored_file(url, name, mime_type)


def import_client(*, is_embedded: bool) -> None:
    """Import the modules that `connected` needs: the sender does so before it knows its session."""
    if is_embedded:
        import pytest_automation_report.server.api.embedded  # noqa: PLC0415 - servers need no store
    else:
        import pytest_automation_report.api.http  # noqa: F401, PLC0415 - loads requests, 100 ms


_MOST_USES: Final = 500  # a server of tests has another port each time


@lru_cache(maxsize=1)
def note_use(uses: tuple[str, ...]) -> None:
    """Note that a token was sent to a server, once in a process: ``uses`` as in `Endpoint`."""
    # With a read-only home folder the console command asks again next time; the session goes on.
    with suppress(OSError):
        is_new = not all(map(os.path.exists, uses))
        for use in map(Path, uses):
            use.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            use.touch(mode=0o600)
        if is_new:
            kept = sorted(Path(uses[0]).parent.iterdir(), key=lambda use: use.lstat().st_mtime_ns)
            for oldest in kept[:-_MOST_USES]:
                oldest.unlink(missing_ok=True)


@contextmanager
def connected(
    endpoint: Endpoint, token: Token, *, deadline_seconds: float, migration_seconds: float | None = None
) -> Iterator[Client]:
    """Yield a client of this endpoint, which applies requests to the embedded store in this process.

    ``deadline_seconds`` bounds each request to a server as a whole, ``migration_seconds`` is that of `Opening`.
    """
    if endpoint.is_embedded:
        from pytest_automation_report.server.api.embedded import StoreClient  # noqa: PLC0415 - servers need no store

        database = Path(endpoint.database)
        with StoreClient(database, endpoint.project_id, migration_seconds=migration_seconds) as store_client:
            yield store_client
        return
    from pytest_automation_report.api.http import HttpClient, new_session  # noqa: PLC0415 - loads requests, 100 ms

    with new_session(proxies=endpoint.proxies, ca_file=endpoint.ca_file) as session:
        if endpoint.uses:
            session.hooks["response"].append(lambda *_, **__: note_use(endpoint.uses))
        yield HttpClient(
            session, endpoint.origin, token, project_id=endpoint.project_id, deadline_seconds=deadline_seconds
        )


class Uploads:
    """The files of one session; owned by the delivery.

    A second upload of a file changes nothing, so uploads need no intent in the ledger: after a kill they are repeated.
    A file that cannot be stored never holds a result back: a field of the result then names the file and the reason.
    """

    def __init__(
        self, session: SessionManifest, client: Client, retry_policy: RetryPolicy, options: DeliveryOptions
    ) -> None:
        self._session, self._client, self._retry_policy = session, client, retry_policy
        self._ledger, self._runtime = retry_policy.ledger, retry_policy.runtime
        self._keeps_all = options.files_folder is not None
        # The user's own store, None to use the server's.
        self._put: Callable[[BinaryIO, str, str | None], StoredFile] | None = None
        own = options.artifact_store
        if own is not None and is_bucket(own.address):
            self._put = BucketStore(own, self._runtime.clock).put
        elif own is not None:
            self._put = partial(put_in_folder, Path(own.address), own.url)
        self._folder = options.files_folder or self._ledger.folder
        self._given_up: dict[str, str] = {}
        self._tries: Counter[str] = Counter()
        # The file whose upload had no response: another request shows whether the server or the file is to blame.
        self._in_doubt = ""
        self._free_bytes = 100_000_000  # kept for a report: a session of many failures must not keep a full disk
        # Stores remove files without a result after a while, and URLs can expire.
        oldest = self._runtime.wall() - 12 * 3600.0
        self._stored = {
            name: record.file
            for name, record in self._ledger.state.stored.items()
            # An old upload is relied on, too, if the file itself is gone: there is nothing better.
            if record.at > oldest or spooled_size(self._folder, name) is None
        }

    def next_upload(self, artifacts: Iterable[Artifact]) -> RepeatableStep | None:
        """Return the request for the next file of these artifacts, None when all are stored or given up."""
        for artifact in artifacts:
            name = spooled_name(artifact)
            if name is None or name in self._stored or name in self._given_up:
                continue
            # The headers of any response show whether the server stores files, so one must have come before.
            if self._in_doubt or not (self._put or self._client.has_answered):
                return self.check_server
            return partial(self._store, artifact, name)
        return None

    def resolved(self, batch: Batch) -> Batch:
        """Return a batch with the URLs of its files, or with fields for those without; all are stored or given up."""
        return replace(batch, results=tuple(map(self._resolved_result, batch.results)))

    def release(self, batch: Batch) -> None:
        """Remove the files of results that the server has; ``batch`` is as it was before `resolved`."""
        for result in batch.results:
            for name in map(spooled_name, result.test.artifacts):
                if name in self._stored and not self._is_kept(result, name):
                    remove_spooled(self._folder, name)

    def _is_kept(self, result: Result, name: str) -> bool:
        """Whether a file stays until the report is written: a small one of a failure, if the server has no pages."""
        session = self._session
        if self._keeps_all:
            return True
        has_pages = session.is_embedded or self._client.artifact_bytes is not None
        if not session.report or has_pages or result.status not in FAILED:
            return False
        size = spooled_size(self._folder, name)
        if size is None or size > min(REPORT_FILE_BYTES, self._free_bytes):
            return False
        self._free_bytes -= size
        return True

    def check_server(self) -> None:
        """Read the run, to learn whether the server responds and stores files."""
        run = self._ledger.state.run
        assert run is not None
        if not self._request(lambda: self._client.run(run, has_threads=False)):
            return
        self._client.has_answered = True  # if only with a refusal: it says no more
        if self._in_doubt:  # the file is to blame
            name, self._in_doubt = self._in_doubt, ""
            self._tries[name] += 1
            if self._tries[name] >= _MAX_TRIES:
                self._give_up(name, "the server did not answer its upload")

    def _store(self, artifact: Artifact, name: str) -> None:
        max_bytes = self._client.artifact_bytes
        if self._put is None and max_bytes is None:
            self._give_up(name, NO_STORE)
            return
        try:
            with open_spooled(self._folder, name) as file:
                size = os.fstat(file.fileno()).st_size
                if self._put is None and size > (max_bytes or 0):
                    self._give_up(name, f"it has more than {max_bytes:,} bytes")
                    return
                # Our server detects the type from the content.
                on_server = partial(self._client.put_artifact, file, size, artifact.name[-_NAME_CHARACTERS:])
                put = partial(self._put, file, artifact.name, artifact.mime_type) if self._put else on_server
                self._request(lambda: self._record_stored(name, put()), name)
        except (SpoolError, ArtifactStoreError) as error:
            self._give_up(name, str(error))

    def _record_stored(self, name: str, stored: StoredFile) -> None:
        self._stored[name] = stored
        self._ledger.write(StoredRecord(name, stored, self._runtime.wall()))

    def _request(self, call: Callable[[], object], name: str = "") -> bool:
        """Make a request, which uploads the file of this name if there is one; return whether the server responded."""

        def answered() -> int:
            try:
                call()
            except UnknownAnswerError:
                self._in_doubt = self._in_doubt or name
                raise
            except RefusedError as error:
                if name:
                    self._give_up(name, f"the server refused it ({error})")
            return 1

        return self._retry_policy.attempt(answered) is not None

    def _give_up(self, name: str, reason: str) -> None:
        self._given_up[name] = reason
        self._ledger.write(UnstoredRecord(name, reason))
        self._runtime.log(f"artifact {name}: {reason}")

    def _resolved_result(self, result: Result) -> Result:
        test = result.test
        if not test.artifacts:
            return result
        names = [spooled_name(artifact) for artifact in test.artifacts]
        if all(name is None for name in names):
            return result
        artifacts, fields = self.addressed(test.artifacts)
        if fields:
            kept = [name is None or name in self._stored for name in names]
            test = with_kept_files(test, result.attempts, kept)
        test = replace(test, fields=(*test.fields, *fields), artifacts=artifacts)
        return replace(result, test=fit_to_limits(test), unstored=fields)

    def addressed(self, artifacts: Iterable[Artifact]) -> tuple[tuple[Artifact, ...], tuple[Field, ...]]:
        """Return artifacts with their URLs, and fields in the place of those that are not stored.

        All of their files must be stored or given up. Artifacts that are no spooled files stay as they are.
        """
        resolved: list[Artifact] = []
        fields: list[Field] = []
        for artifact in artifacts:
            spooled = spooled_file(artifact.url)
            if spooled is None:
                resolved.append(artifact)
                continue
            name, description = spooled
            stored = self._stored.get(name)
            if stored is None:
                reason = self._given_up.get(name, NO_STORE)
                shown = f"{artifact.name} ({artifact.note})" if artifact.note else artifact.name
                # Without any store the reason is in pytest's summary alone.
                value = description if reason == NO_STORE else f"{description} (not stored: {reason})"
                fields.append(Field(string(shown), string(value)))
            else:
                mime_type = artifact.mime_type or stored.mime_type or None
                resolved.append(replace(artifact, url=stored.url, mime_type=mime_type))
        return tuple(resolved), tuple(fields)


def spooled_name(artifact: Artifact) -> str | None:
    """Return the name of an artifact's file in the spool, None if it is stored elsewhere."""
    spooled = spooled_file(artifact.url)
    return None if spooled is None else spooled[0]


def open_spooled(session: Path, name: str) -> BinaryIO:
    """Open a file of a session's results for reading; raises `SpoolError` for all others, as for a link or a path."""
    if not is_spooled_name(name):
        raise SpoolError("its record does not name a file that pytest has copied")
    try:
        with _folder(session) as folder:
            descriptor = folder.open(name, os.O_RDONLY | system.OWN_FILE | system.NO_WAIT)
    except OSError as error:
        raise SpoolError(f"its copy in the spool cannot be read ({error.strerror or error})") from error
    status = os.fstat(descriptor)
    # A file with a second name may be a hard link to a file of the user, which a forged spool would have uploaded.
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise SpoolError("its copy in the spool was replaced")
    return os.fdopen(descriptor, "rb")


def spooled_size(session: Path, name: str) -> int | None:
    """Return the size of a file of a session's results in bytes, None if it cannot be opened."""
    try:
        with open_spooled(session, name) as file:
            return os.fstat(file.fileno()).st_size
    except SpoolError:
        return None


def remove_spooled(session: Path, name: str) -> None:
    """Remove a file that was opened, if it still exists."""
    with suppress(FileNotFoundError), _folder(session) as folder:  # a test that adds it by two names has one copy
        folder.remove(name)


@contextmanager
def _folder(session: Path) -> Iterator[system.Folder]:
    """Yield the folder with a session's files; raises `OSError` if one of the two is not a folder."""
    with system.Folder(session) as folder, system.Folder(FOLDER, inside=folder) as files:
        yield files
