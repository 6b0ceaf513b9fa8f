"""Links from code to its host and to an editor: only by the operator's templates."""

import pytest

from pytest_automation_report.cli.main import main
from pytest_automation_report.server.pages.test.links import NO_LINKS, CodeLinks
from support.service import command_runner

LINKS = CodeLinks("https://code.example/blob/{commit}/{file}#L{line}", "vscode://file/work/{file}:{line}")


def test_a_line_of_the_project() -> None:
    """File, line and commit stand where the templates say."""
    assert LINKS.source_url("tests/test_a.py", 12, "4f2a9c1") == "https://code.example/blob/4f2a9c1/tests/test_a.py#L12"
    assert LINKS.editor_url("tests\\test_a.py", 12) == "vscode://file/work/tests/test_a.py:12"


@pytest.mark.parametrize("path", ["", "/usr/lib/python3.11/json/decoder.py", "../other.py", "C:\\a.py", "<string>"])
def test_no_links_to_code_outside(path: str) -> None:
    """Files outside of the project have no link."""
    assert (LINKS.source_url(path, 1, "c"), LINKS.editor_url(path, 1)) == ("", "")


def test_nothing_without_a_template_or_a_commit() -> None:
    """Without a template, or for a run of an unknown commit, there is no link."""
    assert NO_LINKS.source_url("a.py", 1, "c") == NO_LINKS.editor_url("a.py", 1) == ""
    assert LINKS.source_url("a.py", 1, "") == ""


def test_hostile_names_stay_names() -> None:
    """No name of a file can add a parameter, or a placeholder."""
    assert LINKS.editor_url('a"?x&{line}#', 0) == "vscode://file/work/a%22%3Fx%26%7Bline%7D%23:1"


@pytest.mark.parametrize(
    ("option", "template"),
    [
        ("--source-url", "ftp://code.example/{file}"),
        ("--source-url", "https://code.example/"),
        ("--source-url", "{file}"),
        ("--editor-url", "javascript:alert({file})"),
        ("--editor-url", "JavaScript:alert({file})"),
        ("--editor-url", "vscode://file/"),
        ("--editor-url", "/usr/bin/vi {file}"),
    ],
)
def test_a_template_that_makes_no_links_is_refused(option: str, template: str) -> None:
    """A usage error names the option, the value and how to write one."""
    result = command_runner().invoke(main, ["serve", option, template])
    assert result.exit_code == 2
    message = " ".join(result.stderr.split())
    assert f"'{option}': {template!r} is no template of links: write an address" in message
