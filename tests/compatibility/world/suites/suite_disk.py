import builtins
import io
import json
import os
import pathlib
import shutil
import sys
import tempfile

import pytest


def broken(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("name", ["write", "open", "fstat", "stat", "getpid", "close", "makedirs", "mkdir", "fsync"])
@pytest.mark.parametrize("outcome", ["passes", "fails"])
def test_os(monkeypatch, name, outcome):
    with monkeypatch.context() as patch:
        patch.setattr(os, name, broken)
        with pytest.raises(OSError, match="No space"):
            getattr(os, name)()
    assert outcome == "passes"


@pytest.fixture(scope="module")
def no_write():
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "write", broken)
    patch.setattr(os, "getpid", lambda: 1)
    yield
    patch.undo()


@pytest.mark.parametrize("outcome", ["passes", "fails"])
def test_over_the_end_of_a_test(no_write, outcome):
    assert outcome == "passes"


@pytest.fixture
def no_json(monkeypatch):
    for name in ("dumps", "dump", "loads"):
        monkeypatch.setattr(json, name, lambda *_, **__: "nothing")
    monkeypatch.setattr(json, "JSONEncoder", None)
    monkeypatch.setitem(sys.modules, "json", None)


def test_json(no_json):
    assert json.dumps({"a": 1}) == "nothing"


def test_json_fails(no_json, record_property):
    record_property("key", "value")
    assert json.dumps(1) == "1"


def test_open(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", broken)
        patch.setattr(io, "open", broken)
        patch.setattr(pathlib.Path, "open", broken)
        with pytest.raises(OSError, match="No space"):
            open("anything")


def test_fake_disk(fs):
    fs.create_file("/etc/only", contents="one")
    assert os.listdir("/etc") == ["only"]
    os.write(os.open("/new", os.O_CREAT | os.O_WRONLY), b"text")
    shutil.rmtree("/etc")


def test_fake_disk_fails(fs):
    assert pathlib.Path("/work").exists() == "never"


def test_environment_is_gone(monkeypatch):
    for name in list(os.environ):
        if not name.startswith("PYTEST"):
            monkeypatch.delenv(name)


def test_home_is_gone(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))


def test_folder_is_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError):
        os.getcwd()


def test_umask():
    os.umask(0o777)


def test_streams(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)


def test_last():
    os.umask(0o022)
