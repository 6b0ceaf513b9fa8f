"""Read a CODEOWNERS file by the rules of GitHub and GitLab: who owns the file of a failed test."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import PurePath
from typing import Final

OWNER_FIELD: Final = "Owner"
"""Name of the field of a failed result with the owners of its file."""

_FOLDERS: Final = frozenset({".github", ".gitlab", ".gitea", ".forgejo", "docs"})
"""A CODEOWNERS file in these folders holds for the folder above."""

_SECTION: Final = re.compile(r"\^?\[([^\]]+)\](?:\[\d+\])?(.*)")
_WORD: Final = re.compile(r"(?:\\.|[^\s\\])+")
_PARTS: Final = re.compile(r"/\*\*/|\*\*|\*|\?|\\.|.", re.DOTALL)
_WILD: Final = {"/**/": "/(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class CodeOwners:
    """The owners of files; ``file`` is the path of the CODEOWNERS file, which tells GitLab's from others."""

    def __init__(self, text: str, file: str = "CODEOWNERS") -> None:
        lines = [stripped for line in text.splitlines() if (stripped := line.strip()) and stripped[0] != "#"]
        self._is_gitlab = PurePath(file).parent.name == ".gitlab" or any(map(_SECTION.fullmatch, lines))
        # Rules by section, in lower case; elsewhere all are of the section without a name.
        self._sections: dict[str, list[tuple[re.Pattern[str], str]]] = {}
        section = usual = ""
        for line in lines:
            if self._is_gitlab and (head := _SECTION.fullmatch(line)):
                section, usual = head[1].lower(), _owners(head[2].split())
                continue
            pattern, *owners = _WORD.findall(line)
            if pattern[0] != "!":
                rule = self._compiled(pattern), _owners(owners) or usual
                self._sections.setdefault(section, []).append(rule)

    def of(self, path: str) -> str:
        """Return the owners of a path in the repository, by the last matching rule of each section; empty for none."""
        found = [
            next((owners for pattern, owners in reversed(rules) if pattern.fullmatch(path)), "")
            for rules in self._sections.values()
        ]
        return " ".join(dict.fromkeys(filter(None, found)))

    def _compiled(self, pattern: str) -> re.Pattern[str]:
        # With a slash inside it begins at the root, but in GitLab only with one in front.
        is_rooted = pattern.startswith("/") if self._is_gitlab else "/" in pattern.rstrip("/")
        text = "".join(
            _WILD.get(part) or re.escape(part[-1]) for part in _PARTS.findall(pattern.removeprefix("/").rstrip("/"))
        )
        below = "/.*" if pattern.endswith("/") else "" if pattern.endswith("/*") else "(?:/.*)?"
        return re.compile(f"{'' if is_rooted else '(?:.*/)?'}{text}{below}", re.DOTALL)


def _owners(words: list[str]) -> str:
    return " ".join(takewhile(lambda word: not word.startswith("#"), words))


def repository_of(file: str) -> str:
    """Return the folder that the rules of a CODEOWNERS file are about."""
    folder = PurePath(file).parent
    return str(folder.parent if folder.name in _FOLDERS else folder)
