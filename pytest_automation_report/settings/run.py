"""Build the run that a session creates, and decide how the session takes part in a run that several jobs share.

pytest and the console command both build their runs here, so the same settings give the same run. Jobs find a shared
run by its key. A list of runs can be filtered by a tag only, so the run has a tag with the key in readable form and a
hash of source and key: two suites of one build have separate runs.
"""

from __future__ import annotations

import re
from dataclasses import fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.models import Field, FieldType, NewRun, Resources
from pytest_automation_report.ci.facts import JOB_LINK, with_facts
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.settings.parsers import PLACEHOLDER
from pytest_automation_report.text.limits import STRING_UNITS, string, utf16_length
from pytest_automation_report.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.ci.facts import BuildInfo
    from pytest_automation_report.settings.configuration import Configuration

JOB_FIELD: Final = "Job"
"""Name of a thread's field: the job that the thread's results belong to."""

_KEY_CHARACTERS: Final = 60
"""Most characters of a key in its tag; the hash after them keeps longer keys apart."""


class RunSharing(Value):
    """Describe how a session takes part in a run of several jobs; ``is_shared`` is false for a separate run.

    ``key`` and ``tag`` are empty if the run is joined by its id. ``is_first`` is whether this job creates the run,
    ``None`` if the CI provider does not number parallel jobs. ``job`` is the job's name, empty if it has none;
    ``fields`` describe the job. ``warning`` has the reason why a key cannot be used.
    """

    is_shared: bool = False
    key: str = ""
    tag: str = ""
    is_first: bool | None = None
    job: str = ""
    fields: tuple[Field, ...] = ()
    warning: str = ""

    def thread_fields(self, session_id: str) -> tuple[Field, ...]:
        """Return the fields of each thread that name its job; none for a separate run."""
        return (Field(JOB_FIELD, self.job or session_id), *self.fields) if self.is_shared else ()

    def run(self, run: NewRun, *, has_name: bool) -> NewRun:
        """Return the run to create, the same in every job; ``has_name`` is whether the user named it."""
        if not self.tag:
            return run
        name = run.name if has_name else string(f"{run.source} {self.key}")
        return replace(run, name=name, tags=tuple(dict.fromkeys((*run.tags, self.tag))))


def filled_key(key: str, facts: BuildInfo) -> tuple[str, tuple[str, ...]]:
    """Return a key with its placeholders filled, and the names of the unknown ones.

    With an unknown one the key is empty: jobs of different builds would have the same key and share a run.
    """
    unknown = [name for name in PLACEHOLDER.findall(key) if getattr(facts, name) is None]
    if unknown:
        return "", tuple(dict.fromkeys(unknown))
    return PLACEHOLDER.sub(lambda match: str(getattr(facts, match[1])), key), ()


def key_tag(source: str, key: str) -> str:
    """Return the tag of the run with this key."""
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", key).strip("-")[:_KEY_CHARACTERS]
    return f"run-key-{readable}-{sha256(f'{source}:{key}'.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


def configured_run(configuration: Configuration, facts: BuildInfo, *, own: Sequence[Field] = ()) -> NewRun:
    """Return the run that the settings describe, with the fields in ``own`` and these facts."""
    run = NewRun(
        name=configuration.name,
        source=configuration.source,
        config=configuration.config or None,
        config_id=configuration.config_id,
        milestone=configuration.milestone or None,
        milestone_id=configuration.milestone_id,
        tags=configuration.tags,
        resources=Resources(fields=configuration.fields, links=configuration.links),
    )
    return with_facts(run, facts, own=own, is_branch_tag=configuration.branch_tag)


def sharing_of(configuration: Configuration, facts: BuildInfo) -> RunSharing:
    """Return how a session takes part in its run: alone, if the user set neither ``run_id`` nor ``run_key``."""
    if configuration.run_id is None and not configuration.run_key:
        return RunSharing()
    shard = () if facts.shard is None else (Field("Shard", str(facts.shard)),)
    has_page = facts.url and utf16_length(facts.url) <= STRING_UNITS
    page = (Field(JOB_LINK, facts.url, FieldType.URL),) if has_page else ()
    shared = RunSharing(is_shared=True, job=string(configuration.job), fields=(*shard, *page))
    if configuration.run_id is not None:
        return shared
    key, unknown = filled_key(configuration.run_key, facts)
    if unknown:
        placeholders = ", ".join(f"{{{name}}}" for name in unknown)
        warning = f"run_key {configuration.run_key!r}: {placeholders} is not known here: a separate run is created"
        return RunSharing(warning=warning)
    is_first = None if facts.shard is None else facts.shard.index == 1
    return replace(shared, key=key, tag=key_tag(configuration.source, key), is_first=is_first)


def common_facts(facts: BuildInfo) -> BuildInfo:
    """Return the facts that all jobs of a run have in common."""
    return replace(facts, shard=None, url=None)


def recording_options(
    configuration: Configuration, junit_prefix: str, secrets: tuple[str, ...], *, artifact_url: str = ""
) -> RecordingOptions:
    """Return the options of the recorder; ``junit_prefix`` stands before folders if the user set no other prefix.

    ``artifact_url`` is the template of the addresses of files that the CI provider uploads, with the build filled in.
    """
    names = {field.name for field in fields(configuration)} & {field.name for field in fields(RecordingOptions)}
    options: dict[str, Any] = {name: getattr(configuration, name) for name in names}
    options.update(prefix=configuration.folder_prefix or junit_prefix, artifact_url=artifact_url, secrets=secrets)
    return RecordingOptions(**options)
