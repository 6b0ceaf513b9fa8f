"""What each CI provider tells, from environments as its jobs have them."""

from __future__ import annotations

import pytest

from pytest_automation_report.ci import PROVIDERS, CiFacts, ci_facts

GITHUB = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_REF_NAME": "main",
    "GITHUB_SHA": "c0ffee",
    "GITHUB_RUN_NUMBER": "7",
    "GITHUB_RUN_ID": "99",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "ann/shop",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_HEAD_REF": "",
}
GITLAB = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_COMMIT_REF_NAME": "main",
    "CI_COMMIT_SHA": "c0ffee",
    "CI_PIPELINE_ID": "7",
    "CI_PIPELINE_IID": "2",
    "CI_JOB_URL": "https://gitlab.com/ann/shop/-/jobs/5",
    "CI_PIPELINE_URL": "https://gitlab.com/ann/shop/-/pipelines/7",
}
JENKINS = {
    "JENKINS_URL": "https://j.example/",
    "BUILD_NUMBER": "7",
    "BUILD_URL": "https://j.example/job/shop/7/",
    "GIT_COMMIT": "c0ffee",
    "GIT_BRANCH": "origin/feature/x",
}
AZURE = {
    "TF_BUILD": "True",
    "BUILD_SOURCEBRANCH": "refs/heads/feature/x",
    "BUILD_SOURCEVERSION": "c0ffee",
    "BUILD_BUILDNUMBER": "20260304.1",
    "BUILD_BUILDID": "7",
    "SYSTEM_TEAMPROJECT": "My Shop",
    "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://dev.azure.com/ann/",
}
CIRCLECI = {
    "CI": "true",
    "CIRCLECI": "true",
    "CIRCLE_BRANCH": "main",
    "CIRCLE_SHA1": "c0ffee",
    "CIRCLE_BUILD_NUM": "7",
    "CIRCLE_BUILD_URL": "https://circleci.com/gh/ann/shop/7",
}
BUILDKITE = {
    "CI": "true",
    "BUILDKITE": "true",
    "BUILDKITE_BRANCH": "main",
    "BUILDKITE_COMMIT": "c0ffee",
    "BUILDKITE_BUILD_NUMBER": "7",
    "BUILDKITE_BUILD_URL": "https://buildkite.com/ann/shop/builds/7",
    "BUILDKITE_JOB_ID": "01-ab",
}
BITBUCKET = {
    "CI": "true",
    "BITBUCKET_BUILD_NUMBER": "7",
    "BITBUCKET_BRANCH": "main",
    "BITBUCKET_COMMIT": "c0ffee",
    "BITBUCKET_REPO_FULL_NAME": "ann/shop",
}
TEAMCITY = {
    "TEAMCITY_VERSION": "2025.03",
    "BUILD_NUMBER": "7",
    "BUILD_VCS_NUMBER": "c0ffee",
    "BUILD_URL": "https://tc.example/build/7",
}
TRAVIS = {
    "CI": "true",
    "TRAVIS": "true",
    "TRAVIS_BRANCH": "main",
    "TRAVIS_PULL_REQUEST_BRANCH": "",
    "TRAVIS_COMMIT": "c0ffee",
    "TRAVIS_BUILD_NUMBER": "7",
    "TRAVIS_JOB_WEB_URL": "https://travis-ci.com/ann/shop/jobs/5",
}
DRONE = {
    "CI": "true",
    "DRONE": "true",
    "DRONE_BRANCH": "main",
    "DRONE_COMMIT_SHA": "c0ffee",
    "DRONE_BUILD_NUMBER": "7",
    "DRONE_BUILD_LINK": "https://drone.example/ann/shop/7",
}
WOODPECKER = {
    "CI": "woodpecker",
    "CI_COMMIT_BRANCH": "main",
    "CI_COMMIT_SHA": "c0ffee",
    "CI_PIPELINE_NUMBER": "7",
    "CI_PIPELINE_URL": "https://wp.example/repos/1/pipeline/7",
}
APPVEYOR = {
    "CI": "True",
    "APPVEYOR": "True",
    "APPVEYOR_REPO_BRANCH": "main",
    "APPVEYOR_REPO_COMMIT": "c0ffee",
    "APPVEYOR_BUILD_NUMBER": "7",
    "APPVEYOR_BUILD_ID": "77",
    "APPVEYOR_URL": "https://ci.appveyor.com",
    "APPVEYOR_ACCOUNT_NAME": "ann",
    "APPVEYOR_PROJECT_SLUG": "shop",
    "APPVEYOR_JOB_ID": "k1",
}
CODEBUILD = {
    "CODEBUILD_BUILD_ID": "shop:b1e6661e",
    "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/main",
    "AWS_REGION": "eu-west-1",
    "CODEBUILD_RESOLVED_SOURCE_VERSION": "c0ffee",
    "CODEBUILD_BUILD_NUMBER": "7",
}

JOBS = [
    (GITHUB, CiFacts("GitHub", "main", "c0ffee", "7", "https://github.com/ann/shop/actions/runs/99/attempts/2")),
    (GITLAB, CiFacts("GitLab", "main", "c0ffee", "7", "https://gitlab.com/ann/shop/-/jobs/5")),
    (JENKINS, CiFacts("Jenkins", "feature/x", "c0ffee", "7", "https://j.example/job/shop/7/")),
    (
        AZURE,
        CiFacts(
            "Azure", "feature/x", "c0ffee", "20260304.1", "https://dev.azure.com/ann/My%20Shop/_build/results?buildId=7"
        ),
    ),
    (CIRCLECI, CiFacts("CircleCI", "main", "c0ffee", "7", "https://circleci.com/gh/ann/shop/7")),
    (BUILDKITE, CiFacts("Buildkite", "main", "c0ffee", "7", "https://buildkite.com/ann/shop/builds/7#01-ab")),
    (BITBUCKET, CiFacts("Bitbucket", "main", "c0ffee", "7", "https://bitbucket.org/ann/shop/pipelines/results/7")),
    (TEAMCITY, CiFacts("TeamCity", None, "c0ffee", "7", "https://tc.example/build/7")),
    (TRAVIS, CiFacts("Travis", "main", "c0ffee", "7", "https://travis-ci.com/ann/shop/jobs/5")),
    (DRONE, CiFacts("Drone", "main", "c0ffee", "7", "https://drone.example/ann/shop/7")),
    (WOODPECKER, CiFacts("Woodpecker", "main", "c0ffee", "7", "https://wp.example/repos/1/pipeline/7")),
    (APPVEYOR, CiFacts("AppVeyor", "main", "c0ffee", "7", "https://ci.appveyor.com/project/ann/shop/builds/77/job/k1")),
    (
        CODEBUILD,
        CiFacts(
            "CodeBuild",
            "main",
            "c0ffee",
            "7",
            ("https://console.aws.amazon.com/codebuild/home?region=eu-west-1#/builds/shop:b1e6661e/view/new"),
        ),
    ),
]


@pytest.mark.parametrize(("environ", "facts"), JOBS, ids=[facts.provider for _, facts in JOBS])
def test_a_push(environ: dict[str, str], facts: CiFacts) -> None:
    """A job for a push tells provider, branch, commit, build and address."""
    assert ci_facts(environ) == facts


BRANCHES = [
    (GITHUB, {"GITHUB_HEAD_REF": "feature/x", "GITHUB_REF_NAME": "12/merge"}, "feature/x"),
    (GITHUB, {"GITHUB_REF_NAME": "", "GITHUB_REF": "refs/heads/refs/x"}, "refs/x"),
    (GITLAB, {"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/x"}, "feature/x"),
    (JENKINS, {"CHANGE_BRANCH": "feature/y", "BRANCH_NAME": "PR-12"}, "feature/y"),
    (JENKINS, {"BRANCH_NAME": "main"}, "main"),
    (JENKINS, {"GIT_BRANCH": "refs/remotes/origin/main"}, "main"),
    (AZURE, {"SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/x", "BUILD_SOURCEBRANCH": "refs/pull/1/merge"}, "x"),
    (AZURE, {"BUILD_SOURCEBRANCH": "refs/tags/v1"}, "v1"),
    (CIRCLECI, {"CIRCLE_BRANCH": "", "CIRCLE_TAG": "v1"}, "v1"),
    (TRAVIS, {"TRAVIS_PULL_REQUEST_BRANCH": "feature/x"}, "feature/x"),
    (DRONE, {"DRONE_SOURCE_BRANCH": "feature/x"}, "feature/x"),
    (WOODPECKER, {"CI_COMMIT_SOURCE_BRANCH": "feature/x"}, "feature/x"),
    (APPVEYOR, {"APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH": "feature/x"}, "feature/x"),
    (CODEBUILD, {"CODEBUILD_WEBHOOK_HEAD_REF": "", "CODEBUILD_WEBHOOK_TRIGGER": "branch/feature/x"}, "feature/x"),
    (CODEBUILD, {"CODEBUILD_WEBHOOK_HEAD_REF": ""}, None),
]


@pytest.mark.parametrize(("environ", "more", "branch"), BRANCHES)
def test_branches(environ: dict[str, str], more: dict[str, str], branch: str | None) -> None:
    """A pull request has the name of its source branch, and a branch its bare name."""
    facts = ci_facts({**environ, **more})
    assert facts is not None
    assert facts.branch == branch


COMMITS = [
    (GITLAB, {"CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "beef"}),
    (AZURE, {"SYSTEM_PULLREQUEST_SOURCECOMMITID": "beef"}),
    (TRAVIS, {"TRAVIS_PULL_REQUEST_SHA": "beef"}),
    (APPVEYOR, {"APPVEYOR_PULL_REQUEST_HEAD_COMMIT": "beef"}),
]


@pytest.mark.parametrize(("environ", "more"), COMMITS)
def test_commits_of_pull_requests(environ: dict[str, str], more: dict[str, str]) -> None:
    """A pull request has the commit that was pushed, not the merge that the provider made of it."""
    facts = ci_facts({**environ, **more})
    assert facts is not None
    assert facts.commit == "beef"


SHARED = [
    ({**GITHUB, "GITEA_ACTIONS": "true"}, CiFacts("Gitea", "main", "c0ffee", "7")),
    ({**GITHUB, "FORGEJO_ACTIONS": "true"}, CiFacts("Gitea", "main", "c0ffee", "7")),
    ({**DRONE, **WOODPECKER}, JOBS[10][1]),
    ({**WOODPECKER, "CI": "true", "CI_SYSTEM_NAME": "woodpecker"}, JOBS[10][1]),
    ({**TEAMCITY, "JENKINS_URL": "https://j.example"}, JOBS[7][1]),
    ({**BUILDKITE, "JENKINS_URL": "https://j.example"}, JOBS[5][1]),
]


@pytest.mark.parametrize(("environ", "facts"), SHARED)
def test_providers_that_set_variables_of_others(environ: dict[str, str], facts: CiFacts) -> None:
    """A provider that also sets another one's variables is told from it."""
    assert ci_facts(environ) == facts


@pytest.mark.parametrize("word", ["", " ", "0", "false", "False", "no", "off"])
def test_no_ci(word: str) -> None:
    """Outside of CI there are no facts, also where a variable says so."""
    assert ci_facts({}) is None
    assert ci_facts({"CI": word, "GITHUB_ACTIONS": word, "JENKINS_URL": word}) is None


@pytest.mark.parametrize("word", ["1", "true", "yes"])
def test_unknown_provider(word: str) -> None:
    """Where only CI is set, the provider is unknown and so is everything else."""
    assert ci_facts({"CI": word}) == CiFacts("CI")


@pytest.mark.parametrize("provider", PROVIDERS, ids=[each.name for each in PROVIDERS])
def test_missing_and_strange_variables(provider: object) -> None:
    """A provider that tells nothing, or nothing readable, has no facts and raises no error."""
    found = next(each for each in PROVIDERS if each is provider)
    name, _, value = found.marks[0].partition("=")
    facts = ci_facts({name: value or "true"})
    assert facts == CiFacts(found.name, build="true" if found.name == "Bitbucket" else None)
    every = {variable: "\udcff\x00 %" for environ, _ in JOBS for variable in environ}
    assert ci_facts({**every, name: value or "true"}) is not None


def test_addresses_with_less() -> None:
    """An address is made of what is there, and a job's falls back to that of its build."""
    cases = [
        ({**GITHUB, "GITHUB_RUN_ATTEMPT": ""}, "https://github.com/ann/shop/actions/runs/99"),
        ({**GITLAB, "CI_JOB_URL": ""}, "https://gitlab.com/ann/shop/-/pipelines/7"),
        ({**BUILDKITE, "BUILDKITE_JOB_ID": ""}, "https://buildkite.com/ann/shop/builds/7"),
        ({**APPVEYOR, "APPVEYOR_JOB_ID": ""}, "https://ci.appveyor.com/project/ann/shop/builds/77"),
        ({**CODEBUILD, "CODEBUILD_PUBLIC_BUILD_URL": "https://public.example"}, "https://public.example"),
        ({**WOODPECKER, "CI_STEP_URL": "https://wp.example/step"}, "https://wp.example/step"),
    ]
    for environ, url in cases:
        facts = ci_facts(environ)
        assert facts is not None
        assert facts.url == url


def test_thirteen_providers() -> None:
    """Thirteen providers are known, and Gitea beside GitHub."""
    assert {each.name for each in PROVIDERS} == {facts.provider for _, facts in JOBS} | {"Gitea"}
    assert len(JOBS) == 13
