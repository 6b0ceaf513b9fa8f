"""The folders of the tests: unit tests start no process, and each module of the package has its tests."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from support.repository import PACKAGE, TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNIT = TESTS / "unit"

FORBIDDEN_MODULES = frozenset({"subprocess", "socket", "multiprocessing", "support.processes", "support.clusters"})
"""Modules that start processes or open sockets; `unit/conftest.py` refuses both at run time, too."""

FORBIDDEN_NAMES = frozenset({"runpytest_subprocess", "runpytest", "popen", "ON_POSTGRESQL", "checked_scripted_server"})

TESTED_ELSEWHERE = {
    # Hooks and commands: they do their work in pytest's process or in one of their own.
    "annotations": "sessions/annotations",
    "checks": "sessions/console/test_doctor.py",
    "cli": "sessions/console",
    "hookspecs": "sessions/annotations/test_hooks.py",
    "plugin": "sessions/startup/test_switch.py",
    "session": "sessions",
    "testing": "sessions/test_testing.py",
    "ci/git": "sessions/ci/test_git.py",
    "ci/git_index": "sessions/ci/test_git.py",
    "ci/git_packs": "sessions/ci/test_git.py",
    "delivery/launch": "faults/test_end_of_pytest.py",
    "junit/comparison": "sessions/console/test_compare.py",
    "junit/results": "sessions/console/test_submit.py",
    "junit/submission": "sessions/console/test_submit.py",
    "recording/annotations": "sessions/annotations/test_fixture.py",
    "recording/attempts": "sessions/recording/test_attempts.py",
    "recording/failures": "sessions/recording/test_mapping.py",
    "recording/fields": "sessions/recording/test_mapping.py",
    "recording/phases": "sessions/recording/test_mapping.py",
    "recording/steps": "sessions/annotations/test_functions.py",
    "settings/ini_file": "sessions/settings/test_ini_files.py",
    "settings/known_addresses": "sessions/console/test_foreign_checkout.py",
    "spool/log": "faults/test_end_of_pytest.py",
    "summary/console_command": "sessions/summary/test_trouble.py",
    "summary/counts": "sessions/summary/test_edges.py",
    "summary/lines": "sessions/summary/test_edges.py",
    # Real connections, and a real PostgreSQL.
    "api/exchange": "faults/wire/test_exchange.py",
    "delivery/artifact_stores": "sessions/artifacts/test_artifact_stores.py",
    "delivery/shared_run": "sessions/console/test_shared_runs.py",
    "delivery/uploads": "faults/test_artifacts.py",
    "server/http/channels": "sessions/server/test_connections.py",
    "server/http/serving": "sessions/server/test_serving.py",
    "server/http/waitress_loop": "sessions/server/test_serving.py",
    "server/store/postgres": "sessions/server/test_postgres.py",
    # Parts that are used through one door, which has the tests.
    "api/http_client": "unit/api/test_client.py",
    "api/extensions": "unit/server/http/test_extension_bodies.py",
    "api/response_types": "unit/api/test_responses.py",
    "api/limits": "unit/text/test_limits.py",
    "api/run_pages": "unit/delivery/test_reconciliation.py",
    "ci/detection": "unit/ci/test_providers.py",
    "ci/discovery": "unit/settings/test_spellings.py",
    "ci/facts": "unit/ci/test_providers.py",
    "ci/provider_urls": "unit/ci/test_providers.py",
    "delivery/crashed_attempts": "unit/delivery/test_queues.py",
    "delivery/connection": "unit/delivery/test_process.py",
    "delivery/ending": "unit/delivery/test_process.py",
    "delivery/follower": "unit/delivery/test_reading_ahead.py",
    "delivery/handover": "unit/delivery/test_process.py",
    "delivery/requests": "unit/delivery/test_dispatcher.py",
    "delivery/results": "unit/delivery/test_batches.py",
    "delivery/retries": "unit/delivery/test_in_flight.py",
    "delivery/scheduler": "unit/delivery/test_dispatcher.py",
    "errors": "unit/api/test_classification.py",
    "findings/time_shares": "unit/server/store/test_findings.py",
    "recording/options": "unit/recording/test_recorder.py",
    "recording/running_attempt": "unit/recording/test_recorder.py",
    "recording/synthetic_results": "unit/recording/test_recorder.py",
    "server/http/application": "unit/server/http/test_requests.py",
    "server/embedded/bodies": "unit/server/embedded/test_client.py",
    "server/embedded/nested": "unit/server/embedded/test_client.py",
    "server/embedded/plain": "unit/server/embedded/test_client.py",
    "server/http/documents": "unit/server/http/test_lists.py",
    "server/http/findings": "unit/server/store/test_findings.py",
    "server/http/hosts": "unit/server/http/test_middleware.py",
    "server/http/mistakes": "unit/server/http/test_schemas.py",
    "server/http/query_parameters": "unit/server/http/test_requests.py",
    "server/http/request_body": "unit/server/http/test_requests.py",
    "server/http/resources": "unit/server/http/test_runs.py",
    "server/http/whole_results": "unit/server/store/test_whole_results.py",
    "server/pages/inside": "unit/server/pages/report/test_document.py",
    "server/pages/report/handlers": "unit/server/pages/report/test_document.py",
    "server/pages/report/plain": "unit/server/pages/report/test_document.py",
    "server/pages/report/lone_pages": "unit/server/pages/report/test_document.py",
    "server/pages/report/rows": "unit/server/pages/report/test_document.py",
    "server/pages/report/tests": "unit/server/pages/report/test_document.py",
    "server/pages/rendering": "unit/server/pages/test_texts.py",
    "server/pages/assets": "unit/server/pages/test_site.py",
    "server/pages/charts": "unit/server/pages/test_texts.py",
    "server/pages/numbers": "unit/server/pages/test_texts.py",
    "server/pages/theme": "unit/server/pages/test_site.py",
    "server/pages/links": "unit/server/pages/test_site.py",
    "server/pages/attachments": "unit/server/pages/test_handlers.py",
    "server/pages/page": "unit/server/pages/test_handlers.py",
    "server/pages/paging": "unit/server/pages/test_handlers.py",
    "server/pages/run/handlers": "unit/server/pages/run/test_page.py",
    "server/pages/run/queries": "unit/server/pages/run/test_page.py",
    "server/pages/run/changes": "unit/server/pages/run/test_page.py",
    "server/pages/run/code_frames": "unit/server/pages/run/test_page.py",
    "server/pages/run/details": "unit/server/pages/run/test_page.py",
    "server/pages/run/failures": "unit/server/pages/run/test_page.py",
    "server/pages/run/head": "unit/server/pages/run/test_page.py",
    "server/pages/run/history": "unit/server/pages/run/test_page.py",
    "server/pages/run/live": "unit/server/pages/run/test_page.py",
    "server/pages/run/names": "unit/server/pages/run/test_drawings.py",
    "server/pages/run/reasons": "unit/server/pages/run/test_drawings.py",
    "server/pages/run/strips": "unit/server/pages/run/test_drawings.py",
    "server/pages/run/test_list": "unit/server/pages/run/test_page.py",
    "server/pages/run/timeline": "unit/server/pages/run/test_drawings.py",
    "server/pages/run/tree": "unit/server/pages/run/test_page.py",
    "server/pages/run/tree_rows": "unit/server/pages/run/test_page.py",
    "server/pages/run_summary": "unit/server/pages/test_handlers.py",
    "server/pages/runs/queries": "unit/server/pages/runs/test_handlers.py",
    "server/pages/runs/search": "unit/server/pages/runs/test_handlers.py",
    "server/pages/runs/suites": "unit/server/pages/runs/test_handlers.py",
    "server/pages/runs/values": "unit/server/pages/runs/test_handlers.py",
    "server/pages/sources": "unit/server/pages/test_handlers.py",
    "server/pages/statuses": "unit/server/pages/test_handlers.py",
    "server/pages/report/shown_tests": "unit/server/pages/report/test_document.py",
    "server/pages/test/common": "unit/server/pages/test/test_handlers.py",
    "server/pages/test/queries": "unit/server/pages/test/test_handlers.py",
    "server/store/artifact_rows": "unit/server/http/test_artifacts.py",
    "server/store/artifact_urls": "unit/server/http/test_artifacts.py",
    "server/store/artifacts": "unit/server/http/test_artifacts.py",
    "server/store/compared": "unit/server/store/test_findings.py",
    "server/store/database": "unit/server/store/test_store.py",
    "server/store/errors": "unit/server/store/test_store.py",
    "server/store/extensions": "unit/server/http/test_extension_bodies.py",
    "server/store/flaky": "unit/server/store/test_findings.py",
    "server/store/histories": "unit/server/store/test_findings.py",
    "server/store/overview": "unit/server/pages/run/test_page.py",
    "server/store/keyed_locks": "unit/server/http/test_findings_worker.py",
    "server/store/run_rows": "unit/server/store/test_findings.py",
    "server/store/main_branches": "unit/server/store/test_findings.py",
    "server/store/series_updates": "unit/server/store/test_findings.py",
    "server/store/inputs": "unit/server/http/test_runs.py",
    "server/store/inserts": "unit/server/http/test_results.py",
    "server/store/media_types": "unit/server/http/test_artifacts.py",
    "server/store/private_files": "unit/server/store/test_store.py",
    "server/store/project_rows": "unit/server/http/test_statuses.py",
    "server/store/reads": "unit/server/http/test_lists.py",
    "server/store/reasons": "unit/server/store/test_findings.py",
    "server/store/references": "unit/server/http/test_runs.py",
    "server/store/sqlite": "unit/server/store/test_store.py",
    "server/store/sqlite_orm": "unit/server/store/test_store.py",
    "server/store/statuses": "unit/server/http/test_statuses.py",
    "server/store/tables": "unit/server/store/test_migrations.py",
    "server/store/writes": "unit/server/http/test_results.py",
    "server/store/whole_runs": "unit/server/http/test_views.py",
    "settings/configuration": "unit/settings/test_spellings.py",
    "settings/default_names": "unit/settings/test_destination.py",
    "settings/endpoint": "unit/settings/test_destination.py",
    "settings/misspellings": "unit/settings/test_mistakes.py",
    "settings/parsers": "unit/settings/test_mistakes.py",
    "settings/pytest_config": "unit/settings/test_spellings.py",
    "settings/resolver": "unit/settings/test_spellings.py",
    "settings/sources": "unit/settings/test_spellings.py",
    "settings/table": "unit/settings/test_spellings.py",
    "spool/folder": "unit/spool/test_writer.py",
    "spool/liveness": "unit/spool/test_removal.py",
    "spool/ledger_records": "unit/spool/test_ledger.py",
    "spool/manifest": "unit/spool/test_record_kinds.py",
    "spool/sessions": "unit/spool/test_removal.py",
    "text/credential_patterns": "unit/text/test_redaction.py",
    "text/named_secrets": "unit/text/test_redaction.py",
    "text/secret_heuristics": "unit/text/test_redaction.py",
    "text/secret_positions": "unit/text/test_redaction.py",
    "text/secret_urls": "unit/text/test_redaction.py",
}
"""Modules, and whole folders, without a file of their own in `tests/unit`: where their tests are."""


def names_in(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, with the names from them, and the attributes that it uses."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.Attribute):
            yield node.attr


def is_tested(module: str) -> bool:
    """Return whether a module has its file in `tests/unit`, or is in the table by itself or by one of its folders."""
    folder, _, name = module.rpartition("/")
    parents = {module, *(module[:end] for end, character in enumerate(module) if character == "/")}
    return (UNIT / folder / f"test_{name}.py").exists() or bool(parents & set(TESTED_ELSEWHERE))


MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", sorted(UNIT.rglob("*.py")), ids=lambda path: path.relative_to(UNIT).as_posix())
def test_unit_tests_name_neither_processes_nor_sockets(path: Path) -> None:
    """A file in `tests/unit` imports nothing that starts a process or opens a socket, and runs no pytest in one."""
    if path.name != "test_house.py":
        assert not set(names_in(path)) & (FORBIDDEN_MODULES | FORBIDDEN_NAMES)


def test_every_module_has_its_tests() -> None:
    """A module of the package has its test file beside its folder's, or the table names where its tests are."""
    missing = [module for module in MODULES if not module.endswith("__init__") and not is_tested(module)]
    assert missing == [], "add tests/unit/FOLDER/test_MODULE.py, or a line to TESTED_ELSEWHERE"


def test_the_table_is_true() -> None:
    """The table names modules and tests that exist, and no module that has its own file."""
    for module, tests in TESTED_ELSEWHERE.items():
        folder, _, name = module.rpartition("/")
        assert (PACKAGE / module).is_dir() or (PACKAGE / f"{module}.py").exists(), module
        assert (TESTS / tests).exists(), tests
        assert not (UNIT / folder / f"test_{name}.py").exists(), module


def test_no_simple_queue() -> None:
    """No module uses `SimpleQueue`, whose `get` can wait without end in Python 3.10, whatever its time limit is.

    That happens when the time is over after it found the lock free and the queue empty: once in 100,000 waits of 0 s.
    """
    assert [path for path in sorted(PACKAGE.rglob("*.py")) if "SimpleQueue" in names_in(path)] == []


@pytest.mark.parametrize("path", sorted(TESTS.rglob("conftest.py")), ids=lambda path: path.parent.name)
def test_no_conftest_imports_another(path: Path) -> None:
    """Fixtures come from one place: the conftest.py of a folder above, or a module of `tests/support`."""
    assert not [name for name in names_in(path) if name.endswith("conftest")]
