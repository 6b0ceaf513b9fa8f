"""The guard of hooks: each hook has it, and an error of this package changes nothing of a session."""

import ast
from collections.abc import Generator
from pathlib import Path

import pytest

import pytest_automation_report
from pytest_automation_report.guards import Errors, Hooks, guarded, safe_str

PACKAGE = Path(pytest_automation_report.__file__).parent


def hooks_without_guard(text: str) -> list[str]:
    """Return the names and lines of a module's hook implementations that lack the decorator."""
    return [
        f"{node.name}, line {node.lineno}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("pytest_")
        and "guarded" not in map(ast.unparse, node.decorator_list)
    ]


def test_every_hook_is_guarded() -> None:
    """No implementation of a hook of pytest or of another plugin can raise an error of ours."""
    modules = [path for path in PACKAGE.rglob("*.py") if path.name != "hookspecs.py"]
    unguarded = {str(path): found for path in modules if (found := hooks_without_guard(path.read_text("utf-8")))}
    assert unguarded == {}
    # The search looks into classes and at wrappers, and other decorators are no guard.
    text = "class A:\n    @pytest.hookimpl(wrapper=True)\n    def pytest_b(self):\n        yield\n"
    assert hooks_without_guard(text) == ["pytest_b, line 3"]
    assert hooks_without_guard(text.replace("    def", "    @guarded\n    def")) == []


class Broken(Hooks):
    def __init__(self, error: BaseException) -> None:
        self.internal_errors = Errors()
        self.error = error

    @guarded
    def pytest_report_header(self) -> str:
        raise self.error

    @guarded
    def pytest_runtest_makereport(self) -> Generator[None, str, str]:
        yield
        raise self.error


def wrapped(hooks: Broken, result: str) -> str:
    """Run the wrapper as pluggy does."""
    steps = hooks.pytest_runtest_makereport()
    next(steps)
    try:
        steps.send(result)
    except StopIteration as end:
        return str(end.value)
    raise AssertionError("a wrapper that goes on")


class Unprintable(Exception):  # noqa: N818 - a user's
    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize("error", [KeyError("k"), Unprintable(), TimeoutError("t")])
def test_error_is_counted(error: BaseException) -> None:
    """What a hook raises is counted with its place; the hook returns nothing, a wrapper the result that it got."""
    hooks = Broken(error)
    returned: list[str | None] = [hooks.pytest_report_header(), wrapped(hooks, "result")]
    assert returned == [None, "result"]
    assert [text.partition(": ")[0] for text in hooks.internal_errors.texts] == [
        "pytest_report_header",
        "pytest_runtest_makereport",
    ]


class Timeout(BaseException):
    pass


ENDS = [KeyboardInterrupt(), SystemExit(1), pytest.exit.Exception("e"), Timeout()]
ENDS += [pytest.fail.Exception("f"), pytest.skip.Exception("s"), pytest.xfail.Exception("x")]


@pytest.mark.parametrize("end", [*ENDS, pytest.UsageError()], ids=lambda end: type(end).__name__)
def test_ends_of_a_test_or_session_are_raised(end: BaseException) -> None:
    """What ends a test or a session goes on from a hook: it may be a time limit, or a user's wish."""
    hooks = Broken(end)
    with pytest.raises(type(end)):
        hooks.pytest_report_header()
    with pytest.raises(type(end)):
        wrapped(hooks, "result")
    assert hooks.internal_errors.texts == []


class Raising:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error


def test_what_a_text_of_users_raises_is_named() -> None:
    """An error that the ``__str__`` of a value raises becomes its text, so that it ends no test."""
    assert safe_str(Raising(ValueError("why"))) == "<Raising without a text: ValueError>"


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
def test_a_text_of_users_can_end_a_test(end: BaseException) -> None:
    """What ends a test or a session goes on from the ``__str__`` of a value."""
    with pytest.raises(type(end)):
        safe_str(Raising(end))


def test_a_text_of_a_class_of_users_is_plain() -> None:
    """A text whose class has methods of its own becomes a plain one with the same characters."""

    class Shouting(str):
        __slots__ = ()

        def __str__(self) -> str:
            return self

        def upper(self) -> str:
            raise AssertionError

    assert type(safe_str(Shouting("a"))) is str
    assert safe_str(Shouting("a")) == "a"
