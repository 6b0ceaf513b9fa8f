"""A sender that is killed again and again until it is done: a process with one thread, so that it may fork.

Arguments: the server's address, a folder, a seed, the number of results. Prints how often it was killed.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from pytest_automation_report.api.models import Endpoint, Token
from pytest_automation_report.delivery.handover import Runtime, Timeouts
from pytest_automation_report.delivery.process import Sender
from pytest_automation_report.delivery.stores import connected
from support.deliveries import WrittenSession, numbered
from support.sessions import SHORT_LIMITS, TOKEN


def live(written: WrittenSession) -> None:
    """Be a sender until all is delivered."""
    runtime = Runtime(clock=time.monotonic, random=random.random, log=lambda _: None)
    timeouts = Timeouts(**SHORT_LIMITS)
    with connected(Endpoint(written.session.origin, 1), Token(TOKEN), deadline_seconds=timeouts.request) as client:
        delivery = Sender(written.folder, written.session, timeouts, client, runtime).run()
    os._exit(0 if delivery.is_finished and not delivery.has_kept else 1)


def main() -> None:
    """Let senders live and die."""
    address, folder, seed, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    chance = random.Random(seed)
    written = WrittenSession(folder, address)
    written.add(*numbered(count))
    written.end()
    written.close()
    kills, longest = 0, 0.06
    while True:
        child = os.fork()
        if child == 0:
            live(written)
        end = time.monotonic() + chance.uniform(0.0, longest)
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.001)
        else:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.stdout.write(f"{kills}\n")
            sys.exit(os.waitstatus_to_exitcode(status))
        kills += 1
        longest *= 1.03  # so that it ends


if __name__ == "__main__":
    main()
