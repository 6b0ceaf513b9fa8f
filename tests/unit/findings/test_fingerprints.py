"""Failures with one reason have one fingerprint, others have others."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_automation_report.findings.fingerprints import (
    KINDS,
    Failure,
    describe_failure,
    make_fingerprint,
    mask_variables,
)
from unit.failures.raised import STYLES, misread, written

ONE_REASON, TWO_REASONS = (Path(__file__).parent / "failure_pairs.txt").read_text("utf-8").split("\n== ")[1:]


def pairs(text: str) -> list[tuple[str, str]]:
    """Return the pairs of a table, below its name."""
    lines = [
        line.strip().encode("latin-1", "backslashreplace").decode("unicode_escape")
        for line in text.splitlines()[1:]
        if line[:1] not in {"", "#"}
    ]
    return list(zip(lines[::2], lines[1::2], strict=True))


SAME, DIFFERENT = pairs(ONE_REASON), pairs(TWO_REASONS)


def fingerprint(text: str) -> str:
    place, separator, message = text.partition("|")
    if not separator:
        place, message = "tests/test_cart.py:test_total", text
    file, _, function = place.partition(":")
    traceback = ""
    if message.startswith("> "):
        statement, _, message = message.partition("|")
        traceback = f"    def {function}():\n>       {statement[2:]}\nE       {message}\n\n{file}:7: AssertionError"
    inner = re.sub(r'^failed on \w+ with "', "", message)
    type_name = match[0] if (match := re.match(r"[\w.]+(?=:|$)", inner)) else ""
    failure = describe_failure(
        message, "AssertionError" if inner.startswith("assert ") else type_name, traceback, file=file, name=function
    )
    return make_fingerprint(failure).value


@pytest.mark.parametrize("pair", SAME)
def test_one_reason(pair: tuple[str, str]) -> None:
    """What differs from run to run, from machine to machine and from Python to Python makes no other reason."""
    first, second = pair
    assert fingerprint(first) == fingerprint(second)


@pytest.mark.parametrize("pair", DIFFERENT)
def test_two_reasons(pair: tuple[str, str]) -> None:
    """Failures that a person would tell apart are two reasons."""
    first, second = pair
    assert fingerprint(first) != fingerprint(second)


MASKS = {
    "<email>": ["ana@example.com"],
    "<url>": ["https://ci.example.com/a?b=1"],
    "<tmp>": ["/tmp/pytest-of-ci/pytest-12/popen-gw1/test_a0"],
    "<tmp>/y": ["/tmp/pytest-of-ci/pytest-12/test_a0/y", "/tmp/tmpab12/y", "/var/folders/ab/cd/T/tmpx/y"],
    r"<tmp>\y": [r"C:\Users\ci\AppData\Local\Temp\tmpx\y"],
    "<path>cart.py": ["/home/ci/shop/cart.py", r"C:\shop\cart.py"],
    "<host>": ["10.0.0.1", "::1:2", "localhost", "shop.example.com"],
    "<host>:<number>": ["db:5432"],
    "<trace>": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
    "<uuid>": ["0b9e6c7a-8f5d-4e3c-9a2b-1c0d9e8f7a6b"],
    "<date>": [
        "2026-11-26", "2026-11-26T10:11:12.123Z", "Thu, 26 Nov 2026 10:11:12 GMT", "10:11:12",
        "datetime.date(2026, 11, 26)",
    ],
    "<object>": ["<Cart object at 0x7f>"],
    "<worker>": ["gw12"],
    "<hex>": ["0x7F", "a1b2c3d"],
    "<duration>": ["3.5s", "20 ms"],
    "<size>": ["3 kB"],
    "name=<value> and on=<value>": ["name='a' and on=True"],
    "tmp_<number>, user<number>, t_<number>_a and v<number>.": ["tmp_10, user42, t_2_a and v1.2.3."],
    "<number>, <number>, <number> and <number>": ["3, -4, 1.5e-7 and .5"],
}  # fmt: skip
KEPT = {
    name: [name]
    for name in ("sha256 of utf8 and x86_64", "py3k and k8s", "tests.test_cart and cart.py", "decade facade beef")
}


@pytest.mark.parametrize(
    ("text", "expected"), [(text, mask) for mask, texts in {**MASKS, **KEPT}.items() for text in texts]
)
def test_mask(text: str, expected: str) -> None:
    """Each kind of value has its mask, and words that look like one have none: names of types keep their digits."""
    assert mask_variables(f"it is {text}") == f"it is {expected}"


@given(st.text("aA1f0xgw_.-:/\\@='\"<>[]() TnsmZ+%é", max_size=700))
@example("<Color.RED: 1> at 0x1 <a <b at 0x2>>")
@example("1 " * 300)
@example("x" * 599 + "12")
@example("a1/b/c a1:b:c: a_1@b.c a1.b.com")
def test_masking_twice_changes_nothing(text: str) -> None:
    """A masked line is its own mask, so stored titles can be read again."""
    assert mask_variables(mask_variables(text)) == mask_variables(text)


@pytest.mark.parametrize(
    "part",
    [
        "a", "1", "/a", "a.", "a@", "<", "0x", "'", "pytest-of-", "::", "Mon ", "a b", "\\", "A:\\", "{", "}", "] =",
        "== ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("beginning", ["", "assert ", "assert '", "assert {", "AssertionError: assert a("])
def test_a_long_line_costs_little(beginning: str, part: str) -> None:
    """A line of 100 KB takes 1 to 5 ms, whatever it consists of: no pattern goes back over it."""
    line = beginning + part * (100_000 // len(part))

    def seconds() -> float:
        before = time.process_time()
        make_fingerprint(describe_failure(line, "AssertionError", f">   x\n\na.py:1: AssertionError\n{line}"))
        return time.process_time() - before

    # The fastest of several: a busy machine only adds, and a slow one takes a few times as long.
    assert min(seconds() for _ in range(5)) < 0.02


@pytest.mark.parametrize("style", STYLES)
def test_place(style: str) -> None:
    """Place and statement are of the innermost frame in the user's own code, in each style of pytest's tracebacks."""
    text = written(misread, style).replace(f"{Path.cwd()}/", "")  # absolute in Python's own style alone
    failure = describe_failure("E", "E", text, file="tests/test_cart.py", name="test_total[a]")
    assert failure.place.endswith("unit/failures/raised.py:misread")
    assert replace(failure, place="") == Failure("call", "E", "E", "", 'return json.loads("{nonsense")')


def test_two_tests_of_a_module_that_fail_at_equal_statements() -> None:
    """Their failures have two reasons, although a result's text has lost the margin of its first line."""
    texts = [
        f"def {name}():\n>       assert total() == 3\nE       assert 4 == 3\n\na.py:3: AssertionError" for name in "ab"
    ]
    failures = [describe_failure("assert 4 == 3", "AssertionError", text) for text in texts]
    assert [failure.place for failure in failures] == ["a.py:a", "a.py:b"]
    assert len({make_fingerprint(failure).value for failure in failures}) == 2


def test_place_of_an_exception_group() -> None:
    """It is where the group was raised, and not where one of its members was."""
    lines = (
        "  + Exception Group Traceback (most recent call last):", '  |   File "/x/tests/a.py", line 2, in test_it',
        "  |     run_all()", '  |   File "/x/shop/b.py", line 9, in run_all', "  |     raise errors",
        "  | ExceptionGroup: two (1 sub-exception)", "  +-+---------------- 1 ----------------",
        "    | Traceback (most recent call last):", '    |   File "/x/shop/c.py", line 4, in part',
        "    |     raise one", "    | ValueError: one", "    +------------------------------------",
    )  # fmt: skip
    failure = describe_failure("E", "ExceptionGroup", "\n".join(lines), file="tests/a.py", name="test_it")
    assert (failure.place, failure.statement) == ("shop/b.py:run_all", "raise errors")


def test_without_a_traceback_the_place_is_the_test() -> None:
    """A failure that shows no frame of the user's code is at its test, whatever its parameters."""
    failure = describe_failure("E", "E", "no traceback", file="tests/test_cart.py", name="test_total[a-1]")
    assert failure.place == "tests/test_cart.py:test_total"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("KeyError: 'id'", "KeyError"), ("shop.NotFound", "shop.NotFound"), ("assert 3 == 4", "AssertionError"),
        ("two words: no type", ""), ('failed on setup with "OSError: full"', "OSError"), ("", ""),
    ],
)  # fmt: skip
def test_type_of_a_message(message: str, expected: str) -> None:
    """Without a type beside it, the message's own beginning is the type."""
    assert describe_failure(message, "", "").type_name == expected


GO = "=== RUN   TestTotal\n    cart_test.go:27: total = 249, want 250\n--- FAIL: TestTotal (0.01s)\n"


@pytest.mark.parametrize(
    ("message", "text", "line"),
    [
        ("Failed", GO, "cart_test.go:27: total = 249, want 250"), ("Failed", "", "Failed"),
        ("Failed", "=== RUN   TestTotal\n", "Failed"), ("not equal", GO, "not equal"),
        ("StopIteration", ">   next(x)\nE   StopIteration", "StopIteration"),
    ],
)  # fmt: skip
def test_a_message_of_one_word_gives_way_to_its_text(message: str, text: str, line: str) -> None:
    """Go's tests all say "Failed": the first line of their text says what failed."""
    assert describe_failure(message, "", text).line == line


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_fixture_that_is_not_there_is_a_reason_by_its_name(name: str) -> None:
    """The place of the test that asks for it, with which pytest's message begins, is no reason."""
    asked = f"file /shop/test_fx.py, line 3\n  def test_a({name}): pass\nE       fixture '{name}' not found\n> more"
    failure = describe_failure(f'failed on setup with "{asked}"', "", asked)
    assert (failure.kind, failure.line) == ("setup", f"fixture '{name}' not found")


def test_the_message_of_a_fixture_makes_no_other_kind() -> None:
    """What a fixture raised is of its setup or teardown, whatever its text begins with."""
    for text in ("[XPASS(strict)] known", "The worker gw0 crashed while it ran this test"):
        assert describe_failure(f'failed on setup with "{text}"', "Failed", "").kind == "setup"


def test_collection_errors_are_reasons_of_their_own() -> None:
    """A module that cannot be imported is another reason than a test that cannot import."""
    message = "ModuleNotFoundError: No module named 'shop'"
    kinds = [describe_failure(message, "ModuleNotFoundError", "", is_collection=collects) for collects in (True, False)]
    assert len({make_fingerprint(failure).value for failure in kinds}) == 2
    assert kinds[0].kind == "collection"


def test_fingerprints_are_what_stores_have() -> None:
    """A change of fingerprints is noticed: stored ones are compared with new ones, so it needs a migration."""
    assert fingerprint("assert 3 == 4") == "675d1f2f201bdcee"
    assert fingerprint("ConnectionRefusedError: [Errno 111] Connection refused") == "27b5c3be5b61ad99"
    assert fingerprint("tests/a.py:test_a|> assert name(box) == 'a'|assert 'b' == 'a'") == "4f7b97f89c847c3c"


NATIVE = """Traceback (most recent call last):
  File "{lib}/python3.11/site-packages/_pytest/python.py", line 159, in pytest_pyfunc_call
    result = testfunction(**testargs)
  File "{root}/tests/test_a.py", line 3, in test_a
    total(2)
  File "{root}/shop/cart.py", line 9, in total
    assert price == 3
{inner}AssertionError: assert 2 == 3
"""
INNER = '  File "{lib}/python3.11/unittest/case.py", line 9, in fail\n    raise error\n'


@pytest.mark.parametrize("inner", ["", INNER])
def test_pythons_own_traceback_has_a_place_on_each_machine(inner: str) -> None:
    """With --tb=native the paths are those of a machine: the innermost frame below the root of the test counts."""
    failures = [
        describe_failure(
            "assert 2 == 3", "AssertionError",
            NATIVE.format(root=root, lib=lib, inner=inner.format(lib=lib)), file="tests/test_a.py", name="test_a",
        )
        for root, lib in (("/home/ann/shop", "/usr/lib"), ("/builds/7", "/opt/lib"))
    ]  # fmt: skip
    assert {(failure.place, failure.statement) for failure in failures} == {("shop/cart.py:total", "assert price == 3")}


def test_pythons_own_traceback_without_the_test() -> None:
    """That of a fixture has the name of its file, which is the same on each machine."""
    text = 'Traceback (most recent call last):\n  File "/home/ann/tests/conftest.py", line 3, in db\n    assert 0\n'
    assert (
        describe_failure("assert 0", "AssertionError", text, file="tests/test_a.py", name="t").place == "conftest.py:db"
    )


VARIABLES = (
    *(
        "me@example.org",
        "https://a.example/b?c",
        "/tmp/pytest-of-me/pytest-7/a0/b",
        "/var/folders/x/y1/T/z",
        "/srv/a/b.py",
    ),
    *("C:\\\\Temp\\\\x", "C:\\a\\b.py", "2026-01-02T03:04:05Z", "Mon, 5 Jan 2026 03:04:05 GMT", "1/2/2026", "3:04:05"),
    *("datetime.date(2026, 1, 2)", "fe80::1", "10.0.0.1", "localhost", "db.internal", "db:5432", "[::1]", "a.b:80"),
    *(f"00-{'ab' * 16}-{'c' * 16}-01", "123e4567-e89b-12d3-a456-426614174000", "<Cart object at 0x7f>", "gw1"),
    *(
        "0xFF",
        "deadbee1",
        "DEADBEE1",
        "12ms",
        "3 seconds",
        "1.5\u00b5s",
        "2 h",
        "5 KiB",
        "7B",
        "1 byte",
        "a='x'",
        "b=True",
    ),
    *('c="y"', "10", "-1.5e3", ".5", "nan", "inf", "user42", "tmp_10", "utf8", "x86_64"),
)
PIECES = st.one_of(
    st.sampled_from(VARIABLES), st.sampled_from(("case", "=", ":", "-", "/", "at ", "<", ">", "'", "[", "."))
)


@given(st.lists(st.tuples(PIECES, st.sampled_from(("", " "))), max_size=8))
def test_masks_of_each_kind(pieces: list[tuple[str, str]]) -> None:
    """A line is masked as if it were searched for all kinds at once, though only those are that it can have."""
    whole = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in KINDS.items()))
    line = " ".join("".join(map("".join, pieces)).split())
    for each in (line, *(f"case {variable} there" for variable in VARIABLES)):
        assert mask_variables(each) == whole.sub(lambda match: f"<{match.lastgroup}>", each)
