from __future__ import annotations

import io
import re
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.server.store.artifact_urls import content_address
from pytest_automation_report.server.store.artifacts import ArtifactContents
from support.contract import Contract
from support.service import SECOND, a_test
from support.website import Site, failing, hostile

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_automation_report.api.models import PostgresDatabase
    from support.clusters import Cluster

PATHS = (
    "/",
    "/projects/1?status=3&tags=nightly",
    "/projects/1?source_id=1&page=1",
    "/projects/7",
    "/runs/1",
    "/runs/2?view=tests&group=none&page=2",
    "/runs/2?view=tests&open=a",
    "/runs/2?view=tests&group=none&sort=slowest",
    "/runs/2?view=tests&group=none&sort=ran&page=2",
    "/runs/2?view=changes",
    "/runs/2?view=time",
    "/runs/2?view=details",
    "/runs/2/failures.txt",
    "/runs/2?q=TEST_1&status=2",
    "/runs/2?q=%25",
    "/runs/2?folder=f%C3%A9",
    "/runs/2?group=file",
    "/runs/2?q=a",
    "/runs/2/live",
    "/runs/3",
    "/results/1",
    "/results/3",
    "/results/3?show=pytest",
    "/results/999",
    "/tests/1",
    "/tests/3?branch=main",
)


def _pages(place: Path | PostgresDatabase) -> dict[str, str]:
    """Report the same to a store and return its pages."""
    site = Site(place, Contract())
    with closing(site.service.store):
        hostile(site)
        kept = ArtifactContents(site.service.store).put(io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"x" * 300_000))
        files = [{"name": "a.png", "url": content_address(kept.hash, "a.png")}]
        folders = ("a", "A", "b", "B c", "f\xe9", "_", "%", "Z")
        site.service.clock.now += SECOND
        site.run_of(
            failing(0, artifacts=files),
            *(a_test(each, folder=folders[each % len(folders)]) for each in range(1, 300)),
            tags=["nightly"],
        )
        site.service.clock.now += SECOND
        site.run_of(failing(0), name="going on", project_id=7, is_open=True)
        path = content_address(kept.hash, "a.png").removeprefix("http+local://store")
        assert site.get(path).content.endswith(b"x" * 1000)
        # Ages of runs are those of the moment at which a page is made.
        return {each: re.sub(r"\b[0-9]+ h [0-9]+ min\b", "AGE", site.get(each).text) for each in PATHS}


@pytest.mark.slow
def test_pages_are_the_same_over_both_databases(cluster: Cluster, tmp_path: Path) -> None:
    """Filters, searches, orders of folders and names, paging and pictures do not depend on where the store is."""
    in_a_file, in_a_database = _pages(tmp_path / "store.db"), _pages(cluster.emptied())
    assert len(set(in_a_file.values())) == len(PATHS)
    for path in PATHS:
        assert in_a_database[path] == in_a_file[path], path
