"""Find how a user has to type the console command, so that printed commands run as they stand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME: Final = "automation-report"
_MODULE: Final = "pytest_automation_report.cli"


def console_command(environ: Mapping[str, str], python: str) -> tuple[str, ...]:
    """Return the words that run the console command of the interpreter ``python`` from any folder.

    The plain name only where the PATH leads to this very environment: a virtual environment need not be activated, and
    another one may be.
    """
    on_path = shutil.which(_NAME, path=environ.get("PATH", ""))
    own = next((found for folder in _script_folders(python) if (found := shutil.which(_NAME, path=folder))), None)
    if on_path is not None and (own is None or _is_same_file(own, on_path)):
        return (_NAME,)
    if own is None:
        return (python, "-m", _MODULE)
    return (str(Path(own).parent.resolve() / _NAME),)


def _script_folders(python: str) -> Iterator[str]:
    yield str(Path(python).parent)
    import sysconfig  # noqa: PLC0415 - most often the folder above has it

    yield sysconfig.get_path("scripts")
    user_scheme = sysconfig.get_preferred_scheme("user")
    if user_scheme in sysconfig.get_scheme_names():
        yield sysconfig.get_path("scripts", user_scheme)


def _is_same_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:  # removed in this moment
        return False
