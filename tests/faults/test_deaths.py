"""Kills at random moments and at counted system calls, of pytest, a worker, the sender and the server.

Each seed is one session with one death. What had begun is on the server once in the end, whoever died.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.needs import needed
from support.scripted_server.server import ScriptedServer
from support.session_processes import RunningSession, sender_of, spools, wait_for_senders
from support.sessions import reporting_arguments, send, session_environment, skip_without_workers

assert sys.platform != "win32"

TESTS = 24

SUITE = """
import os
import time
import pytest

@pytest.mark.parametrize("number", range(8))
def test_number(number, request):
    if (request.config.rootpath / f"deletes-{number}").exists() and __file__.endswith("0.py"):
        os.system("mv .automation-report gone && rm -r gone")
    begun = os.open(request.config.rootpath / "begun", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(begun, f"{os.path.basename(__file__)[:-3]}.{number} {os.getpid()}\\n".encode())
    os.close(begun)
    time.sleep(0.01)
"""

CALLS = {"write": 90, "fdatasync": 16, "rename": 2, "sendto": 14, "unlink": 3, "openat": 900}
"""System calls at which a process is killed, with the highest number that is tried: `sendto` is a request's.

Pytest renames the session's folder once that is whole; it, its workers and the sender rename what they make again after
a test has deleted the spool, so one does when `rename` is counted.
"""


@dataclass(frozen=True)
class Death:
    """Who dies, and when: after some seconds, or at the n-th of a system call in any process of the session.

    ``is_alone`` tells that only pytest's own process is counted; ``deletes`` which test deletes the spool, 0 for none.
    """

    victim: str
    arguments: tuple[str, ...]
    seconds: float = 0.0
    call: str = ""
    number: int = 0
    is_alone: bool = False
    deletes: int = 0

    @classmethod
    def from_seed(cls, seed: int) -> "Death":
        chance = random.Random(seed)
        arguments = chance.choice([(), ("-n", "2")])
        victims = ["pytest", "sender", "server", "group", "call", *(["worker"] if arguments else [])]
        victim = chance.choice(victims)
        call = chance.choice(sorted(CALLS))
        number = chance.randint(1, CALLS[call]) if victim == "call" else 0
        longest = 2.0 if arguments else 1.2
        seconds = chance.uniform(0.05, longest)
        if not number:
            return cls(victim, arguments, seconds)
        is_alone, deletes = chance.random() < 0.3, chance.randint(1, 7) if call == "rename" else 0
        return cls(victim, arguments, seconds, call, number, is_alone, deletes)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each seed, or of the one that is asked for."""
    one = metafunc.config.getoption("--seed")
    count = int(metafunc.config.getoption("--deaths") or 0)
    metafunc.parametrize("seed", range(count) if one is None else [int(one)])


def begun(folder: Path) -> dict[str, int]:
    """Return the tests whose bodies have begun, and the process that each ran in."""
    path = folder / "begun"
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return {name: int(pid) for name, pid in (line.split() for line in lines)}


def shown(test: dict[str, str]) -> str:
    """Return a result as the suite names its test."""
    return f"{test['folder']}.{test['name'].removeprefix('test_number[').removesuffix(']')}"


def kill(pid: int) -> None:
    """Kill a process that may be gone."""
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def run_to_death(folder: Path, server: ScriptedServer, death: Death) -> int:
    """Run the session, let somebody die, and return pytest's exit status."""
    with RunningSession(folder, *death.arguments, address=server.address) as running:
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(timeout=death.seconds)
        match death.victim:
            case "pytest":
                kill(running.pid)
            case "group":
                with suppress(ProcessLookupError):
                    running.hit_group(signal.SIGKILL)
            case "worker":
                kill(next(iter(begun(folder).values()), 0))
            case "sender":
                kill(sender_of(folder))
            case _:
                server.down()
                time.sleep(0.1)
                server.up()
        return running.end().exit


def run_to_call(folder: Path, server: ScriptedServer, death: Death) -> int:
    """Run the session under strace, which kills each process at its n-th call; return pytest's exit status."""
    needed("strace")
    command = [*reporting_arguments(server.address), *death.arguments]
    skip_without_workers(command)
    inject = f"inject={death.call}:signal=SIGKILL:when={death.number}"
    following = [] if death.is_alone else ["-f", "--seccomp-bpf"]
    tracer = ["strace", *following, "-qq", "-o", os.devnull, "-e", f"trace={death.call}", "-e", inject]
    done = subprocess.run(
        [*tracer, *command], cwd=folder, env=session_environment(), capture_output=True, timeout=120, check=False
    )
    if b"ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.decode()}")
    return done.returncode


def test_death(tmp_path: Path, server: ScriptedServer, seed: int) -> None:
    """Whoever dies, and when: no result is lost, none is there twice, none that was not whole has passed."""
    death = Death.from_seed(seed)
    for number in range(3):
        (tmp_path / f"test_suite{number}.py").write_text(SUITE)
    if death.deletes:
        (tmp_path / f"deletes-{death.deletes}").touch()
    live = run_to_call if death.victim == "call" else run_to_death
    exit_status = live(tmp_path, server, death)
    wait_for_senders(tmp_path)
    replay = f"{death}\nreplay: {sys.executable} -m pytest tests/faults/test_deaths.py --seed {seed}\n"
    if spools(tmp_path):
        sent = send(tmp_path, *server.options)
        replay += sent.text
        if death.deletes and sent.exit == 3 and "deleted the spool" in sent.text:
            # The ledger went with it: what is here is held, since some of it may have arrived.
            if server.results:
                assert max(Counter(shown(test) for _, _, test in server.results).values()) == 1, replay
                return
            sent = send(tmp_path, *server.options, "--unknown=send")
            replay += sent.text
        assert sent.exit == 0, replay
    assert spools(tmp_path) == [], replay
    results = [test for _, _, test in server.results]
    arrived = Counter(shown(test) for test in results)
    assert max(arrived.values(), default=1) == 1, replay
    missing = begun(tmp_path).keys() - arrived.keys()
    assert not missing, f"{sorted(missing)} {replay}"
    queues = 2 if death.arguments else 1
    assert len(arrived.keys() - begun(tmp_path).keys()) <= queues, replay
    assert sum(test["status"] != "passed" for test in results) <= 2 * queues, replay
    if exit_status == 0:
        assert arrived.keys() == begun(tmp_path).keys(), replay
        assert len(arrived) == TESTS, replay
