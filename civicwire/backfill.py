"""Backfill: history that a feed's bound has kept out, slice by slice backwards, beside the live polls.

A feed that was first polled with ``--since`` has a bound in its cursor: rows before that day are not read. A slice
reads the rows from an earlier day up to the bound and moves the bound there, in one transaction; so a backfill that is
stopped goes on where it was, a live poll between two slices sees a whole feed above the bound, and no row is read
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from civicwire.polling import connections
from civicwire.settings import Settings
from producers import catalog
from producers.catalog import Source
from producers.clients import Estimate
from producers.poll import Poller
from schemas.errors import ConfigError

Step = Literal["day", "month", "year"]


class Request(BaseModel):
    """A backfill as it is asked for, on the command line or in a reviewed file under ``backfills/``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    since: date
    until: date | None = None
    slice: Step = "month"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice ``[since, until)``: ISO days, and whether it moves the feed's bound or is read again below it."""

    since: str
    until: str
    widens: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """A slice and what reading it takes."""

    slice: Slice
    estimate: Estimate


def read_file(path: Path) -> Request:
    """Return the backfill that a YAML file asks for.

    Raises:
        ConfigError: the file is no such request; the message says what is wrong.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Request.model_validate(content)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path.name} is no backfill: {error}. See backfills/README.md.") from error


class Backfill:
    """A backfill of one feed.

    Args:
        settings: the home.
        request: what is asked for.

    Raises:
        ConfigError: the feed cannot be read in parts, or has never been polled, or the request leaves a gap.
    """

    def __init__(self, settings: Settings, request: Request) -> None:
        self.source: Source = catalog.find(request.source)
        if not self.source.can_be_bounded:
            raise ConfigError(
                f"{self.source.key} cannot be read in parts (its times have no order that the portal knows, or it has "
                "no key): every poll reads it whole, so it needs no backfill."
            )
        self._poller = Poller(self.source, connections(settings), role="backfill")
        try:
            self.slices = self._slices(request)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the ledger."""
        self._poller.close()

    def _slices(self, request: Request) -> list[Slice]:
        bound = self._poller.bound()
        since = request.since.isoformat()
        until = request.until.isoformat() if request.until else None
        if until is not None and until <= since:
            raise ConfigError(f"--until {until} is not after --since {since}: exchange them.")
        found = []
        if bound is not None and since < bound:
            if until is not None and until < bound:
                raise ConfigError(
                    f"{self.source.key} is held from {bound} on: a backfill up to {until} would leave a gap. "
                    f"Leave --until out, and everything from {since} to {bound} is read."
                )
            found += [Slice(first, last, widens=True) for first, last in self._cut(since, bound, request.slice)]
        again = max(since, bound) if bound is not None else since
        if until is not None and again < until and self.source.protocol.name == "socrata":
            found += [Slice(first, last, widens=False) for first, last in self._cut(again, until, request.slice)]
        if not found:
            raise ConfigError(
                f"{self.source.key} is held from {bound or 'its first row'} on, so nothing is missing since {since}. "
                "To read a part again, give its end with --until."
            )
        return found

    def _cut(self, since: str, until: str, step: Step) -> Iterator[tuple[str, str]]:
        """Yield ``[since, until)`` in slices that begin with a day, month or year, the newest first.

        A yearly file is read whole, so its slices are years; an ArcGIS layer is read whole too, in one.
        """
        if self.source.protocol.name == "arcgis":
            yield since, until
            return
        if self.source.protocol.name == "csv_file":
            step = "year"
        end = until
        while end > since:
            first = max(since, _start(date.fromisoformat(end) - timedelta(days=1), step).isoformat())
            yield first, end
            end = first

    def plan(self) -> Iterator[Planned]:
        """Yield each slice with what reading it would take; asks the portal, reads no rows but a few."""
        for one in self.slices:
            yield Planned(one, self._poller.estimate(one.since, one.until))

    def run(self, done: Callable[[Slice, dict[str, Any]], None]) -> None:
        """Read all slices; ``done`` gets each with its receipt.

        Raises:
            CivicwireError: a slice failed; those before it are kept, and the next call goes on with it.
        """
        for one in self.slices:
            read = self._poller.widen(one.since) if one.widens else self._poller.reread(one.since, one.until)
            done(one, read)


def _start(day: date, step: Step) -> date:
    """Return the first day of the day's day, month or year."""
    match step:
        case "day":
            return day
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)
