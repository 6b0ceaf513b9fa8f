"""Read the API token from the environment or a file.

No message of this module shows a token or a part of one, also if the token is invalid.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.api.models import Token
from pytest_automation_report.text.files import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.settings.settings import Settings

TOKEN_ENVIRONMENTS: Final = ("AUTOMATION_REPORT_TOKEN", "TESTMO_TOKEN")
TOKEN_LIMIT: Final = 4096

# A wrong path may name a huge file.
_READ_BYTES: Final = 64 * 1024


class TokenResult(Struct, frozen=True):
    """Hold a token, or the reason why it is missing; ``is_configured``: the environment or a setting names one."""

    token: Token | None
    error: str | None = None
    is_configured: bool = True


def token_from(environ: Mapping[str, str], token_file: str) -> TokenResult:
    """Return the token of the environment, else of the file (a path, empty for none)."""
    # After an invalid token the next source is not tried: its token might belong to another server.
    for name in TOKEN_ENVIRONMENTS:
        text = _bare(environ.get(name, ""))
        # A macro of Azure Pipelines without a value, as in builds of forks: Azure leaves its text in the variable.
        if text and not re.fullmatch(r"\$\([\w.-]+\)", text):
            return _checked(text, name)
    if not token_file:
        error = f"no token: set {TOKEN_ENVIRONMENTS[0]}, or name a file that holds it (token_file)"
        return TokenResult(None, error, is_configured=False)
    origin = f"token file {token_file!r}"
    try:
        raw = read_file(Path(token_file), _READ_BYTES)
    except (OSError, ValueError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) and failure.strerror else "no path of a file"
        return TokenResult(None, f"{origin}: cannot be read ({reason}): name a file that holds the token")
    text = _bare(raw.decode("utf-8", errors="replace"))
    return _checked(text, origin) if text else TokenResult(None, f"{origin}: is empty: write the token into it")


def token_for(settings: Settings, environ: Mapping[str, str]) -> tuple[Settings, Token | None]:
    """Return the settings, with a blocking error if the token is missing and results are sent now, and the token."""
    result = token_from(environ, settings.token_file)
    if result.error is None or settings.delivery == "later":
        return settings, result.token
    return settings.blocked(f"{result.error}; results are kept").changed(token_error=result.error), None


def _bare(text: str) -> str:
    """Return a token without white space, byte order mark and quotes, which shells and editors leave around it."""
    text = text.strip("\ufeff \t\r\n\v\f")
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def _checked(text: str, origin: str) -> TokenResult:
    """Return a token that is valid in a header, or an error that shows nothing of it."""
    if len(text) > TOKEN_LIMIT:
        return TokenResult(None, f"{origin}: its value is longer than {TOKEN_LIMIT} characters: copy the token alone")
    if not (text.isascii() and text.isprintable()) or " " in text:
        return TokenResult(
            None, f"{origin}: its value holds spaces, control or non-ASCII characters: copy the token alone"
        )
    return TokenResult(Token(text))
