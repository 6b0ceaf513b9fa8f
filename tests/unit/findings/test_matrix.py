"""The axes of tests, and which of their values the failed ones have in common."""

from itertools import product

import pytest

from pytest_automation_report.findings.flakiness import Axis, Sample, find_axes, find_matrix, places

IDS = [f"{browser}-{language}" for browser, language in product(("chromium", "firefox", "webkit"), ("de", "en", "fr"))]


def sentence(failed: list[str]) -> str:
    """Return the sentence about tests with `IDS` of which these failed; empty if nothing tells them from the others."""
    axes = find_axes(IDS, [{}] * len(IDS))
    values = [{axis: column[place] for axis, column in axes} for place in range(len(IDS))]
    found = find_matrix([Sample(place, name in failed, values[place]) for place, name in enumerate(IDS)])
    return "".join(text for text, _ in found.sentence()) if found else ""


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        (IDS[6:], "webkit fails with each of de, en and fr; chromium and firefox pass."),
        (IDS[:6], "chromium and firefox fail with each of de, en and fr; webkit passes."),
        (IDS[2::3], "fr fails with each of chromium, firefox and webkit; de and en pass."),
        ([*IDS[2::3], IDS[0]],
         "fr fails with each of chromium, firefox and webkit; de fails in 1 of 3 tests; en passes."),
        (IDS[:1], ""), (IDS[::2], ""), (IDS, ""), ([], ""),
    ],
)  # fmt: skip
def test_the_values_that_fail_are_told(failed: list[str], said: str) -> None:
    """What fails with every value of another axis is named once; failures without a pattern have no sentence."""
    assert sentence(failed) == said


@pytest.mark.parametrize(
    ("ids", "columns"),
    [
        (["a-1", "a-2", "b-1", "b-2"], [("a", "a", "b", "b"), ("1", "2", "1", "2")]),
        (["phone", "tablet"], [("phone", "tablet")]),
        (["escape-no-key", "no-escape", "key"], []),
        (["a-1", "b-2"], []),
        ([], []),
    ],
)
def test_dashes_separate_parameters_or_words(ids: list[str], columns: list[tuple[str, ...]]) -> None:
    """Parts of ids are parameters where they stand in every combination, as those of two decorators do."""
    assert places(ids) == columns


def test_each_value_of_an_axis_has_several_tests_but_for_jobs() -> None:
    """A value of its own tells nothing: a parameter of each test, a ticket; a job runs a test once."""
    facts = [{"job": "3.10", "ticket": "a"}, {"job": "3.11", "ticket": "b"}]
    assert find_axes(["x", "x"], facts) == [(Axis("job", ("3.10", "3.11")), ("3.10", "3.11"))]
    assert find_axes(["x", "y"], [{}, {}]) == []


def test_an_axis_that_goes_with_another_adds_no_column() -> None:
    """A job for each browser says what the browser says."""
    facts = [{"job": f"on {name.partition('-')[0]}"} for name in IDS]
    axes = find_axes(IDS, facts)
    tests = [
        Sample(place, name.startswith("webkit"), {axis: column[place] for axis, column in axes})
        for place, name in enumerate(IDS)
    ]
    found = find_matrix(tests)
    assert found is not None
    assert (found.rows.values, found.columns) == (("chromium", "firefox", "webkit"), Axis("", ("de", "en", "fr")))
