"""The values of users' hooks; call the hooks, validate what they return, and collect the errors of users' code.

A hook that raises, or returns a value that cannot be sent, is reported once in the summary and never affects the
session.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.models import Artifact, Field, Link, NewRun, Resources, joined
from pytest_automation_report.recording.fields import artifact_from, field_type_of, is_address, typed_field
from pytest_automation_report.recording.phases import Annotations
from pytest_automation_report.text.limits import NOTE_UNITS, STRING_UNITS, cut_end, string
from pytest_automation_report.text.redaction import safe_str
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.recording.functions import LazyContent
    from pytest_automation_report.text.redaction import TextCleaner


class ArtifactFile(Struct, frozen=True):
    """A file to add to a result or a run, with the same ways to an address as a file of the function `artifact`.

    ``content`` is a path, bytes, or a function that returns either. Without ``name`` the file's own name is used.
    """

    content: LazyContent
    name: str | None = None
    mime_type: str | None = None


class Additions(Struct, frozen=True, kw_only=True):
    """Additions to one result.

    ``key`` and ``folder`` replace those that the result has by itself, unless they are None. A key with other
    characters than a-z and 0-9, or with more than 64, is sent as its SHA-256. A test whose process dies is reported
    without additions.
    """

    key: str | None = None
    folder: str | None = None
    fields: Sequence[Field] = ()
    artifacts: Sequence[Artifact | ArtifactFile] = ()


class RunAdditions(Struct, frozen=True, kw_only=True):
    """Additions to the run that a session creates; ``name`` replaces the run's own name, unless it is None.

    Files are copied at the session's start and stored before the run is completed.
    """

    name: str | None = None
    tags: Sequence[str] = ()
    fields: Sequence[Field] = ()
    links: Sequence[Link] = ()
    artifacts: Sequence[Artifact | ArtifactFile] = ()


class Summary(Struct, frozen=True, kw_only=True):
    """The numbers of a session after the delivery.

    ``run`` is the run's id, None if no run was created. ``url`` is its web page, for the embedded store the address at
    which ``automation-report serve`` shows it, empty without a run. ``counts`` are the results by status.
    ``delivered``, ``kept``, ``rejected`` and ``held`` are numbers of results, ``not_run`` is the number of collected
    tests without a result. ``is_whole`` is whether the server has confirmed every result.
    """

    run: int | None
    url: str
    counts: Mapping[str, int] = field(default_factory=dict)
    delivered: int = 0
    kept: int = 0
    rejected: int = 0
    held: int = 0
    not_run: int = 0
    is_whole: bool = False


# Keys and tags that the API accepts.
_KEY: Final = lazy_pattern("[a-z0-9]{1,64}")
_TAG: Final = lazy_pattern(rf"[A-Za-z0-9_-]{{1,{STRING_UNITS}}}")


def annotations_from(additions: object, cleaner: TextCleaner) -> Annotations | None:
    """Return the annotations in a hook's value without its files, None for None.

    TypeError or ValueError if the server would refuse them.
    """
    if additions is None:
        return None
    if not isinstance(additions, Additions):
        raise TypeError(f"the hook returned {type(additions).__name__}, not Additions")
    key: object = additions.key
    if key is not None:
        if not (isinstance(key, str) and key):
            raise ValueError(f"key {key!r} is no text")
        # Its hash if the server would not accept it: all other keys are hashes of texts.
        key = key if _KEY.fullmatch(key) else sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    folder: object = additions.folder
    if folder is not None:
        if not (isinstance(folder, str) and folder):
            raise ValueError(f"folder {folder!r} is no text")
        folder = string(folder)
    artifacts = _references(additions.artifacts, cleaner)
    return Annotations(tuple(_field(field, cleaner) for field in additions.fields), artifacts, key=key, folder=folder)


def files_of(additions: object) -> tuple[ArtifactFile, ...]:
    """Return the files that a hook adds to a result or to a run."""
    artifacts = additions.artifacts if isinstance(additions, (Additions, RunAdditions)) else ()
    return tuple(artifact for artifact in artifacts if isinstance(artifact, ArtifactFile))


def with_additions(run: NewRun, additions: object, cleaner: TextCleaner) -> NewRun:
    """Return a run with the additions in a hook's value, without its files; the run as it is for None.

    TypeError or ValueError if the server would refuse them.
    """
    if additions is None:
        return run
    if not isinstance(additions, RunAdditions):
        raise TypeError(f"the hook returned {type(additions).__name__}, not RunAdditions")
    tags: tuple[object, ...] = tuple(additions.tags)
    for tag in tags:
        if not (isinstance(tag, str) and _TAG.fullmatch(tag)):
            raise ValueError(f"tag {tag!r} is not of letters, digits, underscores and dashes")
    added = Resources(
        fields=tuple(_field(field, cleaner) for field in additions.fields),
        links=tuple(_link(link, cleaner) for link in additions.links),
        artifacts=_references(additions.artifacts, cleaner),
    )
    name = "" if additions.name is None else string(safe_str(additions.name))
    tagged = replace(run, name=name or run.name, tags=tuple(dict.fromkeys((*run.tags, *additions.tags))))
    return joined(tagged, added)


def _field(field: object, cleaner: TextCleaner) -> Field:
    if not isinstance(field, Field):
        raise TypeError(f"{type(field).__name__} is no Field")
    clean = typed_field(safe_str(field.name), safe_str(field.value), field_type_of(field.type), cleaner)
    pairs = ((safe_str(name), safe_str(value)) for name, value in field.meta.items())
    meta = {cleaner.string(name): cleaner.string(cleaner.redact_by_name(name, value)) for name, value in pairs}
    return replace(clean, meta=meta, is_highlight=bool(field.is_highlight))


def _references(artifacts: Iterable[object], cleaner: TextCleaner) -> tuple[Artifact, ...]:
    """Return the artifacts that have an address already; files are attached elsewhere."""
    references = []
    for artifact in artifacts:
        if isinstance(artifact, ArtifactFile):
            continue
        if not isinstance(artifact, Artifact):
            raise TypeError(f"{type(artifact).__name__} is no Artifact")
        size = artifact.size if isinstance(artifact.size, int) and artifact.size >= 0 else None
        mime_type = None if artifact.mime_type is None else safe_str(artifact.mime_type)
        clean = artifact_from(safe_str(artifact.name), safe_str(artifact.url), mime_type, size, cleaner)
        if clean is None:
            raise ValueError(f"artifact {safe_str(artifact.name)!r}: {safe_str(artifact.url)!r} is no web address")
        references.append(replace(clean, note=_note(artifact.note, cleaner)))
    return tuple(references)


def _link(link: object, cleaner: TextCleaner) -> Link:
    if not isinstance(link, Link):
        raise TypeError(f"{type(link).__name__} is no Link")
    address = safe_str(link.url)
    if not is_address(address):
        raise ValueError(f"link {safe_str(link.name)!r}: {address!r} is no web address")
    address = cleaner.address(address)
    return Link(cleaner.string(safe_str(link.name)) or address, address, _note(link.note, cleaner))


def _note(note: object, cleaner: TextCleaner) -> str | None:
    return None if note is None else cut_end(cleaner.string(safe_str(note)), NOTE_UNITS)
