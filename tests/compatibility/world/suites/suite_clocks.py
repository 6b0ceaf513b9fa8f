import datetime
import time

import pytest
import time_machine
from freezegun import freeze_time


@pytest.fixture(autouse=True, scope="module")
def frozen_module():
    with freeze_time("1999-12-31"):
        yield


@pytest.fixture
def frozen():
    with freeze_time("2000-01-01") as frozen_time:
        yield frozen_time


@pytest.fixture
def frozen_setup_only():
    freezer = freeze_time("2030-01-01")
    freezer.start()
    yield
    freezer.stop()
    assert False, "a teardown that fails"


@freeze_time("1970-01-02")
def test_decorated():
    assert datetime.date.today() == datetime.date(1970, 1, 2)


@freeze_time("2100-01-01", tick=True)
def test_ticking_fails():
    assert time.time() == 0


def test_fixture_moves(frozen):
    frozen.tick(86400 * 365)
    frozen.move_to("1980-01-01")


def test_fixture_fails(frozen):
    frozen.tick(-86400)
    assert 1 == 2


def test_teardown_fails(frozen_setup_only):
    pass


@freeze_time("2012-12-12")
class TestFrozenClass:
    def test_in_class(self):
        assert time.time() == time.time()


@time_machine.travel(0)
def test_travelled():
    assert time.time() < 10


@time_machine.travel(datetime.datetime(2262, 1, 1), tick=False)
def test_travelled_fails():
    assert time.monotonic() < 0


def test_shifted(time_machine):
    time_machine.move_to("1985-10-26")
    time_machine.shift(-86400)
    with pytest.raises(ZeroDivisionError):
        1 / 0


@pytest.mark.parametrize("name", ["time", "monotonic", "perf_counter", "sleep", "time_ns", "perf_counter_ns"])
@pytest.mark.parametrize("value", [-5.0, 1e300, "no number", None])
def test_patched(monkeypatch, name, value):
    monkeypatch.setattr(time, name, lambda *_: value)
    assert getattr(time, name)() is value


def test_patched_to_raise(monkeypatch):
    def broken(*_):
        raise RuntimeError("no clock here")

    for name in ("time", "monotonic", "sleep", "strftime", "gmtime", "localtime"):
        monkeypatch.setattr(time, name, broken)
    assert False, "and it fails"


def test_skips(frozen):
    pytest.skip("frozen")


def test_last():
    pass
