"""Every dashboard keeps the rules that Grafana does not check."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
import yaml

from civicwire.preview import document, macros
from civicwire.preview.period import Period
from civicwire.settings import ROOT
from dashboards import __main__ as generator

DOCUMENTS = {name: json.loads(text) for name, text in generator.documents().items()}
PANELS = [(name, panel) for name, board in DOCUMENTS.items() for panel in board["panels"]]
WITH_QUERY = [(name, panel) for name, panel in PANELS if panel.get("targets")]
FIGURES = {"stat", "timeseries", "barchart"}


def _named(panels: list[tuple[str, dict[str, Any]]]) -> Any:
    return pytest.mark.parametrize("panel", [p for _, p in panels], ids=[f"{n}-{p['id']}" for n, p in panels])


def test_uids_are_unique():
    uids = [board["uid"] for board in DOCUMENTS.values()]
    assert len(uids) == len(set(uids))


@pytest.mark.parametrize("board", DOCUMENTS.values(), ids=DOCUMENTS)
def test_panel_ids_are_unique_and_set(board: dict[str, Any]):
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    assert all(isinstance(one, int) and one > 0 for one in ids)


@pytest.mark.parametrize("board", DOCUMENTS.values(), ids=DOCUMENTS)
def test_no_two_panels_overlap_and_none_leaves_the_grid(board: dict[str, Any]):
    cells = {
        panel["id"]: {
            (x, y)
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        }
        for panel in board["panels"]
    }
    assert all(x < 24 for taken in cells.values() for x, _ in taken)
    assert [(a, b) for a, b in combinations(cells, 2) if cells[a] & cells[b]] == []


@_named(WITH_QUERY)
def test_a_panel_has_title_description_and_words_for_no_rows(panel: dict[str, Any]):
    assert panel["title"]
    assert len(panel["description"]) > 20
    assert panel["fieldConfig"]["defaults"]["noValue"]


@_named(WITH_QUERY)
def test_every_column_of_a_query_has_a_heading_and_every_number_a_unit(panel: dict[str, Any]):
    overrides = {
        one["matcher"]["options"]: {p["id"]: p["value"] for p in one["properties"]}
        for one in panel["fieldConfig"]["overrides"]
    }
    columns = _columns(panel["targets"][0]["rawSql"]) - {"time"}
    assert columns == set(overrides), "an override for a column that the query does not have, or the reverse"
    assert all(override["displayName"] for override in overrides.values())
    if panel["type"] in FIGURES:
        unit = panel["fieldConfig"]["defaults"].get("unit")
        numbers = [o for name, o in overrides.items() if name not in {"feed", "name"}]
        assert all(one.get("unit", unit) for one in numbers)


def _columns(sql: str) -> set[str]:
    """Return the names of the outermost select list: the last word of each of its lines' expressions."""
    start = [m.end() for m in re.finditer(r"^select\n", sql, re.MULTILINE)][-1]
    listed = sql[start : sql.index("\nfrom ", start)]
    depth, part, parts = 0, "", []
    for letter in listed:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += letter
    return {re.split(r"[\s.]", one.strip())[-1] for one in [*parts, part]}


@_named(WITH_QUERY)
def test_a_panel_asks_the_provisioned_data_source(panel: dict[str, Any]):
    provisioned = yaml.safe_load((ROOT / "dashboards/provisioning/datasources/bigquery.yaml").read_text())
    source = provisioned["datasources"][0]
    for holder in (panel, panel["targets"][0]):
        assert holder["datasource"] == {"type": source["type"], "uid": source["uid"]}


@_named(WITH_QUERY)
def test_a_query_expands_with_the_dashboards_own_variables_and_period(panel: dict[str, Any]):
    board = next(board for board in DOCUMENTS.values() if panel in board["panels"])
    variables = {one["name"]: document._values(one) for one in board["templating"]["list"]}
    period = Period.of(board["time"]["from"], board["time"]["to"], datetime(2026, 1, 15, tzinfo=UTC))
    expanded = macros.expand(panel["targets"][0]["rawSql"], period, variables)
    assert "$" not in expanded


def test_calls_and_crime_reports_are_never_in_one_chart():
    for _, panel in WITH_QUERY:
        if panel["type"] in {"timeseries", "barchart"}:
            sql = panel["targets"][0]["rawSql"]
            assert len(re.findall(r"source = '(\w+)'", sql)) == 1, panel["title"]


def test_the_emulators_endpoint_ends_with_a_slash():
    provisioned = yaml.safe_load((ROOT / "dashboards/provisioning/datasources/bigquery.yaml").read_text())
    settings = provisioned["datasources"][0]["jsonData"]
    assert settings["serviceEndpoint"].endswith("/bigquery/v2/")
    assert "enableStorageAPI" not in settings
