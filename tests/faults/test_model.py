"""A sender, a network and a server, driven at random: at most once at any moment, exactly once when all is quiet."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from requests.adapters import BaseAdapter
from requests.models import PreparedRequest, Response

from pytest_automation_report.api.http import HttpClient
from pytest_automation_report.api.models import Token
from pytest_automation_report.delivery.launch import Timeouts
from pytest_automation_report.delivery.reconciliation import Reconciled, Reconciliation
from pytest_automation_report.delivery.requests import DeliveryOptions
from pytest_automation_report.delivery.sender import Sender
from pytest_automation_report.spool.ledger import FencedRecord, Intent
from pytest_automation_report.spool.records import Record
from pytest_automation_report.spool.sessions import LedgerFile
from pytest_automation_report.system.here import system
from support.deliveries import Clock, Stepper, WrittenSession
from support.scripted_adapter import response_to
from support.scripted_server.store import Reply, Store
from support.sessions import TOKEN

Fate: TypeAlias = Literal[
    "lost", "applied-lost", "applied-500", "500", "429", "late", "slow-commit", "part-500", "part-422", "kill-before",
    "kill-after",
]  # fmt: skip
FATES: tuple[Fate, ...] = get_args(Fate)

COMMIT_SECONDS = 1.9
"""How long a server may take to commit a request that it had before its thread was completed."""


class Killed(BaseException):
    """The sender was killed while this request was under way."""


@dataclass
class Copy:
    """A request that arrives later; ``due`` is ``None`` until the network lets go of it, or when it is committed."""

    path: str
    document: object
    due: float | None
    is_let_in: bool


@dataclass
class Network(BaseAdapter):
    """Gives each POST of the sender its fate, in turn; what has none is delivered.

    ``append_fates`` are those of appends with tests alone.
    """

    store: Store
    clock: Callable[[], float]
    fates: list[Fate] = field(default_factory=list)
    append_fates: list[Fate] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)

    def send(self, request: PreparedRequest, **_: object) -> Response:  # type: ignore[override]
        self.commit()
        parts = urlsplit(request.url or "")
        body = request.body if isinstance(request.body, bytes) else b""
        document = json.loads(body) if body else {}
        method = request.method or "GET"
        fates = self.append_fates if "tests" in document and self.append_fates else self.fates
        fate = fates.pop(0) if method == "POST" and fates else None
        if fate is None:
            return response_to(request, self.store.apply(method, parts.path, parts.query, document))
        return self._met(fate, request, parts.path, document)

    def close(self) -> None:
        """Keep the server's memory: the session of one life ends, the network does not."""

    def let_go(self) -> None:
        for each in self.copies:
            each.due = self.clock() if each.due is None else each.due
        self.commit()

    def _met(self, fate: Fate, request: PreparedRequest, path: str, document: dict[str, object]) -> Response:
        if fate == "429":
            return response_to(request, Reply(429, {"message": "Too Many Attempts."}))
        if fate == "kill-before":
            raise Killed
        if fate in ("late", "slow-commit"):
            is_let_in = fate == "slow-commit"
            self.copies.append(Copy(path, document, self.clock() + COMMIT_SECONDS if is_let_in else None, is_let_in))
        elif fate.startswith("part") and "tests" in document:
            tests = document["tests"]
            assert isinstance(tests, list)
            self.store.apply("POST", path, "", {**document, "tests": tests[: len(tests) // 2]})
        elif fate in ("applied-lost", "applied-500", "kill-after"):
            self.store.apply("POST", path, "", document)
        if fate == "kill-after":
            raise Killed
        if fate in ("lost", "applied-lost", "late", "slow-commit"):
            raise requests.ConnectionError("the answer was lost")
        tests = document.get("tests", ())
        # One result alone that is refused again and again is set aside: that would be no loss of the sender's.
        status = 422 if fate == "part-422" and isinstance(tests, list) and len(tests) > 1 else 500
        return response_to(request, Reply(status, {"message": "It did not work."}))

    def commit(self) -> None:
        """Apply what is due; a copy that commits slowly was let in before its thread was completed."""
        now = self.clock()
        for each in [copy for copy in self.copies if copy.due is not None and copy.due <= now]:
            self.copies.remove(each)
            threads = [thread for thread in self.store.threads.values() if f"/threads/{thread.id}/" in each.path]
            completed = [thread.is_completed for thread in threads]
            for thread in threads if each.is_let_in else ():
                thread.is_completed = False
            self.store.apply("POST", each.path, "", each.document)
            for thread, was_completed in zip(threads, completed, strict=True):
                thread.is_completed = thread.is_completed or was_completed


ORIGIN = "http://model.test"
EXAMPLES = 60


class SenderModel(RuleBasedStateMachine):
    """One session, its sender's lives one after the other, and the server's memory as the oracle.

    Requests that are under way at the same time arrive in any order: `pending` holds those that have not arrived.
    """

    max_in_flight = 1
    most_seen = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.store = Store()
        self.network = Network(self.store, lambda: self.clock.now)
        self.written = WrittenSession(self.folder, ORIGIN)
        self.names: list[str] = []
        self.has_ended = False
        self.life: Stepper | None = None
        self.stack = ExitStack()
        self.workers = 0
        self.pending: list[Callable[[], None]] = []

    @rule(count=st.integers(1, 6))
    @precondition(lambda self: not self.has_ended)
    def record(self, count: int) -> None:
        """Finish some tests."""
        names = [f"test_{len(self.names) + number}" for number in range(count)]
        self.written.add(*names)
        self.names += names

    @rule(count=st.integers(1, 6))
    @precondition(lambda self: not self.has_ended and self.workers < 5)
    def record_worker(self, count: int) -> None:
        """Let another worker finish some tests, and end."""
        names = [f"test_{len(self.names) + number}" for number in range(count)]
        self.written.add_worker(f"gw{self.workers}", *names)
        self.names += names
        self.workers += 1

    @rule()
    @precondition(lambda self: not self.has_ended and self.names)
    def end(self) -> None:
        self.written.end()
        self.has_ended = True

    @rule(fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=4), has_tests=st.booleans())
    def trouble(self, fates: list[Fate], *, has_tests: bool) -> None:
        """Let the next requests, or the next that carry tests, meet something."""
        if has_tests:
            self.network.append_fates += fates
        else:
            self.network.fates += fates

    @rule(count=st.integers(1, 12), seconds=st.sampled_from([0.0, 0.1, 0.3, 2.5]), place=st.integers(0, 3))
    def work(self, count: int, seconds: float, place: int) -> None:
        """Let the sender send requests, some time apart."""
        life = self.life or self.born()
        try:
            for _ in range(count):
                if not life.step():
                    self.delivered(place)
                self.clock.now += seconds
        except Killed:
            self.kill(arrived=place)

    @rule(seconds=st.sampled_from([0.6, 1.1, 40.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def let_go(self) -> None:
        self.network.let_go()

    @rule(place=st.integers(0, 3))
    @precondition(lambda self: self.pending)
    def arrive(self, place: int) -> None:
        self.delivered(place)

    def delivered(self, place: int) -> bool:
        """Let a request arrive; return whether there was one."""
        if not self.pending:
            return False
        type(self).most_seen = max(self.most_seen, len(self.pending))
        self.pending.pop(place % len(self.pending))()
        return True

    @rule(arrived=st.integers(0, 3))
    @precondition(lambda self: self.life is not None)
    def kill(self, arrived: int) -> None:
        """Kill the sender; what it wrote is on the disk, and so many of its requests arrive after its death."""
        for _ in range(arrived):
            self.delivered(0)
        self.pending.clear()
        self.stack.close()
        self.life = None

    @invariant()
    def nothing_is_there_twice(self) -> None:
        """Fail when the server has a result twice."""
        self.network.commit()
        twice = [name for name, count in self.arrived().items() if count > 1]
        assert not twice, twice

    def teardown(self) -> None:
        """Fail unless the server has each result once when all is quiet."""
        try:
            self.quiet()
        finally:
            self.stack.close()
            self.written.close()
            shutil.rmtree(self.folder)

    def quiet(self) -> None:
        """Let everything happen that is under way, and the sender finish."""
        self.network.fates.clear()
        self.network.append_fates.clear()
        if not self.has_ended:
            self.written.end()
        life = self.life or self.born()
        try:
            life.run()
        except Killed:  # before all is quiet, by a request that was under way
            self.kill(arrived=0)
            life = self.born()
            life.run()
        assert life.delivery.is_finished or not self.names
        self.network.let_go()
        assert self.arrived() == Counter(self.names)

    def arrived(self) -> Counter[str]:
        return Counter(test["name"] for _, _, test in self.store.results)

    def born(self) -> Stepper:
        timeouts = Timeouts(batch_age=0.0)
        ledger = LedgerFile(self.written.folder.ledger)
        self.stack.callback(ledger.close)
        session = self.stack.enter_context(requests.Session())
        session.mount(ORIGIN, self.network)
        client = HttpClient(session, ORIGIN, Token(TOKEN), project_id=1)
        options, runtime = DeliveryOptions(max_in_flight=self.max_in_flight), self.clock.runtime()
        sender = Sender(self.written.folder, self.written.session, timeouts, client, runtime, _LIVING, options)
        following, delivery = sender.begin(ledger)
        delivery.in_flight.spawn = self.pending.append
        self.life = Stepper(delivery, following, self.clock, lambda: self.delivered(0))
        return self.life


class ManyRequests(SenderModel):
    """The same with several requests under way at the same time."""

    max_in_flight = 4


class _Living(system.Process):
    """A pytest that lives: nothing is decided before the session's end is written."""

    def __init__(self) -> None:
        """Watch nobody."""

    def is_alive(self) -> bool:
        return True


_LIVING = _Living()


def check(examples: int, model: type[SenderModel] = SenderModel, *, is_shrunk: bool = True) -> None:
    """Drive the model; raise `AssertionError` for the first way found to lose or double a result."""
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if is_shrunk else [])]
    run_state_machine_as_test(
        model,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            phases=phases,
            suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
        ),
    )


@pytest.mark.parametrize("model", [SenderModel, ManyRequests])
def test_nothing_lost_nothing_doubled(pytestconfig: pytest.Config, model: type[SenderModel]) -> None:
    """Whatever happens to requests and to the sender, the server has each result once in the end, and never twice."""
    check(int(pytestconfig.getoption("--examples") or 0), model)
    assert (model.most_seen > 1) is (model.max_in_flight > 1)


def no_fence(reconciliation: Reconciliation) -> Reconciled:
    """Take the thread for completed."""
    reconciliation._ledger.write(FencedRecord(reconciliation.intent.worker))
    reconciliation._stage = reconciliation._read
    return "pending"


def one_read(reconciliation: Reconciliation, value: int) -> bool:
    """Believe the first count."""
    del reconciliation, value
    return True


def no_intent(ledger: LedgerFile, record: Record) -> None:
    """Write everything but the intents, which are known to the living sender alone."""
    if isinstance(record, Intent):
        ledger.state.apply(record)
    else:
        _WRITE(ledger, record)


_WRITE = LedgerFile.write


@pytest.mark.parametrize(
    ("owner", "name", "broken"),
    [
        pytest.param(Reconciliation, "_complete", no_fence, id="fence"),
        pytest.param(Reconciliation, "_agrees_with_last_read", one_read, id="second-read"),
        pytest.param(LedgerFile, "write", no_intent, id="intent"),
    ],
)
def test_each_part_is_needed(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, broken: Callable[..., object]
) -> None:
    """Without the fence, the second read, or the intent on disk, the model finds results that are lost or doubled."""
    monkeypatch.setattr(owner, name, broken)
    with pytest.raises(AssertionError):
        # The first hundreds find it mostly. What Hypothesis tries depends on the modules that earlier tests loaded.
        check(6000, is_shrunk=False)
