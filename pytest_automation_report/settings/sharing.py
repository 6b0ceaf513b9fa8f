"""Decide how a session takes part in a run that several jobs share.

Jobs find a shared run by its key. A list of runs can be filtered by a tag only, so the run has a tag with the key in
readable form and a hash of source and key: two suites of one build have separate runs.
"""

from __future__ import annotations

import re
import sys
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_automation_report.api.models import RUN_KEY_TAG, Field, FieldType
from pytest_automation_report.ci.facts import JOB_LINK, PLACEHOLDER, BuildInfo, Shard
from pytest_automation_report.settings.run import RunSharing
from pytest_automation_report.text.limits import STRING_UNITS, string, utf16_length

if TYPE_CHECKING:
    from pytest_automation_report.settings.settings import Settings


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


def job_name(job: str, facts: BuildInfo, shard: Shard | None = None) -> tuple[str, bool]:
    """Return the name of a session's job, empty if unknown, and whether other jobs of the build may have it, too.

    ``shard`` is the part of the tests that the session runs: jobs that are numbered otherwise have the names they have.
    """
    if job or facts.job is None:
        return string(_numbered(job or ("shard" if shard else ""), shard)), False
    name = _numbered(facts.job.name, facts.shard)
    if not facts.job.is_shared:
        return string(name), False
    # All jobs of the matrix have this name.
    return string(f"{name} (Python {sys.version_info[0]}.{sys.version_info[1]})"), facts.shard is None


def _numbered(name: str, shard: Shard | None) -> str:
    return name if shard is None or name.endswith(f" {shard}") else f"{name} {shard}"


def decide_sharing(settings: Settings, facts: BuildInfo) -> RunSharing:
    """Return how a session takes part in its run: alone, if the user set neither ``run_id`` nor ``run_key``."""
    if settings.run_id is None and not settings.run_key:
        alone = "each shard gets a run of its own; set automation_report_run_key so that the jobs share one"
        return RunSharing(warning=alone if settings.shard else "")
    shard = () if facts.shard is None else (Field("Shard", str(facts.shard)),)
    has_page = facts.url and utf16_length(facts.url) <= STRING_UNITS
    page = (Field(JOB_LINK, facts.url, FieldType.URL),) if has_page else ()
    job, is_job_shared = job_name(settings.job, facts, settings.shard)
    shared = RunSharing(
        is_shared=True,
        job=job,
        is_job_shared=is_job_shared,
        attempt=(facts.job.execution if facts.job else None) or facts.attempt or 1,
        fields=(*shard, *page),
    )
    if settings.run_id is not None:
        return shared
    key, unknown = filled_key(settings.run_key, facts)
    if unknown:
        placeholders = ", ".join(f"{{{name}}}" for name in unknown)
        warning = f"run_key {settings.run_key!r}: {placeholders} is unknown here, so no other job shares this run"
        return RunSharing(warning=warning)
    numbered = settings.shard or facts.shard
    is_first = None if numbered is None else numbered.index == 1
    return replace(shared, key=key, tag=key_tag(settings.source, key), is_first=is_first)
