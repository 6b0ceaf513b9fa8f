from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.runs.filters import RunFilters, run_filters
from pytest_automation_report.server.store.errors import ApiError


@pytest.mark.parametrize(
    ("parameters", "filters"),
    [
        ({}, RunFilters()),
        ({"source": "", "branch": "", "status": " ", "tag": "", "page": ""}, RunFilters()),
        ({"source": "3", "branch": "fix/x", "status": "failed", "tag": "t"}, RunFilters(3, "fix/x", "failed", "t")),
        ({"branch": "-"}, RunFilters(branch="")),
        ({"branch": ["a", "b"]}, RunFilters(branch="b")),
        ({"source_id": "3", "tags": "t", "status": "4"}, RunFilters(3, None, "running", "t")),
        ({"page": "7"}, RunFilters(page=7)),
        ({"branch": "a\x00b" + "x" * 900}, RunFilters(branch=("a\\x00b" + "x" * 900)[:750])),
    ],
)
def test_filters_are_read_from_the_url(parameters: dict[str, str | list[str]], filters: RunFilters) -> None:
    """Empty parameters of forms are no filter; names and numbers of earlier addresses still work."""
    assert run_filters(parameters) == filters


@pytest.mark.parametrize(
    "filters",
    [RunFilters(), RunFilters(3, "fix/x y&z", "failed", "a=b", 4), RunFilters(branch=""), RunFilters(branch="\u202ex")],
)
def test_filters_are_written_as_they_are_read(filters: RunFilters) -> None:
    """A link with the filters leads to the same list."""
    query = urlsplit(link("project", 1, **filters.query)).query
    assert run_filters(parse_qs(query)) == filters


@pytest.mark.parametrize(
    "parameters", [{"page": "0"}, {"page": "-1"}, {"page": "x"}, {"source": "x"}, {"status": "blue"}]
)
def test_a_mistake_is_named(parameters: dict[str, str]) -> None:
    """The error names the parameter that is wrong."""
    with pytest.raises(ApiError) as caught:
        run_filters(parameters)
    assert set(caught.value.errors) == set(parameters)
