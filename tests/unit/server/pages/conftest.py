from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.contract import Contract
from support.website import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_automation_report.api.models import PostgresDatabase


@pytest.fixture
def site(place: Path | PostgresDatabase) -> Iterator[Site]:
    """Return the pages over a new store: once in a file, once in a database."""
    contract = Contract()
    site = Site(place, contract)
    yield site
    site.service.store.close()
    assert contract.violations == []
