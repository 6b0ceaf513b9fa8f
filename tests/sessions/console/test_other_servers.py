"""A server that is not ours, in states that no transcript can bring about."""

from support.projects import Project, console
from support.scripted_server.faults import Rule, answer
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN


def test_server_that_lists_no_results(project: Project) -> None:
    """An older Testmo instance lists no results of runs: commands that need them say so, with exit code 2."""
    with ScriptedServer(token=TOKEN) as server:
        place = ["--url", server.address, "--project-id", "1"]
        console(project.root, "run", "create", *place, "--source", "suite", exits=0)
        server.script([Rule("GET", "/tests", answer(404, {"message": "Not found."}), count=None)])
        refused = console(project.root, "run", "export", "1", "--format", "junit", *place, exits=2)
    assert "the results of run 1 need the embedded store or a server of automation-report serve" in refused.err
