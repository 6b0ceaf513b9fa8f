"""Calls of users' hooks (floor 1): one that fails is told once, and changes nothing else."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_automation_report.limits import string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    from pytest_automation_report.rules import Texts

_Answer = TypeVar("_Answer")

DESCRIBE_RUN: Final = "pytest_automation_report_describe_run"
DESCRIBE_TEST: Final = "pytest_automation_report_describe_test"
PUBLISH_ARTIFACT: Final = "pytest_automation_report_publish_artifact"
FINISHED: Final = "pytest_automation_report_finished"

_WITHOUT: Final[Mapping[str, str]] = {
    DESCRIBE_RUN: "the run goes without its additions",
    DESCRIBE_TEST: "results go without its additions",
    PUBLISH_ARTIFACT: "files go without an address",
    FINISHED: "the report is not affected",
}
PREFIX: Final = "pytest_automation_report"
"""How the names of all hooks of this plugin begin."""

_MOST_TOLD: Final = 10
_MORE: Final = f"more of this kind went wrong; the first {_MOST_TOLD} are told"


class Troubles:
    """What went wrong in users' own code and settings, each text once; owned by one process."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    @property
    def texts(self) -> list[str]:
        """What is to be told, in the order in which it came."""
        return list(self._texts)

    def add(self, text: str) -> None:
        """Take a text; when there are too many already, tell that there are more."""
        cleaned = string(text)
        if cleaned not in self._texts:
            self._texts.setdefault(cleaned if len(self._texts) < _MOST_TOLD else _MORE)

    def add_unknown_hooks(self, config: pytest.Config) -> None:
        """Report each function in a plugin or conftest that is named like a hook of ours but is none.

        pytest itself refuses such a name, but not where it is marked with ``optionalhook=True``, as ours are to be.
        """
        # Without the prefix, by which all names would be near to each other.
        endings = [each.removeprefix(PREFIX) for each in _WITHOUT]
        for name, caller in sorted(vars(config.pluginmanager.hook).items()):
            if name.startswith(PREFIX) and not caller.has_spec():
                near = difflib.get_close_matches(name.removeprefix(PREFIX), endings)
                hint = f"did you mean {PREFIX}{near[0]}?" if near else f"the hooks are {', '.join(_WITHOUT)}"
                for each in caller.get_hookimpls():
                    code = getattr(each.function, "__code__", None)
                    place = f" in {code.co_filename}" if code is not None else ""
                    self.add(f"{name}{place}: no hook has this name, so it is never called; {hint}")

    def ask(self, hook: str, call: Callable[[], _Answer]) -> _Answer | None:
        """Return what a hook answers, None when it failed; what ends the session (`pytest.exit`, Ctrl-C) passes."""
        import pytest  # noqa: PLC0415 - code that annotates must not load pytest where no test runs

        try:
            return call()
        except pytest.exit.Exception:
            raise
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:  # noqa: BLE001 - a user's code may raise anything; it is told
            self.refuse(hook, error, _place(hook, error))
            return None

    def checked(
        self, hook: str, check: Callable[[object, Texts], _Answer], answer: object, clean: Texts
    ) -> _Answer | None:
        """Return what a hook's answer comes to, None when it cannot be used."""
        try:
            return check(answer, clean)
        except (TypeError, ValueError, AttributeError) as error:
            self.refuse(hook, error)
            return None

    def refuse(self, hook: str, error: BaseException, place: str = "") -> None:
        """Tell that what a hook answered, or that it failed, cannot be used."""
        where = f" in {place}" if place else ""
        self.add(f"{hook}{where}: {type(error).__name__}: {error}; {_WITHOUT[hook]}")


def _place(hook: str, error: BaseException) -> str:
    """Return the file of the hook that raised."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = code.co_filename
        if code.co_name == hook:
            return place
        trace = trace.tb_next
    return place
