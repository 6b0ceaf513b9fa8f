"""Select the tests that failed in an earlier run, by their keys and names.

pytest's process opens no socket and no store: the console command, in a separate process, prints the tests.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.delivery.launch import LaunchError
from pytest_automation_report.guards import Hooks, InternalErrors, guarded
from pytest_automation_report.session.collection import nodeids_of, prefix_of
from pytest_automation_report.session.preflight import console_process
from pytest_automation_report.session.setup import session_configuration
from pytest_automation_report.spool.records import identity_of, key_of
from pytest_automation_report.text.limits import printable, quantity
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


OPTION: Final = "--automation-report-rerun-failed"
# Of xdist's worker input for the failed tests, and of its worker output for what the worker found of them.
WORKER_KEY: Final = "automation_report_rerun"
LAST: Final = "last"
ALL: Final = "all"

_SECONDS: Final = 120  # without an answer no test can run, so a slow server gets time
_WHICH: Final = re.compile(r"([0-9]+|last)(?::(new|[0-9a-f]{16}))?|all")
_SHOWN: Final = 5
_CODE: Final = """\
from pytest_automation_report.cli.show import failed_tests
failed_tests(start['arguments'], prog_name='automation-report')
"""


def failed_in(config: pytest.Config, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the failed tests of the run that the command line names; `pytest.UsageError` if they cannot be read."""
    which = str(config.getoption("automation_report_rerun_failed"))
    match = _WHICH.fullmatch(which)
    if match is None:
        # The option's value is optional, so argparse takes a test path after the option for the value.
        raise pytest.UsageError(
            f"{OPTION}: {which!r} cannot be used: write the id of a run (with ':new' for its new failures), {LAST!r} "
            f"or {ALL!r} after it; if {which!r} are tests to choose from, write {OPTION}={LAST} {shlex.quote(which)}"
        )
    configuration = session_configuration(config, environ)
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


class RerunFailedHooks(Hooks):
    """Deselects the tests that did not fail, by what `failed_in` returned, in each process that collects.

    If none failed, all tests run with ``is_all_if_none``, and none without it: then the session passes.
    """

    def __init__(self, selection: dict[str, Any], internal_errors: InternalErrors) -> None:
        self.internal_errors = internal_errors
        self._selection = selection
        run, first = selection["run"], selection["first"]
        self._is_one_run = run == first
        self._runs = f"run {run}" if self._is_one_run else f"runs {first} to {run}"
        self._failed: list[dict[str, str]] = selection["tests"]
        self._is_all: bool = selection["is_all_if_none"] and not self._failed
        self._only: str | None = selection["only"]
        # None until tests were collected, in this process or in a worker.
        self._deselected: int | None = None
        # Names of the failed tests that were not collected.
        self._missing: list[str] = []

    @guarded
    def pytest_report_header(self) -> str:
        """Return the line with the run and the number of tests to run again."""
        if not self._failed:
            selection = "all tests run" if self._is_all else f"no test runs ({OPTION}={ALL} runs all)"
            none = "no new failures" if self._only else "nothing failed"
            return f"automation report: {none} in {self._runs}, so {selection}"
        tests = quantity(len(self._failed), "test")
        if not self._is_one_run:
            return f"automation report: running again what failed last in {self._runs}: {tests}"
        which = {None: "failed tests", "new": "new failures"}.get(self._only, "failures for one reason")
        return f"automation report: running again the {which} of {self._runs}: {tests}"

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Send an xdist worker the failed tests: the last run may be another one when the worker starts."""
        node.workerinput[WORKER_KEY] = self._selection

    # trylast: xdist's `loadgroup` and other plugins have changed the items before.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the tests that did not fail."""
        if self._is_all:
            return
        nodeids = nodeids_of(config, items)
        found, self._missing = found_tests(self._failed, nodeids, prefix=self._selection["prefix"])
        deselected = [item for number, item in enumerate(items) if number not in found]
        self._deselected = len(deselected)
        if deselected:
            config.hook.pytest_deselected(items=deselected)
            items[:] = [item for number, item in enumerate(items) if number in found]

    # trylast: the exit status of other plugins counts.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """Let a session pass that had no test to run again; send the controller what a worker found."""
        if not self._failed and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[WORKER_KEY] = self._deselected, self._missing

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Read what a worker found; all workers collect the same tests."""
        del error
        found = self._deselected, self._missing
        self._deselected, self._missing = getattr(node, "workeroutput", {}).get(WORKER_KEY, found)

    @guarded
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the number of deselected tests, and the failed ones that are not there."""
        if self._deselected is None:
            return
        if not self._failed:
            terminalreporter.write_line(self.pytest_report_header())
            return
        deselected = quantity(self._deselected, "test")
        others = "were not chosen" if self._only else f"did not fail{'' if self._is_one_run else ' last'}"
        terminalreporter.write_line(f"automation report: {deselected} deselected that {others} in {self._runs}")
        if self._missing:
            missing = quantity(len(self._missing), "test")
            names = self._missing[:_SHOWN] + (["..."] if len(self._missing) > _SHOWN else [])
            line = f"automation report: {missing} that failed in {self._runs} not collected"
            terminalreporter.write_line(printable(f"{line}: {', '.join(names)}"))


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
