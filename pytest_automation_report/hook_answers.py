"""What users' hooks have answered, made fit to be sent (floor 1); ValueError and TypeError for what cannot be."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from pytest_automation_report.added import Added
from pytest_automation_report.additions import Additions, ArtifactFile, RunAdditions
from pytest_automation_report.limits import NOTE_UNITS, STRING_UNITS, cut_end, string
from pytest_automation_report.model import Artifact, Field, Link, Resources
from pytest_automation_report.properties import artifact_from, is_address, kind_of, typed_field
from pytest_automation_report.rules import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.rules import Texts

_KEY: Final = re.compile("[a-z0-9]{1,64}")
_TAG: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{STRING_UNITS}}}")


@dataclass(frozen=True, slots=True)
class AddedToRun:
    """What hooks add to a run; the empty name is none."""

    name: str = ""
    tags: tuple[str, ...] = ()
    resources: Resources = Resources()  # noqa: RUF009 - frozen and empty


def added_to_test(answer: object, clean: Texts) -> Added | None:
    """Return what a hook adds to a result."""
    if answer is None:
        return None
    if not isinstance(answer, Additions):
        raise TypeError(f"the hook returned {type(answer).__name__}, not Additions")
    key: object = answer.key
    if key is not None:
        key = _key(key)
    folder: object = answer.folder
    if folder is not None:
        if not (isinstance(folder, str) and folder):
            raise ValueError(f"folder {folder!r} is no text")
        folder = string(folder)
    references = (each for each in answer.artifacts if not isinstance(each, ArtifactFile))
    return Added(_fields(answer.fields, clean), _artifacts(references, clean), key=key, folder=folder)


def files_of(answer: object) -> tuple[ArtifactFile, ...]:
    """Return the files that a hook adds to a result or to a run."""
    artifacts = answer.artifacts if isinstance(answer, (Additions, RunAdditions)) else ()
    return tuple(each for each in artifacts if isinstance(each, ArtifactFile))


def added_to_run(answer: object, clean: Texts) -> AddedToRun:
    """Return what a hook adds to a run."""
    if answer is None:
        return AddedToRun()
    if not isinstance(answer, RunAdditions):
        raise TypeError(f"the hook returned {type(answer).__name__}, not RunAdditions")
    tags: tuple[object, ...] = tuple(answer.tags)
    for tag in tags:
        if not (isinstance(tag, str) and _TAG.fullmatch(tag)):
            raise ValueError(f"tag {tag!r} is not of letters, digits, underscores and dashes")
    resources = Resources(
        fields=_fields(answer.fields, clean),
        links=tuple(_link(each, clean) for each in answer.links),
        artifacts=_artifacts((each for each in answer.artifacts if not isinstance(each, ArtifactFile)), clean),
    )
    return AddedToRun("" if answer.name is None else string(spelled(answer.name)), tuple(answer.tags), resources)


def _key(given: object) -> str:
    """Return a key that the server takes: the text itself, or its hash, as all other keys are hashes of texts."""
    if not (isinstance(given, str) and given):
        raise ValueError(f"key {given!r} is no text")
    return given if _KEY.fullmatch(given) else sha256(given.encode("utf-8", "surrogatepass")).hexdigest()


def _fields(given: Iterable[object], clean: Texts) -> tuple[Field, ...]:
    return tuple(_field(each, clean) for each in given)


def _field(given: object, clean: Texts) -> Field:
    if not isinstance(given, Field):
        raise TypeError(f"{type(given).__name__} is no Field")
    made = typed_field(spelled(given.name), spelled(given.value), kind_of(given.type), clean)
    spelt = ((spelled(name), spelled(value)) for name, value in given.meta.items())
    meta = {clean.string(name): clean.string(clean.beside(name, value)) for name, value in spelt}
    return replace(made, meta=meta, is_highlight=bool(given.is_highlight))


def _artifacts(given: Iterable[object], clean: Texts) -> tuple[Artifact, ...]:
    found = []
    for each in given:
        if not isinstance(each, Artifact):
            raise TypeError(f"{type(each).__name__} is no Artifact")
        size = each.size if isinstance(each.size, int) and each.size >= 0 else None
        mime_type = None if each.mime_type is None else spelled(each.mime_type)
        made = artifact_from(spelled(each.name), spelled(each.url), mime_type, size, clean)
        if made is None:
            raise ValueError(f"artifact {spelled(each.name)!r}: {spelled(each.url)!r} is no web address")
        found.append(replace(made, note=_note(each.note, clean)))
    return tuple(found)


def _link(given: object, clean: Texts) -> Link:
    if not isinstance(given, Link):
        raise TypeError(f"{type(given).__name__} is no Link")
    address = spelled(given.url)
    if not is_address(address):
        raise ValueError(f"link {spelled(given.name)!r}: {address!r} is no web address")
    address = clean.address(address)
    return Link(clean.string(spelled(given.name)) or address, address, _note(given.note, clean))


def _note(note: object, clean: Texts) -> str | None:
    return None if note is None else cut_end(clean.string(spelled(note)), NOTE_UNITS)
