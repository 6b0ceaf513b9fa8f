"""Bodies of the API, the markup of steps, addresses and proxies."""

import os
from types import MappingProxyType

import pytest
from msgspec.json import Decoder

from pytest_automation_report.api.http import proxies_for
from pytest_automation_report.api.models import (
    CLOSING_TAG,
    OPENING_TAG,
    Artifact,
    Field,
    FieldType,
    Test,
    decode,
    encode,
    parse_steps,
    step_markup,
)
from pytest_automation_report.api.urls import is_web_address


@pytest.mark.parametrize("text", ["", "a\n\x00", "\U0001f600\u20ac", "\ud800", "\udcff\udc00", ' <&>"\\'])
def test_a_test_reads_back(text: str) -> None:
    """A test of any texts, lone surrogates among them, reads back whole from its JSON."""
    field = Field(text, text, FieldType.CONSOLE, {text: text}, is_highlight=True)
    artifact = Artifact(text, text, text, text, 2**63 - 1)
    test = Test(text, text, text, text, -(2**63), text, 0, (field, Field(text, None)), (artifact,), 5)
    assert decode(encode(test), Decoder(Test)) == test


def test_written_steps_are_read_back() -> None:
    """Statuses and texts come back unchanged, whatever HTML the texts look like."""
    steps = [("passed", "a <b> & &amp; </test-step>"), ("failed", ""), ("skipped", "two\nlines")]
    markup = "".join(step_markup(status, text) for status, text in steps)
    assert parse_steps(f"{OPENING_TAG}{markup}{CLOSING_TAG}") == steps


STEP = '<test-step status="passed">a</test-step>'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "<test-steps>",
        "<test-steps><b>a</b></test-steps>",
        f"<test-steps>{STEP}</test-steps><script></script>",
        f"<test-steps>loose{STEP}</test-steps>",
        *(
            f"<test-steps>{STEP.replace(*changed)}</test-steps>"
            for changed in ((">a<", "><b>a</b><"), ("passed", "odd"), ('d"', 'd" onclick="x"'), ("</test-step>", ""))
        ),
    ],
)
def test_other_text_has_no_steps(text: str) -> None:
    """A text that is anything but steps is not parsed: its reader shows it as it is."""
    assert parse_steps(text) is None


@pytest.mark.parametrize(
    ("text", "is_web"),
    [
        ("https://ci.example/job/1?x=1#top", True), ("HTTP://CI.EXAMPLE", True), ("http://[::1]:8000/", True),
        ("https://ci.example/b\xe4r", True), ("https://user:***@ci.example/", True), ("httpx://ci.example", False),
        ("https:/ci.example", False), ("https://?a=1", False), ("https://[", False),
        ("https://ci.example:99999/", False), ("https://ci.example:0/", False),
        ("https://ci.example\\@evil.example", False), ("https://ci.example/a b", False),
        ("https://ci.example/a\nb", False), ("https://ci.example/\u202egnp.exe", False),
        ("see https://ci.example", False), ("javascript:alert(1)", False),
        ("javascript://example.com/%0aalert(1)", False), ("java\nscript:alert(1)", False), ("data:text/html,x", False),
        ("file://example.com/a", False), ("//example.com", False), ("", False),
    ],
)  # fmt: skip
def test_web_addresses(text: str, is_web: bool) -> None:  # noqa: FBT001 - a table's column
    """Settings, recorded fields and pages have one notion of a URL that a page can link to."""
    assert is_web_address(text) is is_web


@pytest.mark.parametrize(
    ("host", "no_proxy", "is_direct"),
    [
        ("a.example", "", False),
        ("a.example", "*", True),
        ("a.example", "a.example", True),
        ("a.example", "example", True),
        ("a.example", ".example", True),
        ("a.example", "*.example", True),
        ("a.example", "x, A.Example ", True),
        ("a.example", "b.example", False),
        ("aa.example", "a.example", False),
        ("a.example.", "a.example", True),
        ("a.example", ",,", False),
        ("a.example", "xample", False),
        ("a.example:8080", "a.example:8080", True),
        ("a.example:8080", "a.example:80", False),
        ("a.example", "a.example:443", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3:443", True),
        ("10.1.2.3", "10.1.2", False),
        ("[fd00::1]", "fd00::1", True),
        ("[fd00::1]", "[fd00::1]", True),
        ("[fd00::1]:5", "[fd00::1]:5", True),
        ("[fd00::1]:5", "[fd00::1]:6", False),
        ("[fd00::1]", "fd00::/8", True),
        ("10.1.2.3", "10.0.0.0/99", False),
        ("127.0.0.1:80", "", True),
        ("127.9.9.9", "", True),
        ("[::1]", "", True),
        ("localhost", "", True),
        ("LOCALHOST:1", "", True),
        ("x.localhost", "", True),
        ("localhost.example", "", False),
    ],
)
def test_choice_of_proxy(host: str, no_proxy: str, is_direct: bool) -> None:  # noqa: FBT001 - a table's column
    """The proxy is left out for loopback and for what no_proxy names, and for nothing else; each scheme has its own."""
    proxies = {"https": "http://proxy", "http": "http://other", "no_proxy": no_proxy}
    assert proxies_for(f"https://{host}/api", proxies) == ({} if is_direct else {"https": "http://proxy"})
    assert proxies_for(f"https://{host}/api", {"http": "http://other"}) == {}


def test_choice_of_proxy_neither_reads_nor_writes_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice depends on its arguments alone: threads of the sender choose at the same time."""
    monkeypatch.setenv("no_proxy", "*")
    with monkeypatch.context() as frozen:
        frozen.setattr(os, "environ", MappingProxyType(dict(os.environ)))
        listed = proxies_for("https://a.example/", {"https": "http://proxy", "no_proxy": "example"})
        unlisted = proxies_for("https://a.example/", {"https": "http://proxy", "no_proxy": "b"})
    assert (listed, unlisted) == ({}, {"https": "http://proxy"})
