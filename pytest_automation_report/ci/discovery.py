"""Collect build metadata: explicit settings first, then the CI provider, then git.

Pytest and the console command both use it, so the runs of both have the same fields.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.ci.detection import ci_facts
from pytest_automation_report.ci.facts import BuildInfo, with_fallbacks
from pytest_automation_report.ci.git import Checkout

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FactsScope: TypeAlias = 'Literal["all", "ci", "none"]'
"""The sources of facts besides settings: CI provider and git, the CI provider alone, or neither."""

FILE_BYTES: Final = 4 * 1024 * 1024
"""Maximum size of a file that a variable names; GitHub's event of a pull request has some ten thousand bytes."""


class FactsSearch:
    """The search for the facts of a build: `result` ends it, or `close`; git works between the two.

    The missing facts of settings are those of the CI provider, then those of the git checkout. Never raises.
    """

    def __init__(self, given: BuildInfo, scope: FactsScope, environ: Mapping[str, str], root: Path) -> None:
        self._facts = given if scope == "none" else with_fallbacks(given, ci_facts(environ, file_text))
        self._checkout: Checkout | None = None
        if scope == "all" and not self._facts.is_whole:
            # A CI job checks a commit out and tests it; only users change files before they run tests.
            is_local = self._facts.provider is None and self._facts.commit is None
            self._checkout = Checkout(root, environ, is_local=is_local)

    def result(self) -> BuildInfo:
        """Return the facts; waits for git, at most a second from its start."""
        checkout, self._checkout = self._checkout, None
        if checkout is not None:
            self._facts = with_fallbacks(self._facts, checkout.facts())
        return self._facts

    def close(self) -> None:
        """End git, if `result` was not called; a second call changes nothing."""
        if self._checkout is not None:
            self._checkout.close()


def facts_for(given: BuildInfo, scope: FactsScope, environ: Mapping[str, str], root: Path) -> BuildInfo:
    """Return the facts that a `FactsSearch` finds, after git has answered."""
    return FactsSearch(given, scope, environ, root).result()


def file_text(path: str) -> str:
    """Return the text of a file, "" if it cannot be read or is larger than `FILE_BYTES`."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > FILE_BYTES:  # noqa: PTH113, PTH202 - a Path refuses some texts
            return ""
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return file.read(FILE_BYTES).decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
