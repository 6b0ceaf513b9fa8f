from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from contract import Contract

from server.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


KILLS = 20
"""How many by default; `pytest tests/server --kills 200` makes it more."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=KILLS, help="how many writers of a store are killed (tests/server)")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills", KILLS) or KILLS)


@pytest.fixture
def contract() -> Contract:
    return Contract()


@pytest.fixture
def service(tmp_path: Path, contract: Contract) -> Iterator[Service]:
    service = Service(tmp_path / "store.db", contract)
    yield service
    service.store.close()
    assert contract.violations == []
