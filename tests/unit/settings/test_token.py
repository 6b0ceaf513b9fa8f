"""Where the token comes from, and that nothing shows it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_automation_report.delivery.stores import note_use
from pytest_automation_report.settings.console import KnownAddresses
from pytest_automation_report.settings.token import token_from
from support.settings import resolve

CANARY = "testmo_api_canary"
NO_TOKEN = "no token: set AUTOMATION_REPORT_TOKEN, or name a file that holds it (token_file)"
WRONG = "its value holds spaces, control or non-ASCII characters: copy the token alone"


@pytest.mark.parametrize("text", [CANARY, f"  {CANARY}\n", f'"{CANARY}"', f"'{CANARY}'\r\n", f'\ufeff" {CANARY} "'])
def test_edges_and_quotes_are_taken_off(tmp_path: Path, text: str) -> None:
    """Blanks, line ends and one pair of quotes around a token are no part of it, in the environment and in a file.

    Neither repr nor str shows it.
    """
    (tmp_path / "token").write_text(text, encoding="utf-8")
    for found in (token_from({"AUTOMATION_REPORT_TOKEN": text}, ""), token_from({}, str(tmp_path / "token"))):
        assert found.token is not None
        assert (found.token.value, found.error) == (CANARY, None)
        assert CANARY not in f"{found!r}{found}{found.token!r}{found.token}"


def test_order(tmp_path: Path) -> None:
    """Our variable goes before Testmo's, and both before the file; an empty variable is unset."""
    (tmp_path / "token").write_text("file", encoding="utf-8")
    environ = {"AUTOMATION_REPORT_TOKEN": "ours", "TESTMO_TOKEN": "theirs"}
    found = []
    for _ in range(3):
        token = token_from(environ, str(tmp_path / "token")).token
        found.append(token.value if token else None)
        environ[next(iter(environ), "")] = ""
        environ = dict(reversed(environ.items()))
    assert found == ["ours", "theirs", "file"]
    nothing = token_from({"AUTOMATION_REPORT_TOKEN": " ", "TESTMO_TOKEN": "''"}, "")
    assert (nothing.token, nothing.error) == (None, NO_TOKEN)


@pytest.mark.parametrize(
    "text",
    [
        f"{CANARY} x", f"{CANARY}\nX-Header: 1", f"{CANARY}\r\nx", f"{CANARY}\x00", f"{CANARY}\x7fx", f"{CANARY}é",
        f"{CANARY}\udcff",
    ],
)  # fmt: skip
def test_tokens_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    """A token with characters that no header takes is refused without a trace of it, and no other one is tried."""
    (tmp_path / "token").write_bytes(text.encode("utf-8", "surrogateescape"))
    environ = {"AUTOMATION_REPORT_TOKEN": text, "TESTMO_TOKEN": "other"}
    assert token_from(environ, "").error == f"AUTOMATION_REPORT_TOKEN: {WRONG}"
    found = token_from({}, str(tmp_path / "token"))
    assert (found.token, found.error) == (None, f"token file {str(tmp_path / 'token')!r}: {WRONG}")
    assert CANARY not in repr(found)


def test_long_tokens(tmp_path: Path) -> None:
    """A token has at most 4096 characters, and a huge file is not read as a whole."""
    assert token_from({"TESTMO_TOKEN": "x" * 4096}, "").token is not None
    (tmp_path / "token").write_text("x" * 5_000, encoding="utf-8")
    (tmp_path / "huge").write_text("x" * 1_000_000, encoding="utf-8")
    told = "its value is longer than 4096 characters: copy the token alone"
    assert token_from({"TESTMO_TOKEN": "x" * 4097}, "").error == f"TESTMO_TOKEN: {told}"
    assert token_from({}, str(tmp_path / "token")).error == f"token file {str(tmp_path / 'token')!r}: {told}"
    assert "it has more than 65,536 bytes" in str(token_from({}, str(tmp_path / "huge")).error)


def test_files_that_hold_none(tmp_path: Path) -> None:
    """A file that is missing, empty, a folder or no path at all is told by its name."""
    (tmp_path / "empty").write_text(" \n", encoding="utf-8")
    warnings = {
        "missing": "cannot be read (No such file or directory): name a file that holds the token",
        "empty": "is empty: write the token into it",
        ".": "cannot be read (Is a directory): name a file that holds the token",
    }
    for name, told in warnings.items():
        path = str(tmp_path / name)
        assert token_from({}, path).error == f"token file {path!r}: {told}"
    assert token_from({}, "a\x00b").error == (
        "token file 'a\\x00b': cannot be read (no path of a file): name a file that holds the token"
    )


def test_uses_of_several_processes_at_once_are_all_kept(tmp_path: Path) -> None:
    """Jobs of one machine that use new servers at the same moment do not lose each other's."""
    addresses = [f"https://127.0.0.1:{port}" for port in range(1, 201)]
    environ = {"HOME": str(tmp_path / "home")}
    certificates = tmp_path / "ca.pem"
    certificates.touch()

    def remember(address: str) -> None:
        settings = resolve({"url": address, "project_id": 1, "ca_file": str(certificates)})
        note_use(KnownAddresses(environ, tmp_path / "project").noting(settings).endpoint.uses)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remember, addresses))
    known = KnownAddresses(environ, tmp_path / "project")
    assert [address for address in addresses if not known.is_used(address)] == []
    assert known.is_used(addresses[0], str(certificates))
    assert not known.is_used(addresses[0], "another")
    assert not known.is_used("https://127.0.0.1:201")
