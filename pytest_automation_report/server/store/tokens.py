"""Named tokens of a store: create, list and revoke them, and read what each may do. The store has only their hashes."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct

from pytest_automation_report.api.models import Token
from pytest_automation_report.server.store.database import StoreConnection, insert_into

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.server.store.writes import Writer

Role: TypeAlias = Literal["report", "read", "admin"]
PREFIX: Final = "arp_"
_INSERT: Final = f"{insert_into('token', ('name', 'hash', 'role', 'project_id', 'created'))} ON CONFLICT DO NOTHING"


class Grant(Struct, frozen=True):
    """What the bearer of a token may do: ``report`` and ``read`` may be limited to one project, else None."""

    name: str
    role: Role
    project: int | None = None
    created: int = 0  # microseconds since 1970

    @property
    def scope(self) -> str:
        """Role and project in words."""
        return f"{self.role}, {'all projects' if self.project is None else f'project {self.project}'}"


def create_token(name: str, role: Role, project: int | None, writer: Writer) -> Token | None:
    """Create a token and return it, which is the only time that it is known; None if the name is in use."""
    token = Token(f"{PREFIX}{secrets.token_urlsafe(32)}")
    values = (name, hash_of(token.value), role, project, writer.now)
    return token if writer.connection.change(_INSERT, values) else None


def revoke_token(name: str, writer: Writer) -> bool:
    """Remove a token; False if no token has this name."""
    return bool(writer.connection.change('DELETE FROM "token" WHERE "name" = ?', (name,)))


def grants(connection: StoreConnection) -> Mapping[str, Grant]:
    """Return what each token may do, by its hash, in the order of names."""
    rows = connection.execute('SELECT "hash", "name", "role", "project_id", "created" FROM "token" ORDER BY "name"')
    return {row[0]: Grant(*row[1:]) for row in rows}


def hash_of(token: str) -> str:
    """Return the hash by which a token is stored: it has 256 random bits, so that none can be guessed from its hash."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


_OWNERS: Final[Mapping[str, str]] = {
    "run": 'SELECT 1 FROM "run" WHERE "id" = ? AND "project_id" = ?',
    "thread": 'SELECT 1 FROM "thread" AS t JOIN "run" AS r ON r."id" = t."run_id"'
    ' WHERE t."id" = ? AND "project_id" = ?',
    "source": 'SELECT 1 FROM "source" WHERE "id" = ? AND "project_id" = ?',
    "artifact": 'SELECT 1 FROM "content_use" AS u JOIN "run" AS r ON r."id" = u."run_id"'
    ' WHERE u."hash" = ? AND "project_id" = ? LIMIT 1',
}


def is_of_project(connection: StoreConnection, kind: str, record_id: int | str, project: int) -> bool:
    """Whether a project has this run, thread, source or artifact."""
    return bool(connection.execute(_OWNERS[kind], (record_id, project)))
