"""The ledger: what is known of every row of one feed, as a cache of the topics that can be deleted at any time.

``restore`` reads what the topics hold past the ledger's offsets: after a crash, on a new machine, or after a poll of
its own, the way is the same. The file is SQLite; a million rows take about 150 MB.
"""

from __future__ import annotations

import io
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import fastavro
from confluent_kafka import Consumer, Message, TopicPartition

from producers import tail
from producers.catalog import Source
from schemas import registry, topics
from schemas.errors import FatalError, RetriableError
from schemas.wire import HEADER, schema_id

LAST_HEADER_FIELD = "scope"
"""Raw events start with the same fields in every feed; the ledger decodes up to this one and no further."""
VISIBLE_SECONDS = 0.01
"""Between two looks for a transaction that was committed a moment ago."""
ENDS = ("delete", "expire")
"""After one of these a row no longer exists at the portal."""
NEAR = 2_000
"""Within so many records reading on is cheaper than seeking."""

_TABLES = """
create table if not exists records (
  record_id text primary key, content_hash text not null, revision integer not null, live integer not null,
  scope text not null, topic_partition integer not null, topic_offset integer not null
) without rowid;
create table if not exists positions (
  topic text not null, topic_partition integer not null, next_offset integer not null, topic_id text not null,
  primary key (topic, topic_partition)
) without rowid;
create table if not exists cursor (only_one integer primary key check (only_one = 1), position text not null);
create table if not exists dead (dead_id text primary key) without rowid;
"""
_TEMPORARY = """
create temp table page (ordinal integer primary key, record_id text not null, content_hash text not null);
create temp table seen (record_id text primary key, scope text not null) without rowid;
create temp table changes (
  record_id text primary key, op text not null, revision integer not null, late integer not null, event blob not null
);
create temp table equal_rows (content_hash text primary key, rows integer not null) without rowid;
create temp table dead_seen (dead_id text primary key, event blob not null);
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of one row."""

    content_hash: str
    revision: int
    live: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A row by its identity: its revision, and whether the portal holds it."""

    record_id: str
    revision: int
    live: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """A row that exists by the ledger and was not in a complete scan, with the place of its last event."""

    record_id: str
    revision: int
    partition: int
    offset: int


@cache
def _prefix(registry_url: str, identity: int) -> Any:
    """Return the writer's schema cut behind the header fields: Avro is sequential, so the rest need not be decoded."""
    writer = json.loads(str(registry.client(registry_url).get_schema(identity).schema_str))
    names = [field["name"] for field in writer["fields"]]
    writer["fields"] = writer["fields"][: names.index(LAST_HEADER_FIELD) + 1]
    return fastavro.parse_schema(writer)


class Ledger:
    """The ledger of one feed, in ``folder/<source>.sqlite``."""

    def __init__(self, folder: Path, source: Source, bootstrap_servers: str, registry_url: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._source = source.key
        self._raw = topics.raw(source.key).name
        self._bootstrap_servers = bootstrap_servers
        self._registry_url = registry_url
        # One thread at a time uses it, but a scheduler's pool may give each poll another one.
        self._database = sqlite3.connect(folder / f"{source.key}.sqlite", isolation_level=None, check_same_thread=False)
        # The file is a cache of the topics: losing its last seconds in a power cut costs a read, so no fsync.
        self._database.executescript("pragma journal_mode = wal; pragma synchronous = off; pragma temp_store = file;")
        self._database.executescript(_TABLES + _TEMPORARY)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # --- restoring from the topics -------------------------------------------------------------------------------

    def restore(self) -> int:
        """Apply what the topics hold past the ledger's offsets, and return how many records that were."""
        names = [self._raw, topics.CURSORS.name, topics.DEAD_LETTERS.name]
        identities = tail.topic_ids(self._bootstrap_servers, names)
        rows = self._database.execute("select topic, topic_partition, next_offset, topic_id from positions").fetchall()
        if any(identities.get(topic) != identity for topic, _, _, identity in rows):
            self._forget()
            rows = []
        applied = 0
        ends: tail.Offsets = {}
        with self._together():
            for batch in tail.read(
                self._bootstrap_servers, names, {(topic, part): at for topic, part, at, _ in rows}, ends.update
            ):
                applied += len(batch)
                self._apply(batch)
            self._database.executemany(
                "insert or replace into positions values (?, ?, ?, ?)",
                [(topic, part, at, identities[topic]) for (topic, part), at in ends.items()],
            )
        return applied

    def restore_past(self, written: Mapping[tuple[str, int], int]) -> None:
        """Restore until what a transaction has just written to the ledger's topics is in.

        A commit is answered before its records can be read. A poll that began without them would publish them again.

        Raises:
            RetriableError: the broker does not show them in time.
        """
        deadline = time.monotonic() + tail.TIMEOUT_SECONDS
        while True:
            self.restore()
            rows = self._database.execute("select topic, topic_partition, next_offset from positions").fetchall()
            reached = {(topic, partition): offset for topic, partition, offset in rows}
            if all(reached[at] > offset for at, offset in written.items() if at in reached):
                return
            if time.monotonic() > deadline:
                raise RetriableError(
                    f"{self._source}: the poll was committed, but its records cannot be read yet. Is the broker well?"
                )
            time.sleep(VISIBLE_SECONDS)

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Make the statements of the block one transaction of SQLite."""
        self._database.execute("begin")
        try:
            yield
            self._database.execute("commit")
        except BaseException:
            self._database.execute("rollback")
            raise

    def _forget(self) -> None:
        for table in ("records", "positions", "cursor", "dead"):
            self._database.execute(f"delete from {table}")  # noqa: S608 - names from the line above

    def _apply(self, batch: Iterable[Message]) -> None:
        records = []
        for message in batch:
            body = message.value()
            if message.topic() == self._raw:
                head = self._decode(body, prefix=True)
                content = (head["record_id"], head["content_hash"], head["revision"], head["op"] not in ENDS)
                records.append((*content, head["scope"], message.partition(), message.offset()))
            elif message.topic() == topics.CURSORS.name:
                if message.key() == self._source.encode() and body is not None:
                    position = json.dumps(self._decode(body)["position"])
                    self._database.execute("insert or replace into cursor values (1, ?)", (position,))
            else:
                letter = self._decode(body)
                if letter["source"] == self._source and letter["stage"] == "poll":
                    self._database.execute("insert or ignore into dead values (?)", (letter["dead_id"],))
        self._database.executemany("insert or replace into records values (?, ?, ?, ?, ?, ?, ?)", records)

    def _decode(self, body: bytes | None, *, prefix: bool = False) -> dict[str, Any]:
        if body is None:
            raise FatalError(f"{self._raw} or a shared topic holds a tombstone, which civicwire never writes there.")
        if not prefix:
            return cast("dict[str, Any]", registry.decode(self._registry_url, body))
        schema = _prefix(self._registry_url, schema_id(body))
        return cast("dict[str, Any]", fastavro.schemaless_reader(io.BytesIO(body[HEADER.size :]), schema, None))

    # --- what is known ------------------------------------------------------------------------------------------

    def position(self) -> dict[str, str]:
        """Return the position of the last committed cursor, empty before the first poll."""
        row = self._database.execute("select position from cursor").fetchone()
        position: dict[str, str] = json.loads(row[0]) if row else {}
        return position

    def live_rows(self) -> int:
        """Return how many rows exist by the last restore."""
        return int(self._database.execute("select count(*) from records where live").fetchone()[0])

    def live_rows_after(self) -> int:
        """Return how many rows will exist once the poll's changes are committed."""
        shift = self._database.execute(
            "select coalesce(sum(case when op in ('delete', 'expire') then -1 when op = 'revise' then 0 else 1 end), 0)"
            " from changes"
        ).fetchone()[0]
        return self.live_rows() + int(shift)

    def place(self, record_id: str) -> Gone | None:
        """Return a row's revision and the place of its last event, None if it was never published or is gone."""
        row = self._database.execute(
            "select record_id, revision, topic_partition, topic_offset from records where live and record_id = ?",
            (record_id,),
        ).fetchone()
        return Gone(*row) if row else None

    def rows(self) -> Iterator[Held]:
        """Yield every row that was ever published, as it is known now."""
        for record_id, revision, live in self._database.execute("select record_id, revision, live from records"):
            yield Held(record_id, revision, bool(live))

    # --- one poll -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Forget what an earlier poll of this process left in the temporary tables."""
        for table in ("page", "seen", "changes", "equal_rows", "dead_seen"):
            self._database.execute(f"delete from {table}")  # noqa: S608 - names from the line above

    def look_up(self, rows: list[tuple[str, str]], scope: str) -> list[Known | None]:
        """Note ``(record_id, content_hash)`` pairs as seen in ``scope`` and return what is known of each, in order."""
        execute = self._database.execute
        with self._together():
            execute("delete from page")
            self._database.executemany("insert into page values (?, ?, ?)", ((at, *row) for at, row in enumerate(rows)))
            execute("insert or ignore into seen select record_id, ? from page", (scope,))
        found = execute(
            "select known.content_hash, known.revision, known.live "
            "from page left join records as known using (record_id) order by page.ordinal"
        ).fetchall()
        return [None if row[0] is None else Known(row[0], row[1], bool(row[2])) for row in found]

    def occurrences(self, hashes: list[str]) -> list[int]:
        """Return for each hash, in order, how many rows with it this scan has had up to and with this one."""
        numbers = []
        with self._together():
            for one in hashes:
                (number,) = self._database.execute(
                    "insert into equal_rows values (?, 1) on conflict do update set rows = rows + 1 returning rows",
                    (one,),
                ).fetchone()
                numbers.append(number)
        return numbers

    def next_scan(self) -> None:
        """Count equal rows anew: another scan reads the same rows or those of another scope."""
        self._database.execute("delete from equal_rows")

    def pending(self) -> set[str]:
        """Return the identities of the rows last looked up that this poll has a change of already."""
        found = self._database.execute("select record_id from changes where record_id in (select record_id from page)")
        return {record_id for (record_id,) in found}

    def put_changes(self, changes: list[tuple[str, str, int, bool, bytes]]) -> None:
        """Keep ``(record_id, op, revision, late, encoded event)`` until the poll is published; a later one wins."""
        with self._together():
            self._database.executemany("insert or replace into changes values (?, ?, ?, ?, ?)", changes)

    def drop_change(self, record_id: str) -> None:
        """Take back the change of ``record_id``: a later reading equals what is known."""
        self._database.execute("delete from changes where record_id = ?", (record_id,))

    def put_dead(self, dead_id: str, event: bytes) -> None:
        """Keep an encoded dead letter until the poll is published; one that the topic holds already is not kept."""
        if self._database.execute("select 1 from dead where dead_id = ?", (dead_id,)).fetchone() is None:
            self._database.execute("insert or ignore into dead_seen values (?, ?)", (dead_id, event))

    def counts(self) -> dict[str, int]:
        """Return how many changes of each op this poll has, and ``late`` among them."""
        rows = self._database.execute("select op, count(*), sum(late) from changes group by op").fetchall()
        return {**{op: count for op, count, _ in rows}, "late": sum(late for _, _, late in rows)}

    def gone(self, scope: str) -> Iterator[Gone]:
        """Yield the rows of ``scope`` that exist and were not seen, in the order of their last events."""
        for row in self._database.execute(
            "select record_id, revision, topic_partition, topic_offset from records "
            "where live and scope = ? and record_id not in (select record_id from seen) "
            "order by topic_partition, topic_offset",
            (scope,),
        ):
            yield Gone(*row)

    def changes(self) -> Iterator[tuple[str, bytes]]:
        """Yield ``(record_id, encoded event)`` of every change, in the order in which they were read."""
        yield from self._database.execute("select record_id, event from changes order by rowid")

    def changes_with_last(self, op: str | None = None) -> Iterator[tuple[str, str, bytes, Gone | None]]:
        """Yield ``(record_id, op, encoded event, place of the last event)`` of every change; no place for a new row.

        ``op`` takes only its own. They come in the order of the last events, so that these can be read in one go.
        """
        for record_id, found, event, revision, partition, offset in self._database.execute(
            "select changes.record_id, op, event, records.revision, topic_partition, topic_offset "
            "from changes left join records using (record_id) where ? in (op, '') "
            "order by topic_partition, topic_offset, changes.rowid",
            (op or "",),
        ):
            yield record_id, found, event, None if revision is None else Gone(record_id, revision, partition, offset)

    def dead_letters(self) -> Iterator[tuple[str, bytes]]:
        """Yield ``(dead_id, encoded event)`` of every new dead letter."""
        yield from self._database.execute("select dead_id, event from dead_seen order by rowid")

    # --- last values --------------------------------------------------------------------------------------------

    def last_events(self, gone: Iterable[Gone]) -> Iterator[tuple[Gone, dict[str, Any]]]:
        """Yield each row with its last event, read from the raw topic; ``gone`` is ordered by partition and offset."""
        reader = tail.consumer(self._bootstrap_servers)
        at: tuple[int, int] | None = None
        try:
            for row in gone:
                if at is None or at[0] != row.partition or not 0 <= row.offset - at[1] < NEAR:
                    reader.assign([TopicPartition(self._raw, row.partition, row.offset)])
                message = self._next(reader)
                while message.error() or cast("int", message.offset()) < row.offset:
                    message = self._next(reader)
                at = (row.partition, row.offset + 1)
                yield row, self._decode(message.value())
        finally:
            reader.close()

    def _next(self, reader: Consumer) -> Message:
        message = reader.poll(tail.TIMEOUT_SECONDS)
        if message is None:
            raise RetriableError(
                f"{self._raw} gave nothing for {tail.TIMEOUT_SECONDS} s. Is the broker running? Poll again."
            )
        return message
