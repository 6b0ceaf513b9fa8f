"""Bodies as a hostile client writes them: made from the types that the server declares, so a new member is in them."""

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import Any

from msgspec import inspect

from pytest_automation_report.api.models import Json
from pytest_automation_report.server.api.bodies import POSTS
from support.repository import PACKAGE

PATHS = tuple(POSTS)
"""The paths that take bodies, in an order in which they can be asked."""

_MOST = 2**63 - 1
_DIGITS = "9" * 4_400  # more than Python converts
NUMBERS = (0, 1, 3, 59, 10**6, 2**31, 2**32, 2**53, 10**15, 253_402_300_800_000_000, 10**18, _MOST - 1, _MOST)
TEXTS = (
    *("", " ", "0", "-1", "1.5", "7", "31", "9" * 18, "9" * 19, "9" * 309, _DIGITS, "1e400", "nan", "-inf", "1_000"),
    *("\u0663\u0664", "\u00b2", "0x7f", "\0", "\ud800", "\udfff\ud800", "\u202e\u2066", "\U0010ffff" * 50),
    *("a\r\nb\x1b[31m", f"\x1b[38;5;{_DIGITS}m", "\n" * 3_000, "x" * 4_096, "999;999;999", "%s%n", "%", "\\", "/"),
    *("{", "[" * 3_000, "null", "[]", "{}", "[1]", '{"a": ' * 500, "<script>alert(1)</script>", "{{ 7 * 7 }}"),
    *("<test-steps><test-step status='passed'>" * 40, "main", "passed", "failed", "error", "skipped", "untested"),
    *(f"stopping after {_DIGITS} failures", "stopping after \u00b2 failures", f"pytest died ({_DIGITS})"),
    *("interrupted by", "0001-01-01", "9999-12-31", "99999-99-99", "until 9999-12-31: x", "2026-13-45", "0123456789"),
    *("https://a/b", "https://[", f"https://a:{_DIGITS[:400]}/", "https://a:b@/#", "//[::1", "javascript:alert(1)"),
    *("file:///", "a:", f"http+local://store/artifacts/{'0' * 64}", f"http+local://store/artifacts/{'a' * 64}/%"),
    *("../../etc", "a/b\\c::d[e]::", "::", ":::", "[", "a[" * 300, "a/" * 1_000, "a." * 1_000, "tests/test_a.py"),
    *("tests.a", "tests 1/2", f"tests 1/{_DIGITS}", "0/0", "1/0", f"{_DIGITS[:400]}/1", "a" * 64, "0123456789abcdef"),
    *("attempt 999999999: x", f"E   assert 1 == 2\n\na.py:{_DIGITS}: AssertionError", "a.py:999999999: in f\n" * 200),
    'Traceback (most recent call last):\n  File "a.py", line 999999999, in f\n  [Previous line repeated 9 more times]',
    *(f"E   assert {'(' * 400} == {'[' * 400}", f"E   Omitting {_DIGITS} identical items"),
)
"""Cut, deep and very long values, numbers that no column holds, markup, and what readers of texts look for."""

_JUNK: tuple[object, ...] = (None, True, -1, 1.5, 1e308, 2**63, 10**400, [], {}, [[]], "x", {"a": [None]})


@cache
def _words() -> tuple[str, ...]:
    """Return the short texts of the package: among them are the names and words that it looks for in bodies."""
    trees = (ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py")))
    constants = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    texts = sorted(value for value in constants if isinstance(value, str))
    return tuple(text for text in texts if re.fullmatch(r"[A-Za-z][a-z]{1,12}( [a-z]{1,12}){0,2}", text))


@cache
def _names() -> tuple[str, ...]:
    return (*(word for word in _words() if word[0].isupper()), "Attempt 1", "Attempt 999999999", "Failure [call]")


class Bodies:
    """Makes bodies at random, the same ones for the same seed; ``overdone`` stands wherever its type allows it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.overdone: str | int | None = None

    def of(self, path: str) -> Json:
        """Return a body that the path takes, with a field of each name that the package knows."""
        body: Json = self._value(inspect.type_info(POSTS[path].decoder.type), "", 0)
        return body

    def spoilt(self, path: str) -> Json:
        """Return a body with a value of a wrong type, or a deep one, somewhere in it."""
        body = self.of(path)
        place, key = self.random.choice([*_places(body)] or [(body, "x")])
        place[key] = self.random.choice((*_JUNK, _nested(60), _nested(500)))
        return body

    def _value(self, type_: inspect.Type, name: str, depth: int) -> Any:  # noqa: ANN401, C901, PLR0911, PLR0912 - any JSON, by its type
        match type_:
            case inspect.Metadata():
                return self._value(type_.type, name, depth)
            case inspect.StructType():
                some = 0.9 if depth < 6 else 0.1
                if type_.array_like:
                    return [self._value(each.type, "", depth + 1) for each in type_.fields]
                taken = [each for each in type_.fields if each.required or self.random.random() < some]
                return {each.encode_name: self._value(each.type, each.encode_name, depth + 1) for each in taken}
            case inspect.EnumType():
                return self.random.choice([member.value for member in type_.cls])
            case inspect.VarTupleType() if name == "fields" and depth == 1:
                # Without a meta: all of a run's fields together have a limit.
                return [{"type": 1, "name": each, "value": self._text(TEXTS)} for each in _names()]
            case inspect.VarTupleType():
                count = self.random.choice((1, 2, 3, 6) if depth < 5 else (0, 0, 0, 1, 2))
                return [self._value(type_.item_type, name, depth + 1) for _ in range(count)]
            case inspect.TupleType():
                return [self._value(each, name, depth + 1) for each in type_.item_types]
            case inspect.DictType():
                if isinstance(type_.key_type, inspect.LiteralType):
                    return {key: self._value(type_.value_type, "", depth + 1) for key in type_.key_type.values}
                keys = self.random.choices(_words(), k=4) + self.random.choices(_OF_META, k=4)
                return {key: self._value(type_.value_type, "", depth + 1) for key in keys}
            case inspect.UnionType():
                return self._value(self.random.choice(type_.types), name, depth)
            case inspect.LiteralType():
                return self.random.choice(type_.values)
            case inspect.BoolType():
                return self.random.random() < 0.5
            case inspect.NoneType():
                return None
            case inspect.IntType():
                number = self.random.choice(NUMBERS)
                if isinstance(self.overdone, int) and self.random.random() < 0.8:
                    number = self.overdone
                return min(_MOST if type_.le is None else type_.le, max(type_.ge or 0, number))
            case inspect.StrType():
                is_named = name == "name" and self.random.random() < 0.7
                return self._text(_fitting(type_.pattern, type_.min_length, type_.max_length, is_named=is_named))
        raise AssertionError(f"no value is made of {type_}")

    def _text(self, pool: Sequence[str]) -> str:
        is_overdone = self.overdone in pool and self.random.random() < 0.8
        return str(self.overdone) if is_overdone else self.random.choice(pool)


_OF_META = ("message", "type", "phase", "status", "elapsed", "counts", "Failure", "Text", "known_until")


@cache
def _fitting(pattern: str | None, least: int | None, most: int | None, *, is_named: bool) -> Sequence[str]:
    pool = [text for text in (*TEXTS, *_names()) if re.search(pattern or "", text)]
    fitting = [text for text in pool if (least or 0) <= len(text) <= (len(text) if most is None else most)]
    assert fitting, f"none of the texts fits {pattern}: add one"
    return [text for text in fitting if (text in _names()) == is_named] or fitting


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - any JSON
    """Yield each list and object in a value, with each of its places."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])
