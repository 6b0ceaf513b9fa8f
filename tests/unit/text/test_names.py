"""Names of tests, node ids and commands."""

import pytest

from pytest_automation_report.text.terminal import class_path, node_id, run_command, split_name, title_of


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("test_a", ("test_a", "")),
        ("test_a[1-x[y]]", ("test_a", "[1-x[y]]")),
        ("test_a[[x]]", ("test_a", "[[x]]")),
        ("test_a[x", ("test_a[x", "")),
        ("[x]", ("[x]", "")),
        ("shop.cart.total", ("shop.cart.total", "")),
        ("a list [of words] in a sentence", ("a list [of words] in a sentence", "")),
    ],
)
def test_parameters_stand_apart_from_the_function(name: str, parts: tuple[str, str]) -> None:
    """Brackets at the end of a name are its parameters."""
    assert split_name(name) == parts


def test_a_title_has_folder_and_name() -> None:
    """A module, whose name is its folder, has its name once."""
    assert title_of("tests.test_a", "test_x") == "tests.test_a.test_x"
    assert title_of("tests.test_a", "tests.test_a") == "tests.test_a"
    assert title_of("", "test_x") == "test_x"


@pytest.mark.parametrize(
    ("file", "folder", "name", "expected"),
    [
        ("tests/test_a.py", "tests.test_a", "test_x", "tests/test_a.py::test_x"),
        ("tests/test_a.py", "tests.test_a.TestB.TestC", "test_x[a]", "tests/test_a.py::TestB::TestC::test_x[a]"),
        ("test_a.py", "nightly.test_a", "test_x", "test_a.py::test_x"),
        ("tests\\test_a.py", "tests.test_a.TestB", "test_x", "tests\\test_a.py::TestB::test_x"),
        ("tests/test_a.py", "tests.test_a", "tests.test_a", "tests/test_a.py"),
        ("test_a.py", "test_a", "x\ny", "test_a.py::x\\ny"),
        ("test_a.py", "another", "test_x", ""),
        ("-test_a.py", "-test_a", "test_x", ""),
        ("@test_a.py", "@test_a", "test_x", ""),
        ("suite.js", "suite", "works", ""),
        (None, "tests.test_a", "test_x", ""),
        ("", "tests.test_a", "test_x", ""),
    ],
)
def test_a_node_id_is_made_of_file_classes_and_name(file: str | None, folder: str, name: str, expected: str) -> None:
    """It is what pytest finds: a module that could not be collected is its file; there is none for an unknown place."""
    assert node_id(file, folder, name) == expected


def test_classes_are_the_rest_of_the_folder() -> None:
    """The part of the folder after the module names the classes."""
    assert class_path("tests/a/test_b.py", "tests.a.test_b.TestC.TestD") == "TestC.TestD"
    assert class_path("tests/a/test_b.py", "tests.a.test_b") == class_path(None, "TestC") == ""


@pytest.mark.parametrize(
    ("ids", "command"),
    [
        (["test_a.py::test_x", "test_b.py"], "pytest test_a.py::test_x test_b.py"),
        (["test_a.py::test_x[a b]"], "pytest 'test_a.py::test_x[a b]'"),
        (["test_a.py::x'; rm -rf /"], "pytest 'test_a.py::x'\"'\"'; rm -rf /'"),
        (["a/b.py::a.b.C.run"], "pytest --doctest-modules a/b.py::a.b.C.run"),
        (
            ["test_a.py::test_x[0.5]", "test_a.py::test_y[x::y.z]"],
            "pytest 'test_a.py::test_x[0.5]' 'test_a.py::test_y[x::y.z]'",
        ),
    ],
)
def test_a_command_runs_the_tests(ids: list[str], command: str) -> None:
    """Node ids are quoted for a shell; doctests need an option of pytest."""
    assert run_command(ids) == command
