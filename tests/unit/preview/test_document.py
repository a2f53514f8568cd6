"""A dashboard's JSON as the preview reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from civicwire.preview import document
from civicwire.preview.make import GENERATED
from schemas.errors import ConfigError


def _board(**changes: Any) -> dict[str, Any]:
    return {"uid": "u", "title": "T", "time": {"from": "now-1d", "to": "now"}, "panels": [], **changes}


def _read(tmp_path: Path, board: Any) -> document.Dashboard:
    file = tmp_path / "board.json"
    file.write_text(board if isinstance(board, str) else json.dumps(board), encoding="utf-8")
    return document.read(file)


AUSTIN = GENERATED / "cities" / "austin.json"


def test_panels_come_in_reading_order():
    panels = document.read(AUSTIN).panels
    assert [(panel.y, panel.x) for panel in panels] == sorted((panel.y, panel.x) for panel in panels)


def test_all_means_every_option_a_constant_is_itself_and_a_query_is_kept():
    variables = {one.name: one for one in document.read(GENERATED / "cities" / "cities.json").variables}
    assert variables["city"].values == ("Austin", "Los Angeles")
    assert (variables["per"].values, variables["per"].shown) == (("quarter",), "Quarter")
    assert (variables["dataset"].values, variables["dataset"].label) == (("civicwire",), "")
    assert "select distinct category" in (variables["category"].sql or "")
    assert "datasource" not in variables


def test_annotations_are_read_by_their_names():
    (name, sql), *others = document.read(AUSTIN).annotations.items()
    assert (name, others) == ("Breaks", [])
    assert "as time" in sql


def test_an_override_goes_before_the_panels_default(tmp_path: Path):
    override = {
        "matcher": {"id": "byName", "options": "n"},
        "properties": [{"id": "displayName", "value": "Number"}, {"id": "unit", "value": "s"}],
    }
    panel = {
        "id": 1,
        "type": "table",
        "gridPos": {"w": 1, "h": 1},
        "targets": [{"rawSql": "select 1"}],
        "fieldConfig": {"defaults": {"unit": "locale"}, "overrides": [override]},
    }
    panel_read = _read(tmp_path, _board(panels=[panel])).panels[0]
    assert (panel_read.look("n").heading, panel_read.look("n").unit) == ("Number", "s")
    assert (panel_read.look("m").heading, panel_read.look("m").unit) == ("m", "locale")


@pytest.mark.parametrize("text", ["{", "[]", '{"title": "no panels"}'])
def test_what_is_no_dashboard_is_an_error_that_says_how_to_make_one(tmp_path: Path, text: str):
    with pytest.raises(ConfigError, match="python -m dashboards"):
        _read(tmp_path, text)


def test_a_missing_file_is_an_error_that_says_how_to_make_it(tmp_path: Path):
    with pytest.raises(ConfigError, match="python -m dashboards"):
        document.read(tmp_path / "nothing.json")
