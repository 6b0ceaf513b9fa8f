"""The shell lines of the recipes in ``examples/ci``, in the order in which each provider runs them."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from support.repository import ROOT

FOLDER = ROOT / "examples" / "ci"


@dataclass(frozen=True)
class Step:
    """One script; with ``is_always`` it runs whatever became of those before it, unless it ``needs_secrets``.

    One that ``may_fail`` makes no job red.
    """

    script: str
    is_always: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    needs_secrets: bool = False
    is_azure: bool = False
    may_fail: bool = False


@dataclass(frozen=True)
class Job:
    """One job with a workspace of its own; ``is_last`` runs when all others have ended."""

    name: str
    steps: tuple[Step, ...]
    env: Mapping[str, str]
    is_last: bool = False


def recipe(name: str) -> dict[str, Any]:
    """Return a recipe's YAML; ``on`` is a word, not a truth."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)
    return document


def github(file: str = "github.yml") -> Iterator[Job]:
    document = recipe(file)
    for name, job in document["jobs"].items():
        for part in job.get("strategy", {}).get("matrix", {}).get("part", [""]):
            steps = tuple(
                Step(
                    _filled(step["run"], part),
                    step.get("if", "").startswith("always()"),
                    may_fail=step.get("continue-on-error") == "true",
                )
                for step in job["steps"]
                if "run" in step
            )
            env = {**document.get("env", {}), **job.get("env", {})}
            filled = {"GITHUB_JOB": name} | {key: _filled(value, part) for key, value in env.items()}
            yield Job(name + part, steps, filled, job.get("needs") is not None and job["if"] == "always()")


def gitlab(file: str = "gitlab.yml") -> Iterator[Job]:
    document = recipe(file)
    for name, job in document.items():
        if "script" not in job:
            continue
        for part, told in _parts(job.get("parallel", "1"), "CI_NODE_INDEX", "CI_NODE_TOTAL", first=1):
            env = {**document.get("variables", {}), **job.get("variables", {}), **told}
            after = Step("\n".join(job.get("after_script", ["true"])), is_always=True, may_fail=True)
            yield Job(
                name + part,
                (Step("\n".join(job["script"])), after),
                {**_expanded(env), "CI_JOB_NAME": name},
                job.get("when") == "always",
            )


def jenkins() -> Iterator[Job]:
    text = (FOLDER / "Jenkinsfile").read_text(encoding="utf-8")
    matrix, _, rest = text.partition("\n    post {")
    pairs = re.findall(r"(AUTOMATION_\w+) = ['\"](.*)['\"]", matrix)
    (values,) = re.findall(r"values (.+)", matrix)
    cell, _, always = matrix.partition("post {")
    for part in re.findall(r"'(\w+)'", values):
        steps = [Step(each) for each in _shell(cell)] + [Step(each, is_always=True) for each in _shell(always)]
        env = {name: value.replace("${PART}", part).replace("${BUILD_URL}", "https://j.test/") for name, value in pairs}
        yield Job(f"cell{part}", tuple(steps), {**env, "PART": part})
    yield Job("post", tuple(Step(each) for each in _shell(rest)), dict(pairs), is_last=True)


def jenkins_report() -> Iterator[Job]:
    text = (FOLDER / "report" / "Jenkinsfile").read_text(encoding="utf-8")
    before, _, always = text.partition("post {")
    steps = [Step(each) for each in _shell(before)] + [Step(each, is_always=True) for each in _shell(always)]
    yield Job("tests", tuple(steps), {})


def azure() -> Iterator[Job]:
    document = recipe("azure.yml")
    for job in document["jobs"]:
        total = job.get("strategy", {}).get("parallel", "1")
        for part, told in _parts(total, "SYSTEM_JOBPOSITIONINPHASE", "SYSTEM_TOTALJOBSINPHASE", first=1):
            env = {**document["variables"], **job.get("variables", {}), **told, "AGENT_JOBNAME": job["job"]}
            steps = tuple(
                Step(
                    step["script"],
                    "always()" in step.get("condition", ""),
                    {"AUTOMATION_REPORT_TOKEN": "canary"} if "env" in step else {},
                    needs_secrets="'System.PullRequest.IsFork'" in step.get("condition", ""),
                    is_azure=True,
                    may_fail=step.get("continueOnError") == "true",
                )
                for step in job["steps"]
                if "script" in step
            )
            yield Job(job["job"] + part, steps, env, job.get("condition") == "always()")


def circleci() -> Iterator[Job]:
    document = recipe("circleci.yml")
    shared = document["executors"]["python"]["environment"]
    for entry in document["workflows"]["tests"]["jobs"]:
        ((name, how),) = entry.items() if isinstance(entry, dict) else ((entry, {}),)
        job = document["jobs"][name]
        for part, numbers in _parts(job.get("parallelism", "1"), "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", first=0):
            env = {**shared, **job.get("environment", {}), **numbers, "CIRCLE_JOB": name}
            runs = [step["run"] for step in job["steps"] if isinstance(step, dict) and "run" in step]
            told = [each if isinstance(each, dict) else {"command": each} for each in runs]
            steps = tuple(Step(each["command"], each.get("when") == "always") for each in told)
            yield Job(name + part, steps, env, "requires" in how)


def buildkite() -> Iterator[Job]:
    document = recipe("buildkite.yml")
    for step in document["steps"]:
        total, names = step.get("parallelism", "1"), ("BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT")
        for part, told in _parts(total, *names, first=0) if "command" in step else ():
            env = {**document["env"], **step.get("env", {}), **told, "BUILDKITE_LABEL": step["label"]}
            script = step["command"].replace("$$", "$")
            yield Job(step["label"] + part, (Step(script),), env, "parallelism" not in step)


def bitbucket() -> Iterator[Job]:
    document = recipe("bitbucket.yml")
    steps = document["pipelines"]["default"][0]["parallel"]
    told = _parts(str(len(steps)), "BITBUCKET_PARALLEL_STEP", "BITBUCKET_PARALLEL_STEP_COUNT", first=0)
    for entry, (part, env) in zip(steps, told, strict=True):
        step = entry["step"]
        after = Step("\n".join(step["after-script"]), is_always=True, may_fail=True)
        yield Job(step["name"] + part, (Step("\n".join(step["script"])), after), env)


RECIPES: Mapping[str, Callable[[], Iterator[Job]]] = {
    "GitHub": github, "GitLab": gitlab, "Jenkins": jenkins, "Azure": azure, "CircleCI": circleci,
    "Buildkite": buildkite, "Bitbucket": bitbucket,
}  # fmt: skip


REPORTS: Mapping[str, Callable[[], Iterator[Job]]] = {
    "GitHub": lambda: github("report/github.yml"),
    "GitLab": lambda: gitlab("report/gitlab.yml"),
    "Jenkins": jenkins_report,
}
"""Those for a report without a server."""


def _parts(total: str, index: str, count: str, *, first: int) -> list[tuple[str, dict[str, str]]]:
    """Return a name for each of so many parallel jobs, and the variables by which the provider numbers it."""
    if total == "1":
        return [("", {})]
    return [(f"-{number}", {index: str(first + number), count: total}) for number in range(int(total))]


def _filled(text: str, part: str) -> str:
    return text.replace("${{ matrix.part }}", part)


def _expanded(env: Mapping[str, str]) -> dict[str, str]:
    return {key: value.replace("$CI_JOB_URL", "https://gitlab.test/5") for key, value in env.items()}


def _shell(text: str) -> list[str]:
    return re.findall(r"sh '(.+)'", text)
