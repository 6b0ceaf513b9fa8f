"""Check and create URLs of artifact files.

A file has the URL that its store returned (`responses.StoredFile`), or one that a user's template creates. Templates
are for files that the CI provider, or the user's bucket or folder stores.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pytest_automation_report.api.urls import shown_address
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

KEEPS_HEADER: Final = "Automation-Report-Artifacts"
"""Header of all responses of a server that stores artifact files; its value is the largest size in bytes.

Only our embedded server sends it, so it also shows that the server knows our extensions of the contract. No other
server gets a request that is not in the contract.
"""

ARTIFACTS_PATH: Final = "/artifacts"
"""Path to which artifact files are uploaded."""

OF_FILE: Final = ("path", "name")
"""Placeholders that differ from file to file: the path below the root folder, and the name."""

OF_RUN: Final = ("build", "attempt", "shard", "branch", "commit", "job_url")
"""Placeholders that are the same for the whole session."""

BUCKETS: Final = ("s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss")
"""URL schemes of buckets that can store artifacts."""

_BRACED: Final = lazy_pattern(r"\{([^{}]*)\}")
_UNSAFE: Final = lazy_pattern(r"[^\w.,+@() -]")
_MAX_NAME_LENGTH: Final = 100


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


def address_of(template: str, path: str, name: str) -> str:
    """Return the URL of one file; to a template without placeholders of `OF_FILE` the path is appended."""
    values = {"path": quote(path, safe="/"), "name": quote(name, safe="")}
    if not any(placeholder in values for placeholder in braced(template)):
        return f"{template.rstrip('/')}/{values['path']}"
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), template)


def file_name(name: str) -> str:
    """Return a file name that is valid on all systems: without its folder, and only the end of a long one."""
    last_part = re.split(r"[/\\]", name)[-1]
    safe_name = _UNSAFE.sub("_", last_part)[-_MAX_NAME_LENGTH:].strip(" .")
    return safe_name or "file"
