"""Print failures of a run as Markdown, to paste into a chat with an assistant or into an issue."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import click
from msgspec import to_builtins

from pytest_automation_report.cli.context import echo_stderr
from pytest_automation_report.export.markdown import markdown_of
from pytest_automation_report.export.results import ExportedRun
from pytest_automation_report.server.pages.texts import rerun_command
from pytest_automation_report.text.names import node_id
from pytest_automation_report.text.terminal import pluralize, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.cli.queries import Opened
    from pytest_automation_report.export.results import ExportedTest

_MOST: Final = 20


def failures_as_markdown(reading: Opened, run_id: int, name: str | None) -> str:
    """Return a failure of each reason of a run as Markdown, or the result of the test ``name``.

    ``name`` is a test's folder and name, its node id or its key. Raises `click.UsageError` if the run has no such test.
    """
    run = ExportedRun.from_document(reading.run(run_id).document)
    findings = reading.findings(run_id) if reading.is_ours else None
    if name is None:
        failures = list(reading.tests(run_id, only_failures=True))
        tests = _one_of_each_reason(failures, findings)
        if len(failures) > len(tests):
            echo_stderr(f"{len(tests)} of {pluralize(len(failures), 'failure')}, one of each reason; --test names one")
        elif not failures:
            echo_stderr(f"no test failed in run {run_id}")
    else:
        tests = [_named(list(reading.tests(run_id)), name, run_id)]
    return "\n".join(markdown_of(test, run, command=_command(test), changes=_changes(test, findings)) for test in tests)


def _one_of_each_reason(failures: Sequence[ExportedTest], findings: Json | None) -> list[ExportedTest]:
    """Return the first failure of each reason, at most 20; without findings the first failures."""
    if findings is None:
        return list(failures[:_MOST])
    first: dict[str, ExportedTest] = {}
    for test in failures:
        first.setdefault(test.fingerprint or test.key, test)
    return list(first.values())[:_MOST]


def _named(tests: Sequence[ExportedTest], name: str, run_id: int) -> ExportedTest:
    names = {known: test for test in reversed(tests) for known in (test.key, test.title, _node_id(test)) if known}
    if name in names:
        return names[name]
    similar = get_close_matches(name, [test.title for test in tests], n=1)
    remedy = f"is it {printable(similar[0])}?" if similar else "write its folder and name, its node id or its key"
    raise click.UsageError(f"--test: run {run_id} has no test {printable(name)!r}: {remedy}")


def _node_id(test: ExportedTest) -> str:
    """Return the node id of a test without its quotes, empty if it is not known."""
    field = next((field for field in test.fields if field.name == "Node id"), None)
    if field is not None:
        return field.value or ""
    return node_id(test.file, test.folder, test.name)


def _command(test: ExportedTest) -> str:
    row = {"file": test.file, "folder": test.folder, "name": test.name}
    return rerun_command(row, to_builtins(test.fields)) or ""


def _changes(test: ExportedTest, findings: Json | None) -> list[str]:
    """Return how the test did in the runs before, in sentences."""
    if findings is None or findings["base"] is None:
        return []
    lists = findings["tests"]
    base = findings["base"]["run"]
    if any(entry["key"] == test.key for entry in lists["newly_failing"]):
        return [f"New failure: it did not fail in run {base}"]
    since = next((entry["since"] for entry in lists["still_failing"] if entry["key"] == test.key), None)
    return [f"It has failed since run {since['run']}"] if since else []
