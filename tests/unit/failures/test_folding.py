"""Which frames of a traceback are shown, and what stands for the others."""

import pytest

from pytest_automation_report.failures.reading import Call, folded, is_in_package
from pytest_automation_report.failures.tracebacks import Frame

TEST = Frame("tests/test_cart.py", 10, "test_total")
CART = Frame("shop/cart.py", 20, "total")
JSON = Frame("/usr/lib/python3.11/json/decoder.py", 30, "decode")
PACKAGE = Frame("/shop/.venv/lib/python3.11/site-packages/jinja2/environment.py", 40, "compile")


def titles(frames: list[Frame]) -> list[str]:
    """Return what is shown: functions, with a star for the open one, and titles of folds."""
    return [
        f"{'*' if part.is_open else ''}{part.frame.function}" if isinstance(part, Call) else part.title
        for part in folded(frames)
    ]


WALK, LEAF = Frame("shop/tree.py", 14, "walk"), Frame("shop/tree.py", 12, "walk")
# Python itself left calls of this line out.
LAST = Frame("shop/tree.py", 14, "walk", repeats=57)
PING, PONG = Frame("shop/ping.py", 1, "ping"), Frame("shop/ping.py", 2, "pong")


@pytest.mark.parametrize(
    ("frames", "shown"),
    [
        ([TEST, CART, JSON, PACKAGE], ["2 calls in packages", "*total", "test_total"]),
        ([TEST, JSON, CART], ["*total", "1 call in packages", "test_total"]),
        ([JSON, PACKAGE], ["*compile", "1 call in packages"]),
        ([TEST, *[WALK] * 60, LEAF], ["*walk", "walk", "59 more calls of walk", "test_total"]),
        ([TEST, *[PING, PONG] * 10, LEAF], ["*walk", "pong", "ping", "18 more calls of ping and pong", "test_total"]),
        ([TEST, *[WALK] * 20], ["*walk", "walk", "18 more calls of walk", "test_total"]),
        ([TEST, WALK, WALK, LAST, LEAF], ["*walk", "walk", "59 more calls of walk", "test_total"]),
        ([], []),
    ],
    ids=["packages", "package between", "packages alone", "recursion", "two functions", "endless", "left out", "none"],
)
def test_calls_are_folded(frames: list[Frame], shown: list[str]) -> None:
    """The innermost frame stands first, and the innermost own one is open, never hidden in a count of repetitions.

    Neighbours in packages are one fold, and so are calls that repeat, also those that Python left out.
    """
    assert titles(frames) == shown


@pytest.mark.parametrize(
    ("path", "is_foreign"),
    [
        ("tests/test_cart.py", False),
        ("/home/anna/shop/cart.py", False),
        ("../shop/cart.py", False),
        ("lib/python/cart.py", False),
        ("/usr/lib/python3.11/json/decoder.py", True),
        (".venv/lib/python3.13/site-packages/a.py", True),
        ("C:\\Python311\\Lib\\json\\decoder.py", True),
        ("<frozen importlib._bootstrap>", True),
        ("/usr/lib/python3/dist-packages/a.py", True),
    ],
)
def test_files_of_packages(path: str, *, is_foreign: bool) -> None:
    """A file is in a package if its path says so, on Linux, macOS and Windows."""
    assert is_in_package(path) == is_foreign
