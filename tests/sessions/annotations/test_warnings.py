"""All that the plugin offers to tests adds no warning, no outcome and no count to a session."""

from pathlib import Path

import pytest

from compatibility.world.differing import SUITES, check_same, check_same_output, differ

# One worker runs the one file: with the tests on both, the order of their letters in the output is a matter of chance.
WORKERS = ("-n", "2", "--dist", "loadfile")


@pytest.mark.parametrize("workers", [(), WORKERS], ids=["alone", "workers"])
@pytest.mark.parametrize("filters", [(), ("-W", "error")], ids=["shown", "errors"])
def test_nothing_that_we_offer_warns(tmp_path: Path, filters: tuple[str, ...], workers: tuple[str, ...]) -> None:
    """A suite that uses every fixture, function, marker and hook of ours has no warning, outcome or count more."""
    pair = differ(tmp_path, SUITES / "annotating", *filters, *workers)
    check_same(pair)
    check_same_output(pair)
    properties = {"cluster": "blue", "class": "yes", "late": "7", "of class": "1", "unit": "1"}
    assert properties.items() <= pair.run_fields.items()
