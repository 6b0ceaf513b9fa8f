import pytest

from pytest_automation_report.server.pages.runs.rows import is_default_name


@pytest.mark.parametrize(
    ("name", "is_default"),
    [
        ("harbour 2026-11-23 08:08:14", True),
        ("harbour 2026-11-23 08:08", True),
        ("harbour main #1214", True),
        ("harbour #7", True),
        ("harbour", True),
        ("harbour nightly", False),
        ("harbour release #7", False),
        ("nightly", False),
        ("harbourmaster", False),
    ],
)
def test_only_a_name_that_a_user_chose_is_shown(name: str, *, is_default: bool) -> None:
    """Clients derive a name from source, branch, number of the build or time: a list has all of that already."""
    assert is_default_name(name, "harbour", "main") is is_default
