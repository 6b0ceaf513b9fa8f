import subprocess
import sys
from pathlib import Path

SCRIPT = """
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
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "store.db")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[] []"
