"""The weight of the package: its lines, modules, functions and tests, and what one session and one failing test pass.

    python benchmarks/weight.py
    python benchmarks/weight.py --base dcc2e01

With ``--base`` a second column stands before it: the same numbers of that commit, which git writes to a temporary
folder. A function or class has one user when its name stands in one other place of the package. The way of a failing
test is counted by a profiler: functions of ours that are called from the test's start to its end in pytest's process,
and those that deliver it to a store that runs apart (``automation-report send``, without the console, the settings from
which it finds the store, and the server), with their modules. What only is imported on the way does not count.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import tokenize
from collections import Counter
from pathlib import Path
from typing import Final

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = "pytest_automation_report"
LONG_TEMPLATE_LINE: Final = 160

LOADED: Final = """
import json, sys
import pytest
pytest.main(["-q", "-p", "no:cacheprovider", "--automation-report", "test_one.py"])
print("MEASURED" + json.dumps([module.__file__ for name, module in sys.modules.items()
                               if name.split(".")[0] == "pytest_automation_report"]))
"""

PROFILED: Final = """
import json, sys, threading

OURS, NO_FUNCTION = "pytest_automation_report.", ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
passed = set()


def profile(frame, event, _):
    code = frame.f_code
    # Bodies of modules and classes, which run when they are imported, are not optimized.
    if event == "call" and code.co_flags & 1 and code.co_name not in NO_FUNCTION:
        name = frame.f_globals.get("__name__", "")
        if name.startswith(OURS) and name.split(".")[1] not in ASIDE:
            passed.add((name, code.co_qualname if sys.version_info >= (3, 11) else code.co_name))
"""

FAILING: Final = f"""
ASIDE = ()
{PROFILED}
import pytest


class Profiled:
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self):
        sys.setprofile(profile)
        try:
            return (yield)
        finally:
            sys.setprofile(None)


pytest.main(["-q", "-p", "no:cacheprovider", "--automation-report", "--automation-report-delivery=later",
             "test_one.py"], plugins=[Profiled()])
print("MEASURED" + json.dumps(sorted(passed)))
"""

SENT: Final = f"""
ASIDE = ("cli", "server", "settings", "ci", "summary")
{PROFILED}
from pytest_automation_report.cli.main import main
threading.setprofile(profile)
sys.setprofile(profile)
try:
    main(["send"])
except SystemExit:
    pass
sys.setprofile(None)
print("MEASURED" + json.dumps(sorted(passed)))
"""

FAILING_TEST: Final = "def test_one():\n    print('output')\n    assert {'a': 1} == {'a': 2}\n"


def line_kinds(source: str) -> Counter[str]:
    """Return how many lines of a module are code, docstrings, imports, comments and blank."""
    kinds = ["blank" if not line.strip() else "code" for line in source.splitlines()]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            kind = "imports"
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            kind = "docstrings"
        else:
            continue
        kinds[node.lineno - 1 : node.end_lineno] = [kind] * ((node.end_lineno or 0) - node.lineno + 1)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.line.strip().startswith("#"):
            kinds[token.start[0] - 1] = "comments"
    return Counter(kinds)


def run_measured(root: Path, script: str, folder: Path) -> list[list[str]] | list[str]:
    """Run a script with the package of this root in a folder with one test; return what it prints as JSON."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOMATION_", "PYTEST_"))}
    environment |= {"PYTHONPATH": str(root), "CI": ""}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    measured = re.search("^MEASURED(.*)$", done.stdout, re.MULTILINE)
    if measured is None:
        raise RuntimeError(f"the session at {root} did not end:\n{done.stdout}{done.stderr}")
    found: list[list[str]] | list[str] = json.loads(measured[1])
    return found


def sessions(root: Path) -> dict[str, str]:
    """Return what a session loads, and the modules on the way of a failing test."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text("[project]\nname = 'weight'\nversion = '1'\n")
        (folder / "test_one.py").write_text("def test_one():\n    pass\n")
        loaded = [Path(str(file)) for file in run_measured(root, LOADED, folder)]
        (folder / "test_one.py").write_text(FAILING_TEST)
        recorded = run_measured(root, FAILING, folder)
        sent = run_measured(root, SENT, folder)
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in loaded)
    modules = {place[0] for place in (*recorded, *sent)}
    return {
        "modules that a reported session loads in pytest's process": str(len(loaded)),
        "their lines": f"{lines:,}",
        "modules on the way of a failing test": str(len(modules)),
        "functions on it, pytest / delivery": f"{len(recorded)} / {len(sent)}",
    }


def functions(trees: list[ast.Module], names: Counter[str]) -> dict[str, str]:
    """Return the number and the lengths of functions, and how many definitions have one user."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    definitions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)]
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1 for node in definitions if not isinstance(node, ast.ClassDef)
    )
    return {
        "functions": f"{len(lengths):,}",
        "lines of a function: median / nine tenths / longest": (
            f"{statistics.median(lengths):g} / {lengths[len(lengths) * 9 // 10]} / {lengths[-1]}"
        ),
        "functions and classes with one user": f"{sum(names[node.name] == 1 for node in definitions):,}",
    }


def used_names(trees: list[ast.Module]) -> Counter[str]:
    """Return how often each name is used, imports and definitions aside."""
    names: Counter[str] = Counter()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                names[node.id] += 1
            elif isinstance(node, ast.Attribute):
                names[node.attr] += 1
    return names


def weight(root: Path) -> dict[str, str]:
    """Return the measures of the project in this folder, by their names."""
    sources = [path.read_text(encoding="utf-8") for path in sorted((root / PACKAGE).rglob("*.py"))]
    tests = [path.read_text(encoding="utf-8") for path in sorted((root / "tests").rglob("*.py"))]
    templates = [path.read_text(encoding="utf-8") for path in (root / PACKAGE).rglob("*.html")]
    scripts = [path.read_text(encoding="utf-8") for path in (root / PACKAGE).rglob("*.js")]
    kinds = sum((line_kinds(source) for source in sources), Counter())
    trees = [ast.parse(source) for source in sources]
    with (root / "pyproject.toml").open("rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]
    return {
        "lines of the package": f"{kinds.total():,}",
        **{f"of them {kind}": f"{kinds[kind]:,}" for kind in ("code", "docstrings", "imports", "comments", "blank")},
        "comments in 100 lines of code": f"{100 * kinds['comments'] / kinds['code']:.1f}",
        "modules": str(len(sources)),
        **functions(trees, used_names(trees)),
        "lines of templates": f"{sum(len(text.splitlines()) for text in templates):,}",
        f"of them over {LONG_TEMPLATE_LINE} characters": str(
            sum(len(line) > LONG_TEMPLATE_LINE for text in templates for line in text.splitlines())
        ),
        "lines of JavaScript": f"{sum(len(text.splitlines()) for text in scripts):,}",
        "lines of tests": f"{sum(len(text.splitlines()) for text in tests):,}",
        "files of tests": str(len(tests)),
        "dependencies": str(sum(";" not in name for name in dependencies)),
        **sessions(root),
    }


def at_commit(revision: str, folder: Path) -> Path:
    """Write the project at a commit to a folder and return it."""
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def main() -> None:
    """Print the table, and write it as JSON if a file is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", metavar="REV", help="a commit to compare with")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to this file, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        columns = {options.base: weight(at_commit(options.base, Path(folder)))} if options.base else {}
    columns["now"] = weight(ROOT)
    print(f"| what | {' | '.join(columns)} |\n| --- |{' --- |' * len(columns)}")
    rows = [{"what": name} | {at: column[name] for at, column in columns.items()} for name in columns["now"]]
    for row in rows:
        print(f"| {' | '.join(row.values())} |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
