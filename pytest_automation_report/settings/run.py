"""By what jobs find the one run that they share: the key, the tag that a list shows, the words.

A list of runs can be asked for a tag. So the tag of a run's key holds the key in readable form, and a hash of it with
the run's source: two suites of one build have runs of their own.

The run that a session creates, and how it takes part in one of several jobs.

The one way for pytest and for the console command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import Field, FieldType, NewRun, Resources
from pytest_automation_report.ci.facts import JOB_LINK, with_facts
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.settings.parsers import _PLACE
from pytest_automation_report.text.limits import STRING_UNITS, string, utf16_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.ci.facts import BuildInfo
    from pytest_automation_report.settings.configuration import Configuration


_SHOWN: Final = 60


def filled_key(key: str, facts: BuildInfo) -> tuple[str, tuple[str, ...]]:
    """Return a key with its places filled, and the places that nobody can fill.

    A key with a place that is not known is no key: jobs that have nothing to do with each other would share a run.
    """
    unknown = [name for name in _PLACE.findall(key) if getattr(facts, name) is None]
    if unknown:
        return "", tuple(dict.fromkeys(unknown))
    return _PLACE.sub(lambda match: str(getattr(facts, match[1])), key), ()


def key_tag(source: str, key: str) -> str:
    """Return the tag that a run has for its key."""
    shown = re.sub(r"[^A-Za-z0-9_]+", "-", key).strip("-")[:_SHOWN]
    return f"run-key-{shown}-{sha256(f'{source}:{key}'.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


JOB_FIELD: Final = "Job"
"""Name of a thread's field: the job that the thread's results are of."""


@dataclass(frozen=True, slots=True)
class RunSharing:
    """How a session takes part in a run of several jobs; ``is_shared`` is false for a run of its own.

    ``key`` and ``tag`` are empty where the run is not found by a key. ``is_first`` is whether this job creates the run,
    ``None`` when nobody tells. ``job`` is the job's name, where it has one, ``fields`` tell more about it. ``trouble``
    says why a key is none here.
    """

    is_shared: bool = False
    key: str = ""
    tag: str = ""
    is_first: bool | None = None
    job: str = ""
    fields: tuple[Field, ...] = ()
    trouble: str = ""

    def thread_fields(self, session_id: str) -> tuple[Field, ...]:
        """Return what tells in each thread whose it is; none where the run has no others."""
        return (Field(JOB_FIELD, self.job or session_id), *self.fields) if self.is_shared else ()

    def run(self, run: NewRun, *, has_name: bool) -> NewRun:
        """Return the run to create, the same in every job; ``has_name`` tells that users have named it."""
        if not self.tag:
            return run
        name = run.name if has_name else string(f"{run.source} {self.key}")
        return replace(run, name=name, tags=tuple(dict.fromkeys((*run.tags, self.tag))))


def configured_run(configuration: Configuration, facts: BuildInfo, *, own: Sequence[Field] = ()) -> NewRun:
    """Return the run that the settings describe, its own fields and these facts before theirs."""
    given = NewRun(
        name=configuration.name,
        source=configuration.source,
        config=configuration.config or None,
        config_id=configuration.config_id,
        milestone=configuration.milestone or None,
        milestone_id=configuration.milestone_id,
        tags=configuration.tags,
        resources=Resources(fields=configuration.fields, links=configuration.links),
    )
    return with_facts(given, facts, own=own, is_branch_tag=configuration.branch_tag)


def sharing_of(configuration: Configuration, facts: BuildInfo) -> RunSharing:
    """Return how a session takes part in its run: alone, where neither a run nor a key is given."""
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
        places = ", ".join(f"{{{each}}}" for each in unknown)
        trouble = f"run_key {configuration.run_key!r}: {places} is not known here: a run of its own is made"
        return RunSharing(trouble=trouble)
    is_first = None if facts.shard is None else facts.shard.index == 1
    return replace(shared, key=key, tag=key_tag(configuration.source, key), is_first=is_first)


def common_facts(facts: BuildInfo) -> BuildInfo:
    """Return what all jobs of a run have in common."""
    return replace(facts, shard=None, url=None)


def rules_from(
    configuration: Configuration, junit_prefix: str, secrets: tuple[str, ...], *, artifact_url: str = ""
) -> RecordingOptions:
    """Return how results are made; ``junit_prefix`` stands before folders where no other prefix is given.

    ``artifact_url`` is the template of the addresses of files that stay where they are.
    """
    return RecordingOptions(
        prefix=configuration.folder_prefix or junit_prefix,
        output=configuration.output,
        statuses=configuration.statuses,
        redact=configuration.redact,
        markers=configuration.markers,
        link_templates=configuration.link_templates,
        output_annotations=configuration.output_annotations,
        redact_builtin=configuration.redact_builtin,
        report_not_run=configuration.report_not_run,
        artifact_url=artifact_url,
        artifact_size=configuration.artifact_size,
        artifact_total=configuration.artifact_total,
        browser_artifacts=configuration.browser_artifacts,
        secrets=secrets,
    )
