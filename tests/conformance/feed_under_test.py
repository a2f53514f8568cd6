"""One feed on real parts: what its portal publishes, and what a reader of its topic believes, in the same words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from civicwire.sandbox.client import SandboxClient
from producers import catalog, tail
from producers.catalog import CsvFile
from producers.clients.csv_file import LOOKS
from producers.poll import Connections, Poller
from producers.rows import event_time_reader
from schemas import registry, topics

ROWS = 120
PAGE_ROWS = 40
"""So few that the rows take several pages."""
POLLS_TO_SETTLE = 6
COUNTS = ("rows_in", "inserted", "revised", "reappeared", "deleted", "expired", "dead")
"""Socrata tells whole seconds, so the look after a change may be too early to be sure; a few looks always settle it."""
ENDS = ("delete", "expire")
_DECIMAL = re.compile(r"-?\d+\.\d+")

Row = tuple[tuple[str, str], ...]
"""A row's known columns that have a value, by name."""


class FeedUnderTest:
    """A feed with made-up rows at the sandbox portal, polled once."""

    def __init__(self, key: str, connections: Connections, portal: SandboxClient) -> None:
        assert key in portal.health()["feeds"], (
            f"The sandbox portal does not publish {key}: describe it in civicwire/sandbox/described/{key}.yaml."
        )
        declared = catalog.find(key)
        pages = {"page_rows": PAGE_ROWS} if hasattr(declared.protocol, "page_rows") else {}
        self.source = declared.model_copy(update={"protocol": declared.protocol.model_copy(update=pages)})
        self.portal = portal
        self._connections = connections
        self._poller = Poller(self.source, connections)
        portal.clear_faults()
        portal.seed(key, rows=ROWS, seed=11)
        self.first = self.poll()
        self.first_events = self.events()

    @property
    def key(self) -> str:
        return self.source.key

    def close(self) -> None:
        self._poller.close()

    # --- polling ------------------------------------------------------------------------------------------------

    def poll(self) -> dict[str, Any]:
        return self._poller.poll()

    def look(self) -> dict[str, Any]:
        """Poll until every file has been asked for, past years' being asked for in turn; the receipt of it all."""
        receipts = [self.poll() for _ in range(self._looks)]
        changed = any(receipt["status"] == "changed" for receipt in receipts)
        counts = {name: sum(receipt[name] for receipt in receipts) for name in COUNTS}
        return {**receipts[-1], **counts, "status": "changed" if changed else "unchanged"}

    @property
    def _looks(self) -> int:
        protocol = self.source.protocol
        return -(-max(len(protocol.files), len(protocol.years)) // LOOKS) if isinstance(protocol, CsvFile) else 1

    def settle(self) -> dict[str, Any]:
        """Poll until the portal has nothing new, and return the last receipt."""
        self.portal.clear_faults()
        for _ in range(POLLS_TO_SETTLE):
            receipt = self.look()
            if receipt["status"] == "unchanged":
                return receipt
        raise AssertionError(f"{self.key}: {POLLS_TO_SETTLE} polls of a portal at rest each found it changed")

    def lose_ledger(self) -> None:
        """Go on as on a new machine."""
        self._poller.close()
        for file in self._connections.ledgers.glob(f"{self.key}.sqlite*"):
            file.unlink()
        self._poller = Poller(self.source, self._connections)

    # --- what was published -------------------------------------------------------------------------------------

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """The raw events, those of each partition in order, from the ``since``-th on by their number in all."""
        events = self._read(topics.raw(self.key).name)
        events.sort(key=lambda event: (event["poll_id"], event["record_id"]))
        return events[since:]

    def cursor(self) -> dict[str, str]:
        """Where the next poll starts, but for whose turn it is: an unchanged file passes the turn on."""
        cursors = [cursor for cursor in self._read(topics.CURSORS.name) if cursor["source"] == self.key]
        return {name: value for name, value in cursors[-1]["position"].items() if name != "turn"}

    def _read(self, topic: str) -> list[dict[str, Any]]:
        batches = tail.read(self._connections.kafka, [topic], {}, lambda _: None)
        url = self._connections.registry
        return [registry.decode(url, message.value() or b"") for batch in batches for message in batch]

    def newest(self) -> dict[str, dict[str, Any]]:
        """The newest event of each row; revisions count from one without a gap or a repeat."""
        found: dict[str, dict[str, Any]] = {}
        revisions: dict[str, list[int]] = {}
        for event in self.events():
            revisions.setdefault(event["record_id"], []).append(event["revision"])
            if event["revision"] > found.get(event["record_id"], {"revision": 0})["revision"]:
                found[event["record_id"]] = event
        for record_id, numbers in revisions.items():
            assert sorted(numbers) == list(range(1, len(numbers) + 1)), f"{record_id} has the revisions {numbers}"
        return found

    def believed(self) -> Counter[Row]:
        """The rows that a reader of the topic believes to exist."""
        return Counter(self.row_of(event) for event in self.newest().values() if event["op"] not in ENDS)

    def row_of(self, event: Mapping[str, Any]) -> Row:
        return self._row(event["row"].items())

    def event_time(self, event: Mapping[str, Any]) -> str | None:
        return event_time_reader(self.source)(event["row"].get(self.source.event_time))

    # --- what the portal publishes ------------------------------------------------------------------------------

    def truth(self) -> Counter[Row]:
        """The rows that the portal publishes, as a poll should understand them."""
        return Counter(self._published())

    def truth_by_id(self) -> dict[str, Row]:
        """The same by record id, for a feed with a natural key."""
        rows = list(self._published())
        found = {self.identity(row): row for row in rows}
        assert len(found) == len(rows), "the sandbox portal publishes two rows with one key"
        return found

    def identity(self, row: Row) -> str:
        values = dict(row)
        return "|".join(values[column].strip() for column in self.source.key_columns)

    def _published(self) -> Iterator[Row]:
        lower = self.source.protocol.name in ("arcgis", "csv_file")
        for row in self.portal.truth(self.key):
            named = ((name.strip().lower() if lower else name, value) for name, value in row.items())
            yield self._row((self.source.renames.get(name, name), value) for name, value in named)

    def _row(self, items: Any) -> Row:
        columns = self.source.columns
        return tuple(sorted((n, self._text(value)) for n, value in items if n in columns and value not in (None, "")))

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        # JSON numbers have no closing zeros.
        is_json = self.source.protocol.name in ("arcgis", "ckan")
        return str(float(value)) if is_json and _DECIMAL.fullmatch(value) else value

    def ended(self, event: Mapping[str, Any]) -> str:
        """The op with which a row ends now: it expires where the publisher keeps a rolling window that it has left."""
        window = self.source.rolling_window
        if window is None:
            return "delete"
        happened = self.event_time(event)
        opens = window.start(datetime.now(UTC).astimezone(self.source.zone).date())
        return "expire" if happened and happened < opens else "delete"


def collapsed(rows: Counter[Row]) -> Counter[Row]:
    """The rows with single blanks: what tells rows apart that have no key."""
    found: Counter[Row] = Counter()
    for row, count in rows.items():
        found[tuple((name, " ".join(value.split())) for name, value in row if value.strip())] += count
    return found
