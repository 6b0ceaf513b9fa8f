"""Read two files that a team keeps: known failures, which may fail until a date, and CODEOWNERS."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import suppress
from datetime import datetime, timezone
from itertools import takewhile
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.text.dates import day_from
from pytest_automation_report.text.files import read_file
from pytest_automation_report.text.limits import dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date
    from pathlib import Path

_LINE: Final = re.compile(r"""until\s+(\S+)\s+("[^"]+"|'[^']+'|[^\s"']\S*)(?:\s+(.*))?""")
_MOST_BYTES: Final = 16 << 20
# As `conftest.py::server [session]` and `test_a.py::TestA::setup_class`.
_FIXTURE: Final = re.compile(
    r" \[(?:session|package|module|class)\]\Z"
    r"|(?:\A|[:.])(?:(?:setup|teardown)_(?:module|class)|(?:setUp|tearDown)(?:Module|Class))\Z"
)
_FORM: Final = "write: until 2026-12-31 tests/test_cart.py::test_total SHOP-1 reason"


class KnownFailure(Struct, frozen=True):
    """A test that may fail up to and including the day ``until``, in UTC.

    ``test`` is a node id as pytest prints it, a key, or a pattern with ``*``. ``line`` counts from 1 in its file.
    """

    line: int
    until: date
    test: str
    reason: str


def names_fixture(name: str) -> bool:
    """Whether a name can be that of a fixture that tests share: a result has it only where it failed."""
    return _FIXTURE.search(name) is not None


def meant(test: str, names: Sequence[str]) -> str:
    """Return ``: did you mean NAME?`` for a test that has no such name, empty if none of the names is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for mistakes

    # Of a large suite the tests of the same file, or of the same name.
    path, name = test.partition("::")[0], test.rpartition("::")[2].partition("[")[0]
    near = [each for each in names if path in each or name in each]
    match = next(iter(get_close_matches(test, near or names[:1000], 1, 0.8)), "")
    return f": did you mean {match}?" if match else ""


def find_moved(
    unknown: Iterable[KnownFailure], names: Iterable[str], is_there: Callable[[str], bool]
) -> dict[KnownFailure, str]:
    """Return the tests that entries mean whose files are gone, if one test alone has that name in its file.

    ``names`` are the node ids of the whole suite, ``is_there`` says whether there is a file of this path.
    """
    inside: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        inside[name.partition("::")[2]].append(name)
    parts = [(entry, *entry.test.partition("::")[::2]) for entry in unknown if "*" not in entry.test]
    return {
        entry: inside[name][0]
        for entry, path, name in parts
        if name and len(inside.get(name, ())) == 1 and not is_there(path)
    }


def known_text(path: Path) -> str:
    """Return the text of a file of known failures; raises ValueError, which says what is wrong with it."""
    try:
        text = read_file(path, _MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error}): name a file of known failures") from error
    known_failures(text)
    return text


def known_failures(text: str) -> list[KnownFailure]:
    """Return the entries of a file; raises ValueError, with the number of the line, for one that cannot be read."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        match = _LINE.fullmatch(content)
        if match is None:
            raise ValueError(f"line {number}: {content!r}: {_FORM}")
        day, test, reason = match[1], match[2], match[3] or ""
        try:
            until = day_from(day)
        except ValueError as error:
            raise ValueError(f"line {number}: {day!r} is not a date: write it as 2026-12-31") from error
        entries.append(KnownFailure(number, until, test[1:-1] if test[0] in "\"'" else test, reason.strip()))
    return entries


class KnownTests:
    """Finds the entries of a test by any of its names: node id, ``folder.name`` or key; ``day`` is today by default."""

    def __init__(self, entries: Sequence[KnownFailure], day: date | None = None) -> None:
        self.entries = entries
        self._day = day or datetime.now(tz=timezone.utc).date()
        self._exact: dict[str, list[KnownFailure]] = defaultdict(list)
        self._patterns: list[tuple[re.Pattern[str], KnownFailure]] = []
        self.has_keys = False
        for entry in entries:
            name = dotted(entry.test)
            self.has_keys |= re.fullmatch("[0-9a-f]{64}", name) is not None
            if "*" in name:
                pattern = ".*".join(map(re.escape, name.split("*")))
                self._patterns.append((re.compile(pattern, re.DOTALL), entry))
            else:
                self._exact[name].append(entry)

    def is_past(self, entry: KnownFailure) -> bool:
        """Whether the failure counts again."""
        return entry.until < self._day

    def excuses(self, entry: KnownFailure | None, *, otherwise: bool) -> bool:
        """Whether the entry of a failure excuses it; ``otherwise`` without one."""
        return otherwise if entry is None else not self.is_past(entry)

    def of(self, *names: str) -> KnownFailure | None:
        """Return the entry of a test that counts, the last one; None without one."""
        return max(self.matching(*names), key=lambda entry: entry.line, default=None)

    def matching(self, *names: str) -> list[KnownFailure]:
        """Return all entries that name a test."""
        plain = [*map(dotted, names)]
        found = [entry for name in plain for entry in self._exact.get(name, ())]
        return found + [entry for pattern, entry in self._patterns if any(map(pattern.fullmatch, plain))]


def session_entry(until: str, reason: str, test: str = "") -> KnownFailure | None:
    """Return the entry by which a session knew a failure, with the line 0; None if there is no such day."""
    with suppress(ValueError):
        return KnownFailure(0, day_from(until), test, reason)
    return None


def known_words(entries: Iterable[KnownFailure | None]) -> str:
    """Return until when failures are known: ``known until 31 December 2026 (SHOP-1)``, the reason if they share one."""
    dated = [entry for entry in entries if entry is not None]
    days, tickets = {entry.until for entry in dated}, {entry.reason.partition(" ")[0] for entry in dated}
    if not days:
        return "known"
    first = min(days)
    several = "" if len(days) == 1 else " at the earliest"
    ticket = tickets.pop() if len(tickets) == 1 else ""
    why = f" ({ticket})" if ticket else ""
    return f"known until {first.day} {first:%B %Y}{several}{why}"


_FOLDERS: Final = frozenset({".github", ".gitlab", ".gitea", ".forgejo", "docs"})
"""A CODEOWNERS file in these folders holds for the folder above."""

_SECTION: Final = re.compile(r"\^?\[([^\]]+)\](?:\[\d+\])?(.*)")
_WORD: Final = re.compile(r"(?:\\.|\S)+")
_PARTS: Final = re.compile(r"/\*\*/|\*\*|\*|\?|\\.|.", re.DOTALL)
_WILD: Final = {"/**/": "/(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class CodeOwners:
    """The owners of files; ``file`` is the path of the CODEOWNERS file, which tells GitLab's from others."""

    def __init__(self, text: str, file: str = "CODEOWNERS") -> None:
        # Editors on Windows write a mark of the encoding before the first line.
        stripped = (line.lstrip(" \t\ufeff") for line in text.splitlines())
        lines = [line for line in stripped if line and line[0] != "#"]
        self._is_gitlab = PurePath(file).parent.name == ".gitlab" or any(map(_SECTION.fullmatch, lines))
        # Rules by section, in lower case; elsewhere all are of the section without a name. Exclusions have None.
        self._sections: dict[str, list[tuple[re.Pattern[str], str | None]]] = {}
        section = usual = ""
        for line in lines:
            if self._is_gitlab and (head := _SECTION.fullmatch(line)):
                section, usual = head[1].lower(), _owners(head[2].split())
                continue
            pattern, *owners = _WORD.findall(line)
            is_excluded = pattern[0] == "!"
            if self._is_gitlab or not is_excluded:
                rule = self._compiled(pattern.removeprefix("!")), None if is_excluded else _owners(owners) or usual
                self._sections.setdefault(section, []).append(rule)

    def of(self, path: str) -> str:
        """Return the owners of a path in the repository, by the last matching rule of each section; empty for none."""
        found = ([owners for pattern, owners in rules if pattern.fullmatch(path)] for rules in self._sections.values())
        last = (matching[-1] for matching in found if matching and None not in matching)
        return " ".join(dict.fromkeys(filter(None, last)))

    def _compiled(self, pattern: str) -> re.Pattern[str]:
        r"""Return the expression of the paths that a pattern names.

        ::

            *.py        any file of this ending          (?:.*/)?[^/]*\.py(?:/.*)?
            docs/       all below any folder docs        (?:.*/)?docs/.*
            /docs/*     files of the folder docs alone   docs/[^/]*
            a/**/b      b below a, at any depth          a/(?:.*/)?b(?:/.*)?
        """
        # With a slash inside it begins at the root, but in GitLab only with one in front.
        is_rooted = pattern.startswith("/") if self._is_gitlab else "/" in pattern.rstrip("/")
        bare = pattern.removeprefix("/").rstrip("/")
        if (len(bare) - len(bare.rstrip("\\"))) % 2:  # as for git, such as `docs\`: it escapes nothing
            return re.compile("(?!)")
        if bare.startswith("**/"):  # in any folder, the root, too
            is_rooted, bare = False, bare[3:]
        text = "".join(_WILD.get(part) or re.escape(part[-1]) for part in _PARTS.findall(bare))
        below = "/.*" if pattern.endswith("/") else "" if pattern.endswith("/*") else "(?:/.*)?"
        return re.compile(f"{'' if is_rooted else '(?:.*/)?'}{text}{below}", re.DOTALL)


def _owners(words: list[str]) -> str:
    return " ".join(takewhile(lambda word: not word.startswith("#"), words))


def owned_repository(file: str) -> str:
    """Return the folder that the rules of a CODEOWNERS file are about."""
    folder = PurePath(file).parent
    return str(folder.parent if folder.name in _FOLDERS else folder)
