"""Upload the files of results before the results are sent, and put their URLs into the results.

Files are read from the session's own folder alone. A second upload of a file changes nothing, so uploads need no intent
in the ledger: after a kill they are simply repeated. A file that cannot be stored never holds a result back: the result
then has a field that names the file and the reason.
"""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pytest_automation_report.api.limits import fit_to_limits
from pytest_automation_report.api.models import Artifact, Field
from pytest_automation_report.api.responses import StoredFile
from pytest_automation_report.delivery.attempts import with_kept_files
from pytest_automation_report.delivery.stores import ArtifactStoreError, ServerStore
from pytest_automation_report.errors import ClientError, RefusedError, SpoolError, StoreError, UnknownAnswerError
from pytest_automation_report.spool.artifacts import open_spooled, remove_spooled, spooled_file, spooled_size
from pytest_automation_report.spool.ledger import StoredRecord, UnstoredRecord
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_automation_report.delivery.batches import Batch
    from pytest_automation_report.delivery.requests import Life, RepeatableStep
    from pytest_automation_report.delivery.results import Result

NO_STORE: Final = "the server stores no files (set artifact_url or artifact_store, or implement the hook)"

REPORT_FILE_BYTES: Final = 5_000_000
"""Largest file of a report from the spool."""

_REPORT_BYTES: Final = 100_000_000  # a session of many failures must not keep a full disk
_FAILED: Final = frozenset({"failure", "error"})
_MAX_TRIES: Final = 3  # of a file whose uploads have no response, though the server answers other requests
_FRESH_SECONDS: Final = 12 * 3600.0
"""How long an earlier upload is relied on: stores remove files without a result, and URLs can expire."""


class Uploads:
    """The files of one session; owned by the delivery."""

    def __init__(self, life: Life) -> None:
        self._session, self._client, self._ledger = life.session, life.client, life.ledger
        self._runtime, self._retry_policy = life.runtime, life.retry_policy
        # The user's own store, None to use the server's.
        self._artifact_store = life.options.artifact_store
        self._are_all_kept = life.options.files_folder is not None
        self._folder = life.options.files_folder or life.folder.path
        self._given_up: dict[str, str] = {}
        self._tries: Counter[str] = Counter()
        # The file whose upload had no response: another request shows whether the server or the file is to blame.
        self._in_doubt = ""
        # Whether the server answered when it was checked, if only with a refusal.
        self.has_checked_server = False
        self._free_bytes = _REPORT_BYTES
        oldest = self._runtime.wall() - _FRESH_SECONDS
        self._stored = {
            name: StoredFile(record.url, record.mime_type)
            for name, record in self._ledger.state.stored.items()
            # An old upload is relied on, too, if the file itself is gone: there is nothing better.
            if record.at > oldest or spooled_size(self._folder, name) is None
        }

    def next_for(self, results: Iterable[Result]) -> RepeatableStep | None:
        """Return the request for the next file of these results, None when all of them are stored or given up."""
        return self.next_upload(
            artifact for result in results if result.has_files for artifact in _spooled_artifacts(result)
        )

    def next_upload(self, artifacts: Iterable[Artifact]) -> RepeatableStep | None:
        """Return the request for the next of these spooled artifacts, None when all of them are stored or given up."""
        for artifact in artifacts:
            name = _name(artifact)
            if name in self._stored or name in self._given_up:
                continue
            # The headers of any response show whether the server stores files, so one must have come before.
            if self._in_doubt or not (self._artifact_store or self._client.has_answered or self.has_checked_server):
                return self.check_server
            return partial(self.store, artifact)
        return None

    def resolved(self, batch: Batch) -> Batch:
        """Return a batch with the URLs of its files, or with fields for those without; all are stored or given up."""
        if not any(result.has_files for result in batch.results):
            return batch
        return replace(batch, results=tuple(map(self._resolved_result, batch.results)))

    def release(self, batch: Batch) -> None:
        """Remove the files of results that the server has; ``batch`` is as it was before `resolved`."""
        for result in batch.results:
            for name in map(_name, _spooled_artifacts(result) if result.has_files else ()):
                if name in self._stored and not self._is_kept(result, name):
                    remove_spooled(self._folder, name)

    def _is_kept(self, result: Result, name: str) -> bool:
        """Whether a file stays until the report is written: a small one of a failure, if the server has no pages."""
        if self._are_all_kept:
            return True
        has_pages = self._session.is_embedded or self._client.artifact_bytes is not None
        if not self._session.report or has_pages or result.status not in _FAILED:
            return False
        size = spooled_size(self._folder, name)
        if size is None or size > min(REPORT_FILE_BYTES, self._free_bytes):
            return False
        self._free_bytes -= size
        return True

    def check_server(self) -> None:
        """Read the run, to learn whether the server responds and stores files.

        If it responds, an upload before without a response counts as a failed try: the file is to blame.
        """
        run = self._ledger.state.run
        assert run is not None
        if not self._request(lambda: self._client.run(run, has_threads=False)):
            return
        self.has_checked_server = True
        if self._in_doubt:
            name, self._in_doubt = self._in_doubt, ""
            self._tries[name] += 1
            if self._tries[name] >= _MAX_TRIES:
                self._give_up(name, "the server does not answer when it is given it")

    def store(self, artifact: Artifact) -> None:
        """Store a spooled file, or give it up if no store takes it."""
        name, store = _name(artifact), self._artifact_store
        if store is None and self._client.artifact_bytes is not None:
            store = ServerStore(self._client)
        if store is None:
            self._give_up(name, NO_STORE)
            return
        try:
            with open_spooled(self._folder, name) as file:
                size = os.fstat(file.fileno()).st_size
                self._request(
                    lambda: self._record_stored(name, store.put(file, size, artifact.name, artifact.mime_type)), name
                )
        except (SpoolError, ArtifactStoreError) as error:
            self._give_up(name, str(error))

    def _record_stored(self, name: str, stored: StoredFile) -> None:
        self._stored[name] = stored
        self._ledger.write(StoredRecord(name, stored.url, stored.mime_type, self._runtime.wall()))

    def _request(self, call: Callable[[], object], name: str = "") -> bool:
        """Make a request; return whether the server has responded.

        ``name`` is the file that it uploads, empty if it uploads none.
        """
        try:
            call()
        except UnknownAnswerError as error:
            self._in_doubt = self._in_doubt or name
            self._retry_policy.handle_error(error)
        except RefusedError as error:
            if name:
                self._give_up(name, f"the server would not take it ({error})")
            return True
        except (ClientError, StoreError) as error:
            self._retry_policy.handle_error(error)
        else:
            self._retry_policy.succeeded()
            return True
        return False

    def _give_up(self, name: str, reason: str) -> None:
        self._given_up[name] = reason
        self._ledger.write(UnstoredRecord(name, reason))
        self._runtime.log(f"artifact {name}: {reason}")

    def _resolved_result(self, result: Result) -> Result:
        if not result.has_files:
            return result
        test, extensions = result.test, result.extensions
        artifacts, fields = self.addressed(test.artifacts)
        if fields:
            kept = [not is_spooled(artifact) or _name(artifact) in self._stored for artifact in test.artifacts]
            extensions = with_kept_files(extensions, result.attempts, kept)
        test = replace(test, fields=(*test.fields, *fields), artifacts=artifacts)
        return replace(result, test=fit_to_limits(test), extensions=extensions)

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
                fields.append(_not_stored_field(artifact, description, self._given_up.get(name, NO_STORE)))
            else:
                mime_type = artifact.mime_type or stored.mime_type or None
                resolved.append(replace(artifact, url=stored.url, mime_type=mime_type))
        return tuple(resolved), tuple(fields)


def is_spooled(artifact: Artifact) -> bool:
    """Whether an artifact is a file that waits in the spool."""
    return spooled_file(artifact.url) is not None


def _spooled_artifacts(result: Result) -> list[Artifact]:
    """Return the artifacts of a result whose files wait in the spool."""
    return list(filter(is_spooled, result.test.artifacts))


def _name(artifact: Artifact) -> str:
    spooled = spooled_file(artifact.url)
    assert spooled is not None
    return spooled[0]


def _not_stored_field(artifact: Artifact, description: str, reason: str) -> Field:
    """Return the field in the place of an artifact; without any store the reason is in pytest's summary alone."""
    name = f"{artifact.name} ({artifact.note})" if artifact.note else artifact.name
    value = description if reason == NO_STORE else f"{description} (not stored: {reason})"
    return Field(string(name), string(value))
