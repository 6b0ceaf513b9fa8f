"""The floors of the package: imports point down only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest_automation_report

PACKAGE = "pytest_automation_report"
ROOT = Path(pytest_automation_report.__file__).parent

FLOORS: dict[str, int] = {
    # 0: values and rules about values
    **dict.fromkeys(
        (
            "checks", "errors", "model", "limits", "answers", "members", "quantities", "records", "redaction",
            "secret_addresses", "secret_looks", "secret_names",
            "secret_places", "secret_shapes", "secret_values", "spooled", "stored", "terminal",
        ),
        0,
    ),
    # 1: what a session is and what came of it, pure
    **dict.fromkeys(
        (
            "added", "additions", "address", "annotations", "artifact_addresses", "asking", "attachments", "attempts",
            "ci", "configuration",
            "credentials", "databases", "destination", "encoding", "facts", "failures", "given", "hook_answers",
            "hookspecs", "identity", "ini", "junit", "ledger", "markers", "misspelled", "naming", "notes", "outcomes",
            "phases", "places",
            "properties", "junit_outputs", "junit_results", "run_keys", "sharing",
            "provider_pages", "providers", "recorder", "resolution", "rules", "session", "settings", "steps", "values",
        ),
        1,
    ),
    # 2: disk, network, the embedded server
    **dict.fromkeys(
        (
            "checkout", "client", "console_command", "exchange", "known_addresses", "run_pages", "server", "spool",
            "spool_removal", "spool_writer", "stash", "transport", "verdict", "whereabouts",
        ),
        2,
    ),
    # 3: the process that delivers, and what pytest reads of it
    **dict.fromkeys(
        (
            "sender", "artifact_stores", "beginning", "comparison", "connection", "job_annotations", "job_summary",
            "keeping", "kept",
            "submission", "tally", "summary", "waiting", "connection_checks", "local_checks", "preflight",
        ),
        3,
    ),
    # 4: pytest's hooks, the console command, and the door, which shows what there is for tests and hooks
    **dict.fromkeys(
        (
            "", "browsers", "captured_files", "cli", "describing", "job_output", "plugin", "recording", "remote",
            "reporting", "run_hooks", "terminal_report",
            "session_run", "software", "suite_properties", "rerun", "testing",
        ),
        4,
    ),
}  # fmt: skip


def _modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__").removesuffix("__init__"): path
        for path in ROOT.rglob("*.py")
    }


def _imports(path: Path) -> set[str]:
    """Return our modules that a file imports, type checking included, by their names inside the package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{each.name}" for each in node.names)
    names = {each.removeprefix(PACKAGE).removeprefix(".") for each in found if each.split(".")[0] == PACKAGE}
    return names & set(_modules()) - {""}


def _floor(module: str) -> int:
    return FLOORS[module.split(".", maxsplit=1)[0]]


def test_every_module_stands_on_a_floor() -> None:
    """Each module of the package is on exactly one floor, and the list names no module that is gone."""
    assert {module.split(".")[0] for module in _modules()} == set(FLOORS)


def test_imports_point_down() -> None:
    """No module imports one of a floor above its own."""
    wrong = [
        f"{module} (floor {_floor(module)}) imports {other} (floor {_floor(other)})"
        for module, path in _modules().items()
        for other in _imports(path)
        if _floor(other) > _floor(module)
    ]
    assert wrong == []


def test_imports_have_no_cycle() -> None:
    """The modules can be put in an order in which each imports earlier ones only."""
    waiting = {module: _imports(path) - {module} for module, path in _modules().items()}
    while waiting:
        ready = [module for module, needs in waiting.items() if not needs & set(waiting)]
        assert ready, f"these import each other in a circle: {sorted(waiting)}"
        for module in ready:
            del waiting[module]
