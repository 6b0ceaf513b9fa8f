"""A private PostgreSQL for the tests: a cluster of its own in a temporary folder, gone at the end."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.server.store.database import TABLE_NAMES
from pytest_automation_report.server.store.migrations import SCHEMA_VERSION
from pytest_automation_report.settings.parsers import RawSetting
from pytest_automation_report.settings.servers import postgres_database
from support.needs import needed

STATE = "SELECT version, step FROM store_version"
OWNER = "reports"
"""The user of the databases; over the socket it needs no password."""


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL server; ``password`` is its owner's over TCP."""

    programs: Path
    folder: Path
    port: int
    password: str

    def place(self, name: str = "reports") -> PostgresDatabase:
        return database_at(f"postgresql://{OWNER}@/{name}?host={quote(str(self.folder), safe='')}&port={self.port}")

    def address(self, name: str = "reports", user: str = OWNER, password: str = "") -> str:
        """Return the address of a database over TCP, where a password is asked for."""
        return f"postgresql://{user}{f':{password}' if password else ''}@127.0.0.1:{self.port}/{name}"

    @contextmanager
    def asking(self, name: str = "reports") -> Iterator[Callable[[str], list[Any]]]:
        """Yield a function that executes a statement over one connection, and returns its rows."""
        import psycopg  # noqa: PLC0415 - the tests on SQLite need no driver

        with psycopg.connect(self.place(name).url, autocommit=True) as connection:

            def ask(sql: str) -> list[Any]:
                cursor = connection.execute(sql.encode())
                return cursor.fetchall() if cursor.description else []

            yield ask

    def execute(self, sql: str, name: str = "reports") -> list[Any]:
        with self.asking(name) as ask:
            return ask(sql)

    def emptied(self) -> PostgresDatabase:
        """Return the database that tests share, with nothing in it."""
        with self.asking() as ask:
            found = {name for (name,) in ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
            if found == {*TABLE_NAMES, "store_version"} and ask(STATE) == [(SCHEMA_VERSION, None)]:
                tables = ", ".join(f'"{name}"' for name in sorted(TABLE_NAMES))
                ask(f"TRUNCATE {tables} RESTART IDENTITY")
            elif found:
                ask("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return self.place()

    def new(self, encoding: str = "UTF8") -> PostgresDatabase:
        name = f"test_{secrets.token_hex(4)}"
        locale = "" if encoding == "UTF8" else " LOCALE 'C' LOCALE_PROVIDER libc"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'{locale}", "postgres")
        return self.place(name)

    def control(self, *arguments: str) -> None:
        run = [str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), "-s", "-w", *arguments]
        subprocess.run(run, check=True, stdin=subprocess.DEVNULL, timeout=60, **_identity())

    def restart(self) -> None:
        if not (self.folder / "data" / "postmaster.pid").exists():
            self.control("-l", str(self.folder / "log"), "start")


def database_at(url: str) -> PostgresDatabase:
    place = postgres_database(RawSetting(url, "--database"))
    assert place is not None
    return place


def started() -> Cluster:
    programs = needed("initdb").resolve().parent
    place = Path(tempfile.mkdtemp(prefix="pg"))  # a short path, for its socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    cluster = Cluster(programs, place, port, secrets.token_urlsafe(12))
    secret = place / "secret"
    secret.write_text(f"{cluster.password}\n")
    identity = _identity()
    if sys.platform != "win32" and identity:
        for path in (place, secret):
            os.chown(path, identity["user"], identity["group"])
    # An order of texts that is not SQLite's shows whether ours is the same on both.
    told = subprocess.run([programs / "initdb", "--version"], check=True, capture_output=True, text=True).stdout
    version = int(re.findall("[0-9]+", told)[0])
    words = ["--locale-provider=icu", "--icu-locale=en-US", "--encoding=UTF8"] if version >= 15 else []
    run = [
        str(programs / "initdb"), "--no-sync", "-D", str(place / "data"), "-U", OWNER,
        "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}", *words,
    ]  # fmt: skip
    subprocess.run(run, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=place, **identity)
    settings = {
        "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "32MB",
        "listen_addresses": "127.0.0.1", "autovacuum": "off", "port": str(port), "unix_socket_directories": str(place),
    }  # fmt: skip
    with (place / "data" / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    cluster.restart()
    cluster.execute(f"CREATE DATABASE {OWNER}", "postgres")
    return cluster


def ended(cluster: Cluster) -> None:
    cluster.control("-m", "immediate", "stop")
    shutil.rmtree(cluster.folder)


def _identity() -> dict[str, Any]:
    """Return as whom PostgreSQL runs: it refuses root."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return {}
    import pwd  # noqa: PLC0415 - Windows has none

    names = {each.pw_name: each for each in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
