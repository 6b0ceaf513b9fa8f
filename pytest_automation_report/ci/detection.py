"""What CI providers tell about the job in their environment variables.

Pure: the environment is an argument, and so is the function that reads the few files that variables name. Nothing in
here raises an error for what a provider sets: what cannot be understood is unknown.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_automation_report.ci.facts import BuildInfo, Shard, repository_page, with_fallbacks, without_user
from pytest_automation_report.ci.provider_urls import text_of
from pytest_automation_report.ci.providers import PROVIDERS, nothing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.ci.providers import Provider, ReadFile

__all__ = ["SUMMARY_VARIABLE", "ci_facts", "ci_provider", "is_ci"]

SUMMARY_VARIABLE: Final = "GITHUB_STEP_SUMMARY"
"""Names the file whose Markdown a CI provider shows on the page of its job."""

_UNMARKED: Final = frozenset({"", "0", "false", "no", "off"})
_TAG_PREFIXES: Final = ("refs/tags/",)
_BRANCH_PREFIXES: Final = ("refs/heads/", "refs/remotes/origin/")
_PULL_REF: Final = re.compile(r"refs/(?:pull|merge-requests|pull-requests)/([0-9]{1,18})(?:/.*)?")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether a CI provider runs this process."""
    return _provider(environ) is not None or _is_marked(environ, "CI")


def ci_provider(environ: Mapping[str, str]) -> str:
    """Return the name of the provider that runs this process, empty where it is none of the table's."""
    provider = _provider(environ)
    return "" if provider is None else provider.name


def ci_facts(environ: Mapping[str, str], read_file: ReadFile = nothing) -> BuildInfo | None:
    """Return what the CI provider tells, ``BuildInfo(provider="CI")`` where only ``CI`` is set, ``None`` outside of CI.

    ``read_file`` returns the text of a file that the provider names, empty when it cannot be read; without it, what
    only such a file tells is unknown.
    """
    provider = _provider(environ)
    if provider is None:
        return BuildInfo(provider="CI") if _is_marked(environ, "CI") else None
    return _with_merge(
        with_fallbacks(provider.more(environ, read_file), _from_table(environ, provider)), environ, provider
    )


def _provider(environ: Mapping[str, str]) -> Provider | None:
    return next((each for each in PROVIDERS if any(_is_marked(environ, mark) for mark in each.marks)), None)


def _from_table(environ: Mapping[str, str], provider: Provider) -> BuildInfo:
    """Return what the provider's variables say."""
    tag = _first(environ, provider.tag)
    request = _request(environ, provider)
    ref = BuildInfo() if tag else _ref(environ, provider, request)
    repository = provider.made_repository(environ) or _first(environ, provider.repository)
    return BuildInfo(
        provider=provider.name,
        branch=ref.branch,
        tag=tag or ref.tag,
        commit=_commit(environ, provider.commit),
        pull_request=request or ref.pull_request,
        build=_first(environ, provider.build),
        attempt=_attempt(environ, provider),
        shard=_shard(environ, provider),
        url=without_user(provider.made_url(environ) or _first(environ, provider.url)),
        repository=repository_page(repository),
    )


def _with_merge(facts: BuildInfo, environ: Mapping[str, str], provider: Provider) -> BuildInfo:
    """Return the facts with the merge that a provider tests in place of what the author of a pull request pushed."""
    merge = _commit(environ, provider.merge_commit)
    if merge is None or facts.pull_request is None or merge == facts.commit:
        return facts
    return replace(facts, merge_commit=merge)


def _ref(environ: Mapping[str, str], provider: Provider, request: int | None) -> BuildInfo:
    """Return the branch, tag or pull request in the first variable that is set; the formats are tried in order."""
    text = _first(environ, provider.branch) or ""
    pull = _PULL_REF.fullmatch(text)
    if pull:
        return BuildInfo(pull_request=int(pull[1]))
    number = _number_in_ref(text, provider)
    if number and int(number) == request:
        return BuildInfo()  # the provider's name of the request that is known already: no branch
    for prefix in (*_TAG_PREFIXES, *provider.tag_prefixes):
        if text.startswith(prefix):
            return BuildInfo(tag=text[len(prefix) :] or None)
    prefixes = (*_BRANCH_PREFIXES, *provider.branch_prefixes)
    prefix = next((each for each in prefixes if text.startswith(each)), "")
    return BuildInfo(branch=text[len(prefix) :] or None)


def _commit(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return a commit's id; ``HEAD`` is what a build is called that was started for none."""
    text = _first(environ, names)
    return None if text == "HEAD" else text


def _request(environ: Mapping[str, str], provider: Provider) -> int | None:
    """Return the pull request's number, ``None`` if there is none; some variables hold ``false`` then."""
    text = _first(environ, provider.pull_request) or ""
    number = _number_in_ref(text, provider) or _number_in_url(text) or text
    return int(number) if _NUMBER.fullmatch(number) else None


def _number_in_ref(text: str, provider: Provider) -> str:
    """Return the number in the provider's own name of a pull request's branch, such as ``pr/12``."""
    match = re.fullmatch(provider.pull_ref, text) if provider.pull_ref else None
    return match[1] if match else ""


def _number_in_url(text: str) -> str:
    """Return the last part of a pull request's URL."""
    return text.rstrip("/").rpartition("/")[2] if "://" in text else ""


def _attempt(environ: Mapping[str, str], provider: Provider) -> int | None:
    """Return which attempt this is, counted from 1; some providers count repetitions, from 0."""
    attempt, retries = _integer(environ, provider.attempt), _integer(environ, provider.retries)
    found = attempt if retries is None else retries + 1
    return found or None


def _shard(environ: Mapping[str, str], provider: Provider) -> Shard | None:
    """Return which of several parallel jobs this is; one that is alone is no part of anything."""
    index, total = _integer(environ, provider.shard), _integer(environ, provider.shards)
    if index is None or total is None or total < 2:  # noqa: PLR2004 - parallel are two and more
        return None
    number = index + 1 if provider.is_shard_from_zero else index
    return Shard(number, total) if 1 <= number <= total else None


def _integer(environ: Mapping[str, str], name: str) -> int | None:
    text = text_of(environ, name) or ""
    return int(text) if _NUMBER.fullmatch(text) else None


def _is_marked(environ: Mapping[str, str], mark: str) -> bool:
    """Return whether a variable is set and not to a word for no, or has the exact value after ``=``."""
    name, _, value = mark.partition("=")
    text = (text_of(environ, name) or "").lower()
    return text == value if value else text not in _UNMARKED


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the first variable that is set."""
    return next((text for name in names if (text := text_of(environ, name))), None)
