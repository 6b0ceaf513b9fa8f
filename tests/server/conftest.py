from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from contract import Contract

from server.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def contract() -> Contract:
    return Contract()


@pytest.fixture
def service(tmp_path: Path, contract: Contract) -> Iterator[Service]:
    service = Service(tmp_path / "store.db", contract)
    yield service
    service.store.close()
    assert contract.violations == []
