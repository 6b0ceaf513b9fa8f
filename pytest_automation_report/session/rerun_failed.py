"""Select the tests that failed in an earlier run, by their keys.

pytest's process opens no socket and no store: the console command, in a separate process, prints the keys.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.recording.identity import identity_of
from pytest_automation_report.session.collection import plain_nodeids
from pytest_automation_report.session.setup import session_configuration
from pytest_automation_report.settings.table import LOCAL_URL
from pytest_automation_report.text.terminal import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_automation_report.settings.configuration import Configuration

OPTION: Final = "--automation-report-rerun-failed"
DESTINATION: Final = "automation_report_rerun_failed"
LAST: Final = "last"
ALL: Final = "all"

WORKER_KEY: Final = "automation_report_rerun"
"""Key of xdist's worker input for the keys of the failed tests, and of its worker output for the deselected number."""

_TIMEOUT_SECONDS: Final = 120


def rerun_failed_hooks(config: pytest.Config, environ: Mapping[str, str]) -> RerunFailedHooks:
    """Return the hooks that select the failed tests of the run on the command line.

    Raises `pytest.UsageError` if the failed tests cannot be read.
    """
    which = str(config.getoption(DESTINATION))
    if which not in {LAST, ALL} and not which.isdecimal():
        # The option's value is optional, so argparse takes a test path after the option for the value.
        raise pytest.UsageError(
            f"{OPTION}: {which!r} cannot be used: write the id of a run, {LAST!r} or {ALL!r} after it; where {which!r} "
            f"are tests to select from, write {OPTION}={LAST} {shlex.quote(which)}"
        )
    configuration = session_configuration(config, environ)
    run, keys = _failed(configuration, which, config, environ)
    prefix = configuration.folder_prefix or str(getattr(config.option, "junitprefix", None) or "")
    return RerunFailedHooks(run, keys, prefix, is_all_if_none=which == ALL)


class RerunFailedHooks:
    """Deselects the tests that did not fail, in each process that collects.

    If none failed, all tests run with ``is_all_if_none``, and none without it: then the session passes.
    """

    def __init__(self, run: str, keys: Iterable[str], prefix: str, *, is_all_if_none: bool = False) -> None:
        self._run = run
        self._keys = frozenset(keys)
        self._prefix = prefix
        self._is_all = is_all_if_none and not self._keys
        # None until tests were collected, in this process or in a worker.
        self._deselected: int | None = None

    @classmethod
    def of_worker(cls, workerinput: dict[str, Any]) -> RerunFailedHooks:
        """Return the hooks of an xdist worker, with the selection that its controller sent."""
        selection = workerinput[WORKER_KEY]
        return cls(selection["run"], selection["keys"], selection["prefix"], is_all_if_none=selection["all"])

    def pytest_report_header(self) -> str:
        """Return the line with the run and the number of tests to run again."""
        if not self._keys:
            selection = "all tests are run" if self._is_all else f"no test is run ({OPTION}={ALL} runs all)"
            return f"automation report: nothing failed in run {self._run}: {selection}"
        tests = pluralize(len(self._keys), "test")
        return f"automation report: running again the failed tests of run {self._run}: {tests}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Send an xdist worker the keys: the last run may be another one when the worker starts."""
        node.workerinput[WORKER_KEY] = {
            "run": self._run,
            "keys": sorted(self._keys),
            "prefix": self._prefix,
            "all": self._is_all,
        }

    # trylast: xdist's `loadgroup` and other plugins have changed the items before.
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the tests that did not fail."""
        if self._is_all:
            return
        plain = plain_nodeids(items) if getattr(config.option, "loadgroup", False) else {}
        failed: list[pytest.Item] = []
        deselected: list[pytest.Item] = []
        for item in items:
            (failed if self._has_failed(plain.get(item.nodeid, item.nodeid)) else deselected).append(item)
        self._deselected = len(deselected)
        if deselected:
            config.hook.pytest_deselected(items=deselected)
            items[:] = failed

    # trylast: the exit status of other plugins counts.
    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """Let a session pass that had no test to run again; send a worker's number of deselected tests."""
        if not self._keys and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[WORKER_KEY] = self._deselected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ANN401 - as above
        """Read the number of tests that a worker deselected; all workers collect the same tests."""
        del error
        self._deselected = getattr(node, "workeroutput", {}).get(WORKER_KEY, self._deselected)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the number of deselected tests."""
        if self._deselected is None:
            return
        if not self._keys:
            terminalreporter.write_line(self.pytest_report_header())
            return
        deselected = pluralize(self._deselected, "test")
        terminalreporter.write_line(f"automation report: {deselected} deselected that did not fail in run {self._run}")

    def _has_failed(self, nodeid: str) -> bool:
        """Whether a test failed, or its module could not be collected."""
        module = nodeid.partition("::")[0]
        return any(identity_of(name, prefix=self._prefix).key in self._keys for name in (nodeid, module))


def _failed(
    configuration: Configuration, which: str, config: pytest.Config, environ: Mapping[str, str]
) -> tuple[str, list[str]]:
    """Return the run's id and the keys of its failed tests, as the console command prints them."""
    command = [sys.executable, "-m", "pytest_automation_report.cli", "run", "failed"]
    command += [which] if which.isdecimal() else []
    command += ["--project-id", str(configuration.project_id), "--source", configuration.source]
    if configuration.endpoint.is_embedded:
        command += ["--url", LOCAL_URL, "--database", configuration.endpoint.database]
    else:
        command += ["--url", configuration.url, *(["--allow-http"] if configuration.allow_http else [])]
        command += ["--ca-file", configuration.ca_file] if configuration.ca_file else []
        command += ["--token-file", configuration.token_file] if configuration.token_file else []
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and command
            command,
            cwd=config.rootpath,
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise pytest.UsageError(f"{OPTION}: the failed tests cannot be read: {error}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise pytest.UsageError(f"{OPTION}: the failed tests cannot be read: {lines[-1]}")
    run, *keys = done.stdout.split()
    return run, keys
