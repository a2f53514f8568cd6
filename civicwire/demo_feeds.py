"""What the demo's portal publishes: every feed of the catalog, over the years in which the real one has rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class DemoFeed:
    """One feed of the demo.

    Attributes:
        source: key of the source file.
        share: its rows in 1,000 of the demo's.
        least: rows that it has at least, so that its panels are filled in a small demo too.
        years_back: its first day is the first of January so many years before the last one.
        since: its first day instead.
        until: its last day where it is frozen; yesterday where None.
        changes: whether the live change of the demo touches it; frozen tables stay as they are.
    """

    source: str
    share: int
    least: int
    years_back: int = 0
    until: date | None = None
    since: date | None = None
    changes: bool = False

    def rows(self, total: int) -> int:
        """Return its rows in a demo of ``total`` rows."""
        return max(total * self.share // 1_000, self.least)

    def days(self, today: date) -> tuple[date, date]:
        """Return its first and its last day."""
        last = self.until or today - timedelta(days=1)
        return self.since or date(last.year - self.years_back, 1, 1), last


DEMO_FEEDS = (
    DemoFeed("austin_crime_reports", 250, 800, since=date(2021, 1, 1), changes=True),  # after its break
    DemoFeed("san_diego_calls", 190, 600, changes=True),  # one file a year, and only the newest is read
    DemoFeed("la_crime_2010_2019", 60, 200, 1, date(2019, 12, 31)),
    DemoFeed("la_crime_2020_2024", 150, 600, 4, date(2024, 12, 30)),
    DemoFeed("la_nibrs_offenses", 70, 300, 2, changes=True),
    DemoFeed("catalonia_hate_facts", 40, 300, 4, date(2024, 12, 31)),
    DemoFeed("catalonia_hate_persons", 50, 300, 3, date(2023, 12, 31)),
    DemoFeed("california_laus", 0, 576),  # six series over 96 months back from the end of 2025, whatever the days
    DemoFeed("denver_traffic_accidents", 100, 500, 3, changes=True),
    DemoFeed("denver_311", 50, 300, changes=True),
    DemoFeed("denver_311_archive", 40, 300, 2, date(2025, 12, 31)),
)
"""Frozen tables end on the day on which the city's own do."""

CHANGES = {"insert": 10, "late": 5, "revise": 10, "delete": 5}
"""Rows that the live change touches in each feed that it touches."""


def total(rows: int) -> int:
    """Return how many rows a demo of ``rows`` rows publishes: small feeds have their least."""
    return sum(feed.rows(rows) for feed in DEMO_FEEDS)


def published(receipt: dict[str, Any]) -> int:
    """Return how many rows of a poll's receipt are changed in the warehouse by it."""
    return sum(int(receipt[name]) for name in ("inserted", "revised", "reappeared", "deleted"))
