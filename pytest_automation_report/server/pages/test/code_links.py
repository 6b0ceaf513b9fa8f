"""Write links from lines of code to an editor and to the host of the code, by templates that the operator sets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

_PLACEHOLDER: Final = re.compile(r"\{(commit|file|line)\}")
_ABSOLUTE: Final = re.compile(r"[/\\]|[A-Za-z]:|\.\.[/\\]|<")


@dataclass(frozen=True, slots=True)
class CodeLinks:
    """Templates with ``{file}``, ``{line}`` and, for ``source``, ``{commit}``; an empty one makes no links."""

    source: str = ""
    editor: str = ""

    def source_url(self, path: str, line: int, commit: str) -> str:
        """Return the address of a line on the host of the code; empty if it has none or the commit is not known."""
        if not commit and "{commit}" in self.source:
            return ""
        return _filled(self.source, path, line, commit)

    def editor_url(self, path: str, line: int) -> str:
        """Return the address that opens a line in the editor; empty for code outside of the project."""
        return _filled(self.editor, path, line, "")


NO_LINKS: Final = CodeLinks()
"""No template is set."""


def _filled(template: str, path: str, line: int, commit: str) -> str:
    """Return a template with its placeholders filled in; no text of a test can change its scheme or host."""
    if not template or not path or _ABSOLUTE.match(path):
        return ""
    values = {"commit": commit, "file": path.replace("\\", "/"), "line": str(max(1, line))}
    return _PLACEHOLDER.sub(lambda match: quote(values[match[1]], safe="/"), template)
