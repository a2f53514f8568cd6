"""What is committed is what the code builds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dashboards import __main__ as generator

AUSTIN = "generated/cities/austin.json"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    generator.write(tmp_path)
    return tmp_path


def test_what_is_committed_is_up_to_date():
    assert generator.stale() == [], "run `python -m dashboards` and commit dashboards/"


def test_an_edited_a_missing_and_an_orphaned_file_are_stale(room: Path):
    assert generator.stale(room) == []
    edited = json.loads((room / AUSTIN).read_text(encoding="utf-8"))
    edited["title"] = "Edited by hand"
    (room / AUSTIN).write_text(json.dumps(edited), encoding="utf-8")
    (room / "generated/nobody.json").write_text("{}", encoding="utf-8")
    (room / generator.RULES).unlink()
    assert generator.stale(room) == [AUSTIN, "generated/nobody.json", generator.RULES]


def test_writing_restores_what_is_stale_and_removes_orphans(room: Path):
    shutil.rmtree(room / "generated/feeds")
    (room / "generated/nobody.json").write_text("{}", encoding="utf-8")
    changed = generator.write(room)
    assert changed == ["generated/feeds/is_it_true.json", "generated/feeds/pipeline.json", "generated/nobody.json"]
    assert generator.stale(room) == []


def test_check_exits_with_1_and_says_how_to_repair(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("sys.argv", ["dashboards", "--check"])
    monkeypatch.setattr(generator, "stale", lambda: [AUSTIN])
    assert generator.main() == 1
    assert "python -m dashboards" in capsys.readouterr().err


def test_building_twice_gives_the_same_text():
    assert generator.documents() == generator.documents()
