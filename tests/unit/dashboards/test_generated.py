"""The committed JSON is what the code builds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboards import __main__ as generator


def test_committed_json_is_up_to_date():
    assert generator.stale() == [], "run `python -m dashboards` and commit dashboards/generated/"


def test_an_edited_a_missing_and_an_orphaned_file_are_stale(tmp_path: Path):
    assert generator.stale(tmp_path) == ["public_safety.json"]
    generator.write(tmp_path)
    assert generator.stale(tmp_path) == []
    edited = json.loads((tmp_path / "public_safety.json").read_text(encoding="utf-8"))
    edited["title"] = "Edited by hand"
    (tmp_path / "public_safety.json").write_text(json.dumps(edited), encoding="utf-8")
    (tmp_path / "nobody.json").write_text("{}", encoding="utf-8")
    assert generator.stale(tmp_path) == ["nobody.json", "public_safety.json"]


def test_writing_restores_what_is_stale_and_removes_orphans(tmp_path: Path):
    (tmp_path / "nobody.json").write_text("{}", encoding="utf-8")
    assert generator.write(tmp_path) == ["nobody.json", "public_safety.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["public_safety.json"]


def test_check_exits_with_1_and_says_how_to_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.argv", ["dashboards", "--check"])
    monkeypatch.setattr(generator, "stale", lambda: ["public_safety.json"])
    assert generator.main() == 1
    assert "python -m dashboards" in capsys.readouterr().err


def test_building_twice_gives_the_same_text():
    assert generator.documents() == generator.documents()
