"""The share of kinds of secrets that are shown, and of innocent texts that are hidden, each drawn with random parts."""

from random import Random

import pytest

from pytest_automation_report.text.redaction import TextCleaner
from support.drawn import drawn, parted, rows, shown_pieces

SECRETS, INNOCENTS = rows("kinds_of_secrets"), rows("kinds_of_innocents")
SHOWN = frozenset(
    {
        *("nuget", "dropbox", "maxmind", "snmp", "ldap", "comparison from the left", "type into", "passcode", "seed"),
        *("danish", "psw"),
    }
)
"""What is not recognised: to look for each more costs every text, or hides innocent ones."""
DRAWS = 20
RARELY = 1
"""Draws that may be shown: a few have letters alone, and so look like a word."""
MOST_SHOWN, MOST_HIDDEN = 0.05, 0.03


def is_shown(kind: str) -> bool:
    """Whether drawn secrets of this kind are left in their texts, in whole or in part."""
    shown = 0
    for number in range(DRAWS):
        text, secrets = parted(drawn(SECRETS[kind], Random(f"{kind} {number}")))
        assert secrets
        shown += bool(shown_pieces(text, secrets, TextCleaner()(text)))
    return shown > RARELY


@pytest.mark.parametrize("kind", sorted(SECRETS.keys() - SHOWN))
def test_a_kind_of_secret_is_hidden(kind: str) -> None:
    """Of a secret of this kind, whatever its value is, no four characters stay."""
    assert not is_shown(kind)


def test_few_kinds_of_secrets_are_shown() -> None:
    """Of more than 300 kinds of secrets at most 5 % are shown, and they are known by name."""
    assert len(SECRETS) > 300
    assert {kind for kind in SHOWN if is_shown(kind)} == SHOWN
    assert len(SHOWN) <= MOST_SHOWN * len(SECRETS)


def test_few_innocents_are_hidden() -> None:
    """Of more than 300 kinds of texts without a secret at most 3 % lose anything."""
    hidden = set()
    for kind, row in INNOCENTS.items():
        texts = [drawn(row, Random(f"{kind} {number}")) for number in range(DRAWS)]
        hidden |= {kind for text in texts if TextCleaner()(text) != text}
    assert len(INNOCENTS) > 300
    assert len(hidden) <= MOST_HIDDEN * len(INNOCENTS), sorted(hidden)
