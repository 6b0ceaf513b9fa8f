"""Read branch, commit and remote of the git checkout that holds a project.

Git's files are read, git itself is not started: a read takes a fraction of a millisecond where a process takes many,
and it also works for shallow clones and for checkouts of another user, which git refuses. The price: a repository with
the reftable format keeps its references in a binary file, so its branch and commit are unknown.
"""

from __future__ import annotations

import os
import re
import zlib
from typing import TYPE_CHECKING, Final

from pytest_automation_report.ci.facts import BuildInfo, repository_page, subject_of
from pytest_automation_report.ci.git_packs import OBJECT_BYTES, GitPacks
from pytest_automation_report.text.patterns import lazy_pattern
from pytest_automation_report.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["checkout_facts"]

_FILE_BYTES: Final = 16 * 1024 * 1024
_MAX_COMMITS: Final = 20
_SHORT_COMMIT: Final = 10

_COMMIT: Final = lazy_pattern(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH: Final = "refs/heads/"
_REFTABLE: Final = ".invalid"
"""Last characters of HEAD's text where references are in the reftable format."""

_REMOTE: Final = lazy_pattern(r'\[remote\s+"((?:[^"\\]|\\.)*)"\]')
_URL: Final = lazy_pattern(r"url\s*=\s*(.*)", re.IGNORECASE)


class _Repository(Value):
    """The git folder of one working tree, and the one that all working trees of the repository share."""

    folder: Path
    shared: Path
    root: Path


def checkout_facts(folder: Path, *, is_local: bool = False) -> BuildInfo:
    """Return branch, commit and web page of the git checkout that holds a folder; empty without one. Never raises.

    With ``is_local`` also the commits before, and whether files differ from the commit; as yes, too, if that cannot be
    found out.
    """
    try:
        repository = _repository(folder.absolute())
        if repository is None:
            return BuildInfo()
        commit, branch = _head(repository)
        commits = _history(repository, commit, _MAX_COMMITS if is_local else 1) if commit else []
        changes = None
        if is_local and commit is not None:
            from pytest_automation_report.ci.git_index import has_changes  # noqa: PLC0415 - only in a checkout

            is_clean = has_changes(repository.root, repository.folder / "index", len(commit) // 2) is False
            changes = None if is_clean else "yes"
        return BuildInfo(
            branch=branch,
            commit=commit,
            commit_subject=commits[0][1] if commits else None,
            commits=_lines(commits) if is_local else None,
            uncommitted_changes=changes,
            repository=repository_page(_remote(repository)),
        )
    except (OSError, ValueError):  # a path that is too long, has a null byte or may not be read
        return BuildInfo()


def _repository(folder: Path) -> _Repository | None:
    """Return the repository of the nearest folder that has one."""
    for parent in (folder, *folder.parents):
        git_folder = parent / ".git"
        if git_folder.is_file():  # of a submodule or a second working tree: it holds the folder's path
            git_folder = parent / _text(git_folder).removeprefix("gitdir:").strip()
        if (git_folder / "HEAD").is_file():
            shared = _text(git_folder / "commondir").strip()
            return _Repository(git_folder, git_folder / shared if shared else git_folder, parent)
    return None


def _head(repository: _Repository) -> tuple[str | None, str | None]:
    """Return the commit that is checked out, and the branch, None for a detached HEAD."""
    text = _text(repository.folder / "HEAD").strip()
    if not text.startswith("ref:"):
        return _commit(text), None
    ref = text.removeprefix("ref:").strip()
    if ref.endswith(_REFTABLE):
        return None, None
    commit = _commit(_text(repository.folder / ref)) or _commit(_text(repository.shared / ref))
    branch = ref.removeprefix(_BRANCH) if ref.startswith(_BRANCH) else None
    return commit or _packed(repository, ref), branch


def _packed(repository: _Repository, ref: str) -> str | None:
    """Return the commit of a reference in ``packed-refs``, where git moves references that it seldom changes."""
    line = re.search(rf"^([0-9a-f]+) {re.escape(ref)}$", _text(repository.shared / "packed-refs"), re.MULTILINE)
    return _commit(line[1]) if line else None


def _history(repository: _Repository, commit: str, most: int) -> list[tuple[str, str | None]]:
    """Return a commit and the ones before it, each with its subject; the last one may have none.

    Of a merge the branch that was merged into is followed. A shallow clone has no commits before, a partial one may
    lack them.
    """
    history: list[tuple[str, str | None]] = []
    following: str | None = commit
    folders = _object_folders(repository)
    with GitPacks(folders) as packs:
        while following is not None and len(history) < most:
            text = _separate(folders, following) or packs.commit(following)
            subject, parent = _subject_and_parent(text) if text else (None, None)
            history.append((following, subject))
            following = parent
    return history


def _object_folders(repository: _Repository) -> list[Path]:
    """Return the folder of the objects, and those of other repositories that a clone with ``--shared`` uses, too."""
    own = repository.shared / "objects"
    return [own, *(own / line for line in _text(own / "info" / "alternates").splitlines() if line)]


def _separate(folders: Sequence[Path], commit: str) -> bytes | None:
    """Return the text of a commit that has a separate file, as new ones do."""
    for folder in folders:
        try:
            with (folder / commit[:2] / commit[2:]).open("rb") as file:
                unpacked = zlib.decompressobj().decompress(file.read(OBJECT_BYTES), OBJECT_BYTES)
        except (OSError, zlib.error):
            continue
        kind, _, text = unpacked.partition(b"\0")
        if kind.startswith(b"commit "):
            return text
    return None


def _subject_and_parent(text: bytes) -> tuple[str | None, str | None]:
    """Return subject and first parent of a commit."""
    header, _, message = text.partition(b"\n\n")
    lines = header.decode("utf-8", errors="replace").split("\n")
    parent = next((line.removeprefix("parent ") for line in lines if line.startswith("parent ")), "")
    return subject_of(message.decode("utf-8", errors="replace")), _commit(parent)


def _lines(commits: Sequence[tuple[str, str | None]]) -> str | None:
    """Return hashes and subjects, one commit a line; None without an earlier commit."""
    if len(commits) <= 1:
        return None
    return "\n".join(f"{commit[:_SHORT_COMMIT]} {subject or ''}".rstrip() for commit, subject in commits)


def _remote(repository: _Repository) -> str | None:
    """Return the address of the remote ``origin``, or of the only one."""
    urls: dict[str, str] = {}
    remote = ""
    for line in _text(repository.shared / "config").splitlines():
        text = line.strip()
        if text.startswith("["):
            section = _REMOTE.match(text)
            remote = section[1] if section else ""
        elif remote and (url := _URL.match(text)):
            urls.setdefault(remote, url[1].strip().strip('"'))
    return urls.get("origin") or (next(iter(urls.values())) if len(urls) == 1 else None)


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
