"""Annotations by users' hooks, by markers, and from browsers' files: call the hooks, and validate what users write.

A hook that raises an `Exception`, or returns a value that cannot be sent, is reported once in the summary and never
affects the session.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

import pytest
from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.models import Artifact, Field, Link, NewRun, Resources, joined
from pytest_automation_report.guards import Errors, Hooks, goes_on, guarded, safe_str
from pytest_automation_report.recording.collector import DESCRIBE_RUN, DESCRIBE_TEST, AnnotationCollector
from pytest_automation_report.recording.functions import (
    AttemptAnnotations,
    AutomationReport,
    attach,
    current_attempt,
    parse_field_type,
    typed_field,
)
from pytest_automation_report.recording.options import MARKER_PREFIX, artifact_from, is_address, property_field
from pytest_automation_report.recording.phases import Annotations
from pytest_automation_report.recording.user_code import LazyContent, call_hook, check_content
from pytest_automation_report.spool.records import test_key
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import NOTE_UNITS, STRING_UNITS, cut_end, string
from pytest_automation_report.text.node_ids import join_place
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

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
    """Return the annotations in a hook's value without its files; TypeError or ValueError if they cannot be sent."""
    if additions is None:
        return None
    if not isinstance(additions, Additions):
        raise TypeError(f"the hook returned {type(additions).__name__}, not Additions")
    key, folder = additions.key, additions.folder
    texts: Mapping[str, object] = {"key": key, "folder": folder}
    for name, value in texts.items():
        if value is not None and not (isinstance(value, str) and value):
            raise ValueError(f"{name} {value!r} is not a text")
    # Its hash if the server would not accept it: all other keys are hashes of texts.
    if key is not None and not _KEY.fullmatch(key):
        key = test_key("", key)
    folder = None if folder is None else string(folder)
    artifacts = _references(additions.artifacts, cleaner)
    return Annotations(tuple(_field(field, cleaner) for field in additions.fields), artifacts, key=key, folder=folder)


def added_files(additions: object) -> tuple[ArtifactFile, ...]:
    """Return the files that a hook adds to a result or to a run."""
    artifacts = additions.artifacts if isinstance(additions, (Additions, RunAdditions)) else ()
    return tuple(artifact for artifact in artifacts if isinstance(artifact, ArtifactFile))


def with_additions(run: NewRun, additions: object, cleaner: TextCleaner) -> NewRun:
    """Return a run with the additions of a hook, without its files; TypeError or ValueError if they cannot be sent."""
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


def described_run(
    config: pytest.Config, run: NewRun, cleaner: TextCleaner, user_errors: Errors
) -> tuple[NewRun, tuple[ArtifactFile, ...]]:
    """Return the run with the additions of all hooks, and the files to attach to it."""
    returned = call_hook(user_errors, DESCRIBE_RUN, getattr(config.hook, DESCRIBE_RUN), config=config) or ()
    files: list[ArtifactFile] = []
    # pytest returns the value of the hook that was registered last first: reversed, its name counts.
    for value in reversed(returned):
        described = call_hook(user_errors, DESCRIBE_RUN, partial(with_additions, run), value, cleaner)
        if described is not None:
            run = described
            files += added_files(value)
    return run, tuple(files)


def _field(field: object, cleaner: TextCleaner) -> Field:
    if not isinstance(field, Field):
        raise TypeError(f"{type(field).__name__} is not a Field")
    clean = typed_field(safe_str(field.name), safe_str(field.value), parse_field_type(field.type), cleaner)
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
            raise TypeError(f"{type(artifact).__name__} is not an Artifact")
        size = artifact.size if isinstance(artifact.size, int) and artifact.size >= 0 else None
        mime_type = None if artifact.mime_type is None else safe_str(artifact.mime_type)
        clean = artifact_from(safe_str(artifact.name), safe_str(artifact.url), mime_type, size, cleaner)
        if clean is None:
            raise ValueError(f"artifact {safe_str(artifact.name)!r}: {safe_str(artifact.url)!r} is not a web address")
        references.append(replace(clean, note=_note(artifact.note, cleaner)))
    return tuple(references)


def _link(link: object, cleaner: TextCleaner) -> Link:
    if not isinstance(link, Link):
        raise TypeError(f"{type(link).__name__} is not a Link")
    address = safe_str(link.url)
    if not is_address(address):
        raise ValueError(f"link {safe_str(link.name)!r}: {address!r} is not a web address")
    address = cleaner.address(address)
    return Link(cleaner.string(safe_str(link.name)) or address, address, _note(link.note, cleaner))


def _note(note: object, cleaner: TextCleaner) -> str | None:
    return None if note is None else cut_end(cleaner.string(safe_str(note)), NOTE_UNITS)


__tracebackhide__ = True  # pytest shows the lines of the test and of hooks alone

_SCREENSHOT: Final = "get_screenshot_as_png"  # of Selenium's drivers


class AnnotationHooks(Hooks):
    """Calls users' hooks that describe a test, and attaches files of browser tests to their attempts.

    The files are those that pytest-playwright stores, and a screenshot of each Selenium driver among the fixtures of a
    failed test. Only sessions that need one of the two register these hooks: they cost time at every phase.
    """

    def __init__(self, collector: AnnotationCollector, errors: Errors, *, has_browsers: bool) -> None:
        self.internal_errors = errors
        self._collector = collector
        self._has_browsers = has_browsers

    # A wrapper, tryfirst: all other plugins have changed the report when this hook continues, and pytest-playwright has
    # stored the files of the phase. At the teardown's report the values of fixtures can still be read from the item.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the values of users' hooks and the attempt's folder at the teardown, screenshots after a failure."""
        report = yield
        added = _run_as_phase(call.when, partial(self._add, item, report))
        if added.excinfo is not None and report.failed:  # it stays so, with what failed it
            reason = f"{added.excinfo.typename}: {safe_str(added.excinfo.value)}"
            self._collector.user_errors.add(f"additions to {item.nodeid} are left out: {reason}")
        elif added.excinfo is not None:
            made = pytest.TestReport.from_item_and_call(item, added)
            report.outcome, report.longrepr = made.outcome, made.longrepr
        return report

    def _add(self, item: pytest.Item, report: pytest.TestReport) -> None:
        attempt = current_attempt(self._collector)
        if attempt is not None and report.when == "teardown":
            self._describe(attempt, item, report)
        values: Mapping[str, Any] | None = getattr(item, "funcargs", None)
        if attempt is not None and self._has_browsers and values:
            try:
                if report.when == "teardown":
                    _attach_folder(attempt, values.get("output_path"))  # pytest-playwright's fixture
                elif report.failed:
                    for name, value in values.items():
                        # A driver that is closed is an error of the user.
                        if callable(getattr(type(value), _SCREENSHOT, None)):
                            attach(attempt, getattr(value, _SCREENSHOT), f"{name}.png", "image/png")
            except Exception as error:  # fixtures are users' objects; a report without pictures is still a report
                if goes_on(error):
                    raise
                self._collector.user_errors.add(f"files of the browser are left out: {type(error).__name__}: {error}")

    def _describe(self, attempt: AttemptAnnotations, item: pytest.Item, report: pytest.TestReport) -> None:
        errors = self._collector.user_errors
        returned = call_hook(errors, DESCRIBE_TEST, getattr(item.ihook, DESCRIBE_TEST), item=item, report=report) or ()
        # The hook nearest to the test returns first; reversed, its key and folder win, since the last ones do.
        for value in reversed(returned):
            annotations = call_hook(errors, DESCRIBE_TEST, annotations_from, value, self._collector.cleaner)
            if annotations is not None:
                attempt.hook_annotations.append(annotations)
                for file in added_files(value):
                    attach(attempt, file.content, file.name, file.mime_type)


def _run_as_phase(
    when: Literal["collect", "setup", "call", "teardown"], work: Callable[[], None]
) -> pytest.CallInfo[None]:
    """Do work as pytest does a phase: between them a test's time limit, or a skip, would end the whole session."""
    return pytest.CallInfo.from_call(work, when, reraise=(KeyboardInterrupt, Exception))


def _attach_folder(attempt: AttemptAnnotations, folder: object) -> None:
    """Attach all files of an attempt's folder and of the folders in it, by their names."""
    if not isinstance(folder, (str, os.PathLike)):
        return
    for parent, subfolders, names in os.walk(Path(folder)):
        subfolders.sort()  # In place: `os.walk` descends in this order.
        for name in sorted(names):
            attach(attempt, Path(parent, name), name, None)


def scenario_field(item: pytest.Item, bdd: object, cleaner: TextCleaner) -> Annotations | None:
    """Return a field with the place of the scenario that ``bdd``, pytest-bdd's module, made a test of, else None."""
    scenarios = getattr(bdd, "scenario_wrapper_template_registry", None)
    function = getattr(item, "obj", None)
    scenario = scenarios.get(function) if scenarios and type(function) is FunctionType else None
    file = getattr(getattr(scenario, "feature", None), "filename", None)
    if not isinstance(file, str):
        return None
    place = join_place(system.relative(file, item.config.rootpath), getattr(scenario, "line_number", None))
    return Annotations((Field("Feature", cleaner.string(place)),))


_SIGNATURES: Final = {
    "field": "(name, value, type=None)",
    "link": "(url, name='Link')",
    "artifact": "(content, name=None, mime_type=None)",
    "case": "(*ids)",
    "issue": "(*ids)",
}


def annotations_of_markers(collector: AnnotationCollector, item: pytest.Item) -> Annotations | None:
    """Return the annotations of the markers of a test, its class and its module; None without any.

    Markers that were added while the test ran count, too.
    """
    attempt, names = AttemptAnnotations(collector, item), collector.options.marker_names
    marks = [mark for node in item.listchain() for mark in node.own_markers if mark.name in names]

    def read() -> None:
        for mark in marks:
            _read_marker(mark, item, attempt)

    call = _run_as_phase("teardown", read)
    if call.excinfo is not None:
        item.ihook.pytest_runtest_logreport(report=pytest.TestReport.from_item_and_call(item, call))
    added = attempt.close()
    return added if added.fields or added.artifacts else None


def _read_marker(mark: pytest.Mark, item: pytest.Item, attempt: AttemptAnnotations) -> None:
    """Add the annotations of one marker, or an error of the user."""
    # Without our prefix it is a marker of the setting `markers`.
    short = mark.name.removeprefix(MARKER_PREFIX) if mark.name.startswith(MARKER_PREFIX) else ""
    try:
        match short:
            case "field":
                AutomationReport(attempt).field(*mark.args, **mark.kwargs)
            case "link":
                AutomationReport(attempt).link(*mark.args, **mark.kwargs)
            case "artifact":
                _add_artifact(attempt, item.config.rootpath, *mark.args, **mark.kwargs)
            case "case" | "issue":
                _add_references(attempt, short, *mark.args, **mark.kwargs)
            case _:
                pairs = (f"{name}={safe_str(value)}" for name, value in mark.kwargs.items())
                values = [*map(safe_str, mark.args), *pairs]
                attempt.add(property_field(mark.name, ", ".join(values) or "yes", attempt.collector.cleaner))
    except Exception as error:  # the arguments are users' objects
        if goes_on(error):
            raise
        reason = safe_str(error)
        # Python's message for wrong arguments names our function, which the marker's user does not know.
        if reason.startswith(("AutomationReport.", "_add_artifact()", "_add_references()")):
            reason = f"write {mark.name}{_SIGNATURES[short]}"
        attempt.collector.user_errors.add(f"marker {mark.name} of {item.nodeid} cannot be used: {reason}")


def _add_artifact(
    attempt: AttemptAnnotations, root: Path, content: LazyContent, name: str | None = None, mime_type: str | None = None
) -> None:
    check_content(content)
    # A relative path starts at the root folder: users start a session in any folder.
    attach(attempt, content, name, mime_type, folder=root)


def _add_references(attempt: AttemptAnnotations, short: str, *ids: object) -> None:
    if not ids:
        raise TypeError("name at least one")
    template, cleaner = attempt.collector.options.link_templates.get(short), attempt.collector.cleaner
    for text in map(safe_str, ids):
        value = text if template is None else template.replace("{}", quote(text, safe=""))
        attempt.add(property_field(short.capitalize(), value, cleaner))
