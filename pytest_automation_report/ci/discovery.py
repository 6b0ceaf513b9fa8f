"""Where a run is made: what was said first, then what CI tells, then git.

The one way for pytest and for the console command, so that a run tells the same whoever made it.
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

FactsScope: TypeAlias = Literal["all", "ci", "none"]
"""Which sources complete the facts that settings give: CI provider and git, the CI provider alone, or neither."""

FILE_BYTES: Final = 4 * 1024 * 1024
"""The largest file that a provider's variable may name; events of pull requests have some ten thousand bytes."""


def facts_for(given: BuildInfo, scope: FactsScope, environ: Mapping[str, str], root: Path) -> BuildInfo:
    """Complete the facts that settings gave with those of the CI provider, then of the git checkout in this folder.

    Takes a fraction of a millisecond and never raises.
    """
    if scope == "none":
        return given
    facts = with_fallbacks(given, ci_facts(environ, file_text))
    return facts if scope == "ci" else with_fallbacks(facts, checkout_facts(root))


def file_text(path: str) -> str:
    """Return the text of a file, empty when it cannot be read or is larger than `FILE_BYTES`."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > FILE_BYTES:  # noqa: PTH113, PTH202 - any text may come
            return ""
        with open(path, "rb") as file:  # noqa: PTH123 - any text may come
            return file.read(FILE_BYTES).decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
