"""The digest of a run: what failed, each reason once, in a size that can be read."""

import json
import re
from typing import Any

import pytest

from pytest_automation_report.api.models import Json
from pytest_automation_report.export.digest import (
    MARKDOWN_CHARACTERS,
    TEXT_CHARACTERS,
    Digest,
    digest_run,
    markdown_text,
)
from support.exported import HOSTILE, a_field, a_problem, a_run, an_item, exported_from, findings_of

HOUR = 3_600_000_000
NOW = 100 * HOUR
RAISED = """\
def test_{name}(cart):
>       assert cart.total(
            with_tax=True
        ) == 42
E       assert 41 == 42
E        +  where 41 = total(with_tax=True)

tests/test_a.py:9: AssertionError
"""


def a_failure(name: str, message: str = "assert 41 == 42", **more: str) -> Json:
    return an_item(name, "failed", a_problem("Failure", message, RAISED.format(name=name)), **more)


def a_reason(title: str, *items: Json, **more: object) -> Json:
    keys = [item["key"] for item in items]
    return {
        "title": title, "place": "tests/test_a.py", "phase": "call", "count": len(items), "kind": "new",
        "mine": {"new": len(items)}, "since": None, "keys": keys, "fingerprint": "c983aad23679efbf", **more,
    }  # fmt: skip


def digest_from(items: list[Json], reasons: list[Json], **more: Any) -> Digest:  # noqa: ANN401 - as of the function
    return digest_run(a_run(), exported_from(*items), findings_of(reasons=reasons), now=NOW, **more)


def test_a_reason_says_all_that_helps() -> None:
    """A reason has its number, since when, title, place, statement, differing values, and a command."""
    items = [a_failure("test_one"), a_failure("test_two")]
    since = {"run": 7, "commit": "a1b2c3d4e5f6", "author": "Ann", "changes": "d1", "at": NOW - 2 * HOUR}
    digest = digest_from(
        items, [a_reason("assert 41 == 42", *items, kind="still", since=since)], url="https://t.example.com/12"
    )
    assert digest.text() == (
        "1 of 4 tests failed, for 2 reasons\n"
        "run 12, main, 0123456: 1 new failure, 2 fixed, compared with run 11 (fedcba9, 4 days ago); 1 flaky\n"
        "https://t.example.com/12\n\n"
        "2 tests, failing since a1b2c3d + changes (Ann, 2 h ago): assert 41 == 42\n"
        "  tests/test_a.py:9: assert cart.total(with_tax=True ) == 42\n"
        "  cart.total( with_tax=True ): 41 == 42\n"
        "  pytest tests/test_a.py::test_one tests/test_a.py::test_two\n\n"
        "1 flaky: test_often (3 of 20 runs)\n"
    )


def test_values_without_a_statement_are_in_the_title_alone() -> None:
    """With --tb=no nothing names the compared expressions: a line with the same values would say nothing more."""
    item = an_item("test_one", "failed", a_problem("Failure", "assert 41 == 42", "E   assert 41 == 42\n"))
    assert "left" not in digest_from([item], [a_reason("assert 41 == 42", item)]).text()


def test_an_author_stands_in_code() -> None:
    """A name of git is a foreign text: in Markdown no @name of it gets a message. Beside it stands a date, no age."""
    since = {"run": 7, "commit": "a1b2c3d4e5f6", "author": "@all <b>", "changes": None, "at": NOW - 2 * HOUR}
    item = a_failure("test_one")
    text = digest_from([item], [a_reason("assert 41 == 42", item, kind="new", since=since)]).markdown()
    assert "1 new failure since `a1b2c3d` (`@all <b>`, 5 Jan 1970, 02:00 UTC), 2 fixed" in text, (
        "no age, which would be false when it is read"
    )
    assert text.count("@all") == text.count("`@all <b>`")


def test_the_document() -> None:
    """The document for programs has the members that docs/documents.md describes, on one line."""
    items = [a_failure("test_one")]
    text = digest_from(items, [a_reason("assert 41 == 42", *items)]).json()
    assert text.count("\n") == 1
    assert json.loads(text) == {
        "version": 1,
        "run": {
            "id": 12, "url": None, "branch": "main", "commit": "0123456789abcdef", "changes": None, "state": "failed",
        },
        "verdict": "1 of 4 tests failed, for 2 reasons",
        "counts": {
            "finished": 4, "failed": 1, "passed": 3, "skipped": 0, "not_run": 0,
            "new": 1, "flaky": 0, "still": 0, "known": 0, "back": 0, "fixed": 2, "gone": 0, "unstable_ids": 0,
            "reasons": 0,
        },
        "reasons": [
            {
                "title": "assert 41 == 42", "count": 1, "place": "tests/test_a.py:9", "phase": "call", "kind": "new",
                "fixture": None,
                "mine": {"new": 1},
                "same_reason": None, "since": None, "line": "assert cart.total(with_tax=True ) == 42",
                "values": [
                    {"path": "cart.total( with_tax=True )", "left": "41", "operator": "==", "right": "42"}
                ],
                "notes": [], "tests": ["tests/test_a.py::test_one"], "owner": None,
                "command": "pytest tests/test_a.py::test_one",
            }
        ],
    }  # fmt: skip


def test_one_cause_never_hides_the_others() -> None:
    """200 tests broken by one fixture beside 6 other bugs are seven entries, in little text, with all six."""
    broken = [a_failure(f"test_of_the_catalogue_{number}[chromium-{number}]") for number in range(200)]
    others = [a_failure(f"test_other_{number}", f"assert {number} == {number + 1}") for number in range(6)]
    reasons = [a_reason(f"OperationalError: connection to server at {'long ' * 40}refused", *broken, phase="setup")]
    reasons += [
        a_reason(f"KeyError: 'bug {number} {'of a long title ' * 6}'", item) for number, item in enumerate(others)
    ]
    digest = digest_from([*broken, *others], reasons)
    for text, most in ((digest.text(), TEXT_CHARACTERS), (digest.markdown(), MARKDOWN_CHARACTERS)):
        assert len(text) <= most
        assert len(re.findall("(?m)^(?:- )?[0-9]+ tests?, new: ", text)) == 7
        assert [f"bug {number}" in text for number in range(6)] == [True] * 6
        assert "200 tests, new: " in text
    assert len(json.loads(digest.json())["reasons"]) == 7
    assert len(digest.json()) < 8_000


def test_the_first_ten_of_many_reasons_keep_place_and_command() -> None:
    """Whoever reads a long digest can begin at once; further ones are lines, and the rest is a number."""
    items = [a_failure(f"test_{number}", key=f"k{number}") for number in range(100)]
    found = findings_of(
        reasons=[
            a_reason(f"KeyError: 'bug {number}'", item, fingerprint=f"{number:016}")
            for number, item in enumerate(items)
        ]
    )
    found["counts"]["reasons"] = 180
    text = digest_run(a_run(), exported_from(*items), found, now=NOW).text()
    entries = text.split("\n\n")[1:-2]
    assert [entry.count("\n") for entry in entries] == [2] * 10 + [0] * (len(entries) - 10)
    assert "tests/test_a.py:9: assert cart.total(with_tax=True ) == 42\n  pytest tests/test_a.py::test_9" in entries[9]
    assert f"\n\nand {180 - len(entries)} more reasons: automation-report failures 12 --limit 100\n" in text


@pytest.mark.parametrize("letter", ["x", "語", "`"])
def test_a_digest_is_never_too_long(letter: str) -> None:
    """With the longest texts in every place a digest fits, and says how to see the rest; a limit is the user's."""
    long = letter * 5000
    items = [a_failure(f"{number}{long}", long, folder=long, key=f"k{number}") for number in range(100)]
    reasons = [a_reason(long, item, place=long) for item in items]
    flaky = [{"folder": long, "name": long, "key": "f", "state": "flaky", "failed": 1, "runs": 9}] * 100
    found = findings_of(reasons=reasons, flaky=flaky)
    found["counts"]["flaky"] = 100
    run = a_run(name=long, fields=[a_field("Branch", long), a_field("Commit", long)])
    digest = digest_run(run, exported_from(*items), found, now=NOW)
    for text, most in ((digest.text(), TEXT_CHARACTERS), (digest.markdown(), MARKDOWN_CHARACTERS)):
        assert len(text) <= most
        assert re.search("and [0-9]+ more reasons: automation-report failures 12 --limit 100", text)
    assert digest.text(limit=60).count("\n\n1 test, new: ") == 60


def test_the_command_for_the_rest_of_the_new_failures_shows_new_ones() -> None:
    """What does not fit is shown by the same command with a limit, and by no other."""
    items = [a_failure(f"test_{number}", key=f"k{number}") for number in range(60)]
    found = findings_of(reasons=[a_reason(f"{number} {'x' * 90}", item) for number, item in enumerate(items)])
    found["tests"]["newly_failing"] = [{"key": item["key"], "kind": "new"} for item in items]
    digest = digest_run(a_run(), exported_from(*items), found, now=NOW, is_new_only=True)
    assert "more reasons: automation-report failures 12 --new --limit 60" in digest.text()


def test_new_failures_alone() -> None:
    """Only tests that did not fail in the base count where new ones are asked for."""
    new, old = a_failure("test_new"), a_failure("test_old")
    digest = digest_from([new, old], [a_reason("both", new, old), a_reason("old", old)], is_new_only=True)
    assert [(reason["title"], reason["count"], reason["tests"]) for reason in digest.document["reasons"]] == [
        ("both", 1, ["tests/test_a.py::test_new"])
    ]
    assert "no new failure" not in digest.text()
    nothing = digest_from([old], [a_reason("old", old)], is_new_only=True)
    assert "\n\nno new failure\n" in nothing.text()


def test_without_findings_tests_of_one_message_are_a_reason() -> None:
    """A server without findings tells nothing of earlier runs, and without texts it has the names of the tests."""
    items = [an_item(f"test_{number}", "failed", file=None) for number in range(30)]
    text = digest_run(a_run(total_count=30, failure_count=30), exported_from(*items), now=NOW).text()
    assert text.startswith("All 30 tests failed\nrun 12, main, 0123456\n\n30 tests\n  tests.test_a.test_0, ")


def test_verdicts() -> None:
    """Markdown says whether all passed, that nothing ran, that the run is open, and that it has no base."""

    def markdown(base: Json | None = None, **more: object) -> str:
        found = None if base is None else findings_of(base=None)
        return digest_run(a_run(**more), [], found, now=NOW).markdown()

    assert markdown(failure_count=0, success_count=4).startswith("### ✅ All 4 tests passed\n")
    assert markdown(failure_count=0, success_count=0, total_count=0).startswith("### No test ran\n")
    assert "not completed yet" in markdown(is_completed=False)
    assert "No earlier run to compare with." in markdown({})


def test_texts_of_tests_are_shown_and_never_obeyed() -> None:
    """No tag, mention or control character of a test is outside of code in Markdown, or in text at all."""
    item = an_item(HOSTILE, "failed", a_problem("Failure", HOSTILE, f"{HOSTILE}\n```\n# no heading"), folder=HOSTILE)
    digest = digest_from([item], [a_reason(HOSTILE, item, place=HOSTILE)])
    assert "\x1b" not in digest.text()
    assert "\x00" not in digest.text()
    for text in (digest.markdown(), markdown_text(exported_from(item)[0], command=HOSTILE)):
        assert "\x1b" not in text
        assert "\x00" not in text
        outside = re.sub(r"(?ms)^(`{3,})[a-z]*\n.*?\n\1$", "", text)
        outside = re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", outside)
        assert "script" not in outside.replace("&#47;script", "").replace("&#60;script", "")
        assert "@someone" not in outside
        assert "no heading" not in outside
