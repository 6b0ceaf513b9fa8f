"""Names of sessions, and what cannot be one."""

import pytest

from pytest_automation_report.spool.folder import is_session_name, new_session_name

NAME = "20260102T030405-00000001"


@pytest.mark.parametrize("name", [NAME, f".{NAME}", "99991231T235959-ffffffff"])
def test_names_of_sessions(name: str) -> None:
    """A session's folder is known by its exact name, hidden or not."""
    assert is_session_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "src", ".cache-1", ".local-share", "2026-01-02", f"..{NAME}", f"{NAME}.bak", f"{NAME}\n",
        f"x{NAME}",
        "20260102T030405-0000000G", "20260102T030405-ABCDEF01", "20260102T030405-0000001", "20260102t030405-00000001",
        "\u0662\u0660260102T030405-00000001",
    ],
)  # fmt: skip
def test_names_of_other_things(name: str) -> None:
    """No other name is taken for a session's, however near it comes."""
    assert not is_session_name(name)


def test_new_names_differ() -> None:
    """Each session has a name of its own, which is one of a session's, however many start in a second."""
    names = [new_session_name() for _ in range(100)]
    assert all(map(is_session_name, names))
    assert len(set(names)) == len(names)
