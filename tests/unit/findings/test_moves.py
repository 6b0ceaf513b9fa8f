"""Which tests were moved, by the names that two runs have."""

from __future__ import annotations

from pytest_automation_report.findings.moves import Place, locate_test, pair_moved


def places(*names: str) -> dict[str, Place]:
    """Return places by names such as ``a.py::TestX::test_y[1]``."""
    found = {}
    for name in names:
        file, *classes, last = name.split("::")
        function, _, parameters = last.partition("[")
        found[name] = Place(file, ".".join(classes), function, parameters)
    return found


def pairs(before: str, now: str) -> dict[str, str]:
    """Return which of these tests are which of those, by names with a space between."""
    return pair_moved(places(*before.split()), places(*now.split()))


def test_a_renamed_file_has_the_same_tests() -> None:
    """A new file with most functions of one that is gone is that file, also if others have tests of these names."""
    found = pairs("a.py::x a.py::y[1] a.py::y[2] a.py::z b.py::x", "c.py::x c.py::y[1] c.py::y[2] c.py::w b.py::x")
    assert found == {"c.py::x": "a.py::x", "c.py::y[1]": "a.py::y[1]", "c.py::y[2]": "a.py::y[2]"}


def test_tests_that_were_moved_to_another_file() -> None:
    """Several tests of one file that are in another one now were moved, if no others have their names."""
    found = pairs("a.py::x a.py::y a.py::C::z b.py::w", "a.py::x b.py::y b.py::C::z b.py::w")
    assert found == {"b.py::y": "a.py::y", "b.py::C::z": "a.py::C::z"}


def test_two_candidates_make_no_pair() -> None:
    """Where it is open which test was moved where, none was."""
    assert pairs("a.py::x a.py::y", "b.py::x b.py::y c.py::x c.py::y") == {}
    assert pairs("a.py::x a.py::y b.py::x b.py::y", "c.py::x c.py::y") == {}
    assert pairs("a.py::x a.py::w b.py::x b.py::w o.py::q", "c.py::x c.py::w d.py::x d.py::w o.py::q") == {}


def test_a_name_alone_is_no_proof() -> None:
    """A single test may be a new one with a frequent name, and so may all of a small file."""
    assert pairs("a.py::x a.py::y b.py::w", "a.py::x b.py::w b.py::y") == {}
    assert pairs("a.py::init b.py::init b.py::v", "c.py::init b.py::init b.py::v") == {}
    assert pairs("a.py::x a.py::y a.py::z a.py::u", "b.py::x b.py::q b.py::r b.py::s") == {}


def test_places_of_stored_names() -> None:
    """The file is told from the classes behind it, with a prefix before it, and without a file."""
    assert locate_test("tests.test_a.TestX", "test_y[a-1]", "tests/test_a.py") == (
        "tests/test_a.py",
        "TestX",
        "test_y",
        "a-1]",
    )
    assert locate_test("linux.tests.test_a", "test_y", "tests/test_a.py") == ("linux:tests/test_a.py", "", "test_y", "")
    assert locate_test("com.shop.Cart", "adds", None) == ("com.shop.Cart", "", "adds", "")
    assert locate_test("folder", "adds", "src/cart.js") == ("folder", "", "adds", "")
