"""Commands and servers in processes of their own over one store."""

import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support.processes import line_of, python
from support.service import API, ON_SQLITE, TOKEN, Service, a_test
from support.serving import asking, served
from support.sessions import run, session_environment
from unit.server.store.test_maintenance import _store, filled

__all__ = ["filled"]


def test_served_stores_have_their_limits(tmp_path: Path) -> None:
    """The options of the command reach the store and its artifacts."""
    options = ["--max-size", "300KB", "--max-artifacts", "1KB", "--database", "store.db"]
    variables = {"AUTOMATION_REPORT_SERVER_TOKEN": TOKEN.value}
    with served(tmp_path, *options, **variables) as (address, _), asking(TOKEN.value) as session:
        assert session.post(f"{address}/artifacts", data=b"x" * 1000).status_code == 201
        refused = session.post(f"{address}/artifacts", data=b"y")
        assert (refused.status_code, "at most 1000" in refused.text) == (422, True)
        runs = f"{address}{API}/projects/1/automation/runs"
        body = {"name": "n", "source": "s", "tags": [f"{number:04}" * 1000 for number in range(25)]}
        statuses = [session.post(runs, json=body).status_code for _ in range(5)]
        assert statuses[0] == 201
        assert statuses[-1] == 422


@ON_SQLITE
def test_pruning_beside_a_server_frees_the_disk(filled: Service, tmp_path: Path) -> None:
    """What was removed while another process serves the store takes no space any more, in the file or its log."""
    database = tmp_path / "store.db"
    thread_id = filled.new_thread(filled.new_run())
    for number in range(60):
        tests = [a_test(each, folder="f" * 700, name=f"{number}" * 200) for each in range(100)]
        filled.append(thread_id, *tests)
    filled.append(filled.new_thread(filled.new_run()), a_test())
    with closing(sqlite3.connect(database)) as other:
        other.execute("UPDATE run SET created = created - 99 * 86400000000, is_completed = 1 WHERE id = 7")
        other.commit()
    given = {"AUTOMATION_REPORT_SERVER_TOKEN": TOKEN.value, "AUTOMATION_REPORT_DATABASE": str(database)}
    with served(tmp_path, **given) as (address, _), asking(TOKEN.value) as session:
        before = _taken(tmp_path)
        done = _store("prune", "--older-than", "50d", "--compact")
        assert (done.exit_code, done.stdout) == (0, "7\n"), done.output
        assert "in use" not in done.stderr
        assert _taken(tmp_path) < before / 4
        assert session.get(f"{address}/api/v1/projects/1/automation/runs").json()["total"] == 7


def _taken(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("store.db*"))


def test_the_printed_line_reports_from_another_folder(tmp_path: Path) -> None:
    """Run as printed in a project that does not hold the store, it keeps that project's root folder and settings.

    The link of a team then opens the page of the run.
    """
    store, project = tmp_path / "store", tmp_path / "project"
    (project / "tests").mkdir(parents=True)
    store.mkdir()
    (project / "pytest.ini").write_text("[pytest]\npythonpath = lib\nautomation_report_source = shop\n")
    (project / "lib").mkdir()
    (project / "lib" / "shop.py").write_text("PRICE = 3\n")
    (project / "tests" / "test_a.py").write_text("import shop\n\ndef test_price():\n    assert shop.PRICE == 3\n")
    code = store / "pages.token"
    code.write_text("a-code-of-ten-colleagues\n")
    with served(store, "--pages-token-file", str(code)) as (address, server), asking() as session:
        assert server.stderr is not None
        lines = [server.stderr.readline() for _ in range(4)]
        assert lines[2] == f"for a team: {address}/open/CODE, with the code of {code}\n"
        words = shlex.split(lines[3].removeprefix("report to it: "))
        environment = {name: text for name, text in session_environment().items() if not name.endswith("_TOKEN")}
        ran = run([sys.executable, "-m", *words], project, environment)
        assert ran.exit == 0, ran.text
        assert "1 of 1 result delivered" in ran.out
        assert f"rootdir: {project}" in ran.out
        opened = session.get(f"{address}/open/a-code-of-ten-colleagues?to=/runs/1", timeout=20)
        assert 'content="0; url=/runs/1"' in opened.text
        assert session.get(f"{address}/runs/1", timeout=20).status_code == 200


FIRST = """
import sys, threading, time
from functools import partial
from pytest_automation_report.api.responses import run_from
from pytest_automation_report.server.api.bodies import POSTS

TESTS = b'{"tests": [{"key": "a", "name": "n", "folder": "f", "status": "ok", "fields": [{"type": 1, "name": "x"}]}]}'
THREAD = {"id": 1, "is_completed": True, "total_count": 1, "fields": [{"name": "x"}]}
FIRSTS = {
    "body": partial(POSTS["/automation/runs/threads/{}/append"], None, 1, TESTS, None),
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


EMBEDDED = """
import sys
from pathlib import Path
from pytest_automation_report.api.models import Field, NewRun, Resources
from pytest_automation_report.server.api.embedded import StoreClient
with StoreClient(Path(sys.argv[1]), 1) as client:
    client.create_run(NewRun("run", "suite"), key="1")
    client.create_thread(1, Resources((Field("Worker", "main"),)), key="2")
    client.append_thread(1, b'{"tests":[{"key":"a","name":"n","folder":"f","status":"passed"}]}', key="3")
    client.complete_thread(1, key="4")
    client.complete_run(1, measure_elapsed=True, key="5")
slow = {"requests", "urllib3", "falcon", "waitress", "jinja2", "psycopg"}
pages = sorted(name for name in sys.modules if name.startswith("pytest_automation_report.server.pages"))
print(sorted(slow & set(sys.modules)), pages)
"""


def test_a_session_to_the_embedded_store_loads_no_server(tmp_path: Path) -> None:
    """A new store, a run and its completion need no HTTP and no pages, which are slow to load."""
    command = [sys.executable, "-c", EMBEDDED, str(tmp_path / "store.db")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[] []"
