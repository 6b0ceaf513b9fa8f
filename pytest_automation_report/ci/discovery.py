"""Collect build metadata: explicit settings first, then the CI provider, then git.

Pytest and the console command both use it, so the runs of both have the same fields.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.ci.facts import BuildInfo, with_fallbacks
from pytest_automation_report.ci.git import checkout_facts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["FactsScope", "facts_for", "file_text"]

FactsScope: TypeAlias = 'Literal["all", "ci", "none"]'
"""The sources of facts besides settings: CI provider and git, the CI provider alone, or neither."""

FILE_BYTES: Final = 4 * 1024 * 1024
"""Maximum size of a file that a variable names; GitHub's event of a pull request has some ten thousand bytes."""


def facts_for(given: BuildInfo, scope: FactsScope, environ: Mapping[str, str], root: Path) -> BuildInfo:
    """Fill the missing facts of settings with those of the CI provider, then with those of the git checkout.

    Takes a fraction of a millisecond and never raises.
    """
    if scope == "none":
        return given
    facts = with_fallbacks(given, ci_facts(environ, file_text))
    if scope == "ci":
        return facts
    # A CI job checks a commit out and tests it; only users change files before they run tests.
    is_local = facts.provider is None and facts.commit is None
    return with_fallbacks(facts, checkout_facts(root, is_local=is_local))


def file_text(path: str) -> str:
    """Return the text of a file, "" if it cannot be read or is larger than `FILE_BYTES`."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > FILE_BYTES:  # noqa: PTH113, PTH202 - a Path refuses some texts
            return ""
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return file.read(FILE_BYTES).decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
