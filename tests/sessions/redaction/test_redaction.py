import json
import secrets
from pathlib import Path

import pytest

from pytest_automation_report.spool.records import identify
from pytest_automation_report.text.redaction import TextCleaner
from pytest_automation_report.text.visible import MARK
from support.checked_server import CheckedServer
from support.projects import Project, console
from support.result_files import written
from support.sessions import TOKEN, send, session_environment
from unit.text.test_redaction import KNOWN

SECRET = f"s3cr3t-{secrets.token_hex(12)}"
BEARER = secrets.token_hex(16)
URL_PASSWORD = f"pw-{secrets.token_hex(6)}"

SUITE = f"""
import logging, os, sys
import pytest
import pytest_automation_report as report

SECRET, BEARER, PASSWORD = os.environ["DEPLOY_PASSWORD"], "{BEARER}", "{URL_PASSWORD}"

@pytest.mark.parametrize("value", [SECRET])
def test_prints(value):
    print("Authorization: Bearer", BEARER)
    print(value, file=sys.stderr)
    logging.getLogger().warning("postgresql://user:%s@db/x", PASSWORD)
    assert value == ""

def test_raises():
    raise ValueError("cannot log in with " + SECRET)

def test_compares():
    headers = ["Authorization: Bearer " + BEARER]
    address = "postgresql://user:" + PASSWORD + "@db/x"
    assert {{"headers": headers, "address": address, "raw": SECRET.encode(), SECRET: 1}} == {{}}

@pytest.fixture
def broken():
    yield
    raise RuntimeError(SECRET)

def test_teardown(broken):
    pass

@pytest.mark.skip(reason="needs " + SECRET)
def test_skip():
    pass

@pytest.mark.xfail(reason="knows " + SECRET)
def test_xfail():
    assert False

@pytest.mark.automation_report_field("marked", SECRET)
@pytest.mark.automation_report_link("https://u:" + PASSWORD + "@example.org/")
def test_annotates(automation_report, record_property, tmp_path):
    record_property("recorded " + SECRET, SECRET)
    automation_report.field("field", "token " + SECRET)
    automation_report.link("https://u:" + PASSWORD + "@example.org/", "link " + SECRET)
    automation_report.artifact("https://example.org/a?token=" + SECRET, "file " + SECRET)
    automation_report.artifact(tmp_path / SECRET)
    with automation_report.step("step " + SECRET):
        pass

def test_subtests(subtests):
    with subtests.test("sub " + SECRET):
        assert SECRET == ""

def test_crashes():
    if os.environ.get("PYTEST_XDIST_WORKER"):
        os._exit(1)
"""

CONFTEST = """
import os
import pytest
from pytest_automation_report import Field, Link, RunAdditions

SECRET = os.environ["DEPLOY_PASSWORD"]

def pytest_automation_report_describe_run(config):
    return RunAdditions(fields=[Field("run", SECRET)], links=[Link("docs", "https://u:pw@example.org/" + SECRET)])

def pytest_automation_report_describe_test(item, report):
    if item.name == "test_skip":
        raise ValueError(SECRET)

@pytest.fixture(autouse=True, scope="session")
def suite(record_testsuite_property):
    record_testsuite_property("suite", SECRET)

def pytest_sessionfinish(session):
    session.shouldstop = "stopped by " + SECRET
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_no_secret_is_spooled_or_sent(tmp_path: Path, workers: str) -> None:
    """A secret is in no file of the spool and reaches no server, whatever carries it, but names and keys stay."""
    pytest.importorskip("xdist")
    project = Project(tmp_path / "project", SUITE)
    project.write("conftest.py", CONFTEST)
    project.write("test_broken.py", "import os\nraise ValueError(os.environ['DEPLOY_PASSWORD'])\n")
    env = session_environment(DEPLOY_PASSWORD=SECRET, DATABASE_URL=f"postgresql://u:{URL_PASSWORD}@db/x")
    arguments = ["-n", workers, "--junitxml=j.xml", "--continue-on-collection-errors"]
    arguments += [f"--automation-report-fields=pw={SECRET}", "--automation-report-delivery=later"]
    with CheckedServer(tmp_path / "store.sqlite3", TOKEN) as server:
        kept = project.report(*arguments, "--automation-report-output=all", address=server.address, env=env)
        (session,) = project.sessions
        spooled = {each.name: each.read_text() for each in session.iterdir() if each.is_file()}
        send(project.root, *server.options, env=env, exits=0)
        bodies = json.dumps([each.body for each in server.log])
        tests = [test for _, test in server.tests()]
    name = f"test_prints[{SECRET}]"
    for text in (*spooled.values(), bodies):
        shown = text.replace(name, "")
        assert SECRET not in shown
        assert BEARER not in shown
        assert URL_PASSWORD not in shown
        assert TOKEN not in shown
    assert bodies.count(MARK) > 30
    (compared,) = [each["comparison"] for each in tests if each["name"] == "test_compares"]
    assert json.dumps(compared["left"]).count(MARK) == 4
    (printed,) = [each for each in tests if each["name"] == name]
    assert printed["key"] == identify(f"test_suite.py::{name}").key
    section = kept.out.partition("= automation report =")[2].partition("\n")[2].partition("\n=")[0]
    assert "9 tests collected" in section
    assert workers != "0" or f"ValueError: {MARK}" in section
    assert SECRET not in section


def test_no_secret_is_in_what_commands_say_of_a_run(tmp_path: Path) -> None:
    """Fields and links of a run are without secrets, whether a command creates it, adds to it or submits files."""
    project = Project(tmp_path / "project", "")
    written(project.root / "a.xml", ["one"])
    env = session_environment(DEPLOY_PASSWORD=SECRET)
    given = [f"--fields=one=in {SECRET}", "--fields=password=swordfish", f"--links=x=https://u:{URL_PASSWORD}@b.test/"]
    with CheckedServer(tmp_path / "store.sqlite3", TOKEN) as server:
        common = [*server.options, *given]
        for words in (
            ["submit", "a.xml", "--redact=pin-[0-9]", "--fields=pin=pin-1", "--source=suite", *common],
            ["exec", "--source=suite", *common, "--", "true"],
            ["run", "create", "--name=n", "--source=suite", f"--field=two=by {TOKEN}", *common],
            ["run", "append", "3", f"--field=three=Bearer {BEARER}", *common],
        ):
            console(project.root, *words, env=env, exits=0)
        bodies = json.dumps([each.body for each in server.log])
        runs = server.runs()
    assert len(runs) == 3
    assert [text for text in (SECRET, "swordfish", URL_PASSWORD, "pin-1", TOKEN, BEARER) if text in bodies] == []
    assert bodies.count(MARK) >= 4 * len(given)


def test_secrets_stay_where_hiding_is_off(tmp_path: Path) -> None:
    """With the setting off all texts go as they are, but for the token and the user's own patterns."""
    token = f"own-{secrets.token_hex(12)}"  # it is printed by the test, which no other token of these tests may be
    suite = f"def test_it():\n    print('{SECRET} {token} pin-1 Authorization: Bearer {BEARER}')\n    assert 0\n"
    project = Project(tmp_path / "project", suite)
    options = ["-oautomation_report_redact_builtin=false", "-oautomation_report_redact=pin-[0-9]"]
    env = {**session_environment(DEPLOY_PASSWORD=SECRET), "AUTOMATION_REPORT_TOKEN": token}
    with CheckedServer(tmp_path / "store.sqlite3", token) as server:
        project.report(*options, address=server.address, env=env)
        ((_, test),) = server.tests()
    output = test["output"]["Output"]
    assert output == f"{SECRET} {MARK} {MARK} Authorization: Bearer {BEARER}\n"


def test_pytest_exit_tells_no_secret(tmp_path: Path) -> None:
    """The reason of ``pytest.exit`` becomes the run's note without its secrets."""
    project = Project(tmp_path / "project", f"import pytest\ndef test_it():\n    pytest.exit('leaving {SECRET}')\n")
    with CheckedServer(tmp_path / "store.sqlite3", TOKEN) as server:
        project.report(address=server.address, env=session_environment(DEPLOY_PASSWORD=SECRET))
        bodies = json.dumps([each.body for each in server.log])
    assert f"leaving {MARK}" in bodies
    assert SECRET not in bodies


FOUND = f"Zq7-{secrets.token_hex(8)}"

SHOWN_ELSEWHERE = f"""
import pytest
import pytest_automation_report as report

class Text(str):
    def count(self, *arguments):
        raise AssertionError("code of a test")
    __len__ = count

def login(word):
    raise PermissionError("login failed")

def test_output_and_failure():
    print("\\x1b[31mconnected with {FOUND} to \\x1b[32mdb\\x1b[0m")
    report.field("seen", "it was {FOUND}")
    report.field(Text("typed"), Text("as {FOUND}"))
    report.field("typed", Text("as {FOUND}"), "text")
    with report.step("step with {FOUND}"):
        pass
    report.artifact(b"bytes", "file of {FOUND}")
    assert ["{FOUND}", 1] == [{{"password": "{FOUND}"}}, 2]

def test_header_and_output(subtests):
    with subtests.test("sub {FOUND}"):
        pass
    print("Authorization: Bearer {FOUND}")
    raise ValueError("no access with {FOUND}")

def test_locals():
    settings = {{"db": {{"password": "{FOUND}"}}}}
    where = "{FOUND}"
    login(where)
"""


def test_a_secret_of_one_text_is_hidden_in_all_of_its_result(tmp_path: Path) -> None:
    """A value that one text shows to be a secret is in no other of its result: output, fields, steps, files, values."""
    project = Project(tmp_path / "project", SHOWN_ELSEWHERE)
    with CheckedServer(tmp_path / "store.sqlite3", TOKEN) as server:
        ran = project.report("-l", "--automation-report-delivery=later", address=server.address)
        assert "3 failed" in ran.out, ran.text
        (session,) = project.sessions
        spooled = "".join(each.read_text() for each in session.iterdir() if each.is_file())
        send(project.root, *server.options, exits=0)
        bodies = repr([each.body for each in server.log])
        (test,) = [test for _, test in server.tests() if test["name"] == "test_output_and_failure"]
    assert FOUND not in bodies
    # A file is noted at once, for the case that its test dies: nothing has shown by then that its name has a secret.
    assert [line for line in spooled.splitlines() if FOUND in line and "file of" not in line] == []
    output = test["output"]["Output"]
    assert output == f"connected with {MARK} to db\n"
    assert [output[start:end] for start, end, _ in test["colours"]["Output"]] == ["connected with ", " to ", "db"]
    assert {"typed": f"as {MARK}"}.items() <= {each["name"]: each["value"] for each in test["fields"]}.items()


@pytest.mark.parametrize("option", ["-q", "-v", "-vv", "-l", "--tb=native"])
def test_pytest_shows_no_known_value(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """Whatever pytest shows of a comparison with a secret, at any verbosity, no six characters of it stay."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("KNOWN", KNOWN)
    pytester.makepyfile(
        """
        import os
        import pytest
        KNOWN = os.environ["KNOWN"]
        OTHERS = ["x", KNOWN + "x", "x" + KNOWN, "y" * 40 + KNOWN, ["a", KNOWN], {"b": KNOWN * 9}, {KNOWN}, len]

        @pytest.mark.parametrize("other", OTHERS, ids=range(len(OTHERS)))
        def test_it(other):
            assert KNOWN == other
        """
    )
    shown = pytester.runpytest_subprocess(option).stdout.str()
    assert "8 failed" in shown
    assert "Zq7Lw2" in shown
    hidden = TextCleaner(secrets=[KNOWN])(shown)
    assert [KNOWN[at : at + 6] for at in range(len(KNOWN) - 5) if KNOWN[at : at + 6] in hidden] == []
