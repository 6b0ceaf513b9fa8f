"""Threads that read their first bodies and answers at the same moment."""

import pytest

from support.processes import line_of, python

FIRST = """
import sys, threading, time
from functools import partial
from pytest_automation_report.api.responses import run_from
from pytest_automation_report.server.api.bodies import append_to_thread

TESTS = b'{"tests": [{"key": "a", "name": "n", "folder": "f", "status": "ok", "fields": [{"type": 1, "name": "x"}]}]}'
THREAD = {"id": 1, "is_completed": True, "total_count": 1, "fields": [{"name": "x"}]}
FIRSTS = {
    "body": partial(append_to_thread, None, 1, TESTS, None),
    "answer": partial(run_from, {"result": {**THREAD, "threads": [THREAD]}}),
}

def slowly(frame, event, arg):
    # msgspec asks for the members of each class as it comes to it.
    if event == "return" and frame.f_code.co_name == "get_class_annotations":
        time.sleep(0.02)

def read():
    try:
        FIRSTS[sys.argv[1]]()
    except AttributeError:  # there is no store
        pass

threading.setprofile(slowly)
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
    time.sleep(0.01)
for thread in threads:
    thread.join()
print("lives")
"""


@pytest.mark.parametrize("first", ["body", "answer"])
def test_first_ones_at_once_end_no_process(first: str) -> None:
    """Jobs that begin in one second send their first bodies together, and a sender reads several answers at once."""
    with python(FIRST, first) as process:
        assert line_of(process) == "lives"
