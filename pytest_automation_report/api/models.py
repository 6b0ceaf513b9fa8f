"""The request bodies of the API, in the words of the contract; its limits, extensions, and URLs.

Texts in these values are clean and cut already (`text.limits`). Elapsed times are whole microseconds. A URL can hold a
password: messages have only URLs that `shown_address` has cleaned.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

from msgspec import DecodeError, Meta, Struct, ValidationError, convert, field, to_builtins
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from pytest_automation_report.unpatched import Unpatched, lazy_pattern

T = TypeVar("T")

Status: TypeAlias = Literal["passed", "failure", "error", "skipped", "untested"]
"""pytest's outcomes, and the outcome of a test without one; a setting can give each an alias for the wire."""

Json: TypeAlias = dict[str, Any]
"""A JSON object."""

EMBEDDED_ORIGIN = "http+local://store"
"""Origin of the embedded store, which has no address: artifacts in it have URLs that begin with this."""

SERVE_PORT = 8000  # default of `automation-report serve`
RUN_KEY_TAG = "run-key-"  # begins the tag by which jobs find a run that they share

# Names of fields that we add to runs, and to threads.
WORKER_FIELD = "Worker"  # of a thread: the name of its worker
SELECTION_FIELD = "Selection"  # the options that select tests
CUT_FIELD = "Cut by number"  # why: no answer said how the other shards are cut; of a thread, or of a run of such shards
SHARD_OPTION = "--automation-report-shard"  # begins the selection of a shard that has a run of its own


# Names of properties of failed tests that a file names as known, and of Testmo's fields with them: the last day that
# excuses it, and the reason. The second is of one whose day was past when it failed.
KNOWN_FIELD = "Known until"
PAST_FIELD = "Was known until"


class FieldType(IntEnum):
    """Type that decides how the server shows a field's value (contract: FieldType)."""

    STRING = 1
    TEXT = 2
    HTML = 3
    CONSOLE = 4
    URL = 5


Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer of 64 bits, as in the contract: an integer of a forged document may have thousands of digits."""

Amount: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""One that is not negative."""


class RequestBody(Struct, frozen=True, omit_defaults=True):
    """Base of bodies, and of their parts, in the words of the contract; null and empty members are left out."""


class Field(RequestBody, frozen=True):
    """A named value of a run, thread or test (contract: CreateAutomationField)."""

    name: str
    value: str | None
    # By a factory, since the contract requires the type: a plain default would be left out.
    type: FieldType = field(default_factory=lambda: FieldType.STRING)
    meta: Mapping[str, str] = field(default_factory=dict)
    is_highlight: bool = False


class Artifact(RequestBody, frozen=True, forbid_unknown_fields=True):
    """A reference to a stored file; ``size`` is in bytes (contract: CreateAutomationArtifact)."""

    name: str
    url: str
    note: str | None = None
    mime_type: str | None = None
    size: Int64 | None = None


CauseKind: TypeAlias = Literal["failure", "error", "skipped", "xpass", "untested"]
"""What a cause makes of a test; ``xpass`` of one that passed although it is marked xfail."""

OutputName: TypeAlias = Literal["Output", "Errors", "Log"]
"""Names of captured streams, as their fields at Testmo have them."""


ShortText: TypeAlias = Annotated[str, Meta(max_length=4096)]


class Known(RequestBody, frozen=True):
    """The entry of a file of known failures that names a failed test: the last day that excuses it, and the reason.

    ``is_past`` if that day was past when the test failed.
    """

    until: Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
    reason: str = ""
    is_past: bool = False


class SharedFixture(Struct, frozen=True, omit_defaults=True):
    """A fixture that tests share: ``conftest.py::server [session]``, or a function such as ``test_x.py::setup_module``.

    ``key``, ``folder`` and ``name`` are what a result of it has, ``file`` is empty for one outside of the project.
    Of one with parameters the teardown may fail in the setup of a test, so it has a ``phase`` of its own. Where several
    failed at once, ``message`` is of its own error. ``known`` is the entry that knows it.
    """

    key: ShortText
    folder: ShortText
    name: ShortText
    file: ShortText = ""
    line: Annotated[int, Meta(ge=1, le=999_999_999)] | None = None
    phase: Literal["setup", "teardown"] = "teardown"
    message: str = ""
    known: Known | None = None


class Cause(Struct, frozen=True, omit_defaults=True):
    """Why an attempt did not simply pass: a failure, an error, a skip. ``name`` is that of its field at Testmo.

    ``text`` is pytest's traceback or reason, ``message`` its short form, ``type`` the exception's, ``phase`` setup,
    call or teardown of a failure, ``subtest`` the description of the subtest that failed. ``fixtures`` failed in that
    phase although tests share them, and nothing else did unless it ``is_own``: then the test, too, is to blame.
    """

    kind: CauseKind
    name: ShortText
    text: str
    message: str = ""
    type: str = ""
    phase: ShortText = ""
    subtest: str | None = None
    fixtures: tuple[SharedFixture, ...] = ()
    is_own: bool = False


def first_cause(causes: Iterable[Cause]) -> Cause | None:
    """Return the first cause for which an attempt did not pass, None without one."""
    return next((cause for cause in causes if cause.kind != "xpass"), None)


StepStatus: TypeAlias = Literal["passed", "failed", "skipped"]


class Step(Struct, frozen=True, omit_defaults=True):
    """A step with those inside it; ``elapsed`` is None if it is not known, ``files`` are places among the artifacts.

    One that ``is_open`` did not end.
    """

    name: ShortText
    status: StepStatus
    elapsed: Amount | None = None
    files: tuple[Amount, ...] = ()
    steps: tuple[Step, ...] = ()
    is_open: bool = False


class Link(RequestBody, frozen=True, forbid_unknown_fields=True):
    """A web address of a run (contract: CreateAutomationLink)."""

    name: str
    url: str
    note: str | None = None


class Test(RequestBody, frozen=True):
    """One result of one test (contract: CreateAutomationTest).

    ``status`` is the alias that goes on the wire; ``line`` is 1-based; ``elapsed`` is in microseconds.
    """

    __test__ = False  # pytest must not collect it

    key: str
    name: str
    folder: str
    status: str
    elapsed: Int64 | None = None
    file: str | None = None
    line: Int64 | None = None
    fields: tuple[Field, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    assertions: Int64 | None = None


EndingState: TypeAlias = Literal[
    "ended", "stopped", "interrupted", "interrupted in a worker", "exit", "left", "died", "other"
]
"""How a session ended: at its own end, by an exception that stops it, by Ctrl-C, by ``pytest.exit``, before its end.

``died`` if its process was gone, ``other`` for what was no session of pytest.
"""


class Ending(RequestBody, frozen=True):
    """How a session ended, which `api.sessions` says in words.

    ``status`` is pytest's exit status, ``is_unexplained`` if a plugin set that although no test failed.
    ``limit`` is the number of failures at which it stopped, ``text`` what pytest or a plugin said of it. A Testmo
    instance does not get the others: the ``error`` that ended it, raised at ``place``, and what was ``running`` then,
    the worker and the node id of each test.
    """

    state: EndingState
    status: Int64 = 0
    is_unexplained: bool = False
    limit: Amount | None = None
    text: str = ""
    error: str = ""
    place: str = ""
    running: tuple[tuple[str, str], ...] = ()


# pytest's own words, and pytest-xdist's, for -x and --maxfail; what errors in collection stop is said by its files.
_LIMIT = lazy_pattern("stopping after ([0-9]{1,9}) failures")


def failure_limit(text: str) -> int | None:
    """Return the number of failures at which pytest says that it stopped; None for another reason."""
    match = _LIMIT.search(text)
    return int(match[1]) if match else None


class SessionSummary(RequestBody, frozen=True):
    """The numbers of a session's tests, and how it ended: at a time in microseconds, on the clock by which it began."""

    ended: Amount | None = None
    ending: Ending | None = None
    collected: Amount | None = None
    deselected: Amount = 0
    not_run: Amount = 0


class Resources(RequestBody, frozen=True):
    """Fields, links and artifacts of a run (contract: AppendToAutomationRun); a thread can have all but links.

    ``session`` is the extension of this name.
    """

    fields: tuple[Field, ...] = ()
    links: tuple[Link, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    session: SessionSummary | None = None


class NewRun(RequestBody, frozen=True):
    """A run to create (contract: CreateAutomationRun)."""

    name: str
    source: str
    config: str | None = None
    config_id: Int64 | None = None
    milestone: str | None = None
    milestone_id: Int64 | None = None
    tags: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    links: tuple[Link, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


Holder = TypeVar("Holder", Resources, NewRun)


def joined(holder: Holder, more: Resources) -> Holder:
    """Return a run, or resources, with more fields, links and artifacts behind its own."""
    return replace(
        holder,
        fields=(*holder.fields, *more.fields),
        links=(*holder.links, *more.links),
        artifacts=(*holder.artifacts, *more.artifacts),
    )


class Token(Struct, frozen=True):
    """The API token; neither ``repr`` nor ``str`` shows it."""

    value: str

    def __repr__(self) -> str:
        return "Token('***')"

    __str__ = __repr__


class ArtifactStoreConfig(Struct, frozen=True):
    """The user's own store of artifacts: the address of a bucket, or the absolute path of a folder."""

    address: str
    url: str = ""  # template of the URLs of files; if it is empty, the bucket signs one for each file
    environ: Mapping[str, str] = {}  # the bucket's credentials, which `repr` does not show

    def __repr__(self) -> str:
        return f"ArtifactStoreConfig(address={self.address!r}, url={self.url!r})"


class Endpoint(Struct, frozen=True):
    """The destination of results: a server's origin, or the embedded store's database file."""

    origin: str  # scheme, host and port, or `EMBEDDED_ORIGIN`
    project_id: int
    database: str = ""  # absolute path of the embedded store's SQLite file
    proxies: Mapping[str, str] = {}  # for "http", "https" and "no_proxy", as requests takes them
    ca_file: str = ""  # path of a CA bundle, empty for the built-in one
    uses: tuple[str, ...] = ()  # paths of files that note, once the server answers, that a token was sent there

    def __repr__(self) -> str:  # without the proxies, whose addresses may hold passwords
        return f"Endpoint({self.origin!r}, {self.project_id})"

    @property
    def is_embedded(self) -> bool:
        """Whether results go to the embedded store."""
        return self.origin == EMBEDDED_ORIGIN


class PostgresDatabase(Struct, frozen=True):
    """A PostgreSQL database; ``url`` may hold a password, so messages and logs must use ``shown``."""

    url: str
    shown: str

    def __repr__(self) -> str:
        return f"PostgresDatabase({self.shown!r})"

    def __str__(self) -> str:
        return self.shown


def _text(value: object) -> str:
    """Return the text of a subclass of `str`: one with colours, or one of another plugin."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


_encode = Encoder(enc_hook=_text).encode


def encode(value: object) -> bytes:
    """Return a value as JSON in UTF-8; lone surrogates, which have no UTF-8, are escaped."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return Unpatched.encode(to_builtins(value, enc_hook=_text)).encode()


def decode(text: bytes | str, decoder: Decoder[T]) -> T:
    """Decode JSON in which lone surrogates may be escaped; raises `ValueError` if it is not of the decoder's type."""
    try:
        return decoder.decode(text)
    except ValidationError:
        raise
    except (DecodeError, UnicodeEncodeError):
        value: T = convert(Unpatched.decode(text if isinstance(text, str) else text.decode()), decoder.type)
        return value


# An extension is a property that a server of ours stores beside the contract. The server lists its extensions, with
# commas between them, in a header of every response; a client sends one only to a server that lists it. Unknown names
# are ignored, and a name never changes its meaning: an extension whose form changes gets a new name.
EXTENSIONS_HEADER: Final = "Automation-Report-Extensions"

ROLE_HEADER: Final = "Automation-Report-Role"
"""Header of a response with the role of the token that the request had, by which doctor knows one that only reads."""

# Of a test: microseconds since the `session_started` of its thread, which has those since 1970 and comes with the
# thread's creation or with any append.
STARTED: Final = "started"
PHASES: Final = "phases"  # of a test: the microseconds of setup, call and teardown
STEPS: Final = "steps"  # of a test: a tree of names, statuses, microseconds and attached files
RUNNING: Final = "running"  # of an append: the tests that the thread runs now
COMPARISON: Final = "comparison"  # of a test: operator and both sides of the comparison that failed
COLOURS: Final = "colours"  # of a test: the coloured parts of its fields, by the names of the fields
ATTEMPTS: Final = "attempts"  # of a test: the earlier attempts with all that is known of them
# Of a test: why it did not pass, what was captured, and who owns it. A server that stores causes needs no fields for
# them, nor for attempts and steps.
CAUSES: Final = "causes"
OUTPUT: Final = "output"
OWNER: Final = "owner"
PAUSED: Final = "paused"  # of a test: the microseconds of its time in which Python collected garbage
KNOWN: Final = "known"  # of a test: the entry of a file of known failures that names it
# Of a thread, with its creation or with any append: name and attempt of the job whose results it has. Jobs may have
# several threads. Of results with one key in one job, the results of the highest attempt replace the others.
JOB: Final = "job"
COLLECTION: Final = "collection"  # of an append: how many tests the session collected, and how many it was to run
# Of a thread's creation: the first digits of the ids of its run's commit, and of the last commits that led to it.
ANCESTORS: Final = "ancestors"
MAX_ANCESTORS: Final = 200
# Of a thread's creation: the numbers of its session's tests; of an append to a run or thread: also how it ended.
SESSION: Final = "session"
EXTENSIONS: Final = (
    STARTED, PHASES, STEPS, RUNNING, COMPARISON, COLOURS, ATTEMPTS, CAUSES, OUTPUT, OWNER, KNOWN, JOB, COLLECTION,
    ANCESTORS, SESSION, PAUSED,
)  # fmt: skip


def announced(header: str) -> frozenset[str]:
    """Return which of our extensions a header lists."""
    return frozenset(EXTENSIONS).intersection(map(str.strip, header.split(",")))


# Line after a printed property of several lines, as the official tool reads it.
END_OF_PROPERTY: Final = "[[/PROPERTY]]"

# The contract's limits: most fields, artifacts and steps of a test, and most tests of one append.
FIELD_LIMIT = 25
ARTIFACT_LIMIT = 25
STEP_LIMIT = 100
BATCH_TESTS = 250

# Ours, which settings can change: the largest file of an artifact, and all files of a session that wait for upload.
ARTIFACT_BYTES = 32_000_000
ARTIFACTS_BYTES = 2_000_000_000

# Requests in flight to one server, and the connections that are kept for them: with four the end of a session of many
# workers is a few round trips, and a server gets no crowd from one session.
CONNECTIONS = 4


# The schemes of web addresses, each with the port of an address that names none.
DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


def shown_address(address: str) -> str:
    """Return a URL for a message: without user, password, query and fragment, which may be secrets."""
    shown = re.sub(r"[?#].*", lambda match: match[0][0] + "***", address, flags=re.DOTALL)
    if "@" not in address:
        return shown
    # The last "@": a password may contain one. This must also hide the password of a URL that cannot be parsed.
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", address)
    rest = address.rpartition("@")[2]
    return (scheme[0] if scheme else "") + "***@" + re.sub(r"[?#].*", "", rest, flags=re.DOTALL)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its spelling alone, which no name server can change."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_web_address(text: str) -> bool:
    """Whether a text is an http or https URL that a page can link to."""
    # Most values of fields are no URLs. Parsing takes 7 us in pytest's process, and this first check 1 us.
    return text[:4].lower() == "http" and not web_address_hint(text)


def web_address_hint(address: str) -> str:
    """Return the hint for a text that a page cannot link to, empty for a valid web address."""
    # Not printable are also all spaces but one, and the characters that turn the direction of writing around.
    if not address.isprintable() or " " in address or "\\" in address:
        return "write a web address without spaces"
    try:
        split = urlsplit(address)
        is_web = split.scheme in DEFAULT_PORTS and bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        is_web = False
    return "" if is_web else "write a web address that begins with https:// or http://"


# Header of all responses of a server of ours, with the largest size of an artifact file in bytes. Only a server that
# sends it gets requests that are not in the contract.
KEEPS_HEADER: Final = "Automation-Report-Artifacts"
ARTIFACTS_PATH: Final = "/artifacts"  # to which artifact files are uploaded

# Placeholders of templates that differ from file to file, and those that are the same for the whole session.
OF_FILE: Final = ("path", "name")
OF_RUN: Final = ("build", "attempt", "shard", "branch", "commit", "job_url")
# URL schemes of buckets that can store artifacts.
BUCKETS: Final = ("s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss")

_BRACED: Final = lazy_pattern(r"\{([^{}]*)\}")
_UNSAFE: Final = lazy_pattern(r"[^\w.,+@() -]")


def is_bucket(store: str) -> bool:
    """Whether a store is a bucket and not a folder."""
    return store.partition("://")[0] in BUCKETS and "://" in store


def shown_store(store: str) -> str:
    """Return the address of a store for a message: of a bucket without keys."""
    return shown_address(store) if is_bucket(store) else store


def braced(template: str) -> list[str]:
    """Return the names of a template's placeholders."""
    return _BRACED.findall(template)


def template_for(template: str, values: Mapping[str, str]) -> str:
    """Fill in the placeholders of `OF_RUN`; return an empty text if the value of one is missing."""
    if any(name not in values for name in braced(template) if name not in OF_FILE):
        return ""
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), template)


def file_address(template: str, path: str, name: str) -> str:
    """Return the URL of one file; to a template without placeholders of `OF_FILE` the path is appended."""
    values = {"path": quote(path, safe="/"), "name": quote(name, safe="")}
    if not any(placeholder in values for placeholder in braced(template)):
        return f"{template.rstrip('/')}/{values['path']}"
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), template)


def file_name(name: str) -> str:
    """Return a file name that is valid on all systems: without its folder, and only the end of a long one."""
    last_part = re.split(r"[/\\]", name)[-1]
    return _UNSAFE.sub("_", last_part)[-100:].strip(" .") or "file"
