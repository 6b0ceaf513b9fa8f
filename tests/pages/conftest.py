from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from contract import Contract
from server.conftest import cluster  # noqa: F401 - a fixture of these tests, too

from pages.visiting import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    contract = Contract()
    site = Site(tmp_path / "store.db", contract)
    yield site
    site.service.store.close()
    assert contract.violations == []
