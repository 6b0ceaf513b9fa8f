"""Record the collected tests: their number, those that share a key, their node ids; find the files of their output."""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_automation_report.recording.phases import KNOWN_MARK
from pytest_automation_report.spool.folder import NOT_RUN, SessionFolder
from pytest_automation_report.spool.records import CollectedRecord, IdsRecord
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

    from pytest_automation_report.api.models import Json

HISTORY_HOOKS: Final = "automation-report-history"
"""Name of the plugin that cuts the tests into shards."""

_MAX_REPEATED: Final = 5
# Sessions may collect 100,000 tests: several lines of 500 names stay far below the longest line.
_NAMES_PER_RECORD: Final = 500


def collected_record(
    nodeids: Sequence[str], collected: Sequence[str] | None = None, deselected: int = 0, cut: str = ""
) -> bytes:
    """Return the COLLECTED record of one process; ``collected`` are its tests before others were left to other jobs."""
    counts = Counter(map(dotted, nodeids))
    repeated = [(name, count) for name, count in counts.items() if count > 1][:_MAX_REPEATED]
    collection: Json = {}
    if collected is not None:
        names = sorted(set(map(dotted, collected)))
        # Another Python is another job of a matrix, also if it collects the same tests.
        text = "\n".join([f"{sys.implementation.name} {sys.version_info[:2]} {sys.platform}", *names])
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        collection = {"digest": digest, "tests": len(names), "chosen": len(counts)}
    return CollectedRecord(len(nodeids), tuple(repeated), collection, deselected, cut).framed()


def is_counted(report: pytest.TestReport | pytest.CollectReport) -> bool:
    """Whether pytest counts a report as a failure, by which it ends with exit status 1."""
    return report.outcome == "failed" and not hasattr(report, "wasxfail") and not excuse_of(report)


def excuse_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return until when the failure of a report is known, and why; "" for one that counts."""
    mark: Mapping[str, str] = getattr(report, KNOWN_MARK, {})
    return "" if not mark or mark["again"] else f"{mark['until']} {mark['reason']}".rstrip()


def write_collected_ids(folder: SessionFolder, nodeids: Sequence[str]) -> None:
    """Write the node ids of all collected tests into a file, for the report of those that are not run."""
    writer = folder.writer(NOT_RUN)
    for first in range(0, len(nodeids), _NAMES_PER_RECORD):
        writer.write(IdsRecord(tuple(nodeids[first : first + _NAMES_PER_RECORD])).framed())
    writer.close()


def captured_files(config: pytest.Config) -> list[tuple[str, int, int, int]]:
    """Return the name of each captured stream, the descriptor of its file, and that file's device and inode.

    The sender reads the last output of a killed process by them. Nothing without capturing, or with that in memory.
    """
    if not system.IS_INHERITED:
        return []
    # The attributes are private to pytest 8.4 to 9.2.
    capturing = getattr(config.pluginmanager.getplugin("capturemanager"), "_global_capturing", None)
    files: list[tuple[str, int, int, int]] = []
    for stream in ("out", "err"):
        try:
            descriptor = getattr(capturing, stream).tmpfile.fileno()
            status = os.fstat(descriptor)
        except (AttributeError, OSError, ValueError):  # A capture in memory has no descriptor.
            continue
        files.append((f"std{stream}", descriptor, status.st_dev, status.st_ino))
    return files


def item_nodeids(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Return the node ids of items without the groups that ``--dist loadgroup`` adds."""
    plain = plain_nodeids(items) if getattr(config.option, "loadgroup", False) else {}
    return [plain.get(item.nodeid, item.nodeid) for item in items]


def resolve_prefix(config: pytest.Config, given: str) -> str:
    """Return what stands before folders in this session: the setting ``folder_prefix``, else ``--junit-prefix``."""
    return given or str(getattr(config.option, "junitprefix", None) or "")


def plain_nodeids(items: Iterable[pytest.Item]) -> dict[str, str]:
    """Return the node ids of items without the group that ``--dist loadgroup`` has added, by those with it."""
    plain = {}
    for item in items:
        # A parameter may hold an @, too: only the groups of the test's own markers are removed.
        marks = item.iter_markers("xdist_group")
        names = {str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in marks}
        group = f"@{'_'.join(sorted(names))}"
        if names and item.nodeid.endswith(group):
            plain[item.nodeid] = item.nodeid.removesuffix(group)
    return plain
