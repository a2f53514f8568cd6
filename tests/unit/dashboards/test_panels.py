"""Every dashboard keeps the rules that Grafana does not check; several are those of grafana/dashboard-linter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from civicwire import demo_truth
from civicwire.preview import document, macros
from civicwire.preview.period import Period
from civicwire.settings import ROOT
from dashboards import panels
from dashboards.feeds import CADENCE_MINUTES, FEEDS, TITLES
from dashboards.folders import FOLDERS, plain
from dashboards.sheet import Sheet
from producers import catalog

PROVISIONING = ROOT / "dashboards" / "provisioning"
DOCUMENTS: dict[str, dict[str, Any]] = {
    name: plain(build()) for folder in FOLDERS for name, build in folder.dashboards.items()
}
ASKING = [(name, panel) for name, board in DOCUMENTS.items() for panel in board["panels"] if panel.get("targets")]
WITH_QUERY = [(name, panel) for name, panel in ASKING if "rawSql" in panel["targets"][0]]
MEASURED = [(name, panel) for name, panel in ASKING if "expr" in panel["targets"][0]]
OVER_TIME = [(name, panel) for name, panel in WITH_QUERY if panel["type"] == "timeseries"]
FIGURES = {"stat", "timeseries", "barchart", "piechart", "geomap"}
PERIOD_END = datetime(2026, 1, 15, tzinfo=UTC)
boards = pytest.mark.parametrize("board", DOCUMENTS.values(), ids=DOCUMENTS)


def _named(listed: list[tuple[str, dict[str, Any]]]) -> Any:
    return pytest.mark.parametrize("panel", [p for _, p in listed], ids=[f"{n}-{p['id']}" for n, p in listed])


def _board_of(panel: dict[str, Any]) -> dict[str, Any]:
    return next(board for board in DOCUMENTS.values() if panel in board["panels"])


def _queries(board: dict[str, Any]) -> Iterator[str]:
    """Yield every query of a dashboard: panels, variables and annotations."""
    for panel in board["panels"]:
        yield from (target["rawSql"] for target in panel.get("targets") or [] if "rawSql" in target)
    yield from (one["query"]["rawSql"] for one in board["templating"]["list"] if one["type"] == "query")
    yield from (one["target"]["rawSql"] for one in board["annotations"].get("list", []) if one.get("target"))


def test_there_are_the_seven_dashboards_in_two_folders():
    assert set(DOCUMENTS) == {
        "cities", "austin", "los_angeles", "denver", "hate_crimes", "is_it_true", "pipeline"
    }  # fmt: skip
    assert len(FOLDERS) == 2


def test_uids_are_unique_and_short_enough_for_grafana():
    uids = [*(board["uid"] for board in DOCUMENTS.values()), *(folder.uid for folder in FOLDERS)]
    assert len(uids) == len(set(uids))
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}", uid) for uid in uids)


@boards
def test_the_json_is_of_the_sdks_types(board: dict[str, Any]):
    plugins.register_default_plugins()
    assert plain(Dashboard.from_json(json.loads(json.dumps(board)))) == board


@boards
def test_panel_ids_are_unique_and_set(board: dict[str, Any]):
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    assert all(isinstance(one, int) and one > 0 for one in ids)


@boards
def test_no_two_panels_overlap_none_leaves_the_grid_and_none_leaves_a_hole(board: dict[str, Any]):
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
    bottom = 1 + max(y for taken in cells.values() for _, y in taken)
    assert sum(len(taken) for taken in cells.values()) == 24 * bottom


def test_a_band_that_is_not_as_wide_as_the_grid_is_an_error():
    sheet = Sheet("u", "T", "D", since="now-1y", tags=[])
    with pytest.raises(ValueError, match="make 12, not 24"):
        sheet.band(4, (12, panels.note(1, "t", "d", html="")))


@boards
def test_a_dashboard_has_title_description_tags_and_links_to_the_others(board: dict[str, Any]):
    assert board["title"]
    assert len(board["description"]) > 40
    assert "civicwire" in board["tags"]
    assert board["editable"] is False
    others = [link for link in board["links"] if link["type"] == "dashboards"]
    assert [link["tags"] for link in others] == [["civicwire"]]
    assert all(link["includeVars"] and link["keepTime"] for link in others)


@boards
def test_a_dashboard_begins_with_its_freshness(board: dict[str, Any]):
    first = min((panel for panel in board["panels"] if panel.get("targets")), key=lambda one: one["gridPos"]["y"])
    assert (first["id"], first["type"], first["title"]) == (1, "stat", "Freshness")


@boards
def test_a_dashboard_has_variables_with_labels_and_words(board: dict[str, Any]):
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == panels.DATASOURCE_TYPE
    assert all(one["label"] for one in variables.values())
    for name, one in variables.items():
        if name != "dataset":
            assert one["description"]
        if one["type"] == "query":
            assert one["datasource"]["uid"] == "${datasource}"
            assert one["definition"] == one["query"]["rawSql"].strip()
    assert set(variables) & {"per", "category", "city", "feed"}


@boards
def test_every_variable_is_used_and_every_one_used_is_there(board: dict[str, Any]):
    variables = {one["name"] for one in board["templating"]["list"] if one["type"] != "datasource"}
    used = {name for sql in _queries(board) for name in re.findall(r"\$\{(\w+)[:}]", sql) if not name.startswith("__")}
    assert used == variables


@boards
def test_nothing_names_a_data_source_or_a_project(board: dict[str, Any]):
    text = json.dumps(board)
    assert "civicwire-bigquery" not in text
    assert "civicwire-local" not in text
    for sql in _queries(board):
        assert re.findall(r"(?:from|join) (\w+)\.", sql) == [], "the dataset is a variable"


@_named(WITH_QUERY)
def test_a_panel_asks_the_variable_data_source(panel: dict[str, Any]):
    for holder in (panel, panel["targets"][0]):
        assert holder["datasource"] == {"type": panels.DATASOURCE_TYPE, "uid": "${datasource}"}


@_named(MEASURED)
def test_a_panel_about_parts_asks_the_prometheus_variable(panel: dict[str, Any]):
    for holder in (panel, panel["targets"][0]):
        assert holder["datasource"] == {"type": "prometheus", "uid": "${prometheus}"}
    assert "prometheus" in {one["name"] for one in _board_of(panel)["templating"]["list"]}
    assert panel["fieldConfig"]["defaults"]["unit"]


@_named(ASKING)
def test_a_panel_has_title_description_and_words_for_no_rows(panel: dict[str, Any]):
    assert panel["title"]
    assert len(panel["description"]) > 10
    assert panel["fieldConfig"]["defaults"]["noValue"]


@_named(WITH_QUERY)
def test_every_column_of_a_query_has_a_heading_and_every_number_a_unit(panel: dict[str, Any]):
    overrides = {
        one["matcher"]["options"]: {p["id"]: p["value"] for p in one["properties"]}
        for one in panel["fieldConfig"]["overrides"]
    }
    columns = _columns(panel["targets"][0]["rawSql"]) - {"time"}
    assert columns == set(overrides), "an override for a column that the query does not have, or the reverse"
    texts = {name for name, one in overrides.items() if "unit" not in one}
    named_by_row = panel["type"] in {"stat", "piechart"} and texts
    for name, one in overrides.items():
        if not (named_by_row and name not in texts):
            assert one.get("displayName"), name
    if panel["type"] in FIGURES:
        unit = panel["fieldConfig"]["defaults"].get("unit")
        assert len([name for name in texts if not unit or name not in {"name", "feed"}]) <= 1
    elif panel["type"] == "table":
        assert texts, "a table of numbers alone does not say what they belong to"


def _columns(sql: str) -> set[str]:
    """Return the names of the outermost select list: the last word of each of its expressions."""
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


@boards
def test_every_query_expands_with_the_dashboards_own_variables_and_period(board: dict[str, Any]):
    variables = {
        one.name: one.values or ("a value",)
        for one in (document._variable(v) for v in board["templating"]["list"] if document._asked(v))
    }
    period = Period.of(board["time"]["from"], board["time"]["to"], PERIOD_END)
    for sql in _queries(board):
        assert "$" not in macros.expand(sql, period, variables)
        assert sql == sql.lower() or not re.search(r"\b(SELECT|FROM|WHERE|GROUP|ORDER)\b", sql), (
            "keywords are lower case"
        )


@_named([(name, panel) for name, panel in OVER_TIME if name != "pipeline"])
def test_breaks_are_marked_where_there_are_charts_over_time(panel: dict[str, Any]):
    marked = [one for one in _board_of(panel)["annotations"]["list"] if one["name"] == "Breaks"]
    assert len(marked) == 1
    assert marked[0]["enable"]


@_named(OVER_TIME)
def test_a_chart_over_time_has_one_axis_and_a_line_names_it(panel: dict[str, Any]):
    custom = panel["fieldConfig"]["defaults"]["custom"]
    placed = [
        prop["id"] for one in panel["fieldConfig"]["overrides"] for prop in one["properties"]
        if prop["id"] in {"custom.axisPlacement", "custom.axisLabel"}
    ]  # fmt: skip
    assert placed == []
    if custom["drawStyle"] == "line":
        assert custom["axisLabel"]


@_named(WITH_QUERY)
def test_few_colours(panel: dict[str, Any]):
    colours = {
        prop["value"].get("fixedColor")
        for one in panel["fieldConfig"]["overrides"]
        for prop in one["properties"]
        if prop["id"] == "color"
    } - {None}
    assert len(colours) <= 4


@_named([(name, panel) for name, panel in WITH_QUERY if panel["type"] in {"timeseries", "barchart", "piechart"}])
def test_rows_of_different_kinds_are_never_one_number(panel: dict[str, Any]):
    """A column may add up feeds only where they count the same thing."""
    kinds = {source.key: source.kind for source in catalog.load_all().values()}
    sql = panel["targets"][0]["rawSql"]
    for listed in re.findall(r"source in \(([^)$]*)\)", sql):
        named = re.findall(r"'(\w+)'", listed)
        if "kind" in sql or re.search(r"sum\(if\(source in", sql):
            continue
        assert len({kinds[one] for one in named}) <= 1, panel["title"]


def test_a_map_looks_at_its_city():
    maps = [panel for _, panel in WITH_QUERY if panel["type"] == "geomap"]
    assert len(maps) == 3
    for panel in maps:
        view = panel["options"]["view"]
        assert 8 <= view["zoom"] <= 12
        assert -125 < view["lon"] < -95
        assert 25 < view["lat"] < 45


def test_every_feed_of_the_catalog_has_a_name_a_cadence_and_a_page():
    sources = catalog.load_all()
    assert set(TITLES) == set(sources)
    assert {source.key: source.cadence_minutes for source in sources.values()} == CADENCE_MINUTES
    assert {source for feed in FEEDS for source in feed.sources} == set(sources)
    assert {zone for feed in FEEDS for zone in [feed.zone]} <= {str(source.time_zone) for source in sources.values()}


def test_the_demo_compares_a_panel_of_every_dashboard_with_the_truth():
    assert {check.page for check in demo_truth.CHECKS} == set(DOCUMENTS)
    for check in demo_truth.CHECKS:
        assert check.panel in {panel["id"] for panel in DOCUMENTS[check.page]["panels"]}


def test_provisioning_has_every_folder_and_data_source():
    dashboards = yaml.safe_load((PROVISIONING / "dashboards/civicwire.yaml").read_text())
    assert {(one["folderUid"], one["folder"], one["options"]["path"]) for one in dashboards["providers"]} == {
        (folder.uid, folder.title, f"${{CIVICWIRE_DASHBOARDS}}/{folder.name}") for folder in FOLDERS
    }
    assert not any(one["allowUiUpdates"] for one in dashboards["providers"])
    for name in ("bigquery.yaml", "bigquery-cloud.yaml.example"):
        (source,) = yaml.safe_load((PROVISIONING / "datasources" / name).read_text())["datasources"]
        assert source["type"] == panels.DATASOURCE_TYPE
        assert source["uid"] == "civicwire-bigquery"
        assert source["isDefault"], "a dashboard that is opened first takes it"


def test_the_emulators_endpoint_ends_with_a_slash():
    provisioned = yaml.safe_load((PROVISIONING / "datasources/bigquery.yaml").read_text())
    settings = provisioned["datasources"][0]["jsonData"]
    assert settings["serviceEndpoint"].endswith("/bigquery/v2/")
    assert "enableStorageAPI" not in settings


def test_dbt_knows_which_marts_each_dashboard_reads():
    exposures = yaml.safe_load((ROOT / "dbt/models/exposures.yml").read_text(encoding="utf-8"))["exposures"]
    told = {one["name"]: {ref[5:-2] for ref in one["depends_on"]} for one in exposures}
    read = {
        name: {mart for sql in _queries(board) for mart in re.findall(r"_marts\.(\w+)", sql)}
        for name, board in DOCUMENTS.items()
    }
    assert told == read
