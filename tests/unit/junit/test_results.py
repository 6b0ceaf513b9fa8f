"""The reader of JUnit XML."""

import pytest

from pytest_automation_report.junit.results import JunitDocument, JunitResult
from pytest_automation_report.recording.options import RecordingOptions

_HEAD = b'<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite>'
_TAIL = b"</testsuite></testsuites>"


def _results(*pieces: bytes) -> list[JunitResult]:
    return list(JunitDocument(RecordingOptions()).results(pieces))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_document_comes_in_pieces(size: int) -> None:
    """However the bytes are cut, also inside of a character, the cases are the same."""
    document = _HEAD + "<testcase classname='ü' name='日&amp;&#x1F40D;'><error/></testcase>".encode() + _TAIL
    pieces = [document[at : at + size] for at in range(0, len(document), size)]
    (result,) = _results(*pieces)
    assert (result.test.folder, result.test.name, result.status) == ("ü", "日&\U0001f40d", "error")
