"""Virtual environments in which the package is installed in different ways, without a network.

What the package needs is borrowed from the running interpreter by links, one for each module or package: our own
package is never among them, and single packages can be left out.
"""

import subprocess
import sys
import tarfile
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from support.repository import ROOT
from support.sessions import clean_environment


@dataclass(frozen=True)
class Python:
    executable: str
    env: Mapping[str, str]


class Wheelhouse:
    """Builds the wheel once, and what installations are made from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def wheel(self) -> Path:
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(self.folder / "wheels"), str(ROOT))
        (found,) = (self.folder / "wheels").glob("*.whl")
        return found

    def dependencies(self, folder: Path, *missing: str) -> Path:
        """Make a folder with links to all packages that the running interpreter has, but ours and these."""
        folder.mkdir(parents=True)
        left_out = tuple(each.lower() for each in ("pytest_automation_report", "_editable", "__pycache__", *missing))
        for each in Path(pytest.__file__).parents[1].iterdir():
            if not each.name.lower().startswith(left_out) and each.suffix != ".pth":
                (folder / each.name).symlink_to(each)
        return folder

    def empty_venv(self, folder: Path, *missing: str) -> Python:
        """Make a virtual environment that sees what the package needs, but not the package."""
        venv.EnvBuilder(symlinks=True).create(folder)
        executable = folder / "bin" / "python"
        borrowed = self.dependencies(folder / "borrowed", *missing)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "borrowed.pth").write_text(f"{borrowed}\n")
        return Python(str(executable), {})


def unpacked_sdist(folder: Path) -> Path:
    """Build the source distribution in this folder, unpack it there and return its root."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, env=clean_environment(), capture_output=True, timeout=120, check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def pip(*arguments: str, python: Python | None = None) -> None:
    """Run the running interpreter's pip, for another interpreter where one is given; fail with what it says."""
    own = {name: value for name, value in clean_environment().items() if not name.startswith("PYTHON")}
    target = ["--python", python.executable] if python is not None else []
    done = subprocess.run(
        [sys.executable, "-m", "pip", *target, "--disable-pip-version-check", "--no-input", *arguments],
        env={**own, **(python.env if python is not None else {}), "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
