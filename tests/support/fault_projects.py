"""Small projects whose tests stop where a test of ours wants to act."""

from pathlib import Path

WAITS = "while True: threading.Event().wait(0.02)"
"""The end of a test that never ends; each wait is short so that signals get through."""

QUICK = """
def test_one(): pass
def test_two(): pass
def test_three(): pass
"""

STOPPING = """
import os, pathlib, threading
HERE = pathlib.Path(__file__).parent

def test_before(): pass

def test_running():
    (HERE / "running.part").write_text(str(os.getpid()))
    (HERE / "running.part").rename(HERE / "running")
    {end}

def test_after(): pass
"""

WITNESS = """
import os, pathlib, pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_logfinish(nodeid):
    result = yield
    descriptor = os.open(pathlib.Path(__file__).parent / "finished", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, (nodeid + "\\n").encode())
    os.close(descriptor)
    return result
"""

FINISHED = ("test_one", "test_two", "test_three", "test_before")


class StoppingProject:
    """Four tests that finish, one that gets stopped, one after it; two files, so that two workers share them."""

    def __init__(self, folder: Path, end: str = WAITS) -> None:
        self.folder = folder
        (folder / "test_first.py").write_text(QUICK)
        (folder / "test_second.py").write_text(STOPPING.format(end=end))
        (folder / "conftest.py").write_text(WITNESS)

    @property
    def is_stopped(self) -> bool:
        """Whether the stopping test runs and all before it have finished."""
        finished = self.folder / "finished"
        is_running = (self.folder / "running").exists()
        return is_running and finished.exists() and len(set(finished.read_text().split())) >= len(FINISHED)

    @property
    def running_pid(self) -> int:
        return int((self.folder / "running").read_text())


GATED = """
import pathlib, threading, pytest

GATES = {gates!r}

@pytest.mark.parametrize("number", range({count}))
def test_number(number):
    gate = GATES.get(number)
    if gate:
        here = pathlib.Path(__file__).parent
        (here / f"at-{{number}}").touch()
        while not (here / f"go-{{number}}").exists():
            threading.Event().wait(0.01)
"""


SIGNALLING = """
import os, pathlib, signal, pytest

@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    (folder,) = [each for each in (session.config.rootpath / ".automation-report/spool").iterdir() if each.is_dir()]
    for each in pathlib.Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            try:
                command = (each / "cmdline").read_bytes()
            except OSError:
                continue
            if folder.name.encode() in command:
                os.kill(int(each.name), signal.{signal})
                with (session.config.rootpath / "signalled").open("a") as file:
                    print(each.name, file=file)
"""


def signalling(signal: str) -> str:
    """Return the conftest of a session that sends its sender this signal at once, whether it is ready or not."""
    return SIGNALLING.format(signal=signal)


NUMBERED = [f"test_number[{number}]" for number in range(4)]
"""The tests of a `GatedProject` of four."""


class GatedProject:
    """Tests ``test_number[0]``, ``test_number[1]``...; at the gates each waits until it is let through."""

    def __init__(self, folder: Path, count: int, *gates: int) -> None:
        self.folder = folder
        self.names = [f"test_number[{number}]" for number in range(count)]
        (folder / "test_gated.py").write_text(GATED.format(gates=dict.fromkeys(gates, True), count=count))

    def is_at(self, gate: int) -> bool:
        return (self.folder / f"at-{gate}").exists()

    def let_through(self, gate: int) -> None:
        (self.folder / f"go-{gate}").touch()
