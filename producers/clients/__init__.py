"""One small client per protocol. Each asks cheaply whether anything changed and reads what did.

None remembers anything: all position comes in from the cursor and goes out with the scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from producers.catalog import ArcGis, Ckan, CsvFile, Socrata, Source
from producers.http import Portal
from producers.rows import Dead, Published

Position = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the portal says before any row is read."""

    changed: bool
    position: dict[str, str]
    """Keys of the cursor to write if the poll succeeds."""
    changed_at: datetime | None = None
    columns: list[str] | None = None
    """The columns that the portal says it has now, None when it was not asked or does not say."""
    types: dict[str, str] = field(default_factory=dict)
    """The portal's words for the columns' types, as far as it tells."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What the portal says after all rows of a scan were read."""

    position: dict[str, str]
    portal_rows: int | None
    """Rows that the portal counts under the scan's filter, None where it gives no count."""


@dataclass(slots=True)
class Scan:
    """One pass over a feed or a part of it. Read ``pages`` to the end, then call ``finish``."""

    scope: str
    complete: bool
    pages: Iterator[list[Published | Dead]]
    columns: list[str] | None = None
    types: dict[str, str] = field(default_factory=dict)
    """The portal's words for the columns' types, where they come with the rows."""
    finished: Finished | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a read would take: requests, rows and bytes; None where the portal does not tell."""

    requests: int
    rows: int | None
    bytes: int | None


class Client(Protocol):
    """What the poll protocol needs of a portal."""

    def reread(self, payload: bytes, position: Position) -> tuple[Published | Dead, str]:
        """Return the row in the bytes of a dead letter, or why it still cannot be read, and the scope it belongs to."""

    def ask(self, position: Position) -> Asked:
        """Return whether anything changed since ``position``, with at most two requests."""

    def scans(self, position: Position) -> Iterator[Scan]:
        """Yield the scans that read every change since ``position``."""

    def first_day(self) -> str | None:
        """Return the day before which rows are not read even without a bound, None if all are."""

    def reopened(self, position: Position, bound: str) -> Position:
        """Return the position without what keeps the rows before the day ``bound`` from being read now."""

    def window(self, position: Position) -> Iterator[Scan] | None:
        """Yield a scan of the rows in the client's window alone, or None where only the whole feed can be read."""

    def estimate(self) -> Estimate:
        """Return what reading the client's window would take, without reading it."""

    def recheck(self, position: Position, live_rows: int) -> Scan | None:
        """Return a complete scan if the portal's count does not fit ``live_rows`` rows known to exist, else None."""


def client(source: Source, portal: Portal, now: datetime, since: str | None = None, until: str | None = None) -> Client:
    """Return the client for the source's protocol.

    Args:
        source: the feed.
        portal: the session with its portal.
        now: the poll's start, UTC.
        since: read only rows whose event time, as published, is not before this ISO text; None reads all.
        until: the other end of a window that is read by itself; its rows are before this ISO text.
    """
    from producers.clients.arcgis import ArcGisClient  # noqa: PLC0415 - the clients import this module
    from producers.clients.ckan import CkanClient  # noqa: PLC0415
    from producers.clients.csv_file import CsvFileClient  # noqa: PLC0415
    from producers.clients.socrata import SocrataClient  # noqa: PLC0415

    match source.protocol:
        case CsvFile():
            return CsvFileClient(source, source.protocol, portal, now, since=since, until=until)
        case ArcGis():
            return ArcGisClient(source, source.protocol, portal, since=since, until=until)
        case Ckan():
            return CkanClient(source, source.protocol, portal)
        case Socrata():
            return SocrataClient(source, source.protocol, portal, since=since, until=until)
