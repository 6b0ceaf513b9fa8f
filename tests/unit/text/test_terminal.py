import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_automation_report.text.limits import printable, sanitize
from pytest_automation_report.text.node_ids import class_path, command_line, join_title, node_id, split_name

CORPUS = {
    "plain text, 100 % fine (é, 日本)": "plain text, 100 % fine (é, 日本)",
    "tests/test_a.py::test_x[1]": "tests/test_a.py::test_x[1]", "two\nlines\r\nand\ttabs": "two\\nlines\\nand\\ttabs",
    "over\rwritten": "over\\x0dwritten", "\x1b[31mred\x1b[0m": "\\x1b[31mred\\x1b[0m",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07", "\x9b31m": "\\x9b31m",
    "back\x08\x7fspace\x00": "back\\x08\\x7fspace\\x00", "a\u202etxt.exe\u2066": "a\\u202etxt.exe\\u2066",
    "zero\u200bwidth\u2028\ufeff": "zero\\u200bwidth\\u2028\\ufeff", "lone \ud800 surrogate": "lone \\ud800 surrogate",
    "::add-mask::secret": "| ::add-mask::secret", "  ::error file=a.py::text": "|   ::error file=a.py::text",
    "told: ::add-mask::x": "told: ::add-mask::x", "##[error]text": "# #[error]text",
    "a ##[command]x ##[group]": "a # #[command]x # #[group]",
    "##vso[task.setvariable variable=a]b": "# #vso[task.setvariable variable=a]b",
    "x ##teamcity[testFailed]": "x # #teamcity[testFailed]", "###vso[x]": "## #vso[x]", "## a heading": "## a heading",
    "section_start:1:a": "| section_start:1:a", "--- a group": "| --- a group", "+++ open": "| +++ open",
    "~~~ dim": "| ~~~ dim", "^^^ +++": "| ^^^ +++", "-1 of 2": "-1 of 2", "": "",
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CORPUS.items(), ids=range(len(CORPUS)))
def test_no_terminal_or_runner_obeys_a_foreign_text(text: str, expected: str) -> None:
    """Controls are spelled out, commands of CI runners broken, all other text stays."""
    assert sanitize(text) == printable(text) == expected


@given(st.text(st.sampled_from("#:[a\n\t \x1b\u202e\ud800-+~^vso") | st.characters(), max_size=80))
def test_any_text_is_one_printable_line(text: str) -> None:
    """Whatever the text, nothing of it moves a cursor, ends a line or is a runner's command, and cleaning ends."""
    shown = printable(text)
    assert not any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in shown)
    assert "##[" not in shown
    assert "##vso[" not in shown
    assert not shown.lstrip().startswith("::")
    assert printable(shown) == shown
    shown.encode()


def test_foreign_texts_are_short() -> None:
    """A foreign text has 200 units at most and says how much is missing."""
    shown = sanitize("x" * 10_000)
    assert 195 < len(shown) <= 200
    assert shown.endswith("characters cut")
    assert sanitize("x" * 200) == "x" * 200


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("test_a", ("test_a", "")), ("test_a[1-x[y]]", ("test_a", "[1-x[y]]")), ("test_a[[x]]", ("test_a", "[[x]]")),
        ("test_a[x", ("test_a[x", "")), ("[x]", ("[x]", "")), ("shop.cart.total", ("shop.cart.total", "")),
        ("a list [of words] in a sentence", ("a list [of words] in a sentence", "")),
    ],
)  # fmt: skip
def test_parameters_stand_apart_from_the_function(name: str, parts: tuple[str, str]) -> None:
    """Brackets at the end of a name are its parameters."""
    assert split_name(name) == parts


def test_a_title_has_folder_and_name() -> None:
    """A module, whose name is its folder, has its name once."""
    assert join_title("tests.test_a", "test_x") == "tests.test_a.test_x"
    assert join_title("tests.test_a", "tests.test_a") == "tests.test_a"
    assert join_title("", "test_x") == "test_x"


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


def test_a_test_with_the_name_of_its_module_keeps_it() -> None:
    """A failed one is known by its line, which a module that could not be collected has not."""
    assert node_id("test_b.py", "test_b", "test_b", 3) == "test_b.py::test_b"


def test_classes_are_the_rest_of_the_folder() -> None:
    """The part of the folder after the module names the classes."""
    assert class_path("tests/a/test_b.py", "tests.a.test_b.TestC.TestD") == "TestC.TestD"
    assert class_path("tests/a/test_b.py", "tests.a.test_b") == ""
    assert class_path(None, "TestC") is None


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
    assert command_line(ids) == command


def test_a_command_names_few_tests_and_has_another_way_to_run_many() -> None:
    """Up to five tests stand in it; for more, and never for none, it is the given one, which runs no test besides."""
    params = [f"t.py::test_a[{number}]" for number in range(6)]
    functions = [f"t.py::test_{number}" for number in range(6)]
    assert command_line(functions[:5], 5, "other") == f"pytest {' '.join(functions[:5])}"
    assert command_line(params, 6) == command_line(params[:2], 6) == "pytest t.py::test_a"
    assert command_line(params, 6, "other") == command_line(functions, 6, "other") == "other"
    assert command_line([*functions, *functions], 6) == command_line(["", ""], 2, "other") == ""
