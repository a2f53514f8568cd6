"""``civicwire tables`` and ``civicwire query`` on marts made by dbt."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from civicwire.cli import app
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from marts_data import MadeMarts

pytestmark = pytest.mark.parts

NEWEST = "select source, record_id, occurred_at, latitude, revision from incidents order by incident_id limit 40"


@pytest.fixture
def run(made_marts: MadeMarts, monkeypatch: pytest.MonkeyPatch):
    """The command line on the made warehouse."""
    settings = made_marts.settings
    monkeypatch.setenv("CIVICWIRE_HOME", str(settings.home))
    monkeypatch.setenv("CIVICWIRE_DATASET", settings.dataset)
    monkeypatch.setenv("CIVICWIRE_WAREHOUSE", settings.warehouse)
    monkeypatch.setenv("CIVICWIRE_WAREHOUSE_GRPC", settings.warehouse_grpc)

    def invoke(*arguments: str) -> Result:
        outcome = CliRunner().invoke(app, arguments)
        assert outcome.exception is None, outcome.exception
        return outcome

    return invoke


def test_tables_lists_what_the_writer_and_dbt_made_with_rows_and_meaning(run, made_marts: MadeMarts):
    found = {line["name"]: line for line in map(json.loads, run("tables", "--json").stdout.splitlines())}
    assert found["made.incidents"]["rows"] == len(made_marts.made.incidents)
    trend = found["made_marts.city_month_trend"]
    assert trend["kind"] == "TABLE"
    assert trend["partitioned_by"] == "month"
    assert trend["description"]
    staged = found["made_marts.stg_incidents"]
    assert (staged["kind"], staged["rows"]) == ("VIEW", None)
    assert not [name for name in found if name.startswith("made_stage.")]


def test_tables_with_a_name_tells_the_columns(run):
    found = {line["name"]: line for line in map(json.loads, run("tables", "incidents", "--json").stdout.splitlines())}
    assert found["incident_id"]["kind"] == "STRING"
    assert found["occurred_at"]["kind"] == "TIMESTAMP"
    assert found["occurred_at"]["description"]
    assert "occurred_at" in run("tables", "incidents").stdout
    assert "month" in run("tables", "made_marts.city_month_trend").stdout


def test_csv_has_a_header_and_the_rows_as_the_warehouse_has_them(run, made_marts: MadeMarts):
    expected = list(made_marts.warehouse.query(NEWEST.replace("incidents", "made.incidents")))
    header, *rows = csv.reader(io.StringIO(run("query", NEWEST, "--csv").stdout))
    assert header == ["source", "record_id", "occurred_at", "latitude", "revision"]
    assert len(rows) == len(expected) == 40
    for row, true in zip(rows, expected, strict=True):
        assert row[:2] == [true.source, true.record_id]
        assert row[2] == (true.occurred_at.isoformat() if true.occurred_at else "")
        assert row[3:] == ["" if true.latitude is None else str(true.latitude), str(true.revision)]


def test_parquet_keeps_the_types(run, made_marts: MadeMarts, tmp_path: Path):
    path = tmp_path / "newest.parquet"
    run("query", NEWEST, "--parquet", str(path))
    table = parquet.read_table(path)
    assert [str(field.type) for field in table.schema] == [
        "string",
        "string",
        "timestamp[us, tz=UTC]",
        "double",
        "int64",
    ]
    expected = made_marts.warehouse.query(NEWEST.replace("incidents", "made.incidents"))
    assert table.to_pylist() == [dict(row.items()) for row in expected]
    assert [found.name for found in tmp_path.iterdir()] == ["newest.parquet"]


def test_a_query_without_rows_keeps_its_columns(run, tmp_path: Path):
    nothing = f"select * from ({NEWEST}) where false"
    assert run("query", nothing, "--csv").stdout == "source,record_id,occurred_at,latitude,revision\n"
    run("query", nothing, "--parquet", str(tmp_path / "none.parquet"))
    assert parquet.read_table(tmp_path / "none.parquet").num_columns == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("query", "select 1", "--csv", "--json"), "choose one"),
        (("query", "select nothing from nowhere"), "refuses this"),
        (("query", "select 1 as one", "--parquet", "/dev/null/one.parquet"), "cannot be written"),
        (("tables", "nowhere"), "refuses this"),
    ],
)
def test_what_cannot_be_done_is_an_error_that_says_why(made_marts: MadeMarts, monkeypatch, run, arguments, said):
    outcome = CliRunner().invoke(app, arguments)
    assert isinstance(outcome.exception, ConfigError)
    assert said in str(outcome.exception)
