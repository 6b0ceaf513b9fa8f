"""The page of a CI job: what stands on it, how large it is, and that foreign text is nothing but text."""

import re

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from pytest_automation_report.api.models import Cause, Field, Known, Status
from pytest_automation_report.recording.phases import SHOWN, FirstFailures
from pytest_automation_report.spool.records import SPOOL_KINDS, Attempt, CloseRecord, Decoder, FailedTest, FinishRecord
from pytest_automation_report.summary.ci_page import ANNOTATED, JobPage, annotation_lines, marked_last
from pytest_automation_report.summary.counts import SessionCounts
from pytest_automation_report.text.limits import string
from pytest_automation_report.text.markdown import code_span

FAILED = FailedTest("failure", "tests.test_cart", "test_pay[a|b]", "assert 1 == 2", "tests/test_cart.py", 12)
ROOM = 1024 * 1024
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tally(*failures: FailedTest, expected: int | None = None, **counts: int) -> SessionCounts:
    return SessionCounts(
        seen=0, acknowledged=0, rejected=0, held=0, workers=0, counts=counts, expected=expected, modules=0,
        skipped_modules=0, repeated=(), failures=failures,
    )  # fmt: skip


PAGE = """\
### suite main `#7`

**1 failed, 3 passed, 2 skipped** in [run 7](<https://example.testmo.net/automation/runs/view/7>)

10 of 10 tests did not run.

- 2 results kept in .automation-report/spool/x

| Failed | Message |
| --- | --- |
| `tests.test_cart.test_pay[a\\|b]` | `assert 1 == 2` |
"""


def test_page() -> None:
    """A page has the run's name, all counts, failures first, a link to the run, what was told, and the failures."""
    counts = tally(FAILED, failure=1, passed=3, skipped=2, expected=10)
    url, warnings = (
        "https://example.testmo.net/automation/runs/view/7",
        ["2 results kept in .automation-report/spool/x"],
    )
    assert JobPage(title="suite main #7", tally=counts, run=7, url=url, warnings=warnings).text(ROOM) == PAGE
    assert JobPage(title="s", tally=tally()).text(ROOM) == "### s\n\n**no results**\n"


def test_more_failures_than_are_shown() -> None:
    """The page tells how many failures it leaves out: of those with one message it shows ten."""
    many = [FailedTest("failure", "f", f"test_{each}", f"{each}") for each in range(SHOWN)]
    text = JobPage(title="s", tally=tally(*many, failure=SHOWN + 3, error=1)).text(ROOM)
    assert text.count("| `f") == SHOWN
    assert text.endswith("\n4 more failed.\n")
    alike = [FailedTest("failure", "f", f"test_{each}", "no server") for each in range(SHOWN - 1)]
    own = FailedTest("failure", "g", "test_own", "assert 1 == 2")
    text = JobPage(title="s", tally=tally(*alike, own, failure=SHOWN)).text(ROOM)
    assert (text.count("| `f"), text.count("| `g")) == (10, 1)
    assert text.endswith(f"\n{SHOWN - 11} more failed.\n")


@pytest.mark.parametrize("room", [0, 30, 100, 200, 1000, 3000])
def test_page_keeps_its_size(room: int) -> None:
    """A page is no larger than it may be: it leaves out failures first, and is empty when the totals have no room."""
    many = [FailedTest("failure", "f\u00fc", f"test_{each}", "\u4e2d" * 50) for each in range(20)]
    page = JobPage(title="s", tally=tally(*many, failure=20))
    text = page.text(room)
    assert len(text.encode()) <= room
    head = page.text(10**6).partition("\n| Failed")[0]
    assert text.startswith(head if room >= len(head.encode()) else "")
    assert bool(text) is (room >= len(head.encode()))
    if 0 < text.count("| `f") < 20:
        assert f"{20 - text.count('| `f')} more failed." in text


INJECTIONS = [
    "<img src=x onerror=alert(1)>", "<!-- hidden -->", "</code></td></table><script>alert(1)</script>",
    "[click](javascript:alert(1))", "![](https://example.org/pixel.png)", "# heading", "a | b | c", "```\ncode\n```",
    "**bold** _x_ ~~y~~", "https://example.org/www.example.org", "::error::x\n::add-mask::y",
    "##vso[task.setvariable variable=a]b", "&lt;b&gt; &#60;", "\x1b[31mred\x1b[0m \u202e\x00", "$x$ @ann #12 :tada:",
]  # fmt: skip


@pytest.mark.parametrize("text", INJECTIONS)
def test_foreign_text_is_text(text: str) -> None:
    """Nothing in a name, a message or a title is read as Markdown, HTML or a command; all of it is shown."""
    failure = FailedTest("failure", text, text, text)
    page = JobPage(title=text, tally=tally(failure, failure=1), warnings=[text]).text(ROOM)
    assert len(page.splitlines()) == 9
    shown = " ".join(string(text).split())
    heading, counts, warning, table, *rest = [token for token in MARKDOWN.parse(page) if token.type == "inline"]
    cells = [each.content.replace("\\|", "|") for each in rest][1:]
    assert cells == [code_span(shown), code_span(shown)]
    for token in (heading, warning):
        assert {each.type for each in token.children or []} <= {"text", "code_inline"}
        assert "".join(each.content for each in token.children or []) == shown
    assert (counts.content, table.content) == ("**1 failed**", "Failed")


def unescaped(text: str, *spelled: tuple[str, str]) -> str:
    for spelling, sign in spelled:
        text = text.replace(spelling, sign)
    return text


def github(line: str) -> tuple[str, dict[str, str], str]:
    found = re.fullmatch(r"::(\w+)(?: (.*?))?::(.*)", line)
    assert found
    order = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
    pairs = (each.partition("=")[::2] for each in str(found[2] or "").split(",") if each)
    return found[1], {name: unescaped(value, *order) for name, value in pairs}, unescaped(found[3], *order)


def azure(line: str) -> tuple[dict[str, str], str]:
    """Read a line as Azure's agent does: the command ends at the first bracket."""
    found = re.match(r"##vso\[task\.logissue ([^\]]*)\](.*)\Z", line)
    assert found
    order = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%AZP25", "%"))
    pairs = (each.partition("=")[::2] for each in found[1].split(";") if each)
    return {name: unescaped(value, *order) for name, value in pairs}, unescaped(found[2], *order)


def teamcity(line: str) -> dict[str, str]:
    found = re.fullmatch(r"##teamcity\[message ((?:\w+='(?:[^|'\[\]]|\|.)*' ?)+)\]", line)
    assert found
    pairs = re.findall(r"(\w+)='((?:[^|'\[\]]|\|.)*)'", found[1])
    return {name: re.sub(r"\|(.)", r"\1", value) for name, value in pairs}


STRANGE = [*INJECTIONS, "100% of a:b,c;d]e", "%0A::add-mask::x", "it's [a|b]"]


@pytest.mark.parametrize("text", STRANGE)
def test_foreign_text_is_no_command(text: str) -> None:
    """A name, message or path gets whole into each provider's line, and neither ends it nor adds another command."""
    failure = FailedTest("error", "", text, text, text, 3)
    name = string(text)
    (line,) = annotation_lines("GitHub", [failure], 1)
    assert "\n" not in line
    assert github(line) == ("error", {"file": name, "line": "3", "title": name}, f"{name}: {name}")
    (line,) = annotation_lines("Azure", [failure], 1)
    assert azure(line) == ({"type": "error", "sourcepath": name, "linenumber": "3"}, f"{name}: {name}")
    (line,) = annotation_lines("TeamCity", [failure], 1)
    assert teamcity(line) == {"text": f"{name}: {name}", "status": "WARNING"}


def test_ten_of_a_kind() -> None:
    """Ten failures are marked, one line tells of the others, as of those without a text, and one of what was kept."""
    many = [FailedTest("failure", "f", f"test_{each}", "m") for each in range(30)]
    for provider in ANNOTATED:
        lines = annotation_lines(provider, many, 31, "3 results kept in x")
        assert len(lines) == 12
        assert "21 more tests failed" in lines[10]
        assert "3 results kept in x" in lines[11]
        assert "1 more test failed" in annotation_lines(provider, many, 11)[10]
        assert "1 test failed" in annotation_lines(provider, (), 1)[0]
    kinds = [line.partition(" ")[0] for line in annotation_lines("GitHub", many, 31, "x")]
    assert kinds[9:] == ["::error", "::warning::21", "::warning::automation"]
    assert annotation_lines("GitHub", [], 2) == ["::warning::2 tests failed"]
    assert annotation_lines("GitHub", [], 0) == annotation_lines("Jenkins", [FAILED], 1, "x") == []


def _failing(name: str, message: str, status: Status = "failure") -> FinishRecord:
    causes = (Cause("failure", "Failure", "text", message),)
    attempt = Attempt(status, fields=(Field("a", "b"),), causes=causes)
    return FinishRecord(1, 2, f"f.py::{name}", attempt, file="t.py", line=2)


def _stored(record: FinishRecord, prefix: str = "") -> FailedTest:
    failures = FirstFailures()
    failures.add(record, prefix)
    return failures.kept[0]


def test_first_line_of_the_message() -> None:
    """A failure tells the first line of its message, else of its text, cut to a few hundred characters."""
    first = _stored(_failing("n", "\n one\ntwo"), "p")
    assert first == FailedTest("failure", "p.f", "n", "one", "t.py", 3)
    assert _stored(_failing("n", "", "error")).message == "text"
    known = FinishRecord(1, 2, "f.py::n", Attempt("failure", known=Known("2999-12-31")))
    assert (_stored(known).is_known, first.is_known) == (True, False)
    assert _stored(FinishRecord(1, 2, "f.py::n", Attempt("failure", line=9))).line == 9
    long = _stored(_failing("n" * 700, "m" * 700))
    assert (len(long.name), len(long.message)) == (240, 240)


@pytest.mark.parametrize("sign", ["m", '"', "\u4e2d", "\U0001f600"])
def test_failures_are_bounded(sign: str) -> None:
    """What a process keeps of its failures has a bounded number and size, whatever they say, and comes back whole."""
    failures = FirstFailures()
    for each in range(1000):
        failures.add(_failing(f"{each}{sign * 400}", sign * 400), "")
    assert 1 < len(failures.kept) <= SHOWN
    record = CloseRecord(0, failures=tuple(failures.kept))
    assert len(record.framed()) < 26_000
    assert Decoder(SPOOL_KINDS).feed(record.framed())[0].record == record


def test_flaky_failures_are_marked_last() -> None:
    """A provider shows the first ten marks: those of flaky and known tests come last, and their messages say so."""
    flaky, bare = replace(FAILED, name="test_flaky"), replace(FAILED, name="test_bare", message="")
    notes = {(FAILED.folder, name): "flaky, 3 of 120 runs failed" for name in ("test_flaky", "test_bare")}
    marked = marked_last([flaky, bare, FAILED], notes)
    assert [(failure.name, failure.message) for failure in marked] == [
        ("test_pay[a|b]", "assert 1 == 2"),
        ("test_flaky", "known to be flaky, 3 of 120 runs failed: assert 1 == 2"),
        ("test_bare", "known to be flaky, 3 of 120 runs failed"),
    ]
    assert marked_last([flaky, FAILED], {}) == [flaky, FAILED]
    # What a session excused is known in a run without findings, too.
    known = replace(FAILED, name="test_known", is_known=True)
    (first,) = marked_last([known], {})
    assert (first.message, first.is_known) == ("known: assert 1 == 2", True)
    assert [line.partition(" ")[0] for line in annotation_lines("GitHub", [FAILED, known], 2)] == [
        "::error", "::warning",
    ]  # fmt: skip
    assert "**1 failed, 1 known**" in JobPage(title="s", tally=tally(known, failure=1)).text(ROOM)
    assert "**3 failed, at least 1 known**" in JobPage(title="s", tally=tally(known, failure=3)).text(ROOM)
    notes = {(FAILED.folder, "test_flaky"): "known, failing since a1b2c3d (Ann, 2 days ago)"}
    assert [failure.message for failure in marked_last([flaky, FAILED], notes)] == [
        "assert 1 == 2", "known, failing since a1b2c3d (Ann, 2 days ago): assert 1 == 2",
    ]  # fmt: skip
