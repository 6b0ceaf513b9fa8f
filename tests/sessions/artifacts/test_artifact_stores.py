"""Files that somebody else keeps: the CI by a template, a folder, a bucket of the user's own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import requests

from support.checked_server import CheckedServer
from support.needs import needed_module
from support.projects import Project, console
from support.repository import ROOT
from support.scripted_server.server import ScriptedServer
from support.sessions import session_environment

SECRET = "bucket-canary-8d1f"

SUITE = """
import pathlib
import sys

def test_files(automation_report, tmp_path):
    shots = pathlib.Path(__file__).parent / "shots"
    shots.mkdir(exist_ok=True)
    (shots / "page 1.png").write_bytes(b"in the project")
    automation_report.artifact(shots / "page 1.png", "the page.png")
    automation_report.artifact(b"in memory", "dump.txt")
    (tmp_path / "far.txt").write_text("outside of it")
    automation_report.artifact(tmp_path / "far.txt")
    assert not {"obstore", "requests", "pytest_automation_report.delivery.stores"} & set(sys.modules)
"""


@pytest.fixture
def shop(project: Project) -> Project:
    project.write("test_suite.py", SUITE)
    return project


def artifacts(server: ScriptedServer) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for _, _, test in server.results for each in test.get("artifacts", ())}


def fields(server: ScriptedServer) -> dict[str, str]:
    return {each["name"]: each["value"] for _, _, test in server.results for each in test.get("fields", ())}


def key(content: bytes, name: str) -> str:
    return f"{sha256(content).hexdigest()}/{name}"


@pytest.mark.parametrize(
    ("template", "address"),
    [
        (
            "https://ci.example/b/{build}/file/{path}?as={name}",
            "https://ci.example/b/7/file/shots/page%201.png?as=the%20page.png",
        ),
        ("https://ci.example/all/", "https://ci.example/all/shots/page%201.png"),
        ("{job_url}/artifacts/file/{path}", "https://ci.example/job/3/artifacts/file/shots/page%201.png"),
    ],
)
def test_files_of_the_ci_have_addresses(shop: Project, server: CheckedServer, template: str, address: str) -> None:
    """A file below the root folder stays there and has the address of the template; others are kept by our server."""
    options = ("-oautomation_report_build=7", "-oautomation_report_job_url=https://ci.example/job/3/")
    shop.report(f"-oautomation_report_artifact_url={template}", *options, address=server.address, exits=0)
    ((_, test),) = server.tests()
    urls = {each["name"]: each["url"] for each in test["artifacts"]}
    assert urls["the page.png"] == address
    assert urls["dump.txt"].startswith("http+local://store/artifacts/")
    assert urls["far.txt"].startswith("http+local://store/artifacts/")
    assert b"in the project" not in [each.body for each in server.log]
    assert (shop.root / "shots/page 1.png").read_bytes() == b"in the project"


def test_a_template_that_cannot_be_filled_counts_for_nothing(shop: Project, testmo: ScriptedServer) -> None:
    """Where nobody tells the build that a template needs, no address is made up: files are named."""
    shop.report("-oautomation_report_artifact_url=https://ci.example/{build}/{path}", address=testmo.address, exits=0)
    assert artifacts(testmo) == {}
    assert fields(testmo)["the page.png"].endswith("/shots/page 1.png")


@pytest.mark.parametrize("is_later", [False, True])
def test_a_folder_is_a_store(shop: Project, testmo: ScriptedServer, *, is_later: bool) -> None:
    """Files are copied into a folder below their hash, by sender or command, and have addresses by the template."""
    store = ("artifact-store", "kept"), ("artifact-url", "https://files.example/{path}")
    options = [f"-oautomation_report_{name.replace('-', '_')}={value}" for name, value in store]
    later = ["--automation-report-delivery", "later"] if is_later else []
    ran = shop.report(*options, *later, address=testmo.address, exits=0)
    if is_later:
        (command,) = [line.removeprefix("send: ") for line in ran.out.splitlines() if line.startswith("send: ")]
        for name, value in store:
            assert f"--{name}={shop.root / value if name == 'artifact-store' else value}" in command.replace("'", "")
        console(
            shop.root, "send", *testmo.options,
            *[word for name, value in store for word in (f"--{name}", value)], exits=0)  # fmt: skip
    contents = {"the page.png": b"in the project", "dump.txt": b"in memory", "far.txt": b"outside of it"}
    found = artifacts(testmo)
    assert set(found) == set(contents)
    for name, content in contents.items():
        place = key(content, name)
        assert found[name]["url"] == f"https://files.example/{place.replace(' ', '%20')}"
        assert (shop.root / "kept" / place).read_bytes() == content
    assert found["the page.png"]["mime_type"] == "image/png"
    assert len([each for each in (shop.root / "kept").rglob("*") if each.is_file()]) == 3
    assert shop.sessions == []
    assert all(each.path.startswith("/api/v1/") for each in testmo.log)


def test_a_folder_that_cannot_be_written_keeps_no_result_back(shop: Project, testmo: ScriptedServer) -> None:
    """What a store cannot take is named in the result, and told once."""
    (shop.root / "kept").write_text("a file, where the folder is to be")
    options = ("-oautomation_report_artifact_store=kept", "-oautomation_report_artifact_url=https://files.example")
    ran = shop.report(*options, address=testmo.address, exits=0)
    assert "1 of 1 result delivered" in ran.out
    assert artifacts(testmo) == {}
    why = f"{shop.root}/kept cannot be written: "
    assert why in fields(testmo)["dump.txt"]
    assert ran.out.count("3 artifacts named in results, but not stored: ") == 1


def test_a_store_without_its_addresses_is_told(shop: Project, server: CheckedServer) -> None:
    """A store whose addresses nobody can make is not used; it is told, and our own server keeps the files."""
    options = ("-oautomation_report_artifact_store=kept", "-oautomation_report_artifact_url=https://f.example/{build}")
    ran = shop.report(*options, address=server.address, exits=0)
    assert ran.out.count("artifact_url: a value that https://f.example/{build} needs is unknown") == 1
    assert not (shop.root / "kept").exists()
    assert len(server.posts("/artifacts")) == 3


@pytest.fixture(scope="module")
def amazon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run moto's S3 with the bucket ``shots``; return the variables that open it."""
    needed_module("moto")
    pytest.importorskip("obstore")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=out, stderr=out)
    try:
        address = f"http://127.0.0.1:{port}"
        _made(f"{address}/shots", process, log)
        yield {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
        }
    finally:
        process.kill()
        process.wait()


def _made(bucket: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Make a bucket as soon as the server listens."""
    end = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            assert requests.put(bucket, timeout=10).status_code == 200
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return


def bucket(amazon: dict[str, str]) -> Any:  # noqa: ANN401 - obstore gives no type
    import obstore.store  # noqa: PLC0415 - only where it is installed

    names = {name.lower(): value for name, value in amazon.items() if name != "AWS_ALLOW_HTTP"}
    opened: Any = obstore.store.S3Store
    return opened("shots", config=names, client_options={"allow_http": True})


def read(amazon: dict[str, str], place: str) -> bytes:
    return bytes(bucket(amazon).get(place).bytes())


def test_a_bucket_is_a_store(shop: Project, testmo: ScriptedServer, amazon: dict[str, str]) -> None:
    """Files go into the bucket below its prefix; the addresses that it signs give them to anybody."""
    env = session_environment(None, **amazon)
    ran = shop.report("-oautomation_report_artifact_store=s3://shots/run 1", address=testmo.address, env=env, exits=0)
    assert "not stored" not in ran.out
    found = artifacts(testmo)
    assert set(found) == {"the page.png", "dump.txt", "far.txt"}
    assert f"/shots/run%201/{sha256(b'in memory').hexdigest()}/dump.txt?X-Amz-" in found["dump.txt"]["url"]
    answers = {name: requests.get(each["url"], timeout=10) for name, each in found.items()}
    assert {name: each.content for name, each in answers.items()} == {
        "the page.png": b"in the project", "dump.txt": b"in memory", "far.txt": b"outside of it",
    }  # fmt: skip
    assert answers["the page.png"].headers["Content-Type"] == "image/png"
    assert answers["dump.txt"].headers["Content-Type"] == "text/plain"


def test_a_bucket_is_filled_later(shop: Project, testmo: ScriptedServer, amazon: dict[str, str]) -> None:
    """The command stores what waits in the spool, where no credential is; addresses are those of the public base."""
    options = ("-oautomation_report_artifact_store=s3://shots", "-oautomation_report_artifact_url=https://cdn.example")
    env = session_environment(None, **amazon)
    shop.report(*options, "--automation-report-delivery", "later", address=testmo.address, env=env, exits=0)
    spooled = b"".join(each.read_bytes() for each in shop.state.rglob("*") if each.is_file())
    assert SECRET.encode() not in spooled
    store = {"AUTOMATION_REPORT_ARTIFACT_STORE": "s3://shots", "AUTOMATION_REPORT_ARTIFACT_URL": "https://cdn.example"}
    console(shop.root, "send", *testmo.options, env=session_environment(None, **amazon, **store), exits=0)
    assert artifacts(testmo)["dump.txt"]["url"] == f"https://cdn.example/{key(b'in memory', 'dump.txt')}"
    assert read(amazon, key(b"in memory", "dump.txt")) == b"in memory"
    assert shop.sessions == []


IN_TWO_DAYS = """
import logging, sys, time
from pathlib import Path
from pytest_automation_report.server.store.retention import Retention, apply_retention
from pytest_automation_report.server.store.store import Store
logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
in_two_days = time.time_ns() // 1000 + 2 * 86_400_000_000
store = Store(Path(".automation-report/store.sqlite3"), clock=lambda: in_two_days)
apply_retention(store, Retention({"*": 1}, bucket="s3://shots/pruned"), print)
store.close()
"""


def test_files_in_a_bucket_go_with_their_runs(shop: Project, amazon: dict[str, str]) -> None:
    """Those that a later run has, too, stay, and those that were just written; without the bucket the run stays."""

    def removed_by(command: Sequence[str], **variables: str) -> str:
        env = {**session_environment(None, **amazon), "PYTHONPATH": str(ROOT), **variables}
        done = subprocess.run(command, cwd=shop.root, env=env, capture_output=True, text=True, check=True)
        return done.stdout

    def kept() -> set[bytes]:
        store = bucket(amazon)
        return {bytes(store.get(each["path"]).bytes()) for page in store.list(prefix="pruned") for each in page}

    options = ("-oautomation_report_artifact_store=s3://shots/pruned",)
    for number in range(1, 4):
        shop.write("test_suite.py", SUITE.replace('b"in memory"', f'b"in memory {number}"'))
        shop.report(*options, env=session_environment(None, **amazon), exits=0)
    always = {b"in the project", b"outside of it", b"in memory 1", b"in memory 3"}
    assert kept() == {*always, b"in memory 2"}
    later = [sys.executable, "-c", IN_TWO_DAYS]
    told = removed_by(later, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert "s3://shots/pruned: " in told
    assert "run 1 and later ones stay until it answers" in told
    prune = ("store", "prune", "--keep-runs", "2", "--artifact-store", "s3://shots/pruned")
    command = [sys.executable, "-m", "pytest_automation_report.cli", *prune]
    assert (removed_by(command), kept()) == ("1\n", {*always, b"in memory 2"})
    assert "removed run 2 " in removed_by(later)
    assert kept() == always


def test_keys_in_the_address_of_a_bucket_are_shown_nowhere(shop: Project, testmo: ScriptedServer) -> None:
    """Neither the summary, with the command that sends, nor the spool has the keys of a bucket's address."""
    pytest.importorskip("obstore")
    store = "-oautomation_report_artifact_store=s3://AKIAQWERTYUIOP:hidden-5f2c@shots"
    ran = shop.report(store, "--automation-report-delivery", "later", address=testmo.address, env=session_environment())
    assert "--artifact-store=s3://***@shots" in ran.out.replace("'", "")
    spooled = b"".join(each.read_bytes() for each in shop.state.rglob("*") if each.is_file())
    assert "hidden-5f2c" not in ran.text + spooled.decode("utf-8", "replace")


@pytest.mark.parametrize("is_down", [False, True])
def test_a_bucket_that_fails(shop: Project, testmo: ScriptedServer, amazon: dict[str, str], *, is_down: bool) -> None:
    """No such bucket, or nobody who answers: results name their files, which is told once, with no secret."""
    down = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"} if is_down else {}
    env = session_environment({"exit_progress": 40.0, "exit_all": 60.0}, **{**amazon, **down})
    ran = shop.report("-oautomation_report_artifact_store=s3://none", address=testmo.address, env=env, exits=0)
    assert "1 of 1 result delivered" in ran.out
    assert artifacts(testmo) == {}
    assert "(not stored: s3://none: " in fields(testmo)["dump.txt"]
    assert ran.out.count("3 artifacts named in results, but not stored: s3://none: ") == 1
    assert SECRET not in ran.text + str(testmo.results)
