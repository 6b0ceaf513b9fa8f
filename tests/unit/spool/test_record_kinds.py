import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from pytest_automation_report.api.json_values import JsonError
from pytest_automation_report.api.models import Artifact, Field, NewRun, Test, encoded
from pytest_automation_report.delivery.follower import options_of
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.manifest import SessionManifest
from pytest_automation_report.spool.record_kinds import (
    SPOOL_KINDS,
    ArtifactRecord,
    CapturedRecord,
    CloseRecord,
    CollectedRecord,
    CrashRecord,
    EndRecord,
    FinishRecord,
    IdsRecord,
    OpenRecord,
    PassRecord,
    PlanRecord,
    PropertyRecord,
    StartRecord,
)
from pytest_automation_report.spool.records import (
    Decoder,
    Record,
    attempt_header,
    finish_record,
    pass_record,
    start_record,
)
from support.records import spool_record

TEST = encoded(Test("0" * 64, "test_it", "tests", "passed", 5, fields=(Field("Log", "text"),)))
FILE = to_builtins(Artifact("page.png", "spooled:main-1 page.png", None, "image/png", 5))
SOUND: dict[str, dict[str, Any]] = {
    "open": {"pid": 5, "began": None},
    "collected": {"count": 0},
    "plan": {"each": False},
    "start": {"n": 1, "t": 0, "id": "test_it.py::test_it", "file": "test_it.py", "line": None},
    "pass": {"n": 1, "t": 5, "began": 1, "elapsed": 4, "id": "a.py::b", "file": "a.py", "line": None},
    "finish": {"n": 1, "t": 5, "key": "0" * 64, "status": "passed", "elapsed": 5, "final": True},
    "close": {"t": 7, "more": None},
    "crash": {"t": 7, "worker": "gw0", "id": "x", "file": "f", "line": None, "outcome": "failed", "text": ""},
    "end": {"reason": "all tests passed"},
    "property": {"field": to_builtins(Field("Build", "7"))},
    "artifact": {"n": 1, "artifact": FILE},
    "of-a-later-version": {"anything": []},
}
WRONG: dict[str, list[Any]] = {
    "int": [None, "1", 1.0, True, [], 2**63, -(2**63) - 1],
    "str": [None, 5, ["x"], {}],
    "bool": [None, 0, "true", []],
    "NoneType": ["1", 1.5, False, {}, 2**63],
    "dict": [None, [], [1], "x", {}, {"name": "n", "value": "v", "type": 99}, {"name": 5, "value": "v", "type": 1}],
}


def sound(kind: str, **changed: object) -> bool:
    """Whether a reader accepts this record of the spool."""
    test = TEST if kind == "finish" else ""
    try:
        spool_record(kind, **{"test": test, **SOUND[kind], **changed})
    except JsonError:
        return False
    return True


@pytest.mark.parametrize("kind", SOUND)
def test_sound_records(kind: str) -> None:
    """What our own processes write is sound, with what may be missing and without; so are kinds of later versions."""
    assert sound(kind)
    assert sound(kind, member_of_a_later_version=[1])
    test = TEST if kind == "finish" else ""
    spool_record(kind, test, **{name: each for name, each in SOUND[kind].items() if each is not None})


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in SOUND for name in SOUND[kind] if kind[:2] != "of"])
def test_wrong_members(kind: str, name: str) -> None:
    """A member that is needed and of another type, or beyond 64 bits, makes a record unsound."""
    value = SOUND[kind][name]
    for wrong in WRONG[type(value).__name__]:
        assert not sound(kind, **{name: wrong}), wrong
    if value is not None:
        with pytest.raises(JsonError, match=f"^{kind}.* expected, not "):
            spool_record(kind, **{each: SOUND[kind][each] for each in SOUND[kind] if each != name})


@pytest.mark.parametrize(
    "wrong",
    [None, [], "x", {}, {"name": "n"}, {**FILE, "name": 5}, {**FILE, "url": None}, {**FILE, "note": 5},
     {**FILE, "mime_type": []}, {**FILE, "size": "5"}, {**FILE, "size": 2**63}, {**FILE, "more": 1}],
)  # fmt: skip
def test_wrong_artifacts(wrong: object) -> None:
    """An artifact that is none makes a record unsound: of an attempt, and of the run."""
    assert sound("artifact")
    assert not sound("artifact", artifact=wrong)
    assert spool_record("property", artifact=FILE) == PropertyRecord(artifact=Artifact(**FILE))
    with pytest.raises(JsonError, match=r"^property"):
        spool_record("property", artifact=wrong)


@pytest.mark.parametrize("limit", [2**63 - 1, -(2**63)])
def test_integers_of_64_bits(limit: int) -> None:
    """Integers of 64 bits are sound to their ends."""
    assert sound("close", t=limit)


def test_unknown_status() -> None:
    """A status that nobody counts makes a result unsound."""
    assert not sound("finish", status="wonderful")


@pytest.mark.parametrize("test", ["", "[]", "x"])
def test_result_without_a_test(test: str) -> None:
    """A result without a test is none."""
    assert not sound("finish", test=test)


@pytest.mark.parametrize("test", ["{}", "{", '{"key": 1}', TEST.replace('"fields":[{', '"fields":[5,{'), "[" * 10**5])
def test_attempts_are_read(test: str) -> None:
    """An attempt that another may follow is read, since both become one result."""
    assert sound("finish", final=False)
    assert not sound("finish", final=False, test=test)


@pytest.mark.parametrize(
    "record",
    [
        OpenRecord(5, 2, 1, "gw0", 1), PlanRecord(each=True), CollectedRecord(5, (("a", 2), ("b", 3))),
        IdsRecord(("a", "b")), CapturedRecord((("stdout", 3, 4, 5),)), StartRecord(1, 2, "a.py::b", "a.py", 3),
        ArtifactRecord(1, Artifact(**FILE)), CrashRecord(7, "gw0", "a.py::b", "a.py", "failed", "died", 3),
        PassRecord(1, 9, 2, 7, "a.py::b", "a.py", 4, 3, 1), PropertyRecord(Field("Build", "7")),
        EndRecord("done", 7, 1),
        CloseRecord(7, {"passed": 2}, (("error", "f", "n", "m", "a.py", 5),), "Ctrl-C", ("w",), 1, ("t",), 20),
    ],
    ids=lambda record: record.kind,
)  # fmt: skip
def test_records_come_back(record: Record) -> None:
    """A record is read as it was written, with each of its members."""
    assert [placed.record for placed in Decoder(SPOOL_KINDS).feed(record.framed())] == [record]


@given(st.integers(0, 9), st.integers(0, 9), st.text(), st.text(), st.none() | st.integers(0, 9), st.integers(-1, 9))
def test_formatted_records(number: int, moment: int, nodeid: str, file: str, line: int | None, setup: int) -> None:
    """START, PASS and FINISH, which pytest's process formats by hand, are what their classes declare."""
    header = attempt_header(nodeid, file, line)
    lines = (
        start_record(number, moment, header),
        pass_record(number, moment, 2, (7, setup, 1), header),
        finish_record(number, moment, key=nodeid, status="error", elapsed=7, is_final=True, test=TEST),
    )
    records = [
        StartRecord(number, moment, nodeid, file, line),
        PassRecord(number, moment, 2, 7, nodeid, file, line, setup, 1),
        FinishRecord(number, moment, nodeid, "error", 7, is_final=True, test=TEST),
    ]
    assert [placed.record for line in lines for placed in Decoder(SPOOL_KINDS).feed(line)] == records


@pytest.fixture
def folder(tmp_path: Path) -> SessionFolder:
    folder = SessionFolder(tmp_path / "20260102T030405-00000001")
    folder.path.mkdir()
    run = NewRun(name="n", source="s")
    folder.write_session(
        SessionManifest(
            "20260102T030405-00000001", "http://127.0.0.1:1", 1, "", run, None, RecordingOptions().body(), 1
        )
    )
    return folder


@pytest.mark.parametrize(
    "change",
    [{"rules": None}, {"rules": 5}, {"run": []}, {"run": None}, {"joined_run": "x"}, {"pid": None}],
    ids=json.dumps,
)
def test_session_of_wrong_content(folder: SessionFolder, change: dict[str, object]) -> None:
    """A session that says less than a sender needs cannot be read, and the error names its file."""
    path = folder.path / "session.json"
    assert folder.read_session().project_id == 1
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(SpoolError, match=r"session\.json: cannot be read"):
        folder.read_session()


@pytest.mark.parametrize(
    "rules", [{}, {"prefix": "a"}, {"prefix": "a", "output": "all", "statuses": 5, "redact": []}], ids=json.dumps
)
def test_session_without_usable_recording_options(folder: SessionFolder, rules: dict[str, object]) -> None:
    """A sender refuses a session whose recording options it cannot use, and the error names the session."""
    path = folder.path / "session.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rules": rules}))
    with pytest.raises(SpoolError, match="recording options cannot be read"):
        options_of(folder.read_session())
