"""The pages in ``docs`` are true: written from the code's tables, their blocks run, their messages are the code's."""

import inspect
import re
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import click
import pytest

from docs.test_every_block import BLOCKS, PAGES_OF_COMMANDS, owner
from docs.written import PAGES, bash, blocks, environment, page, section
from pytest_automation_report import hookspecs
from pytest_automation_report.cli.main import main
from pytest_automation_report.export import digest
from pytest_automation_report.findings import documents
from pytest_automation_report.settings.settings import SETTINGS
from support.checked_server import CheckedServer
from support.contract import contract
from support.repository import ROOT
from support.service import Service, a_test
from support.sessions import run_session, session_environment

HOOKS = [name for name in vars(hookspecs) if name.startswith("pytest_automation")]


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


def _reference() -> Any:  # noqa: ANN401 - a module
    spec = spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_parts_that_are_written_from_the_code_are_the_codes() -> None:
    """Settings, options, exit codes, messages, records, and the pipelines of CI providers are the code's."""
    reference = _reference()
    written = [name for name in PAGES if "<!-- written: " in page(name)]
    assert len(written) == 12
    for name in written:
        assert page(name) == reference.filled(page(name)), f"{name}: run python docs/reference.py"


def test_every_setting_is_in_one_table() -> None:
    """The page of settings has each setting once."""
    names = re.findall(r'^\| <a id="(\w+)"></a>', page("docs/settings.md"), re.MULTILINE)
    assert sorted(names) == sorted(each.name for each in SETTINGS)


@pytest.mark.parametrize("name", ["docs/words.md", "docs/architecture.md"])
def test_glossaries_have_few_words(name: str) -> None:
    """A reader, of the docs or of the code, learns at most 15 words."""
    text = page(name) if name == "docs/words.md" else section(name, "Words")
    words = [row for row in re.findall(r"^\| ([\w, -]+) \|", text, re.MULTILINE) if row not in {"word", "---"}]
    assert 10 < len(words) <= 15


def test_hooks_page_has_all_hooks_with_their_arguments() -> None:
    """Each hook has a heading and an example with the very arguments and result that it is called with."""
    assert re.findall(r"^## (\w+)$", page("docs/hooks.md"), re.MULTILINE) == HOOKS
    written = page("docs/hooks.md")
    for name in HOOKS:
        signature = inspect.signature(getattr(hookspecs, name))
        arguments = ", ".join(f"{each.name}: {each.annotation}" for each in signature.parameters.values())
        assert f"def {name}({arguments}) -> {signature.return_annotation}:" in written


def test_hooks_examples_run(project: Path, server: CheckedServer) -> None:
    """The examples of all hooks together lead to what the page says."""
    *examples, _ = (text for language, text in blocks("docs/hooks.md") if language == "python")
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
    methods = {"get", "post", "put", "patch", "delete"}
    return {
        f"{method.upper()} {path}" for path, each in contract()["paths"].items() for method in each if method in methods
    }


def test_api_page_has_all_operations() -> None:
    """The page of the API names each operation of the contract once, and no other."""
    named = re.findall(r"^\| `((?:GET|POST) [^`]+)` \|", page("docs/api.md"), re.MULTILINE)
    assert sorted(named) == sorted(_operations())


@pytest.mark.parametrize(
    ("heading", "types"),
    [
        (
            "What failed in a run",
            (digest.DigestDocument, digest.DigestRun, digest.DigestReason, digest.DifferingValue),
        ),
        (
            "Findings of a run",
            (
                documents.RunFindings, documents.BaseRun, documents.EarlierSource, documents.RanTests,
                documents.ChangedTest, documents.ChangedDuration, documents.FailureReason, documents.FlakyResult,
            ),
        ),
    ],
)  # fmt: skip
def test_documents_have_the_members_of_the_page(heading: str, types: tuple[type, ...]) -> None:
    """Each member of the documents for programs is described."""
    named = set(re.findall(r"`(\w+)`", section("docs/documents.md", heading)))
    assert {member for each in types for member in each.__annotations__} - named == set()


def test_findings_have_the_version_of_the_page(service: Service) -> None:
    """The version of the findings is the page's."""
    run = service.completed_run(a_test())
    version = service.get(f"/automation/runs/{run}/findings").json["result"]["version"]
    assert f"| `version` | {version} |" in section("docs/documents.md", "Findings of a run")


def test_migration_leads_to_what_there_is() -> None:
    """Each line of the migration leads to settings, commands and a test that are there."""
    rows = re.findall(r"^\| `.*\| (.+) \|$", page("docs/migration.md"), re.MULTILINE)
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
    ((file, test),) = re.findall(r"`(compatibility/vendor/\w+\.py)::(test_\w+)`", page("docs/migration.md"))
    assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


COMMANDS = [
    pytest.param(line.removeprefix("$ "), id=f"{name}: {line}")
    for name in PAGES_OF_COMMANDS
    for language, text in blocks(name)
    if language == "console" and not owner(text, list(BLOCKS.get(name, {})))
    for line in text.splitlines()
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command: str, reported_project: Path, tmp_path: Path) -> None:
    """Each command of the pages runs in a project that has reported."""
    project = shutil.copytree(reported_project, tmp_path / "shop")
    project.joinpath("kept-1").mkdir()  # a page downloads it before
    done = bash(command, project, environment(), exits=0)
    assert done.stdout + done.stderr


def anchors(name: str) -> set[str]:
    """Return the anchors of a page: of its headings, as Python-Markdown makes them, and those that it has itself."""
    headings = re.findall(r"^#+ (.*)$", page(name), re.MULTILINE)
    named = set(re.findall(r'<a id="(\w+)">', page(name)))
    return named | {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def test_links_between_pages_lead_somewhere() -> None:
    """Each link of a page or of the README leads to a file and a heading; the site has none outside of ``docs``."""
    for name in PAGES:
        for link, anchor in re.findall(r"\]\((?!https?://)([^)#\s]*)#?([^)\s]*)\)", page(name)):
            target = (ROOT / name).parent.joinpath(link) if link else ROOT / name
            assert target.exists(), f"{name}: {link}"
            assert not link.startswith(".."), f"{name}: {link}"
            if anchor:
                assert anchor in anchors(str(target.relative_to(ROOT))), f"{name}: {link}#{anchor}"


@pytest.mark.slow
def test_every_example_passes_mypys_strict_mode(tmp_path: Path) -> None:
    """Each Python block of the pages and each file in ``examples`` passes ``mypy --strict``."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    written = []
    for name in PAGES:
        for number, text in enumerate(text for language, text in blocks(name) if language == "python"):
            written.append(f"{re.sub(r'[^a-z]', '_', name.lower())}{number}.py")
            (tmp_path / written[-1]).write_text(text)
    assert len(written) >= 7
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    shutil.move(tmp_path / "examples" / "shop" / "shop", tmp_path / "shop")
    files = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "examples").rglob("*.py"))
    assert len(files) >= 3
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), *written, *files, "shop"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
