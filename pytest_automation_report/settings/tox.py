"""Find out whether the configuration of tox passes variables of this package on to its environments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILES: Final = ("tox.ini", "tox.toml", "setup.cfg", "pyproject.toml")
_PASSED: Final = re.compile(r"""AUTOMATION_(?:REPORT|\*)|pass_?env\s*=\s*\[?\s*["']?\*""")


def passes_variables(root: Path, environ: Mapping[str, str]) -> bool:
    """Return whether tox's configuration in the root folder, or beside tox's own, names our variables or passes all."""
    folders = {root, Path(environ.get("TOX_WORK_DIR") or root / ".tox").parent}
    files = [path for folder in folders for name in _FILES if (path := folder / name).is_file()]
    try:
        return any(_PASSED.search(path.read_text(encoding="utf-8", errors="replace")) for path in files)
    except OSError:
        return True  # it cannot be told: no warning
