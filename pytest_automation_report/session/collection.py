"""Record the collected tests: their number, those that share a key, and their node ids for `report_not_run`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_automation_report.spool.folder import NOT_RUN
from pytest_automation_report.spool.record_kinds import CollectedRecord, collected_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

    from pytest_automation_report.spool.folder import SessionFolder

_MAX_REPEATED: Final = 5


def collected_record(nodeids: Sequence[str]) -> bytes:
    """Return the COLLECTED record of one process: the number of its tests, and the first of those that share a key."""
    # The parts of a key as JUnit XML has them, where a folder and a module are separated alike: `a/b.py::c` and
    # `a.b::c` share one.
    counts = Counter(nodeid.replace("/", ".").replace(".py::", ".").replace("::", ".") for nodeid in nodeids)
    repeated = [(name, count) for name, count in counts.items() if count > 1][:_MAX_REPEATED]
    return CollectedRecord(len(nodeids), tuple(repeated)).framed()


def write_collected_ids(folder: SessionFolder, nodeids: Sequence[str]) -> None:
    """Write the node ids of all collected tests into a separate file, for the report of those that are not run."""
    writer = folder.writer(NOT_RUN)
    for record in collected_names(nodeids):
        writer.write(record)
    writer.close()


def plain_nodeids(items: Iterable[pytest.Item]) -> dict[str, str]:
    """Return, by node id, the node id without the group that xdist's ``--dist loadgroup`` has added to it.

    Items without a group have no entry. xdist adds the group in the workers only: with it a test would have another
    key there than without xdist.
    """
    plain = {}
    for item in items:
        nodeid, at, group = item.nodeid.rpartition("@")
        # A parameter may hold an @, too: only the groups of the test's own markers are removed.
        names = sorted({_group_name(mark) for mark in item.iter_markers("xdist_group")})
        if at and group == "_".join(names):
            plain[item.nodeid] = nodeid
    return plain


def _group_name(mark: pytest.Mark) -> str:
    return str(mark.args[0] if mark.args else mark.kwargs.get("name", "default"))
