"""Bodies of the API, the markup of steps, addresses and proxies."""

import os
import re
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import Decoder

from pytest_automation_report.api.client import created_id
from pytest_automation_report.api.http import proxies_for
from pytest_automation_report.api.models import (
    Artifact,
    Field,
    FieldType,
    Test,
    decode,
    encode,
    is_web_address,
)
from pytest_automation_report.api.responses import (
    FieldText,
    ResultPage,
    Run,
    RunTest,
    Source,
    page_from,
    parse_stored_file,
    run_from,
)
from pytest_automation_report.api.text_fields import CLOSING_TAG, OPENING_TAG, parse_steps, step_markup


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
        ("a.example", "", False), ("a.example", "*", True), ("a.example", "a.example", True),
        ("a.example", "example", True), ("a.example", ".example", True), ("a.example", "*.example", True),
        ("a.example", "x, A.Example ", True), ("a.example", "b.example", False), ("aa.example", "a.example", False),
        ("a.example.", "a.example", True), ("a.example", ",,", False), ("a.example", "xample", False),
        ("a.example:8080", "a.example:8080", True), ("a.example:8080", "a.example:80", False),
        ("a.example", "a.example:443", True), ("10.1.2.3", "10.0.0.0/8", True), ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True), ("10.1.2.3", "10.1.2.3:443", True), ("10.1.2.3", "10.1.2", False),
        ("[fd00::1]", "fd00::1", True), ("[fd00::1]", "[fd00::1]", True), ("[fd00::1]:5", "[fd00::1]:5", True),
        ("[fd00::1]:5", "[fd00::1]:6", False), ("[fd00::1]", "fd00::/8", True), ("10.1.2.3", "10.0.0.0/99", False),
        ("127.0.0.1:80", "", True), ("127.9.9.9", "", True), ("[::1]", "", True), ("localhost", "", True),
        ("LOCALHOST:1", "", True), ("x.localhost", "", True), ("localhost.example", "", False),
    ],
)  # fmt: skip
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


THREAD: dict[str, Any] = {"id": 5, "is_completed": False, "total_count": 3}
RUN: dict[str, Any] = {"id": 1, "is_completed": True, "total_count": 3}


def test_least_run() -> None:
    """A run with nothing but the required members has empty values for the rest."""
    run = run_from({"result": RUN})
    assert (run.id, run.is_completed, run.total, run.success, run.failure) == (1, True, 3, 0, 0)
    assert (run.name, run.source_id, run.created_at, run.threads, run.fields, run.tags) == ("", None, None, (), (), ())


def test_whole_run() -> None:
    """Every member that is read arrives in its place, and the document is the whole response."""
    document = {
        "result": {
            **RUN, "source_id": 3, "name": "n", "tags": ["a", "b", 4], "created_at": "c", "success_count": 1,
            "failure_count": 2, "fields": [{"name": "f", "type": 5, "value": "https://x", "meta": {"k": "v"}}],
            "threads": [{**THREAD, "fields": [{"name": "g", "value": None}]}],
        },
        "expands": {"users": [{"id": 7, "name": "Ann"}]},
    }  # fmt: skip
    run = run_from(document)
    assert (run.total, run.success, run.failure) == (3, 1, 2)
    assert (run.fields, run.tags) == ((FieldText("f", "https://x"),), ("a", "b"))
    assert (run.source_id, run.name, run.created_at, run.document) == (3, "n", "c", document)
    assert run.thread(5) == run.threads[0]
    assert run.threads[0].fields == (FieldText("g", None),)
    assert run.thread(6) is None


@pytest.mark.parametrize(("value", "read"), [(0, False), (1, True), (False, False), (True, True)])
def test_truth_values(value: object, read: bool) -> None:  # noqa: FBT001 - a table's column
    """The four spellings of a truth value read alike."""
    assert run_from({"result": {**RUN, "is_completed": value}}).is_completed is read


@pytest.mark.parametrize("empty", [None, [], {}])
def test_empty_values(empty: object) -> None:
    """Null and an empty list may stand for an empty object."""
    page = page_from(ResultPage[Run], {"result": [], "page": None, "next_page": None, "expands": empty})
    assert (page.next_page, page.total, page.result, page.expands) == (None, 0, (), {})


@pytest.mark.parametrize("name", ["project_id", "index", "artifacts", "status1_count", "unknown"])
def test_members_that_nothing_reads(name: str) -> None:
    """A member that nothing reads may have any value."""
    assert run_from({"result": {**RUN, name: object(), "threads": [{**THREAD, name: object()}]}}).id == 1


def test_unknown_field_type() -> None:
    """A field type that the contract does not know does not make the run unreadable."""
    run = run_from({"result": {**RUN, "fields": [{"name": "f", "type": 99}, {"name": 4, "value": 5}]}})
    assert run.fields == (FieldText("f", None), FieldText("", None))


def test_pages() -> None:
    """Pages have their total, the next page and their items."""
    numbers = {"page": 2, "prev_page": 1, "next_page": 3, "last_page": 9, "per_page": 100, "total": 812}
    document = {**numbers, "result": [RUN]}
    runs = page_from(ResultPage[Run], document)
    assert (runs.next_page, runs.total, runs.document) == (3, 812, document)
    assert [run.id for run in runs.result] == [1]
    rows = [{"automation_case_id": 4}, {"automation_test_id": 8, "key": "k", "name": "n", "folder": "f"}]
    tests = page_from(ResultPage[RunTest], {**numbers, "result": rows})
    assert tests.result == (RunTest(None, None, None, None), RunTest(8, "k", "n", "f"))
    assert page_from(ResultPage[Source], {**numbers, "result": [{"id": 3, "name": "s"}]}).result == (Source(3, "s"),)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "Expected `object`, got `null`"),
        ({"result": {**RUN, "id": "7"}}, "Expected `int`, got `str` - at `$.result.id`"),
        ({"result": {**RUN, "id": True}}, "Expected `int`, got `bool` - at `$.result.id`"),
        ({"result": {**RUN, "id": 0}}, "Expected `int` >= 1 - at `$.result.id`"),
        ({"result": {**RUN, "id": 2**63}}, "Expected `int` <= 9223372036854775807 - at `$.result.id`"),
        ({"result": {**RUN, "source_id": -1}}, "Expected `int` >= 1 - at `$.result.source_id`"),
        ({"result": {**RUN, "total_count": None}}, "Object missing required field `total_count` - at `$.result`"),
        ({"result": {**RUN, "failure_count": -1}}, "Expected `int` >= 0 - at `$.result.failure_count`"),
        ({"result": {**RUN, "is_completed": None}}, "Object missing required field `is_completed` - at `$.result`"),
        ({"result": {**RUN, "is_completed": "no"}}, "Expected `bool`, got `str` - at `$.result.is_completed`"),
        ({"result": {**RUN, "is_completed": 2}}, "Expected `bool`, got `int` - at `$.result.is_completed`"),
        ({"result": {**RUN, "threads": {}}}, "Expected `array`, got `object` - at `$.result.threads`"),
        (
            {"result": {**RUN, "threads": [THREAD, {**THREAD, "total_count": True}]}},
            "Expected `int`, got `bool` - at `$.result.threads[1].total_count`",
        ),
        ({"result": {**RUN, "tags": "a"}}, "Expected `array`, got `str` - at `$.result.tags`"),
        ({"expands": {}}, "Object missing required field `result`"),
    ],
)
def test_bad_members(document: object, message: str) -> None:
    """A member on which decisions depend is refused with its path when it is wrong; a page without a list is none."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run_from(document)
    with pytest.raises(ValueError, match=r"missing required field `result`$"):
        page_from(ResultPage[RunTest], {"page": 1})
    with pytest.raises(ValueError, match=r"got `array` - at `\$.expands`$"):
        page_from(ResultPage[Run], {"result": [], "expands": [1]})


def test_deep_nesting() -> None:
    """Nesting that would exhaust the stack is just another wrong value."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    run = run_from({"result": {**RUN, "name": deep, "fields": [{"name": "f", "type": deep, "value": deep}]}})
    assert run.fields == (FieldText("f", None),)
    with pytest.raises(ValueError, match="total_count"):
        run_from({"result": {**RUN, "total_count": deep}})
    while deep:  # freeing it all at once would recurse
        deep = deep.pop()


@pytest.mark.parametrize(
    "url", [None, 7, "javascript:alert(1)", "file:///etc/passwd", "https://" + "a" * 750], ids=lambda url: str(url)[:20]
)
def test_an_address_that_makes_no_sense_is_none(url: object) -> None:
    """The response to an upload has an address that a result can refer to."""
    with pytest.raises(ValueError, match=r"url|URL"):
        parse_stored_file({"url": url})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["", "\ud800", "result", "page", "expands", *RUN, *THREAD]), inner, max_size=5
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_any_json(document: object) -> None:
    """Whatever JSON comes, a reader returns a value or raises ValueError."""
    for kind in (Run, RunTest, Source):
        with suppress(ValueError):
            page_from(ResultPage[kind], document)  # type: ignore[valid-type]  # mypy takes it for a type of its own
    for read in (run_from, created_id):
        with suppress(ValueError):
            read(document)
