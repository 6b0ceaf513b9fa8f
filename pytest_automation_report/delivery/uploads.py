"""Stores the files of results before these are sent, and puts their addresses into them (floor 3).

Files are read from the session's own folder alone. An upload changes nothing that a second one would change again, so
it needs no intent in the ledger: after a kill it is simply repeated. What nobody can store never keeps a result back:
the result then has a field that names the file.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.artifacts import StoredFile
from pytest_automation_report.api.limits import fit_to_limits
from pytest_automation_report.api.models import Artifact, Field, Test, encoded
from pytest_automation_report.delivery.artifact_stores import ArtifactStoreError, ServerStore
from pytest_automation_report.delivery.requests import Request
from pytest_automation_report.errors import (
    NotSentError,
    RefusedError,
    SpoolError,
    StoreError,
    ThrottledError,
    TokenRefusedError,
    UnknownAnswerError,
)
from pytest_automation_report.spool.artifacts import opened, remove, spooled_file
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.delivery.artifact_stores import ArtifactStore
    from pytest_automation_report.delivery.batches import Batch
    from pytest_automation_report.delivery.handover import Runtime
    from pytest_automation_report.delivery.results import Result
    from pytest_automation_report.delivery.retries import RetryPolicy
    from pytest_automation_report.spool.ledger_file import LedgerFile

NOBODY: Final = "nothing keeps files there (set artifact_url or artifact_store, or implement the hook)"

_TRIES: Final = 3
_FRESH_SECONDS: Final = 12 * 3600.0
"""How long an upload is relied on: stores drop what no result refers to, and addresses can expire."""


@dataclass(slots=True)
class Uploads:
    """The files of one session; owned by its delivery.

    ``artifact_store`` is the user's own store, where there is one.
    """

    session: Path
    client: Client
    ledger: LedgerFile
    runtime: Runtime
    retry_policy: RetryPolicy
    artifact_store: ArtifactStore | None = None
    _stored: dict[str, StoredFile] = field(default_factory=dict)
    _given_up: dict[str, str] = field(default_factory=dict)
    _artifacts: dict[str, list[Artifact]] = field(default_factory=dict)
    _tries: Counter[str] = field(default_factory=Counter)
    _in_doubt: str = ""
    _has_asked: bool = False

    def __post_init__(self) -> None:
        oldest = self.runtime.wall() - _FRESH_SECONDS
        for name, members in self.ledger.state.stored.items():
            if members["at"] > oldest or not self._is_here(name):
                self._stored[name] = StoredFile(members["url"], members["type"])

    def next_for(self, results: Iterable[Result]) -> Request | None:
        """Return the request for the next file of these results, None when all of them are stored or given up."""
        return self.next_upload(artifact for result in results if result.has_files for artifact in self._of(result))

    def next_upload(self, artifacts: Iterable[Artifact]) -> Request | None:
        """Return the request for the next of these artifacts, which wait in the spool, as `next_for` does."""
        for artifact in artifacts:
            name = _name(artifact)
            if name in self._stored or name in self._given_up:
                continue
            # Whether the server keeps files is learnt from the headers of any response; after an upload without a
            # response, from another request whether the server or the file is to blame.
            if self._in_doubt or not (self.artifact_store or self.client.has_answered or self._has_asked):
                return Request("check_server")
            return Request("store_artifact", artifact=artifact)
        return None

    def resolved(self, batch: Batch) -> Batch:
        """Return a batch, all of whose files have their end, with their addresses, or with what is told instead."""
        if not any(each.has_files for each in batch.results):
            return batch
        return replace(batch, results=tuple(map(self._with_addresses, batch.results)))

    def release(self, batch: Batch) -> None:
        """Let go of the files of results that the server has; ``batch`` is as it was before its addresses came in."""
        for result in batch.results:
            for name in map(_name, self._of(result) if result.has_files else ()):
                if name in self._stored:
                    remove(self.session, name)
            self._artifacts.pop(result.test, None)

    def _of(self, result: Result) -> list[Artifact]:
        """Return the artifacts of a result that wait in the spool."""
        if result.test not in self._artifacts:
            bodies = json.loads(result.test).get("artifacts", ())
            found = (Artifact(**each) for each in bodies)
            self._artifacts[result.test] = list(filter(is_spooled, found))
        return self._artifacts[result.test]

    def _is_here(self, name: str) -> bool:
        try:
            opened(self.session, name).close()
        except SpoolError:
            return False
        return True

    def check_server(self) -> None:
        """Learn whether the server answers, and which one it is; after an upload without a response count that try."""
        run = self.ledger.state.run
        assert run is not None
        if not self._answers(lambda: self.client.run(run, has_threads=False)):
            return
        self._has_asked = True
        if self._in_doubt:
            name, self._in_doubt = self._in_doubt, ""
            self._tries[name] += 1
            if self._tries[name] >= _TRIES:
                self._give_up(name, "the server does not answer when it is given it")

    def store(self, artifact: Artifact) -> None:
        """Store a file that waits in the spool, or give it up where nothing takes it."""
        name = _name(artifact)
        artifact_store = self.artifact_store or (
            None if self.client.artifact_bytes is None else ServerStore(self.client)
        )
        if artifact_store is None:
            self._give_up(name, NOBODY)
            return
        try:
            with opened(self.session, name) as file:
                size = os.fstat(file.fileno()).st_size
                self._answers(
                    lambda: self._took(name, artifact_store.put(file, size, artifact.name, artifact.mime_type)), name
                )
        except (SpoolError, ArtifactStoreError) as error:
            self._give_up(name, str(error))

    def _took(self, name: str, stored: StoredFile) -> None:
        self._stored[name] = stored
        self.ledger.write("stored", name=name, url=stored.url, type=stored.mime_type, at=self.runtime.wall())

    def _answers(self, call: Callable[[], object], name: str = "") -> bool:
        """Make a request, that of a file where one is named; return whether it was answered."""
        try:
            call()
        except UnknownAnswerError as error:
            self._in_doubt = self._in_doubt or name
            self.retry_policy.handle_error(error)
        except (NotSentError, ThrottledError, TokenRefusedError, StoreError) as error:
            self.retry_policy.handle_error(error)
        except RefusedError as error:
            if name:
                self._give_up(name, f"the server would not take it ({error})")
            return True
        else:
            self.retry_policy.succeeded()
            return True
        return False

    def _give_up(self, name: str, why: str) -> None:
        self._given_up[name] = why
        self.ledger.write("unstored", name=name, why=why)
        self.runtime.log(f"artifact {name}: {why}")

    def _with_addresses(self, result: Result) -> Result:
        if not result.has_files:
            return result
        test = Test.from_body(json.loads(result.test))
        artifacts, fields = self.addressed(test.artifacts)
        test = replace(test, fields=(*test.fields, *fields), artifacts=artifacts)
        return result._replace(test=encoded(fit_to_limits(test)))

    def addressed(self, given: Iterable[Artifact]) -> tuple[tuple[Artifact, ...], tuple[Field, ...]]:
        """Return artifacts, all of whose files have their end, with their addresses, and fields for those without."""
        artifacts, fields = [], []
        for each in given:
            found = spooled_file(each.url)
            if found is None:
                artifacts.append(each)
            elif (stored := self._stored.get(found[0])) is not None:
                mime_type = each.mime_type or stored.mime_type or None
                artifacts.append(replace(each, url=stored.url, mime_type=mime_type))
            else:
                fields.append(_told(each, found[1], self._given_up.get(found[0], NOBODY)))
        return tuple(artifacts), tuple(fields)


def is_spooled(artifact: Artifact) -> bool:
    """Whether an artifact is a file that waits in the spool."""
    return spooled_file(artifact.url) is not None


def _name(artifact: Artifact) -> str:
    found = spooled_file(artifact.url)
    assert found is not None
    return found[0]


def _told(artifact: Artifact, shown: str, why: str) -> Field:
    """Return the field that a result has in the place of an artifact."""
    name = f"{artifact.name} ({artifact.note})" if artifact.note else artifact.name
    return Field(string(name), string(shown if why == NOBODY else f"{shown} (not stored: {why})"))
