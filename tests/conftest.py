"""What all tests need of the process that they run in."""

from __future__ import annotations

import signal

# A shell starts what it runs in the background with SIGINT ignored, and so do some CI runners. Children inherit that:
# tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
