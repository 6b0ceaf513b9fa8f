"""Where real packages' tests run: source distributions and environments, kept in a cache outside of the project."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from compatibility.real.packages import Package
from support.needs import needed
from support.repository import ROOT

_SECONDS = 600


class UnavailableError(Exception):
    """The registry or a package cannot be had; the message says what pip says."""


@dataclass(frozen=True, slots=True)
class Place:
    """A package ready to be tested: its interpreter and its unpacked source."""

    python: Path
    source: Path

    def fresh(self, folder: Path) -> Path:
        """Return an untouched copy of the source, always under the same path."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.source, folder, symlinks=True)
        return folder


def default_cache() -> Path:
    """Return the cache's folder for this user and this Python."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pytest-automation-report-suites" / f"{sys.version_info.major}.{sys.version_info.minor}"


def cached(name: str, what: str, command: Sequence[str], files: Mapping[str, str] | None = None) -> Path:
    """Return a folder of the cache that a command makes, once, beside these files; skip the test if it cannot."""
    folder = default_cache() / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        for each, text in (files or {}).items():
            (made / each).write_text(text)
        done = subprocess.run(command, cwd=made, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            shutil.rmtree(made)
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            pytest.skip(f"{what} cannot be installed: {lines[-1]}")
        try:
            made.rename(folder)
        except OSError:  # another session was quicker
            shutil.rmtree(made)
    return folder


def from_npm(name: str, what: str, **package: object) -> Path:
    """Return a folder of the cache with what a file ``package.json`` asks for."""
    needed("npm")
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    return cached(name, what, install, {"package.json": json.dumps({"private": True, **package})})


def prepare(package: Package, cache: Path) -> Place:
    """Return the package's place, made when the cache has none; raise `UnavailableError` where that cannot be done."""
    folder = cache / f"{package.name}-{package.version}"
    python = folder / "venv" / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        source = _unpacked(package, folder)
        # The environment takes this interpreter's pip: to give it one would take longer than the packages do.
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")])
        wanted = ["pytest", "pytest-xdist", *package.needed]
        _install(python, str(source), *wanted)
        ready.touch()
    if ready.read_text() != str(ROOT):  # editable, and so the code as it is now, of the clone that asks
        _install(python, "--editable", str(ROOT))
        ready.write_text(str(ROOT))
    (packages,) = folder.glob("venv/lib/python*/site-packages")
    shutil.copy(Path(__file__).with_name("session_state.py"), packages)
    return Place(python, _only_folder(folder / "source"))


def _install(python: Path, *arguments: str) -> None:
    _run([sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *arguments])


def _unpacked(package: Package, folder: Path) -> Path:
    wanted = ["--no-deps", "--no-binary", package.name, f"{package.name}=={package.version}"]
    _run([sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), *wanted])
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder / "source", filter="data")
    return _only_folder(folder / "source")


def _only_folder(folder: Path) -> Path:
    (only,) = folder.iterdir()
    return only


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"no answer within {_SECONDS} s: {' '.join(command[1:])}") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        raise UnavailableError(f"{' '.join(command[1:4])}: {lines[-1]}")
