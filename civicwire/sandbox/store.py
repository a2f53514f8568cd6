"""The rows of one feed in SQLite: what is published now, and the stamps that the portal gives to its changes."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from civicwire.sandbox.drift import Published, added, dropped, renamed
from civicwire.sandbox.feeds import Column, Feed
from civicwire.sandbox.row_ids import row_id
from civicwire.sandbox.soql_sql import SYSTEM, Schema, quoted
from schemas.errors import ConfigError

Values = tuple[str | None, ...]
"""A row's values in stored column order; None where the portal gives no value."""
Row = dict[str, Any]
"""A row as published: field to text (a location to an object); an absent field is null."""

LOOKUP_ROWS = 500
"""Keys looked up in one statement, below SQLite's limit on parameters."""


@dataclass(frozen=True)
class State:
    """What a feed says of itself.

    Attributes:
        version: counts the changes; equal version, equal content.
        modified_ms: epoch milliseconds of the last change, strictly increasing.
        rows_updated_at: epoch seconds of the last change of rows; never the same value for two contents.
        next_row: the number that the next new row's ``:id`` is made of.
        columns: the published columns in order.
        upper_case_header: True when a CSV's header is upper case, as in the files of 2026.
        layer: number of an ArcGIS layer or table.
    """

    version: int = 0
    modified_ms: int = 0
    rows_updated_at: int = 0
    next_row: int = 0
    columns: tuple[Published, ...] = ()
    upper_case_header: bool = False
    layer: int = 325


@dataclass
class Changes:
    """What one publication did, and the keys that it touched are for the caller to know."""

    inserted: int = 0
    revised: int = 0
    unchanged: int = 0
    deleted: int = 0


def stamp(ms: int) -> str:
    """Return epoch milliseconds as the portal writes a fixed timestamp (UTC, milliseconds, Z)."""
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


class Store:
    """One feed's table. Reads run on a connection per thread, writes one at a time."""

    def __init__(self, feed: Feed, path: Path) -> None:
        self.feed = feed
        self._path = path
        self._connections = threading.local()
        self._writing = threading.RLock()
        self._pending = State()
        with self._writing:
            db = self._connection()
            db.execute("pragma journal_mode = wal")
            db.execute("create table if not exists state (content text not null)")
            names = [c.field for c in feed.columns]
            own = ", ".join(f"{quoted(n)} text" for n in names)
            db.execute(
                'create table if not exists "rows" (n integer primary key, ":id" text not null, '
                f'":created_at" text not null, ":updated_at" text not null, {own})'
            )
            self._create_indexes(db)
            if db.execute("select count(*) from state").fetchone()[0] == 0:
                columns = tuple(Published(c, c.field) for c in feed.columns)
                db.execute("insert into state values (?)", (self._dump(State(columns=columns)),))
            self.state = self._load(db.execute("select content from state").fetchone()[0])

    @staticmethod
    def _dump(state: State) -> str:
        return json.dumps(asdict(state))

    @staticmethod
    def _load(text: str) -> State:
        content = json.loads(text)
        columns = tuple(Published(Column(**c["column"]), c["stored"]) for c in content.pop("columns"))
        return State(**content, columns=columns)

    def _connection(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._connections, "db", None)
        if db is None:
            db = sqlite3.connect(self._path, isolation_level=None, timeout=60)
            db.execute("pragma synchronous = normal")
            db.execute("pragma case_sensitive_like = on")
            db.execute("pragma cache_size = -65536")
            self._connections.db = db
        return db

    def _create_indexes(self, db: sqlite3.Connection) -> None:
        db.execute('create unique index if not exists by_id on "rows" (":id")')
        if self.feed.key:
            db.execute(f'create unique index if not exists by_key on "rows" ({quoted(self.feed.key)})')
        if self.feed.kind == "socrata":
            db.execute('create index if not exists by_update on "rows" (":updated_at", ":id")')

    @contextmanager
    def _publication(self, *, bulk: bool = False) -> Iterator[tuple[sqlite3.Connection, int]]:
        """One change of the feed: a transaction, and the instant (epoch ms) that stamps it.

        The body sets ``self._pending`` to the next state when it changed anything.
        """
        with self._writing:
            db = self._connection()
            db.execute("begin immediate")
            before = self.state
            moment = max(time.time_ns() // 1_000_000, before.modified_ms + 1)
            try:
                if bulk:
                    for index in ("by_id", "by_key", "by_update"):
                        db.execute(f"drop index if exists {index}")
                self._pending = before
                yield db, moment
                if bulk:
                    self._create_indexes(db)
                if self._pending != before:
                    self._pending = replace(self._pending, version=before.version + 1, modified_ms=moment)
                    db.execute("update state set content = ?", (self._dump(self._pending),))
                db.execute("commit")
                if bulk:
                    db.execute("pragma wal_checkpoint(truncate)")
            except BaseException:
                db.execute("rollback")
                raise
            self.state = self._pending

    def _changed(self, moment: int, new_rows: int = 0) -> None:
        """Note that rows changed: the second of ``rowsUpdatedAt`` moves on even within one second."""
        seconds = max(moment // 1000, self.state.rows_updated_at + 1)
        self._pending = replace(self._pending, rows_updated_at=seconds, next_row=self._pending.next_row + new_rows)

    # What is published

    def schema(self) -> Schema:
        """Return what a query may name now."""
        published = self.state.columns
        return Schema(
            types=SYSTEM | {p.column.field: p.column.type for p in published},
            stored={name: name for name in SYSTEM} | {p.column.field: p.stored for p in published},
            total=frozenset({":id"} | {p.column.field for p in published if p.stored == self.feed.key}),
            indexed=frozenset(
                {":id", ":updated_at"} | {p.column.field for p in published if p.stored == self.feed.key}
            ),
        )

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Return the cursor of a select."""
        return self._connection().execute(sql, parameters)

    def count(self) -> int:
        """Return the number of rows published."""
        return int(self.read('select count(*) from "rows"').fetchone()[0])

    def published(self, where: str = "", parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield the rows as published now; ``where`` is SQL after the table's name.

        Of the system fields they have only the ``:id`` of a feed without a natural key.
        """
        columns = self.state.columns
        chosen = ", ".join(quoted(p.stored) for p in columns)
        cursor = self.read(f'select ":id", {chosen} from "rows" {where}', parameters)  # noqa: S608 - our own identifiers
        for row_id_, *values in cursor:
            yield ({} if self.feed.key else {":id": row_id_}) | {
                p.column.field: json.loads(v) if p.column.type == "location" else v
                for p, v in zip(columns, values, strict=True)
                if v is not None
            }

    def row(self, key: str) -> Row | None:
        """Return one row as published now, None when there is none."""
        return next(self.published(f"where {quoted(self.feed.identity)} = ?", (key,)), None)

    def keys_among(self, keys: Iterable[str]) -> set[str]:
        """Return those of ``keys`` that exist."""
        found: set[str] = set()
        pending = iter(keys)
        name = quoted(self.feed.identity)
        while batch := list(islice(pending, LOOKUP_ROWS)):
            marks = ", ".join("?" * len(batch))
            found.update(r[0] for r in self.read(f'select {name} from "rows" where {name} in ({marks})', batch))  # noqa: S608
        return found

    # Changes

    def load(self, batches: Iterable[Sequence[Values]]) -> int:
        """Replace everything by new rows and return how many there are.

        Args:
            batches: rows of ``(created ms, updated ms, *values in stored order)``, the instants as text.
        """
        fields = [c.field for c in self.feed.columns]
        columns = ", ".join(quoted(n) for n in (":id", ":created_at", ":updated_at", *fields))
        insert = f'insert into "rows" ({columns}) values ({", ".join("?" * (3 + len(fields)))})'  # noqa: S608
        with self._publication(bulk=True) as (db, moment):
            db.execute('delete from "rows"')
            self._pending = replace(self._pending, columns=tuple(Published(c, c.field) for c in self.feed.columns))
            number = self._pending.next_row
            loaded = 0
            for batch in batches:
                start = number + loaded
                db.executemany(insert, ((row_id(start + i), *values) for i, values in enumerate(batch)))
                loaded += len(batch)
            self._changed(moment, loaded)
        return loaded

    def upsert(self, rows: Iterable[Row]) -> Changes:
        """Publish ``rows`` by natural key: each is the whole row, so an absent field becomes null.

        A row that is already so keeps its ``:updated_at``; nothing at all happens when every row is already so.

        Raises:
            ConfigError: a row has no key or a field that is not published.
        """
        return self.publish(rows, ())

    def delete(self, keys: Iterable[str]) -> Changes:
        """Unpublish the rows with ``keys``; unknown keys are passed over."""
        return self.publish((), keys)

    def publish(self, rows: Iterable[Row], keys: Iterable[str], *, behind_ms: int = 0) -> Changes:
        """Upsert ``rows`` and delete ``keys`` in one publication; its one ``:updated_at`` lies ``behind_ms`` back."""
        done = Changes()
        with self._publication() as (db, moment):
            pending = iter(rows)
            while batch := list(islice(pending, LOOKUP_ROWS)):
                self._upsert_batch(db, batch, stamp(moment - behind_ms), done)
            name = quoted(self.feed.identity)
            for key in keys:
                done.deleted += db.execute(f'delete from "rows" where {name} = ?', (key,)).rowcount  # noqa: S608
            if done.inserted or done.revised or done.deleted:
                self._changed(moment, done.inserted)
        return done

    def _upsert_batch(self, db: sqlite3.Connection, batch: Sequence[Row], now: str, done: Changes) -> None:
        columns = self.state.columns
        stored = [p.stored for p in columns]
        if not self.feed.key:
            self._put_keyless(db, batch, now, done)
            return
        # The last of two rows with one key counts, as in one upload to the portal.
        incoming = {values[stored.index(self.feed.key)]: values for values in (self.values(row) for row in batch)}
        key = quoted(self.feed.key)
        chosen = ", ".join(quoted(n) for n in stored)
        marks = ", ".join("?" * len(incoming))
        select = f'select {chosen} from "rows" where {key} in ({marks})'  # noqa: S608 - our own identifiers
        known = {values[stored.index(self.feed.key)]: values for values in db.execute(select, list(incoming))}
        revised = [(*v, now, k) for k, v in incoming.items() if k in known and known[k] != v]
        added = [v for k, v in incoming.items() if k not in known]
        if revised:
            assignments = ", ".join(f"{quoted(n)} = ?" for n in stored)
            db.executemany(f'update "rows" set {assignments}, ":updated_at" = ? where {key} = ?', revised)  # noqa: S608
        if added:
            number = self._pending.next_row + done.inserted
            insert = (
                f'insert into "rows" (":id", ":created_at", ":updated_at", {chosen}) '  # noqa: S608
                f"values (?, ?, ?, {', '.join('?' * len(stored))})"
            )
            db.executemany(insert, [(row_id(number + i), now, now, *v) for i, v in enumerate(added)])
        done.revised += len(revised)
        done.inserted += len(added)
        done.unchanged += len(incoming) - len(revised) - len(added)

    def _put_keyless(self, db: sqlite3.Connection, batch: Sequence[Row], now: str, done: Changes) -> None:
        """Revise the rows that say their ``:id`` and add the others, equal ones too."""
        stored = [p.stored for p in self.state.columns]
        assignments = ", ".join(f"{quoted(n)} = ?" for n in stored)
        names = ", ".join(quoted(n) for n in stored)
        for row in batch:
            values = self.values(row)
            if ":id" in row:
                update = f'update "rows" set {assignments}, ":updated_at" = ? where ":id" = ?'  # noqa: S608 - our own
                done.revised += db.execute(update, (*values, now, row[":id"])).rowcount
                continue
            insert = (
                f'insert into "rows" (":id", ":created_at", ":updated_at", {names}) '  # noqa: S608 - our own identifiers
                f"values (?, ?, ?, {', '.join('?' * len(stored))})"
            )
            db.execute(insert, (row_id(self._pending.next_row + done.inserted), now, now, *values))
            done.inserted += 1

    def values(self, row: Mapping[str, Any]) -> Values:
        """Return a published row's values in the order of the published columns.

        Raises:
            ConfigError: a field is not published, a value is no text, or the key is missing.
        """
        columns = self.state.columns
        unknown = row.keys() - {p.column.field for p in columns} - SYSTEM.keys()
        if unknown:
            raise ConfigError(
                f"{self.feed.name} has no column {', '.join(sorted(unknown))}: add it first (POST …/columns)."
            )
        values = []
        for p in columns:
            value = row.get(p.column.field)
            if p.column.type == "location" and isinstance(value, dict):
                value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            if value is None and self.feed.kind == "csv":
                value = ""
            if value is not None and not isinstance(value, str):
                raise ConfigError(f"{self.feed.name}.{p.column.field} is {value!r}: portals give every value as text.")
            if p.stored == self.feed.key and not value:
                raise ConfigError(f"A row without {p.column.field} cannot be upserted: give it its key.")
            values.append(value)
        return tuple(values)

    def replace_all(self, rows: Iterable[Row] | None = None) -> int:
        """Truncate and insert: every row gets a new ``:id``, ``:created_at`` and ``:updated_at``.

        Args:
            rows: the new content; None republishes the present one unchanged.

        Returns:
            The number of rows now published.
        """
        with self._publication(bulk=True) as (db, moment):
            now = stamp(moment)
            if rows is None:
                start = self._pending.next_row - 1
                db.create_function("new_row_id", 1, lambda n: row_id(start + n), deterministic=True)
                highest = db.execute('select coalesce(max(n), 0) from "rows"').fetchone()[0]
                db.execute('update "rows" set ":id" = new_row_id(n), ":created_at" = ?, ":updated_at" = ?', (now, now))
                if self.feed.kind in ("arcgis", "ckan"):
                    # Object ids and row numbers are given anew at each reload.
                    db.execute('update "rows" set n = n + ?', (highest,))
                self._changed(moment, highest)
                total = db.execute('select count(*) from "rows"').fetchone()[0]
            else:
                db.execute('delete from "rows"')
                self._create_indexes(db)
                done = Changes()
                pending = iter(rows)
                while batch := list(islice(pending, LOOKUP_ROWS)):
                    self._upsert_batch(db, batch, now, done)
                self._changed(moment, done.inserted)
                total = done.inserted
        return int(total)

    def move_layer(self, layer: int) -> None:
        """Publish the layer under another number, which is a change of the service and not of its rows."""
        with self._publication():
            self._pending = replace(self._pending, layer=layer)

    def change_columns(
        self,
        *,
        rename: Mapping[str, str] | None = None,
        add: Mapping[str, Mapping[str, str]] | None = None,
        drop: Sequence[str] = (),
        upper_case_header: bool | None = None,
    ) -> list[str]:
        """Change the published columns (drift) and return their field names.

        A dropped column's values stay hidden in the store and an added column has ``value`` in every row.

        Raises:
            ConfigError: a column is not there, is there already, or is the key and would be dropped.
        """
        with self._publication() as (db, moment):
            columns = dropped(self._pending.columns, drop, self.feed.key)
            columns = renamed(columns, rename or {})
            for name, what in (add or {}).items():
                width = len(db.execute('pragma table_info("rows")').fetchall())
                stored = f"added {width}"
                columns = added(columns, name, what.get("type", "text"), stored)
                db.execute(f'alter table "rows" add column {quoted(stored)} text')
                value = what.get("value", "" if self.feed.kind == "csv" else None)
                if value is not None:
                    db.execute(f'update "rows" set {quoted(stored)} = ?', (value,))  # noqa: S608 - our own identifier
            self._pending = replace(self._pending, columns=columns)
            if upper_case_header is not None:
                self._pending = replace(self._pending, upper_case_header=upper_case_header)
            if self._pending != self.state:
                self._changed(moment)
            return [p.column.field for p in columns]
