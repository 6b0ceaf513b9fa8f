"""Run the checks of the connection before the first test, in a separate process; the result of one check.

This module is imported in pytest's process, which must not load the HTTP client: the separate process does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, convert, field, to_builtins

from pytest_automation_report.delivery.launch import NEEDED, NEEDED_EMBEDDED, LaunchError, printed_by
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Endpoint, Token


WHOLE_SECONDS: Final = 40
"""Time limit of all checks together; each step has a separate one."""

_CODE: Final = """\
from msgspec import to_builtins
from pytest_automation_report.checks.connection import connection_checks
from pytest_automation_report.api.models import Endpoint, Token
checks = connection_checks(Endpoint(**start['endpoint']), Token(start['token']))
print(json.dumps(to_builtins(checks)))
"""


def preflight_checks(endpoint: Endpoint, token: Token) -> list[Check]:
    """Run the checks of the connection; return their results, or one failed check if they could not be run."""
    needed = NEEDED_EMBEDDED if endpoint.is_embedded else NEEDED
    start = {"endpoint": to_builtins(endpoint), "token": token.value}
    try:
        printed = printed_by(_CODE, start, needed=needed, seconds=WHOLE_SECONDS)
        return convert(Unpatched.decode(printed), list[Check])
    except (LaunchError, ValueError) as error:
        return [Check("preflight", "failed", f"the checks could not be made: {error}", "leave preflight out")]


State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class Check(Struct, frozen=True):
    """One check: its name, its state, the finding, and the remedy, empty if there is nothing to do.

    Its keys are those of ``doctor --json``, which other programs read.
    """

    name: str
    state: State
    finding: str = field(name="told")
    remedy: str = ""

    @property
    def line(self) -> str:
        """The check as one line of text."""
        return f"{self.name}: {self.finding}{f': {self.remedy}' if self.remedy else ''}"


def skipped(names: tuple[str, ...], reason: str) -> list[Check]:
    """Return these checks as skipped, all for the same reason."""
    return [Check(name, "skipped", reason) for name in names]
