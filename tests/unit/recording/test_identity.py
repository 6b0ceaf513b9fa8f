from hashlib import sha256

import pytest

from pytest_automation_report.recording.results import identity_of
from pytest_automation_report.text.limits import STRING_UNITS


@pytest.mark.parametrize(
    ("nodeid", "folder", "name"),
    [
        ("tests/test_a.py::test_x", "tests.test_a", "test_x"),
        ("test_a.py::TestA::TestB::test_x[a::b/c.py]", "test_a.TestA.TestB", "test_x[a::b/c.py]"),
        ("test_a.py::test_x[a\x1bb]", "test_a", "test_x[a#x1Bb]"),
        ("test_a.py::test_x[\ud800\ufffe\x7f]", "test_a", "test_x[#xD800#xFFFE#x7F]"),
        ("a.py::t[\0\x08\t\n\x0b\x0c\r\x0e\x1f ~]", "a", "t[#x00#x08\t\\n#x0B#x0C\\x0d#x0E#x1F ~]"),
        ("a.py::t[\x80\ud7ff\ud800\udfff\ue000\ufffd\uffff]", "a", "t[\\x80\ud7ff#xD800#xDFFF\ue000\ufffd#xFFFF]"),
        ("a.py::t[\U00010000\U0010ffff]", "a", "t[\U00010000\U0010ffff]"),
        ("test[1].py::test_x[2]", "test[1]", "test_x[2]"),
        ("docs/a.rst::a.rst", "docs.a.rst", "a.rst"),
        ("tests/test_a.py", "tests.test_a", "tests.test_a"),
        ("../up/test_a.py::test_x", "...up.test_a", "test_x"),
        ("", "(no name)", "(no name)"),
    ],
)
def test_identity_of_a_node(nodeid: str, folder: str, name: str) -> None:
    """A node id gives folder and name by the rules of the XML, also where the XML could not be read back."""
    found = identity_of(nodeid)
    assert (found.folder, found.name, found.raw) == (folder, name, nodeid)


def test_the_key_of_a_node_without_a_class_is_that_of_its_name() -> None:
    """A module has no class name in the XML, so its key is made of its name alone, unless a prefix stands there."""
    assert identity_of("tests/test_a.py").key == sha256(b"tests.test_a").hexdigest()
    assert identity_of("tests/test_a.py", prefix="p").key == sha256(b"p.tests.test_a").hexdigest()


def test_the_key_is_made_before_anything_is_cut_or_cleaned() -> None:
    """Tests whose long or invisible ids look the same afterwards still have keys of their own."""
    one, other = identity_of("a.py::" + "x" * 2000 + "1"), identity_of("a.py::" + "x" * 2000 + "2")
    assert one.name == other.name
    assert len(one.name) <= STRING_UNITS
    assert one.key != other.key
    assert identity_of("a\ud800.py::t").key != identity_of("a\ud801.py::t").key
    assert identity_of("a\ud800.py::t").folder == "a\\ud800"


@pytest.mark.parametrize(
    ("nodeid", "is_respelled"),
    [
        ("a/b.py::C::t[x]", False),
        ("a.py::t[ü]", False),
        ("a.py", False),
        ("a.py::t[\x1b]", True),
        ("a.py::t[\x85]", True),
        ("a\x85.py::t", True),
        ("a.py::" + "x" * 2000, True),
    ],
)
def test_respelled_names_are_known(nodeid: str, is_respelled: bool) -> None:  # noqa: FBT001 - a column of the table
    """It is told where folder and name do not show the node id as it is."""
    assert identity_of(nodeid).is_respelled is is_respelled
