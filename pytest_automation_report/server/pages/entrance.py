"""Who may see the pages (floor 2): browsers that came in by a link which opens once.

The pages show what tests print, so that being on this machine is not enough: other users and other sites are, too.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.model import Token

PASS_SECONDS: Final = 30 * 24 * 3600
"""How long a browser's pass is good."""

_CODE_BYTES: Final = 24


class Entrance:
    """Gives out links that open once, and the passes that browsers keep; owned by one server, safe from any thread.

    A pass is signed with a secret of its own and has an age, so that it is good after a restart too and nothing has to
    be stored; another secret ends all passes.
    """

    def __init__(self, secret: Token, clock: Callable[[], float] = time.time) -> None:
        self._secret = b"pages\n" + secret.value.encode("utf-8", "surrogatepass")
        self._clock = clock
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
        number = f"{int(self._clock())}-{secrets.token_urlsafe(_CODE_BYTES)}"
        return f"{number}.{self._sign(number)}"

    def is_pass(self, text: str) -> bool:
        """Whether a text is a pass that a server with this secret made in the last 30 days."""
        number, _, signature = text.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(number).encode()):
            return False
        made = number.partition("-")[0]
        return made.isdecimal() and 0 <= self._clock() - int(made) < PASS_SECONDS

    def _sign(self, number: str) -> str:
        return hmac.new(self._secret, number.encode("utf-8", "replace"), sha256).hexdigest()
