"""Call users' hooks and collect the errors of users' code.

A hook that raises, or returns a value that cannot be sent, is reported once in the summary and never affects the
session.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_automation_report.text.limits import string
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from pytest_automation_report.text.redaction import TextCleaner

_Returned = TypeVar("_Returned")

DESCRIBE_RUN: Final = "pytest_automation_report_describe_run"
DESCRIBE_TEST: Final = "pytest_automation_report_describe_test"
PUBLISH_ARTIFACT: Final = "pytest_automation_report_publish_artifact"
FINISHED: Final = "pytest_automation_report_finished"

_CONSEQUENCES: Final[Mapping[str, str]] = {
    DESCRIBE_RUN: "the run goes without its additions",
    DESCRIBE_TEST: "results go without its additions",
    PUBLISH_ARTIFACT: "files go without an address",
    FINISHED: "the report is not affected",
}
PREFIX: Final = "pytest_automation_report"
"""Prefix of the names of all hooks of this plugin."""

_MAX_TEXTS: Final = 10
_MORE_TEXTS: Final = f"more errors of this kind occurred; the first {_MAX_TEXTS} are shown"


class UserErrors:
    """Errors in users' code and settings, each text once; owned by one process.

    The number of texts is bounded: a marker with a wrong argument may stand at each of thousands of tests.
    """

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    @property
    def texts(self) -> list[str]:
        """The errors, in the order in which they were added."""
        return list(self._texts)

    def add(self, text: str) -> None:
        """Add an error; after the maximum, one text says that there are more."""
        line = string(text)
        if line not in self._texts:
            self._texts.setdefault(line if len(self._texts) < _MAX_TEXTS else _MORE_TEXTS)

    def add_unknown_hooks(self, config: pytest.Config) -> None:
        """Report each function in a plugin or conftest that is named like a hook of ours but is none.

        pytest itself refuses such a name, but not where it is marked with ``optionalhook=True``, as ours are to be.
        """
        # Without the prefix: with it, all names would be similar to each other.
        endings = [hook.removeprefix(PREFIX) for hook in _CONSEQUENCES]
        for name, caller in sorted(vars(config.pluginmanager.hook).items()):
            if name.startswith(PREFIX) and not caller.has_spec():
                near = difflib.get_close_matches(name.removeprefix(PREFIX), endings)
                hint = f"did you mean {PREFIX}{near[0]}?" if near else f"the hooks are {', '.join(_CONSEQUENCES)}"
                for implementation in caller.get_hookimpls():
                    code = getattr(implementation.function, "__code__", None)
                    place = f" in {code.co_filename}" if code is not None else ""
                    self.add(f"{name}{place}: no hook has this name, so it is never called; {hint}")

    def call(self, name: str, hook: Callable[..., _Returned], **arguments: object) -> _Returned | None:
        """Call a hook and return its value, None if it raised; `pytest.exit` and Ctrl-C still end the session."""
        import pytest  # noqa: PLC0415 - code that annotates must not load pytest where no test runs

        try:
            return hook(**arguments)
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except BaseException as error:  # noqa: BLE001 - a user's code may raise anything; it is reported
            self.add_hook_error(name, error, _file_of_hook(name, error))
            return None

    def validated(
        self, name: str, validate: Callable[[object, TextCleaner], _Returned], value: object, cleaner: TextCleaner
    ) -> _Returned | None:
        """Return the validated value of a hook, None if it cannot be used."""
        try:
            return validate(value, cleaner)
        except KeyboardInterrupt:
            raise
        # A value of the right class may still hold others of wrong ones, such as `Field(meta=None)`.
        except BaseException as error:  # noqa: BLE001 - the value and its parts are users' objects
            self.add_hook_error(name, error)
            return None

    def add_hook_error(self, name: str, error: BaseException, file: str = "") -> None:
        """Add the error of a hook, with its consequence for the report."""
        place = f" in {file}" if file else ""
        self.add(f"{name}{place}: {type(error).__name__}: {safe_str(error)}; {_CONSEQUENCES[name]}")


def _file_of_hook(name: str, error: BaseException) -> str:
    """Return the file of the hook that raised, or of the innermost frame if no frame is the hook's."""
    file, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        file = code.co_filename
        if code.co_name == name:
            return file
        trace = trace.tb_next
    return file
