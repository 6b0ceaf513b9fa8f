"""Check JUnit XML against the rules that Jenkins validates it with.

The rules are those of ``junit-10.xsd`` in the xunit plugin of Jenkins (repository ``jenkinsci/xunit-plugin``): for each
element its children, its attributes, and which of them it must have.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree as ET


class Rule(NamedTuple):
    """Children and attributes that an element may have, and attributes that it must have."""

    children: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    has_text: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OUTCOME = Rule(allowed=_words("type message"), has_text=True)
_ATTEMPT = Rule(_words("stackTrace system-out system-err"), _words("message type"), _words("type"), has_text=True)
_TEXT = Rule(has_text=True)

RULES: dict[str, Rule] = {
    "testsuites": Rule(_words("testsuite"), _words("name time tests failures errors")),
    "testsuite": Rule(
        _words("testsuite properties testcase system-out system-err"),
        _words("name tests failures errors group time skipped timestamp hostname id package file log url"),
        _words("name tests failures errors"),
    ),
    "testcase": Rule(
        _words("skipped error failure rerunFailure rerunError flakyFailure flakyError system-out system-err"),
        _words("name time classname group"),
        _words("name"),
    ),
    "properties": Rule(_words("property")),
    "property": Rule(allowed=_words("name value"), required=_words("name value")),
    **dict.fromkeys(("failure", "error", "skipped"), _OUTCOME),
    **dict.fromkeys(("rerunFailure", "rerunError", "flakyFailure", "flakyError"), _ATTEMPT),
    **dict.fromkeys(("stackTrace", "system-out", "system-err"), _TEXT),
}

# The order inside of an attempt is fixed, too.
_ORDER = ("stackTrace", "system-out", "system-err")
_TIMED = ("testsuites", "testsuite")
# The pattern of the schema means a number with at most one point, whole groups of thousands and no sign.
_TIME = re.compile(r"[0-9]*(,[0-9]{3})*(\.[0-9]*)?")


def mistakes(xml: str) -> list[str]:
    """Return what Jenkins would refuse in a document, one line for each mistake."""
    root = ET.fromstring(xml)
    wrong = [] if root.tag in {"testsuites", "testsuite"} else [f"root {root.tag}"]
    return [*wrong, *_mistakes(root)]


def _mistakes(element: ET.Element) -> Iterator[str]:
    rule = RULES.get(element.tag)
    if rule is None:
        yield f"element {element.tag}"
        return
    yield from (f"{element.tag} has {name}" for name in element.attrib.keys() - rule.allowed)
    yield from (f"{element.tag} lacks {name}" for name in rule.required - element.attrib.keys())
    if element.tag in _TIMED and not _TIME.fullmatch(element.get("time", "0")):
        yield f"time {element.get('time')}"
    texts = [element.text, *(child.tail for child in element)]
    if not rule.has_text and any((text or "").strip() for text in texts):
        yield f"text in {element.tag}"
    ranks = [_ORDER.index(child.tag) for child in element if child.tag in _ORDER and rule is _ATTEMPT]
    if ranks != sorted(set(ranks)):
        yield f"order in {element.tag}"
    for child in element:
        if child.tag not in rule.children:
            yield f"{child.tag} in {element.tag}"
        yield from _mistakes(child)
