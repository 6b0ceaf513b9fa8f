"""How heavy the package is to take over, for two commits: the measures of its redesign.

    python benchmarks/weight.py
    python benchmarks/weight.py 1d8b5ffb HEAD
    python benchmarks/weight.py 1d8b5ffb . --names

Without arguments the last commit stands beside the one before it; ``.`` is the working tree. ``--names`` prints what
was counted, too. How each measure is taken:

- Shapes, modules on the way: a failing test with parameters is run, sent to the embedded store and shown by `serve`,
  each under ``sys.setprofile``. A module is on the way if a function of it is called, bodies of modules and classes
  aside; of `send` those of the console, the settings and CI are left out. A shape is a struct, a tuple with
  names or a data class of ours, or a set of keys of a dict, of which a function of ours had a value that names the test
  in one of its members.
- Signatures in ``server/``: parameters or a result that are, once type aliases and unions are resolved, a dict,
  `Any`, `Row`, `Values`, `Json` or `object`. The line below it counts those that hold one inside, too.
- SQL: texts with a statement, or a part of one, in capitals.
- Texts of ours that are parsed: each row of `READ_BACK` counts if its pattern is found in code that reads.
- ``x_of`` functions: different names of functions and methods that end with ``_of``.
- Classes defined twice: names of classes and type aliases, without leading underscores, in two modules; the two of
  ``system/posix.py`` and ``system/windows.py`` aside.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = "pytest_automation_report"

READERS: Final = ("server", "export", "findings", "failures", "cli/finish.py")
"""Rooms that read what was stored: the rest of the console reads texts of Testmo, which has nothing else."""

READ_BACK: Final = {
    "attempts": (r"\bATTEMPTS_META\b|_ATTEMPT\.fullmatch", READERS),
    "steps": (r"\bparse_steps\(", ("",)),
    "colours": (r"\bsequences_from\(", READERS),
    "known failures": (r"\bKNOWN_FIELD\b|Known until", READERS),
    "how a session ended": (r"\bENDING_FIELD\b", READERS),
    "counts of a session": (r"(== |fields, )(COLLECTED|NOT_RUN)_FIELD\b|\{COLLECTED_FIELD:", READERS),
    "documents of the embedded server": (r"\bDOCUMENTS\[path\].*\n.*json\.loads", READERS),
    "HTML of pages": (r"""re\.compile\(r?['"](<title>|<nav|<main| href=| \(href)""", READERS),
    "values in texts of repr": (r"\btable_from_text\(", READERS),
}
"""Texts that the package writes: how code looks that reads them back, and where it is looked for."""

OLD_STORES: Final = frozenset({"server/store/migrations.py", "server/store/first_texts.py"})
"""The steps of a migration read back what earlier versions stored."""

SQL: Final = re.compile(
    r"\b(SELECT|INSERT (OR \w+ )?INTO|DELETE FROM|ORDER BY|LEFT JOIN|GROUP BY|PRAGMA|VACUUM)\s"
    r"|\bUPDATE \S+ SET\b|\bWHERE \S|\b(LIKE|=) \?|\bEXISTS ?\("
)
VAGUE: Final = {"dict", "Any", "Row", "Values", "Json", "object"}

PROFILED: Final = """
import json, os, sys, threading, traceback

OURS, NO_FUNCTION = "pytest_automation_report.", ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
ASIDE = ("cli", "settings", "ci", "summary") if STAGE == "send" else ()
modules, shapes = set(), set()


def members(value):
    if isinstance(value, (dict, tuple)):
        return [*(value.values() if isinstance(value, dict) else value)]
    names = getattr(type(value), "__struct_fields__", None) or getattr(type(value), "__dataclass_fields__", ())
    return [getattr(value, name, None) for name in names]


def look(value, depth=1):
    kind = type(value)
    if kind.__module__.startswith(OURS) or kind is dict:
        if any(type(each) is str and "[marked-7]" in each and " " not in each for each in members(value)):
            keys = ", ".join(sorted(map(str, value))) if kind is dict else ""
            shapes.add(f"dict({keys})" if kind is dict else f"{kind.__module__}.{kind.__qualname__}".removeprefix(OURS))
    if depth and kind in (list, tuple, dict):
        for each in list(value.values() if kind is dict else value)[:20]:
            look(each, depth - 1)


def profile(frame, event, value):
    try:
        note(frame, event, value)
    except Exception:  # pytest's process would only lose its profiler
        traceback.print_exc()
        os._exit(1)


def note(frame, event, value):
    code = frame.f_code
    name = frame.f_globals.get("__name__", "")
    if event not in ("call", "return") or not name.startswith(OURS) or name.split(".")[1] in ASIDE:
        return
    # Bodies of modules and classes, which run when they are imported, are not optimized.
    if code.co_flags & 1 and code.co_name not in NO_FUNCTION:
        modules.add(name)
        if event == "return":
            for each in (value, *frame.f_locals.values()):
                look(each)


def tell():
    print("MEASURED" + json.dumps([sorted(modules), sorted(shapes)]), flush=True)
"""

LOADED: Final = """
import json, sys
import pytest
pytest.main(["-q", "-p", "no:cacheprovider", "--automation-report", "test_one.py"])
print("MEASURED" + json.dumps([module.__file__ for name, module in sys.modules.items()
                               if name.split(".")[0] == "pytest_automation_report"]))
"""

FAILING: Final = """
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
tell()
"""

SENT: Final = """
from pytest_automation_report.cli.main import main
threading.setprofile(profile)
sys.setprofile(profile)
try:
    main(["send"])
except SystemExit:
    pass
sys.setprofile(None)
tell()
"""

SHOWN: Final = """
import http.cookiejar, signal, socket, time, urllib.error, urllib.request
from pytest_automation_report.cli.main import main

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]


def ask():
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    get = lambda path: opener.open(f"http://127.0.0.1:{port}{path}", timeout=60).read()
    try:
        end = time.monotonic() + 60
        while True:
            try:
                get("/healthz")
                break
            except urllib.error.URLError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        get("/open/" + os.environ["AUTOMATION_REPORT_PAGES_TOKEN"])
        get(PATH)  # what is prepared once
        modules.clear(), shapes.clear()
        get(PATH)
        tell()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


threading.Thread(target=ask).start()
threading.setprofile(profile)
main(["serve", "--port", str(port)])
"""

FAILING_TEST: Final = """
import pytest

@pytest.mark.parametrize("value", ["marked-7"])
def test_one(value):
    print("output")
    assert {"a": 1} == {"a": value}
"""


class Way(NamedTuple):
    """What one test passes: modules and shapes of each stage."""

    loaded: list[str]
    modules: dict[str, list[str]]
    shapes: list[str]


def run_measured(root: Path, script: str, folder: Path) -> list[list[str]]:
    """Run a script with the package of this root in a folder with one test; return what it prints as JSON."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOMATION_", "PYTEST_"))}
    environment |= {
        "PYTHONPATH": str(root),
        "CI": "",
        "AUTOMATION_REPORT_PAGES_TOKEN": "a-code-of-pages-to-be-measured",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    measured = re.search("^MEASURED(.*)$", done.stdout, re.MULTILINE)
    if measured is None:
        raise RuntimeError(f"a stage of a session at {root} did not end:\n{done.stdout}{done.stderr}")
    found: list[list[str]] = json.loads(measured[1])
    return found


def way_of_a_test(root: Path) -> Way:
    """Return what a session loads, and the modules and shapes on the way of a failing test to its pages."""
    pages = {"run page": "/automation/runs/view/1", "test page": "/results/1"}
    scripts = {"pytest": FAILING, "send": SENT, **{page: f"PATH = {at!r}\n{SHOWN}" for page, at in pages.items()}}
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        for folder, test in ((one, "def test_one():\n    pass\n"), (other, FAILING_TEST)):
            (Path(folder) / "pyproject.toml").write_text("[project]\nname = 'weight'\nversion = '1'\n")
            (Path(folder) / "test_one.py").write_text(test)
        loaded = [str(file) for file in run_measured(root, LOADED, Path(one))]
        stages = {
            stage: run_measured(root, f"STAGE = {stage!r}\n{PROFILED}{script}", Path(other))
            for stage, script in scripts.items()
        }
    shapes = sorted({shape for found in stages.values() for shape in found[1]})
    return Way(loaded, {stage: found[0] for stage, found in stages.items()}, shapes)


def names_in(node: ast.AST | None, aliases: Mapping[str, ast.expr], *, inside: bool) -> Iterator[str]:
    """Yield the types of an annotation, those of its aliases too; ``inside`` those that it holds, too."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from names_in(ast.parse(node.value, mode="eval").body, aliases, inside=inside)
    elif isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            yield from names_in(side, aliases, inside=inside)
    elif isinstance(node, ast.Subscript):
        yield from names_in(node.value, aliases, inside=inside)
        if inside and ast.unparse(node.value) != "Literal":
            yield from names_in(node.slice, aliases, inside=inside)
    elif isinstance(node, (ast.Tuple, ast.List)):
        for each in node.elts:
            yield from names_in(each, aliases, inside=inside)
    elif isinstance(node, (ast.Name, ast.Attribute)):
        name = node.id if isinstance(node, ast.Name) else node.attr
        yield name
        if name in aliases:
            others = {other: value for other, value in aliases.items() if other != name}
            yield from names_in(aliases[name], others, inside=inside)


def alias_of(node: ast.AST) -> tuple[str, ast.expr] | None:
    """Return the name and the value of a declared type alias."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        return (node.target.id, node.value) if "TypeAlias" in ast.unparse(node.annotation) else None
    return None


def vague_signatures(trees: Mapping[str, ast.Module], *, inside: bool) -> list[str]:
    """Return the functions in ``server/`` with a parameter or result whose members nobody declared."""
    aliases = dict(filter(None, (alias_of(node) for tree in trees.values() for node in ast.walk(tree))))
    found = []
    for place, tree in trees.items():
        if not place.startswith("server/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                annotations = [*(argument.annotation for argument in arguments), node.returns]
                if any(VAGUE & {*names_in(each, aliases, inside=inside)} for each in annotations):
                    found.append(f"{place}: {node.name}")
    return found


def classes_defined_twice(trees: Mapping[str, ast.Module]) -> list[str]:
    """Return the names of classes and type aliases that two modules define."""
    places: dict[str, set[str]] = defaultdict(set)
    for place, tree in trees.items():
        for node in ast.walk(tree):
            alias = alias_of(node)
            name = node.name if isinstance(node, ast.ClassDef) else alias[0] if alias else ""
            if name:
                places[name.lstrip("_")].add(place.replace("windows", "posix"))
    return sorted(name for name, found in places.items() if len(found) > 1)


def has_sql(tree: ast.Module) -> bool:
    """Whether a module has a text that is SQL, docstrings aside."""
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in documented)
    return any(isinstance(node.value, str) and SQL.search(node.value) for node in texts)


def read_back(sources: Mapping[str, str]) -> list[str]:
    """Return the texts of ours that rooms which read parse, each with the modules that do it."""
    # Imports, definitions and docstrings use nothing.
    aside = re.compile(r"^ *(from .* import (\([^)]*\)|.*)|def .*|\"\"\".*\"\"\")$", re.MULTILINE)
    read = {place: aside.sub("", source) for place, source in sources.items() if place not in OLD_STORES}
    found = {
        text: [place for place, source in read.items() if place.startswith(rooms) and re.search(pattern, source)]
        for text, (pattern, rooms) in READ_BACK.items()
    }
    return [f"{text}: {', '.join(places)}" for text, places in found.items() if places]


def lines_of(texts: Iterable[str]) -> int:
    """Return how many lines texts have together."""
    return sum(len(text.splitlines()) for text in texts)


def weight(root: Path) -> dict[str, int | list[str]]:
    """Return the measures of the project in this folder, by their names: numbers, or what was counted."""
    package = root / PACKAGE
    sources = {path.relative_to(package).as_posix(): path.read_text("utf-8") for path in sorted(package.rglob("*.py"))}
    trees = {place: ast.parse(source) for place, source in sources.items()}
    functions = (node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    way = way_of_a_test(root)
    return {
        "lines of the package": lines_of(sources.values()),
        "shapes of one test from hook to page": way.shapes,
        "modules that run for a run page's GET": way.modules["run page"],
        "modules that run for a failing test": sorted({*way.modules["pytest"], *way.modules["send"]}),
        "signatures in server/ that are a dict, Any, Row, Values, Json or object": vague_signatures(
            trees, inside=False
        ),
        "or hold one": vague_signatures(trees, inside=True),
        "modules outside server/store with SQL": [
            place for place, tree in trees.items() if not place.startswith("server/store/") and has_sql(tree)
        ],
        "texts of ours that are parsed": read_back(sources),
        "different x_of functions": sorted({name for name in functions if name.endswith("_of")}),
        "names of classes defined twice": classes_defined_twice(trees),
        "lines of tests": lines_of(path.read_text("utf-8") for path in (root / "tests").rglob("*.py")),
        "modules that a reported session loads in pytest's process": way.loaded,
        "their lines": lines_of(Path(file).read_text("utf-8") for file in way.loaded),
    }


def at_commit(revision: str, folder: Path) -> Path:
    """Write the project at a commit to a folder and return it; ``.`` is the working tree."""
    if revision == ".":
        return ROOT
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def main() -> None:
    """Print the table, and write it as JSON if a file is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="*", default=["HEAD~", "HEAD"], help="what to measure; . is the working tree")
    parser.add_argument("--names", action="store_true", help="print what was counted of the last commit, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table to this file, too")
    options = parser.parse_args()
    columns = {}
    for commit in options.commits:
        with tempfile.TemporaryDirectory() as folder:
            columns[commit] = weight(at_commit(commit, Path(folder)))
    print(f"| what | {' | '.join(columns)} |\n| --- |{' --- |' * len(columns)}")
    counted = columns[options.commits[-1]]
    rows = []
    for what in counted:
        numbers = {
            at: found if isinstance(found := column[what], int) else len(found) for at, column in columns.items()
        }
        rows.append({"what": what, **numbers})
        print(f"| {what} | {' | '.join(f'{number:,}' for number in numbers.values())} |")
    if options.names:
        for what, names in counted.items():
            print(*([f"\n{what}", *names] if isinstance(names, list) else []), sep="\n  ")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
