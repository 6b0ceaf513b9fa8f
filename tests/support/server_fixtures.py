"""The fixtures of the embedded server in this process: its store in a file or on PostgreSQL, its API, its pages."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_automation_report.api.models import PostgresDatabase
from support.clusters import Cluster, ended, started
from support.contract import Contract
from support.needs import needed
from support.service import Service
from support.website import Site


@pytest.fixture
def contract() -> Contract:
    return Contract()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    needed("initdb")
    if importlib.util.find_spec("psycopg_pool") is None:
        pytest.skip("psycopg_pool is not installed: pip install 'psycopg[binary,pool]>=3.1'")
    cluster = started()
    yield cluster
    ended(cluster)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | PostgresDatabase:
    """Return where a new store can be: a file, or with the parameter "postgresql" an empty database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return tmp_path / "store.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.emptied()


@pytest.fixture
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | PostgresDatabase:
    """Return where no store has ever been: a missing file, or with the parameter "postgresql" a new database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return tmp_path / "store.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.new()


@pytest.fixture
def service(place: Path | PostgresDatabase, contract: Contract) -> Iterator[Service]:
    service = Service(place, contract)
    yield service
    service.store.close()
    assert contract.violations == []


@pytest.fixture
def site(place: Path | PostgresDatabase, contract: Contract) -> Iterator[Site]:
    site = Site(place, contract)
    yield site
    site.service.store.close()
    assert contract.violations == []
