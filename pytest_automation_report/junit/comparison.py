"""What differs between a session's results and the JUnit XML that pytest wrote of it (floor 3).

The results are read from the spool by the sender's own rules, so that what is compared is what is sent.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.junit.parsing import JunitCase, JunitError, junit_cases
from pytest_automation_report.spool.folder import bytes_from
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_automation_report.delivery.results import Result
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.spool.folder import SessionFolder

_SHOWN: Final = 10


def comparison_lines(folder: SessionFolder, rules: RecordingOptions, path: Path, shown_path: str) -> list[str]:
    """Return what the summary says of the session in this folder and the XML at this path, first how much differs."""
    try:
        if path.stat().st_mtime_ns < folder.began_ns:
            return [f"not compared: this session did not write {shown_path}: add --junitxml={shown_path}"]
        cases = junit_cases(bytes_from(path, 0))
    except OSError as error:
        return [f"not compared: {shown_path}: {error.strerror or error}: write it with --junitxml={shown_path}"]
    except JunitError as error:
        return [f"not compared: {shown_path}: {string(str(error))}"]
    results = _results(folder, rules)
    found = [string(each) for each in _differences(results, cases, shown_path)]
    if not found:
        return [f"compared with {shown_path}: keys and statuses are the same ({len(cases)} compared)"]
    more = [f"  and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    head = f"compared with {shown_path}: {len(found)} of {len(cases.keys() | results.keys())} tests differ"
    return [head, *(f"  {each}" for each in found[:_SHOWN]), *more]


def _results(folder: SessionFolder, rules: RecordingOptions) -> dict[str, list[Result]]:
    """Return the session's results by key."""
    queues = WorkerQueues(replace(rules, report_not_run=False))  # the XML has no tests that were not run
    for worker, records in SpoolReader(folder).added():
        for placed in records:
            queues.apply(worker, placed)
    queues.finalize("interrupted")
    found: dict[str, list[Result]] = {}
    for queue in queues.by_worker.values():
        for result in queue.results:
            found.setdefault(result.key, []).append(result)
    return found


def _differences(results: Mapping[str, list[Result]], cases: Mapping[str, JunitCase], shown_path: str) -> Iterable[str]:
    """Yield each key that only one has, and each whose status is not the same, with its name."""
    for key, case in cases.items():
        if key not in results:
            yield f"only in {shown_path}: {case.name} ({case.worst})"
            continue
        # Reruns leave a case for each attempt, and the result is the last; a failed teardown leaves a second case.
        statuses = {each.status for each in results[key]}
        if not statuses & {case.worst, case.last}:
            yield f"{case.name}: {case.worst} in {shown_path}, {', '.join(sorted(statuses))} in the run"
    for key, found in results.items():
        if key not in cases:
            yield f"only in the run: {_name(found[0])} ({found[0].status})"


def _name(result: Result) -> str:
    test = json.loads(result.test)
    return f"{test['folder']}.{test['name']}"
