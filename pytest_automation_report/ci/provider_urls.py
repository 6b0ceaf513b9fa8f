"""Build the URLs of jobs and repositories from several environment variables.

Each function returns None if one of its variables is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import quote

Environ: TypeAlias = Mapping[str, str]


def text_of(environ: Environ, name: str) -> str | None:
    """Return a variable's value without surrounding space, None if it is unset or empty."""
    return environ.get(name, "").strip() or None


def github_url(environ: Environ) -> str | None:
    """Return the URL of the workflow run; each attempt of a repeated run has a separate one."""
    parts = all_of(environ, "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    if parts is None:
        return None
    attempt = text_of(environ, "GITHUB_RUN_ATTEMPT")
    return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}" + (f"/attempts/{attempt}" if attempt else "")


def github_repository(environ: Environ) -> str | None:
    """Return the URL of the repository."""
    parts = all_of(environ, "GITHUB_SERVER_URL", "GITHUB_REPOSITORY")
    return f"{parts[0]}/{parts[1]}" if parts else None


def azure_url(environ: Environ) -> str | None:
    """Return the URL of the build. Project names may have spaces, so they are escaped."""
    parts = all_of(environ, "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID")
    if parts is None:
        return None
    return f"{parts[0].rstrip('/')}/{quote(parts[1], errors='replace')}/_build/results?buildId={parts[2]}"


def buildkite_url(environ: Environ) -> str | None:
    """Return the URL of the job in its build."""
    parts = all_of(environ, "BUILDKITE_BUILD_URL", "BUILDKITE_JOB_ID")
    return f"{parts[0]}#{parts[1]}" if parts else None


def bitbucket_url(environ: Environ) -> str | None:
    """Return the URL of the pipeline."""
    parts = all_of(environ, "BITBUCKET_REPO_FULL_NAME", "BITBUCKET_BUILD_NUMBER")
    return f"https://bitbucket.org/{parts[0]}/pipelines/results/{parts[1]}" if parts else None


def bitbucket_repository(environ: Environ) -> str | None:
    """Return the URL of the repository."""
    name = text_of(environ, "BITBUCKET_REPO_FULL_NAME")
    return f"https://bitbucket.org/{name}" if name else None


def appveyor_url(environ: Environ) -> str | None:
    """Return the URL of the job, or of its build if the job is unknown."""
    parts = all_of(environ, "APPVEYOR_URL", "APPVEYOR_ACCOUNT_NAME", "APPVEYOR_PROJECT_SLUG", "APPVEYOR_BUILD_ID")
    if parts is None:
        return None
    job = text_of(environ, "APPVEYOR_JOB_ID")
    build = f"{parts[0].rstrip('/')}/project/{parts[1]}/{parts[2]}/builds/{parts[3]}"
    return f"{build}/job/{job}" if job else build


def appveyor_repository(environ: Environ) -> str | None:
    """Return the URL of the repository, None if its host is not GitHub, Bitbucket or GitLab."""
    parts = all_of(environ, "APPVEYOR_REPO_PROVIDER", "APPVEYOR_REPO_NAME")
    hosts = {"github": "github.com", "bitbucket": "bitbucket.org", "gitlab": "gitlab.com"}
    host = hosts.get(parts[0].lower()) if parts else None
    return f"https://{host}/{parts[1]}" if parts and host else None


def codebuild_url(environ: Environ) -> str | None:
    """Return the public URL of the build if the project has one, else its URL in the AWS console."""
    public = text_of(environ, "CODEBUILD_PUBLIC_BUILD_URL")
    if public:
        return public
    parts = all_of(environ, "AWS_REGION", "CODEBUILD_BUILD_ID")
    if parts is None:
        return None
    build = quote(parts[1], safe=":", errors="replace")
    return f"https://console.aws.amazon.com/codebuild/home?region={parts[0]}#/builds/{build}/view/new"


def all_of(environ: Environ, *names: str) -> tuple[str, ...] | None:
    """Return the values of the variables, None if one is not set."""
    texts = tuple(text for name in names if (text := text_of(environ, name)))
    return texts if len(texts) == len(names) else None
