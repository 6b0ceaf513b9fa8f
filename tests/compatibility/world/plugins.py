"""pytest plugins of others, each in a folder of its own, so that only the sessions that ask for one load it.

Some get in each other's way (three that repeat tests), some act on every session that sees them (an order at random).
"""

import os
import sys
from pathlib import Path
from typing import Final

from compatibility.real.workplace import cached

_PACKAGES: Final[dict[str, tuple[str, ...]]] = {
    "allure-pytest": ("allure-pytest", "allure-python-commons", "attrs"),
    "anyio": ("anyio", "sniffio", "exceptiongroup"),
    "pyfakefs": ("pyfakefs",),
    "pytest-asyncio": ("pytest-asyncio", "backports-asyncio-runner"),
    "pytest-bdd": ("pytest-bdd", "gherkin-official", "mako", "markupsafe", "parse", "parse-type", "six"),
    "pytest-cov": ("pytest-cov",),
    "pytest-forked": ("pytest-forked", "py"),
    "pytest-html": ("pytest-html", "pytest-metadata", "jinja2", "markupsafe"),
    "pytest-randomly": ("pytest-randomly",),
    "pytest-repeat": ("pytest-repeat",),
    "pytest-socket": ("pytest-socket",),
    "pytest-subtests": ("pytest-subtests", "attrs"),
    "pytest-timeout": ("pytest-timeout",),
    "requests-mock": ("requests-mock",),
}
"""What is installed for each plugin; what else they need, the tests' own environment has."""


def folder_of(plugin: str) -> Path:
    """Return the folder to put on a session's path; skip the test where the registry does not give the plugin."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", "."]
    return cached(f"plugins/{plugin}", plugin, [*install, *_PACKAGES[plugin]])


def search_path(*plugins: str) -> dict[str, str]:
    """Return the environment in which a session sees these plugins."""
    folders = [str(folder_of(each)) for each in plugins]
    return {"PYTHONPATH": os.pathsep.join(folders)} if folders else {}
