"""The marts on the warehouse emulator, against counts made in Python from the same rows."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import date, time
from typing import Any

import pytest
from google.cloud import bigquery
from marts_data import SAN_DIEGO, MadeMarts
from typer.testing import CliRunner

from civicwire.cli import app
from civicwire.commands import build
from civicwire.settings import ROOT, Settings
from schemas.errors import ConfigError, EnvironmentMissingError

pytestmark = pytest.mark.parts


def _rows(marts: MadeMarts, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in marts.warehouse.client.query(sql.format(marts="made_marts")).result()]


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "CIVICWIRE_HOME": str(settings.home),
        "CIVICWIRE_DATASET": settings.dataset,
        "CIVICWIRE_WAREHOUSE": str(settings.warehouse),
        "CIVICWIRE_WAREHOUSE_GRPC": str(settings.warehouse_grpc),
    }


def _month(row: dict[str, Any]) -> date:
    return row["occurred_date"].replace(day=1)


def test_a_build_makes_every_model_and_passes_every_test(made_marts: MadeMarts):
    done = made_marts.build
    assert done.failed == ()
    assert {node.status for node in done.nodes} == {"success", "pass"}
    names = {node.name for node in done.nodes}
    models = {path.stem for path in (ROOT / "dbt" / "models").rglob("*.sql")}
    equations = {path.stem for path in (ROOT / "dbt" / "tests").glob("*.sql")}
    seeds = {path.stem for path in (ROOT / "dbt" / "seeds").glob("*.csv")}
    assert models | equations | seeds <= names
    assert sum(node.kind == "unit_test" for node in done.nodes) == 14


def test_dbts_own_pages_have_the_catalogue_of_a_warehouse_that_runs(made_marts: MadeMarts):
    page = build.docs(made_marts.settings).read_text(encoding="utf-8")
    catalogue = json.loads((made_marts.settings.home / "dbt" / "docs" / "catalog.json").read_text(encoding="utf-8"))
    trend = catalogue["nodes"]["model.civicwire.city_month_trend"]
    assert {"source", "month", "incidents"} <= trend["columns"].keys()
    assert "trend_equals_live_incidents" in page
    assert '"send_anonymous_usage_stats": true' not in page


def test_the_monthly_trend_equals_a_count_of_the_incidents_that_exist(made_marts: MadeMarts):
    expected = Counter((r["source"], r["kind"], _month(r), r["category"]) for r in made_marts.made.live)
    late = Counter((r["source"], r["kind"], _month(r), r["category"]) for r in made_marts.made.live if r["late"])
    found = _rows(made_marts, "select source, kind, month, category, incidents, late from {marts}.city_month_trend")
    assert {row[:4]: row[4] for row in found} == expected
    assert {row[:4]: row[5] for row in found if row[5]} == late
    assert len(found) == len(expected)


def test_a_trend_is_joined_to_what_its_rows_are_and_to_its_breaks(made_marts: MadeMarts):
    found = _rows(
        made_marts,
        """
        select feeds.source, unit, break_date, effect from {marts}.feeds left join {marts}.breaks using (source)
        where source in ('austin_crime_reports', 'san_diego_calls') order by source, break_date
        """,
    )
    assert found == [
        ("austin_crime_reports", "highest_offence", date(2021, 1, 1), "definition"),
        ("austin_crime_reports", "highest_offence", date(2025, 1, 1), "columns"),
        ("san_diego_calls", "calls", None, None),
    ]


def test_the_share_of_violent_and_property_crime_is_a_join_with_the_taxonomy(made_marts: MadeMarts):
    violent, propertied = {"robbery"}, {"theft", "burglary", "vehicle_theft"}
    crimes = Counter(row["category"] for row in made_marts.made.live if row["kind"] == "crime_report")
    found = _rows(
        made_marts,
        """
        select index_crime, sum(incidents) from {marts}.city_month_trend join {marts}.categories using (category)
        where kind = 'crime_report' and index_crime is not null group by index_crime order by index_crime
        """,
    )
    assert found == [
        ("property", sum(crimes[name] for name in propertied)),
        ("violent", sum(crimes[name] for name in violent)),
    ]


def test_only_the_month_of_a_sources_newest_incident_is_incomplete(made_marts: MadeMarts):
    newest: dict[str, date] = {}
    for row in made_marts.made.live:
        newest[row["source"]] = max(newest.get(row["source"], date.min), _month(row))
    found = _rows(made_marts, "select distinct source, month from {marts}.city_month_trend where not is_complete")
    assert dict(found) == newest


def test_weekday_and_hour_are_those_of_the_civil_clock(made_marts: MadeMarts):
    timed = [row for row in made_marts.made.live if row["time_precision"] in {"minute", "second"}]
    expected = Counter(
        (
            r["source"],
            _month(r),
            r["occurred_local"].isoweekday(),
            f"{r['occurred_local']:%A}",
            r["occurred_local"].hour,
        )
        for r in timed
    )
    found = _rows(
        made_marts,
        "select source, month, weekday, weekday_name, hour, incidents, first_minute from {marts}.hour_by_weekday",
    )
    assert {row[:5]: row[5] for row in found} == expected
    assert sum(row[6] for row in found) == sum(r["occurred_local"].time() < time(0, 1) for r in timed)
    left_out = _rows(made_marts, "select sum(without_time_of_day) from {marts}.city_month_trend")
    assert left_out == [(len(made_marts.made.live) - len(timed),)]
    assert left_out != [(0,)]


def test_calls_keep_their_beat_and_the_lookup_doubles_none(made_marts: MadeMarts):
    with (ROOT / "dbt" / "seeds" / "san_diego_beats.csv").open(encoding="utf-8") as file:
        names = {row["beat"]: row["neighborhood"] for row in csv.DictReader(file)}
    calls = [row for row in made_marts.made.live if row["source"] == SAN_DIEGO]
    expected = Counter(
        (
            _month(r),
            r["code"] or "unknown",
            r["description"] or "not in the lookup",
            r["area"] or "unknown",
            names.get(r["area"], "not in the lookup"),
            r["priority"] or "unknown",
        )
        for r in calls
    )
    found = _rows(
        made_marts,
        """
        select month, call_type, call_type_description, beat, neighborhood, priority, calls
        from {marts}.calls_by_type_and_beat
        """,
    )
    assert {row[:6]: row[6] for row in found} == expected
    assert sum(row[6] for row in found) == len(calls)


@pytest.mark.parametrize("mart", ["city_month_trend", "hour_by_weekday", "calls_by_type_and_beat", "incidents_by_area"])
def test_a_mart_is_partitioned_by_month_and_clustered(made_marts: MadeMarts, mart: str):
    table = made_marts.warehouse.client.get_table(f"made_marts.{mart}")
    assert (table.time_partitioning.type_, table.time_partitioning.field) == ("MONTH", "month")
    assert table.clustering_fields[0] == "source"


def test_a_window_that_differs_from_the_facts_fails_the_build_unless_rows_are_being_loaded(made_marts: MadeMarts):
    client: bigquery.Client = made_marts.warehouse.client
    change = (
        "update made.incident_counts set incidents = incidents + {by} "
        "where source = 'austin_crime_reports' and grain = 'month' and version = {version}"
    )
    row = next(one for one in made_marts.made.incident_counts if one["grain"] == "month")
    command = ["build", "--select", "trend_equals_windows", "--json"]
    client.query(change.format(by=1, version=row["version"])).result()
    try:
        broken = CliRunner().invoke(app, command, env=_environment(made_marts.settings))
        loading = CliRunner().invoke(app, [*command, "--while-loading"], env=_environment(made_marts.settings))
    finally:
        client.query(change.format(by=-1, version=row["version"])).result()
    assert broken.exit_code == 1
    answer = json.loads(broken.stdout)
    tests = [node for node in answer["nodes"] if node["kind"] == "test"]
    assert [(node["name"], node["status"]) for node in tests] == [("trend_equals_windows", "fail")]
    assert "Got 1 result" in tests[0]["message"]
    assert loading.exit_code == 0
    assert "warn" in {node["status"] for node in json.loads(loading.stdout)["nodes"]}


def test_the_sources_are_fresh_just_after_loading(made_marts: MadeMarts):
    done = build.freshness(made_marts.settings)
    assert {node.name: node.status for node in done.nodes} == {
        "incidents": "pass",
        "incident_counts": "pass",
        "polls": "pass",
    }


def test_a_selection_that_matches_nothing_is_bad_input(made_marts: MadeMarts):
    with pytest.raises(ConfigError, match="no_such_model"):
        build.run(made_marts.settings, select=["no_such_model"])


def test_a_warehouse_that_is_not_running_is_named(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    for name in ("CIVICWIRE_WAREHOUSE", "CIVICWIRE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EnvironmentMissingError, match="civicwire up"):
        build.run(Settings(home=tmp_path))
