from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.clusters import ended, programs, started
from support.contract import Contract
from support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_automation_report.api.models import PostgresDatabase
    from support.clusters import Cluster

DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


@pytest.fixture
def contract() -> Contract:
    return Contract()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Return a PostgreSQL server of these tests alone."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed: pip install 'psycopg[binary]>=3.1'")
    cluster = started(Path("/tmp"))
    yield cluster
    ended(cluster)


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | PostgresDatabase:
    """Return where a new store can be: a file, and an empty database."""
    if request.param == "sqlite":
        return tmp_path / "store.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.emptied()


@pytest.fixture(params=DATABASES)
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | PostgresDatabase:
    """Return where nothing has ever been: a file that is not there, and a database of its own."""
    if request.param == "sqlite":
        return tmp_path / "store.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.new()


@pytest.fixture
def service(place: Path | PostgresDatabase, contract: Contract) -> Iterator[Service]:
    service = Service(place, contract)
    yield service
    service.store.close()
    assert contract.violations == []
