"""Reports sessions of pytest in this process: they are recorded, and then sent by the console command."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

import pytest

from pytest_automation_report import recording, session, spool, text
from support.canary import holds_token
from support.commands import in_surroundings, run_command
from support.projects import Project
from support.sessions import TOKEN, Ran, reporting_arguments, session_environment

# pytester takes modules away that a session has loaded, and each has state of its own: there is one of each.
for _package in (recording, session, spool, text):
    for _module in iter_modules(_package.__path__, f"{_package.__name__}."):
        import_module(_module.name)


def recorded(
    pytester: pytest.Pytester,
    *arguments: str,
    address: str,
    env: Mapping[str, str] | None = None,
    exits: int | None = None,
) -> Ran:
    """Run a session of this folder with nothing sent while it runs, then send it; return what both printed."""
    env = env if env is not None else session_environment()
    command = [*reporting_arguments(address)[3:], "--automation-report-delivery=later", *arguments]
    with in_surroundings(pytester.path, env), warnings.catch_warnings():
        warnings.resetwarnings()
        done = pytester.runpytest_inprocess(*command, syspathinsert=True, no_reraise_ctrlc=True)
    ran = Ran(int(done.ret), done.stdout.str(), done.stderr.str())
    assert not holds_token(ran.text.encode(errors="replace"), TOKEN)
    assert exits is None or ran.exit == exits, ran.text
    sent = run_command(pytester.path, ["send", "--url", address, "--project-id", "1"], env, 0)
    return Ran(ran.exit, f"{ran.out}\n{sent.out}{sent.err}", ran.err)


@dataclass(frozen=True, kw_only=True)
class RecordedProject(Project):
    """A project whose sessions run in this process, but those with workers, in the embedded store, or to be sent."""

    pytester: pytest.Pytester

    def report(
        self,
        *arguments: str,
        address: str | None = None,
        env: Mapping[str, str] | None = None,
        exits: int | None = None,
    ) -> Ran:
        """Run a reported session, and let a command send what it has recorded."""
        if address is None or any(each.startswith(("-n", "--automation-report-delivery")) for each in arguments):
            return super().report(*arguments, address=address, env=env, exits=exits)
        return recorded(self.pytester, *arguments, address=address, env=env, exits=exits)
