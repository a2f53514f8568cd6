"""Is what we hold what the portal holds? One feed, compared four ways: portal, raw topic, ledger and warehouse."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from google.cloud import bigquery

from civicwire.polling import connections
from civicwire.settings import Settings
from producers.catalog import Source
from producers.ledger import Ledger
from producers.poll import Poller
from stream_jobs.warehouse.connection import connect
from stream_jobs.warehouse.connection import explained as failures_explained

EXAMPLES = 5
"""Identities named for each kind of difference."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two places compared row by row.

    Attributes:
        left: where the first rows are.
        right: where the others are.
        rows: rows that the left holds.
        differences: kind of difference to the number of rows; empty when the two are equal.
        examples: some record ids of each kind.
        note: what explains a difference or limits the comparison.
    """

    left: str
    right: str
    rows: int
    differences: dict[str, int]
    examples: dict[str, list[str]]
    note: str = ""

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


@dataclass
class _Found:
    differences: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, record_id: str) -> None:
        self.differences[kind] = self.differences.get(kind, 0) + 1
        if len(named := self.examples.setdefault(kind, [])) < EXAMPLES:
            named.append(record_id)


def verify(settings: Settings, source: Source, *, warehouse: bool = True) -> list[Comparison]:
    """Read the whole feed from the portal and compare it with what we hold, and what we hold with itself.

    Nothing is published or repaired: `civicwire poll` does that.

    Raises:
        RetriableError, FatalError: the portal could not be read whole.
        EnvironmentMissingError: the broker, the registry or the warehouse is not running.
    """
    found = [_portal_and_ledger(settings, source)]
    with tempfile.TemporaryDirectory() as folder:
        reach = connections(settings)
        fresh = Ledger(Path(folder), source, reach.kafka, reach.registry)
        kept = Ledger(reach.ledgers, source, reach.kafka, reach.registry)
        try:
            fresh.restore()
            found.append(_topic_and_ledger(fresh, kept))
            if warehouse:
                found.append(_topic_and_warehouse(settings, source, fresh))
        finally:
            fresh.close()
            kept.close()
    return found


def _portal_and_ledger(settings: Settings, source: Source) -> Comparison:
    poller = Poller(source, connections(settings))
    kinds = {
        "insert": "not held",
        "reappear": "held as gone",
        "revise": "held with other content",
        "delete": "gone from the portal",
        "expire": "gone from the portal's window",
    }
    try:
        preview = poller.preview(accept_shrink=True, whole=True)
        found = _Found()
        for difference in preview.differences:
            found.add(kinds[difference.op], difference.record_id)
    finally:
        poller.close()
    dead = preview.receipt["dead"]
    note = f"{dead} rows of the portal are dead letters and were not compared" if dead else ""
    rows = preview.receipt["portal_rows"] or preview.receipt["rows_in"]
    return Comparison("portal", "ledger", rows, found.differences, found.examples, note)


def _topic_and_ledger(fresh: Ledger, kept: Ledger) -> Comparison:
    held = dict(_states(kept))
    found = _Found()
    rows = 0
    for record_id, state in _states(fresh):
        rows += 1
        other = held.pop(record_id, None)
        if other is None:
            found.add("not in the ledger", record_id)
        elif other != state:
            found.add("other in the ledger", record_id)
    for record_id in held:
        found.add("only in the ledger", record_id)
    return Comparison("raw topic", "ledger", rows, found.differences, found.examples)


def _states(ledger: Ledger) -> Iterable[tuple[str, tuple[int, bool]]]:
    return ((row.record_id, (row.revision, row.live)) for row in ledger.rows())


def _topic_and_warehouse(settings: Settings, source: Source, fresh: Ledger) -> Comparison:
    """Compare revisions; a row that normalise could not use is held as deleted, or not at all, with a dead letter."""
    connected = connect(settings)
    dataset = f"`{settings.project}.{settings.dataset}`"
    config = bigquery.QueryJobConfig(query_parameters=[bigquery.ScalarQueryParameter("source", "STRING", source.key)])
    table = {"indicator": "indicators", "person": "persons"}.get(source.kind, "incidents")
    try:
        with failures_explained():
            rows = connected.client.query(
                f"select record_id, revision, deleted from {dataset}.{table} where source = @source",  # noqa: S608
                job_config=config,
            ).result()
            held: dict[str, tuple[int, bool]] = {row[0]: (row[1], row[2]) for row in rows}
            dead = connected.client.query(
                f"select distinct record_id from {dataset}.dead_letters "  # noqa: S608
                "where source = @source and stage = 'normalise' and record_id is not null",
                job_config=config,
            ).result()
            unusable = {row[0] for row in dead}
    finally:
        connected.close()
    found = _Found()
    explained = total = 0
    for known in fresh.rows():
        total += 1
        revision, deleted = held.pop(known.record_id, (0, True))
        if revision == known.revision and (not known.live or not deleted):
            continue
        if known.record_id in unusable and deleted:
            explained += 1
        else:
            found.add("not in the warehouse" if not revision else "other in the warehouse", known.record_id)
    for record_id in held:
        found.add("only in the warehouse", record_id)
    note = f"{explained} rows are dead letters of normalise" if explained else ""
    return Comparison("raw topic", "warehouse", total, found.differences, found.examples, note)


def examples(comparison: Comparison) -> str:
    """Return some record ids of each kind of difference, for a table."""
    return "; ".join(f"{kind}: {', '.join(ids)}" for kind, ids in comparison.examples.items())
