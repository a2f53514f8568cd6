"""Marts that are built on after changes equal marts that are built anew."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import marts_data
import pytest
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
    before: dict[str, dict[Any, Any]]
    after: dict[str, dict[Any, Any]]


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
        before = {mart: _changed_at(warehouse, mart) for mart in MARTS}
        feeds.change()
        feeds.insert(4, MONTHS[9:])
        feeds.poll()
        _build(settings, warehouse, feeds, "run", *(f"+{mart}" for mart in MARTS))
        after = {mart: _changed_at(warehouse, mart) for mart in MARTS}
        after_changes = {mart: _rows(warehouse, mart) for mart in MARTS}
        _build(settings, warehouse, feeds, "run", *(f"+{mart}" for mart in MARTS), "--full-refresh")
        yield Built(after_changes, {mart: _rows(warehouse, mart) for mart in MARTS}, before, after)
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
