"""Reports sessions of pytest in this process: they are recorded, and then sent by the console command."""

import warnings
from importlib import import_module
from pkgutil import iter_modules

import pytest

from pytest_automation_report import recording, session, spool, text
from support.canary import holds_token
from support.checked_server import CheckedServer
from support.commands import in_surroundings, run_command
from support.sessions import TOKEN, Ran, reporting_arguments, session_environment

# pytester takes modules away that a session has loaded, and each has state of its own: there is one of each.
for _package in (recording, session, spool, text):
    for _module in iter_modules(_package.__path__, f"{_package.__name__}."):
        import_module(_module.name)


def recorded(pytester: pytest.Pytester, *arguments: str, server: CheckedServer, exits: int = 0) -> Ran:
    """Run a session of this folder with nothing sent while it runs, then send it; return what pytest printed."""
    command = [*reporting_arguments(server.address)[3:], "--automation-report-delivery=later", *arguments]
    with in_surroundings(pytester.path, session_environment()), warnings.catch_warnings():
        warnings.resetwarnings()
        done = pytester.runpytest_inprocess(*command, syspathinsert=True, no_reraise_ctrlc=True)
    run_command(pytester.path, ["send", *server.options], exits=0)
    ran = Ran(int(done.ret), done.stdout.str(), done.stderr.str())
    assert not holds_token(ran.text.encode(errors="replace"), TOKEN)
    assert ran.exit == exits, ran.text
    return ran
