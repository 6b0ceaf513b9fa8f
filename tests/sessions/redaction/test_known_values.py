"""The hidden values in the output of pytest itself."""

import pytest

from pytest_automation_report.text.redaction import TextCleaner
from unit.text.test_redaction import KNOWN


@pytest.mark.parametrize("option", ["-q", "-v", "-vv", "-l", "--tb=native"])
def test_pytest_itself_shows_nothing_of_a_known_value(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """Whatever pytest shows of a comparison with a secret, at any verbosity, no six characters of it stay."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("KNOWN", KNOWN)
    pytester.makepyfile(
        """
        import os
        import pytest
        KNOWN = os.environ["KNOWN"]
        OTHERS = ["x", KNOWN + "x", "x" + KNOWN, "y" * 40 + KNOWN, ["a", KNOWN], {"b": KNOWN * 9}, {KNOWN}, len]

        @pytest.mark.parametrize("other", OTHERS, ids=range(len(OTHERS)))
        def test_it(other):
            assert KNOWN == other
        """
    )
    shown = pytester.runpytest_subprocess(option).stdout.str()
    assert "8 failed" in shown
    assert "Zq7Lw2" in shown
    hidden = TextCleaner(secrets=[KNOWN])(shown)
    assert [KNOWN[at : at + 6] for at in range(len(KNOWN) - 5) if KNOWN[at : at + 6] in hidden] == []
