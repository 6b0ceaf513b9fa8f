"""A client and a server of two releases work together.

``recorded/`` has a file for each supported release: the requests of its sessions and its server's answers, as
``pytest tests/compatibility/releases --record`` writes them when a version is released.
"""

import gzip
import io
import json
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from falcon.testing import TestClient

from pytest_automation_report import __version__
from pytest_automation_report.api.models import Token
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.testing import serving
from support.repository import ROOT
from support.sessions import TOKEN, run_session

RECORDED = Path(__file__).parent / "recorded"

Exchange = dict[str, Any]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

each_release = pytest.mark.parametrize("release", sorted(RECORDED.glob("*.json")), ids=lambda path: path.stem)


def _sessions(folder: Path, application: Application) -> list[str]:
    """Report the shop twice, the second time by two workers, and return what the sessions printed."""
    shop = shutil.copytree(
        ROOT / "examples" / "shop", folder / "shop", ignore=shutil.ignore_patterns(".*", "__pycache__")
    )
    with serving(application) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        settings = "-oautomation_report_facts=none"  # what this machine has installed is of no use to the others
        return [run_session(shop, settings, *more, address=address, exits=1).out for more in ([], ["-n", "2"])]


def _recording(application: Application, log: list[Exchange]) -> Application:
    """Add each request and its answer to the log, bodies as JSON."""
    lock = threading.Lock()

    def recorded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ.pop("HTTP_CONTENT_ENCODING", "") == "gzip":
            body = gzip.decompress(body)
        environ.pop("HTTP_ACCEPT_ENCODING", None)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        exchange: Exchange = {
            "method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "query": environ["QUERY_STRING"],
            "key": environ.get("HTTP_IDEMPOTENCY_KEY"), "body": json.loads(body or b"null"),
        }  # fmt: skip

        def start(status: str, headers: list[tuple[str, str]], *error: object) -> object:
            exchange["status"] = status
            exchange["headers"] = {name: value for name, value in headers if name.startswith("automation-report-")}
            return start_response(status, headers, *error)

        answer = b"".join(application(environ, start))
        exchange["answer"] = json.loads(answer or b"null")
        with lock:
            log.append(exchange)
        return [answer]

    return recorded


def _answering(log: list[Exchange]) -> Application:
    """Answer as the recorded server did: the requests of one method and path in their order, the last one for ever."""
    lock, waiting = threading.Lock(), defaultdict[tuple[str, str], list[Exchange]](list)
    for each in log:
        waiting[each["method"], each["path"]].append(each)

    def answering(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with lock:
            left = waiting[environ["REQUEST_METHOD"], environ["PATH_INFO"]]
            if not left:
                start_response("404 Not Found", [("Content-Type", "application/json")])
                return [b'{"message": "The recorded server was not asked for this."}']
            found = left.pop(0) if len(left) > 1 else left[0]
        headers = {**found["headers"], "Content-Type": "application/json"}
        if found["key"] is not None:
            headers["Idempotency-Key"] = environ.get("HTTP_IDEMPOTENCY_KEY", "")
        start_response(found["status"], list(headers.items()))
        return [json.dumps(found["answer"]).encode()]

    return answering


def _shape(value: object) -> object:
    """Return what a client relies on: the names of members and the types of their values."""
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


def _lacks(expected: Any, found: Any, place: str = "") -> list[str]:  # noqa: ANN401 - JSON
    """Return the places at which an answer has not what the recorded one had."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            each
            for name, value in expected.items()
            for each in (_lacks(value, found[name], f"{place}.{name}") if name in found else [f"{place}.{name}"])
        ]
    if isinstance(expected, list) and isinstance(found, list):
        return [each for pair in zip(expected, found, strict=False) for each in _lacks(*pair, f"{place}[]")]
    return [] if expected == found else [f"{place}: {expected} was, {found} is"]


def test_this_version_is_recorded(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The exchanges of this version are kept, for the tests of those that come after it."""
    path = RECORDED / f"{__version__}.json"
    if request.config.getoption("--record"):
        log: list[Exchange] = []
        with closing(Store(tmp_path / "store.db")) as store:
            _sessions(tmp_path, _recording(create_application(store, Token(TOKEN)), log))
        path.write_text(json.dumps(log, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert path.exists(), "pytest tests/compatibility/releases --record"


@each_release
def test_new_client_reports_to_old_server(release: Path, tmp_path: Path) -> None:
    """Sessions of today report all of their results to a server that answers as the release did."""
    log = json.loads(release.read_text(encoding="utf-8"))
    for out in _sessions(tmp_path, _answering(log)):
        assert "15 of 15 results delivered" in out
        assert "error in reporting" not in out


@each_release
def test_new_server_answers_old_client(release: Path, tmp_path: Path) -> None:
    """The release's requests get the statuses that they got, and every member that the client may read."""
    with closing(Store(tmp_path / "store.db")) as store:
        client = TestClient(create_application(store, Token(TOKEN)))
        for each in json.loads(release.read_text(encoding="utf-8")):
            headers = {"Authorization": f"Bearer {TOKEN}", **({"Idempotency-Key": each["key"]} if each["key"] else {})}
            answer = client.simulate_request(
                each["method"], each["path"], query_string=each["query"], json=each["body"], headers=headers
            )
            title = f"{each['method']} {each['path']}"
            assert answer.status == each["status"], title
            assert set(each["headers"]) <= set(answer.headers), title
            assert _lacks(_shape(each["answer"]), _shape(answer.json if answer.content else None), title) == []
