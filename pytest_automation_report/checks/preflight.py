"""Run the checks of the connection before the first test, in a separate process.

This module is imported in pytest's process, which must not load the HTTP client: the separate process does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_automation_report.checks.check import Check
from pytest_automation_report.delivery.launch import (
    NEEDED,
    NEEDED_EMBEDDED,
    LaunchError,
    folders_of,
    loader_environment,
)

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Endpoint, Token

__all__ = ["preflight_checks"]

WHOLE_SECONDS: Final = 40.0
"""Time limit of all checks together; each step has a separate one."""

_BOOT: Final = """\
'pytest_automation_report preflight'
import json, sys
start = json.loads(sys.stdin.buffer.read())
sys.path += start['folders']
from pytest_automation_report.checks.connection import connection_checks
from pytest_automation_report.api.models import Endpoint, Token
checks = connection_checks(Endpoint(**start['endpoint']), Token(start['token']))
print(json.dumps([check.body() for check in checks]))
"""


def preflight_checks(endpoint: Endpoint, token: Token) -> list[Check]:
    """Run the checks of the connection; return their results, or one failed check if they could not be run."""
    try:
        needed = NEEDED_EMBEDDED if endpoint.is_embedded else NEEDED
        start = {"folders": folders_of(needed), "endpoint": asdict(endpoint), "token": token.value}
        done = subprocess.run(  # noqa: S603 - our own interpreter and text; the token goes through a pipe
            [sys.executable, "-I", "-S", *(["-B"] if sys.flags.dont_write_bytecode else []), "-X", "utf8", "-c", _BOOT],
            input=json.dumps(start).encode(),
            capture_output=True,
            cwd="/",
            env=loader_environment(),
            timeout=WHOLE_SECONDS,
            check=True,
        )
        return [Check.from_body(body) for body in json.loads(done.stdout)]
    except subprocess.TimeoutExpired:
        return [_not_run(f"they took longer than {WHOLE_SECONDS:g} s")]
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", errors="replace").strip().splitlines() or [f"status {error.returncode}"]
        return [_not_run(lines[-1])]
    except (LaunchError, OSError, ValueError) as error:
        return [_not_run(str(error))]


def _not_run(reason: str) -> Check:
    program = Path(sys.executable).name
    return Check("preflight", "failed", f"the checks could not be made by {program}: {reason}", "leave preflight out")
