"""Collect the facts of a build: from settings first, then from the CI provider's job, then from git.

No value of a variable raises an error: a value that cannot be parsed is an unknown fact.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.api.models import MAX_ANCESTORS
from pytest_automation_report.ci.facts import BuildInfo, read_variable, repository_page, with_fallbacks
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import read_file
from pytest_automation_report.text.limits import ANCESTOR_DIGITS, SHORT_COMMIT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from pytest_automation_report.ci.providers import ReadFile

FactsScope: TypeAlias = 'Literal["all", "ci", "none"]'
"""The sources of facts besides settings: CI provider and git, the CI provider alone, or neither."""

# Files that variables name; GitHub's event of a pull request has some ten thousand bytes.
_FILE_BYTES: Final = 4 * 1024 * 1024

SUMMARY_VARIABLE: Final = "GITHUB_STEP_SUMMARY"
"""Variable with the path of a file whose Markdown GitHub shows on the page of the job."""

MARKS: Final[Mapping[str, tuple[str, ...]]] = {
    # Before GitLab, whose names it shares, and before Drone, whose variables its older versions set.
    "Woodpecker": ("CI=woodpecker", "CI_SYSTEM_NAME=woodpecker"),
    # Before GitHub, whose variables it sets.
    "Gitea": ("GITEA_ACTIONS", "FORGEJO_ACTIONS"),
    "GitHub": ("GITHUB_ACTIONS",),
    "GitLab": ("GITLAB_CI",),
    "Azure": ("TF_BUILD",),
    "CircleCI": ("CIRCLECI",),
    "Buildkite": ("BUILDKITE",),
    "Bitbucket": ("BITBUCKET_BUILD_NUMBER",),
    "Travis": ("TRAVIS",),
    "Drone": ("DRONE",),
    "AppVeyor": ("APPVEYOR",),
    "CodeBuild": ("CODEBUILD_BUILD_ID",),
    "TeamCity": ("TEAMCITY_VERSION",),
    # Last, since its agents may set JENKINS_URL for jobs that another provider runs.
    "Jenkins": ("JENKINS_URL",),
}
"""How each provider is detected: by a variable that is set, or ``NAME=value``. The first one counts."""

_UNMARKED: Final = frozenset({"", "0", "false", "no", "off"})

AGENTS: Final = (
    "AI_AGENT", "AGENT", "CLAUDECODE", "CODEX_SANDBOX", "CURSOR_AGENT", "GEMINI_CLI", "OPENCODE", "AUGMENT_AGENT",
)  # fmt: skip
"""Variables that coding agents set for the commands that they run."""


def is_agent(environ: Mapping[str, str]) -> bool:
    """Return whether a coding agent runs this process."""
    return any(_is_marked(environ, name) for name in AGENTS)


def is_ci(environ: Mapping[str, str]) -> bool:
    """Return whether a CI provider runs this process."""
    return ci_facts(environ) is not None


def ci_facts(environ: Mapping[str, str], read_file: ReadFile = lambda _: "") -> BuildInfo | None:
    """Return the facts of a CI job, ``BuildInfo(provider="CI")`` if only ``CI`` is set, None outside of CI."""
    provider = next((name for name, marks in MARKS.items() if any(_is_marked(environ, mark) for mark in marks)), None)
    if provider is None:
        return BuildInfo(provider="CI") if _is_marked(environ, "CI") else None
    from pytest_automation_report.ci.providers import facts_of_job  # noqa: PLC0415 - only in jobs of a provider

    return facts_of_job(provider, environ, read_file)


def _is_marked(environ: Mapping[str, str], mark: str) -> bool:
    """Whether a variable is set and not switched off, or for ``NAME=value`` whether it has the value."""
    name, _, value = mark.partition("=")
    text = (read_variable(environ, name) or "").lower()
    return text == value if value else text not in _UNMARKED


class FactsSearch:
    """The search for the facts of a build, which `result` or `close` ends. Git works meanwhile. Never raises."""

    def __init__(self, given: BuildInfo, scope: FactsScope, environ: Mapping[str, str], root: Path) -> None:
        self._facts = given if scope == "none" else with_fallbacks(given, ci_facts(environ, _file_text))
        self._checkout: Checkout | None = None
        # Without a target branch its base is found among the commits before.
        if scope == "all" and not (self._facts.is_whole and self._facts.target_branch):
            # A CI job checks a commit out and tests it; only users change files before they run tests.
            is_local = self._facts.provider is None and self._facts.commit is None
            self._checkout = Checkout(root, environ, is_local=is_local, commit=self._facts.commit or "HEAD")

    def result(self) -> BuildInfo:
        """Return the facts, after git has answered and what differs was read, or after two seconds from git's start."""
        checkout, self._checkout = self._checkout, None
        if checkout is not None:
            found = checkout.facts()
            found = BuildInfo(ancestors=found.ancestors) if self._facts.is_whole else found
            self._facts = with_fallbacks(self._facts, found)
        return self._facts

    def close(self) -> None:
        """End git, if `result` was not called; a second call changes nothing."""
        if self._checkout is not None:
            self._checkout.close()


def facts_for(given: BuildInfo, scope: FactsScope, environ: Mapping[str, str], root: Path) -> BuildInfo:
    """Return the facts that a `FactsSearch` finds."""
    return FactsSearch(given, scope, environ, root).result()


def _file_text(path: str) -> str:
    try:
        return read_file(Path(path), _FILE_BYTES, is_foreign=True).decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


# The time of git, and of reading what differs, from git's start on. ``git status`` of 100,000 files takes 0.2 s.
_SECONDS: Final = 2.0
_MAX_BYTES: Final = 1024 * 1024
_MAX_COMMITS: Final = 20
# A monitor of the file system is a program that the repository's configuration names, and it would stay.
_GIT: Final = "git -c core.fsmonitor=false"
# Status 1 is a detached HEAD; 127 that there is no git, 128 no repository, or one that git refuses.
_BRANCH_COMMAND: Final = f"{_GIT} symbolic-ref --quiet HEAD || [ $? = 1 ] || exit"
_LINE: Final = "%%H:%%an%%x1f%%s"
_COMMITS_COMMAND: Final = f"{_GIT} rev-list --max-count=%d --first-parent --encoding=UTF-8 --format={_LINE} HEAD --"
_ANCESTORS_COMMAND: Final = f"{_GIT} rev-list --max-count={MAX_ANCESTORS} %s --"
_COMMIT_ID: Final = re.compile(r"HEAD|[0-9a-f]{7,64}")
# Changed files of the checkout, and files below the folder that git neither knows nor ignores, each with a null byte
# after it, and one more between the lists. What pytest, Python and we write is no content. The sign at the end tells a
# clean checkout from one that git cannot compare, or not in time.
_CHANGES_COMMAND: Final = (
    f"{_GIT} status --porcelain -z --untracked-files=no --no-renames"
    f" && printf '\\0' && {_GIT} ls-files -z --others --exclude-standard --full-name"
    " -x __pycache__ -x .pytest_cache -x .automation-report && printf ="
)
_CLEAN: Final = b"\0="

# Variables by which a hook of git, or a user, tells git where the repository is, would lead to that one instead of
# the one around the project. These say how git reads its configuration, and how far it looks for a repository.
_KEPT_VARIABLES: Final = ("GIT_CONFIG_", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH")


# Without the program git, and in a checkout that git refuses since it is another user's, nothing is known.
class Checkout:
    """What git says of the checkout that holds a folder; git starts at once, and `facts` or `close` ends it.

    With ``is_local`` git is also asked for the commits before, and whether files differ from the commit. The ancestors
    are those of ``commit``: of a shallow clone some, and none if it is unknown here.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], *, is_local: bool, commit: str = "HEAD") -> None:
        self._folder = folder
        self._is_local = is_local
        self._deadline = monotonic() + _SECONDS
        self._process: subprocess.Popen[bytes] | None = None
        kept = {
            name: text
            for name, text in environ.items()
            if not name.startswith("GIT_") or name.startswith(_KEPT_VARIABLES)
        }
        commands = [_BRANCH_COMMAND, _COMMITS_COMMAND % (_MAX_COMMITS if is_local else 1), f"{_GIT} remote -v"]
        commands.append(_ANCESTORS_COMMAND % commit if _COMMIT_ID.fullmatch(commit) else ":")
        if is_local:
            commands.append(_CHANGES_COMMAND)
        # A folder that is gone, a path that is too long or has a null byte, a system without a shell.
        with suppress(OSError, ValueError):
            # One shell for all commands: it starts in half a millisecond, and the caller does something else meanwhile.
            # It only reads: it writes no index and fetches nothing for a partial clone.
            git_environ = {**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "none"}
            self._process = system.start_script("; printf '\\0'; ".join(commands), folder, git_environ)

    def facts(self) -> BuildInfo:
        """Return what git has said in time: branch, commits, changes and the repository's page."""
        *told, differing = (*self._read().split(b"\0", 4), b"", b"", b"", b"")[:5]
        branch, log, remotes, ancestors = (text.decode("utf-8", errors="replace") for text in told)
        lines = [line.partition(":")[::2] for line in log.split("\n") if ":" in line]
        commits = [(commit, *text.partition("\x1f")[::2]) for commit, text in lines]
        commit, author, subject = commits[0] if commits else ("", "", "")
        changes = None
        if self._is_local and commit and differing != _CLEAN:
            changes = _digest(differing, self._folder, self._deadline)
        history = [f"{commit[:SHORT_COMMIT]} {subject}".rstrip() for commit, _, subject in commits]
        return BuildInfo(
            branch=branch.strip().removeprefix("refs/heads/") if branch.startswith("refs/heads/") else None,
            commit=commit or None,
            commit_subject=subject or None,
            author=author or None,
            commits="\n".join(history) if len(history) > 1 else None,
            changes=changes,
            repository=repository_page(_remote(remotes)),
            ancestors=tuple(line[:ANCESTOR_DIGITS] for line in ancestors.split()) or None,
        )

    def close(self) -> None:
        """End git if it still runs; a second call changes nothing."""
        process, self._process = self._process, None
        if process is None or process.stdout is None:
            return
        process.stdout.close()
        system.end_script(process)
        process.wait()

    def _read(self) -> bytes:
        if self._process is None or self._process.stdout is None:
            return b""
        output, descriptor = b"", self._process.stdout.fileno()
        while len(output) < _MAX_BYTES and system.ready([descriptor], max(0, self._deadline - monotonic())):
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


_UNKNOWN: Final = "unknown"  # of a checkout that git cannot compare, or that differs in more than is read
_MAX_CHANGED_BYTES: Final = 50_000_000
_DIGEST_CHARACTERS: Final = 12


def _digest(told: bytes, folder: Path, deadline: float) -> str:
    """Return a digest of what differs, by what git ``told``: names, modes, contents; "unknown" if it cannot tell."""
    *names, sign = told.split(b"\0")
    if sign != b"=":
        return _UNKNOWN
    between = names.index(b"")
    paths = sorted({*(name[3:] for name in names[:between]), *names[between + 1 :]})
    root = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), folder)
    digest, left = sha256(), _MAX_CHANGED_BYTES
    for path in paths:
        try:
            mode, content = _file_content(root / os.fsdecode(path), left)
        except (OSError, ValueError):
            return _UNKNOWN
        left -= len(content)
        if left < 0 or monotonic() > deadline:
            return _UNKNOWN
        digest.update(b"%d %d %b\0%b" % (mode, len(content), path, content))
    return digest.hexdigest()[:_DIGEST_CHARACTERS]


def _file_content(path: Path, most: int) -> tuple[int, bytes]:
    """Return mode and content as git knows them, of a missing file 0 and nothing; raises OSError and ValueError."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return 0, b""
    if stat.S_ISLNK(found.st_mode):
        return stat.S_IFLNK, os.fsencode(path.readlink())
    # A folder is a repository in this one, whose files nobody has listed.
    if not stat.S_ISREG(found.st_mode) or found.st_size > most:
        raise ValueError(path)
    return found.st_mode & stat.S_IXUSR, read_file(path, most, is_foreign=True)
