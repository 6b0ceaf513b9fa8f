"""The table of CI providers: the environment variables that describe a job, and the facts that they tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.ci.facts import (
    BuildInfo,
    CiJob,
    Shard,
    read_variable,
    repository_page,
    with_fallbacks,
    without_user,
)
from pytest_automation_report.unpatched import Unpatched

ReadFile: TypeAlias = Callable[[str], str]
"""Returns the text of a file by its path, "" if it cannot be read or is too large."""

Environ: TypeAlias = Mapping[str, str]


class Provider(Struct, frozen=True, kw_only=True):
    """The variables of one provider, each fact's in order of preference: the first one that is set is used.

    ``branch`` may hold a whole ref, which is a branch, a tag or a pull request by its prefix; ``branch_prefixes``,
    ``tag_prefixes`` and the pattern ``pull_ref`` add to those. ``pull_request`` is set in builds of one only, and
    ``open_request`` also in the build of a push to a branch for which one is open. ``merge_commit`` and
    ``target_branch`` count for pull requests only. The values of ``pipeline`` together are of one pipeline alone:
    docs/ci.md names where the provider says so. ``attempt`` counts from 1, ``retries`` from 0; ``execution`` is greater
    each time the job runs. In ``url`` and ``repository`` a template is used if all of its variables are set; ``!q``
    escapes a value. ``custom_facts`` wins over everything.
    """

    branch: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    commit: tuple[str, ...] = ()
    merge_commit: tuple[str, ...] = ()
    pull_request: tuple[str, ...] = ()
    open_request: tuple[str, ...] = ()
    target_branch: tuple[str, ...] = ()
    commit_message: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    pipeline: tuple[str, ...] = ()
    attempt: str = ""
    retries: str = ""
    job: tuple[str, ...] = ()
    is_job_shared: bool = False
    execution: str = ""
    shard: str = ""
    shards: str = ""
    is_shard_from_zero: bool = False
    url: tuple[str, ...] = ()
    repository: tuple[str, ...] = ()
    branch_prefixes: tuple[str, ...] = ()
    tag_prefixes: tuple[str, ...] = ()
    pull_ref: str = ""
    custom_facts: Callable[[Environ, ReadFile], BuildInfo] = lambda *_: BuildInfo()


def _github(environ: Environ, read_file: ReadFile) -> BuildInfo:
    """Return the author's commit: on a pull request ``GITHUB_SHA`` is a merge, or the last commit of the target."""
    commit = read_variable(environ, "GITHUB_SHA")
    event_name = read_variable(environ, "GITHUB_EVENT_NAME") or ""
    event = partial(_member, read_file(read_variable(environ, "GITHUB_EVENT_PATH") or ""))
    if not event_name.startswith("pull_request") and read_variable(environ, "GITHUB_HEAD_REF") is None:
        # Only the event's file has the subject of the commit that was pushed.
        message, author = event("head_commit", "message"), event("head_commit", "author", "name")
        return BuildInfo(
            commit=commit,
            commit_subject=_subject(message) if isinstance(message, str) else None,
            author=author.strip() or None if isinstance(author, str) else None,
        )
    merge = re.fullmatch(r"refs/pull/([0-9]{1,18})/.*", read_variable(environ, "GITHUB_REF") or "")
    pushed = event("pull_request", "head", "sha")
    number = event("pull_request", "number") if pushed else None
    if type(number) is not int or number < 1:
        number = int(merge[1]) if merge else None
    # Branches have no colon in their names.
    owner = event("pull_request", "head", "repo", "owner", "login")
    unnumbered = f"{owner if isinstance(owner, str) else 'pull'}:{read_variable(environ, 'GITHUB_HEAD_REF') or ''}"
    return BuildInfo(
        branch=unnumbered if number is None else f"pull/{number}",
        commit=pushed if isinstance(pushed, str) and pushed else None,
        merge_commit=commit if merge else None,
        pull_request=number,
    )


def _subject(message: str) -> str | None:
    """Return the first line of a commit's message, None for an empty one."""
    return message.strip().partition("\n")[0].strip() or None


def _member(event: str, *path: str) -> Any:  # noqa: ANN401 - any JSON
    """Return a member of the event in GitHub's file, None without it."""
    try:
        found: Any = Unpatched.decode(event or "{}")
    except (ValueError, RecursionError):
        return None
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _properties(text: str) -> dict[str, str]:
    """Parse a file of Java properties as TeamCity writes it: one a line, special characters behind backslashes."""
    lines = (line.strip().partition("=") for line in text.splitlines() if not line.lstrip().startswith(("#", "!")))
    return {name.strip(): re.sub(r"\\(.)", r"\1", value.strip()) for name, sign, value in lines if sign}


def _teamcity(environ: Environ, read_file: ReadFile) -> BuildInfo:
    """Return the facts in the build's property files: the agent sets few variables."""
    system = _properties(read_file(read_variable(environ, "TEAMCITY_BUILD_PROPERTIES_FILE") or ""))
    properties = _properties(read_file(system.get("teamcity.configuration.properties.file", "")))
    # For the default branch TeamCity may write the word <default> instead of its name.
    known = {name: text for name, text in properties.items() if not text.startswith("<")}
    return _from_table(known, "TeamCity", _TEAMCITY_PROPERTIES)


_TEAMCITY_PROPERTIES: Final = Provider(
    branch=("teamcity.build.branch",),
    pull_request=("teamcity.pullRequest.number",),
    target_branch=("teamcity.pullRequest.target.branch",),
    pipeline=("teamcity.build.id",),
    shard="teamcity.build.parallelTests.currentBatch",
    shards="teamcity.build.parallelTests.totalBatches",
    url=("{teamcity.serverUrl}/viewLog.html?buildId={teamcity.build.id!q}",),
)

_APPVEYOR_BUILD: Final = (
    "{APPVEYOR_URL}/project/{APPVEYOR_ACCOUNT_NAME}/{APPVEYOR_PROJECT_SLUG}/builds/{APPVEYOR_BUILD_ID}"
)


def _appveyor(environ: Environ, _: ReadFile) -> BuildInfo:
    """Return the repository, None if its host is not GitHub, Bitbucket or GitLab."""
    hosts = {"github": "github.com", "bitbucket": "bitbucket.org", "gitlab": "gitlab.com"}
    host = hosts.get((read_variable(environ, "APPVEYOR_REPO_PROVIDER") or "").lower())
    name = read_variable(environ, "APPVEYOR_REPO_NAME")
    return BuildInfo(repository=repository_page(f"https://{host}/{name}") if host and name else None)


_GITHUB: Final = Provider(
    branch=("GITHUB_REF", "GITHUB_REF_NAME"),
    target_branch=("GITHUB_BASE_REF",),
    build=("GITHUB_RUN_NUMBER", "GITHUB_RUN_ID"),
    pipeline=("GITHUB_RUN_ID",),
    job=("GITHUB_JOB",),
    is_job_shared=True,
    attempt="GITHUB_RUN_ATTEMPT",
    url=(
        "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}/attempts/{GITHUB_RUN_ATTEMPT}",
        "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
    ),
    repository=("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}",),
    custom_facts=_github,
)

PROVIDERS: Final[Mapping[str, Provider]] = {
    "Woodpecker": Provider(
        branch=("CI_COMMIT_BRANCH",),
        tag=("CI_COMMIT_TAG",),
        commit=("CI_COMMIT_SHA",),
        pull_request=("CI_COMMIT_PULL_REQUEST",),
        target_branch=("CI_COMMIT_TARGET_BRANCH",),
        commit_message=("CI_COMMIT_MESSAGE",),
        build=("CI_PIPELINE_NUMBER", "CI_BUILD_NUMBER"),
        pipeline=("CI_REPO", "CI_PIPELINE_NUMBER"),
        job=("CI_WORKFLOW_NAME",),
        is_job_shared=True,
        url=("CI_STEP_URL", "CI_PIPELINE_URL", "CI_BUILD_LINK"),
        repository=("CI_REPO_URL", "CI_REPO_LINK"),
    ),
    # The URLs of its runs differ between versions, so none is built.
    "Gitea": replace(_GITHUB, url=()),
    "GitHub": _GITHUB,
    "GitLab": Provider(
        branch=("CI_COMMIT_REF_NAME",),
        tag=("CI_COMMIT_TAG",),
        commit=("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
        merge_commit=("CI_COMMIT_SHA",),
        pull_request=("CI_MERGE_REQUEST_IID", "CI_EXTERNAL_PULL_REQUEST_IID"),
        target_branch=("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME"),
        commit_message=("CI_COMMIT_TITLE",),
        build=("CI_PIPELINE_ID", "CI_PIPELINE_IID"),
        pipeline=("CI_PIPELINE_ID",),
        job=("CI_JOB_NAME",),
        execution="CI_JOB_ID",
        retries="CI_JOB_RETRY_COUNT",
        shard="CI_NODE_INDEX",
        shards="CI_NODE_TOTAL",
        url=("CI_JOB_URL", "CI_PIPELINE_URL"),
        repository=("CI_MERGE_REQUEST_SOURCE_PROJECT_URL", "CI_PROJECT_URL"),
    ),
    "Azure": Provider(
        branch=("BUILD_SOURCEBRANCH",),
        commit=("SYSTEM_PULLREQUEST_SOURCECOMMITID", "BUILD_SOURCEVERSION"),
        merge_commit=("BUILD_SOURCEVERSION",),
        pull_request=("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"),
        target_branch=("SYSTEM_PULLREQUEST_TARGETBRANCH",),
        commit_message=("BUILD_SOURCEVERSIONMESSAGE",),
        build=("BUILD_BUILDNUMBER", "BUILD_BUILDID"),
        pipeline=("BUILD_BUILDID",),
        job=("SYSTEM_JOBDISPLAYNAME", "AGENT_JOBNAME"),
        attempt="SYSTEM_JOBATTEMPT",
        shard="SYSTEM_JOBPOSITIONINPHASE",
        shards="SYSTEM_TOTALJOBSINPHASE",
        url=("{SYSTEM_TEAMFOUNDATIONCOLLECTIONURI}/{SYSTEM_TEAMPROJECT!q}/_build/results?buildId={BUILD_BUILDID}",),
        repository=("BUILD_REPOSITORY_URI",),
    ),
    "CircleCI": Provider(
        branch=("CIRCLE_BRANCH",),
        pull_ref=r"pull/([0-9]{1,18})(?:/.*)?",  # the branch of a fork
        tag=("CIRCLE_TAG",),
        commit=("CIRCLE_SHA1",),
        pull_request=("CIRCLE_PR_NUMBER",),  # of a fork
        open_request=("CIRCLE_PULL_REQUEST",),
        build=("CIRCLE_BUILD_NUM",),
        pipeline=("CIRCLE_WORKFLOW_ID",),
        job=("CIRCLE_JOB",),
        execution="CIRCLE_BUILD_NUM",
        shard="CIRCLE_NODE_INDEX",
        shards="CIRCLE_NODE_TOTAL",
        is_shard_from_zero=True,
        url=("CIRCLE_BUILD_URL",),
        repository=("CIRCLE_REPOSITORY_URL",),
    ),
    "Buildkite": Provider(
        branch=("BUILDKITE_BRANCH",),
        tag=("BUILDKITE_TAG",),
        commit=("BUILDKITE_COMMIT",),
        pull_request=("BUILDKITE_PULL_REQUEST",),
        target_branch=("BUILDKITE_PULL_REQUEST_BASE_BRANCH",),
        commit_message=("BUILDKITE_MESSAGE",),
        build=("BUILDKITE_BUILD_NUMBER",),
        pipeline=("BUILDKITE_BUILD_ID",),
        job=("BUILDKITE_LABEL", "BUILDKITE_STEP_KEY"),
        retries="BUILDKITE_RETRY_COUNT",
        shard="BUILDKITE_PARALLEL_JOB",
        shards="BUILDKITE_PARALLEL_JOB_COUNT",
        is_shard_from_zero=True,
        url=("{BUILDKITE_BUILD_URL}#{BUILDKITE_JOB_ID}", "BUILDKITE_BUILD_URL"),
        repository=("BUILDKITE_PULL_REQUEST_REPO", "BUILDKITE_REPO"),
    ),
    "Bitbucket": Provider(
        branch=("BITBUCKET_BRANCH",),
        tag=("BITBUCKET_TAG",),
        commit=("BITBUCKET_COMMIT",),
        pull_request=("BITBUCKET_PR_ID",),
        target_branch=("BITBUCKET_PR_DESTINATION_BRANCH",),
        build=("BITBUCKET_BUILD_NUMBER",),
        pipeline=("BITBUCKET_PIPELINE_UUID",),
        attempt="BITBUCKET_STEP_RUN_NUMBER",
        shard="BITBUCKET_PARALLEL_STEP",
        shards="BITBUCKET_PARALLEL_STEP_COUNT",
        is_shard_from_zero=True,
        url=("https://bitbucket.org/{BITBUCKET_REPO_FULL_NAME}/pipelines/results/{BITBUCKET_BUILD_NUMBER}",),
        repository=("https://bitbucket.org/{BITBUCKET_REPO_FULL_NAME}",),
    ),
    "Travis": Provider(
        branch=("TRAVIS_BRANCH",),
        tag=("TRAVIS_TAG",),
        commit=("TRAVIS_PULL_REQUEST_SHA", "TRAVIS_COMMIT"),
        merge_commit=("TRAVIS_COMMIT",),
        pull_request=("TRAVIS_PULL_REQUEST",),
        target_branch=("TRAVIS_BRANCH",),
        commit_message=("TRAVIS_COMMIT_MESSAGE",),
        build=("TRAVIS_BUILD_NUMBER",),
        pipeline=("TRAVIS_BUILD_ID",),
        job=("TRAVIS_JOB_NUMBER",),
        url=("TRAVIS_JOB_WEB_URL", "TRAVIS_BUILD_WEB_URL"),
    ),
    "Drone": Provider(
        branch=("DRONE_BRANCH",),
        tag=("DRONE_TAG",),
        commit=("DRONE_COMMIT_SHA", "DRONE_COMMIT"),
        pull_request=("DRONE_PULL_REQUEST",),
        target_branch=("DRONE_TARGET_BRANCH",),
        commit_message=("DRONE_COMMIT_MESSAGE",),
        build=("DRONE_BUILD_NUMBER",),
        pipeline=("DRONE_REPO", "DRONE_BUILD_NUMBER"),
        job=("DRONE_STAGE_NAME",),
        url=("DRONE_BUILD_LINK",),
        repository=("DRONE_REPO_LINK", "DRONE_REMOTE_URL"),
    ),
    "AppVeyor": Provider(
        branch=("APPVEYOR_REPO_BRANCH",),
        tag=("APPVEYOR_REPO_TAG_NAME",),
        commit=("APPVEYOR_PULL_REQUEST_HEAD_COMMIT", "APPVEYOR_REPO_COMMIT"),
        pull_request=("APPVEYOR_PULL_REQUEST_NUMBER",),
        target_branch=("APPVEYOR_REPO_BRANCH",),
        commit_message=("APPVEYOR_REPO_COMMIT_MESSAGE",),
        build=("APPVEYOR_BUILD_NUMBER",),
        pipeline=("APPVEYOR_BUILD_ID",),
        job=("APPVEYOR_JOB_NAME",),
        url=(f"{_APPVEYOR_BUILD}/job/{{APPVEYOR_JOB_ID}}", _APPVEYOR_BUILD),
        custom_facts=_appveyor,
    ),
    "CodeBuild": Provider(
        branch=("CODEBUILD_WEBHOOK_HEAD_REF", "CODEBUILD_WEBHOOK_TRIGGER"),
        branch_prefixes=("branch/",),
        tag_prefixes=("tag/",),
        pull_ref=r"pr/([0-9]{1,18})",
        commit=("CODEBUILD_RESOLVED_SOURCE_VERSION",),
        pull_request=("CODEBUILD_WEBHOOK_TRIGGER",),
        target_branch=("CODEBUILD_WEBHOOK_BASE_REF",),
        build=("CODEBUILD_BUILD_NUMBER",),
        pipeline=("CODEBUILD_BUILD_ID",),
        job=("CODEBUILD_BATCH_BUILD_IDENTIFIER",),
        url=(
            "CODEBUILD_PUBLIC_BUILD_URL",
            "https://console.aws.amazon.com/codebuild/home?region={AWS_REGION}#/builds/{CODEBUILD_BUILD_ID!q}/view/new",
        ),
        repository=("CODEBUILD_SOURCE_REPO_URL",),
    ),
    "TeamCity": Provider(
        commit=("BUILD_VCS_NUMBER",),
        build=("BUILD_NUMBER",),
        job=("TEAMCITY_BUILDCONF_NAME",),
        shards=_TEAMCITY_PROPERTIES.shards,  # no variable: so it is known that the provider numbers jobs
        url=("BUILD_URL",),
        custom_facts=_teamcity,
    ),
    "Jenkins": Provider(
        branch=("gitlabSourceBranch", "BRANCH_NAME", "GIT_BRANCH"),
        branch_prefixes=("origin/",),  # the git plugin names the remote's branch
        pull_ref=r"(?:PR|MR)-([0-9]{1,18})(?:-.*)?",  # the branch of a change
        tag=("TAG_NAME",),
        commit=("ghprbActualCommit", "gitlabMergeRequestLastCommit", "GIT_COMMIT"),
        pull_request=("CHANGE_ID", "ghprbPullId", "gitlabMergeRequestIid"),
        target_branch=("CHANGE_TARGET", "ghprbTargetBranch", "gitlabTargetBranch"),
        build=("BUILD_NUMBER",),
        pipeline=("BUILD_TAG",),
        job=("STAGE_NAME", "JOB_NAME"),
        url=("BUILD_URL",),
        repository=("GIT_URL", "GIT_URL_1"),
    ),
}


_BRANCH_PREFIXES: Final = ("refs/heads/", "refs/remotes/origin/")


def facts_of_job(name: str, environ: Environ, read_file: ReadFile) -> BuildInfo:
    """Return the facts of a job of the provider with this name."""
    provider = PROVIDERS[name]
    facts = with_fallbacks(provider.custom_facts(environ, read_file), _from_table(environ, name, provider))
    # Some providers set the variable of the target for a push, too, to the branch itself.
    target = facts.target_branch if facts.pull_request is not None else None
    if target is not None:
        target = _without_prefix(target, _BRANCH_PREFIXES)
    merge = _commit(environ, provider.merge_commit)
    is_merge = merge is not None and facts.pull_request is not None and merge != facts.commit
    return replace(facts, target_branch=target, merge_commit=merge if is_merge else facts.merge_commit)


def _from_table(environ: Environ, name: str, provider: Provider) -> BuildInfo:
    tag = _first(environ, provider.tag)
    request = _request(environ, provider, provider.pull_request)
    ref = BuildInfo() if tag else _ref(environ, provider, request)
    job = _first(environ, provider.job)
    # Some providers count repetitions, from 0, and others attempts, from 1.
    retries, attempt = _integer(environ, provider.retries), _integer(environ, provider.attempt)
    return BuildInfo(
        provider=name,
        branch=ref.branch,
        tag=tag or ref.tag,
        commit=_commit(environ, provider.commit),
        pull_request=request or ref.pull_request or _request(environ, provider, provider.open_request),
        target_branch=_first(environ, provider.target_branch),
        commit_subject=_subject(_first(environ, provider.commit_message) or ""),
        build=_first(environ, provider.build),
        pipeline="-".join(_variables(environ, *provider.pipeline) or ()) or None,
        attempt=(attempt if retries is None else retries + 1) or None,
        shard=_shard(environ, provider),
        url=without_user(_first(environ, provider.url)),
        repository=repository_page(_first(environ, provider.repository)),
        job=CiJob(job, provider.is_job_shared, _integer(environ, provider.execution)) if job else None,
    )


def _ref(environ: Environ, provider: Provider, request: int | None) -> BuildInfo:
    """Return the branch, tag or pull request in the first variable that is set; the formats are tried in order.

    The branch of a pull request is none of the repository, whose branches may have the same names.
    """
    text = _first(environ, provider.branch) or ""
    pull = re.fullmatch(r"refs/(?:pull|merge-requests|pull-requests)/([0-9]{1,18})(?:/.*)?", text)
    request = int(pull[1]) if pull and request is None else request
    if request is not None:
        return BuildInfo(branch=f"pull/{request}", pull_request=request)
    for prefix in ("refs/tags/", *provider.tag_prefixes):
        if text.startswith(prefix):
            return BuildInfo(tag=text[len(prefix) :] or None)
    return BuildInfo(branch=_without_prefix(text, (*_BRANCH_PREFIXES, *provider.branch_prefixes)))


def _without_prefix(ref: str, prefixes: tuple[str, ...]) -> str | None:
    """Return the bare name of a branch, None for an empty one."""
    prefix = next((prefix for prefix in prefixes if ref.startswith(prefix)), "")
    return ref[len(prefix) :] or None


def _commit(environ: Environ, names: tuple[str, ...]) -> str | None:
    text = _first(environ, names)
    return None if text == "HEAD" else text  # Buildkite's word for a build that was started without a commit


def _request(environ: Environ, provider: Provider, names: tuple[str, ...]) -> int | None:
    """Return the pull request's number; without one some variables hold ``false``."""
    text = _first(environ, names) or ""
    # The last part of a URL is the number, too.
    number = _number_in_ref(text, provider) or (text.rstrip("/").rpartition("/")[2] if "://" in text else text)
    return int(number) if re.fullmatch(r"[0-9]{1,18}", number) else None


def _number_in_ref(text: str, provider: Provider) -> str:
    """Return the number in a provider's name of a pull request's branch, such as ``pr/12``."""
    match = re.fullmatch(provider.pull_ref, text) if provider.pull_ref else None
    return match[1] if match else ""


def _shard(environ: Environ, provider: Provider) -> Shard | None:
    index, total = _integer(environ, provider.shard), _integer(environ, provider.shards)
    if index is None or total is None or total < 2:  # noqa: PLR2004 - parallel are two and more
        return None
    number = index + 1 if provider.is_shard_from_zero else index
    return Shard(number, total) if 1 <= number <= total else None


def _integer(environ: Environ, name: str) -> int | None:
    text = read_variable(environ, name) or ""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _first(environ: Environ, names: tuple[str, ...]) -> str | None:
    """Return the value of the first variable that is set, or of the first template whose variables are all set."""
    return next((text for name in names if (text := _filled(environ, name))), None)


def _filled(environ: Environ, template: str) -> str | None:
    if "{" not in template:
        return read_variable(environ, template)
    if _variables(environ, *re.findall(r"\{([\w.]+)", template)) is None:
        return None

    def filled(variable: re.Match[str]) -> str:
        value = environ[variable[1]].strip()
        return quote(value, safe=":", errors="replace") if variable[2] else value.rstrip("/")

    return re.sub(r"\{([\w.]+)(!q)?\}", filled, template)


def _variables(environ: Environ, *names: str) -> tuple[str, ...] | None:
    """Return the values of the variables, None if one is not set."""
    texts = tuple(text for name in names if (text := read_variable(environ, name)))
    return texts if len(texts) == len(names) else None
