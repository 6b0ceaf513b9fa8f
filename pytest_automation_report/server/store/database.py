"""Declare the tables, and hide the differences between SQLite and PostgreSQL: connections, locks, sizes.

Statements are plain SQL that both understand, executed by `StoreConnection`.

SQLite has one writer at a time, so its transactions need no further locks, and the functions for locks do nothing.
PostgreSQL has many. Each takes its locks in this order, so that two writers cannot deadlock: idempotency key, run,
thread, contents, tests, rows. A change of one thread, or one that adds to a run, takes the shared lock of the run; its
completion and its removal take the exclusive one. So writers of different threads wait for each other only at their
last statement, which adds to the counts of the run.

Transactions of PostgreSQL that write are READ COMMITTED: a statement sees the commits from before it began. So a
writer takes the lock first and then reads the rows that its decision depends on.

A page of a run's rows in the order of their ids is asked for with ``"run_id" BETWEEN ? AND ? ORDER BY "run_id", "id"``,
in both databases. With ``"run_id" = ?`` PostgreSQL drops that column from the order and walks along the primary key,
since it assumes that the rows of one run are spread over the table; they lie together, maybe at its other end.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from pytest_automation_report.server.store.values import STORED_COUNTS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import psycopg

Row: TypeAlias = dict[str, Any]
"""A row of a query: its values by the names of the columns, as `StoreConnection.each` makes them."""

NONE: Final[Mapping[str, int]] = {}


class TransactionRolledBackError(Exception):
    """The database rolled a transaction back that can succeed when it is run again."""


class TimeLimitError(Exception):
    """A statement had not ended when its time was over."""


class StoreConnection(ABC):
    """A connection to the database of a store, used by one thread at a time; ``?`` stands for each value."""

    is_postgres: ClassVar[bool]
    """Whether the database is PostgreSQL, otherwise it is SQLite."""

    raw: Any
    """The connection of the driver."""

    @property
    def like(self) -> str:
        """The word for a pattern, whatever the capitals."""
        return "ILIKE" if self.is_postgres else "LIKE"

    @abstractmethod
    def cursor(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor | psycopg.Cursor[Any]:
        """Execute a statement and return the driver's cursor."""

    @abstractmethod
    def limited(self, end: float) -> AbstractContextManager[None]:
        """Cut statements of a read transaction off at this monotonic time: raises `TimeLimitError`; it can go on."""

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows; an empty list for a statement without rows."""
        cursor = self.cursor(sql, values)
        return cursor.fetchall() if cursor.description else []

    def each(self, sql: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """Yield the rows of a SELECT as dictionaries, names without ``_id`` at their end, ``is_*`` as bools."""
        cursor = self.cursor(sql, values)
        names = [column[0].removesuffix("_id") for column in cursor.description or ()]
        flags = [name for name in names if name.startswith("is_")]
        for values_of_row in cursor:
            row = dict(zip(names, values_of_row, strict=True))
            for flag in flags:  # SQLite has 0 and 1
                row[flag] = None if row[flag] is None else bool(row[flag])
            yield row

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Execute a SELECT and return its rows as `each` yields them."""
        return list(self.each(sql, values))

    def row(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        """Execute a SELECT and return its first row as `each` yields it, None if it has no rows."""
        return next(iter(self.rows(sql, values)), None)

    def number(self, sql: str, values: Sequence[object] = ()) -> int:
        """Return the number that a statement selects, 0 for null."""
        ((number,),) = self.execute(sql, values)
        return int(number or 0)

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """Execute an INSERT, UPDATE or DELETE and return the number of rows that it changed."""
        return self.cursor(sql, values).rowcount

    def insert(self, table: str, **columns: object) -> int:
        """Insert a row and return its id."""
        returning = ' RETURNING "id"' if self.is_postgres else ""  # which older versions of SQLite do not have
        cursor: Any = self.cursor(_insertion(table, columns) + returning, (*columns.values(),))
        return int(cursor.fetchone()[0] if self.is_postgres else cursor.lastrowid)

    def add(self, table: str, **columns: object) -> bool:
        """Insert a row unless one with its key is there; return whether it was inserted."""
        return bool(self.change(f"{_insertion(table, columns)} ON CONFLICT DO NOTHING", (*columns.values(),)))

    def update(
        self, table: str, row_id: int, values: Mapping[str, object], increments: Mapping[str, int] = NONE
    ) -> None:
        """Set columns of a row and add to others: the database itself computes `count = count + n`, so none is read."""
        changes = [f'"{column}" = ?' for column in values]
        changes += [f'"{column}" = "{column}" + ?' for column in increments]
        if changes:
            sql = f'UPDATE "{table}" SET {", ".join(changes)} WHERE "id" = ?'
            self.change(sql, (*values.values(), *increments.values(), row_id))


def _insertion(table: str, columns: Collection[str]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f'INSERT INTO "{table}" ({names}) VALUES ({marks(columns)})'


def marks(values: Collection[object]) -> str:
    """Return a question mark for each value, separated by commas; NULL for none: PostgreSQL refuses an empty list."""
    return ", ".join("?" * len(values)) or "NULL"


def row_lock(connection: StoreConnection) -> str:
    """Return the end of a SELECT that locks its rows until the end of the transaction."""
    # Not FOR UPDATE: that would make inserts of rows that refer to the run wait, in other transactions.
    return " FOR NO KEY UPDATE" if connection.is_postgres else ""


# Advisory locks have two numbers: one of these, and a hash of the id. They are numbers of 32 bits.
_SPACES: Final = {"run": 1, "tests": 2, "contents": 3, "name": 4, "texts": 5}
Locked: TypeAlias = Literal["run", "tests", "contents", "texts"]


def lock(connection: StoreConnection, what: Locked, record_id: int = 0) -> None:
    """Take the exclusive lock until the transaction ends: of a run, a source's tests, all contents or texts."""
    if connection.is_postgres:
        connection.execute("SELECT pg_advisory_xact_lock(?, hashint8(?))", (_SPACES[what], record_id))


def share(connection: StoreConnection, what: Locked, record_id: int = 0) -> None:
    """Take the shared lock: the run is not completed, and nothing removed, until the end of the transaction."""
    if connection.is_postgres:
        connection.execute("SELECT pg_advisory_xact_lock_shared(?, hashint8(?))", (_SPACES[what], record_id))


def try_lock(connection: StoreConnection, name: str) -> bool:
    """Take the lock of a name without waiting; False if another transaction holds it."""
    if not connection.is_postgres:
        return True
    ((is_free,),) = connection.execute("SELECT pg_try_advisory_xact_lock(?, hashtext(?))", (_SPACES["name"], name))
    return bool(is_free)


MAX_THREADS: Final = 10_000  # maximum number of threads of a run, since a response with a run includes all of them
# Maximum number of characters of all fields, artifacts and links of a run and its threads, which lists include.
MAX_ATTACHED: Final = 2 * 1024 * 1024


def used_bytes(connection: StoreConnection) -> int:
    """Return the size of a database in bytes; free pages of a SQLite file do not count."""
    if connection.is_postgres:
        return connection.number("SELECT pg_database_size(current_database())")
    pages = connection.number("PRAGMA page_count") - connection.number("PRAGMA freelist_count")
    return pages * connection.number("PRAGMA page_size")


_COUNTS: Final = ", ".join(f"{name} BIGINT NOT NULL" for name in STORED_COUNTS)

# One statement each, with PostgreSQL's types. SQLite appends the row's id to every index by itself; where ``/*id*/``
# stands PostgreSQL gets it, too, so that the index can serve an order by id. Each table stands after those that it
# refers to.
_SCHEMA: Final = f"""
CREATE TABLE project (id BIGINT PRIMARY KEY, created BIGINT NOT NULL);

CREATE TABLE source (
  id BIGSERIAL PRIMARY KEY, project_id BIGINT NOT NULL REFERENCES project, name TEXT NOT NULL, created BIGINT NOT NULL,
  main_branch TEXT  -- null if none was set: the first of the usual names that has runs
);
CREATE UNIQUE INDEX source_project_id_name ON source (project_id, name);

CREATE TABLE config (
  id BIGSERIAL PRIMARY KEY, project_id BIGINT NOT NULL REFERENCES project, name TEXT NOT NULL
);
CREATE UNIQUE INDEX config_project_id_name ON config (project_id, name);

CREATE TABLE milestone (
  id BIGSERIAL PRIMARY KEY, project_id BIGINT NOT NULL REFERENCES project, name TEXT NOT NULL
);
CREATE UNIQUE INDEX milestone_project_id_name ON milestone (project_id, name);

-- Counts are updated with every append, so that a read needs one row; ``tags`` is a JSON list. ``branch`` to
-- ``changes`` are copies of fields, by which findings compare runs.
CREATE TABLE run (
  id BIGSERIAL PRIMARY KEY, {_COUNTS},
  project_id BIGINT NOT NULL REFERENCES project, source_id BIGINT NOT NULL REFERENCES source, name TEXT NOT NULL,
  config_id BIGINT REFERENCES config, milestone_id BIGINT REFERENCES milestone, tags TEXT NOT NULL,
  status INTEGER NOT NULL, is_completed BOOLEAN NOT NULL, elapsed BIGINT, thread_count BIGINT NOT NULL,
  thread_active_count BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT, completed BIGINT,
  branch TEXT, "commit" TEXT, target_branch TEXT,
  ancestors TEXT,  -- ids of the commit and of those that led to it, cut and with spaces between
  author TEXT,  -- of the commit
  selection TEXT,  -- the options that selected some of the tests
  collected BIGINT,  -- number of tests that were to run
  deselected BIGINT,  -- number of tests that were not, by options and plugins
  changes TEXT,  -- digest of the files that differed from the commit, "unknown" if they could not be read
  speed DOUBLE PRECISION,  -- how slow the machine was, measured once the run is completed: see `histories`
  session_ended BIGINT,  -- time at which its session ended, if that was no session of a thread alone
  unexplained_exit BIGINT,  -- exit status of a session in which no test failed: see `api.models.Ending`
  ending TEXT, not_run BIGINT  -- how its session ended, a JSON object of that class; number of tests without a result
);
CREATE INDEX run_config_id ON run (config_id /*id*/);
CREATE INDEX run_milestone_id ON run (milestone_id /*id*/);
CREATE INDEX run_project_id_created ON run (project_id, created /*id*/);
CREATE INDEX run_project_id ON run (project_id /*id*/);
CREATE INDEX run_source_id ON run (source_id /*id*/);
CREATE INDEX run_source_id_branch ON run (source_id, branch /*id*/);

-- For the filter by tags; ``run.tags`` has the same tags in the order they were sent.
CREATE TABLE run_tag (run_id BIGINT NOT NULL REFERENCES run, tag TEXT NOT NULL, PRIMARY KEY (run_id, tag));

-- ``position`` counts from 1 within the run. The last columns come from clients that know our extensions.
CREATE TABLE thread (
  id BIGSERIAL PRIMARY KEY, {_COUNTS},
  run_id BIGINT NOT NULL REFERENCES run, position BIGINT NOT NULL, status INTEGER NOT NULL,
  is_completed BOOLEAN NOT NULL, elapsed_observed BIGINT, elapsed_computed BIGINT, created BIGINT NOT NULL,
  completed BIGINT,
  session_started BIGINT,  -- time at which the session of its worker began
  running TEXT,  -- JSON list of the tests that run now, null after completion
  job TEXT, attempt BIGINT,  -- see `api.models.JOB`
  collection TEXT,  -- JSON object with the tests that the session collected
  session_ended BIGINT, unexplained_exit BIGINT, ending TEXT, not_run BIGINT  -- of its session, as in ``run``
);
CREATE INDEX thread_run_id ON thread (run_id /*id*/);

-- A field, artifact or link of a run, or of one of its threads; ``body`` is a JSON object.
CREATE TABLE attachment (
  id BIGSERIAL PRIMARY KEY, run_id BIGINT NOT NULL REFERENCES run, thread_id BIGINT REFERENCES thread,
  kind TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX attachment_run_id ON attachment (run_id /*id*/);

-- The identity of a test across runs: one row for each key of a source, and which test it was before it was moved.
CREATE TABLE "case" (
  id BIGSERIAL PRIMARY KEY, source_id BIGINT NOT NULL REFERENCES source, key TEXT NOT NULL, moved_from BIGINT
);
CREATE UNIQUE INDEX case_source_id_key ON "case" (source_id, key);
CREATE INDEX case_moved_from ON "case" (source_id, moved_from) WHERE moved_from IS NOT NULL;

-- ``run_id`` is the run of the thread, ``result_class`` the class of ``status``.
-- ``fields`` and ``artifacts`` are JSON lists or null. ``phase`` to ``fingerprint`` are derived from causes, so that
-- findings need not read these; the columns after them are extensions (`api.results`), most in JSON if they are text.
CREATE TABLE result (
  id BIGSERIAL PRIMARY KEY, run_id BIGINT NOT NULL REFERENCES run, thread_id BIGINT NOT NULL REFERENCES thread,
  case_id BIGINT NOT NULL REFERENCES "case", name TEXT NOT NULL, folder TEXT NOT NULL, status INTEGER NOT NULL,
  is_replaced BOOLEAN NOT NULL DEFAULT FALSE,  -- another attempt of its job has the result that counts
  result_class INTEGER NOT NULL, elapsed BIGINT, file TEXT, line BIGINT, assertions BIGINT, fields TEXT, artifacts TEXT,
  created BIGINT NOT NULL,
  failed_attempts INTEGER,  -- attempts before the last one, null for a test that ran once
  phase TEXT, message TEXT, fingerprint BIGINT,  -- of a failure; ``message`` is its first line
  started BIGINT,  -- microseconds since ``thread.session_started``
  setup BIGINT, teardown BIGINT,  -- these parts of ``elapsed``, the rest is the call
  steps TEXT, comparison TEXT, colours TEXT, attempts TEXT,
  known TEXT, is_excused BOOLEAN,  -- JSON of `api.models.Known`, of a failure, and whether its day was not past
  causes TEXT, output TEXT, owner TEXT,
  paused BIGINT  -- this part of ``elapsed`` is left out of comparisons: Python collected garbage
);
CREATE INDEX result_run_id ON result (run_id /*id*/);
CREATE INDEX result_thread_id ON result (thread_id /*id*/);
-- Both have all that findings need of a result: to read the results themselves takes four times as long.
CREATE INDEX result_case_id_run_id ON result (case_id, run_id /*id*/, result_class, failed_attempts, elapsed, paused);
CREATE INDEX result_unstable ON result (run_id, case_id, result_class, failed_attempts, fingerprint /*id*/)
  WHERE result_class = 3 OR failed_attempts IS NOT NULL;
CREATE INDEX result_run_id_status ON result (run_id, status /*id*/);
CREATE INDEX result_fingerprint_run_id ON result (fingerprint, run_id /*id*/) WHERE fingerprint IS NOT NULL;

-- What was computed once of a completed run: its findings, the summary of them for lists, and its overview; of any run
-- by what its jobs cut their tests ("cut"). ``version`` belongs to the rules, ``body`` is a JSON object.
CREATE TABLE run_document (
  run_id BIGINT NOT NULL REFERENCES run, kind TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (run_id, kind)
);

-- A text by which searches find a test, or a reason of a source: see `search_index`.
CREATE TABLE searched (
  id BIGSERIAL PRIMARY KEY, source_id BIGINT NOT NULL REFERENCES source, case_id BIGINT, fingerprint BIGINT,
  text TEXT NOT NULL
);
CREATE UNIQUE INDEX searched_case_id ON searched (case_id);
CREATE UNIQUE INDEX searched_source_id ON searched (source_id, fingerprint, text) WHERE case_id IS NULL;

-- The content of a stored artifact: ``hash`` is its SHA-256 in hexadecimal, ``size`` in bytes; its parts count from 0.
CREATE TABLE content (
  id BIGSERIAL PRIMARY KEY, hash TEXT NOT NULL, size BIGINT NOT NULL, media_type TEXT NOT NULL, created BIGINT NOT NULL
);
CREATE UNIQUE INDEX content_hash ON content (hash);
CREATE TABLE content_part (
  content_id BIGINT NOT NULL REFERENCES content, position BIGINT NOT NULL, data BYTEA NOT NULL,
  PRIMARY KEY (content_id, position)
);

-- A reference from a run to a content, which may be missing; contents without one are removed by `store prune`.
CREATE TABLE content_use (run_id BIGINT NOT NULL REFERENCES run, hash TEXT NOT NULL, PRIMARY KEY (run_id, hash));
CREATE INDEX content_use_hash ON content_use (hash);

-- The projects that have a content: they uploaded it, or whoever may read the contents of all projects gave it to them.
CREATE TABLE content_owner (
  content_id BIGINT NOT NULL REFERENCES content, project_id BIGINT NOT NULL, PRIMARY KEY (content_id, project_id)
);

-- A secret that all servers of a store share; "pages" signs the passes of browsers.
CREATE TABLE secret (name TEXT PRIMARY KEY, value TEXT NOT NULL);

-- A token of clients beside the server's own; ``project_id`` is null for all, and the project may have no run yet.
CREATE TABLE token (
  name TEXT PRIMARY KEY, hash TEXT NOT NULL, role TEXT NOT NULL, project_id BIGINT, created BIGINT NOT NULL
);

-- When something was done last: "prune".
CREATE TABLE moment (name TEXT PRIMARY KEY, time BIGINT NOT NULL);

-- Runs that `store prune` removed, for their old links.
CREATE TABLE removed_run (id BIGINT PRIMARY KEY, source_id BIGINT NOT NULL REFERENCES source);

-- A request that had an idempotency key, and the id of what it created.
CREATE TABLE applied_request (
  key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, record_id BIGINT, created BIGINT NOT NULL
);
CREATE INDEX applied_request_created ON applied_request (created);
"""

_TABLES: Final = tuple(
    " ".join(statement.split()) for statement in re.sub(r"--.*", "", _SCHEMA).split(";") if statement.strip()
)

# Names of the tables that both databases have, each after those that it refers to.
TABLE_NAMES: Final = tuple(re.findall(r'CREATE TABLE "?(\w+)', " ".join(_TABLES)))

_find_references = re.compile(r'(\w+) BIGINT[ A-Z]* REFERENCES "?(\w+)').findall

# Each reference of the tables: table, column, and the table it refers to.
REFERENCES: Final = tuple(
    (name, column, target)
    for name, statement in zip(TABLE_NAMES, (each for each in _TABLES if "CREATE TABLE" in each), strict=True)
    for column, target in _find_references(statement)
)


# To check the run, thread and test of each result took a third of the time of an append. The locks of `database`
# exclude that one of them is removed meanwhile, and `store check` finds results without.
_UNCHECKED: Final = tuple(
    f"ALTER TABLE result DROP CONSTRAINT result_{name}_id_fkey" for name in ("run", "thread", "case")
)


def statements_of_tables(*, is_postgres: bool) -> tuple[str, ...]:
    """Return the statements that make the tables in an empty database."""
    made = tuple(in_words_of(statement, is_postgres=is_postgres) for statement in _TABLES)
    return made + _UNCHECKED if is_postgres else made


def in_words_of(statement: str, *, is_postgres: bool) -> str:
    """Return a statement of this module, or of a migration, in the words of a database."""
    if is_postgres:
        # With SQLite's order of texts, by code point.
        return statement.replace(" TEXT", ' TEXT COLLATE "C"').replace(" /*id*/", ", id")
    # In SQLite only a key of the type INTEGER is the row's id.
    keyed = statement.replace("BIGSERIAL", "INTEGER").replace("BIGINT PRIMARY", "INTEGER PRIMARY")
    return keyed.replace("BYTEA", "BLOB").replace(" /*id*/", "")
