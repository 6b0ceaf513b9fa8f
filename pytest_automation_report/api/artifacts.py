"""What a store says of a file that it has taken (floor 0).

Addresses of files that somebody else keeps, by a template (floor 1, pure): CI artifacts, and users' own stores.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pytest_automation_report.api.models import EMBEDDED_ORIGIN
from pytest_automation_report.text.limits import STRING_UNITS, utf16_length

if TYPE_CHECKING:
    from collections.abc import Mapping

KEEPS_HEADER: Final = "Automation-Report-Artifacts"
"""Header of all answers of a server that keeps files beside the API; its value is the size of the largest, in bytes.

Only a server of our own has that: without this header no other call than the contract's is ever sent.
"""

ARTIFACTS_PATH: Final = "/artifacts"
"""Where such a server is given files."""

_STARTS: Final = ("https://", "http://", f"{EMBEDDED_ORIGIN}/")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where a file can be read; ``mime_type`` is what the store takes it for, empty when it does not say."""

    url: str
    mime_type: str = ""

    def __post_init__(self) -> None:
        if not self.url.startswith(_STARTS) or utf16_length(self.url) > STRING_UNITS:
            raise ValueError(f"an address that results cannot refer to: {self.url[:100]!r}")

    @classmethod
    def from_json(cls, answer: object) -> StoredFile:
        """Return what a server of ours has answered; raises `ValueError` for what makes no sense."""
        if not isinstance(answer, dict) or not isinstance(answer.get("url"), str):
            raise ValueError("no url")  # noqa: TRY004 - it is the value of an answer
        mime_type = answer.get("mime_type")
        return cls(answer["url"], mime_type if isinstance(mime_type, str) else "")


OF_FILE: Final = ("path", "name")
"""What a template may have in braces that each file tells: where it is below the root folder, and its name."""

OF_RUN: Final = ("build", "attempt", "shard", "branch", "commit", "job_url")
"""What a template may have in braces that is the same for the whole session."""

BUCKETS: Final = ("s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss")
"""Schemes of buckets that files can be stored in."""

_BRACED: Final = re.compile(r"\{([^{}]*)\}")


def is_bucket(store: str) -> bool:
    """Whether a store is a bucket, and no folder."""
    return store.partition("://")[0] in BUCKETS and "://" in store


def braced(template: str) -> list[str]:
    """Return what a template has in braces."""
    return _BRACED.findall(template)


def template_for(template: str, values: Mapping[str, str]) -> str:
    """Fill a template with these values of the run, which `OF_RUN` names; empty when it needs one that is missing."""
    if any(name not in values for name in braced(template) if name not in OF_FILE):
        return ""
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), template)


def address_of(template: str, path: str, name: str) -> str:
    """Return the address of one file; a template that names none is what comes before its path."""
    values = {"path": quote(path, safe="/"), "name": quote(name, safe="")}
    if not any(each in values for each in braced(template)):
        return f"{template.rstrip('/')}/{values['path']}"
    return _BRACED.sub(lambda match: values.get(match[1], match[0]), template)


def file_name(name: str) -> str:
    """Return a name that is safe as the name of a file on any system: the end of a long one, without a folder."""
    last = re.split(r"[/\\]", name)[-1]
    kept = _OTHER.sub("_", last)[-_NAME_LENGTH:].strip(" .")
    return kept or "file"


_OTHER = re.compile(r"[^\w.,+@() -]")


_NAME_LENGTH: Final = 100
