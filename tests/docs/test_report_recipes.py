"""Each recipe for a report without a server is run twice: its lines in order, with the store that its cache keeps."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from docs.recipes import recipe
from support.junit_schema import mistakes
from support.repository import ROOT
from support.sessions import session_environment

FOLDER = ROOT / "examples" / "ci" / "report"
STORE = ".automation-report/store.sqlite3"
URL = "https://github.example.com/artifacts/1"


def github() -> list[tuple[str, bool]]:
    """Return the scripts of GitHub's recipe, and whether each runs after a failure."""
    steps = recipe("report/github.yml")["jobs"]["tests"]["steps"]
    return [(step["run"], str(step.get("if", "")).startswith("always()")) for step in steps if "run" in step]


def gitlab() -> list[tuple[str, bool]]:
    job = recipe("report/gitlab.yml")["tests"]
    return [*((line, False) for line in job["script"]), *((line, True) for line in job["after_script"])]


def jenkins() -> list[tuple[str, bool]]:
    before, _, after = (FOLDER / "Jenkinsfile").read_text(encoding="utf-8").partition("post {")
    lines = [
        (text, is_always)
        for part, is_always in ((before, False), (after, True))
        for text in re.findall(r"sh '(.*)'", part)
    ]
    assert len(lines) == 4
    return lines


RECIPES = {"github.yml": github, "gitlab.yml": gitlab, "Jenkinsfile": jenkins}


def run(lines: list[tuple[str, bool]], workspace: Path, env: Mapping[str, str]) -> str:
    """Run a job as its provider does; return what it printed."""
    said, has_failed = "", False
    for script, is_always in lines:
        if has_failed and not is_always:
            continue
        done = subprocess.run(
            ["bash", "-c", f"set -e\n{script}"],
            cwd=workspace, env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        said += f"\n$ {script}\n{done.stdout}{done.stderr}(exit {done.returncode})"
        has_failed = has_failed or done.returncode != 0
        assert done.returncode == 0 or script.startswith("pytest --automation-report"), said
    assert has_failed, said  # tests of the shop fail
    return said


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(name: str, tmp_path: Path) -> None:
    """Tests fail and the report is there: the second one is compared with the first, whose store the provider kept."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("pip", "gh"):  # they would change this environment, and ask GitHub
        (programs / program).write_text(f'#!/bin/sh\necho "{program} $*" >> "{tmp_path}/called"\n')
        (programs / program).chmod(0o755)
    path = os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.environ["PATH"]))
    summary = tmp_path / "summary.md"
    env = session_environment(None, PATH=path, GITHUB_STEP_SUMMARY=str(summary), REPORT=URL, PULL_REQUEST="7")
    for number in (1, 2):
        workspace = tmp_path / f"job-{number}"
        shutil.copytree(ROOT / "examples" / "shop", workspace, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        if number == 2:
            (workspace / ".automation-report").mkdir()
            shutil.copy(tmp_path / "job-1" / STORE, workspace / STORE)
        said = run(RECIPES[name](), workspace, env)
    report = (workspace / "report.html").read_text(encoding="utf-8")
    assert "Since run 1: 0 new failures" in report, said
    if name == "github.yml":
        comment = (workspace / "comment.md").read_text(encoding="utf-8")
        assert comment.startswith("### ❌ ")
        assert comment.endswith(f"[The whole report]({URL})\n")
        assert summary.read_text(encoding="utf-8").endswith(comment)
        assert "gh pr comment 7 --body-file comment.md --edit-last" in (tmp_path / "called").read_text()
    else:
        assert mistakes((workspace / "junit.xml").read_text(encoding="utf-8")) == []


def test_the_files_that_providers_keep_are_written() -> None:
    """Each recipe keeps the files that its lines write, and the store where it has a cache."""
    steps = recipe("report/github.yml")["jobs"]["tests"]["steps"]
    assert [step["with"]["path"] for step in steps if "path" in step.get("with", {})] == [STORE, "report.html", STORE]
    job = recipe("report/gitlab.yml")["tests"]
    assert job["cache"]["paths"] == [STORE]
    assert (job["artifacts"]["paths"], job["artifacts"]["reports"]) == (["report.html"], {"junit": "junit.xml"})
    archived = re.search("artifacts: '(.*)'", (FOLDER / "Jenkinsfile").read_text(encoding="utf-8"))
    assert archived is not None
    assert archived[1] == "report.html"
    assert {path.name for path in FOLDER.iterdir()} == set(RECIPES)
