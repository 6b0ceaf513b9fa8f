"""Runs again what failed in an earlier run: tests are known by their keys, read in a process of its own.

Pytest's process opens no socket and no store: the console command does, and prints the keys.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.recording.identity import identity_of
from pytest_automation_report.session.runtest_hooks import ungrouped
from pytest_automation_report.session.start import session_configuration
from pytest_automation_report.settings.table import LOCAL_URL
from pytest_automation_report.text.terminal import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_automation_report.settings.configuration import Configuration

OPTION: Final = "--automation-report-rerun-failed"
DESTINATION: Final = "automation_report_rerun_failed"
LAST: Final = "last"
ALL: Final = "all"

_GIVEN: Final = "automation_report_rerun"
_SECONDS: Final = 120


def rerun_for(config: pytest.Config, environ: Mapping[str, str]) -> Rerun:
    """Return what selects the tests to run again; raises `pytest.UsageError` when that cannot be found out."""
    which = str(config.getoption(DESTINATION))
    if which not in {LAST, ALL} and not which.isdecimal():
        # pytest takes the word after an option whose value may be left out for that value.
        raise pytest.UsageError(
            f"{OPTION}: {which!r} cannot be used: write the id of a run, {LAST!r} or {ALL!r} after it; where {which!r} "
            f"are tests to select from, write {OPTION}={LAST} {shlex.quote(which)}"
        )
    configuration = session_configuration(config, environ)
    run, keys = _failed(configuration, which, config, environ)
    prefix = configuration.folder_prefix or str(getattr(config.option, "junitprefix", None) or "")
    return Rerun(run, keys, prefix, is_all_else=which == ALL)


class Rerun:
    """Deselect all tests but those that failed, in each process that collects.

    When nothing failed, all tests run with ``is_all_else``, and none without; that is no failure.
    """

    def __init__(self, run: str, keys: Iterable[str], prefix: str, *, is_all_else: bool = False) -> None:
        self._run = run
        self._keys = frozenset(keys)
        self._prefix = prefix
        self._is_all = is_all_else and not self._keys
        self._deselected: int | None = None

    @classmethod
    def of_worker(cls, given: dict[str, Any]) -> Rerun:
        """Return what a controller has given one of its workers."""
        found = given[_GIVEN]
        return cls(found["run"], found["keys"], found["prefix"], is_all_else=found["all"])

    def pytest_report_header(self) -> str:
        """Return the line on what is to be run again."""
        if not self._keys:
            what = "all tests are run" if self._is_all else f"no test is run ({OPTION}={ALL} runs all)"
            return f"automation report: nothing failed in run {self._run}: {what}"
        return f"automation report: running again what failed in run {self._run}: {pluralize(len(self._keys), 'test')}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Hand the keys to a worker of xdist."""
        node.workerinput[_GIVEN] = {
            "run": self._run,
            "keys": sorted(self._keys),
            "prefix": self._prefix,
            "all": self._is_all,
        }

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect what did not fail."""
        if self._is_all:
            return
        groups = ungrouped(items) if getattr(config.option, "loadgroup", False) else {}
        kept: list[pytest.Item] = []
        left: list[pytest.Item] = []
        for item in items:
            (kept if self._has_failed(groups.get(item.nodeid, item.nodeid)) else left).append(item)
        self._deselected = len(left)
        if left:
            config.hook.pytest_deselected(items=left)
            items[:] = kept

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """End well when there was nothing to run again; hand a worker's number of deselected tests on."""
        if not self._keys and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_GIVEN] = self._deselected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ANN401 - as above
        """Take how much a worker has deselected: all have the same."""
        del error
        self._deselected = getattr(node, "workeroutput", {}).get(_GIVEN, self._deselected)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell how much was left out."""
        if self._deselected is not None:
            if not self._keys:
                terminalreporter.write_line(self.pytest_report_header())
                return
            left_out = pluralize(self._deselected, "test")
            text = f"automation report: {left_out} deselected that did not fail in run {self._run}"
            terminalreporter.write_line(text)

    def _has_failed(self, nodeid: str) -> bool:
        """Whether a test has failed, or its module could not be collected."""
        module = nodeid.partition("::")[0]
        return any(identity_of(each, prefix=self._prefix).key in self._keys for each in (nodeid, module))


def _failed(
    configuration: Configuration, which: str, config: pytest.Config, environ: Mapping[str, str]
) -> tuple[str, list[str]]:
    """Return the run's id and the keys of what failed in it, as the console command prints them."""
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
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise pytest.UsageError(f"{OPTION}: what failed cannot be read: {error}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise pytest.UsageError(f"{OPTION}: what failed cannot be read: {lines[-1]}")
    run, *keys = done.stdout.split()
    return run, keys
