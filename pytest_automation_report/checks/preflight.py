"""Run the checks of the connection before the first test, in a separate process.

This module is imported in pytest's process, which must not load the HTTP client: the separate process does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import convert, to_builtins

from pytest_automation_report.checks.check import Check
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
