"""What merely decorates a result fails in the sender: the result goes out without it, and the summary says why."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from pytest_automation_report.findings.known import CodeOwners
from support.checked_server import CheckedServer
from support.delivered_results import result_names
from support.deliveries import WrittenSession, lived
from support.projects import Project
from support.scripted_server.checked import checked_in_process
from support.sessions import TOKEN


def broken(*_: object) -> str:
    raise LookupError("broken on purpose")


def test_an_owner_that_cannot_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of failed tests arrive without an owner, and the first reason is told once for all of them."""
    owners = tmp_path / "CODEOWNERS"
    owners.write_text("* @all\n")
    monkeypatch.setattr(CodeOwners, "of", broken)
    with checked_in_process() as server:
        written = WrittenSession(tmp_path, server.address)
        written.session = replace(written.session, options={"owners": str(owners)})
        for name in ("test_a", "test_b"):
            written.start(name)
            written.finish(name, has_failed=True)
        written.end()
        state = lived(written, server).state
        assert result_names(server) == ["test_a", "test_b"]
    assert state.done.left_out == ("owner left out: LookupError: broken on purpose",)


@pytest.mark.parametrize("line", ["\\", "docs\\", "[", "!", "/"])
def test_a_strange_line_of_owners_costs_nothing(tmp_path: Path, line: str) -> None:
    """A line of CODEOWNERS that is no pattern costs neither a result nor the owners of the other lines."""
    project = Project(tmp_path / "project", "def test_fails():\n    assert False\n")
    project.write("CODEOWNERS", f"{line}\n*.py @all\n{line}\n")
    with CheckedServer(tmp_path / "store.sqlite3", TOKEN) as server:
        ran = project.report("-oautomation_report_owners=CODEOWNERS", address=server.address, exits=1)
        ((_, test),) = server.tests()
    assert "1 of 1 result delivered: 1 failed" in ran.out
    assert test["owner"] == "@all"
    assert project.sessions == []
    assert " left out: " not in ran.text
