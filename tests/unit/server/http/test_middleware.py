import json
import re
from contextlib import closing
from functools import partial
from typing import Any

import falcon
import pytest
from falcon.testing import Result, TestClient
from msgspec.structs import replace

from pytest_automation_report.api.models import Token
from pytest_automation_report.errors import SettingError
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import (
    ExtraRoutes,
    RateLimit,
    ServerOptions,
    answered_hosts,
    is_answered,
    listening_address,
)
from pytest_automation_report.server.pages.rendering import ASSETS
from pytest_automation_report.server.pages.site import Pages
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.tokens import create_token
from support.service import API, TOKEN, Service
from support.website import Site

RUNS = f"{API}/projects/1/automation/runs"
RUN = b'{"name": "n", "source": "s"}'
JSON = {"Content-Type": "application/json"}
SIGNED = {"Authorization": f"Bearer {TOKEN.value}", **JSON}


def _ask(service: Service, rules: ServerOptions, path: str = RUNS, **headers: str) -> Result:
    client = TestClient(create_application(service.store, TOKEN, rules))
    sent = {**SIGNED, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.simulate_get(path, headers=sent)


OWN_HOSTS = (
    "127.0.0.1 127.0.0.1:8000 127.8.9.1:1 localhost LocalHost.:8000 [::1] [0:0:0:0:0:0:0:1]:8000 192.0.2.7:8000"
    " reports.example.com:443 REPORTS.example.com [2001:db8::7]:8000"
)
OTHER_HOSTS = (
    "reports.example.com.evil.test evil.test localhost.evil.test 127.0.0.1.evil.test evil.test:127.0.0.1"
    " 127.0.0.1@evil.test evil.test#localhost 192.0.2.8 0.0.0.0:8000 [::] localhost:8000:9 localhost,evil.test ::1"
    " 127.1 0x7f000001"
)


@pytest.mark.parametrize(
    ("headers", "is_ours"), [(OWN_HOSTS.split(), True), ([*OTHER_HOSTS.split(), "localhost, evil.test", ""], False)]
)
def test_only_own_hosts_are_answered(service: Service, headers: list[str], is_ours: bool) -> None:  # noqa: FBT001 - a table
    """A page of another site that has its name point here is refused by that name, token or not; health is told."""
    listening = listening_address("127.0.0.1", is_remote_allowed=False)
    names = answered_hosts(listening, ["Reports.example.com", "192.0.2.7", "2001:db8:0::7"])
    service.new_run()
    for header in headers:
        assert is_answered(header, names) is is_ours, header
        answer = _ask(service, ServerOptions(hosts=names), Host=header)
        assert (answer.status_code, "--allow-host" in answer.text) == ((200, False) if is_ours else (403, True)), header
        assert _ask(service, ServerOptions(hosts=names), "/healthz", Host=header).status_code == 200


def test_the_address_listened_on_is_answered_unless_it_means_all() -> None:
    """Who asks for one remote address can use it; an address for all says nothing about names; there is no wildcard."""
    remote = listening_address("192.0.2.1", is_remote_allowed=True)
    assert answered_hosts(remote, []) == {"192.0.2.1"}
    for everything in ("0.0.0.0", "::"):
        assert answered_hosts(listening_address(everything, is_remote_allowed=True), []) == frozenset()
    for name in ("", "a b", "http://a", "a:80", "-", "*", "\xe9.test", "a/b"):
        with pytest.raises(SettingError, match="--allow-host"):
            answered_hosts(listening_address("::1", is_remote_allowed=False), [name])


def test_requests_that_pages_of_other_sites_make_are_refused(service: Service) -> None:
    """A browser says whose page asks; other clients say nothing; no header invites another origin to read."""
    service.new_run()
    for site, status in {"same-origin": 200, "none": 200, "same-site": 403, "cross-site": 403, "": 403}.items():
        assert _ask(service, ServerOptions(), Sec_Fetch_Site=site).status_code == status
    for path in (RUNS, "/healthz", "/nothing"):
        answer = _ask(service, ServerOptions(), path, Origin="https://evil.test")
        assert answer.status_code == (404 if path == "/nothing" else 200)
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_requests_are_counted_by_the_minute() -> None:
    """So many pass in a minute that begins with its first one; then the wait is told in whole seconds."""
    now = [100.0]
    limit = RateLimit(2, clock=lambda: now[0])
    assert [limit.wait_seconds() for _ in range(3)] == [0, 0, 60]
    now[0] += 59.5
    assert limit.wait_seconds() == 1
    now[0] += 0.5
    assert [limit.wait_seconds() for _ in range(3)] == [0, 0, 60]


def test_a_request_over_the_limit_is_429(service: Service) -> None:
    """It is told when to come again and changes nothing; health and strangers are not counted; no limit is usual."""
    client = TestClient(create_application(service.store, TOKEN, ServerOptions(requests_per_minute=3)))
    for _ in range(9):
        assert client.simulate_get("/healthz").status_code == 200
        assert client.simulate_post(RUNS, headers=JSON, body=RUN).status_code == 401
    answers = [client.simulate_post(RUNS, headers=SIGNED, body=RUN) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert list(answers[-1].json) == ["message"]
    assert service.get("/projects/1/automation/runs").json["total"] == 3
    for _ in range(50):
        service.get("/projects/1/automation/runs")


def test_requests_without_a_token_use_up_no_limit_of_clients(site: Site) -> None:
    """Pages, files and links have a limit by address, ten times as large; clients with the token keep theirs whole."""
    rules = ServerOptions(requests_per_minute=2)
    client = TestClient(create_application(site.service.store, TOKEN, replace(rules, extension=site.pages.extension)))

    def visit(address: str) -> list[int]:
        paths = ("/open/a-guess-of-somebody", next(iter(ASSETS)))
        return [client.simulate_get(path, remote_addr=address).status_code for path in paths * 11]

    for address in ("192.0.2.1", "192.0.2.2"):
        assert [status == 429 for status in visit(address)] == [False] * 20 + [True] * 2
    answers = [client.simulate_post(RUNS, headers=SIGNED, body=RUN, remote_addr="192.0.2.1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]


def test_no_code_of_a_link_is_told(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The log of requests has neither the code that opens once nor that of a team, however its path is spelled."""
    caplog.set_level("DEBUG")
    code = "a-code-of-ten-colleagues"
    pages = Pages(site.service.store, TOKEN, team_code=Token(code))
    client = TestClient(create_application(site.service.store, TOKEN, ServerOptions(extension=pages.extension)))
    for path in (f"/open/{code}", f"//open//{code}", f"/open/{code}/", f"/%6Fpen/{code}", pages.opening_path):
        client.simulate_get(path)
    paths = [message.split()[2] for message in caplog.messages]
    assert paths == ["/open/***", "//open//***", "/open/***", "/open/***", "/open/***"]


def test_every_answer_is_told_without_the_token(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """A line has address, name of the token, method, path, status and time, and no query or token."""
    caplog.set_level("DEBUG")
    client = TestClient(create_application(service.store, TOKEN))
    named = service.store.write(partial(create_token, "ci", "admin", None))
    assert named is not None
    client.simulate_post(RUNS, headers=SIGNED, body=RUN)
    for token in (TOKEN, named):
        headers = {"Authorization": f"Bearer {token.value}"}
        client.simulate_get(f"/{token.value}/x", query_string=f"token={token.value}", headers=headers)
    client.simulate_get(RUNS)
    client.simulate_get("/healthz")
    service.store.close()
    client.simulate_get(RUNS, headers=SIGNED)
    told = [re.sub(r"[0-9]+ ms$", "N ms", message) for message in caplog.messages if message.endswith(" ms")]
    assert told == [
        f"127.0.0.1 (the server's token): POST {RUNS} 201 N ms",
        "127.0.0.1 (the server's token): GET /***/x 404 N ms",
        "127.0.0.1 (ci): GET /***/x 404 N ms",
        f"127.0.0.1: GET {RUNS} 401 N ms",
        "127.0.0.1: GET /healthz 200 N ms",
        f"127.0.0.1 (the server's token): GET {RUNS} 500 N ms",
    ]
    assert TOKEN.value not in caplog.text
    assert named.value not in caplog.text


def test_more_addresses_can_be_added_with_a_login_of_their_own(service: Service) -> None:
    """What is added is admitted by its own rule; the API still asks for the token, and hosts are checked for both."""

    class Page:
        def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
            resp.text = "a page"

    def authorize(req: falcon.Request) -> bool:
        return req.path == "/" and req.get_cookie_values("login") == ["yes"]

    extension = ExtraRoutes(routes=[("/", Page())], authorize=authorize)
    client = TestClient(create_application(service.store, TOKEN, ServerOptions(hosts=frozenset(), extension=extension)))
    host = {"Host": "localhost"}
    cookie = {**host, "Cookie": "login=yes"}
    assert client.simulate_get("/", headers=cookie).text == "a page"
    assert client.simulate_get("/", headers=host).status_code == 401
    assert client.simulate_get(RUNS, headers=cookie).status_code == 401
    assert client.simulate_get("/", headers={"Cookie": "login=yes", "Host": "evil.test"}).status_code == 403
    assert client.simulate_post("/", headers=cookie).status_code == 405


def test_strict_references_must_be_known(service: Service) -> None:
    """Unknown configurations and milestones are named together, make nothing, and are taken once they are there."""
    body: dict[str, Any] = {"name": "n", "source": "new", "config": "c", "milestone": "m"}
    with closing(Store(service.place, are_references_strict=True)) as store:
        client = TestClient(create_application(store, TOKEN))

        def create(**changes: object) -> Result:
            return client.simulate_post(RUNS, headers=SIGNED, body=json.dumps({**body, **changes}).encode())

        answer = create()
        assert (answer.status_code, sorted(answer.json["errors"])) == (422, ["config", "milestone"])
        assert service.raw("GET", RUNS).status_code == 404
        assert sorted(create(config_id=7).json["errors"]) == ["config_id", "milestone"]
        service.new_run(config="c", milestone="m")
        service.new_run(2, config="other")
        assert create().status_code == create(config_id=1).status_code == create(config="").status_code == 201
        assert create(config="other").json["errors"] == {"config": ["There is no config of this name in this project."]}
        service.new_run(config="made", milestone="made, too")
