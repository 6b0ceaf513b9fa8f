"""Keep compiled templates beside the package's modules, as Python keeps theirs: compiling all of them takes 0.3 s.

They stand in the folder ``__pycache__`` of the pages, or below ``PYTHONPYCACHEPREFIX``. Where Python writes no
bytecode, they stay in memory. Loading one runs it, so it must come from a place to which only those write who can write
the package: a folder with results is none.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from hashlib import sha256
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Final

import jinja2.compiler
from jinja2 import BytecodeCache

from pytest_automation_report.text.files import replace_file

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

__all__ = ["CompiledTemplates"]

_HERE: Final = Path(__file__).parent
_DIGEST_BYTES: Final = sha256().digest_size


class CompiledTemplates(BytecodeCache):
    """The compiled templates of all environments with the same options.

    ``compiled_with`` are the files that decide what a template is compiled to, beside its own source: a template that
    was compiled with others is compiled anew.
    """

    def __init__(self, *compiled_with: str) -> None:
        self._stamp = _stamp([jinja2.compiler.__file__, *compiled_with])
        self._in_memory: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the compiled template if it is there; a bucket refuses that of another source or release."""
        known = self._in_memory.get(bucket.key)
        if known is None:
            known = self._in_memory[bucket.key] = self._read(bucket.key)
        if known:
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a compiled template."""
        compiled = self._in_memory[bucket.key] = bucket.bytecode_to_string()
        if sys.dont_write_bytecode or not self._stamp:
            return
        path = _path(bucket.key)
        # Without the permission to write there it is compiled again by the next process, as a module is.
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, [self._digest(compiled), compiled])

    def _read(self, key: str) -> bytes:
        """Return the stored template; b"" for none, for a damaged one, and for one compiled with something else."""
        if not self._stamp:
            return b""
        try:
            stored = _path(key).read_bytes()
        except OSError:
            return b""
        digest, compiled = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        return compiled if digest == self._digest(compiled) else b""

    def _digest(self, compiled: bytes) -> bytes:
        return sha256(self._stamp + compiled).digest()


def _path(key: str) -> Path:
    return Path(cache_from_source(str(_HERE / f"{key}.html")))


def _stamp(files: list[str]) -> bytes:
    """Return the state of these files, as Python compares those of its modules; b"" if they are in an archive."""
    try:
        states = [Path(file).stat() for file in files]
    except OSError:
        return b""
    return sha256(repr([(state.st_mtime_ns, state.st_size) for state in states]).encode()).digest()
