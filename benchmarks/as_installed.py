"""Load plugins as pytest loads installed ones; bare pytest loads this module, too, with none.

``-p NAME`` differs from an installation in two ways. pytest searches all installed packages for each such option, which
takes 5 ms, and it does so once at each usual start, with plugins or without. And it marks only that module, where of an
installed package it marks all modules, to rewrite their asserts, and then reads each of them by its own import hook.
"""

from __future__ import annotations

import os

import pytest

pytest_plugins = os.environ["BENCHMARK_PLUGINS"].split()
pytest.register_assert_rewrite(*(name.partition(".")[0] for name in pytest_plugins))
