"""Every fenced block of the README and of ``docs`` is run by a test that is named here, or has a reason not to be."""

import pytest

from docs.test_promises import names_in
from docs.written import PAGES, blocks
from support.repository import ROOT

WHOLE = "pytest --automation-report"
"""The one text that others begin with: it stands for the block that is nothing else."""

NOT_RUN = "not run: "
GENERIC = "docs/test_pages_of_docs.py::test_commands_run"
"""Runs every block of commands of the pages that it does not leave to tests of their own."""

BLOCKS = {
    "README.md": {
        "examples/shop": "docs/test_readme.py::test_first_command_runs_the_main_job",
        "pip install ../": "docs/test_readme.py::test_way_of_a_newcomer",
        "[test]": "docs/test_readme.py::test_ci_runs_the_readmes_test_command",
        WHOLE: "docs/test_readme.py::test_embedded_commands_run",
        "serve --open": "docs/test_server_page.py::test_serving_for_oneself",
        "run list": "docs/test_readme.py::test_embedded_commands_run",
        "# pyproject.toml": "docs/test_readme.py::test_testmo_commands_run",
        "-n 4": "docs/test_readme.py::test_testmo_commands_run",
        "# pytest.toml": "docs/test_readme.py::test_pytest_toml_reports",
        "# test_checkout.py": "docs/test_annotations.py::test_short_example_runs test_checkout.py",
        "# GitHub Actions": "docs/test_readme.py::test_step_that_always_runs_sends_the_rest",
        "run create": "docs/test_readme.py::test_commands_for_several_jobs_run",
        "--run-key": "docs/test_readme.py::test_commands_for_jobs_of_one_key_run",
        "rerun-failed": "docs/test_readme.py::test_command_that_runs_again_what_failed",
        "automation-report submit": "docs/test_readme.py::test_command_for_results_of_other_tools_runs",
        "-- npm test": "docs/test_readme.py::test_commands_that_run_a_tool_run_it",
    },
    "docs/annotations.md": {
        "# test_cart.py": "docs/test_annotations.py::test_examples_run test_cart.py",
        "# pytest.ini\n": "docs/test_annotations.py::test_examples_run pytest.ini",
        "# pytest.ini: GitLab": "docs/test_annotations.py::test_settings_for_artifacts_make_addresses",
        "# pytest.ini: a bucket": "docs/test_annotations.py::test_settings_for_artifacts_make_addresses",
    },
    "docs/architecture.md": {"pytest (leading process)": f"{NOT_RUN}a drawing"},
    "docs/ci.md": {
        "# GitLab": "sessions/ci/test_job_output.py::test_gitlab_links",
        "pass_env": "sessions/startup/test_switch.py::test_the_pages_lines_for_tox_are_enough",
    },
    "docs/console.md": {"bash_source": "docs/test_readme.py::test_shell_completes_commands"},
    "docs/delivery.md": {"the sender, a process of its own": f"{NOT_RUN}a drawing"},
    "docs/hooks.md": {
        **dict.fromkeys(
            ("describe_run", "describe_test", "publish_artifact", "_finished"),
            'docs/test_pages_of_docs.py::test_hooks_examples_run blocks("docs/hooks.md")',
        ),
        "# test_our_hooks.py": "sessions/test_testing.py::test_example_of_the_page_runs",
    },
    "docs/server.md": {
        "serve --open": "docs/test_server_page.py::test_serving_for_oneself",
        "server.token": "docs/test_server_page.py::test_a_new_token_keeps_the_old_ones_results",
        "pages.token": "docs/test_server_page.py::test_a_link_for_a_team",
        "--allow-host": "docs/test_server_page.py::test_nginx_before_it",
        "proxy_pass": "docs/test_server_page.py::test_nginx_before_it",
        "automation_report_url": "docs/test_server_page.py::test_nginx_before_it",
        "testmo automation": "docs/test_server_page.py::test_the_official_tool_reports_through_nginx",
        "pip install": "sessions/server/test_postgres_team.py::test_the_pages_command_serves_a_database",
        "docker compose": "sessions/server/test_postgres_team.py::test_secrets_are_those_that_the_compose_file_wants",
        "serve --editor-url": "docs/test_server_page.py::test_lines_link_to_the_code",
        "store backup": "docs/test_server_page.py::test_backup_and_restore",
        "rm -f": "docs/test_server_page.py::test_backup_and_restore",
        "pg_dump": "sessions/server/test_postgres_team.py::test_the_pages_backup_is_restored",
        "store prune": "docs/test_server_page.py::test_upkeep",
    },
}
"""For each page: a text that one of its blocks has, and the test that runs the block.

The test's file finds the block by that text, or by the one that stands behind the test's name here.
"""

NAMED = [(each, text, test) for each, table in BLOCKS.items() for text, test in table.items()]


def _owner(text: str, parts: list[str]) -> list[str]:
    """Return the parts by which a block is known: the one that is all of it, else those that it has."""
    alone = text.removeprefix("$ ").strip()
    return [part for part in parts if part == alone] or [part for part in parts if part in text and part != WHOLE]


@pytest.mark.parametrize("name", PAGES)
def test_every_block_has_its_test(name: str) -> None:
    """Each block of a page belongs to one line of the table, and each line to one block."""
    parts = list(BLOCKS.get(name, {}))
    is_generic = name.startswith("docs/") and name not in ("docs/server.md", "docs/console.md")
    owners = []
    for language, text in blocks(name):
        if is_generic and language == "console":
            continue
        found = _owner(text, parts)
        assert len(found) == 1, f"{name}: {found} for\n{text}"
        owners += found
    assert sorted(owners) == sorted(parts)


@pytest.mark.parametrize(("name", "text", "test"), NAMED)
def test_each_test_is_there_and_looks_its_block_up(name: str, text: str, test: str) -> None:
    """A test that runs a block is there, and its file has the page and the text that it is found by."""
    if test.startswith(NOT_RUN):
        assert len(test) > len(NOT_RUN)
        return
    named, _, other_text = test.partition(" ")
    file, _, function = named.partition("::")
    path = ROOT / "tests" / file
    assert function in names_in(path), test
    source = path.read_text(encoding="utf-8")
    assert (other_text or text) in source, f"{test} does not look for {other_text or text!r}"
    assert name in source or name.rpartition("/")[2] in source or "README" in source, f"{test} does not read {name}"
