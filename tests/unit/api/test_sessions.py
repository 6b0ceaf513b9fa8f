"""How a session ended, in words and as a value."""

import pytest

from pytest_automation_report.api.models import Ending, SessionSummary
from pytest_automation_report.api.sessions import ending_from, ending_words, session_fields, session_from, worst_cut
from pytest_automation_report.findings.sentences import Cut

_STOPPED = "tests failed, stopping after 1 failures (exit status 1)"
_OTHER = "12 results submitted from 2 files"


@pytest.mark.parametrize(
    ("ending", "words", "cut"),
    [
        (Ending("ended"), "no test failed (exit status 0)", ("", 0)),
        (Ending("ended", 1, limit=1, text="stopping after 1 failures"), _STOPPED, ("stopped", 1)),
        (Ending("ended", 5), "no tests were run (exit status 5)", ("", 0)),
        (Ending("ended", 1, is_unexplained=True), "ended by a plugin, no test failed (exit status 1)", ("", 0)),
        (Ending("ended", -7), "ended by a plugin (exit status -7)", ("", 0)),
        (Ending("ended", 2, text="a, (b)\n"), "interrupted, a, (b)\n (exit status 2)", ("", 0)),
        (Ending("stopped", text="1 error during collection"), "stopped: 1 error during collection", ("", 0)),
        (
            Ending("stopped", limit=3, text="stopping after 3 failures"),
            "stopped: stopping after 3 failures", ("stopped", 3),
        ),
        (Ending("stopped", text="stopping after 3 seconds"), "stopped: stopping after 3 seconds", ("", 0)),
        (Ending("interrupted"), "interrupted by Ctrl-C", ("interrupted", 0)),
        (
            Ending("interrupted in a worker"),
            "interrupted by Ctrl-C or pytest.exit in a worker", ("interrupted", 0),
        ),
        (Ending("exit", text="enough"), "ended by pytest.exit: enough", ("interrupted", 0)),
        (Ending("left"), "pytest stopped before the session ended", ("", 0)),
        (Ending("died"), "pytest died before the session ended", ("died", 0)),
        (Ending("other", text=_OTHER), _OTHER, ("", 0)),
    ],
)  # fmt: skip
def test_an_ending_has_one_sentence_from_which_it_can_be_read(ending: Ending, words: str, cut: Cut) -> None:
    """A Testmo instance and stores of the first release have the sentence alone."""
    assert (ending_words(ending), ending_from(words), worst_cut([ending])) == (words, ending, cut)


def test_the_worst_of_several_sessions_counts() -> None:
    """One that died counts more than one that was interrupted; of none nothing is known."""
    endings = [Ending("ended", 1), Ending("died"), Ending("interrupted")]
    assert (worst_cut(endings), worst_cut([])) == (("died", 0), ("", 0))


def test_numbers_of_a_session_are_fields_and_can_be_read_from_them() -> None:
    """Numbers that are 0 have no field, but that of collected tests; other fields tell nothing of it."""
    told = SessionSummary(ending=Ending("interrupted"), collected=0, deselected=2, not_run=7)
    shown = [(field.name, field.value) for field in session_fields(told)]
    assert shown == [("Collected", "0"), ("Deselected", "2"), ("Session", "interrupted by Ctrl-C"), ("Not run", "7")]
    assert session_from([*shown, ("Branch", "main"), ("Python", None)]) == told
    assert session_fields(SessionSummary()) == []
    assert session_from([("Not run", "many"), ("Collected", None)]) == SessionSummary()
