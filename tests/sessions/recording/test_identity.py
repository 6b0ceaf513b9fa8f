from hashlib import sha256
from importlib.util import find_spec
from xml.etree import ElementTree as ET

import pytest

from pytest_automation_report.text.limits import STRING_UNITS
from support.annotated_suites import Suite

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
def test_names_and_keys_are_those_of_the_junit_xml(suite: Suite, prefix: str) -> None:
    """For the nastiest ids, folder, name and key are what pytest's own XML says, cleaned and cut afterwards."""
    # Before pytest 9.2 an opening bracket alone got no closing one, and a bracket in a path was taken for a parameter.
    is_latest = find_spec("_pytest.nodeid") is not None
    suite.conftest(CONFTEST if is_latest else CONFTEST.replace("with[bracket", "with bracket"))
    suite.write("tests/api.v2/test_nasty.py", NASTY)
    suite.write("tests/other.spec", "")
    suite.write("test_doc.txt", ">>> 1\n1\n")
    suite.report("--doctest-modules", "--doctest-glob=*.txt", "--junitxml=junit.xml", f"--junit-prefix={prefix}")
    results = {test["key"]: (test["folder"], test["name"]) for _, test in suite.server.tests()}
    cases = [each.attrib for each in ET.parse(suite.root / "junit.xml").iter("testcase")]
    assert (len(cases), len(results)) == (36, 36)
    for case in cases:
        address = f"{case['classname']}.{case['name']}" if case["classname"] else case["name"]
        folder, name = results[sha256(address.encode()).hexdigest()]
        assert folder == case["classname"]
        assert name == case["name"].replace("\n", "\\n").replace("\x85", "\\x85") or len(case["name"]) > STRING_UNITS
