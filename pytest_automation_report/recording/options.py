"""The settings that decide how results are recorded, for xdist workers and in ``session.json`` for the sender."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from os.path import exists
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.models import ARTIFACT_BYTES, ARTIFACTS_BYTES, Status, Token
from pytest_automation_report.text.redaction import TextCleaner, cached_cleaner, secret_values

MARKER_PREFIX: Final = "automation_report_"
_MARKERS: Final = frozenset(f"{MARKER_PREFIX}{name}" for name in ("field", "link", "artifact", "case", "issue"))

UNTESTED: Final = "untested"
"""Status of a test that was collected and never started, or was interrupted."""

FAILED: Final = frozenset({"failure", "error"})
"""Statuses of a failed test."""

Output: TypeAlias = Literal["failed", "all", "none"]
"""Tests whose captured output is recorded."""

# Hiding a shorter token would hide parts of ordinary words.
_SHORTEST_HIDDEN: Final = 4


class RecordingOptions(Struct, frozen=True):
    """Settings of the recorder; those with the names of settings are described there.

    ``prefix`` stands before folders, as ``--junit-prefix`` does in pytest's XML. ``statuses`` maps a status to its
    alias on the wire. ``secrets`` are values to hide: each process collects them from its environment, and no file has
    them. ``artifact_size`` is in bytes, as is ``artifact_total``, for all copies that wait for their upload.
    ``owners`` is the path of a CODEOWNERS file, ``owned_folder`` the path of the tests' root in its repository.
    ``is_shared``: the run is one of several jobs, so each session describes what it collected.
    """

    prefix: str = ""
    output: Output = "failed"
    statuses: Mapping[Status, str] = field(default_factory=dict)
    redact: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    link_templates: Mapping[str, str] = field(default_factory=dict)
    output_annotations: bool = False
    redact_builtin: bool = True
    artifact_url: str = ""
    artifact_size: int = ARTIFACT_BYTES
    artifact_total: int = ARTIFACTS_BYTES
    browser_artifacts: bool = True
    secrets: tuple[str, ...] = ()
    report_not_run: bool = False
    owners: str = ""
    owned_folder: str = ""
    is_shared: bool = False

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name != "secrets")
        return f"RecordingOptions({', '.join(shown)})"

    @property
    def marker_names(self) -> frozenset[str]:
        """The names of all markers that add to results: ours, and the user's."""
        return _MARKERS.union(self.markers)

    def without_secrets(self) -> RecordingOptions:
        """Return the options as they may be sent or written: each process collects secrets from its environment."""
        return replace(self, secrets=())

    def for_sender(self) -> RecordingOptions:
        """Return the options without redaction: texts are clean before they reach the sender."""
        return replace(self, redact=(), redact_builtin=False, secrets=())


def cleaner_for(options: RecordingOptions) -> TextCleaner:
    """Return the cleaner for these options; raises ``re.error`` for a redaction that is not a regular expression."""
    return cached_cleaner(options.redact, options.secrets, options.redact_builtin)


def secrets_from(environ: Mapping[str, str], token: Token | None, *, is_builtin: bool) -> tuple[str, ...]:
    """Return the values to hide: the token, and with ``is_builtin`` the values of variables named like secrets."""
    own = () if token is None or len(token.value) < _SHORTEST_HIDDEN else (token.value,)
    return (*own, *(secret_values(environ, is_path=exists) if is_builtin else ()))
