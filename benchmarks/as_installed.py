"""Load plugins as pytest loads installed ones; bare pytest loads this module, too, with none.

``-p NAME`` differs from an installation in two ways. pytest searches all installed packages for each such option, and
for each name in ``pytest_plugins``, which takes 5 ms; at a usual start it does so once, with plugins or without. And it
marks only that module, where of an installed package it marks all modules, to rewrite their asserts, and then reads
each of them by its own import hook.
"""

from __future__ import annotations

import os
from importlib import import_module

import pytest

_PLUGINS = os.environ["BENCHMARK_PLUGINS"].split()
pytest.register_assert_rewrite(*(name.partition(".")[0] for name in _PLUGINS))


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the plugins, before pytest asks for options."""
    for name in _PLUGINS:
        pluginmanager.register(import_module(name), name)
