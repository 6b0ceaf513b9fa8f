"""Who may see the pages (floor 2): browsers that came in by a link which opens once.

The pages show what tests print, so that being on this machine is not enough: other users and other sites are, too.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_automation_report.model import Token

_CODE_BYTES: Final = 24


class Entrance:
    """Gives out links that open once, and the passes that browsers keep; owned by one server, safe from any thread.

    A pass is made from the server's token, so that it is good after a restart too and nothing has to be kept.
    """

    def __init__(self, token: Token) -> None:
        self._secret = b"pages\n" + token.value.encode("utf-8", "surrogatepass")
        self._lock = threading.Lock()
        self._code = secrets.token_urlsafe(_CODE_BYTES)

    @property
    def path(self) -> str:
        """The path of the link that opens the pages the next time."""
        with self._lock:
            return f"/open/{self._code}"

    def new_pass(self, code: str) -> str | None:
        """Return a pass for the code of a link, which then is no longer good; None for any other code."""
        with self._lock:
            if not hmac.compare_digest(code.encode("utf-8", "replace"), self._code.encode()):
                return None
            self._code = secrets.token_urlsafe(_CODE_BYTES)
        number = secrets.token_urlsafe(_CODE_BYTES)
        return f"{number}.{self._sign(number)}"

    def is_pass(self, text: str) -> bool:
        """Whether a text is a pass that a server with this token made."""
        number, _, signature = text.partition(".")
        return hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(number).encode())

    def _sign(self, number: str) -> str:
        return hmac.new(self._secret, number.encode("utf-8", "replace"), sha256).hexdigest()
