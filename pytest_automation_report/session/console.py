"""Before the tests run, ask the server or store whether it can be used, and which tests failed last.

pytest's process opens no socket and no store: code of the console command asks, in a process of its own.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec import to_builtins

from pytest_automation_report.delivery.launch import (
    BEGIN,
    NEEDED_CONSOLE,
    LaunchError,
    command_for,
    folders_of,
    loader_environment,
)
from pytest_automation_report.guards import InternalErrors, guarded
from pytest_automation_report.session.collection import CollectionHooks, nodeids_of, prefix_of
from pytest_automation_report.settings.settings import LOCAL_URL, Settings
from pytest_automation_report.spool.records import identity_of, key_of
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import quantity
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_automation_report.api.models import Token

_CHECKS: Final = """\
from pytest_automation_report.cli.doctor import connection_checks
from pytest_automation_report.api.models import Endpoint, Token
checks = connection_checks(Endpoint(**start['endpoint']), Token(start['token']))
print('; '.join(check.line for check in checks if check.state == 'failed'))
"""
_CHECKS_SECONDS: Final = 40  # three checks of 10 s each, and the start of Python


def check_before(configuration: Settings, token: Token | None) -> None:
    """Raise `pytest.UsageError` if results cannot be sent; without a token they are sent later, which is allowed."""
    origin = configuration.origins.get("preflight", "preflight")
    if configuration.blocking_error:
        raise pytest.UsageError(f"{origin}: results cannot be sent: {configuration.blocking_error}")
    if token is None:
        return
    start = {"endpoint": to_builtins(configuration.endpoint), "token": token.value}
    try:
        printed = PrintingProcess(_CHECKS, start, seconds=_CHECKS_SECONDS).printed()
    except LaunchError as error:
        raise pytest.UsageError(f"{origin}: the checks could not be made: {error}: leave preflight out") from error
    if printed.strip():
        target = configuration.url or configuration.database
        raise pytest.UsageError(f"{origin}: {target} cannot be used: {printed.strip()}")


class PrintingProcess:
    """Code of the console command that runs in an interpreter of its own, where ``start`` is a variable.

    pytest goes on meanwhile. Raises `LaunchError` if it cannot be started.
    """

    def __init__(
        self,
        code: str,
        start: Mapping[str, object],
        *,
        seconds: int,
        environ: Mapping[str, str] | None = None,
        folder: str = system.ROOT,
    ) -> None:
        self._seconds = seconds
        line = Unpatched.encode({**start, "folders": folders_of(NEEDED_CONSOLE)})
        # The system ends it, since the clock of pytest's process may be a test's.
        alarm = f"from pytest_automation_report.system.here import system\nsystem.end_after({seconds})"
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and text; secrets go through the pipe
                command_for(f"'pytest_automation_report'\n{BEGIN}{alarm}\n{code}"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=loader_environment() if environ is None else dict(environ),
            )
        except OSError as error:
            raise LaunchError(f"{sys.executable} could not be started: {error.strerror or error}") from error
        stdin, self._process.stdin = self._process.stdin, None
        assert stdin is not None
        with suppress(OSError), stdin:  # it may have ended: `printed` says why
            stdin.write(f"{line}\n".encode())

    def printed(self) -> str:
        """Wait for the end and return what was printed; raises `LaunchError` for an error, or when time was up."""
        out, err = self._process.communicate()
        status = self._process.returncode
        if status == system.TIME_IS_UP:
            raise LaunchError(f"automation-report's own process took longer than {self._seconds} s")
        if status:
            lines = err.decode("utf-8", "replace").strip().splitlines()
            raise LaunchError(lines[-1] if lines else f"exit code {status}")
        return out.decode("utf-8", "replace")

    def close(self) -> None:
        """End the process, if it was not waited for."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


def console_process(
    code: str,
    arguments: Sequence[str],
    configuration: Settings,
    *,
    seconds: int,
    environ: Mapping[str, str],
    root: Path,
) -> PrintingProcess:
    """Run a command of the console on the project that a session reports to; `LaunchError` if it cannot be started."""
    way = ("database",) if configuration.endpoint.is_embedded else ("url", "allow_http", "ca_file", "token_file")
    options = options_of(configuration.changed(url=configuration.url or LOCAL_URL), "project_id", "source", "url", *way)
    start = {"arguments": [*arguments, *options]}
    return PrintingProcess(code, start, seconds=seconds, environ=environ, folder=str(root))


def options_of(configuration: Settings, *names: str) -> list[str]:
    """Return the options of the console command for the settings of these names that have a value."""
    values = {f"--{name.replace('_', '-')}": getattr(configuration, name) for name in names}
    return [option if value is True else f"{option}={value}" for option, value in values.items() if value]


OPTION: Final = "--automation-report-rerun-failed"
LAST: Final = "last"
ALL: Final = "all"

_SECONDS: Final = 120  # without an answer no test can run, so a slow server gets time
_WHICH: Final = re.compile(r"([0-9]+|last)(?::(new|[0-9a-f]{16}))?|all")
_SHOWN: Final = 5
_CODE: Final = """\
from pytest_automation_report.cli.show import failed_tests
failed_tests(start['arguments'], prog_name='automation-report')
"""


def failed_in(config: pytest.Config, configuration: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the failed tests of the run that the command line names; `pytest.UsageError` if they cannot be read."""
    which = str(config.getoption("automation_report_rerun_failed"))
    match = _WHICH.fullmatch(which)
    if match is None:
        # The option's value is optional, so argparse takes a test path after the option for the value.
        raise pytest.UsageError(
            f"{OPTION}: {which!r} cannot be used: write the id of a run (with ':new' for its new failures), {LAST!r} "
            f"or {ALL!r} after it; if {which!r} are tests to choose from, write {OPTION}={LAST} {shlex.quote(which)}"
        )
    # In CI, without a word, it would be the run of this commit, which has none yet.
    chosen, only = match[1] or LAST, match[2]
    arguments, root = [chosen, *(["--only", only] if only else [])], config.rootpath
    try:
        process = console_process(_CODE, arguments, configuration, seconds=_SECONDS, environ=environ, root=root)
        printed = process.printed()
    except LaunchError as error:
        raise pytest.UsageError(f"{OPTION}: the failed tests cannot be read: {error}") from error
    prefix = prefix_of(config, configuration.folder_prefix)
    return {**Unpatched.decode(printed), "prefix": prefix, "is_all_if_none": which == ALL, "only": only}


class RerunFailedHooks(CollectionHooks):
    """Deselects the tests that did not fail, by what `failed_in` returned, in each process that collects.

    If none failed, all tests run with ``is_all_if_none``, and none without it: then the session passes.
    """

    key = "automation_report_rerun"

    def __init__(self, selection: dict[str, Any], internal_errors: InternalErrors) -> None:
        self.internal_errors = internal_errors
        # Not only the option: the last run may be another one when a worker starts.
        self.sent = selection
        # The number of deselected tests, and the names of failed ones that were not collected; None before.
        self.found: tuple[int, list[str]] | None = None
        run, first = selection["run"], selection["first"]
        self._is_one_run = run == first
        self._runs = f"run {run}" if self._is_one_run else f"runs {first} to {run}"
        self._failed: list[dict[str, str]] = selection["tests"]
        self._is_all: bool = selection["is_all_if_none"] and not self._failed
        self._only: str | None = selection["only"]

    @property
    def is_empty_right(self) -> bool:
        """Whether no test is to run again."""
        return not self._failed

    @guarded
    def pytest_report_header(self) -> str:
        """Return the line with the run and the number of tests to run again."""
        return f"automation report: {self._chosen}"

    @property
    def _chosen(self) -> str:
        """The run and the number of tests to run again."""
        if not self._failed:
            selection = "all tests run" if self._is_all else f"no test runs ({OPTION}={ALL} runs all)"
            none = "no new failures" if self._only else "nothing failed"
            return f"{none} in {self._runs}, so {selection}"
        tests = quantity(len(self._failed), "test")
        if not self._is_one_run:
            return f"running again what failed last in {self._runs}: {tests}"
        which = {None: "failed tests", "new": "new failures"}.get(self._only, "failures for one reason")
        return f"running again the {which} of {self._runs}: {tests}"

    # trylast: xdist's `loadgroup` and other plugins have changed the items before.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the tests that did not fail."""
        if self._is_all:
            return
        chosen, missing = found_tests(self._failed, nodeids_of(config, items), prefix=self.sent["prefix"])
        deselected = [item for number, item in enumerate(items) if number not in chosen]
        self.found = len(deselected), missing
        if deselected:
            config.hook.pytest_deselected(items=deselected)
            items[:] = [item for number, item in enumerate(items) if number in chosen]

    @property
    def lines(self) -> Iterator[str]:
        """The number of deselected tests, and the failed ones that are not there."""
        if self.found is None:
            return
        if not self._failed:
            yield self._chosen
            return
        deselected, missing = self.found
        others = "were not chosen" if self._only else f"did not fail{'' if self._is_one_run else ' last'}"
        yield f"{quantity(deselected, 'test')} deselected that {others} in {self._runs}"
        if missing:
            names = ", ".join(missing[:_SHOWN] + (["..."] if len(missing) > _SHOWN else []))
            yield f"{quantity(len(missing), 'test')} that failed in {self._runs} not collected: {names}"


def found_tests(
    failed: Iterable[Mapping[str, str]], nodeids: Sequence[str], *, prefix: str
) -> tuple[set[int], list[str]]:
    """Return the numbers of the tests that failed, and the names of failed tests that are not there.

    A module that could not be collected stands for all of its tests. A test whose key a hook has set is found by its
    folder and name, and where the folder is the hook's, too, by its name: rather one test too many than one too few.
    """
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, nodeid in enumerate(nodeids):
        test, module = (identity_of(name, prefix=prefix) for name in (nodeid, nodeid.partition("::")[0]))
        for place in {(test.key,), (module.key,), (test.folder, test.name), ("", test.name, "")}:
            places[place].append(number)
    found: set[int] = set()
    missing: list[str] = []
    for test_values in failed:
        key, folder, name = test_values["key"], test_values["folder"], test_values["name"]
        numbers = places.get((key,), [])
        if not numbers and key != key_of(folder, name):
            numbers = places.get((folder, name)) or places.get(("", name, "")) or []
        found.update(numbers)
        if not numbers:
            missing.append(f"{folder}.{name}")
    return found, missing
