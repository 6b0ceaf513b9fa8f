from __future__ import annotations

from hashlib import sha256
from importlib.util import find_spec

import pytest

from pytest_automation_report.recording.identity import identity_of
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.text.limits import STRING_UNITS
from support.recorded_suites import record

NASTY = """
import unittest
import pytest

IDS = ["a\\x1bb", "tab\\tnew\\nline", "del\\x7f", "c1\\x85", "ünï", "\\U0001f600", "a/b.py", "a::b", "a[b]c", "]", "[",
       "a]]", " ", "x" * 900, "@group", "\\ufffe", "quote\\"'<&>", "..", "a.b"]

@pytest.mark.parametrize("value", [pytest.param(1, id=each) for each in IDS])
def test_id(value):
    pass

@pytest.mark.parametrize("value", ["a\\x1bb", b"\\x00\\xff", "\\ud800", 1.5, None, ""])
def test_value(value):
    pass

class TestOuter:
    class TestInner:
        @pytest.mark.parametrize("value", ["p::q", "p/q.py"])
        def test_deep(self, value):
            pass

class Case(unittest.TestCase):
    def test_unit(self):
        pass

def documented():
    '''
    >>> 1
    1
    '''
"""
CONFTEST = """
import pytest

class File(pytest.File):
    def collect(self):
        for name in ("plain", "with::colons", "with[bracket", "esc\\x1b", "sp ace", "dir/name.py"):
            yield Item.from_parent(self, name=name)

class Item(pytest.Item):
    def runtest(self):
        pass

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".spec":
        return File.from_parent(parent, path=file_path)
"""


@pytest.mark.parametrize("prefix", ["", "our.prefix"], ids=["plain", "prefixed"])
def test_names_and_keys_are_those_of_the_junit_xml(pytester: pytest.Pytester, prefix: str) -> None:
    """For the nastiest ids, folder, name and key are what pytest's own XML says, cleaned and cut afterwards."""
    # Before pytest 9.2 an opening bracket alone got no closing one, and a bracket in a path was taken for a parameter.
    is_latest = find_spec("_pytest.nodeid") is not None
    pytester.makeconftest(CONFTEST if is_latest else CONFTEST.replace("with[bracket", "with bracket"))
    pytester.makepyfile(**{"tests/api.v2/test_nasty": NASTY})
    pytester.makefile(".spec", **{"tests/other": ""})
    pytester.makefile(".txt", test_doc=">>> 1\n1\n")
    args = ("--junit-prefix", prefix) if prefix else ()
    recorded = record(pytester, "--doctest-modules", "--doctest-glob=*.txt", *args, rules=RecordingOptions(prefix))
    in_xml = [(each.attrib["classname"], each.attrib["name"]) for each in recorded.cases]
    assert len(in_xml) == 36
    keys = [sha256(f"{folder}.{name}".encode() if folder else name.encode()).hexdigest() for folder, name in in_xml]
    assert [each.body["key"] for each in recorded.results] == keys
    assert len(set(keys)) == len(keys)
    for (folder, name), result in zip(in_xml, recorded.results, strict=True):
        assert result.body["folder"] == folder
        assert result.body["name"] == name.replace("\n", "\\n").replace("\x85", "\\x85") or len(name) > STRING_UNITS


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
