"""Calls of users' hooks: one that fails is told once, and changes nothing else.

What users' hooks have answered, made fit to be sent; ValueError and TypeError for what cannot be.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_automation_report.annotations.hook_values import Additions, ArtifactFile, RunAdditions
from pytest_automation_report.api.models import Artifact, Field, Link, Resources
from pytest_automation_report.recording.annotations import Annotations
from pytest_automation_report.recording.fields import artifact_from, field_type_of, is_address, typed_field
from pytest_automation_report.text.limits import NOTE_UNITS, STRING_UNITS, cut_end, string
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pytest

    from pytest_automation_report.text.redaction import TextCleaner

_Answer = TypeVar("_Answer")

DESCRIBE_RUN: Final = "pytest_automation_report_describe_run"
DESCRIBE_TEST: Final = "pytest_automation_report_describe_test"
PUBLISH_ARTIFACT: Final = "pytest_automation_report_publish_artifact"
FINISHED: Final = "pytest_automation_report_finished"

_WITHOUT: Final[Mapping[str, str]] = {
    DESCRIBE_RUN: "the run goes without its additions",
    DESCRIBE_TEST: "results go without its additions",
    PUBLISH_ARTIFACT: "files go without an address",
    FINISHED: "the report is not affected",
}
PREFIX: Final = "pytest_automation_report"
"""How the names of all hooks of this plugin begin."""

_MOST_TOLD: Final = 10
_MORE: Final = f"more of this kind went wrong; the first {_MOST_TOLD} are told"


class UserErrors:
    """What went wrong in users' own code and settings, each text once; owned by one process."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    @property
    def texts(self) -> list[str]:
        """What is to be told, in the order in which it came."""
        return list(self._texts)

    def add(self, text: str) -> None:
        """Take a text; when there are too many already, tell that there are more."""
        cleaned = string(text)
        if cleaned not in self._texts:
            self._texts.setdefault(cleaned if len(self._texts) < _MOST_TOLD else _MORE)

    def add_unknown_hooks(self, config: pytest.Config) -> None:
        """Report each function in a plugin or conftest that is named like a hook of ours but is none.

        pytest itself refuses such a name, but not where it is marked with ``optionalhook=True``, as ours are to be.
        """
        # Without the prefix, by which all names would be near to each other.
        endings = [each.removeprefix(PREFIX) for each in _WITHOUT]
        for name, caller in sorted(vars(config.pluginmanager.hook).items()):
            if name.startswith(PREFIX) and not caller.has_spec():
                near = difflib.get_close_matches(name.removeprefix(PREFIX), endings)
                hint = f"did you mean {PREFIX}{near[0]}?" if near else f"the hooks are {', '.join(_WITHOUT)}"
                for each in caller.get_hookimpls():
                    code = getattr(each.function, "__code__", None)
                    place = f" in {code.co_filename}" if code is not None else ""
                    self.add(f"{name}{place}: no hook has this name, so it is never called; {hint}")

    def ask(self, hook: str, call: Callable[[], _Answer]) -> _Answer | None:
        """Return what a hook answers, None when it failed; what ends the session (`pytest.exit`, Ctrl-C) passes."""
        import pytest  # noqa: PLC0415 - code that annotates must not load pytest where no test runs

        try:
            return call()
        except pytest.exit.Exception:
            raise
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:  # noqa: BLE001 - a user's code may raise anything; it is told
            self.refuse(hook, error, _place(hook, error))
            return None

    def checked(
        self, hook: str, check: Callable[[object, TextCleaner], _Answer], answer: object, cleaner: TextCleaner
    ) -> _Answer | None:
        """Return what a hook's answer comes to, None when it cannot be used."""
        try:
            return check(answer, cleaner)
        except (TypeError, ValueError, AttributeError) as error:
            self.refuse(hook, error)
            return None

    def refuse(self, hook: str, error: BaseException, place: str = "") -> None:
        """Tell that what a hook answered, or that it failed, cannot be used."""
        where = f" in {place}" if place else ""
        self.add(f"{hook}{where}: {type(error).__name__}: {error}; {_WITHOUT[hook]}")


def _place(hook: str, error: BaseException) -> str:
    """Return the file of the hook that raised."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = code.co_filename
        if code.co_name == hook:
            return place
        trace = trace.tb_next
    return place


_KEY: Final = re.compile("[a-z0-9]{1,64}")
_TAG: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{STRING_UNITS}}}")


@dataclass(frozen=True, slots=True)
class AddedToRun:
    """What hooks add to a run; the empty name is none."""

    name: str = ""
    tags: tuple[str, ...] = ()
    resources: Resources = Resources()  # noqa: RUF009 - frozen and empty


def added_to_test(answer: object, cleaner: TextCleaner) -> Annotations | None:
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
    return Annotations(_fields(answer.fields, cleaner), _artifacts(references, cleaner), key=key, folder=folder)


def files_of(answer: object) -> tuple[ArtifactFile, ...]:
    """Return the files that a hook adds to a result or to a run."""
    artifacts = answer.artifacts if isinstance(answer, (Additions, RunAdditions)) else ()
    return tuple(each for each in artifacts if isinstance(each, ArtifactFile))


def added_to_run(answer: object, cleaner: TextCleaner) -> AddedToRun:
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
        fields=_fields(answer.fields, cleaner),
        links=tuple(_link(each, cleaner) for each in answer.links),
        artifacts=_artifacts((each for each in answer.artifacts if not isinstance(each, ArtifactFile)), cleaner),
    )
    return AddedToRun("" if answer.name is None else string(safe_str(answer.name)), tuple(answer.tags), resources)


def _key(given: object) -> str:
    """Return a key that the server takes: the text itself, or its hash, as all other keys are hashes of texts."""
    if not (isinstance(given, str) and given):
        raise ValueError(f"key {given!r} is no text")
    return given if _KEY.fullmatch(given) else sha256(given.encode("utf-8", "surrogatepass")).hexdigest()


def _fields(given: Iterable[object], cleaner: TextCleaner) -> tuple[Field, ...]:
    return tuple(_field(each, cleaner) for each in given)


def _field(given: object, cleaner: TextCleaner) -> Field:
    if not isinstance(given, Field):
        raise TypeError(f"{type(given).__name__} is no Field")
    made = typed_field(safe_str(given.name), safe_str(given.value), field_type_of(given.type), cleaner)
    spelt = ((safe_str(name), safe_str(value)) for name, value in given.meta.items())
    meta = {cleaner.string(name): cleaner.string(cleaner.redact_by_name(name, value)) for name, value in spelt}
    return replace(made, meta=meta, is_highlight=bool(given.is_highlight))


def _artifacts(given: Iterable[object], cleaner: TextCleaner) -> tuple[Artifact, ...]:
    found = []
    for each in given:
        if not isinstance(each, Artifact):
            raise TypeError(f"{type(each).__name__} is no Artifact")
        size = each.size if isinstance(each.size, int) and each.size >= 0 else None
        mime_type = None if each.mime_type is None else safe_str(each.mime_type)
        made = artifact_from(safe_str(each.name), safe_str(each.url), mime_type, size, cleaner)
        if made is None:
            raise ValueError(f"artifact {safe_str(each.name)!r}: {safe_str(each.url)!r} is no web address")
        found.append(replace(made, note=_note(each.note, cleaner)))
    return tuple(found)


def _link(given: object, cleaner: TextCleaner) -> Link:
    if not isinstance(given, Link):
        raise TypeError(f"{type(given).__name__} is no Link")
    address = safe_str(given.url)
    if not is_address(address):
        raise ValueError(f"link {safe_str(given.name)!r}: {address!r} is no web address")
    address = cleaner.address(address)
    return Link(cleaner.string(safe_str(given.name)) or address, address, _note(given.note, cleaner))


def _note(note: object, cleaner: TextCleaner) -> str | None:
    return None if note is None else cut_end(cleaner.string(safe_str(note)), NOTE_UNITS)
