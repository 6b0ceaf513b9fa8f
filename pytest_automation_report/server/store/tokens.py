"""Keep the tokens of clients and the secrets that all servers of a store share."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct

from pytest_automation_report.api.models import Token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer


Role: TypeAlias = Literal["report", "read", "admin"]
PREFIX: Final = "arp_"


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
    """Create a token and return it: only now is it known; None if the name is in use."""
    token = Token(f"{PREFIX}{secrets.token_urlsafe(32)}")
    columns = {"name": name, "hash": hash_of(token.value), "role": role, "project_id": project, "created": writer.now}
    return token if writer.connection.add("token", **columns) else None


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


_SECRET: Final = 'SELECT "value" FROM "secret" WHERE "name" = ?'  # noqa: S105 - a statement
_OWNERS: Final[Mapping[str, str]] = {
    "run": 'SELECT 1 FROM "run" WHERE "id" = ? AND "project_id" = ?',
    "thread": 'SELECT 1 FROM "thread" AS t JOIN "run" AS r ON r."id" = t."run_id"'
    ' WHERE t."id" = ? AND "project_id" = ?',
    "source": 'SELECT 1 FROM "source" WHERE "id" = ? AND "project_id" = ?',
    "artifact": 'SELECT 1 FROM "content_owner" AS o JOIN "content" AS c ON c."id" = o."content_id"'
    ' WHERE c."hash" = ? AND o."project_id" = ?',
}


def is_of_project(kind: str, record_id: int | str, project: int, connection: StoreConnection) -> bool:
    """Whether a project has this run, thread, source or artifact."""
    return bool(connection.execute(_OWNERS[kind], (record_id, project)))


def shared_secret(store: Store, name: str, *, is_new: bool = False) -> Token:
    """Return a secret that all servers of the store share; ``is_new`` replaces it."""

    def create(writer: Writer) -> Token:
        if is_new:
            writer.connection.change('DELETE FROM "secret" WHERE "name" = ?', (name,))
        # Another server may have created it at the same moment: the first one wins.
        writer.connection.add("secret", name=name, value=secrets.token_urlsafe(32))
        ((value,),) = writer.connection.execute(_SECRET, (name,))
        return Token(value)

    rows = store.read(lambda connection: connection.execute(_SECRET, (name,)), is_single=True)
    return Token(rows[0][0]) if rows and not is_new else store.write(create)
