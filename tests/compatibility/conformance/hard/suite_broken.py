"""Cannot be imported."""

from importlib import import_module

import_module("nothing_like_it")


def test_never():
    pass
