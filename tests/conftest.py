"""What all tests need of the process that they run in."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support.memory import keep_temporary_files_in_memory
from support.needs import NeedsPlugin

pytest_plugins = [
    "support.client_fixtures",
    "support.server_fixtures",
    "support.session_fixtures",
    "support.transcripts",
]

keep_temporary_files_in_memory()

# A shell starts what it runs in the background with SIGINT and SIGQUIT ignored, and so do some CI runners. Children
# inherit that: tests of Ctrl-C would wait for ever. nohup does the same with SIGHUP.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for ignored in [number for number in signal.Signals if number.name in {"SIGQUIT", "SIGHUP"}]:
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.SIG_DFL)

# A busy machine is no failure, and what fails on one machine fails on the next.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer long forms of the tests that go on at random."""
    group = parser.getgroup("long forms", "long forms of the project's own tests")
    group.addoption("--examples", type=int, default=60, help="how many ways are tried (tests/faults/test_model.py)")
    group.addoption("--deaths", type=int, default=12, help="how many kills are tried (tests/faults/test_deaths.py)")
    group.addoption(
        "--volume", type=int, default=3000, help="how many tests one session has (tests/performance/test_volume.py)"
    )
    group.addoption(
        "--cases",
        type=int,
        default=30_000,
        help="how many cases one file has (tests/sessions/console/test_submit.py): 130000",
    )
    group.addoption(
        "--kills",
        type=int,
        default=20,
        help="how many writers of a store are killed (tests/faults/test_store_writers.py)",
    )
    group.addoption(
        "--joins", type=int, default=8, help="how many sessions join a run at once (tests/sessions/server): 40"
    )
    group.addoption(
        "--suites", default="", help="whose tests run with the plugin and without (tests/compatibility/real)"
    )
    group.addoption(
        "--record", action="store_true", help="keep this version's exchanges (tests/compatibility/releases)"
    )
    group.addoption("--seed", type=int, default=None, help="the one kill to try: it is printed by one that failed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Take three workers for two processors: half of the time a test waits for the processes that it has started."""
    return max(1, (os.cpu_count() or 1) * 3 // 2)


def pytest_configure(config: pytest.Config) -> None:
    """Skip tests whose programs are missing, and count them."""
    config.pluginmanager.register(NeedsPlugin())


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills") or 0)


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests' sessions from noting the addresses of their servers in the home folder of a developer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a logger's level, a handler, a variable or another working folder to the next ones."""
    before = _world()
    yield
    assert _world() == before, "the test has changed what the next ones find"


def _world() -> dict[str, object]:
    """Return what all tests of this process share: loggers, variables but pytest's own, and the working folder."""
    loggers = [logging.getLogger(), *map(logging.getLogger, _LOGGERS)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {
        "loggers": [(logger.name, logger.level, logger.disabled, [*logger.handlers]) for logger in loggers],
        "environment": environment,
        "folder": Path.cwd(),
    }


_LOGGERS = ("pytest_automation_report", "waitress", "waitress.queue", "psycopg.pool")
