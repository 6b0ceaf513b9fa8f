"""Suites that mock or break the world they run in have the same outcomes with the plugin, and all are delivered."""

import json
from pathlib import Path

import pytest

from compatibility.real import session_state
from compatibility.real.running import UNNAMED
from compatibility.world.differing import ALL_PLUGINS, SUITES, check_same, check_same_output, check_told, differ
from compatibility.world.plugins import search_path

_NEEDED: dict[str, tuple[str, ...]] = {"network": ("requests-mock",), "disk": ("pyfakefs",)}
_KEEPS_PYTEST = ("--capture=sys", "-p", "no:logging", "-p", "no:faulthandler")
"""For the suite that closes descriptors: what pytest itself could not do without is not among them then."""
_OPTIONS: dict[str, tuple[str, ...]] = {"clocks": ("-p", "time_machine"), "descriptors": _KEEPS_PYTEST}


# The others run under conditions that are harder.
@pytest.mark.parametrize("name", ["network", "descriptors"])
def test_mocked_world_changes_nothing(tmp_path: Path, name: str) -> None:
    """A suite that mocks or breaks its world has the same outcomes when reported, and each reaches the server."""
    pair = differ(
        tmp_path, SUITES / f"suite_{name}.py", *_OPTIONS.get(name, ()), env=search_path(*_NEEDED.get(name, ()))
    )
    check_same(pair)
    check_same_output(pair)


@pytest.mark.parametrize("name", ["clocks", "disk"])
def test_mocked_world_on_workers(tmp_path: Path, name: str) -> None:
    """The same on two workers of pytest-xdist."""
    arguments = ("-n", "2", "--dist", "loadfile", *_OPTIONS.get(name, ()))
    pair = differ(tmp_path, SUITES / f"suite_{name}.py", *arguments, env=search_path(*_NEEDED.get(name, ())))
    check_same(pair)
    check_same_output(pair)


@pytest.mark.parametrize("name", ["clocks", "disk", "processes"])
def test_warnings_as_errors_and_no_sockets(tmp_path: Path, name: str) -> None:
    """Under ``-W error`` and pytest-socket's ``--disable-socket`` no warning and no socket of ours fails a test."""
    env = search_path("pytest-socket", *_NEEDED.get(name, ()))
    arguments = ("-W", "error", "--disable-socket")
    pair = differ(tmp_path, SUITES / f"suite_{name}.py", *arguments, env={**env, **ALL_PLUGINS})
    check_same(pair)
    check_same_output(pair)


def test_no_terminal(tmp_path: Path) -> None:
    """Without pytest's terminal plugin the session reports all the same, and says nothing when all went well."""
    pair = differ(tmp_path, SUITES / "suite_descriptors.py", "-p", "no:terminal", *_KEEPS_PYTEST)
    check_same(pair, is_summed_up=False)
    assert pair.reported.ran.text == pair.bare.ran.text


def test_proxies_of_the_machine(tmp_path: Path) -> None:
    """Proxies in the environment change no test, and the server on this machine is reached where NO_PROXY says so."""
    env = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    pair = differ(tmp_path, SUITES / "suite_network.py", env={**search_path("requests-mock"), **env})
    check_same(pair)


def test_child_that_escapes(tmp_path: Path) -> None:
    """A forked child that runs the rest of the session reports nothing and ends nothing; the parent's results count."""
    pair = differ(tmp_path, SUITES / "suite_escape.py")
    assert pair.reported.ran.exit == pair.bare.ran.exit
    names = [test["name"] for _, test in pair.tests]
    assert sorted(names) == ["test_after", "test_before", "test_child_escapes", "test_last"]
    assert pair.statuses()["test_after"] == "failure"
    assert pair.run_fields["Session"] == "tests failed (exit status 1)"
    assert pair.reported.ran.out.count("== automation report ==") == 1
    check_told(pair)


@pytest.mark.parametrize("arguments", [(), ("-n", "1")], ids=["alone", "worker"])
def test_process_is_as_without(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Threads, children, descriptors, environment, signals, filters: a test sees what it sees without the plugin.

    But for one descriptor, that of the spool's file.
    """
    env = {"STATE_FILE": "{folder}/state", "PYTHONPATH": str(Path(session_state.__file__).parent)}
    pair = differ(tmp_path, SUITES / "suite_state.py", *arguments, env=env)
    check_same(pair)
    for name in ("0", "1", "2", "teardown"):
        texts = [
            (side.folder / f"state.{name}").read_text().replace(str(side.folder), "FOLDER")
            for side in (pair.bare, pair.reported)
        ]
        bare, reported = (json.loads(UNNAMED.sub("UNNAMED", text)) for text in texts)
        assert (bare.pop("of the spool"), reported.pop("of the spool")) == (0, 1)
        assert reported == bare


# One worker runs the one file: with the tests on both, the order of their letters in the output is a matter of chance.
@pytest.mark.parametrize("workers", [(), ("-n", "2", "--dist", "loadfile")], ids=["alone", "workers"])
def test_nothing_that_we_offer_warns(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """A suite that uses every fixture, function, marker and hook of ours has no warning, outcome or count more."""
    pair = differ(tmp_path, SUITES / "annotating", "-W", "error", *workers, env=ALL_PLUGINS)
    check_same(pair)
    check_same_output(pair)
    properties = {"cluster": "blue", "class": "yes", "late": "7", "of class": "1", "unit": "1"}
    assert properties.items() <= pair.run_fields.items()
