import io
from contextlib import closing
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote

import pytest
from falcon.testing import Result

from pytest_automation_report.cli.main import main
from pytest_automation_report.server.store.contents import (
    DOWNLOAD,
    MAX_CONTENT_BYTES,
    PART_BYTES,
    TEXT,
    ArtifactContents,
    media_type,
)
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.values import ApiError, content_address, content_path
from support.commands import command_runner
from support.service import Service, a_test, option

PNG = b"\x89PNG\r\n\x1a\n"
ORIGIN = "http+local://store"
HOSTILE_NAMES = (
    "../../etc/passwd", "..", ".", "", "a/b\\c", "a\r\nX: y", '"><script>', "\u202egnp.exe", "%2e%2e%2f", "x" * 400,
)  # fmt: skip


def _put(service: Service, content: bytes, name: str = "page.png") -> dict[str, Any]:
    answer = service.raw("POST", f"/artifacts?name={quote(name, safe='')}", content)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json
    return told


def _get(service: Service, url: str, **headers: str) -> Result:
    path = content_path(url)
    assert path is not None
    return service.raw("GET", path, b"", **headers)


def _amount_kept(service: Service) -> int:
    return service.store.read(lambda connection: connection.number("SELECT COUNT(*) FROM content"))


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES])
def test_what_was_put_is_got(service: Service, size: int) -> None:
    """Every byte comes back, under an address made of its hash and name, whatever parts it is kept in."""
    content = (PNG + bytes(range(256)) * (size // 256 + 1))[:size]
    told = _put(service, content, "a page.png")
    assert told["url"] == f"{ORIGIN}/artifacts/{sha256(content).hexdigest()}/a%20page.png"
    assert (told["name"], told["size"]) == ("a page.png", size)
    answer = _get(service, told["url"])
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["ETag"] == f'"{sha256(content).hexdigest()}"'
    assert _get(service, told["url"], If_None_Match=answer.headers["ETag"]).status_code == 304


def test_a_range_is_sent_alone(service: Service) -> None:
    """Browsers ask for parts of a video; what is past its end is told apart from what is not there."""
    content = PNG + bytes(range(256)) * 2000
    url = _put(service, content)["url"]
    for asked, (start, end) in {
        "bytes=0-9": (0, 10),
        f"bytes={PART_BYTES - 2}-{PART_BYTES + 1}": (PART_BYTES - 2, PART_BYTES + 2),
        "bytes=-5": (len(content) - 5, len(content)),
        "bytes=500000-": (500_000, len(content)),
        "bytes=5-99999999": (5, len(content)),
    }.items():
        answer = _get(service, url, Range=asked)
        assert (answer.status_code, answer.content) == (206, content[start:end]), asked
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(content)}"
    past = _get(service, url, Range="bytes=99999999-")
    assert (past.status_code, past.headers["Content-Range"]) == (416, f"bytes */{len(content)}")
    assert "Cache-Control" not in past.headers
    assert _get(service, url, Range="lines=1-2").status_code == 200


TYPES = {
    "image/png": [PNG], "image/jpeg": [b"\xff\xd8\xff\xe0"], "image/gif": [b"GIF89a"],
    "image/webp": [b"RIFF\x00\x00\x00\x00WEBPVP8 "], "image/avif": [b"\x00\x00\x00\x1cftypavif"],
    "video/mp4": [b"\x00\x00\x00\x1cftypisom"], "video/webm": [b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm"],
    DOWNLOAD: [
        b"RIFF\x00\x00\x00\x00WAVEfmt ", b"\x00\x00\x00\x1cftypqt  ", b"\x1a\x45\xdf\xa3matroska", b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", b"\xef\xbb\xbf \n<!doctype html>",
        b"<?xml version='1.0'?>", b"MZ\x90\x00", b"caf\xe9 au lait", b"a\x00b",
    ],
    TEXT: [b"alert(1)", b"", "é".encode()[:1]],
}  # fmt: skip


@pytest.mark.parametrize("expected", TYPES)
def test_a_type_is_what_the_content_is(expected: str) -> None:
    """Nothing that a browser would run has a type of its own; text is shown as text."""
    assert [head for head in TYPES[expected] if media_type(head) != expected] == []


@pytest.mark.parametrize("told", ["text/html", "image/svg+xml", "application/javascript", "image/png"])
def test_what_a_client_calls_its_content_counts_for_nothing(service: Service, told: str) -> None:
    """Markup is a download, opened it can do nothing, and no browser may guess another type."""
    answer = service.raw("POST", "/artifacts?name=x.html", b"<script>alert(1)</script>", Content_Type=told)
    shown = _get(service, answer.json["url"])
    names = ("Content-Type", "Content-Disposition", "X-Content-Type-Options")
    assert [shown.headers[name] for name in names] == [DOWNLOAD, "attachment; filename*=UTF-8''x.html", "nosniff"]
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_is_no_path_and_no_header(service: Service, name: str) -> None:
    """Whatever a client calls its file, the address has one harmless segment for it and the answer one header."""
    told = _put(service, PNG, name)
    last = told["url"].rpartition("/")[2]
    shown = unquote(last)
    assert 1 <= len(shown) <= 100
    assert shown not in {".", ".."}
    assert not set(shown) & set('/\\\r\n"<>\u202e%')
    answer = _get(service, told["url"])
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f"inline; filename*=UTF-8''{last}"


def test_an_address_alone_is_no_permission(service: Service) -> None:
    """Without the token nothing is put or got; only a hash is looked up, every other address is that of nothing."""
    url = _put(service, PNG)["url"]
    assert _get(service, url, Authorization="Bearer x").status_code == 401
    assert service.raw("POST", "/artifacts", PNG, Authorization="").status_code == 401
    for path in ("..%2f..%2fetc%2fpasswd", "A" * 64, "0" * 63, "0" * 64):
        assert service.raw("GET", f"/artifacts/{path}").status_code == 404, path
    assert service.raw("GET", "/artifacts").status_code == 405


@pytest.mark.postgresql
def test_the_same_content_is_kept_once(service: Service) -> None:
    """Two names of one content are two addresses of one row; a file that was read in part is kept from there on."""
    first, second = _put(service, PNG, "a.png"), _put(service, PNG, "b.png")
    assert first["url"] != second["url"]
    source = io.BytesIO(b"header" + PNG)
    source.seek(6)
    assert ArtifactContents(service.store).put(source).hash == sha256(PNG).hexdigest()
    assert _amount_kept(service) == 1


def test_there_is_a_limit_for_one_and_for_all(service: Service) -> None:
    """What is too large is refused by name and number, and nothing of it is kept."""
    contents = ArtifactContents(service.store, max_bytes=1000)
    contents.put(io.BytesIO(b"x" * 900))
    with pytest.raises(ApiError, match="keeps 900 bytes of artifacts, and at most 1000"):
        contents.put(io.BytesIO(b"y" * 101))
    contents.put(io.BytesIO(b"y" * 100))
    answer = service.raw("POST", "/artifacts", b"z" * (MAX_CONTENT_BYTES + 1))
    assert (answer.status_code, str(MAX_CONTENT_BYTES) in answer.text) == (413, True)
    with pytest.raises(ApiError, match=str(MAX_CONTENT_BYTES)):
        ArtifactContents(service.store).put(io.BytesIO(b"z" * (MAX_CONTENT_BYTES + 1)))
    assert _amount_kept(service) == 2


class _Changing(io.BytesIO):
    def seek(self, position: int, whence: int = 0, /) -> int:
        self.getbuffer()[-1:] = b"!"
        return super().seek(position, whence)


def test_a_file_that_changes_while_it_is_read_is_refused(service: Service) -> None:
    """A hash never names another content."""
    with pytest.raises(ApiError, match="changed"):
        ArtifactContents(service.store).put(_Changing(b"x" * 300_000))
    assert ArtifactContents(service.store).find(sha256(b"x" * 300_000).hexdigest()) is None


@pytest.mark.postgresql
def test_contents_go_with_the_last_run_that_has_them(service: Service) -> None:
    """Pruning removes what only old runs and nobody refers to, but not what was put there just now."""
    urls = [_put(service, PNG + bytes([each]), f"{each}.png")["url"] for each in range(5)]
    artifacts = [[{"name": "p", "url": url}] for url in urls]
    old = service.new_run(artifacts=artifacts[0])
    thread = service.new_thread(old, artifacts=artifacts[1])
    service.append(thread, a_test(artifacts=artifacts[2]))
    service.complete(old)
    new = service.new_run()
    service.append(service.new_thread(new), a_test(artifacts=[{"name": "again", "url": urls[2]}]))
    ArtifactContents(service.store).put(io.BytesIO(PNG + bytes([3])), 7)  # a project that uploaded it, too
    # The clock of these tests stands years before the one of the command.
    with closing(Store(service.place)) as today:
        ArtifactContents(today).put(io.BytesIO(PNG + bytes([4])))
    command = ["store", "prune", "--keep-runs", "1", "--database", option(service.place)]
    ran = command_runner().invoke(main, command)
    assert (ran.exit_code, ran.stdout.split()) == (0, [str(old)])
    assert "3 artifacts that no run refers to removed" in ran.stderr
    assert [_get(service, url).status_code for url in urls] == [404, 404, 200, 404, 200]


def test_an_address_that_the_store_does_not_know_does_no_harm(service: Service) -> None:
    """A client may refer to what is not there, or to another store; the run is kept as it was sent."""
    url = content_address("0" * 64, "x.png")
    run = service.new_run(artifacts=[{"name": "x", "url": url}])
    assert service.run(run)["artifacts"][0]["url"] == url
    assert content_path("http://evil.test/artifacts/" + "0" * 64) is None
    assert content_path(f"{ORIGIN}/artifacts/{'0' * 64}/../../x") is None
    assert content_path(f"{ORIGIN}/artifacts/{'0' * 64}/..") == f"/artifacts/{'0' * 64}"
