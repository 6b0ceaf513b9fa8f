"""What each CI provider tells, from environments as its jobs have them."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from pytest_automation_report.ci.detection import MARKS, ci_facts, is_ci
from pytest_automation_report.ci.facts import BuildInfo, CiJob
from pytest_automation_report.ci.providers import PROVIDERS
from support.ci_environments import EVENT, JOBS, MERGE, PUSHES, SHA, Case, Job

CASES: tuple[Case, ...] = ("push", "pull request", "tag", "rerun", "parallel")
ROWS = [
    pytest.param(name, job, id=f"{name}, {case}") for name, jobs in JOBS.items() for case, job in sorted(jobs.items())
]


def facts_of(environ: Mapping[str, str], files: Mapping[str, str] | None = None) -> BuildInfo:
    """Return the facts of an environment but its job, its files by the names that stand in their place."""
    found = ci_facts(environ, lambda path: (files or {}).get(path.strip("{}"), ""))
    assert found is not None
    return replace(found, job=None)


@pytest.mark.parametrize(("provider", "job"), ROWS)
def test_jobs(provider: str, job: Job) -> None:
    """A job tells provider, branch or tag, the author's commit, pull request, build, attempt, part and pages."""
    assert facts_of({**PUSHES[provider], **job.more}, job.files) == job.facts


# The variables that name the source branch of a pull request; TeamCity has it in a file.
SOURCE_BRANCHES: Mapping[str, str] = {
    "GitHub": "GITHUB_HEAD_REF", "GitLab": "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "Jenkins": "CHANGE_BRANCH",
    "Azure": "SYSTEM_PULLREQUEST_SOURCEBRANCH", "Buildkite": "BUILDKITE_BRANCH", "Bitbucket": "BITBUCKET_BRANCH",
    "Travis": "TRAVIS_PULL_REQUEST_BRANCH", "Drone": "DRONE_SOURCE_BRANCH", "Woodpecker": "CI_COMMIT_SOURCE_BRANCH",
    "AppVeyor": "APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH", "CodeBuild": "CODEBUILD_WEBHOOK_HEAD_REF",
}  # fmt: skip


@pytest.mark.parametrize("provider", [*SOURCE_BRANCHES, "TeamCity"])
def test_a_pull_request_is_no_build_of_the_branch_it_is_named_after(provider: str) -> None:
    """A pull request whose branch has the name of the main branch, as of a fork, is not of the main branch."""
    request = JOBS[provider]["pull request"]
    more = {**request.more, **({SOURCE_BRANCHES[provider]: "main"} if provider in SOURCE_BRANCHES else {})}
    files = {name: text.replace("feature/x", "main") for name, text in request.files.items()}
    facts = facts_of({**PUSHES[provider], **more}, files)
    assert (facts.branch, facts.pull_request, facts.target_branch) == ("pull/12", 12, "main")


@pytest.mark.parametrize(
    ("event", "branch"),
    [("", "pull:main"), ('{"pull_request": {"head": {"repo": {"owner": {"login": "bob"}}}}}', "bob:main")],
)
def test_a_pull_request_without_a_number(event: str, branch: str) -> None:
    """A pull request whose number GitHub does not tell has its owner before its branch: no branch has such a name."""
    more = {"GITHUB_EVENT_NAME": "pull_request_target", "GITHUB_REF": "refs/heads/main", "GITHUB_HEAD_REF": "main"}
    assert facts_of({**REQUEST, **more}, {"events": event}).branch == branch


def test_every_provider_has_all_cases() -> None:
    """Each provider of the table is tested with all kinds of jobs, except Gitea, whose variables are GitHub's."""
    assert {*PROVIDERS} == {*JOBS, "Gitea"}
    assert {tuple(sorted(jobs)) for jobs in JOBS.values()} == {tuple(sorted(CASES))}


OTHER_PIPELINES: Mapping[str, Mapping[str, str]] = {
    "GitHub": {"GITHUB_RUN_ID": "100"}, "GitLab": {"CI_PIPELINE_ID": "8"},
    "Jenkins": {"BUILD_TAG": "jenkins-shop-main-7"}, "Azure": {"BUILD_BUILDID": "8"},
    "CircleCI": {"CIRCLE_WORKFLOW_ID": "c2-workflow"}, "Buildkite": {"BUILDKITE_BUILD_ID": "02-build"},
    "Bitbucket": {"BITBUCKET_PIPELINE_UUID": "{b2-pipeline}"}, "Travis": {"TRAVIS_BUILD_ID": "701"},
    "Drone": {"DRONE_REPO": "ann/cellar"}, "Woodpecker": {"CI_REPO": "ann/cellar"},
    "AppVeyor": {"APPVEYOR_BUILD_ID": "78"}, "CodeBuild": {"CODEBUILD_BUILD_ID": "cellar:b1e6661e"},
}  # fmt: skip


@pytest.mark.parametrize("provider", OTHER_PIPELINES)
def test_pipelines_of_one_number(provider: str) -> None:
    """Two pipelines whose builds have one number are told apart; without its variable a pipeline is unknown."""
    other = OTHER_PIPELINES[provider]
    known = facts_of(PUSHES[provider]).pipeline
    assert known is not None
    assert facts_of({**PUSHES[provider], **other}).pipeline not in {known, None}
    without = {name: value for name, value in PUSHES[provider].items() if name not in other}
    assert (ci_facts(without) or BuildInfo()).pipeline is None


GITHUB = PUSHES["GitHub"]
REQUEST = {**GITHUB, **JOBS["GitHub"]["pull request"].more}


@pytest.mark.parametrize(
    "event",
    [
        "", "{", "[]", '{"pull_request": null}', '{"pull_request": {"head": "x", "number": 1}}', "[" * 100_000,
        '{"pull_request": {"number": true, "head": {"sha": 7}}}',
    ],
)  # fmt: skip
def test_github_merge_is_not_the_authors_commit(event: str) -> None:
    """Without a readable event the author's commit is unknown: GITHUB_SHA is a merge, and the ref tells the number."""
    facts = facts_of(REQUEST, {"events": event})
    assert (facts.commit, facts.merge_commit, facts.pull_request) == (None, MERGE, 12)
    assert facts.branch == "pull/12"


def test_github_target_event_has_the_authors_commit() -> None:
    """On pull_request_target GITHUB_SHA is the target's last commit: the event's is told, and no merge."""
    environ = {**REQUEST, "GITHUB_EVENT_NAME": "pull_request_target", "GITHUB_REF": "refs/heads/main"}
    facts = facts_of(environ, {"events": EVENT})
    assert (facts.commit, facts.merge_commit, facts.pull_request) == (SHA, None, 12)


MEMBERS: Mapping[str, list[tuple[str, Mapping[str, str], object]]] = {
    # Refs have their bare names, a merge ref or a word for one is no branch, and a branch may look like either.
    "ref": [
        ("GitHub", {"GITHUB_REF": "refs/heads/refs/x"}, "refs/x"),
        ("GitHub", {"GITHUB_REF": ""}, "main"),
        ("GitLab", {"CI_EXTERNAL_PULL_REQUEST_IID": "12"}, "pull/12"),
        ("Jenkins", {"GIT_BRANCH": "origin/feature/x"}, "feature/x"),
        ("Jenkins", {"GIT_BRANCH": "refs/remotes/origin/main"}, "main"),
        ("Jenkins", {"BRANCH_NAME": "PR-12"}, "PR-12"),
        ("Jenkins", {"BRANCH_NAME": "PR-12", "CHANGE_ID": "12"}, "pull/12"),
        ("Jenkins", {"ghprbSourceBranch": "feature/x", "ghprbPullId": "12"}, "pull/12"),
        ("Jenkins", {"gitlabSourceBranch": "feature/x", "gitlabTargetBranch": "feature/x"}, "feature/x"),
        ("Azure", {"BUILD_SOURCEBRANCH": "refs/pull/12/merge"}, "pull/12"),
        ("CircleCI", {"CIRCLE_BRANCH": "pull/12", "CIRCLE_PR_NUMBER": "12"}, "pull/12"),
        ("CircleCI", {"CIRCLE_BRANCH": "main", "CIRCLE_PR_NUMBER": "12"}, "pull/12"),
        ("Buildkite", {"BUILDKITE_COMMIT": "HEAD"}, "main"),
        ("CodeBuild", {"CODEBUILD_WEBHOOK_HEAD_REF": "", "CODEBUILD_WEBHOOK_TRIGGER": "branch/12"}, "12"),
        ("CodeBuild", {"CODEBUILD_WEBHOOK_HEAD_REF": "", "CODEBUILD_WEBHOOK_TRIGGER": "tag/v1"}, "v1"),
        ("CodeBuild", {"CODEBUILD_WEBHOOK_HEAD_REF": "", "CODEBUILD_WEBHOOK_TRIGGER": ""}, None),
    ],
    # The first line of the commit's message, where the provider has it.
    "commit_subject": [
        ("GitLab", {"CI_COMMIT_TITLE": "Prices have cents"}, "Prices have cents"),
        ("Azure", {"BUILD_SOURCEVERSIONMESSAGE": "Prices have cents\n\nThey had none."}, "Prices have cents"),
        ("Buildkite", {"BUILDKITE_MESSAGE": "\n Prices have cents \n"}, "Prices have cents"),
        ("Travis", {"TRAVIS_COMMIT_MESSAGE": ""}, None),
        ("Jenkins", {}, None),
    ],
    # An address is made of what is there, without user and password, and is none where a piece is missing.
    "url": [
        ("GitHub", {"GITHUB_RUN_ATTEMPT": ""}, "https://github.com/ann/shop/actions/runs/99"),
        ("GitLab", {"CI_JOB_URL": ""}, "https://gitlab.com/ann/shop/-/pipelines/7"),
        ("Buildkite", {"BUILDKITE_JOB_ID": ""}, "https://buildkite.com/ann/shop/builds/7"),
        ("AppVeyor", {"APPVEYOR_JOB_ID": ""}, "https://ci.appveyor.com/project/ann/shop/builds/77"),
        ("CodeBuild", {"CODEBUILD_PUBLIC_BUILD_URL": "https://public.example.org"}, "https://public.example.org"),
        ("Woodpecker", {"CI_STEP_URL": ""}, "https://wp.example.org/repos/1/pipeline/7"),
        ("Jenkins", {"BUILD_URL": "https://ann:secret@j.example.org/job/7/"}, "https://j.example.org/job/7/"),
        ("Jenkins", {"BUILD_URL": "unconfigured-jenkins-location/job/7"}, None),
        ("GitHub", {"GITHUB_REPOSITORY": ""}, None),
    ],
    # Providers that name a target for a push, too, mean the branch itself.
    "target_branch": [("Drone", {"DRONE_TARGET_BRANCH": "main"}, None)],
    "pull_request": [("CodeBuild", {"CODEBUILD_WEBHOOK_TRIGGER": "branch/12"}, None)],
    "commit": [("Buildkite", {"BUILDKITE_COMMIT": "HEAD"}, None)],
    # A merge request pipeline that tests the pushed commit itself has no merge.
    "merge_commit": [("GitLab", {"CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": ""}, None)],
    # A number that is none, or of none, makes no part.
    "shard": [
        ("GitLab", {"CI_NODE_INDEX": index, "CI_NODE_TOTAL": total}, None)
        for index, total in (("", "5"), ("6", "5"), ("0", "5"), ("two", "5"), ("1", "1"))
    ],
}


@pytest.mark.parametrize(
    ("member", "provider", "more", "expected"), [(name, *row) for name, rows in MEMBERS.items() for row in rows]
)
def test_single_facts(member: str, provider: str, more: Mapping[str, str], expected: object) -> None:
    """A fact is what the variables of a job say of it, however they are written, and unknown where they say nothing."""
    assert getattr(facts_of({**PUSHES[provider], **more}), member) == expected


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        ('{"head_commit": {"message": "Prices have cents\\n\\nThey had none."}}', "Prices have cents"),
        ('{"head_commit": null}', None),
        ('{"head_commit": {"message": 7}}', None),
        ("[", None),
    ],
)
def test_subject_of_a_push_to_github(event: str, subject: str | None) -> None:
    """GitHub has the message of the pushed commit in the event's file."""
    assert facts_of(GITHUB, {"events": event}).commit_subject == subject


def test_teamcity_default_branch_has_no_name() -> None:
    """The word for a default branch is no name."""
    files = {**JOBS["TeamCity"]["push"].files, "build": "teamcity.build.branch=<default>\n"}
    assert facts_of(PUSHES["TeamCity"], files).branch is None


GITEA = BuildInfo(
    provider="Gitea", branch="main", commit=SHA, build="7", pipeline="99", attempt=1,
    repository="https://github.com/ann/shop",
)  # fmt: skip
SHARED = [
    ({**GITHUB, "GITEA_ACTIONS": "true"}, GITEA),
    ({**GITHUB, "FORGEJO_ACTIONS": "true"}, GITEA),
    ({**PUSHES["Drone"], **PUSHES["Woodpecker"]}, JOBS["Woodpecker"]["push"].facts),
    ({**PUSHES["Woodpecker"], "CI": "true", "CI_SYSTEM_NAME": "woodpecker"}, JOBS["Woodpecker"]["push"].facts),
    ({**PUSHES["Buildkite"], "JENKINS_URL": "https://j.example.org"}, JOBS["Buildkite"]["push"].facts),
]


@pytest.mark.parametrize(("environ", "facts"), SHARED)
def test_providers_that_set_variables_of_others(environ: dict[str, str], facts: BuildInfo) -> None:
    """A provider that also sets another one's variables is told from it."""
    assert facts_of(environ) == facts


@pytest.mark.parametrize("word", ["", " ", "0", "false", "False", "no", "off"])
def test_no_ci(word: str) -> None:
    """Outside of CI there are no facts, also where a variable says so."""
    environ = {"CI": word, "GITHUB_ACTIONS": word, "JENKINS_URL": word}
    assert (ci_facts({}), ci_facts(environ)) == (None, None)
    assert (is_ci({}), is_ci(environ)) == (False, False)


@pytest.mark.parametrize("word", ["1", "true", "yes"])
def test_unknown_provider(word: str) -> None:
    """Where only CI is set, the provider is unknown and so is everything else."""
    assert (ci_facts({"CI": word}), is_ci({"CI": word})) == (BuildInfo(provider="CI"), True)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("strange", ["\udcff\x00 %", "https://[", "9" * 5000, "\n", "refs/pull//merge", "=\\"])
def test_missing_and_strange_variables(name: str, strange: str) -> None:
    """A provider that tells nothing, or nothing readable, has no facts and raises no error."""
    mark, _, value = MARKS[name][0].partition("=")
    bare = facts_of({mark: value or "true"})
    assert bare == BuildInfo(
        provider=name, build="true" if name == "Bitbucket" else None, pipeline="true" if name == "CodeBuild" else None
    )
    jobs = JOBS.get(name, JOBS["GitHub"]).values()
    every = dict.fromkeys((variable for job in jobs for variable in {**PUSHES.get(name, GITHUB), **job.more}), strange)
    found = facts_of({**every, mark: value or "true"}, {strange: strange})
    assert found.provider == name
    assert found.url is None or found.url.isprintable()


def test_each_provider_that_is_detected_has_a_row() -> None:
    """A provider that its variables show is one whose facts the table tells, and each row can be detected."""
    assert MARKS.keys() == PROVIDERS.keys()


NAMED_JOBS = [
    ("GitHub", {"GITHUB_JOB": "test"}, ("test", True, None)),
    ("GitLab", {"CI_JOB_NAME": "test: [3.13]", "CI_JOB_ID": "51"}, ("test: [3.13]", False, 51)),
    ("Azure", {"SYSTEM_JOBDISPLAYNAME": "test linux"}, ("test linux", False, None)),
    ("CircleCI", {"CIRCLE_JOB": "test-3.13"}, ("test-3.13", False, 7)),
    ("Buildkite", {"BUILDKITE_LABEL": "test", "BUILDKITE_STEP_KEY": "key"}, ("test", False, None)),
    ("Jenkins", {"STAGE_NAME": "unit", "JOB_NAME": "shop/main"}, ("unit", False, None)),
]


@pytest.mark.parametrize(("provider", "more", "job"), NAMED_JOBS)
def test_the_job_of_a_provider(provider: str, more: dict[str, str], job: tuple[str, bool, int | None]) -> None:
    """A job has the name that its provider gives it, and it is known whether a whole matrix has that name."""
    facts = ci_facts({**PUSHES[provider], **more})
    assert facts is not None
    assert facts.job == CiJob(*job)
