"""Looks for a token where it must not be: in files, outputs, and in what the system tells of processes."""

import base64
import os
from functools import lru_cache
from pathlib import Path


@lru_cache
def spellings(token: str) -> tuple[bytes, ...]:
    """Return what a token looks like: plain, reversed, in hexadecimal digits, in base64 at each alignment."""
    raw = token.encode()
    shifted = [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
    return (raw, raw[::-1], raw.hex().encode(), *shifted, base64.urlsafe_b64encode(raw))


def holds_token(data: bytes, token: str) -> bool:
    """Whether the token is in these bytes in any spelling."""
    return any(each in data for each in spellings(token))


def files_with(token: str, *folders: Path) -> list[Path]:
    """Return all files below these folders that hold the token, in their content or their names."""
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            is_read = path.is_file() and not path.is_symlink()
            if holds_token(os.fsencode(path), token) or (is_read and holds_token(path.read_bytes(), token)):
                found.append(path)
    return found


def assert_not_in_process(token: str, pid: int) -> None:
    """Fail when a process that lives has the token among its arguments or in its environment."""
    for name in ("cmdline", "environ"):
        try:
            data = Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:
            return  # it has ended, or this system does not tell
        assert not holds_token(data, token), f"the token is in the {name} of process {pid}"
