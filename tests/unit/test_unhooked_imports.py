from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder

import pytest

from pytest_automation_report.imports import UnhookedImports

LEAF = "pytest_automation_report.text.prefixes"


class Hook:
    """An import hook that notes for which modules it is asked, and finds none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find_spec(self, name: str, *_: object) -> None:
        self.asked.append(name)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Hook:
    hook = Hook()
    monkeypatch.setattr(sys, "meta_path", [hook, *sys.meta_path])
    for name in (LEAF, "this"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return hook


def test_hooks_are_passed_for_modules_of_ours_alone(hook: Hook) -> None:
    """While the context is open a hook is asked for other modules, and not for those of this package."""
    with UnhookedImports():
        importlib.import_module(LEAF)
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("module_that_is_nowhere")
    assert hook.asked == ["module_that_is_nowhere"]
    del sys.modules[LEAF]
    importlib.import_module(LEAF)
    assert hook.asked[1:] == [LEAF]


@pytest.mark.parametrize("name", [LEAF, "pytest_automation_report.text", "pytest_automation_report.text.nowhere"])
def test_modules_are_found_as_python_finds_them(name: str) -> None:
    """A module, a package and a missing one get the same place, bytecode and folders as without the context."""
    path = importlib.import_module(name.rpartition(".")[0]).__path__
    found, usual = UnhookedImports().find_spec(name, path), PathFinder.find_spec(name, path)
    assert (found is None) == (usual is None)
    if found is not None and usual is not None:
        assert (found.origin, found.cached, found.has_location) == (usual.origin, usual.cached, usual.has_location)
        assert found.submodule_search_locations == usual.submodule_search_locations


def test_finders_are_as_before(hook: Hook) -> None:
    """After the context the finders are those of before, also if an import fails in it or a nested one is open."""
    before = list(sys.meta_path)
    with pytest.raises(ModuleNotFoundError), UnhookedImports(), UnhookedImports():
        importlib.import_module("pytest_automation_report.nowhere")
    assert sys.meta_path == before
    assert sys.meta_path[0] is hook


def test_finders_that_others_replace(hook: Hook) -> None:
    """Code that sets the finders anew while the context is open leaves it without an error."""
    with UnhookedImports():
        sys.meta_path[:] = [hook]
    assert sys.meta_path == [hook]
