"""Build the run that a session creates, and decide how the session takes part in a run that several jobs share.

Jobs find a shared run by its key. A list of runs can be filtered by a tag only, so the run has a tag with the key in
readable form and a hash of source and key: two suites of one build have separate runs.
"""

from __future__ import annotations

import os
import re
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import RUN_KEY_TAG, Field, FieldType, NewRun, Resources
from pytest_automation_report.ci.facts import JOB_LINK, PLACEHOLDER, with_facts
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.text.limits import STRING_UNITS, string, utf16_length

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.ci.facts import BuildInfo, Shard
    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.text.redaction import TextCleaner

Described = TypeVar("Described", NewRun, Resources)

JOB_FIELD: Final = "Job"
"""Name of a thread's field: the job that the thread's results belong to."""


class RunSharing(Struct, frozen=True):
    """Describe how a session takes part in a run of several jobs; ``is_shared`` is false for a separate run.

    ``key`` and ``tag`` are empty if the run is joined by its id. ``is_first``: this job creates the run, ``None`` if
    the CI provider does not number parallel jobs. ``job`` is the job's name; if ``is_job_shared``, other jobs may have
    the same. ``attempt`` grows with each attempt of the job. ``fields`` describe the job. ``warning``: why a key cannot
    be used.
    """

    is_shared: bool = False
    key: str = ""
    tag: str = ""
    is_first: bool | None = None
    job: str = ""
    is_job_shared: bool = False
    attempt: int = 1
    fields: tuple[Field, ...] = ()
    warning: str = ""

    def thread_fields(self, session_id: str) -> tuple[Field, ...]:
        """Return the fields of each thread that name its job; none for a separate run."""
        if not self.is_shared:
            return ()
        # Where jobs of a matrix have one name, each session counts as a job.
        label = f"{self.job} ({session_id})" if self.job and self.is_job_shared else self.job or session_id
        return (Field(JOB_FIELD, label), *self.fields)

    def thread_job(self, session_id: str) -> Json:
        """Return the job of each thread, as `api.models.JOB` describes it; empty for a separate run."""
        return {"name": self.job or session_id, "attempt": self.attempt} if self.is_shared else {}


def filled_key(key: str, facts: BuildInfo) -> tuple[str, tuple[str, ...]]:
    """Return a key with its placeholders filled, empty with an unknown one, and the names of the unknown ones."""
    facts = replace(facts, attempt=facts.attempt or 1)
    unknown = [name for name in re.findall(PLACEHOLDER, key) if getattr(facts, name) is None]
    if unknown:
        return "", tuple(dict.fromkeys(unknown))
    return re.sub(PLACEHOLDER, lambda match: str(getattr(facts, match[1])), key), ()


def key_tag(source: str, key: str) -> str:
    """Return the tag of the run with this key."""
    # The hash keeps longer keys apart.
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", key).strip("-")[:60]
    return f"{RUN_KEY_TAG}{readable}-{sha256(f'{source}:{key}'.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


def configured_run(
    configuration: Settings, facts: BuildInfo, sharing: RunSharing, *, own: Sequence[Field] = ()
) -> NewRun:
    """Return the run that the settings describe, with these facts; a shared run has those of all its jobs."""
    run = NewRun(
        name=configuration.name,
        source=configuration.source,
        config=configuration.config or None,
        config_id=configuration.config_id,
        milestone=configuration.milestone or None,
        milestone_id=configuration.milestone_id,
        tags=configuration.tags,
        fields=configuration.fields,
        links=configuration.links,
    )
    if sharing.tag:
        facts = replace(facts, shard=None, url=None, attempt=None)
        if "name" not in configuration.origins:
            run = replace(run, name=string(f"{run.source} {sharing.key}"))
    run = with_facts(run, facts, own=own, is_branch_tag=configuration.branch_tag)
    return replace(run, tags=tuple(dict.fromkeys((*run.tags, sharing.tag)))) if sharing.tag else run


def without_secrets(described: Described, options: RecordingOptions) -> Described:
    """Return a run, or what is added to one, with secrets hidden in its fields and links, cut to the limits."""
    cleaner = cleaner_for(options)
    return replace(
        described,
        fields=tuple(_clean_field(field, cleaner) for field in described.fields),
        links=tuple(replace(link, url=cleaner.address(link.url)) for link in described.links),
    )


def _clean_field(field: Field, cleaner: TextCleaner) -> Field:
    if field.value is None:
        return field
    value = cleaner.redact_by_name(field.name, field.value)
    value = cleaner.address(value) if field.type is FieldType.URL else cleaner.console(value)
    return field if value == field.value else replace(field, value=value)


def job_of(job: str, facts: BuildInfo, shard: Shard | None = None) -> tuple[str, bool]:
    """Return the name of a session's job, empty if unknown, and whether other jobs of the build may have it, too.

    ``shard`` is the part of the tests that the session runs: jobs that are numbered otherwise have the names they have.
    """
    if job or facts.job is None:
        return string(_numbered(job or ("shard" if shard else ""), shard)), False
    name = _numbered(facts.job.name, facts.shard)
    if not facts.job.is_shared:
        return string(name), False
    # All jobs of the matrix have this name.
    return string(f"{name}, Python {sys.version_info[0]}.{sys.version_info[1]}"), facts.shard is None


def _numbered(name: str, shard: Shard | None) -> str:
    return name if shard is None or name.endswith(f" {shard}") else f"{name} {shard}"


def sharing_of(configuration: Settings, facts: BuildInfo) -> RunSharing:
    """Return how a session takes part in its run: alone, if the user set neither ``run_id`` nor ``run_key``."""
    if configuration.run_id is None and not configuration.run_key:
        alone = "each shard has a run of its own: with automation_report_run_key the jobs share one"
        return RunSharing(warning=alone if configuration.shard else "")
    shard = () if facts.shard is None else (Field("Shard", str(facts.shard)),)
    has_page = facts.url and utf16_length(facts.url) <= STRING_UNITS
    page = (Field(JOB_LINK, facts.url, FieldType.URL),) if has_page else ()
    job, is_job_shared = job_of(configuration.job, facts, configuration.shard)
    shared = RunSharing(
        is_shared=True,
        job=job,
        is_job_shared=is_job_shared,
        attempt=(facts.job.execution if facts.job else None) or facts.attempt or 1,
        fields=(*shard, *page),
    )
    if configuration.run_id is not None:
        return shared
    key, unknown = filled_key(configuration.run_key, facts)
    if unknown:
        placeholders = ", ".join(f"{{{name}}}" for name in unknown)
        warning = f"run_key {configuration.run_key!r}: {placeholders} is not known here: a separate run is created"
        return RunSharing(warning=warning)
    is_first = None if facts.shard is None else facts.shard.index == 1
    return replace(shared, key=key, tag=key_tag(configuration.source, key), is_first=is_first)


def recording_options(
    configuration: Settings, prefix: str, secrets: tuple[str, ...], root: Path, *, artifact_url: str = ""
) -> RecordingOptions:
    """Return the options of the recorder; ``prefix`` stands before folders.

    ``root`` is the folder that paths of tests start from, ``artifact_url`` the filled template of the addresses of
    files that the CI provider uploads.
    """
    owned_folder = ""
    if configuration.owners:
        from pytest_automation_report.findings.owners import repository_of  # noqa: PLC0415 - few projects name them

        owned_folder = os.path.relpath(root, repository_of(configuration.owners))
    return RecordingOptions(
        prefix=prefix,
        output=configuration.output,
        statuses=configuration.statuses,
        redact=configuration.redact,
        markers=configuration.markers,
        link_templates=configuration.link_templates,
        output_annotations=configuration.output_annotations,
        redact_builtin=configuration.redact_builtin,
        artifact_url=artifact_url,
        artifact_size=configuration.artifact_size,
        artifact_total=configuration.artifact_total,
        browser_artifacts=configuration.browser_artifacts,
        secrets=secrets,
        report_not_run=configuration.report_not_run,
        owners=configuration.owners,
        owned_folder=owned_folder,
        is_shared=configuration.run_id is not None or bool(configuration.run_key),
    )
