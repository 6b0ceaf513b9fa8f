"""The request bodies of the API as values, in the words of the contract, and the JSON of a test.

Texts in these values are clean and cut already (`text.limits`). Elapsed times are whole microseconds. The JSON of a
test is made once: the text in the spool is the text that the server gets.
"""

from __future__ import annotations

import json
from enum import IntEnum
from json.encoder import encode_basestring_ascii as _quoted
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pytest_automation_report.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Mapping

Status: TypeAlias = Literal["passed", "failure", "error", "skipped"]
"""The four statuses of pytest's outcomes; a setting can give each an alias for the wire."""

Json: TypeAlias = "dict[str, Any]"
"""A JSON object."""

EMBEDDED_ORIGIN = "http+local://store"
"""Origin of the embedded store, which has no address: artifacts in it have URLs that begin with this."""

SERVE_PORT = 8000
"""Default port of ``automation-report serve``."""


class FieldType(IntEnum):
    """Type that decides how the server shows a field's value (contract: FieldType)."""

    STRING = 1
    TEXT = 2
    HTML = 3
    CONSOLE = 4
    URL = 5


class Field(Value):
    """A named value of a run, thread or test."""

    name: str
    value: str | None
    type: FieldType = FieldType.STRING
    meta: Mapping[str, str] = field(default_factory=dict)
    is_highlight: bool = False

    def body(self) -> Json:
        """Return the field as the contract's CreateAutomationField."""
        body: Json = {"type": int(self.type), "name": self.name, "value": self.value}
        if self.meta:
            body["meta"] = dict(self.meta)
        if self.is_highlight:
            body["is_highlight"] = True
        return body

    @classmethod
    def from_body(cls, body: Json) -> Field:
        """Return the field whose `body` is this JSON."""
        return cls(
            body["name"], body["value"], FieldType(body["type"]), body.get("meta", {}), body.get("is_highlight", False)
        )


class Artifact(Value):
    """A reference to a stored file; ``size`` is in bytes."""

    name: str
    url: str
    note: str | None = None
    mime_type: str | None = None
    size: int | None = None

    def body(self) -> Json:
        """Return the artifact as the contract's CreateAutomationArtifact."""
        return _present(
            {
                "name": self.name,
                "url": self.url,
                "note": self.note,
                "mime_type": self.mime_type,
                "size": self.size,
            }
        )


class Link(Value):
    """A web address of a run."""

    name: str
    url: str
    note: str | None = None

    def body(self) -> Json:
        """Return the link as the contract's CreateAutomationLink."""
        return _present({"name": self.name, "url": self.url, "note": self.note})


class Test(Value):
    """One result of one test.

    ``status`` is the alias that goes on the wire; ``line`` is 1-based; ``elapsed`` is in microseconds.
    """

    __test__ = False  # pytest must not collect it

    key: str
    name: str
    folder: str
    status: str
    elapsed: int | None = None
    file: str | None = None
    line: int | None = None
    fields: tuple[Field, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    assertions: int | None = None

    def body(self) -> Json:
        """Return the test as the contract's CreateAutomationTest."""
        body = _present(
            {
                "key": self.key,
                "name": self.name,
                "folder": self.folder,
                "status": self.status,
                "elapsed": self.elapsed,
                "file": self.file,
                "line": self.line,
                "assertions": self.assertions,
            }
        )
        if self.fields:
            body["fields"] = [field_.body() for field_ in self.fields]
        if self.artifacts:
            body["artifacts"] = [artifact.body() for artifact in self.artifacts]
        return body

    @classmethod
    def from_body(cls, body: Json) -> Test:
        """Return the test whose `body` is this JSON."""
        return cls(
            key=body["key"],
            name=body["name"],
            folder=body["folder"],
            status=body["status"],
            elapsed=body.get("elapsed"),
            file=body.get("file"),
            line=body.get("line"),
            fields=tuple(Field.from_body(field_) for field_ in body.get("fields", ())),
            artifacts=tuple(Artifact(**artifact) for artifact in body.get("artifacts", ())),
            assertions=body.get("assertions"),
        )


class Resources(Value):
    """Fields, links and artifacts of a run; a thread can have all but links."""

    fields: tuple[Field, ...] = ()
    links: tuple[Link, ...] = ()
    artifacts: tuple[Artifact, ...] = ()

    def body(self) -> Json:
        """Return the non-empty lists as the contract's AppendToAutomationRun."""
        body: Json = {}
        for name, values in (("fields", self.fields), ("links", self.links), ("artifacts", self.artifacts)):
            if values:
                body[name] = [value.body() for value in values]
        return body

    @classmethod
    def from_body(cls, body: Json) -> Resources:
        """Return the resources whose `body` is this JSON; other members are ignored."""
        return cls(
            fields=tuple(Field.from_body(field_) for field_ in body.get("fields", ())),
            links=tuple(Link(**link) for link in body.get("links", ())),
            artifacts=tuple(Artifact(**artifact) for artifact in body.get("artifacts", ())),
        )


class NewRun(Value):
    """A run to create."""

    name: str
    source: str
    config: str | None = None
    config_id: int | None = None
    milestone: str | None = None
    milestone_id: int | None = None
    tags: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)

    def body(self) -> Json:
        """Return the run as the contract's CreateAutomationRun."""
        body = _present(
            {
                "name": self.name,
                "source": self.source,
                "config": self.config,
                "config_id": self.config_id,
                "milestone": self.milestone,
                "milestone_id": self.milestone_id,
            }
        )
        if self.tags:
            body["tags"] = list(self.tags)
        return {**body, **self.resources.body()}

    @classmethod
    def from_body(cls, body: Json) -> NewRun:
        """Return the run whose `body` is this JSON."""
        return cls(
            name=body["name"],
            source=body["source"],
            config=body.get("config"),
            config_id=body.get("config_id"),
            milestone=body.get("milestone"),
            milestone_id=body.get("milestone_id"),
            tags=tuple(body.get("tags", ())),
            resources=Resources.from_body(body),
        )


class Token(Value):
    """The API token; neither ``repr`` nor ``str`` shows it."""

    value: str

    def __repr__(self) -> str:
        return "Token('***')"

    __str__ = __repr__


class ArtifactStoreConfig(Value):
    """The user's own store of artifacts: the address of a bucket, or the absolute path of a folder.

    ``url`` is the template of the URLs of stored files; if it is empty, the bucket signs a URL for each file.
    ``environ`` holds the environment variables with the bucket's credentials; ``repr`` does not show them.
    """

    address: str
    url: str = ""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


class Endpoint(Value):
    """The destination of results: a server's origin, or the embedded store's database file.

    ``origin`` is scheme, host and port without a path. With `EMBEDDED_ORIGIN`, ``database`` is the absolute path of the
    SQLite file. ``proxies`` maps ``http``, ``https`` and ``no_proxy`` to values for requests. ``ca_file`` is the path
    of a CA bundle, empty for the built-in one.
    """

    origin: str
    project_id: int
    database: str = ""
    proxies: Mapping[str, str] = field(default_factory=dict)
    ca_file: str = ""

    @property
    def is_embedded(self) -> bool:
        """Whether results go to the embedded store."""
        return self.origin == EMBEDDED_ORIGIN


def _present(body: Json) -> Json:
    """Return the members that are not None."""
    return {name: value for name, value in body.items() if value is not None}


# Bound at import: tests patch ``json``, and their patches must not reach results.
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def encoded(test: Test) -> str:
    """Return the test's body as compact ASCII JSON."""
    # Most tests have neither fields nor artifacts: for these a format string needs 1.1 us, and `body` 3.8 us.
    if test.fields or test.artifacts or test.assertions is not None:
        return _encode(test.body())
    elapsed = "" if test.elapsed is None else f',"elapsed":{test.elapsed}'
    file = "" if test.file is None else f',"file":{_quoted(test.file)}'
    line = "" if test.line is None else f',"line":{test.line}'
    return (
        f'{{"key":{_quoted(test.key)},"name":{_quoted(test.name)},"folder":{_quoted(test.folder)},'
        f'"status":{_quoted(test.status)}{elapsed}{file}{line}}}'
    )


class PostgresDatabase(Value):
    """A PostgreSQL database; ``url`` may hold a password, so messages and logs must use ``shown``."""

    url: str = field(repr=False)
    shown: str

    def __str__(self) -> str:
        return self.shown
