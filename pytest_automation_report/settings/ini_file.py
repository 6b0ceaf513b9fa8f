"""Read pytest's ini file for the console command, by pytest's own rules of which file counts.

In a session pytest reads it. The console command must not start pytest, with all plugins of the project, only to send a
spool.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import iniconfig

from pytest_automation_report.errors import SettingError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib
from pytest_automation_report.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SECTIONS: Final[Mapping[str, str]] = {
    "pytest.ini": "pytest",
    ".pytest.ini": "pytest",
    "tox.ini": "pytest",
    "setup.cfg": "tool:pytest",
}
_PYPROJECT: Final = "pyproject.toml"
# In the order in which pytest looks for them in each folder.
_NAMES: Final = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", _PYPROJECT, "tox.ini", "setup.cfg")
# pytest uses these files even without a section; it uses the others only with one.
_ALWAYS_COUNT: Final = frozenset({"pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"})


class ProjectIni(Value):
    """Hold the root folder of a project, its ini file's name (empty without one) and the values in it."""

    root: Path
    name: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The ini file, or the root folder without one."""
        return self.root / self.name


def project_ini(start: Path) -> ProjectIni:
    """Return the ini file that pytest would use if a user started it in this folder without arguments.

    Raises `SettingError` for a file that pytest would refuse.
    """
    bare: Path | None = None
    for folder in (start, *start.parents):
        for name in _NAMES:
            path = folder / name
            if path.is_file():
                values = _values(path)
                if values is not None:
                    return ProjectIni(folder, name, values)
                if name == _PYPROJECT and bare is None:
                    # Without a section it counts only if no other file does: then its folder is the root.
                    bare = folder
    if bare is not None:
        return ProjectIni(bare, _PYPROJECT)
    scripted = (folder for folder in (start, *start.parents) if (folder / "setup.py").is_file())
    return ProjectIni(next(scripted, start))


def _values(path: Path) -> Mapping[str, object] | None:
    """Return the values of pytest's section, ``None`` when the file has none and so does not count."""
    try:
        values = _toml_values(path) if path.suffix == ".toml" else _ini_values(path)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, iniconfig.ParseError) as error:
        raise SettingError(str(path), str(error), "correct the file") from error
    if values is None and path.name in _ALWAYS_COUNT:
        return {}
    return values


def _ini_values(path: Path) -> Mapping[str, object] | None:
    section = _SECTIONS[path.name]
    sections = iniconfig.IniConfig(str(path)).sections
    if section not in sections and section != "pytest" and "pytest" in sections:
        raise SettingError(str(path), "[pytest]", f"call the section [{section}]: pytest refuses it in this file")
    return dict(sections[section]) if section in sections else None


def _toml_values(path: Path) -> Mapping[str, object] | None:
    document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    if path.name == _PYPROJECT:
        return _tool_values(path, _table(document.get("tool", {})))
    loose = [name for name, value in document.items() if not isinstance(value, dict)]
    if "pytest" not in document and loose:
        raise SettingError(str(path), loose[0], "write it below [pytest]")
    return _table(document.get("pytest", {}))


def _tool_values(path: Path, tool: Mapping[str, Any]) -> Mapping[str, object] | None:
    """Return the values of one of pytest's two tables: the native one keeps its types, the older one holds texts."""
    table = _table(tool.get("pytest", {}))
    texts = table.get("ini_options")
    native = {name: value for name, value in table.items() if name != "ini_options"}
    if native and texts:
        raise SettingError(str(path), "[tool.pytest] and [tool.pytest.ini_options]", "keep one of them")
    if native:
        return native
    if texts is None:
        return None
    return {name: value if isinstance(value, list) else str(value) for name, value in _table(texts).items()}


def _table(value: object) -> Mapping[str, Any]:
    """Return a table of TOML, an empty one for anything else: pytest itself reports that."""
    return value if isinstance(value, dict) else {}
