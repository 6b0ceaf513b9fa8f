"""Write everything that a server of ours has of a run as one JSON document."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.api.models import Json

_VERSION: Final = 1


def json_document(run: Json, source: str, findings: Json | None, items: Iterable[Json]) -> Iterator[str]:
    """Yield the document in pieces, since a run may have 100,000 results.

    ``run`` and ``items`` are those of the API; ``findings`` are None if the server has none.
    """
    encode = partial(json.dumps, ensure_ascii=False)
    described = {**run, "source": source}
    yield f'{{"format": "automation-report run", "version": {_VERSION},\n"run": {encode(described)},\n'
    yield f'"findings": {encode(findings)},\n"tests": ['
    separator = "\n"
    for item in items:
        yield f"{separator}{encode(item)}"
        separator = ",\n"
    yield "\n]}\n"
