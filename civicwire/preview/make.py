"""Make the preview: read the dashboards, ask the warehouse, write a page for each and an index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.api_core.exceptions import GoogleAPIError
from plotly.offline import get_plotlyjs

from civicwire.preview import document, page, results, units
from civicwire.preview.measured import measure
from civicwire.preview.period import Period
from civicwire.preview.results import Result
from civicwire.settings import ROOT, Settings
from schemas.errors import ConfigError
from stream_jobs.warehouse.connection import Warehouse, connect, explained

GENERATED = ROOT / "dashboards" / "generated"
INDEX = "index.html"
SCRIPT = "plotly.min.js"

_FEEDS = """
select
    receipts.source,
    receipts.polls,
    receipts.last_poll,
    receipts.newest_event
from (
    select
        source,
        count(*) as polls,
        max(finished_at) as last_poll,
        max(newest_event_local) as newest_event
    from {marts}.stg_polls
    group by source
) as receipts
order by receipts.source
"""
_HELD = "select min(month) as first, max(month) as last, sum(incidents) as incidents from {marts}.city_month_trend"


@dataclass(frozen=True, slots=True)
class Page:
    """One dashboard that was made: its file, its period and what became of each panel with a query.

    Attributes:
        name: of the dashboard's file, without its ending.
        dashboard: as it was read.
        file: the page.
        period: that it shows.
        results: of the panels with a query.
        errors: of variables and annotations.
    """

    name: str
    dashboard: document.Dashboard
    file: Path
    period: Period
    results: tuple[Result, ...]
    errors: tuple[str, ...]

    @property
    def failed(self) -> tuple[Result, ...]:
        """The panels whose query failed."""
        return tuple(result for result in self.results if result.error)

    def panel(self, number: int) -> Result:
        """Return the result of the panel with that id."""
        return next(result for result in self.results if result.panel.id == number)


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview that was made: its index and its pages."""

    index: Path
    pages: tuple[Page, ...]

    @property
    def results(self) -> tuple[Result, ...]:
        """Of all pages."""
        return tuple(result for one in self.pages for result in one.results)

    @property
    def failed(self) -> tuple[Result, ...]:
        """The panels whose query failed, of all pages."""
        return tuple(result for one in self.pages for result in one.failed)

    @property
    def errors(self) -> tuple[str, ...]:
        """Of variables and annotations, of all pages."""
        return tuple(f"{one.name}: {error}" for one in self.pages for error in one.errors)

    def page(self, name: str) -> Page:
        """Return the page of the dashboard whose file has that name."""
        return next(one for one in self.pages if one.name == name)


def make(
    settings: Settings,
    folder: Path,
    *,
    source: Path = GENERATED,
    names: Iterable[str] = (),
    time_from: str | None = None,
    time_to: str | None = None,
    now: datetime | None = None,
) -> Preview:
    """Write an index and a page for each dashboard of ``source`` into ``folder``, failed panels and all.

    Args:
        settings: which warehouse.
        folder: where the pages go; it is made.
        source: the folder of the dashboards' JSON.
        names: file names of dashboards without their endings; all of them when empty.
        time_from: start of the period instead of the dashboards' own, as Grafana or ISO writes times.
        time_to: end of the period likewise.
        now: the UTC instant that counts as now; the clock's when None.

    Raises:
        ConfigError: a dashboard or the period cannot be read, or there is none of that name.
        EnvironmentMissingError: the warehouse is not running.
    """
    now = now or datetime.now(UTC)
    dashboards = _chosen(source, list(names))
    periods = {
        name: Period.of(time_from or one.time_from, time_to or one.time_to, now) for name, one in dashboards.items()
    }
    warehouse = connect(settings)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCRIPT).write_text(get_plotlyjs(), encoding="utf-8")
    siblings = tuple((one.title, f"{name}.html") for name, one in dashboards.items())
    pages = []
    try:
        with explained():  # the client itself needs credentials; what a panel's query meets is in its result
            client = warehouse.client
        facts = page.Facts(
            made_at=now,
            warehouse=f"{settings.project} ({'BigQuery' if warehouse.rest is None else 'the local BigQuery emulator'})",
            feeds=_feeds(warehouse, now),
            held=_held(warehouse),
            siblings=siblings,
        )
        for name, dashboard in dashboards.items():
            answering = measure(settings) if any(one.metric for one in dashboard.panels) else None
            dataset = {"dataset": (settings.dataset,)}
            answers = results.run(client, dashboard, periods[name], dataset, answering)
            file = folder / f"{name}.html"
            file.write_text(page.render(dashboard, answers, periods[name], facts), encoding="utf-8")
            asked = tuple(result for result in answers.panels if result.panel.asks)
            pages.append(Page(name, dashboard, file, periods[name], asked, answers.errors))
    finally:
        warehouse.close()
    index = folder / INDEX
    cards = [(one.dashboard, one.file.name, _state(one)) for one in pages]
    index.write_text(page.index(cards, facts), encoding="utf-8")
    return Preview(index, tuple(pages))


def _chosen(source: Path, names: list[str]) -> dict[str, document.Dashboard]:
    """Return the dashboards by the name of their file: those about cities first, each folder by title."""
    files = {path.stem: path for path in sorted(source.rglob("*.json"))}
    if not files:
        raise ConfigError(f"There is no dashboard in {source}: write them with `python -m dashboards`.")
    if unknown := [name for name in names if name not in files]:
        raise ConfigError(f"There is no dashboard {', '.join(unknown)}: use some of {', '.join(files)}.")
    return {name: document.read(path) for name, path in files.items() if not names or name in names}


def _state(made: Page) -> str:
    empty = sum(result.empty and not result.error for result in made.results)
    words = [f"{len(made.results)} panels"]
    if made.failed or made.errors:
        words.append(f"{len(made.failed) + len(made.errors)} failed")
    if empty:
        words.append(f"{empty} without rows")
    return ", ".join(words)


def _feeds(warehouse: Warehouse, now: datetime) -> tuple[str, ...]:
    """Return a line for each feed, or one that says why there is none; the panels carry the errors."""
    try:
        rows = list(warehouse.client.query(_FEEDS.format(marts=f"{warehouse.dataset}_marts")).result())
    except GoogleAPIError as error:
        return (f"The feeds' figures could not be read: {error}",)
    return tuple(
        f"{row.source}: {row.polls:,} polls, newest event {row.newest_event} local, "
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
