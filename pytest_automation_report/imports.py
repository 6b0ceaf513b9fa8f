"""Import this package's modules past pytest's import hook.

pytest marks all modules of a package that has a plugin, to rewrite their asserts. It then reads the source of each
module at each start, and compiles it where no bytecode can be written, as in most containers: 100 modules take a
session of one test 0.1 s, and 0.3 s without bytecode. None of their asserts is for pytest to explain. The hook also
uses `pathlib` and writes files, which tests patch.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from os.path import isfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType, TracebackType

__all__ = ["UnhookedImports"]

_PACKAGE: Final = f"{__name__.partition('.')[0]}."


class UnhookedImports:
    """While the context is open, modules of this package are found as Python finds them without any import hook.

    Other modules are found as before. The context is open during imports only: tests find `sys.meta_path` as it was.
    """

    __slots__ = ("_finders",)

    def __enter__(self) -> None:
        """Stand before all other finders."""
        self._finders = sys.meta_path
        self._finders.insert(0, self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the finders as they were."""
        with suppress(ValueError):  # code that was imported, or called by ours, has set other finders
            self._finders.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of this package; None for others."""
        if not name.startswith(_PACKAGE):
            return None
        return _spec_of_file(name, path) or PathFinder.find_spec(name, path, target)


def _spec_of_file(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Find a module whose file stands where it usually does; None for a package, or if it stands elsewhere.

    `PathFinder` lists each folder and looks for extensions first, which takes three times as long.
    """
    for folder in path or ():
        place = f"{folder}/{name.rpartition('.')[2]}.py"
        if isfile(place):  # noqa: PTH113 - tests patch `pathlib`
            spec = ModuleSpec(name, SourceFileLoader(name, place), origin=place)
            spec.has_location = True
            return spec
    return None
