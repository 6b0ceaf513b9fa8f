"""Compare the parts of a suite that users selected, by the options and paths in the field `Selection` of their runs."""

from __future__ import annotations

import shlex
from functools import lru_cache
from typing import Final

# Options that select by the last failures: each such run has other tests.
_BY_LAST_FAILURES: Final = frozenset({"--lf", "--sw", "--automation-report-rerun-failed"})
# Options that select tests, each with its value; a client may send others, and a command is copied into a terminal.
_SELECTING: Final = ("-k ", "-m ", "--deselect=", "--ignore=", "--ignore-glob=")
# Options whose value is the next word; each selects among the tests that the others leave.
_WITH_VALUE: Final = frozenset({"-k", "-m"})


def has_last_failures(selection: str) -> bool:
    """Whether a selection is that of the last failures, which each run has others of."""
    return not _BY_LAST_FAILURES.isdisjoint(_parts(selection)[0])


def includes(wide: str, narrow: str) -> bool:
    """Whether one selection has all tests of another: it has no further option, and its paths lead to the other's.

    The empty selection is the whole suite. A selection of the last failures includes none, not even the same one.
    """
    if has_last_failures(wide):
        return False
    wide_options, wide_paths = _parts(wide)
    options, paths = _parts(narrow)
    is_below = all(any(_is_below(path, other) for other in wide_paths) for path in paths)
    return wide_options <= options and (not wide_paths or (bool(paths) and is_below))


def command_of(selection: str) -> str:
    """Return the command that runs the tests of a selection; the whole suite's if it is not one of tests by name.

    The last failures are others by now, and pytest reads a file of options from a word that begins with ``@``.
    """
    try:
        words = shlex.split(selection)
    except ValueError:  # an unclosed quote: a long selection is cut
        words = []
    is_usable = all(option.startswith(_SELECTING) for option in _parts(selection)[0])
    if not is_usable or any(word.startswith("@") for word in words):
        words = []
    return shlex.join(["pytest", "--automation-report", *words])


@lru_cache(maxsize=256)
def _parts(selection: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the options of a selection, each with its value, and its paths."""
    try:
        words = iter(shlex.split(selection))
    except ValueError:
        # Of another program than ours: an unclosed quote. As one option it is included in nothing but the whole suite.
        return frozenset({selection}), ()
    options, paths = set(), []
    for word in words:
        if word in _WITH_VALUE:
            options.add(f"{word} {next(words, '')}")
        elif word.startswith("-"):
            options.add(word)
        elif word:
            paths.append(word)
    return frozenset(options), tuple(paths)


def _is_below(path: str, other: str) -> bool:
    """Whether a path to tests is another one, or in its folder, module, class or parametrized function."""
    return path == other or path.startswith((f"{other}/", f"{other}::", f"{other}["))
