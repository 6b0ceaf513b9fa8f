"""The part of a suite that a user selected, as the run's field tells it."""

import pytest

from pytest_automation_report.session.run import typed_selection

INI = """
[pytest]
addopts = -m "not slow" --ignore=tests/manual
testpaths = tests
"""


@pytest.fixture(autouse=True)
def nothing_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave pytest without the options of this machine."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


@pytest.mark.parametrize(
    ("arguments", "selection"),
    [
        ((), ""), (("tests",), ""), ((".",), ""), (("-m", "not slow"), ""), (("-v", "--maxfail=2"), ""),
        (("-k", "cart and pay"), "-k 'cart and pay'"), (("-k", "cart", "-m", "smoke"), "-k cart -m smoke"),
        (("tests/unit",), "tests/unit"),
        (("./tests/unit/", "tests/test_a.py::test_b[x y]"), "tests/unit 'tests/test_a.py::test_b[x y]'"),
        (("--deselect=tests/test_a.py::test_b",), "--deselect=tests/test_a.py::test_b"),
        (("--ignore=tests/unit", "--ignore-glob=*_old.py"), "--ignore=tests/unit '--ignore-glob=*_old.py'"),
        (("--lf",), "--lf"), (("--sw", "-k", "cart"), "-k cart --sw"),
        (("--automation-report-rerun-failed",), "--automation-report-rerun-failed"),
    ],
)  # fmt: skip
def test_selection(pytester: pytest.Pytester, arguments: tuple[str, ...], selection: str) -> None:
    """Options and paths that select tests are told as typed; those of ini files, and the usual paths, are not."""
    pytester.makeini(INI)
    for folder in ("tests/unit", "tests/manual"):
        (pytester.path / folder).mkdir(parents=True)
    (pytester.path / "tests" / "test_a.py").touch()
    assert typed_selection(pytester.parseconfig(*arguments)) == selection


@pytest.mark.parametrize(
    ("usual", "arguments", "selection"),
    [
        ("-p no:cacheprovider", ("-k", "cache"), "-k cache"), ("-k cache", ("-k", "cache"), ""), ("-kcache", (), ""),
        ("-m slow", ("-k", "slow"), "-k slow"), ("--ignore=tests/unit_old", ("tests/unit",), "tests/unit"),
        ("--ignore tests/unit", ("tests/unit/a.py", "--ignore=tests/uni"), "--ignore=tests/uni tests/unit/a.py"),
        ("--ignore tests/unit", ("tests/unit",), "tests/unit"),
        ("--deselect=tests/a.py::b --deselect tests/a.py::c", ("--deselect=tests/a.py",), "--deselect=tests/a.py"),
        ("--lfnf=all", ("--lf",), "--lf"), ("--last-failed", (), ""), ("tests/unit", (), ""),
    ],
)  # fmt: skip
def test_parts_of_usual_options(
    pytester: pytest.Pytester, usual: str, arguments: tuple[str, ...], selection: str
) -> None:
    """What is typed is told unless the ini file has the same option with the same value, not just the same letters."""
    pytester.makeini(f"[pytest]\naddopts = {usual}\n")
    (pytester.path / "tests" / "unit").mkdir(parents=True)
    for file in ("tests/unit/a.py", "tests/test_b.py"):
        (pytester.path / file).touch()
    assert typed_selection(pytester.parseconfig(*arguments)) == selection


def test_options_of_the_environment_are_usual(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that sets PYTEST_ADDOPTS runs the same tests each time: that is no selection."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k cart")
    assert typed_selection(pytester.parseconfig()) == ""


@pytest.mark.parametrize(
    ("others", "arguments", "selection"),
    [
        ((), ".", ""), ((), "tests", ""), ((), "tests/test_a.py", ""),
        ((), "tests/test_a.py::test_b", "tests/test_a.py::test_b"),
        ((), "tests tests/test_a.py", "tests tests/test_a.py"), ((), "--pyargs tests", ""),
        ((), "--pyargs package.tests", "package.tests"),
        (("src/app.py", "build/test_a.py", ".git/test_a.py", "env/pyvenv.cfg", "env/lib/test_a.py"), "tests", ""),
        (("src/app.py",), "tests --doctest-modules", "tests"), (("src/test_app.py",), "tests", "tests"),
        (("src/test_app.py",), "tests src", ""), (("test_readme.txt",), "tests", "tests"),
        (tuple(f"src/{number}.json" for number in range(2001)), "tests", "tests"),
    ],
)  # fmt: skip
def test_without_paths_in_the_ini_file(
    pytester: pytest.Pytester, others: tuple[str, ...], arguments: str, selection: str
) -> None:
    """Paths that hold all that pytest would collect are the whole suite; others are a part, and so is a doubt."""
    for file in ("tests/test_a.py", *others):
        (pytester.path / file).parent.mkdir(parents=True, exist_ok=True)
        (pytester.path / file).touch()
    assert typed_selection(pytester.parseconfig(*arguments.split(), "--rootdir", str(pytester.path))) == selection


def test_the_folder_that_pytest_is_started_in(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that is started in a folder of the project without a path runs the tests of that folder."""
    pytester.makeini("[pytest]\n")
    pytester.mkdir("unit")
    (pytester.path / "test_a.py").touch()
    assert typed_selection(pytester.parseconfig()) == ""
    monkeypatch.chdir(pytester.path / "unit")
    assert typed_selection(pytester.parseconfig()) == "unit"
    pytester.mkdir("elsewhere")
    assert typed_selection(pytester.parseconfig("--rootdir", str(pytester.path / "elsewhere"))) == ""
