"""Objects of tests: their code runs as often as with pytest alone, and whatever it raises changes no verdict."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.checked_server import CheckedServer
from support.projects import Project
from support.sessions import TOKEN, Ran

COUNTED = '''
import collections, json
import pytest

CALLS = collections.Counter()

class Loud:
    """Counts each call of its code."""
    def __getattr__(self, name):
        CALLS[f"Loud.getattr {name}"] += 1
        raise AttributeError(name)
    @property
    def __class__(self):
        CALLS["Loud.class"] += 1
        return dict
    def __eq__(self, other):
        CALLS["Loud.eq"] += 1
        return self is other
    def __hash__(self):
        CALLS["Loud.hash"] += 1
        return 7
    def __len__(self):
        CALLS["Loud.len"] += 1
        return 3
    def __bool__(self):
        CALLS["Loud.bool"] += 1
        return True
    def __iter__(self):
        CALLS["Loud.iter"] += 1
        return iter(())
    def __repr__(self):
        CALLS["Loud.repr"] += 1
        return "Loud()"
    def __str__(self):
        CALLS["Loud.str"] += 1
        return "loud"

class Meta(type):
    def __getattribute__(cls, name):
        CALLS[f"Meta.{name}"] += 1
        return super().__getattribute__(name)
    def __subclasscheck__(cls, other):
        CALLS["Meta.subclasscheck"] += 1
        return False

class WithMeta(metaclass=Meta):
    pass

class Zone(__import__("datetime").tzinfo):
    def utcoffset(self, moment):
        return None
    def dst(self, moment):
        return None
    def __repr__(self):
        CALLS["Zone.repr"] += 1
        return "Zone()"

class Proxy:
    """A lazy proxy: whoever asks for more than its type loads what is behind it."""
    def __getattribute__(self, name):
        CALLS[f"Proxy.{name}"] += 1
        return object.__getattribute__(self, name)

class Failure(AssertionError):
    @property
    def __class__(self):
        CALLS["Failure.class"] += 1
        return ValueError
    def __str__(self):
        CALLS["Failure.str"] += 1
        raise ValueError("no text")

MOMENT = __import__("datetime").datetime(2026, 1, 1, tzinfo=Zone())
ONE, OTHER = Loud(), Loud()

@pytest.mark.parametrize("left, right", [
    (ONE, {}), ({}, ONE), (ONE, OTHER), ([ONE] * 50, [OTHER] * 50), ({ONE: 1}, {OTHER: 1}), ({ONE}, {OTHER}),
    (frozenset([ONE]), frozenset()), ({"a": ONE}, {"a": OTHER}), ([{ONE: 1}] * 50, [{OTHER: 1}] * 50),
    (WithMeta(), 1), ([WithMeta()], [2]), (WithMeta(), WithMeta()), (Proxy(), {}), ([Proxy()], [1]), ([MOMENT], [1]),
    ({(ONE, 1): 1}, {}),
], ids=range(16))
def test_compares(left, right):
    assert left == right

def test_is_in():
    assert ONE in [1, 2]

def test_raises():
    raise Failure()

def test_raises_with_an_object():
    raise Failure(ONE)

def test_locals():
    mine, proxy = ONE, Proxy()
    assert mine == 1

@pytest.fixture(autouse=True, scope="session")
def write_calls():
    yield
    with open("calls.json", "w") as file:
        json.dump(CALLS, file)
'''

WILD = """
import sys, unittest.mock
import pytest

def is_reporting():
    frame = sys._getframe(1)
    while frame is not None:
        if "pytest_automation_report" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False

ERRORS = [pytest.skip.Exception, pytest.exit.Exception, pytest.xfail.Exception, SystemExit, GeneratorExit, ValueError]

class Wild:
    def __init__(self, error):
        object.__setattr__(self, "error", error)
    def __getattribute__(self, name):
        if is_reporting():
            raise object.__getattribute__(self, "error")(name)
        return object.__getattribute__(self, name)
    def __eq__(self, other):
        return False
    def __hash__(self):
        return self.asked and 1
    asked = 1
    def __repr__(self):
        return "Wild()"

class Fields(Wild):
    __dataclass_fields__ = {"a": 1}
    a = 1

class Meta(type):
    def __getattribute__(cls, name):
        if is_reporting():
            raise pytest.skip.Exception(name)
        return super().__getattribute__(name)

class WithMeta(metaclass=Meta):
    def __repr__(self):
        return "WithMeta()"

@pytest.mark.parametrize("kind", [Wild, Fields])
@pytest.mark.parametrize("error", ERRORS)
def test_compares(error, kind):
    assert kind(error) == {"a": 1}

@pytest.mark.parametrize("error", ERRORS)
def test_compares_deeply(error):
    assert {"a": [Wild(error)], Wild(error): 1} == {"a": [], Wild(error): 2}

@pytest.mark.parametrize("error", [ValueError, OSError])
def test_annotates(error, automation_report):
    def text():
        raise error("no")
    named = type("Named", (), {"__str__": lambda self: text()})()
    automation_report.field("value", named)
    automation_report.artifact(text, "file")
    with automation_report.step(named):
        pass

def test_meta():
    assert [WithMeta()] == [1]

def test_mock():
    assert unittest.mock.Mock(spec=dict) == {"a": 1}

def test_text_of_an_exception():
    class Error(Exception):
        def __str__(self):
            pytest.skip("no text")
    raise Error

@pytest.mark.automation_report_field("value", type("Named", (), {"__str__": lambda self: 1 / 0})())
def test_marked():
    pass
"""


def test_code_of_objects_is_called_as_often_as_by_pytest_alone(tmp_path: Path) -> None:
    """Reporting calls no method, property or metaclass of a compared or raised object that pytest does not call."""
    project = Project(tmp_path, COUNTED)

    def calls(ran: Ran) -> Any:  # noqa: ANN401 - what JSON holds
        assert "20 failed" in ran.out
        return json.loads((tmp_path / "calls.json").read_text())

    assert calls(project.report()) == calls(project.pytest("-p", "no:automation-report"))


def test_what_objects_raise_changes_no_verdict(tmp_path: Path) -> None:
    """A skip, an exit or an error that an object raises when it is looked at is neither an outcome nor told."""
    project = Project(tmp_path / "project", WILD)
    with CheckedServer(tmp_path / "store.sqlite3", TOKEN) as server:
        ran = project.report(address=server.address)
        tests = [test for _, test in server.tests()]
    assert ran.exit == 1
    assert "= 21 failed, 3 passed in" in ran.out
    assert "error in reporting" not in ran.text
    assert len(tests) == 24


ITEMS = """
import os, pytest

class Item(pytest.Item):
    def runtest(self):
        assert self.name == "good"
    def reportinfo(self):
        return self.path, self.config.lines[self.name], self.name

class File(pytest.File):
    def collect(self):
        return [Item.from_parent(self, name=name) for name in self.config.lines]

def pytest_configure(config):
    config.lines = {"good": 2**63 - 1, "huge": 2**80, "text": "3", "part": 1.5, "flag": True, "before": -5}

def pytest_collect_file(file_path, parent):
    return File.from_parent(parent, path=file_path) if file_path.suffix == ".items" else None
"""


def test_items_of_plugins_have_any_line(tmp_path: Path) -> None:
    """A line that is none, or that no server takes, costs no result."""
    project = Project(tmp_path, "")
    project.write("conftest.py", ITEMS)
    project.write("a.items", "")
    ran = project.report("a.items", exits=1)
    assert "6 of 6 results delivered: 1 passed, 5 failed" in ran.out
    assert "error in reporting" not in ran.out + ran.err


REPLACED = """
import builtins, os, resource, sys
import pytest

@pytest.fixture
def imports(monkeypatch):
    python_import = builtins.__import__

    def refuse(name, *others):
        if name not in sys.modules and name.split(".")[0] != "_pytest":
            raise ImportError(name)
        return python_import(name, *others)

    monkeypatch.setattr(builtins, "__import__", refuse)

@pytest.fixture
def descriptors():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, limits[1]))
    taken = []
    while True:
        try:
            taken.append(os.dup(0))
        except OSError:
            break
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    for each in taken:
        os.close(each)

@pytest.fixture
def importers(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.setattr(builtins, "exec", None)

def test_first({name}):
    print("\\x1b[31mred\\x1b[0m")
    assert [1] == [2]
"""


@pytest.mark.parametrize("name", ["imports", "importers", "descriptors"])
def test_first_failure_is_read_whatever_the_test_has_done(project: Project, server: CheckedServer, name: str) -> None:
    """Text, comparison and colours of a first failure arrive also if no module can be loaded in the test."""
    project.write("test_suite.py", REPLACED.replace("{name}", name))
    ran = project.report(address=server.address, exits=1)
    ((_, test),) = server.tests()
    assert (test["status"], test["causes"][0]["message"][:15]) == ("failure", "assert [1] == [")
    assert (test["output"]["Output"], "comparison" in str(test)) == ("red\n", True)
    assert "error in reporting" not in ran.text
