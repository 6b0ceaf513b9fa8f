"""What a release is made of: one version, all files that its tests need, actions that nobody can replace."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_automation_report import __version__
from support.installs import unpacked_sdist
from support.needs import needed
from support.repository import ROOT
from support.sessions import run

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only a checkout knows what belongs to the project")
def test_source_distribution_has_every_file(tmp_path: Path) -> None:
    """The source distribution holds the whole repository, so its tests run from it."""
    listed = run([str(needed("git")), "ls-files", "-z"], ROOT, os.environ).out.split("\0")
    files = {name for name in listed if name and (ROOT / name).exists()}
    unpacked = unpacked_sdist(tmp_path)
    assert files <= {str(path.relative_to(unpacked)) for path in unpacked.rglob("*")}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned(path: Path) -> None:
    """Each workflow names the actions of others by their commit, with the version beside it."""
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    for each in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each


@pytest.mark.parametrize(
    ("tag", "heading", "says"),
    [
        (f"v{__version__}", f"## {__version__} - 2026-12-31", ""),
        ("v9.9.9", f"## {__version__} - 2026-12-31", f"the tag is v9.9.9, __version__ is {__version__}\n"),
        (
            f"v{__version__}", f"## {__version__} - unreleased",
            f"CHANGELOG.md has no heading '## {__version__} - YYYY-MM-DD'\n",
        ),
    ],
)  # fmt: skip
def test_a_tag_is_released_only_as_its_version(tag: str, heading: str, says: str, tmp_path: Path) -> None:
    """The release stops before it builds when tag, version and changelog differ."""
    workflow: Any = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    (script,) = (step["run"] for step in workflow["jobs"]["build"]["steps"] if "TAG" in step.get("env", {}))
    package = tmp_path / "pytest_automation_report"
    package.mkdir()
    (package / "__init__.py").write_bytes((ROOT / "pytest_automation_report" / "__init__.py").read_bytes())
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n", encoding="utf-8")
    # As GitHub runs it.
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "TAG": tag}, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == (says, 1 if says else 0)


def test_changelog_begins_with_the_version() -> None:
    """The newest section of the changelog is that of `__version__`, which stands in one place."""
    (version, _), *_ = re.findall(
        r"^## (\S+) - (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert version == __version__
    assert 'version = "' not in (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.")[0]
