"""The environments of jobs as providers set them: a push, and what differs for a pull request, a tag, a rerun, a part.

Names and values are those of the providers' own documents; ``{events}`` and ``{build}`` stand for files that the tests
write.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from msgspec.structs import replace

from pytest_automation_report.ci.facts import BuildInfo, Shard

Case: TypeAlias = Literal["push", "pull request", "tag", "rerun", "parallel"]

SHA = "2abc3b37e83ac31ec8210b8504e64896a49f249c"
MERGE = "ef2023102ad644dce35319c9c0d9a97b369aae19"

EVENT = '{"number": 12, "pull_request": {"number": 12, "head": {"ref": "feature/x", "sha": "' + SHA + '"}}}'

TEAMCITY_SYSTEM = (
    "#TeamCity build properties without 'system.' prefix\nteamcity.configuration.properties.file={build}\n"
)
TEAMCITY_CONFIGURATION = """\
#Configuration properties
teamcity.serverUrl=https\\://tc.example.org
teamcity.build.id=77
"""


@dataclass(frozen=True)
class Job:
    """A job of a provider: what differs from the push, and what is known of it; ``files`` are texts by their names."""

    more: Mapping[str, str]
    facts: BuildInfo
    files: Mapping[str, str] = field(default_factory=dict)


def env(text: str) -> dict[str, str]:
    """Return the variables of an environment that is written as for a shell."""
    return dict(word.split("=", 1) for word in shlex.split(text))


PUSHES: Mapping[str, Mapping[str, str]] = {
    "GitHub": env(f"""
        CI=true GITHUB_ACTIONS=true GITHUB_EVENT_NAME=push GITHUB_EVENT_PATH='{{events}}' GITHUB_REF=refs/heads/main
        GITHUB_REF_NAME=main GITHUB_REF_TYPE=branch GITHUB_HEAD_REF= GITHUB_SHA={SHA} GITHUB_RUN_NUMBER=7
        GITHUB_RUN_ID=99 GITHUB_RUN_ATTEMPT=1 GITHUB_SERVER_URL=https://github.com GITHUB_REPOSITORY=ann/shop
    """),
    "GitLab": env(f"""
        CI=true GITLAB_CI=true CI_COMMIT_BRANCH=main CI_COMMIT_REF_NAME=main CI_COMMIT_SHA={SHA} CI_PIPELINE_ID=7
        CI_PIPELINE_IID=2 CI_NODE_TOTAL=1 CI_JOB_URL=https://gitlab.com/ann/shop/-/jobs/5
        CI_PIPELINE_URL=https://gitlab.com/ann/shop/-/pipelines/7 CI_PROJECT_URL=https://gitlab.com/ann/shop
    """),
    "Jenkins": env(f"""
        BUILD_TAG=jenkins-shop-7 CI=true JENKINS_URL=https://j.example.org/ BUILD_NUMBER=7
        BUILD_URL=https://j.example.org/job/shop/7/ GIT_COMMIT={SHA} GIT_BRANCH=origin/main
        GIT_URL=https://build:secret@git.example.org/ann/shop.git
    """),
    "Azure": env(f"""
        TF_BUILD=True BUILD_REASON=IndividualCI BUILD_SOURCEBRANCH=refs/heads/main BUILD_SOURCEBRANCHNAME=main
        BUILD_SOURCEVERSION={SHA} BUILD_BUILDNUMBER=20260304.1 BUILD_BUILDID=7
        BUILD_REPOSITORY_URI=https://ann@dev.azure.com/ann/My%20Shop/_git/shop SYSTEM_TEAMPROJECT='My Shop'
        SYSTEM_TEAMFOUNDATIONCOLLECTIONURI=https://dev.azure.com/ann/ SYSTEM_JOBATTEMPT=1 SYSTEM_JOBPOSITIONINPHASE=1
        SYSTEM_TOTALJOBSINPHASE=1
    """),
    "CircleCI": env(f"""
        CIRCLE_WORKFLOW_ID=c1-workflow CI=true CIRCLECI=true CIRCLE_BRANCH=main CIRCLE_SHA1={SHA} CIRCLE_BUILD_NUM=7
        CIRCLE_BUILD_URL=https://circleci.com/gh/ann/shop/7 CIRCLE_NODE_INDEX=0 CIRCLE_NODE_TOTAL=1
        CIRCLE_REPOSITORY_URL=git@github.com:ann/shop.git
    """),
    "Buildkite": env(f"""
        BUILDKITE_BUILD_ID=01-build CI=true BUILDKITE=true BUILDKITE_BRANCH=main BUILDKITE_TAG= BUILDKITE_COMMIT={SHA}
        BUILDKITE_PULL_REQUEST=false BUILDKITE_BUILD_NUMBER=7
        BUILDKITE_BUILD_URL=https://buildkite.com/ann/shop/builds/7 BUILDKITE_JOB_ID=01-ab BUILDKITE_RETRY_COUNT=0
        BUILDKITE_REPO=git@github.com:ann/shop.git
    """),
    "Bitbucket": env(f"""
        BITBUCKET_PIPELINE_UUID='{{b1-pipeline}}' CI=true BITBUCKET_BUILD_NUMBER=7 BITBUCKET_BRANCH=main
        BITBUCKET_COMMIT={SHA} BITBUCKET_REPO_FULL_NAME=ann/shop BITBUCKET_STEP_RUN_NUMBER=1
    """),
    "TeamCity": env(f"""
        TEAMCITY_VERSION=2025.03 TEAMCITY_BUILD_PROPERTIES_FILE='{{events}}' BUILD_NUMBER=7 BUILD_VCS_NUMBER={SHA}
    """),
    "Travis": env(f"""
        TRAVIS_BUILD_ID=700 CI=true TRAVIS=true TRAVIS_BRANCH=main TRAVIS_TAG= TRAVIS_PULL_REQUEST=false
        TRAVIS_PULL_REQUEST_BRANCH= TRAVIS_PULL_REQUEST_SHA= TRAVIS_COMMIT={SHA} TRAVIS_BUILD_NUMBER=7
        TRAVIS_JOB_WEB_URL=https://travis-ci.com/ann/shop/jobs/5 TRAVIS_REPO_SLUG=ann/shop
    """),
    "Drone": env(f"""
        DRONE_REPO=ann/shop CI=true DRONE=true DRONE_BUILD_EVENT=push DRONE_BRANCH=main DRONE_COMMIT_SHA={SHA}
        DRONE_BUILD_NUMBER=7 DRONE_BUILD_LINK=https://drone.example.org/ann/shop/7
        DRONE_REPO_LINK=https://github.com/ann/shop
    """),
    "Woodpecker": env(f"""
        CI_REPO=ann/shop CI=woodpecker CI_PIPELINE_EVENT=push CI_COMMIT_BRANCH=main CI_COMMIT_SHA={SHA}
        CI_PIPELINE_NUMBER=7 CI_PIPELINE_URL=https://wp.example.org/repos/1/pipeline/7
        CI_STEP_URL=https://wp.example.org/repos/1/pipeline/7/3 CI_REPO_URL=https://codeberg.org/ann/shop
    """),
    "AppVeyor": env(f"""
        CI=True APPVEYOR=True APPVEYOR_REPO_BRANCH=main APPVEYOR_REPO_COMMIT={SHA} APPVEYOR_REPO_PROVIDER=gitHub
        APPVEYOR_REPO_NAME=ann/shop APPVEYOR_BUILD_NUMBER=7 APPVEYOR_BUILD_ID=77 APPVEYOR_URL=https://ci.appveyor.com
        APPVEYOR_ACCOUNT_NAME=ann APPVEYOR_PROJECT_SLUG=shop APPVEYOR_JOB_ID=k1
    """),
    "CodeBuild": env(f"""
        CODEBUILD_BUILD_ID=shop:b1e6661e CODEBUILD_BUILD_NUMBER=7 CODEBUILD_WEBHOOK_HEAD_REF=refs/heads/main
        CODEBUILD_WEBHOOK_TRIGGER=branch/main CODEBUILD_RESOLVED_SOURCE_VERSION={SHA}
        CODEBUILD_SOURCE_REPO_URL=https://github.com/ann/shop.git AWS_REGION=eu-west-1
    """),
}


def _push(provider: str, *, build: str = "7", **more: Any) -> BuildInfo:  # noqa: ANN401 - members of the facts
    return BuildInfo(provider=provider, branch="main", commit=SHA, build=build, **more)


_GITHUB = _push(
    "GitHub",
    pipeline="99",
    attempt=1,
    url="https://github.com/ann/shop/actions/runs/99/attempts/1",
    repository="https://github.com/ann/shop",
)
_GITLAB = _push(
    "GitLab", pipeline="7", url="https://gitlab.com/ann/shop/-/jobs/5", repository="https://gitlab.com/ann/shop"
)
_JENKINS = _push(
    "Jenkins",
    pipeline="jenkins-shop-7",
    url="https://j.example.org/job/shop/7/",
    repository="https://git.example.org/ann/shop",
)
_AZURE = _push(
    "Azure",
    build="20260304.1",
    pipeline="7",
    attempt=1,
    url="https://dev.azure.com/ann/My%20Shop/_build/results?buildId=7",
    repository="https://dev.azure.com/ann/My%20Shop/_git/shop",
)
_CIRCLECI = _push(
    "CircleCI",
    pipeline="c1-workflow",
    url="https://circleci.com/gh/ann/shop/7",
    repository="https://github.com/ann/shop",
)
_BUILDKITE = _push(
    "Buildkite",
    pipeline="01-build",
    attempt=1,
    url="https://buildkite.com/ann/shop/builds/7#01-ab",
    repository="https://github.com/ann/shop",
)
_BITBUCKET = _push(
    "Bitbucket",
    pipeline="{b1-pipeline}",
    attempt=1,
    url="https://bitbucket.org/ann/shop/pipelines/results/7",
    repository="https://bitbucket.org/ann/shop",
)
_TEAMCITY = _push("TeamCity", pipeline="77", url="https://tc.example.org/viewLog.html?buildId=77")
_TRAVIS = _push("Travis", pipeline="700", url="https://travis-ci.com/ann/shop/jobs/5")
_DRONE = _push(
    "Drone", pipeline="ann/shop-7", url="https://drone.example.org/ann/shop/7", repository="https://github.com/ann/shop"
)
_WOODPECKER = _push(
    "Woodpecker",
    pipeline="ann/shop-7",
    url="https://wp.example.org/repos/1/pipeline/7/3",
    repository="https://codeberg.org/ann/shop",
)
_APPVEYOR = _push(
    "AppVeyor",
    pipeline="77",
    url="https://ci.appveyor.com/project/ann/shop/builds/77/job/k1",
    repository="https://github.com/ann/shop",
)
_CODEBUILD = _push(
    "CodeBuild",
    pipeline="shop:b1e6661e",
    url="https://console.aws.amazon.com/codebuild/home?region=eu-west-1#/builds/shop:b1e6661e/view/new",
    repository="https://github.com/ann/shop",
)


def _request(facts: BuildInfo, **more: Any) -> BuildInfo:  # noqa: ANN401 - as above
    return replace(facts, **{"branch": "feature/x", "pull_request": 12, "target_branch": "main", **more})


def _tag(facts: BuildInfo, **more: Any) -> BuildInfo:  # noqa: ANN401 - as above
    return replace(facts, branch=None, tag="v1.0", **more)


def _teamcity(text: str) -> dict[str, str]:
    return {"events": TEAMCITY_SYSTEM, "build": TEAMCITY_CONFIGURATION + text}


JOBS: Mapping[str, Mapping[Case, Job]] = {
    "GitHub": {
        "push": Job({}, _GITHUB),
        "pull request": Job(
            env(f"""
                GITHUB_BASE_REF=main GITHUB_EVENT_NAME=pull_request GITHUB_REF=refs/pull/12/merge
                GITHUB_REF_NAME=12/merge GITHUB_HEAD_REF=feature/x GITHUB_SHA={MERGE}
            """),
            _request(_GITHUB, merge_commit=MERGE),
            {"events": EVENT},
        ),
        "tag": Job(env("GITHUB_REF=refs/tags/v1.0 GITHUB_REF_NAME=v1.0 GITHUB_REF_TYPE=tag"), _tag(_GITHUB)),
        "rerun": Job(
            env("GITHUB_RUN_ATTEMPT=2"),
            replace(_GITHUB, attempt=2, url="https://github.com/ann/shop/actions/runs/99/attempts/2"),
        ),
        "parallel": Job(env("GITHUB_JOB=tests"), _GITHUB),
    },
    "GitLab": {
        "push": Job({}, _GITLAB),
        "pull request": Job(
            env(f"""
                CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main CI_COMMIT_BRANCH=
                CI_COMMIT_REF_NAME=refs/merge-requests/12/merge CI_COMMIT_SHA={MERGE} CI_MERGE_REQUEST_IID=12
                CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=feature/x CI_MERGE_REQUEST_SOURCE_BRANCH_SHA={SHA}
                CI_MERGE_REQUEST_SOURCE_PROJECT_URL=https://gitlab.com/bob/shop
            """),
            _request(_GITLAB, merge_commit=MERGE, repository="https://gitlab.com/bob/shop"),
        ),
        "tag": Job(env("CI_COMMIT_BRANCH= CI_COMMIT_REF_NAME=v1.0 CI_COMMIT_TAG=v1.0"), _tag(_GITLAB)),
        "rerun": Job(
            env("CI_JOB_RETRY_COUNT=1 CI_JOB_URL=https://gitlab.com/ann/shop/-/jobs/6"),
            replace(_GITLAB, attempt=2, url="https://gitlab.com/ann/shop/-/jobs/6"),
        ),
        "parallel": Job(env("CI_NODE_INDEX=2 CI_NODE_TOTAL=5"), replace(_GITLAB, shard=Shard(2, 5))),
    },
    "Jenkins": {
        "push": Job({}, _JENKINS),
        "pull request": Job(
            env("""
                CHANGE_TARGET=main CHANGE_ID=12 CHANGE_BRANCH=feature/x BRANCH_NAME=PR-12 GIT_BRANCH=PR-12
            """),
            _request(_JENKINS),
        ),
        "tag": Job(env("TAG_NAME=v1.0 BRANCH_NAME=v1.0 GIT_BRANCH=v1.0"), _tag(_JENKINS)),
        "rerun": Job(
            env("BUILD_NUMBER=8 BUILD_TAG=jenkins-shop-8 BUILD_URL=https://j.example.org/job/shop/8/"),
            replace(_JENKINS, build="8", pipeline="jenkins-shop-8", url="https://j.example.org/job/shop/8/"),
        ),
        "parallel": Job(env("EXECUTOR_NUMBER=1 STAGE_NAME='tests 2'"), _JENKINS),
    },
    "Azure": {
        "push": Job({}, _AZURE),
        "pull request": Job(
            env(f"""
                SYSTEM_PULLREQUEST_TARGETBRANCH=refs/heads/main BUILD_REASON=PullRequest
                BUILD_SOURCEBRANCH=refs/pull/12/merge BUILD_SOURCEBRANCHNAME=merge BUILD_SOURCEVERSION={MERGE}
                SYSTEM_PULLREQUEST_PULLREQUESTID=12 SYSTEM_PULLREQUEST_SOURCEBRANCH=refs/heads/feature/x
                SYSTEM_PULLREQUEST_SOURCECOMMITID={SHA}
            """),
            _request(_AZURE, merge_commit=MERGE),
        ),
        "tag": Job(env("BUILD_SOURCEBRANCH=refs/tags/v1.0 BUILD_SOURCEBRANCHNAME=v1.0"), _tag(_AZURE)),
        "rerun": Job(env("SYSTEM_JOBATTEMPT=2"), replace(_AZURE, attempt=2)),
        "parallel": Job(
            env("SYSTEM_JOBPOSITIONINPHASE=2 SYSTEM_TOTALJOBSINPHASE=5"), replace(_AZURE, shard=Shard(2, 5))
        ),
    },
    "CircleCI": {
        "push": Job({}, _CIRCLECI),
        "pull request": Job(
            env("CIRCLE_BRANCH=feature/x CIRCLE_PULL_REQUEST=https://github.com/ann/shop/pull/12"),
            _request(_CIRCLECI, target_branch=None),
        ),
        "tag": Job(env("CIRCLE_BRANCH= CIRCLE_TAG=v1.0"), _tag(_CIRCLECI)),
        "rerun": Job(
            env("CIRCLE_BUILD_NUM=8 CIRCLE_BUILD_URL=https://circleci.com/gh/ann/shop/8"),
            replace(_CIRCLECI, build="8", url="https://circleci.com/gh/ann/shop/8"),
        ),
        "parallel": Job(env("CIRCLE_NODE_INDEX=1 CIRCLE_NODE_TOTAL=5"), replace(_CIRCLECI, shard=Shard(2, 5))),
    },
    "Buildkite": {
        "push": Job({}, _BUILDKITE),
        "pull request": Job(
            env("""
                BUILDKITE_PULL_REQUEST_BASE_BRANCH=main BUILDKITE_BRANCH=feature/x BUILDKITE_PULL_REQUEST=12
                BUILDKITE_PULL_REQUEST_REPO=https://github.com/bob/shop.git
            """),
            _request(_BUILDKITE, repository="https://github.com/bob/shop"),
        ),
        "tag": Job(env("BUILDKITE_BRANCH=v1.0 BUILDKITE_TAG=v1.0"), _tag(_BUILDKITE)),
        "rerun": Job(
            env("BUILDKITE_RETRY_COUNT=1 BUILDKITE_JOB_ID=02-cd"),
            replace(_BUILDKITE, attempt=2, url="https://buildkite.com/ann/shop/builds/7#02-cd"),
        ),
        "parallel": Job(
            env("BUILDKITE_PARALLEL_JOB=1 BUILDKITE_PARALLEL_JOB_COUNT=5"), replace(_BUILDKITE, shard=Shard(2, 5))
        ),
    },
    "Bitbucket": {
        "push": Job({}, _BITBUCKET),
        "pull request": Job(
            env("BITBUCKET_PR_DESTINATION_BRANCH=main BITBUCKET_BRANCH=feature/x BITBUCKET_PR_ID=12"),
            _request(_BITBUCKET),
        ),
        "tag": Job(env("BITBUCKET_BRANCH= BITBUCKET_TAG=v1.0"), _tag(_BITBUCKET)),
        "rerun": Job(env("BITBUCKET_STEP_RUN_NUMBER=2"), replace(_BITBUCKET, attempt=2)),
        "parallel": Job(
            env("BITBUCKET_PARALLEL_STEP=1 BITBUCKET_PARALLEL_STEP_COUNT=5"), replace(_BITBUCKET, shard=Shard(2, 5))
        ),
    },
    "TeamCity": {
        "push": Job({}, _TEAMCITY, _teamcity("teamcity.build.branch=refs/heads/main\n")),
        "pull request": Job(
            {},
            _request(_TEAMCITY),
            _teamcity(
                "teamcity.build.branch=pull/12\n"
                "teamcity.pullRequest.number=12\n"
                "teamcity.pullRequest.source.branch=feature/x\n"
                "teamcity.pullRequest.target.branch=main\n"
            ),
        ),
        "tag": Job({}, _tag(_TEAMCITY), _teamcity("teamcity.build.branch=refs/tags/v1.0\n")),
        "rerun": Job(env("BUILD_NUMBER=8"), replace(_TEAMCITY, build="8"), _teamcity("teamcity.build.branch=main\n")),
        "parallel": Job(
            {},
            replace(_TEAMCITY, shard=Shard(2, 5)),
            _teamcity(
                "teamcity.build.branch=main\n"
                "teamcity.build.parallelTests.currentBatch=2\n"
                "teamcity.build.parallelTests.totalBatches=5\n"
            ),
        ),
    },
    "Travis": {
        "push": Job({}, _TRAVIS),
        "pull request": Job(
            env(f"""
                TRAVIS_PULL_REQUEST=12 TRAVIS_PULL_REQUEST_BRANCH=feature/x TRAVIS_PULL_REQUEST_SHA={SHA}
                TRAVIS_COMMIT={MERGE}
            """),
            _request(_TRAVIS, merge_commit=MERGE),
        ),
        "tag": Job(env("TRAVIS_BRANCH=v1.0 TRAVIS_TAG=v1.0"), _tag(_TRAVIS)),
        "rerun": Job({}, _TRAVIS),
        "parallel": Job(env("TRAVIS_JOB_NUMBER=7.2"), _TRAVIS),
    },
    "Drone": {
        "push": Job({}, _DRONE),
        "pull request": Job(
            env("""
                DRONE_TARGET_BRANCH=main DRONE_BUILD_EVENT=pull_request DRONE_PULL_REQUEST=12
                DRONE_SOURCE_BRANCH=feature/x
            """),
            _request(_DRONE),
        ),
        "tag": Job(env("DRONE_BUILD_EVENT=tag DRONE_TAG=v1.0 DRONE_BRANCH="), _tag(_DRONE)),
        "rerun": Job(
            env("""
                DRONE_BUILD_NUMBER=8 DRONE_BUILD_PARENT=7 DRONE_BUILD_LINK=https://drone.example.org/ann/shop/8
            """),
            replace(_DRONE, build="8", pipeline="ann/shop-8", url="https://drone.example.org/ann/shop/8"),
        ),
        "parallel": Job(env("DRONE_STAGE_NUMBER=2"), _DRONE),
    },
    "Woodpecker": {
        "push": Job({}, _WOODPECKER),
        "pull request": Job(
            env("""
                CI_COMMIT_TARGET_BRANCH=main CI_PIPELINE_EVENT=pull_request CI_COMMIT_PULL_REQUEST=12
                CI_COMMIT_SOURCE_BRANCH=feature/x
            """),
            _request(_WOODPECKER),
        ),
        "tag": Job(env("CI_PIPELINE_EVENT=tag CI_COMMIT_BRANCH= CI_COMMIT_TAG=v1.0"), _tag(_WOODPECKER)),
        "rerun": Job(
            env("CI_PIPELINE_NUMBER=8 CI_PIPELINE_PARENT=7"), replace(_WOODPECKER, build="8", pipeline="ann/shop-8")
        ),
        "parallel": Job(env("CI_WORKFLOW_NUMBER=2"), _WOODPECKER),
    },
    "AppVeyor": {
        "push": Job({}, _APPVEYOR),
        "pull request": Job(
            env(f"""
                APPVEYOR_PULL_REQUEST_NUMBER=12 APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH=feature/x
                APPVEYOR_PULL_REQUEST_HEAD_COMMIT={SHA} APPVEYOR_REPO_COMMIT={MERGE}
            """),
            _request(_APPVEYOR),
        ),
        "tag": Job(env("APPVEYOR_REPO_TAG=true APPVEYOR_REPO_TAG_NAME=v1.0"), _tag(_APPVEYOR)),
        "rerun": Job(env("APPVEYOR_RE_BUILD=True"), _APPVEYOR),
        "parallel": Job(env("APPVEYOR_JOB_NUMBER=2"), _APPVEYOR),
    },
    "CodeBuild": {
        "push": Job({}, _CODEBUILD),
        "pull request": Job(
            env("""
                CODEBUILD_WEBHOOK_BASE_REF=refs/heads/main CODEBUILD_WEBHOOK_HEAD_REF=refs/heads/feature/x
                CODEBUILD_WEBHOOK_TRIGGER=pr/12
            """),
            _request(_CODEBUILD),
        ),
        "tag": Job(
            env("CODEBUILD_WEBHOOK_HEAD_REF=refs/tags/v1.0 CODEBUILD_WEBHOOK_TRIGGER=tag/v1.0"), _tag(_CODEBUILD)
        ),
        "rerun": Job(
            env("CODEBUILD_BUILD_ID=shop:c2 CODEBUILD_BUILD_NUMBER=8"),
            replace(
                _CODEBUILD,
                build="8",
                pipeline="shop:c2",
                url="https://console.aws.amazon.com/codebuild/home?region=eu-west-1#/builds/shop:c2/view/new",
            ),
        ),
        "parallel": Job(env("CODEBUILD_BATCH_BUILD_IDENTIFIER=tests_2"), _CODEBUILD),
    },
}
