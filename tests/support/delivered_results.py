"""Results as the scripted server has them: their names, their texts, and whether all of them arrived exactly once."""

from collections import Counter
from typing import Any

from support.scripted_server.server import ScriptedServer, Seen


def result_names(server: ScriptedServer) -> list[str]:
    """Return the names of all results that the server has applied, sorted: twice if twice."""
    return sorted(test["name"] for _, _, test in server.results)


def appends(server: ScriptedServer) -> list[Seen]:
    """Return the appends to threads, in the order of their arrival."""
    return [each for each in server.log if "/threads/" in each.path and each.path.endswith("/append")]


def result_named(server: ScriptedServer, name: str) -> dict[str, Any]:
    (found,) = [test for _, _, test in server.results if test["name"] == name]
    return found


def field_texts(test: dict[str, Any]) -> str:
    return "\n".join(str(field["value"]) for field in test.get("fields", []))


def assert_complete(server: ScriptedServer, expected: list[str] | tuple[str, ...]) -> None:
    """Fail unless each expected result is there exactly once, in one run of ours that is completed as a whole."""
    assert Counter(result_names(server)) == Counter(expected)
    assert_one_run(server)


def assert_one_run(server: ScriptedServer) -> None:
    """Fail unless there is one run of ours, completed with all its threads, with one note on how the session ended."""
    ours = [run for run in server.store.runs.values() if run.body["name"] != "another"]
    assert len(ours) == 1
    assert {run for run, _, _ in server.results} <= {ours[0].id}
    assert ours[0].is_completed
    assert all(thread.is_completed for thread in ours[0].threads)
    assert [each["name"] for each in ours[0].resources["fields"]].count("Session") == 1


def session_note(server: ScriptedServer) -> str:
    fields = [each for run in server.store.runs.values() for each in run.resources.get("fields", [])]
    (value,) = [each["value"] for each in fields if each["name"] == "Session"]
    return str(value)
