"""Collect the facts of a build: explicit settings first, then those of the CI provider's job, then those of git.

No value of a variable raises an error: a value that cannot be parsed is an unknown fact.
"""

from __future__ import annotations

import os
import re
import select
import signal
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import quote

from msgspec.structs import replace

from pytest_automation_report.ci.facts import (
    COMMIT_CHARACTERS,
    BuildInfo,
    CiJob,
    Shard,
    all_of,
    repository_page,
    subject_of,
    text_of,
    with_fallbacks,
    without_user,
)
from pytest_automation_report.text.files import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.ci.providers import Provider, ReadFile

FactsScope: TypeAlias = 'Literal["all", "ci", "none"]'
"""The sources of facts besides settings: CI provider and git, the CI provider alone, or neither."""

# Files that variables name; GitHub's event of a pull request has some ten thousand bytes.
_FILE_BYTES: Final = 4 * 1024 * 1024

SUMMARY_VARIABLE: Final = "GITHUB_STEP_SUMMARY"
"""Variable with the path of a file whose Markdown GitHub shows on the page of the job."""

MARKS: Final = frozenset({
    "CI", "CI_SYSTEM_NAME", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "CIRCLECI",
    "BUILDKITE", "BITBUCKET_BUILD_NUMBER", "TRAVIS", "DRONE", "APPVEYOR", "CODEBUILD_BUILD_ID", "TEAMCITY_VERSION",
    "JENKINS_URL",
})  # fmt: skip
"""Variables by which providers are detected: without one of them their table is not loaded."""

_UNMARKED: Final = frozenset({"", "0", "false", "no", "off"})
_BRANCH_PREFIXES: Final = ("refs/heads/", "refs/remotes/origin/")


AGENTS: Final = (
    "AI_AGENT", "AGENT", "CLAUDECODE", "CODEX_SANDBOX", "CURSOR_AGENT", "GEMINI_CLI", "OPENCODE", "AUGMENT_AGENT",
)  # fmt: skip
"""Variables that coding agents set for the commands that they run."""


def is_agent(environ: Mapping[str, str]) -> bool:
    """Return whether a coding agent runs this process."""
    return any(_is_marked(environ, name) for name in AGENTS)


def is_ci(environ: Mapping[str, str]) -> bool:
    """Return whether a CI provider runs this process."""
    return _provider(environ) is not None or _is_marked(environ, "CI")


def ci_provider(environ: Mapping[str, str]) -> str:
    """Return the name of the provider that runs this process, "" if it is not in the table."""
    provider = _provider(environ)
    return "" if provider is None else provider.name


def ci_facts(environ: Mapping[str, str], read_file: ReadFile = lambda _: "") -> BuildInfo | None:
    """Return the facts of a CI job, ``BuildInfo(provider="CI")`` if only ``CI`` is set, None outside of CI."""
    provider = _provider(environ)
    if provider is None:
        return BuildInfo(provider="CI") if _is_marked(environ, "CI") else None
    facts = with_fallbacks(provider.custom_facts(environ, read_file), _from_table(environ, provider))
    # Some providers set the variable of the target for a push, too, to the branch itself.
    target = facts.target_branch if facts.pull_request is not None else None
    if target is not None:
        target = _without_prefix(target, _BRANCH_PREFIXES)
    merge = _commit(environ, provider.merge_commit)
    is_merge = merge is not None and facts.pull_request is not None and merge != facts.commit
    return replace(facts, target_branch=target, merge_commit=merge if is_merge else facts.merge_commit)


def _provider(environ: Mapping[str, str]) -> Provider | None:
    if MARKS.isdisjoint(environ):
        return None
    from pytest_automation_report.ci.providers import PROVIDERS  # noqa: PLC0415 - only in jobs of a provider

    return next((row for row in PROVIDERS if any(_is_marked(environ, mark) for mark in row.marks)), None)


def _from_table(environ: Mapping[str, str], provider: Provider) -> BuildInfo:
    tag = _first(environ, provider.tag)
    request = _request(environ, provider)
    ref = BuildInfo() if tag else _ref(environ, provider, request)
    job = _first(environ, provider.job)
    # Some providers count repetitions, from 0, and others attempts, from 1.
    retries, attempt = _integer(environ, provider.retries), _integer(environ, provider.attempt)
    return BuildInfo(
        provider=provider.name,
        branch=ref.branch,
        tag=tag or ref.tag,
        commit=_commit(environ, provider.commit),
        pull_request=request or ref.pull_request,
        target_branch=_first(environ, provider.target_branch),
        commit_subject=subject_of(_first(environ, provider.commit_message) or ""),
        build=_first(environ, provider.build),
        pipeline="-".join(all_of(environ, *provider.pipeline) or ()) or None,
        attempt=(attempt if retries is None else retries + 1) or None,
        shard=_shard(environ, provider),
        url=without_user(_first(environ, provider.url)),
        repository=repository_page(_first(environ, provider.repository)),
        job=CiJob(job, provider.is_job_shared, _integer(environ, provider.execution)) if job else None,
    )


def _ref(environ: Mapping[str, str], provider: Provider, request: int | None) -> BuildInfo:
    """Return the branch, tag or pull request in the first variable that is set; the formats are tried in order."""
    text = _first(environ, provider.branch) or ""
    pull = re.fullmatch(r"refs/(?:pull|merge-requests|pull-requests)/([0-9]{1,18})(?:/.*)?", text)
    if pull:
        return BuildInfo(pull_request=int(pull[1]))
    number = _number_in_ref(text, provider)
    if number and int(number) == request:
        return BuildInfo()  # a name of the pull request itself: no branch
    for prefix in ("refs/tags/", *provider.tag_prefixes):
        if text.startswith(prefix):
            return BuildInfo(tag=text[len(prefix) :] or None)
    return BuildInfo(branch=_without_prefix(text, (*_BRANCH_PREFIXES, *provider.branch_prefixes)))


def _without_prefix(ref: str, prefixes: tuple[str, ...]) -> str | None:
    """Return the bare name of a branch, None for an empty one."""
    prefix = next((prefix for prefix in prefixes if ref.startswith(prefix)), "")
    return ref[len(prefix) :] or None


def _commit(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    text = _first(environ, names)
    return None if text == "HEAD" else text  # Buildkite's word for a build that was started without a commit


def _request(environ: Mapping[str, str], provider: Provider) -> int | None:
    """Return the pull request's number; without one some variables hold ``false``."""
    text = _first(environ, provider.pull_request) or ""
    # The last part of a URL is the number, too.
    number = _number_in_ref(text, provider) or (text.rstrip("/").rpartition("/")[2] if "://" in text else text)
    return int(number) if re.fullmatch(r"[0-9]{1,18}", number) else None


def _number_in_ref(text: str, provider: Provider) -> str:
    """Return the number in a provider's name of a pull request's branch, such as ``pr/12``."""
    match = re.fullmatch(provider.pull_ref, text) if provider.pull_ref else None
    return match[1] if match else ""


def _shard(environ: Mapping[str, str], provider: Provider) -> Shard | None:
    index, total = _integer(environ, provider.shard), _integer(environ, provider.shards)
    if index is None or total is None or total < 2:  # noqa: PLR2004 - parallel are two and more
        return None
    number = index + 1 if provider.is_shard_from_zero else index
    return Shard(number, total) if 1 <= number <= total else None


def _integer(environ: Mapping[str, str], name: str) -> int | None:
    text = text_of(environ, name) or ""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _is_marked(environ: Mapping[str, str], mark: str) -> bool:
    """Return whether a variable is set and not switched off, or for ``NAME=value`` whether it has the value."""
    name, _, value = mark.partition("=")
    text = (text_of(environ, name) or "").lower()
    return text == value if value else text not in _UNMARKED


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the value of the first variable that is set, or of the first template whose variables are all set."""
    return next((text for name in names if (text := _filled(environ, name))), None)


def _filled(environ: Mapping[str, str], template: str) -> str | None:
    if "{" not in template:
        return text_of(environ, template)
    if all_of(environ, *re.findall(r"\{(\w+)", template)) is None:
        return None

    def filled(variable: re.Match[str]) -> str:
        value = environ[variable[1]].strip()
        return quote(value, safe=":", errors="replace") if variable[2] else value.rstrip("/")

    return re.sub(r"\{(\w+)(!q)?\}", filled, template)


class FactsSearch:
    """The search for the facts of a build, which `result` or `close` ends. Git works meanwhile. Never raises."""

    def __init__(self, given: BuildInfo, scope: FactsScope, environ: Mapping[str, str], root: Path) -> None:
        self._facts = given if scope == "none" else with_fallbacks(given, ci_facts(environ, _file_text))
        self._checkout: Checkout | None = None
        if scope == "all" and not self._facts.is_whole:
            # A CI job checks a commit out and tests it; only users change files before they run tests.
            is_local = self._facts.provider is None and self._facts.commit is None
            self._checkout = Checkout(root, environ, is_local=is_local)

    def result(self) -> BuildInfo:
        """Return the facts, after git has answered and what differs was read, or after two seconds from git's start."""
        checkout, self._checkout = self._checkout, None
        if checkout is not None:
            self._facts = with_fallbacks(self._facts, checkout.facts())
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
_UNKNOWN: Final = "unknown"  # of a checkout that git cannot compare, or that differs in more than is read
_MAX_BYTES: Final = 1024 * 1024
_MAX_CHANGED_BYTES: Final = 50_000_000
_MAX_COMMITS: Final = 20
_DIGEST_CHARACTERS: Final = 12
# A monitor of the file system is a program that the repository's configuration names, and it would stay.
_GIT: Final = "git -c core.fsmonitor=false"
# Status 1 is a detached HEAD; 127 that there is no git, 128 no repository, or one that git refuses.
_BRANCH_COMMAND: Final = f"{_GIT} symbolic-ref --quiet HEAD || [ $? = 1 ] || exit"
_LINE: Final = "%%H:%%an%%x1f%%s"
_COMMITS_COMMAND: Final = f"{_GIT} rev-list --max-count=%d --first-parent --encoding=UTF-8 --format={_LINE} HEAD --"
# Changed files of the checkout, and files below the folder that git neither knows nor ignores, each with a null byte
# after it, and one more between the lists. What pytest, Python and we write is no content. The sign at the end tells a
# clean checkout from one that git cannot compare, or not in time.
_CHANGES_COMMAND: Final = (
    f"{_GIT} status --porcelain -z --untracked-files=no --no-renames"
    f" && printf '\\0' && {_GIT} ls-files -z --others --exclude-standard --full-name"
    " -x __pycache__ -x .pytest_cache -x .automation-report && printf ="
)

# Variables by which a hook of git, or a user, tells git where the repository is, would lead to that one instead of
# the one around the project. These say how git reads its configuration, and how far it looks for a repository.
_KEPT_VARIABLES: Final = ("GIT_CONFIG_", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH")


# Without the program git, and in a checkout that git refuses since it is another user's, nothing is known.
class Checkout:
    """What git says of the checkout that holds a folder; git starts at once, and `facts` or `close` ends it.

    With ``is_local`` git is also asked for the commits before, and whether files differ from the commit.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], *, is_local: bool) -> None:
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
        if is_local:
            commands.append(_CHANGES_COMMAND)
        # A folder that is gone, a path that is too long or has a null byte, a system without a shell.
        with suppress(OSError, ValueError):
            # One shell for all commands: it starts in half a millisecond, and the caller does something else meanwhile.
            self._process = subprocess.Popen(  # noqa: S603 - our own text
                ["/bin/sh", "-c", "; printf '\\0'; ".join(commands)],
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
        """Return what git has said in time: branch, commits, changes and the repository's page."""
        *told, changes = (*self._read().split(b"\0", 3), b"", b"", b"")[:4]
        branch, log, remotes = (text.decode("utf-8", errors="replace") for text in told)
        lines = [line.partition(":")[::2] for line in log.split("\n") if ":" in line]
        commits = [(commit, *text.partition("\x1f")[::2]) for commit, text in lines]
        commit, author, subject = commits[0] if commits else ("", "", "")
        is_compared = self._is_local and bool(commit)
        history = [f"{commit[:COMMIT_CHARACTERS]} {subject}".rstrip() for commit, _, subject in commits]
        return BuildInfo(
            branch=branch.strip().removeprefix("refs/heads/") if branch.startswith("refs/heads/") else None,
            commit=commit or None,
            commit_subject=subject or None,
            author=author or None,
            commits="\n".join(history) if len(history) > 1 else None,
            changes=_digest(changes, self._folder, self._deadline) if is_compared else None,
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


def _digest(told: bytes, folder: Path, deadline: float) -> str | None:
    """Return ``changes`` by the output of the command: a digest of the names, modes and contents of what differs."""
    *names, sign = told.split(b"\0")
    if sign != b"=":
        return _UNKNOWN
    between = names.index(b"")
    paths = sorted({*(name[3:] for name in names[:between]), *names[between + 1 :]})
    if not paths:
        return None
    root = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), folder)
    from hashlib import sha256  # noqa: PLC0415 - most sessions of pipelines have no changes

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


def _remote(text: str) -> str | None:
    """Return the address of the remote ``origin``, or of the only one, by the output of ``git remote -v``."""
    lines = (line.partition("\t") for line in text.splitlines() if " (fetch)" in line)
    urls = {name: url.rpartition(" (fetch)")[0] for name, _, url in lines}
    return urls.get("origin") or (next(iter(urls.values())) if len(urls) == 1 else None)
