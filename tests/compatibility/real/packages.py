"""Which real packages' own tests are run: different kinds of suites that nobody here wrote."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Package:
    """A source distribution with its tests.

    ``needed`` are the packages that its tests want besides, ``arguments`` are pytest's: they leave out what passes and
    fails by turns under bare pytest, or takes long.
    """

    name: str
    version: str
    kind: str
    needed: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


PACKAGES = (
    Package("idna", "3.20", "unittest classes, subTest", ("hypothesis",)),
    Package("responses", "0.26.3", "mocks requests; async",
            ("pytest-asyncio", "pytest-httpserver", "tomli-w", "tomli"),
            # Ten times the same test, which are five of the session's seven seconds.
            ("responses/tests", "-k", "not test_multithreading_lock")),
    Package("freezegun", "1.5.5", "mocks time"),
    Package("requests-mock", "1.12.1", "mocks requests; unittest classes",
            ("fixtures", "testtools", "requests-futures", "purl"), ("tests",)),
    Package("jinja2", "3.1.6", "filterwarnings = error; async", ("trio",)),
    Package("click", "8.5.1", "filterwarnings = error"),
    Package("more-itertools", "11.2.1", "unittest classes with subTest; doctests", (),
            ("--doctest-modules", "more_itertools", "tests")),
    Package("toolz", "1.2.0", "doctests; filterwarnings = error; live log", (), ("--doctest-modules", "toolz")),
    Package("pluggy", "1.7.0", "hooks, warnings, benchmarks", ("pytest-benchmark", "coverage"), ("testing",)),
    Package("attrs", "26.1.0", "hypothesis; importlib mode", ("hypothesis", "cloudpickle", "pympler")),
    Package("pytest-rerunfailures", "16.7", "nested pytester sessions, reruns", (),
            ("tests", "-k", "not temporary_test_crash")),
    Package("requests", "2.34.2", "sockets, TLS; doctests",
            ("pytest-httpbin", "httpbin", "flask", "trustme", "pytest-mock", "pysocks")),
    Package("anyio", "4.16.0", "async, threads, processes, sockets",
            ("pytest-mock", "pytest-timeout", "trustme", "truststore", "trio", "hypothesis", "psutil", "blockbuster",
             "exceptiongroup", "coverage"),
            # Without IPv6 its tests leave sockets open, of which whichever test is running is told at a collection.
            ("-W", "ignore::pytest.PytestUnraisableExceptionWarning")),
    Package("werkzeug", "3.1.9", "filterwarnings = error; servers",
            ("ephemeral-port-reserve", "cryptography", "watchdog", "pytest-timeout"), ("-m", "not dev_server")),
    Package("pyfakefs", "6.3.2", "mocks files; unittest classes", (), ("pyfakefs/tests", "pyfakefs/pytest_tests")),
    Package("packaging", "26.4", "more than 30,000 tests", ("hypothesis", "pretend", "tomli-w")),
)  # fmt: skip

DIFFERENTIAL = ("idna", "jinja2", "more-itertools", "pluggy", "pytest-rerunfailures", "requests-mock", "werkzeug")
"""Those that `--suites` runs with warnings as errors, too: of every kind, and none that takes long."""
