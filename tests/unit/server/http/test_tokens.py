"""Tokens with a name, a role and a project, as ``automation-report server token`` makes them."""

from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import Result as Done
from falcon.testing import Result, TestClient

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.cli.main import main
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import ServerOptions, Tokens
from pytest_automation_report.server.store.values import ApiError
from support.commands import command_runner
from support.service import API, TOKEN, Service, a_test, option

RUN = {"name": "n", "source": "s"}
TESTS = {"tests": [a_test()]}


def _token(place: Path | PostgresDatabase, *words: str) -> Done:
    return command_runner().invoke(main, ["server", "token", *words, "--database", option(place)])


def _created(service: Service, name: str, *words: str) -> str:
    done = _token(service.place, "create", name, "--role", *words)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


class Bearer:
    """A client with a token."""

    def __init__(self, service: Service, token: str, tokens: Tokens | None = None) -> None:
        self._client = TestClient(create_application(service.store, tokens or TOKEN))
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> Result:
        return self._client.simulate_get(path, headers=self._headers)

    def post(self, path: str, body: object) -> Result:
        return self._client.simulate_post(path, headers=self._headers, json=body)

    def upload(self, content: bytes) -> Result:
        return self._client.simulate_post("/artifacts", headers=self._headers, body=content)


def _reported(bearer: Bearer, project: int = 1) -> list[int]:
    """Report a run with one result and an artifact, and read it as a session does; return all statuses."""
    created = bearer.post(f"{API}/projects/{project}/automation/runs", RUN)
    run = created.json.get("id", 1)
    thread = bearer.post(f"{API}/automation/runs/{run}/threads", {})
    stored = bearer.upload(b"a file")
    artifacts = [{"name": "f", "url": stored.json.get("url", "https://x.test")}]
    tests = {"tests": [a_test(artifacts=artifacts)]}
    thread_path = f"{API}/automation/runs/threads/{thread.json.get('id', 1)}"
    answers = [created, thread, stored, bearer.post(f"{thread_path}/append", tests)]
    answers.append(bearer.post(f"{thread_path}/complete", {}))
    answers.append(bearer.post(f"{API}/automation/runs/{run}/append", {"tags": []}))
    answers.append(bearer.post(f"{API}/automation/runs/{run}/complete", {}))
    return [answer.status_code for answer in answers]


def _read(bearer: Bearer, project: int, run: int) -> set[int]:
    """Read all that the API has of a project and a run; return the statuses."""
    paths = [
        *(f"{API}/projects/{project}/automation/{what}" for what in ("runs", "sources", "durations?source=s")),
        *(f"{API}/automation/runs/{run}{end}" for end in ("", "/tests", "/results", "/findings")),
        *(f"{API}/automation/sources/{run}{end}" for end in ("", "/flaky")),
    ]
    return {bearer.get(path).status_code for path in paths}


def test_each_role_may_do_what_its_name_says(service: Service) -> None:
    """A token to report writes and reads runs, one to read changes nothing, an admin may do all."""
    reporter, reader, admin = (Bearer(service, _created(service, role, role)) for role in ("report", "read", "admin"))
    for bearer in (reporter, admin):
        assert _reported(bearer) == [201, 201, 201, 204, 204, 204, 204]
        assert _read(bearer, 1, 1) == {200}
    assert set(_reported(reader)) == {403}
    assert _read(reader, 1, 1) == {200}
    assert [bearer.get("/metrics").status_code for bearer in (reporter, reader, admin)] == [403, 200, 200]
    assert service.get("/projects/1/automation/runs").json["total"] == 2
    one = Bearer(service, _created(service, "one", "read", "--project", "1"))
    assert one.get("/metrics").status_code == 403, "they are of all projects"


def test_who_may_only_read_settles_no_shards(service: Service) -> None:
    """The first question with a key decides how the tests of a pipeline are cut."""
    reporter, reader = (Bearer(service, _created(service, role, role)) for role in ("report", "read"))
    path = f"{API}/projects/1/automation/durations?source=a-source"
    assert [reader.get(each).status_code for each in (path, f"{path}&run=1")] == [200, 403]
    service.completed_run(a_test(elapsed=7))
    assert reporter.get(f"{path}&run=1").json["result"]["runs"] == []


@pytest.mark.postgresql
@pytest.mark.parametrize("role", ["report", "read"])
def test_a_token_for_one_project_reaches_no_other(service: Service, role: str) -> None:
    """Runs, threads, sources and artifacts of other projects are as absent for it, and nothing of theirs is changed."""
    admin = Bearer(service, TOKEN.value)
    for project in (1, 2):
        assert max(_reported(admin, project)) == 204
    other = admin.upload(b"a secret file").json["url"]
    thread = service.new_thread(service.new_run(2))
    service.append(thread, a_test(artifacts=[{"name": "f", "url": other}]))
    bearer = Bearer(service, _created(service, "one", role, "--project", "1"))
    assert _read(bearer, 1, 1) == {200}
    assert _read(bearer, 2, 2) == {403, 404}
    for path in ("{}", "1/findings?base={}"):
        absent, foreign = (bearer.get(f"{API}/automation/runs/{path.format(run)}").json for run in (99, 2))
        assert foreign["message"] == absent["message"], path
    path = "/artifacts" + other.partition("/artifacts")[2]
    assert (admin.get(path).status_code, bearer.get(path).status_code) == (200, 404)
    refused = [
        bearer.post(f"{API}/projects/2/automation/runs", RUN),
        bearer.post(f"{API}/automation/runs/3/threads", {}),
        bearer.post(f"{API}/automation/runs/3/append", {}),
        bearer.post(f"{API}/automation/runs/3/complete", {}),
        bearer.post(f"{API}/automation/runs/threads/{thread}/append", TESTS),
        bearer.post(f"{API}/automation/runs/threads/{thread}/complete", {}),
    ]
    assert {answer.status_code for answer in refused} <= {403, 404}
    assert (service.run(3)["total_count"], service.run(3)["is_completed"]) == (1, False)
    if role == "report":
        assert _reported(bearer) == [201, 201, 201, 204, 204, 204, 204]
        own = admin.upload(b"a file").json["url"]
        assert bearer.get("/artifacts" + own.partition("/artifacts")[2]).status_code == 200


def test_tokens_are_exchanged_without_a_refusal(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """A new one is accepted at once, beside the old one, which is refused five seconds after it was revoked."""
    caplog.set_level("INFO", "pytest_automation_report.server.http.guard")
    now = [100.0]
    tokens = Tokens(service.store, TOKEN, lambda: now[0])
    old = Bearer(service, _created(service, "old", "admin"), tokens)
    runs = f"{API}/projects/1/automation/runs"
    service.new_run()
    assert old.get(runs).status_code == 200
    new = Bearer(service, _created(service, "new", "admin"), tokens)
    assert [each.get(runs).status_code for each in (new, old)] == [200, 200]
    assert _token(service.place, "revoke", "old").exit_code == 0
    now[0] += 5.1
    assert [each.get(runs).status_code for each in (old, new)] == [401, 200]
    assert Bearer(service, TOKEN.value, tokens).get(runs).status_code == 200
    assert caplog.messages[:2] == ["token new is new: admin, all projects", "token old is revoked"]


@pytest.mark.postgresql
def test_numbers_are_there_without_the_database(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that was valid when the database was there reads that it is gone, and nothing else."""
    now = [100.0]
    tokens = Tokens(service.store, TOKEN, lambda: now[0])
    known, new = (Bearer(service, _created(service, name, "read"), tokens) for name in ("known", "new"))
    assert known.get("/metrics").status_code == 200
    _token(service.place, "revoke", "new")

    def away(*_: object, **__: object) -> None:
        raise ApiError(429, "gone", kind="database")

    monkeypatch.setattr(service.store, "read", away)
    for _ in range(2):
        now[0] += 6
        answer = known.get("/metrics")
        assert (answer.status_code, "automation_report_store_up 0\n" in answer.text) == (200, True)
        assert known.get(f"{API}/projects/1/automation/runs").status_code == 429
    assert new.get("/metrics").status_code == 200, "nobody can tell that it was revoked"
    assert Bearer(service, "arp_absent", tokens).get("/metrics").status_code == 429


@pytest.mark.postgresql
def test_a_token_is_shown_once(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the database, nor the list, nor the log has it; the list has names, roles, projects and times."""
    caplog.set_level("DEBUG")
    token = _created(service, "ci", "report", "--project", "7")
    Bearer(service, token).get(f"/{token}")
    listed = _token(service.place, "list")
    assert listed.stdout.split() == ["ci"]
    assert listed.stderr.splitlines()[1].split()[:3] == ["ci", "report", "7"]
    rows = service.store.read(lambda connection: connection.execute('SELECT * FROM "token"'))
    for text in (listed.output, caplog.text, str(rows)):
        assert token not in text
        assert token[4:] not in text
    if isinstance(service.place, Path):
        files = service.place.parent.glob(f"{service.place.name}*")
        assert not any(token.encode() in file.read_bytes() for file in files)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["create", "two words", "--role", "read"], "NAME: 'two words'"),
        (["create", "known", "--role", "read"], "there is a token of this name"),
        (["create", "x", "--role", "admin", "--project", "1"], "an admin has all projects"),
        (["create", "x"], "Missing option '--role'"),
        (["create", "x", "--role", "owner"], "'owner' is not one of"),
        (["revoke", "absent"], "there is no such token"),
    ],
)
def test_a_mistake_creates_and_revokes_nothing(service: Service, words: list[str], says: str) -> None:
    """It is a line with the remedy, and the tokens are as they were."""
    _created(service, "known", "read")
    done = _token(service.place, *words)
    assert (done.exit_code, done.stdout, says in done.stderr) == (2, "", True), done.stderr
    assert _token(service.place, "list").stdout.split() == ["known"]


def test_refused_tokens_are_two_lines(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """The first refusal is told with its address, and the number of all once there was none for a minute."""
    caplog.set_level("INFO")
    now = [100.0]
    tokens = Tokens(service.store, TOKEN, lambda: now[0])
    stranger = Bearer(service, "arp_wrong", tokens)
    for _ in range(3):
        assert stranger.get(f"{API}/projects/1/automation/runs").status_code == 401
        tokens.notice_quiet()
    assert tokens.refusal("Bearer other", "10.0.0.9") is not None
    now[0] += 61
    for _ in range(2):
        tokens.notice_quiet()
    numbers = Bearer(service, TOKEN.value, tokens).get("/metrics").text
    assert 'errors_total{kind="token"} 4\n' in numbers, "also the one that was refused before its body was read"
    first, last = caplog.messages
    assert first.startswith("127.0.0.1: a wrong token or none")
    assert last == "no wrong token for a minute; refused before: 4 requests"


def test_changes_of_runs_are_logged_with_who_made_them(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """A run that is created, added to or completed is a line; results are not, and a refused change is none."""
    caplog.set_level("INFO")
    bearer = Bearer(service, _created(service, "ci", "report"))
    _reported(bearer)
    assert bearer.post(f"{API}/automation/runs/1/complete", {}).status_code == 422
    who = "127.0.0.1 (ci)"
    assert caplog.messages == [f"{who} created run 1 in project 1", f"{who} added to run 1", f"{who} completed run 1"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.7", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.7", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.7", "198.51.100.7, 10.0.0.8,10.0.0.9", "198.51.100.7"),
        ("::ffff:10.0.0.7", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.7", "10.0.0.8", "10.0.0.8"),
        ("10.0.0.7", "198.51.100.7, made\x1bup", "10.0.0.7"),
        ("10.0.0.7", "", "10.0.0.7"),
        ("198.51.100.9", "203.0.113.9", "198.51.100.9"),
    ],
)
def test_the_log_has_the_client_of_a_trusted_proxy(
    service: Service, caplog: pytest.LogCaptureFixture, peer: str, forwarded: str, client: str
) -> None:
    """The last address that a proxy of ours appended and that is none of ours: what is before it can be made up."""
    caplog.set_level("INFO", "pytest_automation_report.server.http.application")
    options = ServerOptions(proxies=(ip_network("10.0.0.0/24"),))
    asking = TestClient(create_application(service.store, TOKEN, options))
    headers = {"Authorization": f"Bearer {TOKEN.value}", "X-Forwarded-For": forwarded}
    body = {"name": "n", "source": "s"}
    answer = asking.simulate_post(f"{API}/projects/1/automation/runs", json=body, headers=headers, remote_addr=peer)
    assert answer.status_code == 201, answer.text
    assert caplog.messages == [f"{client} (the server's token) created run 1 in project 1"]


def _address(answer: Result) -> str:
    assert answer.status_code == 201, answer.text
    return str(answer.json["url"])


def _name(bearer: Bearer, project: int, address: str) -> None:
    """Name a file wherever a body takes one: of a run, a thread and a test."""
    files: dict[str, Any] = {"artifacts": [{"name": "f.txt", "url": address}]}
    run = bearer.post(f"{API}/projects/{project}/automation/runs", {**RUN, **files}).json["id"]
    thread = bearer.post(f"{API}/automation/runs/{run}/threads", files).json["id"]
    answers = [
        bearer.post(f"{API}/automation/runs/{run}/append", files),
        bearer.post(f"{API}/automation/runs/threads/{thread}/append", {"tests": [a_test(**files)], **files}),
    ]
    assert [answer.status_code for answer in answers] == [204, 204]


@pytest.mark.parametrize("is_early", [False, True], ids=["named after", "named before"])
def test_who_names_a_file_of_another_project_does_not_get_it(service: Service, is_early: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """A hash in a body is no permission, whenever the file comes: an upload of the same bytes is, for it has them."""
    one, two = (Bearer(service, _created(service, f"job{each}", "report", "--project", str(each))) for each in (1, 2))
    content = b"a secret of project 2"
    address = f"http+local://store/artifacts/{sha256(content).hexdigest()}/f.txt"
    path = urlsplit(address).path
    if is_early:
        _name(one, 1, address)
    assert _address(two.upload(content)).startswith(address.rpartition("/")[0])
    _name(two, 2, address)
    _name(one, 1, address)
    assert [each.get(path).status_code for each in (one, two)] == [404, 200]
    one.upload(content)
    assert [each.get(path).status_code for each in (one, two)] == [200, 200]


def test_who_has_all_projects_gives_a_file_to_that_of_its_run(service: Service) -> None:
    """What a token for all projects uploads and names is of the project of the run, and no other's."""
    one, two = (Bearer(service, _created(service, f"job{each}", "report", "--project", str(each))) for each in (1, 2))
    address = _address(Bearer(service, TOKEN.value).upload(b"a file"))
    assert one.get(urlsplit(address).path).status_code == 404
    _name(Bearer(service, TOKEN.value), 1, address)
    assert [each.get(urlsplit(address).path).status_code for each in (one, two)] == [200, 404]
