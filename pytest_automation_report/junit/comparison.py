"""Compare the results of a session with the JUnit XML that pytest wrote of it: keys and statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.junit.results import FOLDER, JunitDocument, JunitError
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.spool.folder import bytes_from
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.text.limits import string
from pytest_automation_report.text.terminal import title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_automation_report.api.models import Status
    from pytest_automation_report.delivery.queues import Result
    from pytest_automation_report.spool.folder import SessionFolder

_SEVERITY: Final[tuple[Status, ...]] = ("passed", "skipped", "failure", "error")


class _Case(Struct):
    """All cases of one key: their name with its folder, and their statuses in the order of the document."""

    name: str
    statuses: list[Status] = field(default_factory=list)

    @property
    def worst(self) -> Status:
        """The worst of the statuses."""
        return max(self.statuses, key=_SEVERITY.index)


_SHOWN: Final = 10


def comparison_lines(folder: SessionFolder, rules: RecordingOptions, path: Path, shown_path: str) -> list[str]:
    """Compare a session with an XML file; return lines for the summary, the first with the number of differences."""
    try:
        if path.stat().st_mtime_ns < folder.began_ns:
            return [f"not compared: this session did not write {shown_path}: add --junitxml={shown_path}"]
        cases = _cases(bytes_from(path, 0))
    except OSError as error:
        return [f"not compared: {shown_path}: {error.strerror or error}: write it with --junitxml={shown_path}"]
    except JunitError as error:
        return [f"not compared: {shown_path}: {string(str(error))}"]
    results = _results(folder, rules)
    differences = [string(line) for line in _differences(results, cases, shown_path)]
    if not differences:
        return [f"compared with {shown_path}: keys and statuses are the same ({len(cases)} compared)"]
    more = [f"  and {len(differences) - _SHOWN} more"] if len(differences) > _SHOWN else []
    head = f"compared with {shown_path}: {len(differences)} of {len(cases.keys() | results.keys())} tests differ"
    return [head, *(f"  {line}" for line in differences[:_SHOWN]), *more]


def _cases(pieces: Iterable[bytes]) -> dict[str, _Case]:
    """Return the cases of a document by their keys on the server."""
    cases: dict[str, _Case] = {}
    for result in JunitDocument(RecordingOptions(redact_builtin=False)).results(pieces):
        test = result.test
        folder = "" if test.folder == FOLDER else test.folder
        cases.setdefault(test.key, _Case(title_of(folder, test.name))).statuses.append(result.status)
    return cases


def _results(folder: SessionFolder, rules: RecordingOptions) -> dict[str, list[Result]]:
    queues = WorkerQueues(replace(rules, report_not_run=False))  # the XML has no tests that were not run
    for worker, records in SpoolReader(folder).added():
        for placed in records:
            queues.apply(worker, placed)
    queues.finalize("interrupted")
    results: dict[str, list[Result]] = {}
    for queue in queues.by_worker.values():
        for result in queue.results:
            results.setdefault(result.test.key, []).append(result)
    return results


def _differences(results: Mapping[str, list[Result]], cases: Mapping[str, _Case], shown_path: str) -> Iterable[str]:
    """Yield a line for each test that only one of them has, and for each test with another status."""
    for key, case in cases.items():
        if key not in results:
            yield f"only in {shown_path}: {case.name} ({case.worst})"
            continue
        # Reruns leave a case for each attempt, and the last one is the result; a failed teardown leaves a second case.
        statuses = {result.status for result in results[key]}
        if not statuses & {case.worst, case.statuses[-1]}:
            yield f"{case.name}: {case.worst} in {shown_path}, {', '.join(sorted(statuses))} in the run"
    for key, same_key in results.items():
        if key not in cases:
            yield f"only in the run: {title_of(same_key[0].test.folder, same_key[0].test.name)} ({same_key[0].status})"
