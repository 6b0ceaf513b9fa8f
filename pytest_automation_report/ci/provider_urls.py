"""Web pages of jobs and repositories that providers tell in pieces only.

Each function returns ``None`` when a piece is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import quote

Environ: TypeAlias = Mapping[str, str]


def text_of(environ: Environ, name: str) -> str | None:
    """Return a variable's value without its edges, ``None`` when it is unset or empty."""
    return environ.get(name, "").strip() or None


def github_url(environ: Environ) -> str | None:
    """Return the address of the workflow run; attempts of a run that was repeated have addresses of their own."""
    parts = _all_of(environ, "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    if parts is None:
        return None
    attempt = text_of(environ, "GITHUB_RUN_ATTEMPT")
    return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}" + (f"/attempts/{attempt}" if attempt else "")


def github_repository(environ: Environ) -> str | None:
    """Return the address of the repository."""
    parts = _all_of(environ, "GITHUB_SERVER_URL", "GITHUB_REPOSITORY")
    return f"{parts[0]}/{parts[1]}" if parts else None


def azure_url(environ: Environ) -> str | None:
    """Return the address of the build; project names may hold spaces."""
    parts = _all_of(environ, "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID")
    if parts is None:
        return None
    return f"{parts[0].rstrip('/')}/{quote(parts[1], errors='replace')}/_build/results?buildId={parts[2]}"


def buildkite_url(environ: Environ) -> str | None:
    """Return the address of the job in its build."""
    parts = _all_of(environ, "BUILDKITE_BUILD_URL", "BUILDKITE_JOB_ID")
    return f"{parts[0]}#{parts[1]}" if parts else None


def bitbucket_url(environ: Environ) -> str | None:
    """Return the address of the pipeline."""
    parts = _all_of(environ, "BITBUCKET_REPO_FULL_NAME", "BITBUCKET_BUILD_NUMBER")
    return f"https://bitbucket.org/{parts[0]}/pipelines/results/{parts[1]}" if parts else None


def bitbucket_repository(environ: Environ) -> str | None:
    """Return the address of the repository."""
    name = text_of(environ, "BITBUCKET_REPO_FULL_NAME")
    return f"https://bitbucket.org/{name}" if name else None


def appveyor_url(environ: Environ) -> str | None:
    """Return the address of the job, or of its build when the job is not named."""
    parts = _all_of(environ, "APPVEYOR_URL", "APPVEYOR_ACCOUNT_NAME", "APPVEYOR_PROJECT_SLUG", "APPVEYOR_BUILD_ID")
    if parts is None:
        return None
    job = text_of(environ, "APPVEYOR_JOB_ID")
    build = f"{parts[0].rstrip('/')}/project/{parts[1]}/{parts[2]}/builds/{parts[3]}"
    return f"{build}/job/{job}" if job else build


def appveyor_repository(environ: Environ) -> str | None:
    """Return the address of the repository where its host is one of the large ones."""
    parts = _all_of(environ, "APPVEYOR_REPO_PROVIDER", "APPVEYOR_REPO_NAME")
    hosts = {"github": "github.com", "bitbucket": "bitbucket.org", "gitlab": "gitlab.com"}
    host = hosts.get(parts[0].lower()) if parts else None
    return f"https://{host}/{parts[1]}" if parts and host else None


def codebuild_url(environ: Environ) -> str | None:
    """Return the address that everyone may read where the project has one, else that in the AWS console."""
    public = text_of(environ, "CODEBUILD_PUBLIC_BUILD_URL")
    if public:
        return public
    parts = _all_of(environ, "AWS_REGION", "CODEBUILD_BUILD_ID")
    if parts is None:
        return None
    build = quote(parts[1], safe=":", errors="replace")
    return f"https://console.aws.amazon.com/codebuild/home?region={parts[0]}#/builds/{build}/view/new"


def _all_of(environ: Environ, *names: str) -> tuple[str, ...] | None:
    """Return the variables' values when all are set."""
    texts = tuple(text for name in names if (text := text_of(environ, name)))
    return texts if len(texts) == len(names) else None
