"""Describe the part of a suite that the user selected: its findings are compared with those of the same part."""

from __future__ import annotations

import os
import shlex
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

SELECTION_FIELD: Final = "Selection"
"""Name of the run's field with the options that select tests."""

_VALUES: Final = (("-k", "keyword"), ("-m", "markexpr"))
_LISTS: Final = (("--deselect", "deselect"), ("--ignore", "ignore"), ("--ignore-glob", "ignore_glob"))
_SWITCHES: Final = (
    ("lf", ("--lf", "--last-failed")),
    ("stepwise", ("--sw", "--stepwise")),
    ("automation_report_rerun_failed", ("--automation-report-rerun-failed",)),
)


def selection_of(config: pytest.Config) -> str:
    """Return the options and paths that select some of the tests, as they are typed; empty if all tests are to run.

    Options of ``addopts`` and of PYTEST_ADDOPTS are left out: with them each run has the same tests.
    """
    usual = [*config.getini("addopts"), *shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))]
    words: list[str] = []
    for option, name in _VALUES:
        value = str(getattr(config.option, name, "") or "")
        words += [option, value] if value and not _has(usual, option, value) else []
    for option, name in _LISTS:
        values = (str(value) for value in getattr(config.option, name, None) or ())
        words += [f"{option}={_shown(value, config)}" for value in values if not _has(usual, option, value)]
    usual_names = {word.partition("=")[0] for word in usual}
    for name, spellings in _SWITCHES:
        words += spellings[:1] if getattr(config.option, name, None) and usual_names.isdisjoint(spellings) else ()
    return shlex.join([*words, *_paths(config, usual)])


def _has(words: Sequence[str], option: str, value: str) -> bool:
    """Whether words of a command line have an option with this value."""
    return f"{option}={value}" in words or f"{option}{value}" in words or (option, value) in pairwise(words)


def _paths(config: pytest.Config, usual: Sequence[str]) -> Iterable[str]:
    """Return the paths on the command line, unless they are those that pytest would collect anyway."""
    if config.args_source != config.ArgsSource.ARGS:
        return ()
    # A usual word may be the value of an option, so a path that is typed, too, counts as typed.
    typed = set(map(str, config.invocation_params.args))
    paths = [_shown(path, config) for path in config.args if path in typed or path not in usual]
    root_alone = {".", ""}
    return () if set(paths) <= {*config.getini("testpaths"), *root_alone} else paths


def _shown(path: str, config: pytest.Config) -> str:
    """Return a path relative to the root folder, so that it is the same in each checkout; others as they are."""
    file, mark, name = path.partition("::")
    full = Path(os.path.normpath(config.invocation_params.dir / file))
    if not full.is_relative_to(config.rootpath):
        return path
    return f"{full.relative_to(config.rootpath).as_posix()}{mark}{name}"
