from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from canary import files_with
from sessions import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def token_is_nowhere(tmp_path: Path) -> Iterator[None]:
    """After whatever happened, no file has the token: no spool, ledger, log, output or rejected result."""
    yield
    assert files_with(TOKEN, tmp_path) == []
