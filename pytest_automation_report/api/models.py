"""The request bodies of the API as values, in the words of the contract, and the JSON of a test.

Texts in these values are clean and cut already (`text.limits`). Elapsed times are whole microseconds. The JSON of a
test is made once: the text in the spool is the text that the server gets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import IntEnum
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Literal, TypeAlias

from pytest_automation_report.api.json_values import INLINE, JsonValue
from pytest_automation_report.values import Value, field

Status: TypeAlias = Literal["passed", "failure", "error", "skipped"]
"""The four statuses of pytest's outcomes; a setting can give each an alias for the wire."""

Json: TypeAlias = dict[str, Any]
"""A JSON object."""

EMBEDDED_ORIGIN = "http+local://store"
"""Origin of the embedded store, which has no address: artifacts in it have URLs that begin with this."""

SERVE_PORT = 8000
"""Default port of ``automation-report serve``."""

NOTE_FIELD = "Session"
"""Name of the field with the reason of the session's end."""

RUN_KEY_TAG = "run-key-"
"""Beginning of the tag by which jobs find a run that they share."""

DIED_NOTE = "pytest died before the session ended"
"""The reason of a session whose pytest was killed."""

COLLECTED_FIELD = "Collected"
"""Name of the run's field with the number of tests that are to run, known before the first of them as a rule."""

NOT_RUN_FIELD = "Not run"
"""Name of the run's field with the number of tests without a result."""

ATTEMPTS_META = {"counts": "attempts"}
"""Meta of the field with the number of attempts of a test: a field of that name alone is a user's."""


class FieldType(IntEnum):
    """Type that decides how the server shows a field's value (contract: FieldType)."""

    STRING = 1
    TEXT = 2
    HTML = 3
    CONSOLE = 4
    URL = 5


class Body(JsonValue, omit_defaults=True):
    """Base of bodies, and of their parts, in the words of the contract; null and empty members are left out."""


class Field(Body):
    """A named value of a run, thread or test (contract: CreateAutomationField)."""

    name: str
    value: str | None
    type: FieldType = field(default=FieldType.STRING, required=True)
    meta: Mapping[str, str] = field(default_factory=dict)
    is_highlight: bool = False


class Artifact(Body, forbid_unknown=True):
    """A reference to a stored file; ``size`` is in bytes (contract: CreateAutomationArtifact)."""

    name: str
    url: str
    note: str | None = None
    mime_type: str | None = None
    size: int | None = None


class Link(Body, forbid_unknown=True):
    """A web address of a run (contract: CreateAutomationLink)."""

    name: str
    url: str
    note: str | None = None


class Test(Body):
    """One result of one test (contract: CreateAutomationTest).

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


class Resources(Body):
    """Fields, links and artifacts of a run (contract: AppendToAutomationRun); a thread can have all but links."""

    fields: tuple[Field, ...] = ()
    links: tuple[Link, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


class NewRun(Body):
    """A run to create (contract: CreateAutomationRun)."""

    name: str
    source: str
    config: str | None = None
    config_id: int | None = None
    milestone: str | None = None
    milestone_id: int | None = None
    tags: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources, key=INLINE)


class Token(JsonValue):
    """The API token; neither ``repr`` nor ``str`` shows it."""

    value: str

    def __repr__(self) -> str:
        return "Token('***')"

    __str__ = __repr__


class ArtifactStoreConfig(JsonValue):
    """The user's own store of artifacts: the address of a bucket, or the absolute path of a folder.

    ``url`` is the template of the URLs of stored files; if it is empty, the bucket signs a URL for each file.
    ``environ`` holds the environment variables with the bucket's credentials; ``repr`` does not show them.
    """

    address: str
    url: str = ""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


class Endpoint(JsonValue):
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


# Bound at import: tests patch ``json``, and their patches must not reach results.
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def encoded(test: Test) -> str:
    """Return the test's body as compact ASCII JSON.

    Formatted by hand, since pytest's process does it for each test that has not just passed: a test with two fields
    takes 3 us, by `Test.body` 10. `tests/unit/api/test_models.py` holds that both return the same.
    """
    elapsed = "" if test.elapsed is None else f',"elapsed":{test.elapsed}'
    file = "" if test.file is None else f',"file":{_quoted(test.file)}'
    line = "" if test.line is None else f',"line":{test.line}'
    fields = f',"fields":[{",".join(map(_encoded_field, test.fields))}]' if test.fields else ""
    artifacts = f',"artifacts":{_encode([file_.body() for file_ in test.artifacts])}' if test.artifacts else ""
    assertions = "" if test.assertions is None else f',"assertions":{test.assertions}'
    return (
        f'{{"key":{_quoted(test.key)},"name":{_quoted(test.name)},"folder":{_quoted(test.folder)},'
        f'"status":{_quoted(test.status)}{elapsed}{file}{line}{fields}{artifacts}{assertions}}}'
    )


def _encoded_field(field_: Field) -> str:
    value = "null" if field_.value is None else _quoted(field_.value)
    meta = f',"meta":{_encode(field_.meta)}' if field_.meta else ""
    highlight = ',"is_highlight":true' if field_.is_highlight else ""
    return f'{{"name":{_quoted(field_.name)},"value":{value},"type":{field_.type:d}{meta}{highlight}}}'


class PostgresDatabase(Value):
    """A PostgreSQL database; ``url`` may hold a password, so messages and logs must use ``shown``."""

    url: str = field(repr=False)
    shown: str

    def __str__(self) -> str:
        return self.shown
