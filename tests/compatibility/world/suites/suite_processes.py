import asyncio
import concurrent.futures
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import pytest


def test_child_exits():
    child = os.fork()
    if not child:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_there_is_no_other_child():
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_child_writes_and_fails():
    child = os.fork()
    if not child:
        try:
            assert sys.stdout.write("of the child\n") == 0
        finally:
            os._exit(1)
    os.waitpid(-1, 0)


def test_subprocess():
    done = subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, check=True)
    assert done.stdout == b"1\n"


def test_popen_is_patched(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.setattr(os, "fork", None)
    monkeypatch.setattr(os, "posix_spawn", None)


def test_multiprocessing():
    process = multiprocessing.get_context("spawn").Process(target=print)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_threads():
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(abs, range(100))) == 4950


def test_thread_goes_on():
    test_thread_goes_on.over = threading.Event()
    test_thread_goes_on.thread = threading.Thread(target=test_thread_goes_on.over.wait)
    test_thread_goes_on.thread.start()
    assert threading.active_count() == 2


def test_thread_ends():
    test_thread_goes_on.over.set()
    test_thread_goes_on.thread.join()
    assert threading.active_count() == 1


def test_async():
    async def two():
        return await asyncio.gather(asyncio.sleep(0, 1), asyncio.to_thread(int))

    assert asyncio.run(two()) == [1, 0]


def test_signals(monkeypatch):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    assert before == signal.SIG_DFL
    signal.signal(signal.SIGCHLD, before)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_collector_is_off():
    gc.disable()
    gc.collect()


def test_collector_is_on():
    gc.enable()
    assert gc.isenabled()


@pytest.mark.parametrize("outcome", ["passes", "fails"])
def test_recursion(outcome):
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        assert outcome == "passes"
    finally:
        sys.setrecursionlimit(limit)


def test_last():
    pass
