"""Where a run is made: what was said first, then what CI tells, then git (floor 2).

The one way for pytest and for the console command, so that a run tells the same whoever made it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.ci.facts import Facts, known
from pytest_automation_report.ci.git import checkout_facts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_automation_report.settings.configuration import Configuration

__all__ = ["facts_for", "file_text"]

FILE_BYTES: Final = 4 * 1024 * 1024
"""The largest file that a provider's variable may name; events of pull requests have some ten thousand bytes."""


def facts_for(configuration: Configuration, environ: Mapping[str, str], root: Path) -> Facts:
    """Return where a run of the project in this folder is made; takes a fraction of a millisecond and never raises."""
    given = configuration.given_facts
    if configuration.facts == "none":
        return given
    facts = known(given, ci_facts(environ, file_text))
    return facts if configuration.facts == "ci" else known(facts, checkout_facts(root, environ))


def file_text(path: str) -> str:
    """Return the text of a file, empty when it cannot be read or is larger than `FILE_BYTES`."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > FILE_BYTES:  # noqa: PTH113, PTH202 - any text may come
            return ""
        with open(path, "rb") as file:  # noqa: PTH123 - any text may come
            return file.read(FILE_BYTES).decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
