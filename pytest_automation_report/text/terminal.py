"""Make foreign texts safe for a terminal and the log of a CI job; put numbers and the names of tests into words.

A message of the server, the id of a test or the name of a file may contain a command for the terminal or the CI runner:
every foreign text passes here before it is printed or logged.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_automation_report.text.limits import cut_end, string
from pytest_automation_report.text.visible import visible
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeGuard

# Commands that runners accept anywhere in a line: ##[error], ##vso[...] and ##teamcity[...].
_ANYWHERE: Final = lazy_pattern(r"##(?=\w{0,16}\[)")
# Commands at the beginning of a line: GitHub's ::add-mask::, GitLab's section_start:, the groups of Buildkite.
_AT_START: Final = ("::", "section_start:", "section_end:", "---", "+++", "~~~", "^^^")
# Marks that change the order or the joining of letters. Texts of several languages need them, so `visible` keeps them.
_INVISIBLE: Final = lazy_pattern("[\u200b-\u200f\u2028\u2029\u2060-\u2064\u061c\ufeff\ufff9-\ufffb]")


def sanitize(text: str, units: int = 200) -> str:
    r"""Return a foreign text as one line without commands, with ``\x1b`` for a control character, cut to ``units``."""
    return cut_end(printable(text), units)


def printable(text: str) -> str:
    """Return a line with foreign texts so that no terminal and no runner obeys it; nothing is cut."""
    shown = visible(text).replace("\n", "\\n").replace("\t", "\\t")
    # Hardly any line needs the expressions, which would take 1 ms to compile at the end of each session.
    if not shown.isascii():
        shown = _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)
    if "##" in shown:
        shown = _ANYWHERE.sub("# #", shown)
    return f"| {shown}" if shown.lstrip().startswith(_AT_START) else shown


_MOST_JOBS: Final = 5

# Numbers of a run's findings in the order in which people read them, each with its words for one and for many.
_CHANGES: Final = (
    ("mine", "new", "new failure", "new failures"),
    ("mine", "back", "back after a while", "back after a while"),
    ("mine", "flaky", "failure of a test known to be flaky", "failures of tests known to be flaky"),
    ("mine", "still", "still failing", "still failing"),
    ("counts", "fixed", "fixed", "fixed"),
    ("counts", "passed_again", "flaky test passed again", "flaky tests passed again"),
    ("counts", "flaky", "flaky", "flaky"),
    ("counts", "slower", "slower", "slower"),
    ("counts", "new_tests", "new test", "new tests"),
    ("counts", "gone", "gone", "gone"),
)


def change_counts(findings: Mapping[str, Any]) -> dict[str, str]:
    """Return the numbers of a run's findings that are not 0 by their names, in words: ``2 new failures``."""
    numbers = [(member, name, findings[member][name], words) for member, name, *words in _CHANGES]
    return {
        f"{member} {name}": f"{number:,} {words[0] if number == 1 else words[1]}"
        for member, name, number, words in numbers
        if number
    }


def quantity(number: int, noun: str = "") -> str:
    """Return a number, or with a noun an amount: ``1 result``, ``12,000 results``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if noun else f"{number:,}"


def ago(microseconds: int) -> str:
    """Return how long ago something was."""
    minutes = microseconds // 60_000_000
    if minutes < 1:
        return "just now"
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min ago"
    hours = minutes // 60
    return f"{hours} h ago" if hours < 24 else f"{quantity(hours // 24, 'day')} ago"  # noqa: PLR2004 - a day


def is_torn(document: Mapping[str, Any] | None) -> TypeGuard[Mapping[str, Any]]:
    """Whether tests are known to be missing or twice."""
    return document is not None and bool(document["missing"] or document["twice"])


def wholeness_words(document: Mapping[str, Any]) -> str:
    """Return the proof in words: ``108 tests, each once``, or ``27 missing, 27 twice, from unit 4/4``."""
    if not is_torn(document):
        return f"{quantity(document['tests'], 'test')}, each once"
    counts = [f"{document[name]:,} {name}" for name in ("missing", "twice") if document[name]]
    jobs = [printable(job) for job in document["jobs"]]
    more = [f"{len(jobs) - _MOST_JOBS} more"] if len(jobs) > _MOST_JOBS else []
    return ", ".join(counts) + (f", from {', '.join([*jobs[:_MOST_JOBS], *more])}" if jobs else "")


SHORT_COMMIT: Final = 7
_CHANGES_WORDS: Final = {"": "", "unknown": ", changes unknown"}


def commit_text(commit: str | None, changes: str | None, characters: int = SHORT_COMMIT) -> str:
    """Return what a run tested, ``9d5b37a`` or ``9d5b37a + changes``; empty without a commit."""
    if not commit:
        return ""
    return printable(commit)[:characters] + _CHANGES_WORDS.get(changes or "", " + changes")


class NameParts(NamedTuple):
    """Name of a test: ``function``, and ``parameters`` with their brackets; empty without any."""

    function: str
    parameters: str


def split_name(name: str) -> NameParts:
    """Return the parts of a test's name."""
    function, bracket, parameters = name.partition("[")
    # A doctest's name or a sentence may have brackets in its middle.
    is_parametrized = function and bracket and name.endswith("]")
    return NameParts(function, bracket + parameters) if is_parametrized else NameParts(name, "")


def place_of(file: str | None, line: int | None) -> str:
    """Return ``FILE:LINE``, the file alone if the line is unknown, and nothing without a file."""
    return f"{file}:{line}" if file and line else file or ""


def title_of(folder: str, name: str) -> str:
    """Return folder and name; for a module, where both are the same, its name."""
    return name if folder in {"", name} else f"{folder}.{name}"


def class_path(file: str | None, folder: str) -> str | None:
    """Return the classes of a test, joined by dots; None if the folder is not the module of the file."""
    module = (file or "").removesuffix(".py").replace("\\", "/").replace("/", ".")
    _, separator, classes = f".{folder}.".rpartition(f".{module}.")
    return classes.strip(".") if separator and file else None


def node_id(file: str | None, folder: str, name: str) -> str:
    """Return the node id by which pytest finds a test, empty without a Python file or for another program's folder."""
    classes = class_path(file, folder)
    if not file or classes is None or not file.endswith(".py") or not is_argument(file):
        return ""
    if name == folder:
        return file
    return string("::".join([file, *filter(None, classes.split(".")), name]))


def node_id_of(row: Mapping[str, Any], fields: Iterable[Mapping[str, Any]] = ()) -> str:
    """Return the node id of a test; empty if its file is not known."""
    # It comes from the field that the plugin adds, else from file, folder and name, as JUnit XML has them.
    sent = (str(field.get("value") or "") for field in fields if field.get("name") == "Node id" and field["type"] == 1)
    known = next((string(text) for text in sent if is_argument(text)), "")
    return known or node_id(row["file"], row["folder"], row["name"])


MOST_NAMED: Final = 5


def run_command(node_ids: Iterable[str], count: int | None = None, otherwise: str = "") -> str:
    """Return the command that runs ``count`` tests, some of which may have an empty node id: they are not known.

    More than five tests are named by their functions; for those of more than five functions it is ``otherwise``.
    """
    known = list(dict.fromkeys(filter(None, node_ids)))
    functions = list(dict.fromkeys(text.partition("[")[0] for text in known))
    choices = [known, functions] if count in {None, len(known)} else [functions]
    ids = next((choice for choice in choices if 0 < len(choice) <= MOST_NAMED), None)
    if ids is None:
        return otherwise if known else ""
    # The name of a function has no dot before its parameters; that of a doctest begins with its module's name.
    names = [text.partition("[")[0].rpartition("::") for text in ids]
    has_doctest = any("." in name for _, separator, name in names if separator)
    return shlex.join(["pytest", *(["--doctest-modules"] if has_doctest else []), *ids])


def rerun_of(run_id: int, only: str = "") -> str:
    """Return the command that runs the failures of a run: all, only the ``new`` ones, or those of a reason."""
    return f"pytest --automation-report-rerun-failed={run_id}{f':{only}' if only else ''}"


def is_argument(text: str) -> bool:
    """Whether pytest reads a text as a test, and not as an option (``-``) or a file of options (``@``)."""
    return bool(text) and not text.startswith(("-", "@"))
