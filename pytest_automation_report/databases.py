"""The address of a PostgreSQL database, as a user writes it and as it may be shown (floor 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pytest_automation_report.errors import SettingError

if TYPE_CHECKING:
    from pytest_automation_report.given import Given

__all__ = ["PostgresDatabase", "postgres_database"]

_SCHEMES: Final = ("postgresql", "postgres")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_PORT = re.compile(r"\[[^\]]*\](?::[0-9]{0,5})?|[^:\[\]]*(?::[0-9]{0,5})?").fullmatch
_BAD_CHARACTERS = re.compile(r"[\s\x00-\x1f\x7f]")
_REMEDY: Final = (
    "write postgresql://USER@HOST:PORT/DATABASE, with special characters of user and password as % and two hex"
    " digits (@ is %40), or leave the password to PGPASSWORD or a .pgpass file"
)


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """A PostgreSQL database; ``url`` may hold a password, so that only ``shown`` is for eyes and logs."""

    url: str = field(repr=False)
    shown: str

    def __str__(self) -> str:
        return self.shown


def postgres_database(given: Given) -> PostgresDatabase | None:
    """Return the database that a value of the setting ``database`` names, ``None`` when it names a file.

    Raises `SettingError` for an address that is none, or of another kind of database; it shows no password.
    """
    text = given.value.strip() if isinstance(given.value, str) else ""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return None
    if scheme[1].lower() not in _SCHEMES:
        raise SettingError(given.origin, f"{scheme[1]}://", f"name a file, or {_REMEDY}")
    rest = text[scheme.end() :]
    url = f"{_SCHEMES[0]}://{rest}"
    try:
        split = urlsplit(url)
    except ValueError:
        raise SettingError(given.origin, f"{scheme[1]}://", _REMEDY) from None
    user, _, hosts = split.netloc.rpartition("@")
    # What stands behind a character that ends a part too early could be the rest of a password.
    is_clear = rest.count("@") <= 1 and ("@" in split.netloc) == ("@" in rest) and not split.fragment
    if not is_clear or _BAD_CHARACTERS.search(rest) or not all(map(_PORT, hosts.split(","))):
        raise SettingError(given.origin, f"{scheme[1]}://", _REMEDY)
    name = f"{user.partition(':')[0]}@" if user else ""
    return PostgresDatabase(url, f"{_SCHEMES[0]}://{name}{hosts}{split.path}")
