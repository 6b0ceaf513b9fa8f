"""Set the main branches of sources, which findings compare the first run of another branch with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.writes import Writer


def set_main_branch(branch: str, source: str | None, writer: Writer) -> int:
    """Set the main branch of the sources of this name, or of all; return their number."""
    if source is None:
        return writer.connection.change('UPDATE "source" SET "main_branch" = ?', (branch,))
    return writer.connection.change('UPDATE "source" SET "main_branch" = ? WHERE "name" = ?', (branch, source))


def source_names(connection: StoreConnection) -> list[str]:
    """Return the names of all sources, each once."""
    return [name for (name,) in connection.execute('SELECT DISTINCT "name" FROM "source" ORDER BY "name"')]
