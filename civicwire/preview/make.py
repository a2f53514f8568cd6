"""Make the preview of a dashboard: read it, ask the warehouse, write the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.api_core.exceptions import GoogleAPIError

from civicwire.preview import document, page, results, units
from civicwire.preview.period import Period
from civicwire.preview.results import Result
from civicwire.settings import ROOT, Settings
from stream_jobs.warehouse.connection import Warehouse, connect, explained

GENERATED = ROOT / "dashboards" / "generated" / "public_safety.json"

_FEEDS = """
select
    receipts.source,
    receipts.polls,
    receipts.last_poll,
    receipts.newest_event,
    coalesce(trend.incidents, 0) as incidents
from (
    select
        source,
        count(*) as polls,
        max(finished_at) as last_poll,
        max(newest_event_local) as newest_event
    from {marts}.stg_polls
    group by source
) as receipts
left join (
    select
        source,
        sum(incidents) as incidents
    from {marts}.city_month_trend
    group by source
) as trend on receipts.source = trend.source
order by receipts.source
"""
_HELD = "select min(month) as first, max(month) as last, sum(incidents) as incidents from {marts}.city_month_trend"


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview that was made: its file, its period and what became of each panel with a query."""

    file: Path
    period: Period
    results: tuple[Result, ...]

    @property
    def failed(self) -> tuple[Result, ...]:
        """The panels whose query failed."""
        return tuple(result for result in self.results if result.error)


def make(
    settings: Settings,
    file: Path,
    *,
    source: Path = GENERATED,
    time_from: str | None = None,
    time_to: str | None = None,
    now: datetime | None = None,
) -> Preview:
    """Write the page of the dashboard in ``source`` to ``file``, failed panels and all.

    Args:
        settings: which warehouse.
        file: where the page goes; its folder is made.
        source: the dashboard's JSON.
        time_from: start of the period instead of the dashboard's own, as Grafana or ISO writes times.
        time_to: end of the period likewise.
        now: the UTC instant that counts as now; the clock's when None.

    Raises:
        ConfigError: the dashboard or the period cannot be read.
        EnvironmentMissingError: the warehouse is not running.
    """
    now = now or datetime.now(UTC)
    dashboard = document.read(source)
    period = Period.of(time_from or dashboard.time_from, time_to or dashboard.time_to, now)
    warehouse = connect(settings)
    try:
        variables = {**dashboard.variables, "dataset": (settings.dataset,)}
        with explained():  # the client itself needs credentials; what a panel's query meets is in its result
            client = warehouse.client
        found = results.run(client, dashboard.panels, period, variables)
        facts = page.Facts(
            made_at=now,
            warehouse=f"{settings.project} ({'BigQuery' if warehouse.rest is None else 'the local BigQuery emulator'})",
            feeds=_feeds(warehouse, now),
            held=_held(warehouse),
        )
    finally:
        warehouse.close()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page.render(dashboard, found, period, facts), encoding="utf-8")
    return Preview(file, period, tuple(result for result in found if result.sql is not None))


def _feeds(warehouse: Warehouse, now: datetime) -> tuple[str, ...]:
    """Return a line for each feed, or one that says why there is none; the panels carry the errors."""
    try:
        rows = list(warehouse.client.query(_FEEDS.format(marts=f"{warehouse.dataset}_marts")).result())
    except GoogleAPIError as error:
        return (f"The feeds' figures could not be read: {error}",)
    return tuple(
        f"{row.source}: {row.incidents:,} incidents, {row.polls:,} polls, newest event {row.newest_event} local, "
        f"last poll {row.last_poll:%Y-%m-%d %H:%M} UTC, {units.span((now - row.last_poll).total_seconds())} ago."
        for row in rows
    ) or ("No feed has been polled yet: run `civicwire poll`.",)


def _held(warehouse: Warehouse) -> str:
    try:
        row = next(iter(warehouse.client.query(_HELD.format(marts=f"{warehouse.dataset}_marts")).result()))
    except GoogleAPIError:
        return "The marts are not there: run `civicwire build`."
    if not row.incidents:
        return "The marts hold no incident yet: run `civicwire poll`, let the jobs run, then `civicwire build`."
    return f"The marts hold {row.incidents:,} incidents, {row.first:%B %Y} to {row.last:%B %Y}."
