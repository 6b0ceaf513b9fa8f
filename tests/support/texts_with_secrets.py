"""Texts with a secret, as programs write them, from ``texts_with_secrets.txt``."""

import base64
from pathlib import Path

SECRET = "Zq7Lw2xR9tVb4Nc8Hg3Fd6"
SECRETS = {
    "S": SECRET,  # random, without the prefix of a provider
    "P": "hunter2-Pony",  # that somebody thought of
    "W": "swordfish",  # a plain word
    "H": "sp0rk/w#rd?it's",  # with characters that end other things
    "SPACED": "four green horses jump",
    "LONG": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "B64": base64.b64encode(f"deploy:{SECRET}".encode()).decode(),
    "AWS": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzz+Q",
    "KEY64": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
}

_SIGNS = str.maketrans({"␊": "\n", "␍": "\r", "␀": "\0"})


def _rows() -> dict[str, tuple[str, str]]:
    content = Path(__file__).with_suffix(".txt").read_text("utf-8")
    for name, secret in SECRETS.items():
        content = content.replace(f"{{{name}}}", secret)
    rows: dict[str, tuple[str, str]] = {}
    for line in content.split("\n"):
        if line and not line.startswith("# "):
            name, secret, text = line.translate(_SIGNS).split(" | ", 2)
            rows[name] = (text, secret)
    return rows


HIDDEN = _rows()
"""The texts and their secrets, by a name for each."""
