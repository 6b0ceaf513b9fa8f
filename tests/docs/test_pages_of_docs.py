"""The pages in ``docs`` are true: written from the code's tables, their blocks run, their messages are the code's."""

import inspect
import os
import re
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pytest_automation_report import hookspecs
from pytest_automation_report.cli.main import main
from pytest_automation_report.settings.settings import SETTINGS
from support.checked_server import CheckedServer
from support.repository import ROOT
from support.sessions import clean_environment, run_session, session_environment

PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
HOOKS = [name for name in vars(hookspecs) if name.startswith("pytest_automation")]


def blocks(name: str, language: str) -> list[str]:
    """Return a page's blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGES[name], re.DOTALL)


def create_project(root: Path) -> Path:
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\nmarkers = owner\n")
    (root / "test_suite.py").write_text(
        "import pytest\n\n@pytest.mark.owner('web team')\ndef test_ok(automation_report, tmp_path):\n"
        "    (tmp_path / 'page.png').write_bytes(b'...')\n    automation_report.artifact(tmp_path / 'page.png')\n"
    )
    return root


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return create_project(tmp_path / "shop")


@pytest.fixture(scope="module")
def reported_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that has reported to its embedded store; tests work in copies of it."""
    root = create_project(tmp_path_factory.mktemp("reported") / "shop")
    assert run_session(root).exit == 0
    return root


def test_settings_page_is_the_codes() -> None:
    """The page of settings is what its program writes from the code's table."""
    spec = spec_from_file_location("settings_page", ROOT / "docs" / "settings_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert PAGES["settings.md"] == module.page(), "run python docs/settings_page.py"


def test_hooks_page_has_all_hooks_with_their_arguments() -> None:
    """Each hook has a heading and an example with the very arguments and result that it is called with."""
    assert re.findall(r"^## (\w+)$", PAGES["hooks.md"], re.MULTILINE) == HOOKS
    page = PAGES["hooks.md"]
    for name in HOOKS:
        signature = inspect.signature(getattr(hookspecs, name))
        written = ", ".join(f"{each.name}: {each.annotation}" for each in signature.parameters.values())
        assert f"def {name}({written}) -> {signature.return_annotation}:" in page


def test_hooks_examples_run(project: Path, server: CheckedServer) -> None:
    """The examples of all hooks together lead to what the page says."""
    *examples, _ = blocks("hooks.md", "python")
    conftest = "from __future__ import annotations\n" + "\n".join(examples)
    (project / "conftest.py").write_text(conftest)
    shared = project / "shared"
    shared.mkdir()
    run_session(project, address=server.address, env=session_environment(SHARED_FOLDER=str(shared)), exits=0)
    (run,) = server.runs()
    assert (run["name"], run["tags"]) == ("release of shop", ["release"])
    assert run["links"] == [{"name": "dashboard", "url": "https://grafana.example.com/d/7"}]
    ((_, test),) = server.tests()
    assert [(each["name"], each["value"]) for each in test["fields"]] == [("owner", "web team")]
    assert [each["url"] for each in test["artifacts"]] == ["https://files.example.com/page.png"]
    assert (shared / "page.png").exists()
    assert (project / "report.txt").read_text() == "1 delivered, 0 kept, 0 not run"


def _operations() -> set[str]:
    contract: Any = yaml.safe_load((ROOT / "pytest_automation_report" / "openapi.yaml").read_text(encoding="utf-8"))
    methods = {"get", "post", "put", "patch", "delete"}
    return {
        f"{method.upper()} {path}" for path, each in contract["paths"].items() for method in each if method in methods
    }


def test_api_page_has_all_operations() -> None:
    """The page of the API names each operation of the contract once, and no other."""
    named = re.findall(r"^\| `((?:GET|POST) [^`]+)` \|", PAGES["api.md"], re.MULTILINE)
    assert sorted(named) == sorted(_operations())


@pytest.mark.parametrize("page", ["README.md", "docs/troubleshooting.md"])
def test_messages_are_the_codes(page: str) -> None:
    """Each message that the README and the page of troubles explain is one that the code can write."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "pytest_automation_report").rglob("*.py"))
    text = (ROOT / page).read_text(encoding="utf-8").rpartition("## When something goes wrong")[2]
    messages = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(messages) > 5
    for message in messages:
        for piece in filter(None, (each.strip(" :,;") for each in re.split(r"\bN\b|\.\.\.|: |; ", message))):
            assert piece.removeprefix("results ") in sources, piece


def test_migration_leads_to_what_there_is() -> None:
    """Each line of the migration leads to settings, commands and a test that are there."""
    rows = re.findall(r"^\| `.*\| (.+) \|$", PAGES["migration.md"], re.MULTILINE)
    assert len(rows) > 10
    settings, commands = {each.name for each in SETTINGS}, 0
    for after in rows:
        for name in re.findall(r"`automation_report_(\w+)`", after):
            assert name in settings, name
        for words in re.findall(r"`automation-report ([a-z ]+)`", after):
            group, *inner = words.split()
            found = main.get_command(click.Context(main), group)
            assert found is not None, words
            commands += 1
            assert not inner or inner[0] in getattr(found, "commands", {}), words
    assert commands > 4
    ((file, test),) = re.findall(r"`(compatibility/vendor/\w+\.py)::(test_\w+)`", PAGES["migration.md"])
    assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


OWN_TESTS = {"console.md", "server.md"}
"""Pages whose commands run in tests of their own, since they need more than a project that has reported."""

COMMANDS = [
    pytest.param(line.removeprefix("$ "), id=f"{name}: {line}")
    for name in PAGES
    if name not in OWN_TESTS
    for block in blocks(name, "console")
    for line in block.splitlines()
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command: str, reported_project: Path, tmp_path: Path) -> None:
    """Each command of the pages runs in a project that has reported."""
    project = shutil.copytree(reported_project, tmp_path / "shop")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=project,
        env=clean_environment(PATH=path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr


def test_links_between_pages_lead_somewhere() -> None:
    """Each link of a page or of the README to a file leads to one."""
    pages = {**{f"docs/{name}": page for name, page in PAGES.items()}, "README.md": (ROOT / "README.md").read_text()}
    for name, page in pages.items():
        for link in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page):
            assert (ROOT / name).parent.joinpath(link).exists(), f"{name}: {link}"
