"""What panels of the demo's dashboards must show, counted from the rows that the sandbox portal publishes.

Nothing here asks the warehouse or repeats its SQL: rows are read as published and counted in Python.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from civicwire.preview.make import Page
from civicwire.preview.period import Period
from civicwire.preview.results import Result
from civicwire.sandbox.client import SandboxClient
from dashboards.feeds import LOS_ANGELES, TITLES

Figures = dict[str, int]
Row = dict[str, Any]
DENVER = ZoneInfo("America/Denver")


@dataclass(frozen=True, slots=True)
class Check:
    """One panel that is compared.

    Attributes:
        page: of the preview.
        panel: its id.
        shown: what the panel's rows say.
        counted: what the portal's rows say, of those that lie in the page's period.
    """

    page: str
    panel: int
    shown: Callable[[Result], Figures]
    counted: Callable[[SandboxClient, Period], Figures]


def _by_first(*columns: str) -> Callable[[Result], Figures]:
    """Read a panel's rows as the sum of some columns by the first one."""

    def shown(result: Result) -> Figures:
        at = [result.columns.index(column) for column in columns]
        return {str(row[0]): sum(int(row[one] or 0) for one in at) for row in result.rows}

    return shown


def _by_column(result: Result) -> Figures:
    """Read a panel's one row by its columns."""
    return {column: int(value) for column, value in zip(result.columns, result.rows[0], strict=True)}


def _inside(rows: Iterable[tuple[Row, date]], period: Period) -> Iterator[tuple[Row, date]]:
    """Yield the rows whose month begins in the period, as the panels choose them."""
    for row, day in rows:
        if period.start.date() <= day.replace(day=1) <= period.end.date():
            yield row, day


def _austin_by_year(portal: SandboxClient, period: Period) -> Figures:
    rows = (
        (row, date.fromisoformat(str(row.get("occ_date_time") or row["occ_date"])[:10]))
        for row in portal.truth("austin_crime_reports")
    )
    return dict(Counter(str(day.year) for _, day in _inside(rows, period)))


def _calls_by_quarter(portal: SandboxClient, period: Period) -> Figures:
    rows = ((row, date.fromisoformat(row["date_time"][:10])) for row in portal.truth("san_diego_calls"))
    return dict(Counter(_quarter(day) for _, day in _inside(rows, period)))


def _quarter(day: date) -> str:
    return f"{day.year}-{(day.month - 1) // 3 * 3 + 1:02d}"


def _shown_quarters(result: Result) -> Figures:
    return {f"{row[0]:%Y-%m}": int(row[1] or 0) + int(row[2] or 0) for row in result.rows}


def _reports_by_area(portal: SandboxClient, period: Period) -> Figures:
    rows = (
        (row, date.fromisoformat(row["date_occ"][:10]))
        for source in LOS_ANGELES.sources
        for row in portal.truth(source)
    )
    return dict(Counter(row["area_name"] for row, _ in _inside(rows, period)))


def _accidents(portal: SandboxClient, period: Period) -> Figures:
    rows = (
        (row, datetime.fromtimestamp(int(row["first_occurrence_date"]) / 1000, UTC).astimezone(DENVER).date())
        for row in portal.truth("denver_traffic_accidents")
    )
    found = [row for row, _ in _inside(rows, period)]
    return {
        "accidents": len(found),
        "seriously_injured": sum(int(row["SERIOUSLY_INJURED"]) for row in found),
        "fatalities": sum(int(row["FATALITIES"]) for row in found),
    }


_SEXES = {"Home": "male", "Dona": "female"}


def _persons_by_sex(portal: SandboxClient, period: Period) -> Figures:
    rows = ((row, date(int(row["any"]), int(row["num_mes"]), 1)) for row in portal.truth("catalonia_hate_persons"))
    return dict(Counter(_SEXES.get(row["sexe"], "unknown") for row, _ in _inside(rows, period)))


def _rows_by_feed(portal: SandboxClient, period: Period) -> Figures:  # noqa: ARG001 - whatever the period is
    held = portal.health()["feeds"]
    return {title: int(held[source]["rows"]) for source, title in TITLES.items()}


_NO_INCIDENTS = ("catalonia_hate_persons", "california_laus")
"""Feeds whose rows are no incidents and have no windows."""


def _incidents_by_feed(portal: SandboxClient, period: Period) -> Figures:
    without = {TITLES[source] for source in _NO_INCIDENTS}
    return {title: rows for title, rows in _rows_by_feed(portal, period).items() if title not in without}


def _shown_months(result: Result) -> Figures:
    """Read the table of windows: what is in them now, by feed, where the window is a month."""
    feed, grain, now = (result.columns.index(name) for name in ("feed_name", "grain", "incidents"))
    return {str(row[feed]): int(row[now]) for row in result.rows if row[grain] == "month"}


CHECKS = (
    Check("austin", 11, _by_first("complete", "filling"), _austin_by_year),
    Check("cities", 41, _shown_quarters, _calls_by_quarter),
    Check("los_angeles", 21, _by_first("total"), _reports_by_area),
    Check("denver", 2, _by_column, _accidents),
    Check("hate_crimes", 11, _by_first("victims", "authors"), _persons_by_sex),
    Check("is_it_true", 11, _by_first("warehouse_rows"), _rows_by_feed),
    Check("pipeline", 23, _shown_months, _incidents_by_feed),
)
"""At least one panel of every dashboard; a test holds that none is missing."""


def compared(portal: SandboxClient, pages: Iterable[Page]) -> Iterator[tuple[str, str, Figures, Figures]]:
    """Yield dashboard, panel, the portal's figures and the panel's for every check."""
    by_name = {page.name: page for page in pages}
    for check in CHECKS:
        page = by_name[check.page]
        result = page.panel(check.panel)
        yield page.dashboard.title, result.panel.title, check.counted(portal, page.period), check.shown(result)
