"""The folders of the package: imports point down the floors only, and each folder has a door."""

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

import pytest_automation_report

PACKAGE = "pytest_automation_report"
ROOT = Path(pytest_automation_report.__file__).parent

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"system", "text", "findings", "failures", "errors", "unpatched", "guards"}),
    frozenset({"api"}),
    frozenset({"export"}),
    frozenset({"recording", "spool", "ci", "server"}),
    frozenset({"delivery", "settings"}),
    frozenset({"summary", "junit"}),
    frozenset({"session", "cli"}),
    # What pytest and users load: it shows what the folders below have.
    frozenset({"", "plugin", "hookspecs", "testing"}),
)
"""Folders and modules at the top of the package, from the lowest floor to the highest."""

SERVER_FLOORS: tuple[str, ...] = ("store", "api", "http", "pages")
"""Folders of the server, from the lowest floor to the highest."""

TABLE: dict[str, frozenset[str]] = {
    folder: frozenset(others.split())
    for folder, others in {
        "system": "unpatched", "text": "unpatched system", "findings": "text", "failures": "text",
        "api": "findings text errors unpatched system",
        "export": "findings failures api text", "recording": "spool api text errors unpatched guards system",
        "ci": "api text unpatched system", "spool": "findings api text errors unpatched system",
        "server": "findings failures export api text errors system",
        "settings": "delivery findings recording ci api text errors unpatched system",
        "delivery": "export findings recording server spool api text errors unpatched system",
        "junit": "delivery settings recording spool api text errors system",
        "summary": "findings settings recording spool ci api text errors unpatched system",
        "session": "junit summary findings delivery settings recording spool ci api text errors unpatched guards"
        " system",
        "cli": "junit summary delivery settings recording spool ci server export findings failures api text errors"
        " system",
    }.items()
}  # fmt: skip
"""What each folder may import, beside itself."""


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


MODULES: dict[str, Path] = {_module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
FOLDERS: list[Path] = sorted({path.parent for path in MODULES.values()} - {ROOT})


@cache
def _imports(path: Path) -> frozenset[str]:
    """Return our modules that a file imports, lazily or for type checking included, by their names in the package."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    inside = {name.removeprefix(PACKAGE).removeprefix(".") for name in names if name.split(".")[0] == PACKAGE}
    return frozenset(inside & set(MODULES) - {""})


@cache
def _all_imports() -> list[tuple[str, str]]:
    """Return each module with each of ours that it imports: not at import, which all workers of a session do."""
    return [(module, other) for module, path in MODULES.items() for other in _imports(path)]


def _folder(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def _floor(module: str) -> int:
    (floor,) = [number for number, folders in enumerate(FLOORS) if _folder(module) in folders]
    return floor


def test_every_folder_stands_on_a_floor() -> None:
    """Each folder, and each module at the top, is on exactly one floor, and the table names none that is gone."""
    assert {_folder(module) for module in MODULES} == set().union(*FLOORS)
    assert sum(map(len, FLOORS)) == len(set().union(*FLOORS))
    assert set(TABLE) == {path.name for path in FOLDERS if path.parent == ROOT}
    assert {path.name for path in FOLDERS if path.parent == ROOT / "server"} == set(SERVER_FLOORS)
    pages = {path.name for path in FOLDERS if path.parent == ROOT / "server" / "pages"}
    assert pages == {"run", "test"}


def test_imports_point_down() -> None:
    """No module imports one of a floor above its own."""
    assert [pair for pair in _all_imports() if _floor(pair[1]) > _floor(pair[0])] == []


def test_folders_import_what_the_table_allows() -> None:
    """A folder imports no other folder than those that the table names for it."""
    between = [(module, other) for module, other in _all_imports() if _folder(module) in {*TABLE} - {_folder(other)}]
    assert [pair for pair in between if _folder(pair[1]) not in TABLE[_folder(pair[0])]] == []


def test_imports_of_the_server_point_down() -> None:
    """Inside the server the store imports neither HTTP nor pages, and HTTP no pages."""
    inside = [
        (one.split("."), other.split("."))
        for one, other in _all_imports()
        if _folder(one) == _folder(other) == "server"
    ]
    floor = SERVER_FLOORS.index
    assert [pair for pair in inside if floor(pair[1][1]) > floor(pair[0][1])] == []


OF_SYSTEMS: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "import": "fcntl resource pwd grp termios tty pty syslog posix readline curses msvcrt winreg nt _winapi ctypes",
        "os": "fork forkpty getuid geteuid getgid getegid setuid setgid setsid getpgid killpg kill wait3 wait4 WNOHANG"
        " chown lchown fchown fchmod fdatasync sync pread pwrite statvfs fstatvfs link mkfifo mknod pidfd_open"
        " register_at_fork set_blocking uname getloadavg nice openpty posix_spawn sendfile pipe2 name startfile"
        " O_NOFOLLOW O_CLOEXEC O_NONBLOCK O_DIRECTORY O_SYNC O_DSYNC O_BINARY O_NOINHERIT",
        "signal": "SIGHUP SIGQUIT SIGKILL SIGUSR1 SIGUSR2 SIGWINCH SIGCHLD SIGALRM SIGPIPE SIGBREAK CTRL_C_EVENT alarm"
        " setitimer pthread_sigmask pthread_kill sigwait sigwaitinfo sigtimedwait sigpending pause",
        "select": "poll epoll kqueue devpoll",
        "socket": "AF_UNIX SO_REUSEADDR SO_REUSEPORT SO_EXCLUSIVEADDRUSE",
        "subprocess": "CREATE_NO_WINDOW CREATE_NEW_PROCESS_GROUP CREATE_BREAKAWAY_FROM_JOB STARTUPINFO list2cmdline",
        "argument": "dir_fd pass_fds preexec_fn start_new_session process_group creationflags",
    }.items()
}
"""Modules, names of modules and arguments that some systems lack, or that mean something else there."""


def _uses(path: Path) -> list[str]:
    """Return what a file uses that systems differ in, or by which it asks which one it runs on."""
    uses: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            uses += [alias.name for alias in node.names if alias.name in OF_SYSTEMS["import"]]
        elif isinstance(node, ast.ImportFrom):
            uses += [str(node.module)] if node.module in OF_SYSTEMS["import"] else []
            uses += [alias.name for alias in node.names if alias.name in OF_SYSTEMS.get(str(node.module), ())]
        elif isinstance(node, ast.Attribute):
            uses += [node.attr] if node.attr in OF_SYSTEMS.get(ast.unparse(node.value), ()) else []
        elif isinstance(node, ast.keyword):
            uses += [node.arg] if node.arg in OF_SYSTEMS["argument"] else []
        elif isinstance(node, ast.Compare):
            uses += [text for text in map(ast.unparse, (node.left, *node.comparators)) if text == "sys.platform"]
    return uses


def test_systems_differ_in_one_room_alone() -> None:
    """Only `system` uses what some systems lack, or asks which one it runs on; each module of it does."""
    users = {module: found for module, path in MODULES.items() if (found := _uses(path))}
    assert {module: found for module, found in users.items() if _folder(module) != "system"} == {}
    assert set(users) == {module for module in MODULES if module.startswith("system.")}


def circle_in(needs: Mapping[str, frozenset[str]]) -> list[str]:
    """Return the names that cannot be put in an order in which each needs earlier ones only."""
    waiting = dict(needs)
    while ready := [name for name, others in waiting.items() if not others & waiting.keys()]:
        for name in ready:
            del waiting[name]
    return sorted(waiting)


def test_imports_have_no_cycle() -> None:
    """The modules, and the folders of the table, can be put in an order in which each imports earlier ones only."""
    assert circle_in({module: _imports(path) - {module} for module, path in MODULES.items()}) == []
    assert circle_in(TABLE) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_each_folder_has_a_door(folder: Path) -> None:
    """The `__init__` of a folder says what it holds and which process runs it, and has no code."""
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    text = ast.get_docstring(tree) or ""
    assert len(tree.body) == 1, "a door has a docstring alone"
    assert "Runs in" in text
