"""The environments of CI jobs, and what is known of each job, as ``ci_environments.yaml`` has them."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml
from msgspec import Struct, convert, to_builtins

from pytest_automation_report.ci.facts import BuildInfo

Case: TypeAlias = Literal["push", "pull request", "tag", "rerun", "parallel"]

SHA = "2abc3b37e83ac31ec8210b8504e64896a49f249c"
MERGE = "ef2023102ad644dce35319c9c0d9a97b369aae19"

_IMPLIED: Mapping[str, Mapping[str, object]] = {
    "push": {"branch": "main", "commit": SHA, "build": "7"},
    "pull request": {"branch": "pull/12", "pull_request": 12, "target_branch": "main"},
    "tag": {"branch": None, "tag": "v1.0"},
}
"""The facts that are the same with all providers, unless the file says otherwise."""


class Job(Struct, frozen=True):
    """A job of a provider: what differs from the push, and what is known of it; ``files`` are texts by their names."""

    more: Mapping[str, str]
    facts: BuildInfo
    files: Mapping[str, str]


def _read() -> tuple[dict[str, dict[str, str]], dict[str, dict[Case, Job]]]:
    """Return the variables of each provider's push, and its jobs."""
    text = Path(__file__).with_suffix(".yaml").read_text("utf-8").replace("$SHA", SHA).replace("$MERGE", MERGE)
    pushes: dict[str, dict[str, str]] = {}
    jobs: dict[str, dict[Case, Job]] = {}
    for provider, cases in yaml.safe_load(text).items():
        push: dict[str, Any] = {"provider": provider}
        for case, entry in cases.items():
            env = dict(word.split("=", 1) for word in shlex.split(entry.get("env", "")))
            facts = convert({**push, **_IMPLIED.get(case, {}), **entry.get("facts", {})}, BuildInfo)
            if case == "push":
                pushes[provider], env, push = env, {}, to_builtins(facts)
            jobs.setdefault(provider, {})[case] = Job(env, facts, entry.get("files", {}))
    return pushes, jobs


PUSHES, JOBS = _read()
EVENT = JOBS["GitHub"]["pull request"].files["events"]
