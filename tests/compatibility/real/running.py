"""Runs one session of a package's tests, bare or reported, and keeps what it left."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from compatibility.real.packages import Package
from compatibility.real.printed import without_report
from compatibility.real.verdicts import Verdict, from_junit, from_server
from compatibility.real.workplace import Place
from support.checked_server import CheckedServer
from support.processes import kill_group
from support.sessions import TOKEN, Ran, clean_environment

Target: TypeAlias = Literal["loopback", "embedded"]
State: TypeAlias = "Mapping[str, object]"

_COMMON = ("--automation-report", "-oautomation_report_exit_wait=600", "--automation-report-source=suite")
UNNAMED = re.compile(r"(/tmp|/dev/shm)/#\d+")


@dataclass(frozen=True, slots=True)
class Way:
    """How a session runs: on how many workers, with warnings as errors or not."""

    processes: int
    is_strict: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("-n", str(self.processes), *(("-W", "error") if self.is_strict else ()))


@dataclass(frozen=True, slots=True)
class Session:
    """What one session left: its verdicts by key, its lines, and the state of each process at each moment."""

    ran: Ran
    verdicts: Mapping[str, Verdict]
    lines: tuple[str, ...]
    states: Mapping[str, State]
    has_ended: bool


@dataclass(frozen=True, slots=True)
class Suite:
    """A package's tests in a folder to work in, with a limit in seconds for each session."""

    package: Package
    place: Place
    work: Path
    limit: float

    def bare(self, way: Way) -> Session:
        return self._session(way, ("-p", "no:automation-report"), clean_environment())

    def reported(self, way: Way, target: Target) -> tuple[Session, dict[str, Verdict]]:
        """Run the tests reported; return the session and what its server or its store has of it."""
        for left in self.work.glob("store.sqlite3*"):
            left.unlink()
        env = clean_environment(AUTOMATION_REPORT_TOKEN=TOKEN)
        store = self.work / "store.sqlite3"
        if target == "embedded":
            session = self._session(way, (*_COMMON, f"--automation-report-database={store}"), env)
            with CheckedServer(store, TOKEN, is_testmo=True) as server:
                return session, from_server(server.address, TOKEN, None)
        with CheckedServer(store, TOKEN, is_testmo=True) as server:
            address = (f"--automation-report-url={server.address}", "--automation-report-project-id=1")
            session = self._session(way, (*_COMMON, *address), env)
            posted = {test["key"]: str(test["status"]) for _, test in server.tests()}
            return session, from_server(server.address, TOKEN, posted)

    def _session(self, way: Way, reporting: tuple[str, ...], env: dict[str, str]) -> Session:
        tree = self.place.fresh(self.work / "tree")
        states = self.work / "states"
        shutil.rmtree(states, ignore_errors=True)
        states.mkdir(parents=True)
        xml = self.work / "junit.xml"
        xml.unlink(missing_ok=True)
        env["PATH"] = f"{self.place.python.parent}:{env['PATH']}"
        env["SESSION_STATE_FOLDER"] = str(states)
        env.pop("PYTEST_ADDOPTS")  # some of the packages' tests use Hypothesis
        command = [str(self.place.python), "-m", "pytest", *way.arguments, f"--junitxml={xml}", "-p", "session_state"]
        ran, has_ended = self._ran([*command, *self.package.arguments, *reporting], tree, env)
        return Session(
            ran,
            from_junit(xml) if xml.exists() else {},
            tuple(without_report(ran.out, self.work).splitlines()),
            {each.name.removesuffix(".json"): _state(each) for each in sorted(states.iterdir())},
            has_ended,
        )

    def _ran(self, command: list[str], folder: Path, env: Mapping[str, str]) -> tuple[Ran, bool]:
        """Run a command; its output goes to files, which children that outlive it cannot hold open."""
        outputs = [self.work / "out", self.work / "err"]
        with (
            outputs[0].open("wb") as out,
            outputs[1].open("wb") as err,
            subprocess.Popen(
                command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            ) as process,
        ):
            try:
                process.wait(self.limit)
                has_ended = True
            except subprocess.TimeoutExpired:
                kill_group(process)
                has_ended = False
        texts = [each.read_text(encoding="utf-8", errors="replace") for each in outputs]
        return Ran(process.returncode, *texts), has_ended


def _state(path: Path) -> State:
    found = json.loads(UNNAMED.sub("UNNAMED", path.read_text(encoding="utf-8")))
    environment = found.pop("environment")
    return {**found, **{f"environment: {name}": value for name, value in environment.items()}}
