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


def test_the_innermost_own_frame_is_open() -> None:
    """The innermost frame stands first, the innermost own one is open, neighbours in packages are one fold."""
    assert titles([TEST, CART, JSON, PACKAGE]) == ["2 calls in packages", "*total", "test_total"]
    assert titles([TEST, JSON, CART]) == ["*total", "1 call in packages", "test_total"]


def test_frames_in_packages_alone() -> None:
    """If no frame is the user's own the innermost one is open."""
    assert titles([JSON, PACKAGE]) == ["*compile", "1 call in packages"]


def test_repeated_calls_are_counted() -> None:
    """Calls that repeat are shown once, also those of functions that call each other, and the last one stays open."""
    walk = Frame("shop/tree.py", 14, "walk")
    leaf = Frame("shop/tree.py", 12, "walk")
    assert titles([TEST, *[walk] * 60, leaf]) == ["*walk", "walk", "59 more calls of walk", "test_total"]
    ping, pong = Frame("shop/ping.py", 1, "ping"), Frame("shop/ping.py", 2, "pong")
    assert titles([TEST, *[ping, pong] * 10, leaf]) == [
        "*walk",
        "pong",
        "ping",
        "18 more calls of ping and pong",
        "test_total",
    ]


def test_a_recursion_that_never_ends() -> None:
    """The innermost call of an endless recursion is open, and not hidden in the count."""
    walk = Frame("shop/tree.py", 14, "walk")
    assert titles([TEST, *[walk] * 20]) == ["*walk", "walk", "18 more calls of walk", "test_total"]


def test_calls_that_python_left_out_count() -> None:
    """Repetitions that Python left out are in the count."""
    walk = Frame("shop/tree.py", 14, "walk")
    last = Frame("shop/tree.py", 14, "walk", repeats=57)
    leaf = Frame("shop/tree.py", 12, "walk")
    assert titles([TEST, walk, walk, last, leaf]) == ["*walk", "walk", "59 more calls of walk", "test_total"]


def test_no_frames() -> None:
    """A failure without frames has nothing to fold."""
    assert folded([]) == []


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
