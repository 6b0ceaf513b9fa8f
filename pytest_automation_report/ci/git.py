"""What the git checkout tells that holds a project: branch, commit and where it was fetched from.

Git's files are read as they are: that takes a fraction of a millisecond, where a git process takes many, and works for
shallow clones and for checkouts of another user, which git itself refuses. Git is asked only where a repository keeps
its references in a format of its own, and for a second at most. What cannot be found out is unknown, never an error.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_automation_report.ci.facts import BuildInfo, repository_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["checkout_facts"]

GIT_SECONDS: Final = 1.0
"""How long git may take to answer."""

_FILE_BYTES: Final = 16 * 1024 * 1024
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH: Final = "refs/heads/"
_ELSEWHERE: Final = ".invalid"
"""What HEAD names where references are kept in another format."""

_REMOTE: Final = re.compile(r'\[remote\s+"((?:[^"\\]|\\.)*)"\]')
_URL: Final = re.compile(r"url\s*=\s*(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Repository:
    """The folder of one working tree, and the one that all working trees of the repository share."""

    folder: Path
    shared: Path


def checkout_facts(folder: Path, environ: Mapping[str, str]) -> BuildInfo:
    """Return what the git checkout tells that holds this folder; nothing is known where there is none."""
    try:
        repository = _repository(folder.absolute())
        if repository is None:
            return BuildInfo()
        head, branch = _head(repository, folder, environ)
        return BuildInfo(branch=branch, commit=head, repository=repository_page(_remote(repository)))
    except (OSError, ValueError):  # a file that is none, a path that is too long or not allowed
        return BuildInfo()


def _repository(folder: Path) -> _Repository | None:
    """Return the repository of the nearest folder that has one; a working tree's own file names it."""
    for each in (folder, *folder.parents):
        found = each / ".git"
        if found.is_file():
            name = _text(found).removeprefix("gitdir:").strip()
            found = each / name
        if (found / "HEAD").is_file():
            shared = _text(found / "commondir").strip()
            return _Repository(found, found / shared if shared else found)
    return None


def _head(repository: _Repository, folder: Path, environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the commit that is checked out, and the branch; none is where HEAD is detached."""
    text = _text(repository.folder / "HEAD").strip()
    if not text.startswith("ref:"):
        return _commit(text), None
    name = text.removeprefix("ref:").strip()
    if name.endswith(_ELSEWHERE):
        return _asked(folder, environ)
    commit = _commit(_text(repository.folder / name)) or _commit(_text(repository.shared / name))
    branch = name.removeprefix(_BRANCH) if name.startswith(_BRANCH) else None
    return commit or _packed(repository, name), branch


def _packed(repository: _Repository, name: str) -> str | None:
    """Return the commit of a reference that git has packed into one file with others."""
    found = re.search(rf"^([0-9a-f]+) {re.escape(name)}$", _text(repository.shared / "packed-refs"), re.MULTILINE)
    return _commit(found[1]) if found else None


def _remote(repository: _Repository) -> str | None:
    """Return the address of the remote ``origin``, or of the only one."""
    remotes: dict[str, str] = {}
    section = ""
    for line in _text(repository.shared / "config").splitlines():
        text = line.strip()
        if text.startswith("["):
            found = _REMOTE.match(text)
            section = found[1] if found else ""
        elif section and (url := _URL.match(text)):
            remotes.setdefault(section, url[1].strip().strip('"'))
    return remotes.get("origin") or (next(iter(remotes.values())) if len(remotes) == 1 else None)


def _asked(folder: Path, environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return commit and branch as git tells them."""
    words = _git(["rev-parse", "HEAD", "--symbolic-full-name", "HEAD"], folder, environ).split()
    if len(words) != 2:  # noqa: PLR2004 - one line for the commit, one for the reference
        return None, None
    return _commit(words[0]), words[1].removeprefix(_BRANCH) if words[1].startswith(_BRANCH) else None


def _git(arguments: Sequence[str], folder: Path, environ: Mapping[str, str]) -> str:
    """Return what git writes, empty when it is not there, refuses or takes too long."""
    quiet = {**environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - a constant command; the folder is where it runs  # nosec B607
            ["git", *arguments],  # noqa: S607 - the git of the one who runs the tests
            cwd=folder,
            env=quiet,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", errors="replace")


def _commit(text: str) -> str | None:
    text = text.strip()
    return text if _COMMIT.fullmatch(text) else None


def _text(path: Path) -> str:
    """Return the text of a file, empty when it is missing, cannot be read or is too large to be git's."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > _FILE_BYTES:
                return ""
            return file.read(_FILE_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""
