"""Which selected part of a suite has all tests of another, and the command that runs it."""

import pytest

from pytest_automation_report.findings.comparison import command_of, has_last_failures, includes


@pytest.mark.parametrize(
    ("wide", "narrow", "is_included"),
    [
        ("", "", True),
        ("", "-k cart", True),
        ("-k cart", "", False),
        ("-k cart", "-k cart", True),
        ("-k cart", "-k 'cart and pay'", False),
        ("-k cart", "-k cart -m smoke", True),
        ("-k cart -m smoke", "-k cart", False),
        ("-m cart", "-k cart", False),
        ("-m cart", "-k -m cart", False),
        ("--deselect=tests/test_a.py", "--deselect=tests/test_a.py tests", True),
        ("--deselect=tests/test_a.py", "--deselect=tests/test_b.py", False),
        ("tests", "-k cart tests", True),
        ("tests", "-k cart", False),
        ("tests", "tests/unit", True),
        ("tests/unit", "tests", False),
        ("tests/unit", "tests/unit_old", False),
        ("tests/test_a.py", "'tests/test_a.py::test_b[x y]'", True),
        ("tests/test_a.py::test_b", "'tests/test_a.py::test_b[x y]'", True),
        ("tests/test_a.py::test_b", "tests/test_a.py::test_bc", False),
        ("tests/a tests/b", "tests/b/test_c.py", True),
        ("tests/a", "tests/a tests/b", False),
        ("--lf", "--lf", False),
        ("tests", "--lf tests", True),
        ("tests", "it's broken", False),
        ("", "it's broken", True),
    ],
)
def test_includes(wide: str, narrow: str, *, is_included: bool) -> None:
    """A selection has another's tests if it has no option of its own and its paths lead to those of the other."""
    assert includes(wide, narrow) is is_included


@pytest.mark.parametrize(("selection", "expected"), [("--lf tests", True), ("-k '--lf'", False), ("tests", False)])
def test_last_failures(selection: str, *, expected: bool) -> None:
    """Options that select the last failures are told apart from words that look like them."""
    assert has_last_failures(selection) is expected


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ("", ""),
        ("-k 'cart and pay' tests/unit", " -k 'cart and pay' tests/unit"),
        ("-m smoke --deselect=tests/a.py::test_a", " -m smoke --deselect=tests/a.py::test_a"),
        ("--lf", ""),
        ("tests; rm -r .", ""),
        ("tests;reboot '$(reboot)'", " 'tests;reboot' '$(reboot)'"),
        ("-p evil tests", ""),
        ("@options", ""),
        ("-k @options", ""),
        ("tests 'unclosed", ""),
        ("-k 'cart or pay or an expression that was c", ""),
        ("''", " ''"),
    ],
)
def test_command_of(selection: str, words: str) -> None:
    """The command runs the same tests; a part of a selection, and words of another program, are in none."""
    assert command_of(selection) == f"pytest --automation-report{words}"
