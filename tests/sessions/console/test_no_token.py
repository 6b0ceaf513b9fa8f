"""Where there is no token, as in pull requests from forks: what needs none works, all else says so and exits with 4."""

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.result_files import written
from support.sessions import clean_environment

NEEDING = [
    ["run", "create", "--source", "suite"],
    ["run", "append", "1", "--fields", "a=b"],
    ["run", "complete", "1"],
    ["run", "complete", "--run-key", "x", "--source", "suite"],
    ["run", "list"],
    ["run", "show", "1"],
    ["run", "failed", "1"],
    ["submit", "result.xml", "--source", "suite"],
]
NO_TOKEN = "Error: no token: set AUTOMATION_REPORT_TOKEN, or name a file that holds it (--token-file)"


@pytest.mark.parametrize("arguments", NEEDING, ids=" ".join)
def test_missing_token_is_one_line_and_exit_code_4(
    project: Project, server: CheckedServer, arguments: list[str]
) -> None:
    """A command that needs a token says which variable or file is missing, without a usage text, and exits with 4."""
    written(project.root / "result.xml", ["one"])
    place = ["--url", server.address, "--project-id", "1"]
    ran = console(project.root, *arguments, *place, env=clean_environment())
    assert (ran.exit, ran.out, ran.err) == (4, "", f"{NO_TOKEN}\n")
    assert server.log == []


def test_token_file_that_cannot_be_read_is_a_missing_token(project: Project, server: CheckedServer) -> None:
    """A file of the token that is not there exits with 4, too, and is named."""
    place = ["--url", server.address, "--project-id", "1", "--token-file", "token.txt"]
    ran = console(project.root, "run", "list", *place, env=clean_environment(), exits=4)
    assert ran.err.startswith(f"Error: token file '{project.root / 'token.txt'}': cannot be read")
    assert "Usage" not in ran.err


def test_mistake_in_the_settings_goes_before_a_missing_token(project: Project) -> None:
    """Settings that cannot be used are a mistake, with a token or without, also where the spool is empty."""
    env = clean_environment(AUTOMATION_REPORT_PROJECT_ID="one")
    for command in (["send"], ["run", "list"]):
        ran = console(project.root, *command, "--url", "https://x.example", env=env, exits=2)
        assert "AUTOMATION_REPORT_PROJECT_ID: 'one'" in ran.err


def test_send_asks_for_a_token_only_where_something_is_to_be_sent(project: Project, server: CheckedServer) -> None:
    """An empty spool is sent without a token; else the line says how many sessions stay where they are."""
    place = ["--url", server.address, "--project-id", "1"]
    ran = console(project.root, "send", *place, env=clean_environment())
    assert (ran.exit, ran.out) == (0, ""), ran.text
    assert ran.err == f"nothing to send in {project.state / 'spool'}\n"
    project.report(address=server.address, env=clean_environment())
    ran = console(project.root, "send", *place, env=clean_environment())
    assert (ran.exit, ran.out) == (4, ""), ran.text
    assert ran.err == f"{NO_TOKEN}; 1 session is kept in {project.state / 'spool'}\n"
    assert len(project.sessions) == 1


def test_variable_that_azure_did_not_fill_is_no_token(project: Project, server: CheckedServer) -> None:
    """Azure Pipelines leaves $(NAME) where a fork's build has no secret: that counts as unset, and is never sent."""
    env = clean_environment(AUTOMATION_REPORT_TOKEN="$(AUTOMATION_REPORT_TOKEN)")
    ran = console(project.root, "run", "list", "--url", server.address, "--project-id", "1", env=env)
    assert (ran.exit, ran.err) == (4, f"{NO_TOKEN}\n")
    assert server.log == []
