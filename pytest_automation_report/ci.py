"""What CI providers tell about the job in their environment variables (floor 1).

A table of its own, since each provider names branch, commit and build differently and several set each other's
variables. Pure: the environment is an argument, and nothing in it can raise an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PROVIDERS", "CiFacts", "Provider", "ci_facts"]


@dataclass(frozen=True, slots=True)
class CiFacts:
    """The job that runs this session; what the provider does not tell is ``None``.

    ``branch`` is the source branch for a pull request, and the name of the tag where a tag is built. ``build`` is the
    number that people know the build by. ``url`` is the web address of the job, or of the build that it belongs to.
    """

    provider: str
    branch: str | None = None
    commit: str | None = None
    build: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """Where one provider keeps its facts: variables in order of preference, the first that is set counts.

    A ``made_url`` goes before ``url``; one of the ``prefixes`` is taken off the branch.
    """

    name: str
    marks: tuple[str, ...]
    branch: tuple[str, ...]
    commit: tuple[str, ...]
    build: tuple[str, ...]
    url: tuple[str, ...] = ()
    made_url: Callable[[Mapping[str, str]], str | None] | None = None
    prefixes: tuple[str, ...] = ()


def _github_url(environ: Mapping[str, str]) -> str | None:
    """Return the address of the workflow run; attempts of a run that was repeated have addresses of their own."""
    parts = _all_of(environ, "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    if parts is None:
        return None
    attempt = _text(environ, "GITHUB_RUN_ATTEMPT")
    return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}" + (f"/attempts/{attempt}" if attempt else "")


def _azure_url(environ: Mapping[str, str]) -> str | None:
    """Return the address of the build; project names may hold spaces."""
    parts = _all_of(environ, "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID")
    if parts is None:
        return None
    return f"{parts[0].rstrip('/')}/{quote(parts[1], errors='replace')}/_build/results?buildId={parts[2]}"


def _buildkite_url(environ: Mapping[str, str]) -> str | None:
    """Return the address of the job in its build."""
    parts = _all_of(environ, "BUILDKITE_BUILD_URL", "BUILDKITE_JOB_ID")
    return f"{parts[0]}#{parts[1]}" if parts else None


def _bitbucket_url(environ: Mapping[str, str]) -> str | None:
    """Return the address of the pipeline."""
    parts = _all_of(environ, "BITBUCKET_REPO_FULL_NAME", "BITBUCKET_BUILD_NUMBER")
    return f"https://bitbucket.org/{parts[0]}/pipelines/results/{parts[1]}" if parts else None


def _appveyor_url(environ: Mapping[str, str]) -> str | None:
    """Return the address of the job, or of its build when the job is not named."""
    parts = _all_of(environ, "APPVEYOR_URL", "APPVEYOR_ACCOUNT_NAME", "APPVEYOR_PROJECT_SLUG", "APPVEYOR_BUILD_ID")
    if parts is None:
        return None
    job = _text(environ, "APPVEYOR_JOB_ID")
    build = f"{parts[0].rstrip('/')}/project/{parts[1]}/{parts[2]}/builds/{parts[3]}"
    return f"{build}/job/{job}" if job else build


def _codebuild_url(environ: Mapping[str, str]) -> str | None:
    """Return the address that everyone may read where the project has one, else that in the AWS console."""
    public = _text(environ, "CODEBUILD_PUBLIC_BUILD_URL")
    if public:
        return public
    parts = _all_of(environ, "AWS_REGION", "CODEBUILD_BUILD_ID")
    if parts is None:
        return None
    build = quote(parts[1], safe=":", errors="replace")
    return f"https://console.aws.amazon.com/codebuild/home?region={parts[0]}#/builds/{build}/view/new"


PROVIDERS: Final[tuple[Provider, ...]] = (
    # Before GitLab, whose names it shares, and before Drone, whose variables its older versions set.
    Provider(
        "Woodpecker",
        ("CI=woodpecker", "CI_SYSTEM_NAME=woodpecker"),
        branch=("CI_COMMIT_SOURCE_BRANCH", "CI_COMMIT_BRANCH", "CI_COMMIT_TAG"),
        commit=("CI_COMMIT_SHA",),
        build=("CI_PIPELINE_NUMBER", "CI_BUILD_NUMBER"),
        url=("CI_STEP_URL", "CI_PIPELINE_URL", "CI_BUILD_LINK"),
    ),
    # Before GitHub, whose variables it sets; its addresses of runs differ between versions, so none is made.
    Provider(
        "Gitea",
        ("GITEA_ACTIONS", "FORGEJO_ACTIONS"),
        branch=("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "GITHUB_REF"),
        commit=("GITHUB_SHA",),
        build=("GITHUB_RUN_NUMBER", "GITHUB_RUN_ID"),
    ),
    Provider(
        "GitHub",
        ("GITHUB_ACTIONS",),
        branch=("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "GITHUB_REF"),
        commit=("GITHUB_SHA",),
        build=("GITHUB_RUN_NUMBER", "GITHUB_RUN_ID"),
        made_url=_github_url,
    ),
    Provider(
        "GitLab",
        ("GITLAB_CI",),
        branch=("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"),
        commit=("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
        build=("CI_PIPELINE_ID", "CI_PIPELINE_IID"),
        url=("CI_JOB_URL", "CI_PIPELINE_URL"),
    ),
    Provider(
        "Azure",
        ("TF_BUILD",),
        branch=("SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH"),
        commit=("SYSTEM_PULLREQUEST_SOURCECOMMITID", "BUILD_SOURCEVERSION"),
        build=("BUILD_BUILDNUMBER", "BUILD_BUILDID"),
        made_url=_azure_url,
    ),
    Provider(
        "CircleCI",
        ("CIRCLECI",),
        branch=("CIRCLE_BRANCH", "CIRCLE_TAG"),
        commit=("CIRCLE_SHA1",),
        build=("CIRCLE_BUILD_NUM",),
        url=("CIRCLE_BUILD_URL",),
    ),
    Provider(
        "Buildkite",
        ("BUILDKITE",),
        branch=("BUILDKITE_BRANCH", "BUILDKITE_TAG"),
        commit=("BUILDKITE_COMMIT",),
        build=("BUILDKITE_BUILD_NUMBER",),
        url=("BUILDKITE_BUILD_URL",),
        made_url=_buildkite_url,
    ),
    Provider(
        "Bitbucket",
        ("BITBUCKET_BUILD_NUMBER",),
        branch=("BITBUCKET_BRANCH", "BITBUCKET_TAG"),
        commit=("BITBUCKET_COMMIT",),
        build=("BITBUCKET_BUILD_NUMBER",),
        made_url=_bitbucket_url,
    ),
    Provider(
        "Travis",
        ("TRAVIS",),
        branch=("TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"),
        commit=("TRAVIS_PULL_REQUEST_SHA", "TRAVIS_COMMIT"),
        build=("TRAVIS_BUILD_NUMBER",),
        url=("TRAVIS_JOB_WEB_URL", "TRAVIS_BUILD_WEB_URL"),
    ),
    Provider(
        "Drone",
        ("DRONE",),
        branch=("DRONE_SOURCE_BRANCH", "DRONE_BRANCH", "DRONE_TAG"),
        commit=("DRONE_COMMIT_SHA", "DRONE_COMMIT"),
        build=("DRONE_BUILD_NUMBER",),
        url=("DRONE_BUILD_LINK",),
    ),
    Provider(
        "AppVeyor",
        ("APPVEYOR",),
        branch=("APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH", "APPVEYOR_REPO_BRANCH"),
        commit=("APPVEYOR_PULL_REQUEST_HEAD_COMMIT", "APPVEYOR_REPO_COMMIT"),
        build=("APPVEYOR_BUILD_NUMBER",),
        made_url=_appveyor_url,
    ),
    Provider(
        "CodeBuild",
        ("CODEBUILD_BUILD_ID",),
        branch=("CODEBUILD_WEBHOOK_HEAD_REF", "CODEBUILD_WEBHOOK_TRIGGER"),
        commit=("CODEBUILD_RESOLVED_SOURCE_VERSION",),
        build=("CODEBUILD_BUILD_NUMBER",),
        made_url=_codebuild_url,
        prefixes=("branch/", "tag/"),
    ),
    # TeamCity tells the branch in a file of properties only.
    Provider(
        "TeamCity",
        ("TEAMCITY_VERSION",),
        branch=(),
        commit=("BUILD_VCS_NUMBER",),
        build=("BUILD_NUMBER",),
        url=("BUILD_URL",),
    ),
    # Last, since its agents may set JENKINS_URL for jobs that another provider runs.
    Provider(
        "Jenkins",
        ("JENKINS_URL",),
        branch=("CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH", "TAG_NAME"),
        commit=("GIT_COMMIT",),
        build=("BUILD_NUMBER",),
        url=("BUILD_URL",),
        prefixes=("origin/",),  # the git plugin names the remote's branch
    ),
)

_UNMARKED: Final = frozenset({"", "0", "false", "no", "off"})
_REF_PREFIXES: Final = ("refs/heads/", "refs/tags/", "refs/remotes/origin/", "refs/")


def ci_facts(environ: Mapping[str, str]) -> CiFacts | None:
    """Return what the CI provider tells, ``CiFacts("CI")`` where only ``CI`` is set, and ``None`` outside of CI."""
    for provider in PROVIDERS:
        if any(_is_marked(environ, mark) for mark in provider.marks):
            made_url = provider.made_url(environ) if provider.made_url else None
            return CiFacts(
                provider.name,
                _branch(environ, provider),
                _first(environ, provider.commit),
                _first(environ, provider.build),
                made_url or _first(environ, provider.url),
            )
    return CiFacts("CI") if _is_marked(environ, "CI") else None


def _branch(environ: Mapping[str, str], provider: Provider) -> str | None:
    """Return the branch's bare name."""
    branch = _first(environ, provider.branch) or ""
    prefix = next((each for each in _REF_PREFIXES + provider.prefixes if branch.startswith(each)), "")
    return branch[len(prefix) :] or None


def _is_marked(environ: Mapping[str, str], mark: str) -> bool:
    """Return whether a variable is set and not to a word for no, or has the exact value after ``=``."""
    name, _, value = mark.partition("=")
    text = (_text(environ, name) or "").lower()
    return text == value if value else text not in _UNMARKED


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the first variable that is set."""
    return next((text for name in names if (text := _text(environ, name))), None)


def _all_of(environ: Mapping[str, str], *names: str) -> tuple[str, ...] | None:
    """Return the variables' values when all are set."""
    texts = tuple(text for name in names if (text := _text(environ, name)))
    return texts if len(texts) == len(names) else None


def _text(environ: Mapping[str, str], name: str) -> str | None:
    """Return a variable's value without its edges, ``None`` when it is unset or empty."""
    return environ.get(name, "").strip() or None
