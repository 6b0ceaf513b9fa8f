"""Every bad input and its whole message: an error where it was typed, a warning where it stands in the environment."""

import pytest

from pytest_automation_report.api.models import Link
from pytest_automation_report.errors import SettingError
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from support.settings import resolve

HOST = "write https://HOST or https://HOST:PORT, with a port from 1 to 65535"
PLAIN = "write it without spaces, backslashes and control characters"
CLEAR = "the token would be sent unencrypted: write https://, or allow it with {allow_http}"
ID = "write a whole number from 1 to 9007199254740991"
SOURCE = "write a letter (a-z, A-Z), then letters, digits and dashes, from 2 to 750 characters"
TAG = "write tags of letters (a-z, A-Z), digits, underscores and dashes, between commas, in ini files one a line"
PAIR = "write name=value (a comma inside a value is written \\,)"
PATTERN = (
    "write a regular expression of Python (missing ), unterminated subpattern at position 0) "
    "(a comma inside a value is written \\,)"
)
WEB = "write a web address that begins with https:// or http://"
DAYS = "write a whole number of days from 0 to 3650"
WAIT = "write a number of seconds from 0 to 3600, without a unit"

BRACED = "in braces write one of {path}, {name}, {build}, {attempt}, {shard}, {branch}, {commit}, {job_url}"
STORE = "write the path of a folder, or a bucket: s3://, s3a://, gs://, az://"
SIZE = "use a number with KB, MB, GB or TB, such as 500MB"

MISTAKES: list[tuple[str, str, str, str]] = [
    ("when", "never", "'never'", "write always or ci"),
    ("delivery", "soon", "'soon'", "write live or later"),
    ("output", "Failed", "'Failed'", "write failed or all or none"),
    ("url", "example.testmo.net", "'example.testmo.net'", "write https://example.testmo.net"),
    ("url", "//example.testmo.net", "'//example.testmo.net'", "write https://example.testmo.net"),
    ("url", "localhost:8080", "'localhost:8080'", "write https://localhost:8080"),
    ("url", "ftp://a.example", "'ftp://a.example'", "write https:// (or http://) before the host"),
    ("url", "file:///etc/passwd", "'file:///etc/passwd'", HOST),
    (
        "url", "https://ann:geheim@a.example/x", "'https://***@a.example/x'",
        "write it without user and password; the token comes from AUTOMATION_REPORT_TOKEN",
    ),
    ("url", "ann:geheim@a.example", "'***@a.example'", "write https://***@a.example"),
    ("url", "https://ann:ge/heim@a.example", "'https://***@a.example'", HOST),
    ("url", "https://a.example/?key=geheim", "'https://a.example/?***'", "write it without query and fragment"),
    ("url", "https://a.example?", "'https://a.example?***'", "write it without query and fragment"),
    ("url", "https://a.example/#geheim", "'https://a.example/#***'", "write it without query and fragment"),
    ("url", "https://a.example/testmo", "'https://a.example/testmo'", "write scheme and host alone, or with /api/v1"),
    ("url", "https://a.example/api/v2", "'https://a.example/api/v2'", "write scheme and host alone, or with /api/v1"),
    ("url", "https://a b.example", "'https://a b.example'", PLAIN),
    ("url", "https://a.example\\@b.example", "'https://***@b.example'", PLAIN),
    ("url", "https://a.example:0", "'https://a.example:0'", HOST),
    ("url", "https://a.example:99999", "'https://a.example:99999'", HOST),
    ("url", "https://a.example:x", "'https://a.example:x'", HOST),
    ("url", "https://", "'https://'", HOST),
    ("url", "https://a..example", "'https://a..example'", HOST),
    ("url", "https://-a.example", "'https://-a.example'", HOST),
    ("url", "https://[::1", "'https://[::1'", HOST),
    ("url", "https://[fe80::1%25eth0]", "'https://[fe80::1%25eth0]'", HOST),
    ("url", "https://[a.example]", "'https://[a.example]'", HOST),
    ("url", "https://☃☃-.example", "'https://☃☃-.example'", HOST),
    ("url", "http://a.example", "'http://a.example'", CLEAR),
    ("url", "http://127.1", "'http://127.1'", CLEAR),
    ("url", "http://0.0.0.0", "'http://0.0.0.0'", CLEAR),
    ("url", "http://localhost.example", "'http://localhost.example'", CLEAR),
    ("url", "http://[::2]", "'http://[::2]'", CLEAR),
    *(
        ("project_id", value, repr(value), ID)
        for value in ("0", "-1", "abc", "1.5", "1e9", "\uff19", "9007199254740992", "9" * 40, "nan", "1_000")
    ),
    *((name, "0", "'0'", ID) for name in ("config_id", "milestone_id", "run_id")),
    ("source", "a", "'a'", SOURCE),
    ("source", "1a", "'1a'", SOURCE),
    ("source", "my project", "'my project'", SOURCE),
    ("source", "a_b", "'a_b'", SOURCE),
    ("source", "ümlaut", "'ümlaut'", SOURCE),
    ("tags", "a,b c", "'b c'", TAG),
    ("tags", "ä", "'ä'", TAG),
    ("config", "a\tb", "'a\\tb'", "write it without control characters, on one line"),
    ("fields", "a=1,b", "'b'", PAIR),
    ("fields", "=1", "'=1'", PAIR),
    ("links", "a", "'a'", PAIR),
    ("links", "a=ftp://b.example", "'a=ftp://b.example'", f"after a=, {WEB}"),
    ("links", "a=javascript:alert(1)", "'a=javascript:alert(1)'", f"after a=, {WEB}"),
    ("links", "a=https://b.example/ c", "'a=https://b.example/ c'", "after a=, write a web address without spaces"),
    ("links", "a=https://b.example:0", "'a=https://b.example:0'", f"after a=, {WEB}"),
    ("statuses", "xfailed=skip", "'xfailed='", "before = write passed or failure or error or skipped"),
    ("statuses", "passed=", "'passed='", "after passed= write the server's word for it"),
    ("statuses", "passed=a,passed=b", "'passed=b'", "write passed= once; 'a' was given too"),
    ("markers", "a b", "'a b'", "write names of markers, such as owner, between commas, in ini files one a line"),
    ("link_templates", "bug=https://b.example/{}", "'bug='", "before = write case or issue"),
    ("link_templates", "case=b/{}", "'case=b/{}'", f"after case=, {WEB}"),
    (
        "link_templates", "issue=https://b.example/", "'issue=https://b.example/'",
        "after issue=, write {} where the id belongs",
    ),
    ("redact", "(", "'('", PATTERN),
    ("redact", "x{2,3}", "'x{2'", "write a comma inside a pattern as \\,"),
    ("redact", r"\d{,3}", r"'\\d{'", "write a comma inside a pattern as \\,"),
    *(("exit_wait", value, repr(value), WAIT) for value in ("10s", "-1", "3601", "inf", "NaN", "1e3", ".", "1e999")),
    *(("keep_spool", value, repr(value), DAYS) for value in ("-1", "3651", "1.5", "14d", "nan", "1e2")),
    *(("artifact_size", value, repr(value), SIZE) for value in ("10", "0MB", "MB", "-1MB", "1.5GB", "1MiB")),
    ("artifact_total", "all", "'all'", SIZE),
    ("artifact_url", "files", "'files'", WEB),
    ("artifact_url", "s3://bucket", "'s3://bucket'", WEB),
    ("artifact_url", "https://a.example/{user}", "'https://a.example/{user}'", BRACED),
    ("artifact_url", "https://a.example/{}", "'https://a.example/{}'", BRACED),
    ("artifact_store", "https://a.example/b", "'https://a.example/b'", STORE),
    ("artifact_store", "ftp://a.example/b", "'ftp://a.example/b'", STORE),
    ("artifact_store", "kept", "'kept'", "add {artifact_url}, the address of the folder's files"),
    ("artifact_store", "a\nb", "'a\\nb'", "write it without control characters, on one line"),
    ("ca_file", "no.pem", "'no.pem'", "name a file of certificates that can be read; /root-folder/no.pem cannot"),
    *(("strict", value, repr(value), "write 1 or 0 (or true or false)") for value in ("perhaps", "2", "yess")),
    ("spool", "a\x00b", "'a\\x00b'", "write it without control characters, on one line"),
    ("database", "a\rb", "'a\\rb'", "write it without control characters, on one line"),
]  # fmt: skip
IDS = [f"{name}-{value.encode('unicode_escape').decode()[:40]}" for name, value, _, _ in MISTAKES]


@pytest.mark.parametrize(("name", "value", "shown", "hint"), MISTAKES, ids=IDS)
def test_mistakes(name: str, value: str, shown: str, hint: str) -> None:
    """A mistake on the command line is an error that names option, value and hint, and never shows a password.

    In the environment it is told once with the same words, and results are kept instead of sent.
    """
    with pytest.raises(SettingError) as caught:
        resolve({"project_id": 3, name: value})
    typed = hint.replace("{allow_http}", "--allow-http").replace("{artifact_url}", "--artifact-url")
    assert str(caught.value) == f"--{name.replace('_', '-')}: {shown} cannot be used: {typed}"
    variable = f"AUTOMATION_REPORT_{name.upper()}"
    found = resolve({"project_id": 3} if name == "url" else {}, {variable: value})
    hint = hint.replace("{allow_http}", "AUTOMATION_REPORT_ALLOW_HTTP")
    hint = hint.replace("{artifact_url}", "AUTOMATION_REPORT_ARTIFACT_URL")
    assert found.warnings == (f"{variable}: {shown} cannot be used: {hint}",)
    assert (found.is_sendable, found.blocking_error) == (False, found.warnings[0])
    assert name not in found.origins
    if name == "url":
        assert (found.endpoint.origin, found.endpoint.is_embedded) == ("", False)


ACCEPTED: list[tuple[str, str, object]] = [
    ("exit_wait", "0", 0.0), ("keep_spool", "0", 0), ("keep_spool", "3650", 3650), ("exit_wait", "3600", 3600.0),
    ("exit_wait", " .5 ", 0.5), ("exit_wait", "5.", 5.0), ("project_id", "+7", 7), ("project_id", "007", 7),
    ("project_id", str(2**53 - 1), 2**53 - 1), ("source", "A1", "A1"), ("source", "a" * 750, "a" * 750),
    ("tags", "_", ("_",)), ("tags", "a" * 750, ("a" * 750,)), ("strict", "TRUE", True), ("strict", " Yes ", True),
    ("strict", "Off", False), ("statuses", "passed = ok , passed=ok", {"passed": "ok"}),
    ("redact", r"a{2}|b{2\,}|\{1", (r"a{2}|b{2,}|\{1",)), ("folder_prefix", "a b/c", "a b/c"),
    ("artifact_url", "http://a.example/{path}", "http://a.example/{path}"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "expected"), ACCEPTED)
def test_values_at_the_edge(name: str, value: str, expected: object) -> None:
    """The smallest, largest and oddest values that can be used are used."""
    found = resolve(environ={f"AUTOMATION_REPORT_{name.upper()}": value})
    assert (getattr(found, name), found.warnings) == (expected, ())


def test_texts_that_are_too_long() -> None:
    """A tag, source, status or link that the server would not take whole is an error: none is cut."""
    for name, value in (("tags", "a" * 751), ("source", "a" * 751), ("statuses", "passed=" + "a" * 751)):
        with pytest.raises(SettingError):
            resolve({name: value})
    address = "https://b.example/".ljust(751, "x")
    assert resolve({"links": [f"a = {address[:750]}"]}).links == (Link("a", address[:750]),)
    with pytest.raises(SettingError, match=r"after a=, write a web address of at most 750 characters"):
        resolve({"links": [f"a={address}"]})


def test_project_is_required_with_an_address() -> None:
    """A missing project is named as missing in the user's own spelling; the address beside it is not blamed."""
    url = "https://a.example"
    missing = "{}: missing: add the number of the project at https://a.example ({})"
    with pytest.raises(SettingError) as caught:
        resolve({"url": url})
    assert str(caught.value) == missing.format("--project-id", "--url")
    with pytest.raises(SettingError) as caught:
        resolve(ini={"automation_report_url": url})
    place = "pytest.ini: automation_report_url"
    assert str(caught.value) == missing.format("automation_report_project_id", place)
    found = resolve(environ={"AUTOMATION_REPORT_URL": url})
    told = missing.format("AUTOMATION_REPORT_PROJECT_ID", "AUTOMATION_REPORT_URL")
    assert found.warnings == (told,)
    assert (found.project_id, found.url, found.is_sendable) == (0, url, False)


@pytest.mark.parametrize(
    ("project", "why"), [(None, "no project name was found"), ("42", "the project's name '42' cannot be a source")]
)
def test_source_is_required_with_an_address(project: str | None, why: str) -> None:
    """A missing source is named as missing, with why none was derived and which characters it may have."""
    given = {"url": "https://a.example", "project_id": 3}
    missing = (
        "{}: missing: " + why + ": name the suite for https://a.example ({}):"
        " a letter (a-z, A-Z), then letters, digits and dashes, from 2 to 750 characters"
    )
    with pytest.raises(SettingError) as caught:
        resolve(given, project_name=project)
    assert str(caught.value) == missing.format("--source", "--url")
    assert resolve(given, project_name="My_Shop").source == "My-Shop"
    environ = {"AUTOMATION_REPORT_URL": "https://a.example", "AUTOMATION_REPORT_PROJECT_ID": "3"}
    found = resolve(environ=environ, project_name=project)
    assert (found.source, found.is_sendable) == ("root-folder", False)
    assert found.warnings == (missing.format("AUTOMATION_REPORT_SOURCE", "AUTOMATION_REPORT_URL"),)


def test_a_refused_variable_never_becomes_an_error() -> None:
    """A wrong project or source of the environment beside a typed address is told once and stops nothing."""
    environ = {"AUTOMATION_REPORT_PROJECT_ID": "seven", "AUTOMATION_REPORT_SOURCE": "?"}
    found = resolve({"url": "https://a.example"}, environ, project_name=None)
    assert [each.partition(":")[0] for each in found.warnings] == [
        "AUTOMATION_REPORT_PROJECT_ID",
        "AUTOMATION_REPORT_SOURCE",
    ]
    assert not found.is_sendable


def test_unknown_variables_are_told() -> None:
    """A variable that looks like a setting and is none is told, with the name that was meant, and stops nothing."""
    found = resolve(
        environ={
            "AUTOMATION_REPORT_PROJEKT_ID": "3", "AUTOMATION_REPORT_XYZZY": "1", "AUTOMATION_REPORT_TOKN": "t",
            "AUTOMATION_REPORT_TOKEN": "t", "AUTOMATION_REPORT_SERVER_TOKEN": "a-token-of-these-tests",
            "AUTOMATION_REPORT": "1", "AUTOMATION_REPORT_url": "http://a.example", "OTHER": "1",
        }
    )  # fmt: skip
    assert found.warnings == (
        "AUTOMATION_REPORT_PROJEKT_ID: does nothing; did you mean AUTOMATION_REPORT_PROJECT_ID?",
        "AUTOMATION_REPORT_TOKN: does nothing; did you mean AUTOMATION_REPORT_TOKEN?",
        "AUTOMATION_REPORT_XYZZY: does nothing",
        "AUTOMATION_REPORT_url: does nothing; did you mean AUTOMATION_REPORT_URL?",
    )
    assert found.is_sendable


def test_an_ini_value_of_a_wrong_type_is_told() -> None:
    """The console command tells TOML values of a wrong type in the same way as other mistakes."""
    for name, value in (("name", 7), ("tags", [1]), ("strict", 3), ("exit_wait", True), ("project_id", True)):
        with pytest.raises(SettingError, match=rf"pytest\.ini: automation_report_{name}: "):
            resolve(ini={f"automation_report_{name}": value})


def test_texts_are_hidden_when_the_environments_patterns_cannot_be_understood() -> None:
    """What a wrong AUTOMATION_REPORT_REDACT was to hide stays hidden: every text is."""
    found = resolve({}, {"AUTOMATION_REPORT_REDACT": "("})
    assert cleaner_for(RecordingOptions(redact=found.redact)).console("geheim\nauch") == "[redacted]"
