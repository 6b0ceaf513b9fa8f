"""The reader of pytest's JUnit XML."""

from hashlib import sha256

import pytest

from pytest_automation_report.junit.parsing import JunitError, junit_cases

_HEAD = b'<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite>'
_TAIL = b"</testsuite></testsuites>"


def _key(address: str) -> str:
    return sha256(address.encode()).hexdigest()


def _statuses(document: bytes) -> dict[str, tuple[str, str, int]]:
    return {case.name: (case.worst, case.last, case.cases) for case in junit_cases([document]).values()}


def test_cases_are_grouped_by_key() -> None:
    """The cases of one name are one, with the worst and the last of their statuses."""
    cases = b"".join(
        b'<testcase classname="a.b" name="t">' + inner + b"</testcase>"
        for inner in (b"<failure>text</failure>", b"<error/>", b"<skipped/>", b"<failure/><error/><skipped/>", b"")
    )
    assert _statuses(_HEAD + cases + _TAIL) == {"a.b.t": ("error", "passed", 5)}
    assert list(junit_cases([_HEAD + cases + _TAIL])) == [_key("a.b.t")]


def test_case_without_class_is_known_by_its_name() -> None:
    """A module that could not be collected has no class; a test that was cut short has no name and is passed over."""
    document = _HEAD + b'<testcase classname="" name="test_a"/><testcase time="0.1"><skipped/></testcase>' + _TAIL
    assert _statuses(document) == {"test_a": ("passed", "passed", 1)}


def test_outcomes_outside_of_cases_count_nowhere() -> None:
    """What stands outside of a case, or in another element of a case's name, changes no status."""
    inner = b"<failure/><testcase classname='a' name='t'><properties><property name='error'/></properties></testcase>"
    assert _statuses(_HEAD + inner + _TAIL) == {"a.t": ("passed", "passed", 1)}


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_document_comes_in_pieces(size: int) -> None:
    """However the bytes are cut, also inside of a character, the cases are the same."""
    document = _HEAD + "<testcase classname='ü' name='日&amp;&#x1F40D;'><error/></testcase>".encode() + _TAIL
    pieces = [document[at : at + size] for at in range(0, len(document), size)]
    (case,) = junit_cases(pieces).values()
    assert (case.name, case.worst) == ("ü.日&\U0001f40d", "error")


@pytest.mark.parametrize(
    "document",
    [
        b"<!DOCTYPE t><testsuites/>",
        b'<!DOCTYPE t [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><a><testcase classname="&b;" name="x"/></a>',
        b'<!DOCTYPE t SYSTEM "file:///etc/passwd"><testsuites/>',
        b'<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuites>&x;</testsuites>',
    ],
)
def test_document_type_is_refused(document: bytes) -> None:
    """A document type, and so every entity of the document's own, is refused before anything is expanded."""
    with pytest.raises(JunitError, match="document type"):
        junit_cases([document])


@pytest.mark.parametrize("document", [b"", b"no XML", _HEAD, _HEAD + b"&nbsp;" + _TAIL, b"\xff\xfe", b"<a></b>"])
def test_what_is_no_xml_is_refused(document: bytes) -> None:
    """A cut or broken document is refused with what the parser says."""
    with pytest.raises(JunitError, match="no whole XML document"):
        junit_cases([document])
