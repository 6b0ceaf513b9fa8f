"""What is known about where a run was made: the CI job, the branch, the commit; and what a run tells of it.

Values only, so that pytest and the console command tell the same. What nobody tells is ``None``, never a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from pytest_automation_report.api.models import Field, Link
from pytest_automation_report.api.urls import web_address_hint
from pytest_automation_report.text.limits import STRING_UNITS, string, utf16_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import NewRun

__all__ = [
    "BuildInfo",
    "Shard",
    "branch_tag",
    "commit_page",
    "repository_page",
    "with_facts",
    "with_fallbacks",
    "without_user",
]

JOB_LINK: Final = "CI job"
COMMIT_LINK: Final = "Commit"

_SHORT_COMMIT: Final = 10
_REMOTE_SCHEMES: Final = frozenset({"https", "http", "ssh", "git", "git+ssh"})
_SCP_REMOTE: Final = re.compile(r"(?:[^@/:\s]+@)?([A-Za-z0-9.-]+):(?!/?/)(\S+)")


@dataclass(frozen=True, slots=True)
class Shard:
    """Which of several parallel jobs this one is, counted from 1; ``total`` is ``None`` where nobody tells it."""

    index: int
    total: int | None = None

    def __str__(self) -> str:
        return str(self.index) if self.total is None else f"{self.index}/{self.total}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInfo:
    """Where a run was made; what nobody tells is ``None``.

    ``branch`` is the source branch of a pull request, ``commit`` the one that its author pushed; ``merge_commit`` is
    what the provider made of it to test. Where a tag is built, ``tag`` is known and ``branch`` is not. ``build`` is
    the number that people know the build by, ``attempt`` counts from 1. ``url`` is the web page of the job, or of the
    build that it belongs to, ``repository`` that of the repository.
    """

    provider: str | None = None
    branch: str | None = None
    tag: str | None = None
    commit: str | None = None
    merge_commit: str | None = None
    pull_request: int | None = None
    build: str | None = None
    attempt: int | None = None
    shard: Shard | None = None
    url: str | None = None
    repository: str | None = None

    def template_values(self) -> dict[str, str]:
        """Return the known values that a template of an artifact's URL may name, escaped as parts of a URL."""
        values = {
            "build": self.build,
            "attempt": self.attempt,
            "shard": self.shard and self.shard.index,
            "branch": self.branch,
            "commit": self.commit,
        }
        escaped = {name: quote(str(value), safe="") for name, value in values.items() if value is not None}
        return escaped if self.url is None else {**escaped, "job_url": self.url.rstrip("/")}

    @property
    def ref(self) -> str | None:
        """What was built, in one word: branch, tag or pull request."""
        request = f"pull/{self.pull_request}" if self.pull_request else None
        return self.branch or self.tag or request

    @property
    def commit_link(self) -> str | None:
        """The web page of the commit."""
        return commit_page(self.repository, self.commit) if self.repository and self.commit else None


def with_fallbacks(first: BuildInfo, *others: BuildInfo | None) -> BuildInfo:
    """Fill the missing values of `first` from `others`, in order."""
    for other in others:
        if other is not None:
            first = _with_fallback(first, other)
    return first


def _with_fallback(first: BuildInfo, other: BuildInfo) -> BuildInfo:
    # Two pairs are filled as pairs: a branch of one source and a tag or a merge commit of another do not belong
    # to the same build.
    has_ref = bool(first.branch or first.tag)
    has_commit = bool(first.commit or first.merge_commit)
    return BuildInfo(
        provider=other.provider if first.provider is None else first.provider,
        branch=other.branch if first.branch is None and not has_ref else first.branch,
        tag=other.tag if first.tag is None and not has_ref else first.tag,
        commit=other.commit if first.commit is None and not has_commit else first.commit,
        merge_commit=other.merge_commit if first.merge_commit is None and not has_commit else first.merge_commit,
        pull_request=other.pull_request if first.pull_request is None else first.pull_request,
        build=other.build if first.build is None else first.build,
        attempt=other.attempt if first.attempt is None else first.attempt,
        shard=other.shard if first.shard is None else first.shard,
        url=other.url if first.url is None else first.url,
        repository=other.repository if first.repository is None else first.repository,
    )


def with_facts(run: NewRun, facts: BuildInfo, *, own: Sequence[Field] = (), is_branch_tag: bool = False) -> NewRun:
    """Return a run that tells these facts, and its own fields before them.

    What the user has given stays: fields and links of the same name are left out, and come before what is added last.
    """
    fields_given = {each.name for each in run.resources.fields}
    links_given = {each.name for each in run.resources.links}
    told = (each for each in (*own, *_fields(facts)) if each.name not in fields_given)
    links = (each for each in _links(facts) if each.name not in links_given)
    tag = branch_tag(facts) if is_branch_tag else None
    return replace(
        run,
        tags=tuple(dict.fromkeys((*run.tags, *([tag] if tag else ())))),
        resources=replace(
            run.resources,
            fields=(*told, *run.resources.fields),
            links=(*run.resources.links, *links),
        ),
    )


def branch_tag(facts: BuildInfo) -> str | None:
    """Return the branch's or tag's name as the tag of a run, of letters, digits, underscores and dashes alone."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", facts.branch or facts.tag or "").strip("-")
    return name[:STRING_UNITS] or None


def repository_page(remote: str | None) -> str | None:
    """Return the web page of a repository by the address that git fetches from, without user and password.

    ``None`` for paths on a disk, and for hosts without a dot, which are names that one machine gives to another.
    """
    text = (remote or "").strip()
    scp = _SCP_REMOTE.fullmatch(text) if "://" not in text else None
    try:
        split = urlsplit(f"ssh://{scp[1]}/{scp[2]}" if scp else text)
        host, port = split.hostname or "", split.port
    except ValueError:
        return None
    path = split.path.rstrip("/").removesuffix(".git").strip("/")
    if split.scheme not in _REMOTE_SCHEMES or "." not in host or not path:
        return None
    is_web = split.scheme in {"http", "https"}
    origin = f"{split.scheme}://{host}" if is_web else f"https://{host}"
    page = f"{origin}{f':{port}' if port and is_web else ''}/{path}"
    return None if web_address_hint(page) else page


def commit_page(repository: str, commit: str) -> str | None:
    """Return the web page of a commit by that of its repository, ``None`` where none is known to be."""
    host = urlsplit(repository).hostname or ""
    if "amazonaws" in host:  # its pages are in a console at another host
        return None
    words = {"bitbucket": "commits", "gitlab": "-/commit"}
    word = next((word for name, word in words.items() if name in host), "commit")
    return f"{repository}/{word}/{quote(commit, safe='', errors='replace')}"


def _fields(facts: BuildInfo) -> list[Field]:
    """Return what is known, each with the name that people read."""
    values = (
        ("CI", facts.provider),
        ("Branch", facts.branch),
        ("Tag", facts.tag),
        ("Commit", facts.commit),
        ("Merge commit", facts.merge_commit),
        ("Pull request", facts.pull_request),
        ("Build", facts.build),
        ("Attempt", facts.attempt),
        ("Shard", facts.shard),
    )
    return [Field(name, string(str(value))) for name, value in values if value is not None]


def _links(facts: BuildInfo) -> list[Link]:
    """Return the links to the job and to the commit; an address that is too long or none is left out, never cut."""
    note = facts.commit[:_SHORT_COMMIT] if facts.commit else None
    found = ((JOB_LINK, facts.url, None), (COMMIT_LINK, facts.commit_link, note))
    return [
        Link(name, url, note)
        for name, url, note in found
        if url and not web_address_hint(url) and utf16_length(url) <= STRING_UNITS
    ]


def without_user(url: str | None) -> str | None:
    """Return a web address without user and password, ``None`` for what is no web address."""
    if not url or web_address_hint(url):
        return None
    split = urlsplit(url)
    return split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()
