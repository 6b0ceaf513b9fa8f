"""The facts of a build, such as branch and commit, and their form as fields, links and a tag of a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import Field, FieldType, Link, NewRun, web_address_hint
from pytest_automation_report.text.limits import SHORT_COMMIT, STRING_UNITS, string, utf16_length

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


JOB_LINK: Final = "CI job"
PLACEHOLDER: Final = r"\{([^{}]*)\}"
"""A placeholder of a run key, such as ``{pipeline}``: the name of an attribute of `BuildInfo`."""


class Shard(Struct, frozen=True):
    """The number of one of several parallel jobs, from 1."""

    index: int
    total: int | None = None

    def __str__(self) -> str:
        return str(self.index) if self.total is None else f"{self.index}/{self.total}"


class CiJob(Struct, frozen=True):
    """A job as its provider names it, which all jobs of a matrix have if ``is_shared``."""

    name: str
    is_shared: bool = False
    execution: int | None = None  # greater each time the job runs


class BuildInfo(Struct, frozen=True, kw_only=True):
    """The facts of one build; an unknown one is None, never a guess.

    The ``branch`` of a pull request's build is ``pull/12``, or ``owner:branch`` without a number: the repository may
    have a branch of the source's name. ``commit`` is what its author pushed, ``merge_commit`` the merge that the
    provider tests instead. ``commits`` has a line of hash and subject for the commit and those before.
    ``ancestors`` has the ids of the commit and of what led to it, cut as `api.models.ANCESTORS` are.
    ``changes`` is a digest of what differs from the commit, "unknown" if git cannot tell. Users see ``build``;
    ``pipeline`` is the same in all jobs of one build and in no other; ``attempt`` counts from 1. ``url`` is the web
    page of the job or of its build.
    """

    provider: str | None = None
    branch: str | None = None
    tag: str | None = None
    commit: str | None = None
    merge_commit: str | None = None
    pull_request: int | None = None
    target_branch: str | None = None
    commit_subject: str | None = None
    author: str | None = None
    commits: str | None = None
    ancestors: tuple[str, ...] | None = None
    changes: str | None = None
    build: str | None = None
    pipeline: str | None = None
    attempt: int | None = None
    shard: Shard | None = None
    url: str | None = None
    repository: str | None = None
    job: CiJob | None = None

    def template_values(self) -> dict[str, str]:
        """Return the known values that a template of an artifact's URL may name, escaped as parts of a URL."""
        values = {name: getattr(self, name) for name in ("build", "attempt", "branch", "commit")}
        values["shard"] = self.shard and self.shard.index
        escaped = {name: quote(str(value), safe="") for name, value in values.items() if value is not None}
        return escaped if self.url is None else {**escaped, "job_url": self.url.rstrip("/")}

    @property
    def is_whole(self) -> bool:
        """Whether all is known that a git checkout could tell of a known commit."""
        return bool(self.ref and self.commit and self.commit_subject and self.repository)

    @property
    def ref(self) -> str | None:
        """Branch or tag, the first that is known."""
        return self.branch or self.tag

    @property
    def commit_link(self) -> str | None:
        """The web page of the commit, None if its host has no such pages."""
        host = urlsplit(self.repository or "").hostname or ""
        if not self.repository or not self.commit or "amazonaws" in host:  # its pages are in a console at another host
            return None
        words = {"bitbucket": "commits", "gitlab": "-/commit"}
        word = next((word for name, word in words.items() if name in host), "commit")
        return f"{self.repository}/{word}/{quote(self.commit, safe='', errors='replace')}"


def with_fallbacks(first: BuildInfo, other: BuildInfo | None) -> BuildInfo:
    """Fill the missing values of ``first`` from ``other``."""
    if other is None:
        return first
    # Pairs are filled as pairs: a branch of one source and a tag of another do not belong to the same build.
    kept: set[str] = set()
    if first.branch or first.tag:
        kept |= {"branch", "tag"}
    if first.commit or first.merge_commit:
        kept |= {"commit", "merge_commit", "changes"}
        if first.commit != other.commit:
            kept |= {"commit_subject", "author", "commits"}
    names = [name for name in BuildInfo.__struct_fields__ if name not in kept and getattr(first, name) is None]
    return replace(first, **{name: getattr(other, name) for name in names})


def with_facts(run: NewRun, facts: BuildInfo, *, own: Sequence[Field] = (), is_branch_tag: bool = False) -> NewRun:
    """Return a run with the fields ``own`` and these facts added; the run's fields and links of a name win."""
    user_fields = {field.name for field in run.fields}
    user_links = {link.name for link in run.links}
    fields = (field for field in (*own, *_fields(facts)) if field.name not in user_fields)
    note = facts.commit[:SHORT_COMMIT] if facts.commit else None
    links = (
        Link(name, url, note)
        for name, url, note in ((JOB_LINK, facts.url, None), ("Commit", facts.commit_link, note))
        # A URL that is invalid or too long is left out: a cut one leads nowhere.
        if name not in user_links and url and not web_address_hint(url) and utf16_length(url) <= STRING_UNITS
    )
    ref = (facts.branch or facts.tag or "") if is_branch_tag else ""
    tag = re.sub(r"[^A-Za-z0-9_-]+", "-", ref).strip("-")[:STRING_UNITS]
    return replace(
        run,
        tags=tuple(dict.fromkeys((*run.tags, tag) if tag else run.tags)),
        fields=(*fields, *run.fields),
        links=(*run.links, *links),
    )


def repository_page(remote: str | None) -> str | None:
    """Return the web page of a repository from its git remote, without user and password.

    None for paths on a disk, and for hosts without a dot, which are names in a local network.
    """
    text = (remote or "").strip()
    scp = re.fullmatch(r"(?:[^@/:\s]+@)?([A-Za-z0-9.-]+):(?!/?/)(\S+)", text) if "://" not in text else None
    try:
        split = urlsplit(f"ssh://{scp[1]}/{scp[2]}" if scp else text)
        host, port = split.hostname or "", split.port
    except ValueError:
        return None
    path = split.path.rstrip("/").removesuffix(".git").strip("/")
    is_web = split.scheme in {"http", "https"}
    if not (is_web or split.scheme in {"ssh", "git", "git+ssh"}) or "." not in host or not path:
        return None
    origin = f"{split.scheme}://{host}" if is_web else f"https://{host}"
    page = f"{origin}{f':{port}' if port and is_web else ''}/{path}"
    return None if web_address_hint(page) else page


def _fields(facts: BuildInfo) -> list[Field]:
    is_gitlab = facts.provider == "GitLab" and facts.pull_request is not None
    values = (
        ("CI", facts.provider),
        ("Branch", facts.branch),
        ("Tag", facts.tag),
        ("Commit", facts.commit),
        ("Commit subject", facts.commit_subject),
        ("Commit author", facts.author),
        ("Changes", facts.changes),
        ("Merge commit", facts.merge_commit),
        ("Merge request", f"!{facts.pull_request}") if is_gitlab else ("Pull request", facts.pull_request),
        ("Target branch", facts.target_branch),
        ("Build", facts.build),
        ("Attempt", facts.attempt),
        ("Shard", facts.shard),
    )
    fields = [Field(name, string(str(value))) for name, value in values if value is not None]
    if facts.commits is not None:
        fields.append(Field("Commits", facts.commits, FieldType.TEXT))
    return fields


def without_user(url: str | None) -> str | None:
    """Return a web address without user and password, None for any other text."""
    if not url or web_address_hint(url):
        return None
    split = urlsplit(url)
    return split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()


def read_variable(environ: Mapping[str, str], name: str) -> str | None:
    """Return a variable's value without surrounding space, None if it is unset or empty."""
    return environ.get(name, "").strip() or None
