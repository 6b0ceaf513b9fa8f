"""Failures in the words of CI providers (floor 3, pure): lines on a job's output that become marks on its page.

A provider takes a line for a command by what it begins with. Foreign text gets into such a line as one line of visible
signs, and escaped by the provider's own rules, so that it ends neither the command nor the line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from pytest_automation_report.limits import string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.failures import Failure

__all__ = ["ANNOTATED", "annotation_lines", "link_report"]

SHOWN: Final = 10
"""Most marks of one kind that GitHub takes of a step; more are hard to read anywhere."""


def annotation_lines(provider: str, failures: Sequence[Failure], failed: int, undelivered: str = "") -> list[str]:
    """Return the lines that mark failures, then what was not delivered; none for a provider without such lines.

    ``failed`` is the number of all failures, ``undelivered`` a text for people, empty when all has arrived.
    """
    mark = ANNOTATED.get(provider)
    if mark is None:
        return []
    lines = [mark("error", each, _message(each)) for each in failures[:SHOWN]]
    more = failed - len(lines)
    if more > 0:
        lines.append(mark("warning", None, f"{more} more tests failed" if lines else f"{more} tests failed"))
    if undelivered:
        lines.append(mark("warning", None, f"automation report: {undelivered}"))
    return lines


def link_report(failures: Sequence[Failure], url: str, title: str) -> str:
    """Return GitLab's report of links for a job's page, as JSON: the run, and each failure with its message."""
    labels = [title, *(_message(each) for each in failures[:SHOWN])]
    links = [{"external_link": {"label": string(each), "url": url}} for each in labels]
    return json.dumps({"Automation report": links}, indent=1) + "\n"


def _message(failure: Failure) -> str:
    return f"{failure.title}: {failure.message}" if failure.message else failure.title


def _github(kind: str, failure: Failure | None, message: str) -> str:
    values: dict[str, str] = {}
    if failure is not None:
        if failure.file:
            values["file"] = failure.file
            if failure.line is not None:
                values["line"] = str(failure.line)
        values["title"] = failure.name
    told = ",".join(f"{name}={_escaped(string(value), _GITHUB_VALUE)}" for name, value in values.items())
    return f"::{kind}{f' {told}' if told else ''}::{_escaped(string(message), _GITHUB_TEXT)}"


def _azure(kind: str, failure: Failure | None, message: str) -> str:
    values = {"type": kind}
    if failure is not None and failure.file:
        values["sourcepath"] = failure.file
        if failure.line is not None:
            values["linenumber"] = str(failure.line)
    told = "".join(f"{name}={_escaped(string(value), _AZURE_VALUE)};" for name, value in values.items())
    return f"##vso[task.logissue {told}]{_escaped(string(message), _AZURE_TEXT)}"


def _teamcity(kind: str, failure: Failure | None, message: str) -> str:
    # A message of the status ERROR can fail a build, which is pytest's to decide.
    del kind, failure
    return f"##teamcity[message text='{_escaped(string(message), _TEAMCITY)}' status='WARNING']"


def _escaped(text: str, signs: Mapping[str, str]) -> str:
    return "".join(signs.get(each, each) for each in text)


_GITHUB_TEXT: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_GITHUB_VALUE: Final = {**_GITHUB_TEXT, ":": "%3A", ",": "%2C"}
_AZURE_TEXT: Final = {"%": "%AZP25", "\r": "%0D", "\n": "%0A"}
_AZURE_VALUE: Final = {**_AZURE_TEXT, ";": "%3B", "]": "%5D"}
_TEAMCITY: Final = {"|": "||", "'": "|'", "[": "|[", "]": "|]", "\r": "|r", "\n": "|n"}

ANNOTATED: Final[Mapping[str, Callable[[str, Failure | None, str], str]]] = {
    "GitHub": _github,
    "Gitea": _github,
    "Azure": _azure,
    "TeamCity": _teamcity,
}
"""Providers that take such lines, each with the function that writes one."""
