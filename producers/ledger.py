"""The ledger: what is known of every row of one feed, as a cache of the topics that can be deleted at any time.

``restore`` reads what the topics hold past the ledger's offsets: after a crash, on a new machine, or after a poll of
its own, the way is the same. The file is SQLite.

Every record has a number of its own, from 1 up. Which records a poll has met is one byte each under these numbers, so
that a scan of millions of unchanged rows writes nothing.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from confluent_kafka import Consumer, Message, TopicPartition

from producers import tail
from producers.catalog import Source
from schemas import decoding, registry, topics
from schemas.errors import FatalError, RetriableError
from schemas.wire import HEADER, schema_id

HEAD = ("record_id", "revision", "op", "content_hash", "scope")
"""What the ledger reads of a raw event; these fields stand at its beginning, and the row behind them is not decoded."""
VISIBLE_SECONDS = 0.01
"""Between two looks for a transaction that was committed a moment ago."""
ENDS = ("delete", "expire")
"""After one of these a row no longer exists at the portal."""
NEAR = 2_000
"""Within so many records reading on is cheaper than seeking."""

SPARSE_NUMBERS = 1_000_000
SPARSE_FACTOR = 4
"""So many numbers a record, in a ledger that has used more than a million of them, and they are given anew."""
LAYOUT = 2
"""Version of the tables; a file of another one is emptied and restored from the topics."""
CACHE_KIB = 65_536
KEPT = ("records", "numbers", "positions", "cursor", "dead")
_TABLES = """
create table if not exists records (
  record_id text primary key, digest blob not null, revision integer not null, live integer not null,
  scope text not null, topic_partition integer not null, topic_offset integer not null, number integer not null
) without rowid;
create table if not exists numbers (only_one integer primary key check (only_one = 1), number integer not null);
create table if not exists positions (
  topic text not null, topic_partition integer not null, next_offset integer not null, topic_id text not null,
  primary key (topic, topic_partition)
) without rowid;
create table if not exists cursor (only_one integer primary key check (only_one = 1), position text not null);
create table if not exists dead (dead_id text primary key) without rowid;
"""
_TEMPORARY = """
create temp table changes (
  record_id text not null, op text not null, revision integer not null, late integer not null, event blob not null
);
create temp table equal_rows (content_hash text primary key, rows integer not null) without rowid;
create temp table dead_seen (dead_id text primary key, event blob not null);
"""


Known = tuple[bytes | None, int, int, int | None]
"""What the ledger knows of one record: digest, revision, 1 if the portal holds it, number; all None if nothing."""


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
def _head_reader(registry_url: str, identity: int) -> decoding.Read:
    """Return what reads the head of events that were written with the schema ``identity``."""
    return decoding.reader(registry.schema_by_id(registry_url, identity), HEAD)


class Ledger:
    """The ledger of one feed, in ``folder/<source>.sqlite``."""

    def __init__(self, folder: Path, source: Source, bootstrap_servers: str, registry_url: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._source = source.key
        self._raw = topics.raw(source.key).name
        self._bootstrap_servers = bootstrap_servers
        self._registry_url = registry_url
        self._lock = folder / f"{source.key}.lock"
        # One thread at a time uses it, but a scheduler's pool may give each poll another one.
        self._database = sqlite3.connect(folder / f"{source.key}.sqlite", isolation_level=None, check_same_thread=False)
        # The file is a cache of the topics: losing its last seconds in a power cut costs a read, so no fsync.
        self._database.executescript(
            "pragma journal_mode = wal; pragma synchronous = off; pragma temp_store = file;"
            f"pragma cache_size = -{CACHE_KIB}; pragma temp.cache_size = -{CACHE_KIB};"
        )
        self._lay_out()
        self._database.executescript(_TEMPORARY)
        self._met = bytearray()
        self._changed: set[int] = set()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other process that uses this ledger's folder from the feed while the block runs; waits its turn.

        A poll and a backfill of one feed would otherwise each publish what the other has not yet committed.
        """
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _lay_out(self) -> None:
        (layout,) = self._database.execute("pragma user_version").fetchone()
        if layout != LAYOUT:
            drops = "".join(f"drop table if exists {table};" for table in KEPT)
            self._database.executescript(f"begin immediate; {drops} pragma user_version = {LAYOUT}; commit;")
        self._database.executescript(_TABLES)

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

    def last_raw_offsets(self) -> tail.Offsets:
        """Return the offset of the last record of each partition of the raw topic, committed or not."""
        return tail.last_offsets(self._bootstrap_servers, self._raw)

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
        for table in KEPT:
            self._database.execute(f"delete from {table}")  # noqa: S608 - names from the line above

    def _apply(self, batch: Iterable[Message]) -> None:
        events: dict[bytes, Message] = {}
        for message in batch:
            if message.topic() == self._raw:
                # Of several events of one record in a batch only the last counts; they share their partition.
                events[message.key() or b""] = message
                continue
            body = message.value()
            if message.topic() == topics.CURSORS.name:
                if message.key() == self._source.encode() and body is not None:
                    position = json.dumps(self._decode(body)["position"])
                    self._database.execute("insert or replace into cursor values (1, ?)", (position,))
            else:
                letter = self._decode(body)
                if letter["source"] == self._source and letter["stage"] == "poll":
                    self._database.execute("insert or ignore into dead values (?)", (letter["dead_id"],))
        if events:
            self._apply_events(events.values())

    def _apply_events(self, events: Iterable[Message]) -> None:
        records = []
        for message in events:
            record_id, revision, op, content_hash, scope = self._head(message.value())
            content = (record_id, bytes.fromhex(content_hash), revision, op not in ENDS, scope)
            records.append((*content, message.partition(), message.offset()))
        # In the order of the table neighbours share a page of the file.
        records.sort()
        last = self._last_number()
        self._database.executemany(
            "insert into records values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set digest = excluded.digest, "
            "revision = excluded.revision, live = excluded.live, scope = excluded.scope, "
            "topic_partition = excluded.topic_partition, topic_offset = excluded.topic_offset",
            ((*record, last + at) for at, record in enumerate(records, start=1)),
        )
        self._database.execute("insert or replace into numbers values (1, ?)", (last + len(records),))

    def _last_number(self) -> int:
        return int(self._database.execute("select coalesce(max(number), 0) from numbers").fetchone()[0])

    def _renumber(self) -> None:
        """Give the records the numbers from 1 up: a revision uses one up as well, so in years they become sparse."""
        last = self._last_number()
        if last <= SPARSE_NUMBERS:
            return
        (records,) = self._database.execute("select count(*) from records").fetchone()
        if last <= SPARSE_FACTOR * records:
            return
        with self._together():
            self._database.execute(
                "update records set number = dense.number from (select record_id, row_number() over () as number "
                "from records) as dense where records.record_id = dense.record_id"
            )
            self._database.execute("insert or replace into numbers values (1, ?)", (records,))

    def _head(self, body: bytes | None) -> tuple[Any, ...]:
        if body is None:
            raise FatalError(f"{self._raw} holds a tombstone, which civicwire never writes there.")
        return _head_reader(self._registry_url, schema_id(body))(body, HEADER.size)

    def _decode(self, body: bytes | None) -> dict[str, Any]:
        if body is None:
            raise FatalError(f"{self._raw} or a shared topic holds a tombstone, which civicwire never writes there.")
        return cast("dict[str, Any]", registry.decode(self._registry_url, body))

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

    def published_rows(self) -> Iterator[dict[str, str | None]]:
        """Yield the known columns of every event that the raw topic holds, oldest first in each partition."""
        for batch in tail.read(self._bootstrap_servers, [self._raw], {}, lambda _ends: None):
            for message in batch:
                yield self._decode(message.value())["row"]

    # --- one poll -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Forget what an earlier poll of this process left."""
        for table in ("changes", "equal_rows", "dead_seen"):
            self._database.execute(f"delete from {table}")  # noqa: S608 - names from the line above
        self._changed = set()
        self._database.execute("drop index if exists temp.changes_by_id")
        self._renumber()
        self._met = bytearray(self._last_number() + 1)

    def look_up(self, record_ids: list[str]) -> list[Known]:
        """Note that the portal holds these records, and return what is known of each, in order."""
        found: list[Known] = self._database.execute(
            "select digest, revision, live, number from json_each(?) as page "
            "left join records on record_id = page.value order by page.key",
            (json.dumps(record_ids),),
        ).fetchall()
        met = self._met
        for _, _, _, number in found:
            if number is not None:
                met[number] = 1
        return found

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

    def pending(self, record_ids: list[str]) -> set[str]:
        """Return those of the identities that this poll has a change of already."""
        maybe = [one for one in record_ids if hash(one) in self._changed]
        if not maybe:
            return set()
        # An index on every change would cost more than all else that is done with it, and a portal that gives an
        # identity twice is rare.
        self._database.execute("create index if not exists temp.changes_by_id on changes (record_id)")
        found = self._database.execute(
            "select record_id from json_each(?) as page join changes on record_id = page.value", (json.dumps(maybe),)
        )
        return {record_id for (record_id,) in found}

    def put_changes(self, changes: Collection[tuple[str, str, int, bool, bytes]]) -> None:
        """Keep ``(record_id, op, revision, late, encoded event)`` until the poll is published; none may be pending."""
        if not changes:
            return
        self._changed.update([hash(change[0]) for change in changes])
        with self._together():
            self._database.executemany("insert into changes values (?, ?, ?, ?, ?)", changes)

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
        """Yield the rows of ``scope`` that exist and that this poll has not met, in the order of their last events."""
        self._database.create_function("met", 1, self._met.__getitem__)
        for row in self._database.execute(
            "select record_id, revision, topic_partition, topic_offset from records "
            "where live and scope = ? and not met(number) order by topic_partition, topic_offset",
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
