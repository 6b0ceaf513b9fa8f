"""Ask git for branch, commits, changes and remote of the checkout that holds a project.

One shell runs the commands one after the other while the caller does something else: to start it takes half a
millisecond, and to read what it has written less. Without the program git, and in a checkout that git refuses since it
belongs to another user, nothing is known.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

from pytest_automation_report.ci.facts import COMMIT_CHARACTERS, BuildInfo, repository_page

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SECONDS: Final = 1.0
"""How long git may take from its start on. ``git status`` of 100,000 files takes 0.2 s."""

_MAX_BYTES: Final = 1024 * 1024
_MAX_COMMITS: Final = 20
_BRANCH: Final = "refs/heads/"

# A monitor of the file system is a program that the repository's configuration names, and it would stay.
_GIT: Final = "git -c core.fsmonitor=false"
# Status 1 is a detached HEAD; 127 that there is no git, 128 no repository, or one that git refuses.
_BRANCH_COMMAND: Final = f"{_GIT} symbolic-ref --quiet HEAD || [ $? = 1 ] || exit"
_COMMITS_COMMAND: Final = f"{_GIT} rev-list --max-count=%d --first-parent --encoding=UTF-8 --format=%%H:%%s HEAD --"
_REMOTES_COMMAND: Final = f"{_GIT} remote -v"
# The sign at the end tells a clean checkout from one that git cannot compare, or not in time.
_CHANGES_COMMAND: Final = f"{_GIT} status --porcelain --untracked-files=no --no-renames && printf ="

# Variables by which a hook of git, or a user, tells git where the repository is, would lead to that one instead of
# the one around the project. These say how git reads its configuration, and how far it looks for a repository.
_KEPT_VARIABLES: Final = ("GIT_CONFIG_", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH")


class Checkout:
    """What git says of the checkout that holds a folder; git starts at once.

    Owned by its creator, who asks for `facts` or calls `close`: until then git is a child of this process. With
    ``is_local`` also the commits before are asked for, and whether files differ from the commit.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], *, is_local: bool) -> None:
        self._is_local = is_local
        self._deadline = monotonic() + _SECONDS
        self._process: subprocess.Popen[bytes] | None = None
        kept = {
            name: text
            for name, text in environ.items()
            if not name.startswith("GIT_") or name.startswith(_KEPT_VARIABLES)
        }
        commands = (_BRANCH_COMMAND, _COMMITS_COMMAND % (_MAX_COMMITS if is_local else 1), _REMOTES_COMMAND)
        # A folder that is gone, a path that is too long or has a null byte, a system without a shell.
        with suppress(OSError, ValueError):
            self._process = subprocess.Popen(  # noqa: S603 - our own text
                ["/bin/sh", "-c", "; printf '\\0'; ".join((*commands, *([_CHANGES_COMMAND] if is_local else ())))],
                cwd=folder,
                # It only reads: it writes no index and fetches nothing for a partial clone.
                env={**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "none"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,  # to end the shell together with its git
            )

    def facts(self) -> BuildInfo:
        """Return branch, commits, changes and the repository's page; only what git has said within a second.

        Whether files differ is "unknown" if git does not say it of a commit: then nothing is evidence about it.
        """
        texts = self._read().decode("utf-8", errors="replace").split("\0")
        branch, log, remotes, changes = (*texts, "", "", "")[:4]
        commits = [line.partition(":")[::2] for line in log.split("\n") if ":" in line]
        commit, subject = commits[0] if commits else ("", "")
        is_compared = self._is_local and bool(commit)
        history = [f"{commit[:COMMIT_CHARACTERS]} {subject}".rstrip() for commit, subject in commits]
        return BuildInfo(
            branch=branch.strip().removeprefix(_BRANCH) if branch.startswith(_BRANCH) else None,
            commit=commit or None,
            commit_subject=subject or None,
            commits="\n".join(history) if len(history) > 1 else None,
            # A clean checkout has the sign alone.
            uncommitted_changes=("yes" if changes else "unknown") if is_compared and changes != "=" else None,
            repository=repository_page(_remote(remotes)),
        )

    def close(self) -> None:
        """End git if it still runs; a second call changes nothing."""
        process, self._process = self._process, None
        if process is None or process.stdout is None:
            return
        process.stdout.close()
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _read(self) -> bytes:
        """Return what git has written until its end, or until the time is over."""
        if self._process is None or self._process.stdout is None:
            return b""
        output, descriptor = b"", self._process.stdout.fileno()
        poll = select.poll()  # `select.select` refuses descriptors above 1,023
        poll.register(descriptor, select.POLLIN)
        while len(output) < _MAX_BYTES and poll.poll(max(0, self._deadline - monotonic()) * 1000):
            data = os.read(descriptor, _MAX_BYTES)
            if not data:
                break
            output += data
        self.close()
        return output


def _remote(text: str) -> str | None:
    """Return the address of the remote ``origin``, or of the only one, by the output of ``git remote -v``."""
    lines = (line.partition("\t") for line in text.splitlines() if " (fetch)" in line)
    urls = {name: url.rpartition(" (fetch)")[0] for name, _, url in lines}
    return urls.get("origin") or (next(iter(urls.values())) if len(urls) == 1 else None)
