"""Build the run that a session creates, the options of its recorder, and the timeouts of its sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import Field, FieldType, Json, NewRun, Resources
from pytest_automation_report.ci.facts import BuildInfo, with_facts
from pytest_automation_report.delivery.launch import Timeouts
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import string
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

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


def configured_run(settings: Settings, facts: BuildInfo, sharing: RunSharing, *, own: Sequence[Field] = ()) -> NewRun:
    """Return the run that the settings describe, with these facts; a shared run has the facts of all its jobs."""
    run = NewRun(
        name=settings.name,
        source=settings.source,
        config=settings.config or None,
        config_id=settings.config_id,
        milestone=settings.milestone or None,
        milestone_id=settings.milestone_id,
        tags=settings.tags,
        fields=settings.fields,
        links=settings.links,
    )
    if sharing.tag:
        facts = replace(facts, shard=None, url=None, attempt=None)
        if "name" not in settings.origins:
            run = replace(run, name=string(f"{run.source} {sharing.key}"))
    run = with_facts(run, facts, own=own, is_branch_tag=settings.branch_tag)
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


def recording_options(
    settings: Settings, prefix: str, secrets: tuple[str, ...], root: Path, *, artifact_url: str = ""
) -> RecordingOptions:
    """Return the options of the recorder; ``prefix`` stands before folders.

    ``root`` is the folder that paths of tests start from, ``artifact_url`` the filled template of the addresses of
    files that the CI provider uploads.
    """
    owned_folder = ""
    if settings.owners:
        from pytest_automation_report.findings.known import owned_repository  # noqa: PLC0415 - few projects name them

        owned_folder = system.relative(root, owned_repository(settings.owners))
    # A member that has the name of a setting has its value.
    same = {name: value for name, value in vars(settings).items() if name in RecordingOptions.__struct_fields__}
    return RecordingOptions(
        **{**same, "artifact_url": artifact_url},
        prefix=prefix,
        secrets=secrets,
        owned_folder=owned_folder,
        is_shared=settings.run_id is not None or bool(settings.run_key),
    )


# Not a setting: the project's own tests shorten the timeouts with it.
LIMITS_VARIABLE: Final = "_AUTOMATION_REPORT_LIMITS"


def timeouts_from(environ: Mapping[str, str], *, is_embedded: bool = False, **overrides: float) -> Timeouts:
    """Return the timeouts: the defaults, then ``overrides``, then the environment."""
    # An append to the embedded store takes 3 ms, so its pages can follow closely.
    own = {"batch_age": 1.0} if is_embedded else {}
    return Timeouts(**{**own, **overrides, **Unpatched.decode(environ.get(LIMITS_VARIABLE, "{}"))})
