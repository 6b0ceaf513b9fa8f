"""The contract of request bodies, value by value, and the two ways on which a body is read."""

import gc
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import Decoder

from pytest_automation_report.server.api import bodies
from pytest_automation_report.server.api.bodies import MAX_ENTRIES, MAX_TAGS, NAME_LENGTH, NOTE_LENGTH
from pytest_automation_report.server.api.decoding import _object_from, body_from, examined, refuse
from pytest_automation_report.server.store.values import STATUS_IDS, ApiError

FIELD = {"type": 1, "name": "n", "value": "v", "meta": {"a": "b"}, "is_highlight": True}
ARTIFACT = {"name": "a", "note": "n", "url": "https://a", "mime_type": "text/plain", "size": 1}
LINK = {"name": "l", "note": "n", "url": "https://l"}
THREAD = {"elapsed_observed": 1, "elapsed_computed": 2, "fields": [FIELD], "artifacts": [ARTIFACT]}
TEST = {
    "key": "k", "name": "n", "folder": "f", "status": "passed", "elapsed": 1, "file": "a.py", "line": 1,
    "assertions": 1, "fields": [FIELD], "artifacts": [ARTIFACT],
}  # fmt: skip
RUN = {
    "name": "n", "source": "s", "config": "c", "config_id": 1, "milestone": "m", "milestone_id": 1, "tags": ["a"],
    "fields": [FIELD], "artifacts": [ARTIFACT], "links": [LINK],
}  # fmt: skip
BODIES: dict[str, tuple[Decoder[Any], dict[str, Any]]] = {
    "run": (Decoder(bodies.RunBody), RUN),
    "run append": (Decoder(bodies.RunAppendBody), {"fields": [FIELD], "artifacts": [ARTIFACT], "links": [LINK]}),
    "run completion": (Decoder(bodies.RunCompletionBody), {"measure_elapsed": True}),
    "thread": (Decoder(bodies.ThreadBody), THREAD),
    "thread completion": (Decoder(bodies.ThreadCompletionBody), {"elapsed_observed": 1, "elapsed_computed": 2}),
    "thread append": (Decoder(bodies.ThreadAppendBody), {**THREAD, "tests": [TEST]}),
}

NO_TEXTS = (b"null", b"true", b"1", b"2.5", b"[]", b"{}")
NO_COUNTS = (
    b"null", b"true", b'"1"', b"1.5", b"-1", b"9223372036854775808", b"1e400", b"9" * 5000, b"-" + b"9" * 5000, b"[]",
    b"9223372036854775807.0",
)  # fmt: skip
COUNTS = (b"0", b"-0", b"1", b"2.0", b"1e2", b"9223372036854775807")


def text(length: int) -> bytes:
    return b'"%s"' % (b"n" * length)


def listed(entry: object, count: int) -> bytes:
    return json.dumps([entry] * count).encode()


# For each kind of property: values that it takes, and values that it does not.
KINDS: dict[str, tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {
    "name": ((b'"x"', text(NAME_LENGTH), rb'"\u0000"', rb'"\ud800"', b'"\xc3\xa4\x7f"'),
             (b'""', text(NAME_LENGTH + 1), *NO_TEXTS)),
    "name or empty": ((b'""', text(NAME_LENGTH)), (text(NAME_LENGTH + 1), *NO_TEXTS)),
    "name, empty or null": ((b'""', b"null", text(NAME_LENGTH)), (text(NAME_LENGTH + 1), *NO_TEXTS[1:])),
    "note": ((b'""', b"null", text(NOTE_LENGTH)), (text(NOTE_LENGTH + 1), *NO_TEXTS[1:])),
    "text or null": ((b'""', b"null", text(200_000), rb'"a\u0000\udfffb"'), NO_TEXTS[1:]),
    "key": ((text(64), b'"0z"'), (b'""', text(65), b'"A"', rb'"a\n"', '"ä"'.encode(), rb'"\u0661"', *NO_TEXTS)),
    "url": ((b'"https://a"', b'"s3://b"', rb'"a:\n"', b'"HTTP:%s"' % (b"n" * NAME_LENGTH)),
            (b'""', b'"https:"', b'"//a"', b'" https://a"', rb'"\nhttps://a"', b'"1a:b"', *NO_TEXTS)),
    "status": ((b'"passed"', b'"ok"', b'"skip"'), (b'""', b'"Passed"', rb'"passed\n"', b'"xfailed"', *NO_TEXTS)),
    "count": (COUNTS, NO_COUNTS),
    "count or null": ((*COUNTS, b"null"), NO_COUNTS[1:]),
    "id": (COUNTS[2:], (b"0", *NO_COUNTS)),
    "type": ((b"1", b"5", b"5.0"), (b"0", b"6", *NO_COUNTS)),
    "flag": ((b"true", b"false"), (b"null", b"0", b"1", b"1.0", b'"true"', b"[]")),
    "pairs": ((b"{}", b'{"a":"","b":"c"}', rb'{"\ud800":"\u0000"}', b'{"a":"1","a":"2"}'),
              (b"null", b"[]", b'"x"', json.dumps(dict.fromkeys(map(str, range(MAX_ENTRIES + 1)), "v")).encode())),
    "tags": ((b"[]", listed("t", MAX_TAGS)), (b"null", b"{}", b'"t"', listed("t", MAX_TAGS + 1))),
    "fields": ((b"[]", listed(FIELD, MAX_ENTRIES)), (b"null", b"{}", listed(FIELD, MAX_ENTRIES + 1))),
    "artifacts": ((b"[]", listed(ARTIFACT, MAX_ENTRIES)), (b"null", b"{}", listed(ARTIFACT, MAX_ENTRIES + 1))),
    "links": ((b"[]", listed(LINK, MAX_ENTRIES)), (b"null", b"{}", listed(LINK, MAX_ENTRIES + 1))),
    "tests": ((b"[]", listed(TEST, 1000)), (b"null", b"{}", b'"t"')),
    "test": ((json.dumps(TEST).encode(),), (b"null", b"[]", b'"x"')),
    "field": ((b'{"type":1,"name":"n"}', b'{"type":1,"name":"n","other":[[]]}'), (b"null", b"[]", b'"x"')),
    "any": ((b"null", b'"x"', b"[[{}]]", b"1e400", b"9" * 5000, b'{"a":[]}'), ()),
}  # fmt: skip
ENTRIES = {
    "fields.0": "field", "fields.0.type": "type", "fields.0.name": "name", "fields.0.value": "text or null",
    "fields.0.meta": "pairs", "fields.0.is_highlight": "flag", "fields.0.other": "any",
    "artifacts.0.name": "name", "artifacts.0.url": "url", "artifacts.0.note": "note",
    "artifacts.0.size": "count or null", "artifacts.0.mime_type": "name, empty or null",
    "fields": "fields", "artifacts": "artifacts", "other": "any",
}  # fmt: skip
LINKS = {"links": "links", "links.0.name": "name", "links.0.url": "url", "links.0.note": "note"}
DURATIONS = {"elapsed_observed": "count", "elapsed_computed": "count"}
PROPERTIES: dict[str, dict[str, str]] = {
    "run": {
        "name": "name", "source": "name", "config": "name or empty", "config_id": "id", "milestone": "name or empty",
        "milestone_id": "id", "tags": "tags", "tags.0": "name", **ENTRIES, **LINKS,
    },
    "run append": {**ENTRIES, **LINKS},
    "run completion": {"measure_elapsed": "flag", "other": "any"},
    "thread": {**DURATIONS, **ENTRIES, "links": "any"},
    "thread completion": {**DURATIONS, "fields": "any"},
    "thread append": {
        **DURATIONS, **ENTRIES, "links": "any", "tests": "tests", "tests.0": "test",
        "tests.0.key": "key", "tests.0.name": "name", "tests.0.folder": "name", "tests.0.status": "status",
        "tests.0.elapsed": "count", "tests.0.file": "name or empty", "tests.0.line": "count",
        "tests.0.assertions": "count", **{f"tests.0.{path}": kind for path, kind in ENTRIES.items()},
    },
}  # fmt: skip
REQUIRED = {"key", "name", "folder", "status", "source", "type", "url"}


def changed(body: dict[str, Any], path: str, value: bytes | None) -> bytes:
    """Return the JSON of a body with this value at a path, or without the property."""
    whole = json.loads(json.dumps(body))
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    target: Any = whole
    for parent in parents:
        target = target[parent]
    if value is None:
        target.pop(last, None)
        return json.dumps(whole).encode()
    target[last] = "@VALUE@"
    return json.dumps(whole).encode().replace(b'"@VALUE@"', value)


def verdict(read: Callable[[], bodies.Body]) -> tuple[int, object]:
    """Return the body, or the status with the mistakes by path."""
    try:
        return 200, read()
    except ApiError as error:
        return error.status, error.errors


def refused_paths(body: bytes, kind: str) -> list[str]:
    status, result = verdict(lambda: body_from(body, BODIES[kind][0]))
    assert status in (200, 422)
    return list(result) if isinstance(result, dict) else []


@pytest.mark.parametrize(
    ("kind", "path"), [(kind, path) for kind, properties in PROPERTIES.items() for path in properties]
)
def test_values_of_each_property(kind: str, path: str) -> None:
    """Each property takes the values of the contract; any other is refused by its path, and nothing besides."""
    accepted, refused = KINDS[PROPERTIES[kind][path]]
    good = BODIES[kind][1]
    for value in accepted:
        assert refused_paths(changed(good, path, value), kind) == [], value
    for value in refused:
        assert refused_paths(changed(good, path, value), kind) == [path], value
    if not path.endswith("0"):
        missing = [path] if path.rpartition(".")[2] in REQUIRED else []
        assert refused_paths(changed(good, path, None), kind) == missing


def test_entries_of_pairs_and_tags_are_named() -> None:
    """A pair that is no text and an empty tag are refused by their own paths."""
    pairs = changed(RUN, "fields.0.meta", b'{"a":1,"b":"c","d":null}')
    assert refused_paths(pairs, "run") == ["fields.0.meta.a", "fields.0.meta.d"]
    assert refused_paths(changed(RUN, "tags", b'["a","",null,3]'), "run") == ["tags.1", "tags.2", "tags.3"]


def test_of_a_property_that_comes_twice_the_last_counts() -> None:
    """It does so also if the first value is none that the property takes."""
    assert body_from(b'{"name":1,"source":"s","name":"n"}', Decoder(bodies.RunBody)).name == "n"
    assert refused_paths(b'{"name":"n","source":"s","name":1}', "run") == ["name"]


def test_messages_say_what_is_expected() -> None:
    """Each mistake has one sentence with the allowed values."""
    body = {
        "name": None, "source": "", "tags": 1, "config_id": 0, "links": [1],
        "fields": [{"type": 9, "name": "n", "is_highlight": 1, "meta": []}],
        "artifacts": [{"name": "a", "url": "x"}],
    }  # fmt: skip
    with pytest.raises(ApiError) as refused:
        body_from(json.dumps(body).encode(), Decoder(bodies.RunBody))
    assert refused.value.errors == {
        "name": ["This property may not be null."], "source": [f"Must be a text of 1 to {NAME_LENGTH} characters."],
        "tags": ["Must be a list."], "config_id": ["Must be an integer from 1 to 9223372036854775807."],
        "links.0": ["Must be an object."], "fields.0.type": ["Must be an integer from 1 to 5."],
        "fields.0.is_highlight": ["Must be true or false."], "fields.0.meta": ["Must be an object."],
        "artifacts.0.url": ["Must be an address with a scheme, like https://."],
    }  # fmt: skip
    with pytest.raises(ApiError) as refused:
        body_from(b'{"tests":[{"key":"A","name":"n","status":"odd"}]}', BODIES["thread append"][0])
    assert refused.value.errors == {
        "tests.0.key": ["Must be 1 to 64 of the characters a-z and 0-9."],
        "tests.0.folder": ["This property is required."],
        "tests.0.status": [f"Must be a known status: {', '.join(STATUS_IDS)}."],
    }


def test_stored_json_has_the_properties_that_were_sent() -> None:
    """Null and defaults that were sent are stored, properties that were not sent or are unknown are not."""
    field = {"other": 1, "is_highlight": False, "value": None, "type": 1.0, "name": "ä"}
    body = {"fields": [field, {"type": 2, "name": "n"}], "artifacts": [{"url": "a:b", "name": "n", "size": None}]}
    attachments = bodies.attachments_of(body_from(json.dumps(body).encode(), Decoder(bodies.RunAppendBody)))
    assert [(attachment.kind, attachment.body) for attachment in attachments] == [
        ("fields", '{"type":1,"name":"ä","value":null,"is_highlight":false}'),
        ("fields", '{"type":2,"name":"n"}'),
        ("artifacts", '{"name":"n","url":"a:b","size":null}'),
    ]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_PIECES = (
    b"\x00", b"\xff", b"\xed\xa0\x80", rb"\ud800", rb"\u0000", b"\\", b'"', b",", b"}", b"{", b"]", b"[", b":", b"NaN",
    b"1e400", b"\n", b"\x1f", b"0", b"-", b".", b"e5", b"\xc0\x80", rb"\u0041", b" ", b"null", b"true", b"9" * 5000,
    b'"name":"x",', b'"type":1,', b"1.0", b"\xef\xbb\xbf", b"Infinity",
)  # fmt: skip


def _damaged(body: bytes, chance: random.Random) -> bytes:
    """Return a body with one or two pieces put in, taken out or doubled."""
    for _ in range(chance.randint(1, 2)):
        at, end = chance.randrange(len(body) + 1), chance.randint(0, 12)
        middle = chance.choice((*_PIECES, body[at : at + end] * 2, b""))
        body = body[:at] + middle + body[at + chance.choice((0, 1, len(middle) // 2)) :]
    return body


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(BODIES)), st.data(), st.integers(0, 2**32))
def test_both_ways_come_to_the_same(kind: str, data: st.DataObject, seed: int) -> None:
    """A body that msgspec takes at once is the same when it is read property by property, whatever its bytes are."""
    decoder, good = BODIES[kind]
    chance = random.Random(seed)
    path = chance.choice(sorted(PROPERTIES[kind]))
    body = changed(good, path, json.dumps(data.draw(_json)).encode())
    body = _damaged(body, chance) if seed % 2 else body

    def slowly() -> bodies.Body:
        mistakes: dict[str, str] = {}
        value: bodies.Body = examined({**_object_from(body), "other": None}, decoder.type, mistakes)
        refuse(mistakes)
        return value

    assert verdict(lambda: body_from(body, decoder)) == verdict(slowly)


def test_bodies_are_nothing_to_the_garbage_collector() -> None:
    """A test without fields and artifacts makes no tracked object: large appends would start full collections."""
    tests = [{"key": f"k{number}", "name": "n", "folder": "f", "status": "passed"} for number in range(250)]
    body = json.dumps({"tests": tests}).encode()
    gc.disable()
    try:
        before = gc.get_count()[0]
        decoded = body_from(body, BODIES["thread append"][0])
        tracked = gc.get_count()[0] - before
    finally:
        gc.enable()
    assert (len(decoded.tests), tracked < 50) == (250, True)
