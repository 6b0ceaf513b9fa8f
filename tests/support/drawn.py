"""Kinds of texts with and without secrets, each drawn anew: tables of names and texts, with holes for random parts."""

import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from random import Random
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from uuid import UUID

_SIGNS = str.maketrans({"␊": "\n", "␛": "\x1b"})
_LETTERS = {
    "a": ascii_letters + digits, "b": f"{ascii_letters}{digits}+/", "d": digits, "l": ascii_lowercase,
    "m": ascii_letters, "u": ascii_uppercase + digits, "x": "0123456789abcdef",
}  # fmt: skip
_WORDS = ("amber", "bridge", "cedar", "dinner", "ember", "forest", "garden", "island", "jacket", "kettle", "lantern")


def drawn(text: str, random: Random) -> str:
    """Return a text with its holes filled."""

    def fill(hole: re.Match[str]) -> str:
        kind, length = hole[1], int(hole[2] or 0)
        if kind == "w":
            return random.choice(_WORDS)
        if kind in {"pw", "basic"}:
            words = random.choice(_WORDS), random.choice("-_!."), random.choice(_WORDS).capitalize()
            password = f"{''.join(words)}{random.randrange(100)}"
            return password if kind == "pw" else b64encode(f"{random.choice(_WORDS)}:{password}".encode()).decode()
        if kind == "uuid":
            return str(UUID(int=random.getrandbits(128), version=4))
        characters = "".join(random.choices(_LETTERS[kind], k=length))
        return f"{random.choice('123456789')}{characters[1:]}" if kind == "d" else characters

    return re.sub(r"\{(uuid|basic|pw|w|[abdlmux](?=\d))(\d*)\}", fill, text)


def rows(name: str) -> dict[str, str]:
    """Return the texts of a table by their names."""
    lines = (Path(__file__).parent / f"{name}.txt").read_text("utf-8").split("\n")
    parts = [line.translate(_SIGNS).partition(" | ") for line in lines if line and not line.startswith("# ")]
    pairs = [(name, text) for name, _, text in parts]
    assert len(dict(pairs)) == len(pairs), "each kind has a name of its own"
    return dict(pairs)


def parted(text: str) -> tuple[str, list[str]]:
    """Return a text without the brackets around its secrets, and the secrets."""
    return re.sub("[⟦⟧]", "", text), re.findall("(?s)⟦(.*?)⟧", text)


def shown_pieces(text: str, secrets: list[str], cleaned: str) -> list[str]:
    """Return the pieces of the secrets that a cleaned text still shows: four characters, or all of a shorter one."""
    rest, cleaned = text, cleaned.replace("[redacted]", "\0")
    for secret in secrets:
        rest = rest.replace(secret, "\0")
    return [piece for secret in secrets for piece in _pieces(secret) if piece in cleaned and piece not in rest]


def _pieces(secret: str) -> Iterator[str]:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", secret)
    length = min(4, len(plain))
    return (plain[at : at + length] for at in range(len(plain) - length + 1))
