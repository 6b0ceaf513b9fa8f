import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.installs import Python, Wheelhouse, pip
from support.projects import Project
from support.repository import ROOT
from support.sessions import reporting_arguments, run, session_environment

WHERE = "import pytest_automation_report; print(pytest_automation_report.__file__)"
SERVER_PACKAGES = ("falcon", "waitress", "jinja2", "markupsafe")


def wheel_in_venv(wheelhouse: Wheelhouse, folder: Path) -> Python:
    python = wheelhouse.empty_venv(folder / "venv")
    pip("install", "--no-deps", str(wheelhouse.wheel), python=python)
    return python


def editable_in_venv(wheelhouse: Wheelhouse, folder: Path) -> Python:
    python = wheelhouse.empty_venv(folder / "venv")
    pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT), python=python)
    return python


def user_install(wheelhouse: Wheelhouse, folder: Path) -> Python:
    executable = str(Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}"))
    python = Python(executable, {"PYTHONUSERBASE": str(folder / "user")})
    pip("install", "--user", "--no-deps", "--break-system-packages", str(wheelhouse.wheel), python=python)
    (site,) = (folder / "user").glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(f"{wheelhouse.dependencies(folder / 'borrowed')}\n")
    return python


def target_install(wheelhouse: Wheelhouse, folder: Path) -> Python:
    pip("install", "--no-deps", "--target", str(folder / "target"), str(wheelhouse.wheel))
    python = wheelhouse.empty_venv(folder / "venv")
    return Python(python.executable, {"PYTHONPATH": str(folder / "target")})


def environment(python: Python) -> dict[str, str]:
    """Return a session's environment in which nothing but the installation itself says where the package is."""
    own = {name: value for name, value in session_environment().items() if not name.startswith("PYTHON")}
    return {**own, **python.env}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("install", "place"),
    [
        pytest.param(wheel_in_venv, "venv", id="wheel"),
        pytest.param(editable_in_venv, ROOT, id="editable"),
        pytest.param(user_install, "user", id="user"),
        pytest.param(target_install, "target", id="target"),
    ],
)
def test_sender_finds_package_and_needs_of_an_install(
    install: Callable[[Wheelhouse, Path], Python], place: str, wheelhouse: Wheelhouse, tmp_path: Path
) -> None:
    """Results arrive in the embedded store however the package is installed."""
    python = install(wheelhouse, tmp_path)
    project = Project(tmp_path / "project")
    env = environment(python)
    where = run([python.executable, "-c", WHERE], project.root, env)
    assert Path(where.out.strip()).is_relative_to(tmp_path / place), where.text
    ran = run(reporting_arguments(python=python.executable), project.root, env, exits=0)
    assert "1 of 1 result delivered: 1 passed" in ran.out
    assert project.sessions == []


@pytest.mark.slow
def test_remote_session_needs_no_server_package(wheelhouse: Wheelhouse, tmp_path: Path, server: CheckedServer) -> None:
    """Where the embedded server's packages are missing, a session reports to a server all the same."""
    python = wheelhouse.empty_venv(tmp_path / "venv", *SERVER_PACKAGES)
    pip("install", "--no-deps", str(wheelhouse.wheel), python=python)
    project = Project(tmp_path / "project")
    finding = f"import importlib.util as u; print([n for n in {SERVER_PACKAGES} if u.find_spec(n)])"
    assert run([python.executable, "-c", finding], project.root, environment(python)).out.strip() == "[]"
    run(reporting_arguments(server.address, python=python.executable), project.root, environment(python), exits=0)
    assert [test["name"] for _, test in server.tests()] == ["test_ok"]


COVERED = """
import subprocess, sys

def test_child():
    subprocess.run([sys.executable, "child.py"], check=True)
"""

COVERAGE = """
[run]
patch = subprocess
parallel = true
data_file = {folder}/data/cov
source = {folder}
"""


@pytest.mark.slow
def test_coverage_of_subprocesses_is_unharmed(wheelhouse: Wheelhouse, tmp_path: Path, server: CheckedServer) -> None:
    """Under coverage with patched subprocesses the sender works and leaves no data file; the suite's own child does."""
    python = wheel_in_venv(wheelhouse, tmp_path)
    # coverage may write into site-packages, and reads its own file there at the start of each process
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    for each in Path(pytest.__file__).parents[1].glob("*coverage*.pth"):
        (site / each.name).write_text(each.read_text())
    project = Project(tmp_path / "project", COVERED)
    project.write("child.py", "answer = 42\n")
    project.write("rc", COVERAGE.format(folder=project.root))
    (project.root / "data").mkdir()
    command_line = reporting_arguments(server.address)[1:]
    command = [python.executable, "-m", "coverage", "run", "--rcfile=rc", *command_line]
    env = environment(python)
    run(command, project.root, env, exits=0)
    assert [test["name"] for _, test in server.tests()] == ["test_child"]
    assert len(list((project.root / "data").iterdir())) == 2
    for step in (["combine", "-q"], ["json", "-q", "-o", "out.json"]):
        run([python.executable, "-m", "coverage", step[0], "--rcfile=rc", *step[1:]], project.root, env, exits=0)
    files = json.loads((project.root / "out.json").read_text())["files"]
    assert {name: each["summary"]["percent_covered"] for name, each in files.items()} == {
        "child.py": 100.0,
        "test_suite.py": 100.0,
    }
