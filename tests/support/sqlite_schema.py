"""Write `server/store/schema.py` anew from the models of peewee.

PYTHONPATH=tests python -m support.sqlite_schema
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from peewee import SchemaManager, SqliteDatabase

from pytest_automation_report.server.store import schema
from pytest_automation_report.server.store.statuses import COUNT_NAMES
from pytest_automation_report.server.store.tables import TABLES

_BEGINNING = "SQLITE_TABLES: Final[tuple[str, ...]] = (\n"
_COUNTS = ", ".join(f'"{name}" INTEGER NOT NULL' for name in COUNT_NAMES)
_WIDTH = 108


class _Recording(SqliteDatabase):
    """A database in memory that keeps the statements it executes."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        super().__init__(":memory:")

    def execute_sql(self, sql: str, params: Any = None) -> Any:  # noqa: ANN401 - the signature is peewee's
        self.statements.append(sql.replace(" IF NOT EXISTS", ""))
        return super().execute_sql(sql, params)  # type: ignore[no-untyped-call] # peewee's stub leaves it out


def statements_of_models() -> tuple[str, ...]:
    """Return the statements with which peewee creates the tables and indexes."""
    database = _Recording()
    for table in TABLES:
        SchemaManager(table, database).create_all()
    database.close()
    created = (statement for statement in database.statements if statement.startswith("CREATE"))
    # SQLite finds tests by their keys in other tables (`case_keys`).
    return tuple(statement for statement in created if '"case_source_id_key"' not in statement)


def _literal(statement: str) -> str:
    """Return a statement as Python strings on lines of their own, with the counts under their name."""
    text = statement.replace(_COUNTS, "{_COUNTS}")
    lines = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    prefix = "f" if text != statement else ""
    quoted = [
        f"{prefix if '{' in line else ''}'{line}{'' if number == len(lines) else ' '}'"
        for number, line in enumerate(lines, 1)
    ]
    return f"    {quoted[0]},\n" if len(quoted) == 1 else "    (\n        " + "\n        ".join(quoted) + "\n    ),\n"


def main() -> None:
    """Replace the statements in the file of the schema."""
    path = Path(schema.__file__)
    beginning, _, _ = path.read_text(encoding="utf-8").partition(_BEGINNING)
    literals = "".join(_literal(statement) for statement in statements_of_models())
    literals = re.sub(r"^(    )'", r"\1'", literals, flags=re.MULTILINE)
    path.write_text(
        f'{beginning}{_BEGINNING}{literals})\n"""Statements that create the tables and indexes of a new store."""\n'
    )


if __name__ == "__main__":
    main()
