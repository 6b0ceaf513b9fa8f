"""Compiled templates are kept beside the package's modules."""

import sys
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from pytest_automation_report.server.pages.rendering import CompiledTemplates


def text_of(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, *, writes: bool = True) -> tuple[str, int]:
    """Render a template with what is kept in a folder; return its text and how often it was compiled."""
    monkeypatch.setattr(sys, "pycache_prefix", str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", not writes)
    counted: list[object] = []

    class Counting(Environment):
        def _generate(self, *args: object, **kwargs: object) -> str:
            counted.append(args)
            return super()._generate(*args, **kwargs)  # type: ignore[arg-type]

    environment = Counting(loader=DictLoader({"page": source}), autoescape=True, bytecode_cache=CompiledTemplates())
    return environment.get_template("page").render(), len(counted)


def test_a_second_process_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one process compiled is there for the next one, where Python has its bytecode, unless it writes none."""
    assert text_of(tmp_path, monkeypatch, "one") == ("one", 1)
    assert text_of(tmp_path, monkeypatch, "one") == ("one", 0)
    assert [path.parent.name for path in tmp_path.rglob("*.pyc")] == ["pages"]
    assert text_of(tmp_path / "none", monkeypatch, "one", writes=False) == ("one", 1)
    assert not (tmp_path / "none").exists()


def test_other_sources_are_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that has changed is compiled, and kept in place of the other one."""
    for source, compiled in (("one", 1), ("one", 0), ("two", 1), ("two", 0)):
        assert text_of(tmp_path, monkeypatch, source) == (source, compiled)


def test_what_cannot_be_kept_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are shown where nothing can be written, and where a kept template is damaged."""
    (tmp_path / "file").write_text("")
    assert text_of(tmp_path / "file", monkeypatch, "one") == ("one", 1)
    assert text_of(tmp_path, monkeypatch, "one") == ("one", 1)
    for path in tmp_path.rglob("*.pyc"):
        path.write_bytes(path.read_bytes()[:60])
    assert text_of(tmp_path, monkeypatch, "one") == ("one", 1)
