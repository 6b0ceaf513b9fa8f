"""An error of a fixture that tests share is the fixture's: no test that used it last, or first, is blamed for it."""

import json
import re
from typing import Any

import pytest

from support.projects import Project, console
from support.sessions import session_environment
from support.website import missing

SERVER = """
    import os, pytest
    @pytest.fixture(scope="session")
    def server():
        if os.environ.get("AT") == "setup":
            raise RuntimeError("port is taken")
        yield
        if os.environ.get("AT") == "teardown":
            raise RuntimeError("port is taken")
"""
TESTS = """
    import pytest
    @pytest.mark.parametrize("i", range({}))
    def test_{}(i, server): pass
"""
NAME = "conftest.server [session]"

ALL = {
    "plugin_of_ours.py": """
        import pytest
        @pytest.fixture(scope="session")
        def plugged(request):
            request.addfinalizer(lambda: 1 / 0)
    """,
    "conftest.py": """
        import pytest
        pytest_plugins = "plugin_of_ours"
        def cleanup(): raise ValueError("not removed")
        @pytest.fixture(scope="session", params=["a", "b"])
        def database(request):
            request.addfinalizer(cleanup)
        @pytest.fixture(scope="package", autouse=True)
        def files(request):
            yield
        @pytest.fixture(scope="module")
        def client():
            yield
            raise OSError("of the root")
    """,
    "sub/conftest.py": """
        import pytest
        @pytest.fixture(scope="module")
        def client(client):
            yield
            raise OSError("of the folder")
        @pytest.fixture(scope="package", autouse=True)
        def files(request):
            yield
            raise OSError("files are left")
    """,
    "sub/test_sub.py": "def test_sub(client): pass",
    "test_param.py": "def test_param(database): pass",
    "test_root.py": "def test_root(client, plugged): pass",
    "test_xunit.py": """
        def teardown_module(): raise KeyError("of the module")
        class TestX:
            @classmethod
            def teardown_class(cls): raise KeyError("of the class")
            def test_x(self): pass
        class TestY:
            @classmethod
            def setup_class(cls): raise KeyError("of the class")
            def test_y(self): pass
            def test_z(self): pass
    """,
    "test_unit.py": """
        import pytest, unittest
        class TestDown(unittest.TestCase):
            @classmethod
            def tearDownClass(cls): raise LookupError("of the class")
            def test_down(self): pass
        class TestUp(unittest.TestCase):
            @classmethod
            def setUpClass(cls): raise LookupError("of the class")
            def test_up(self): pass
        class TestOwn:
            @pytest.fixture(scope="class")
            def made(self):
                yield
                raise LookupError("made for a class")
            def test_own(self, made): pass
    """,
    "test_mixed.py": """
        import pytest
        @pytest.fixture(scope="module")
        def shared():
            yield
            raise OSError("shared")
        @pytest.fixture
        def own():
            yield
            raise OSError("own")
        def test_both(shared, own): pass
    """,
}
# The names of the fixtures, and where the errors were.
FOUND = {
    "plugin_of_ours.py::plugged [session]": "teardown of fixture plugged (session, plugin_of_ours.py:2)",
    "conftest.py::database [session]": "teardown of fixture database (session, conftest.py:4)",
    "conftest.py::client [module]": "teardown of fixture client (module, conftest.py:10)",
    "sub/conftest.py::client [module]": "teardown of fixture client (module, sub/conftest.py:2)",
    "sub/conftest.py::files [package]": "teardown of fixture files (package, sub/conftest.py:6)",
    "test_xunit.py::teardown_module": "teardown of teardown_module (test_xunit.py)",
    "test_xunit.py::TestX::teardown_class": "teardown of teardown_class (test_xunit.py)",
    "test_xunit.py::TestY::setup_class": "setup of setup_class (test_xunit.py)",
    "test_unit.py::TestDown::tearDownClass": "teardown of tearDownClass (test_unit.py)",
    "test_unit.py::TestUp::setUpClass": "setup of setUpClass (test_unit.py)",
    "test_unit.py::TestOwn::made [class]": "teardown of fixture made (class, test_unit.py:11)",
    "test_mixed.py::shared [module]": "teardown of fixture shared (module, test_mixed.py:2)",
}


@pytest.fixture
def shop(project: Project) -> Project:
    """Return a suite of 24 tests that share a server."""
    (project.root / "test_suite.py").unlink()
    project.write("conftest.py", SERVER.lstrip("\n"))
    project.write("test_a.py", TESTS.format(12, "a"))
    project.write("test_b.py", TESTS.format(12, "b"))
    return project


def digest(project: Project, *arguments: str) -> dict[str, Any]:
    """Return the digest of a run for programs."""
    document: dict[str, Any] = json.loads(
        console(project.root, "failures", *arguments, "--format", "json", exits=0).out
    )
    return document


def ran(project: Project, *arguments: str, at: str = "", exits: int | None = None) -> str:
    """Report a session whose server fails at this phase, and return its output."""
    given = ("-p", "cacheprovider", *arguments)
    return project.report(*given, env=session_environment(AT=at), exits=exits).out


@pytest.mark.parametrize(
    "arguments", [(), ("-n2", "--dist=loadfile"), ("--setup-show",)], ids=["alone", "workers", "setup-show"]
)
def test_each_way_to_share_a_fixture(project: Project, arguments: tuple[str, ...]) -> None:
    """Each is an item of its own, named by where it is defined; only a test with an error of its own fails, too."""
    (project.root / "test_suite.py").unlink()
    for name, text in ALL.items():
        project.write(name, text.lstrip("\n"))
    project.report(*arguments, exits=1)
    found = digest(project)
    assert {each["fixture"] for each in found["reasons"] if each["fixture"]} == {*FOUND.values()}
    titles = {each["tests"][0] for each in found["reasons"] if not each["fixture"]}
    assert titles == {"test_mixed.py::test_both"}
    counts = {name: found["counts"][name] for name in ("finished", "failed", "passed", "skipped")}
    assert counts == {"finished": 11, "failed": 1, "passed": 6, "skipped": 0}
    assert all(each["count"] == 1 for each in found["reasons"])
    listed = console(project.root, "failures", "--format", "nodeids", exits=0).out
    assert all(
        re.fullmatch(r"[a-z/_]*test_[a-z]+\.py::(Test[A-Za-z]+::)?test_[a-z]+(\[.\])?", node) for node in listed.split()
    )
    assert {"sub/test_sub.py::test_sub", "test_xunit.py::TestY::test_y", "test_unit.py::TestOwn::test_own"} <= {
        *listed.split()
    }, "what pytest can run"


@pytest.mark.parametrize(
    ("first", "then"),
    [((), ("--ff",)), ((), ("-n2",)), (("-n8",), ("-x",)), (("-n2",), ("--nf",)), ((), ("-p", "no:cacheprovider"))],
    ids=" ".join,
)
def test_no_order_makes_news(shop: Project, first: tuple[str, ...], then: tuple[str, ...]) -> None:
    """In whatever process and order the tests run, the fixture goes on failing, no test is new, fixed or flaky."""
    ran(shop, exits=0)
    ran(shop, *first, at="teardown", exits=1)
    head = "1 error in the teardown of fixture server (session, conftest.py:2); 24 of 24 tests passed"
    assert digest(shop)["verdict"] == head
    assert digest(shop)["counts"]["new"] == 1
    assert digest(shop)["run"]["state"] == "fixture"
    assert console(shop.root, "gate").exit == 5
    ran(shop, *then, at="teardown", exits=1)
    found = digest(shop)
    assert found["verdict"] == head
    assert {name: found["counts"][name] for name in ("new", "still", "fixed", "gone", "flaky")} == {
        "new": 0, "still": 1, "fixed": 0, "gone": 0, "flaky": 0,
    }  # fmt: skip
    assert found["reasons"][0]["since"]["run"] == 2
    assert "flaky" not in console(shop.root, "failures").out
    ran(shop, exits=0)
    assert digest(shop)["counts"]["fixed"] == 1
    ran(shop, at="teardown", exits=1)
    assert digest(shop)["reasons"][0]["since"]["run"] == 5


@pytest.mark.parametrize("at", ["setup", "teardown"])
def test_summary_and_marks_of_ci_name_the_fixture(shop: Project, at: str) -> None:
    """Neither the numbers, nor the marks, nor the job's page blame a test."""
    page = shop.root / "page.md"
    env = session_environment(AT=at, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(page))
    shown = shop.report(env=env, exits=1).out
    assert re.search(r"^24 of 24 results delivered$", shown, re.MULTILINE)
    marks = [line for line in shown.split("\n") if line.startswith("::error")]
    assert [mark.partition("::")[2].partition("::")[0] for mark in marks] == [
        "error file=conftest.py,line=2,title=server [session]"
    ]
    text = page.read_text()
    assert "**1 error of fixtures** in run 1" in text
    assert "`conftest.server [session]`" in text
    assert "test_b.test_b" not in text


def test_setup_keeps_tests_from_running(shop: Project) -> None:
    """One error in the setup, with the number of tests that could not run for it; they are not failures, nor news."""
    shop.write("test_c.py", "def test_c(): pass\n")
    ran(shop, exits=0)
    for workers, run in (((), 2), (("-n2",), 3)):
        ran(shop, *workers, at="setup", exits=1)
        found = digest(shop)
        assert found["verdict"] == (
            "1 error in the setup of fixture server (session, conftest.py:2); 24 tests could not run for it;"
            " 1 of 25 tests passed"
        )
        assert (found["counts"]["new"], found["counts"]["still"]) == ((1, 0) if run == 2 else (0, 1))
        assert (len(found["reasons"]), found["reasons"][0]["count"]) == (1, 1)
    ran(shop, exits=0)
    assert digest(shop)["counts"]["fixed"] == 1


@pytest.mark.parametrize("at", ["setup", "teardown"])
def test_rerun_runs_the_first_test_that_uses_it(shop: Project, at: str) -> None:
    """The command of the error runs one test again: the first that uses the fixture."""
    ran(shop, "--ff", at=at, exits=1)
    command = digest(shop)["reasons"][0]["command"].removeprefix("pytest ")
    again = ran(shop, "-v", command, exits=0)
    assert re.findall(r"^(\S+) PASSED", again, re.MULTILINE) == ["test_a.py::test_a[0]"]


def test_a_known_fixture_does_not_count(shop: Project) -> None:
    """An entry with the name of a fixture excuses its error, a pattern of tests does not, and a mistake is said."""
    shop.write("pytest.ini", "[pytest]\nautomation_report_known = known.txt\n")
    shop.write("known.txt", "until 2099-12-31 conftest.py::* SHOP-1\n")
    ran(shop, at="teardown", exits=1)
    shop.write("known.txt", 'until 2099-12-31 "conftest.py::server [session]" SHOP-1\n')
    for workers in ((), ("-n2",)):
        out = ran(shop, *workers, at="teardown", exits=0)
        assert "1 known failure of known.txt does not count: conftest.py::server [session]" in out
        assert "no test is named" not in out
        assert digest(shop)["reasons"][0]["kind"] == "known"
        assert console(shop.root, "gate").exit == 0
    ran(shop, exits=0)
    assert console(shop.root, "known", "--check").exit == 0


def test_the_pages_name_the_fixture(shop: Project) -> None:
    """The page of a run, Markdown and the list of failures name the fixture, and no test of the suite."""
    ran(shop, at="teardown", exits=1)
    markdown = console(shop.root, "failures", "--format", "markdown", exits=0).out
    assert missing(markdown, "1 error in the teardown of fixture server (session, conftest.py:2)") == []
    shown = console(shop.root, "run", "show", exits=0).text
    assert missing(shown, f"failed: {NAME}", "24 Passed, 1 Failed") == []
    assert "test_b" not in markdown + shown
    assert '"errors": []' in console(shop.root, "store", "check", exits=0).out
