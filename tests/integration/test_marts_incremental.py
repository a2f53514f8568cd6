"""Marts that are built on after changes equal marts that are built anew."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import marts_data
import pytest
import yaml
from bytes_scanned import Scanner
from marts_changing import MONTHS, Feeds

from civicwire.commands import build
from civicwire.settings import ROOT, Settings
from civicwire.stack import Stack
from stream_jobs.warehouse.connection import Warehouse, connect

pytestmark = pytest.mark.parts
MARTS = sorted(
    path.stem
    for folder in ("marts", "intermediate")
    for path in (ROOT / "dbt" / "models" / folder).glob("*.sql")
    if "months_behind(" in (text := path.read_text(encoding="utf-8")) or "windows_behind(" in text
)


@dataclass(frozen=True)
class Built:
    """Rows of each mart without ``changed_at``, after changes and made anew, and what changed_at said."""

    after_changes: dict[str, list[str]]
    anew: dict[str, list[str]]
    after: dict[str, dict[Any, Any]]
    settings: Settings
    warehouse: Warehouse
    feeds: Feeds


@pytest.fixture(scope="module")
def built() -> Iterator[Built]:
    """Three builds on a warehouse of its own: of the first rows, after changes, and anew."""
    with (
        tempfile.TemporaryDirectory(prefix="civicwire-test-") as home,
        Stack(Path(home), ("warehouse",)) as running,
    ):
        endpoints = running.endpoints
        settings = Settings(
            home=Path(home),
            dataset="made",
            target="emulator",
            warehouse=endpoints.warehouse,
            warehouse_grpc=endpoints.warehouse_grpc,
        )
        warehouse = connect(settings)
        feeds = Feeds(seed=11)
        feeds.insert(60, MONTHS[:11])
        feeds.poll()
        _build(settings, warehouse, feeds, "seed", "feeds", "categories", "cities", "breaks", "san_diego_beats")
        _build(settings, warehouse, feeds, "run", *(f"+{mart}" for mart in MARTS))
        feeds.change()
        feeds.insert(4, MONTHS[9:])
        feeds.poll()
        _build(settings, warehouse, feeds, "run", *(f"+{mart}" for mart in MARTS))
        after = {mart: _changed_at(warehouse, mart) for mart in MARTS}
        after_changes = {mart: _rows(warehouse, mart) for mart in MARTS}
        _build(settings, warehouse, feeds, "run", *(f"+{mart}" for mart in MARTS), "--full-refresh")
        anew = {mart: _rows(warehouse, mart) for mart in MARTS}
        yield Built(after_changes, anew, after, settings, warehouse, feeds)
        warehouse.close()


def _build(settings: Settings, warehouse: Warehouse, feeds: Feeds, verb: str, *options: str) -> None:
    marts_data.fill(warehouse, feeds.made())
    results, _ = build._dbt(settings, [verb], ["--select", *options], artifact="run_results.json", progress=str)
    failed = [one for one in results["results"] if one["status"] in {"error", "fail"}]
    assert not failed, failed[0]["message"]


def _rows(warehouse: Warehouse, mart: str) -> list[str]:
    found = warehouse.client.query(f"select * from made_marts.{mart}").result()
    rows = [{name: value for name, value in row.items() if name != "changed_at"} for row in found]
    return sorted(repr(row) for row in rows)


def _changed_at(warehouse: Warehouse, mart: str) -> dict[Any, Any]:
    sql = f"select source, month, max(changed_at) from made_marts.{mart} group by source, month"
    return {(row[0], row[1]): row[2] for row in warehouse.client.query(sql).result()}


@pytest.mark.parametrize("mart", MARTS)
def test_after_inserts_revisions_moves_and_deletes_a_mart_equals_one_made_anew(built: Built, mart: str):
    assert built.anew[mart]
    assert built.after_changes[mart] == built.anew[mart]


@pytest.mark.parametrize("mart", MARTS)
def test_a_month_that_lost_all_its_rows_is_gone(built: Built, mart: str):
    emptied = ("denver_traffic_accidents", MONTHS[2])
    if mart in {"window_restatements", "hate_crime_persons"}:
        pytest.skip("windows stay with zeros; persons have no accidents")
    assert emptied not in built.after[mart]


def test_a_change_of_one_month_reads_that_month_and_stays_in_the_budget(built: Built):
    """Bytes of the incremental models' SQL as dbt compiles it: all of it, and after a change of one month in twelve."""
    budgets = yaml.safe_load((ROOT / "dbt" / "budgets.yml").read_text(encoding="utf-8"))
    client = built.warehouse.client
    _build(built.settings, built.warehouse, built.feeds, "compile", *MARTS, "--full-refresh")
    whole = _bytes(Scanner(client), built.settings)
    built.feeds.insert(1, MONTHS[8:9])
    built.feeds.poll()
    _build(built.settings, built.warehouse, built.feeds, "run", "+int_month_changes", "+int_window_changes")
    _build(built.settings, built.warehouse, built.feeds, "compile", *MARTS)
    part = _bytes(Scanner(client), built.settings)
    assert 0 < part["city_month_trend"] < whole["city_month_trend"] / 4
    assert sum(part.values()) <= budgets["incremental_share"] * sum(whole.values())
    incidents = len(built.feeds.incidents)
    assert sum(whole.values()) <= budgets["full_build_bytes_per_incident"] * incidents


def _bytes(scanner: Scanner, settings: Settings) -> dict[str, int]:
    compiled = settings.home / "dbt" / "target" / "compiled" / "civicwire" / "models"
    texts = {path.stem: path.read_text(encoding="utf-8") for path in compiled.rglob("*.sql")}
    return {mart: scanner.bytes_scanned(texts[mart]) for mart in MARTS}


def test_only_a_condition_on_the_bare_month_leaves_partitions_out(built: Built):
    scanner = Scanner(built.warehouse.client)
    mart = "select source, incidents from made_marts.city_month_trend where {}"
    everything = scanner.bytes_scanned(mart.format("true"))
    assert 0 < scanner.bytes_scanned(mart.format("month >= '2023-05-01' and month < '2023-06-01'")) < everything / 4
    assert scanner.bytes_scanned(mart.format("timestamp(month) >= timestamp '2023-05-01'")) > everything
