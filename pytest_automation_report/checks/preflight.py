"""Checks before the first test (floor 3), in a process of their own: pytest's must not load what they need.

Imported in pytest's process, so this module imports nothing of the client.
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
"""How long all checks together may take: each of their steps has a limit of its own."""

_BOOT: Final = """\
'pytest_automation_report preflight'
import json, sys
given = json.loads(sys.stdin.buffer.read())
sys.path += given['folders']
from pytest_automation_report.checks.connection import connection_checks
from pytest_automation_report.api.models import Endpoint, Token
found = connection_checks(Endpoint(**given['endpoint']), Token(given['token']))
print(json.dumps([each.to_json() for each in found]))
"""


def preflight_checks(endpoint: Endpoint, token: Token) -> list[Check]:
    """Return what became of the checks of the way to a server; one that says so where they could not be made."""
    try:
        needed = (*NEEDED, *(NEEDED_EMBEDDED if endpoint.is_embedded else ()))
        given = {"folders": folders_of(needed), "endpoint": asdict(endpoint), "token": token.value}
        done = subprocess.run(  # noqa: S603 - our own interpreter and text; the token goes through a pipe
            [sys.executable, "-I", "-S", *(["-B"] if sys.flags.dont_write_bytecode else []), "-X", "utf8", "-c", _BOOT],
            input=json.dumps(given).encode(),
            capture_output=True,
            cwd="/",
            env=loader_environment(),
            timeout=WHOLE_SECONDS,
            check=True,
        )
        return [Check.from_json(each) for each in json.loads(done.stdout)]
    except subprocess.TimeoutExpired:
        return [_not_made(f"they took longer than {WHOLE_SECONDS:g} s")]
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", errors="replace").strip().splitlines() or [f"status {error.returncode}"]
        return [_not_made(lines[-1])]
    except (LaunchError, OSError, ValueError) as error:
        return [_not_made(str(error))]


def _not_made(why: str) -> Check:
    program = Path(sys.executable).name
    return Check("preflight", "failed", f"the checks could not be made by {program}: {why}", "leave preflight out")
