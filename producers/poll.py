"""The poll protocol: restore, ask, fetch, diff, reconcile, publish, commit.

1. Restore: fence an older poller, read cursor and events past the ledger's offsets.
2. Ask: the cheapest question that can tell that nothing changed.
3. Fetch: the client's scans, page by page, in a total order.
4. Diff: each row's content hash against the ledger: new, revised, unchanged, back after a delete.
5. Reconcile: the client compares with the portal's own count; rows that a complete scan no longer holds become deletes.
6. Publish: events, dead letters, drift, receipt and cursor in one transaction; the counts must add up.
7. Commit, then restore the ledger from the topic.

A crash anywhere starts again at 1 and changes nothing: changes are kept in temporary tables until they are published.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from producers import drift
from producers.catalog import Source
from producers.clients import Asked, Client, Estimate, Scan, client
from producers.http import Portal
from producers.ledger import ENDS, Gone, Ledger
from producers.publisher import Outgoing, Publisher, Written
from producers.rows import Dead, Row, Shaper, dead_letter, event_time_reader, numbered
from producers.vocabulary import Vocabulary
from schemas import kafka_topics, loader, registry, topics
from schemas.errors import CivicwireError, ConfigError, FatalError, RecordError
from schemas.wire import cells_encoder, encoder

FUTURE = timedelta(days=2)
"""An event time further ahead than this is a typing error and must not make every later row look late."""
GONE_AT_ONCE = 5_000
"""Rows whose last values are held in memory together when they are ended."""
UNREADABLE_KEPT = 1_000
"""Unreadable rows that are compared with the rows that seem gone; with more of them no row is believed to be gone."""
PLAIN_KEY = re.compile(r"[A-Za-z0-9 |._:+-]+")
"""A key that stands in CSV and JSON as it is, without escapes."""
REPLAYED = "/replay"
"""Ends the id of a poll that reads dead letters again."""
RENAME_SAMPLE = 200
"""Revised rows that are compared to find out whether a column was renamed."""
SHRINK_MATTERS = 100
"""Fewer rows than this may vanish whatever their share: small feeds lose half their rows honestly."""

RAW_FIELDS = (
    "record_id", "revision", "op", "content_hash", "observed_at", "source_updated_at", "late", "poll_id", "scope",
    "row", "extras",
)  # fmt: skip
"""The fields of every feed's raw events, in their order."""
Change = tuple[str, str, int, bool, bytes]
"""Record id, op, revision, late, encoded event."""
Step = Callable[[str], None]
"""Called with the name of each step that is done; shows progress, and lets a test stop the process right there."""


def _ignore(_step: str) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Where the broker and the registry are, where ledgers are kept, and the sandbox's address, if any."""

    kafka: str
    registry: str
    ledgers: Path
    portal: str | None = None
    since: str | None = None
    """Bound of a home that keeps only recent rows (ISO date): the first poll's bound stays in the cursor."""
    affected: Callable[[Source, str], drift.Affected] | None = None
    """Tells what depends on a column of the feed's schema, for drift events."""


@dataclass(slots=True)
class _Tally:
    """What one poll has counted so far."""

    rows_in: int = 0
    unchanged: int = 0
    dead: int = 0
    unreadable: list[bytes] = field(default_factory=list)
    """What the portal sent for rows without an identity, up to ``UNREADABLE_KEPT`` of them and one more."""
    complete: bool = False
    portal_rows: int | None = None
    newest_event: str | None = None
    extras: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    types: dict[str, str] = field(default_factory=dict)
    drift: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Difference:
    """One change that a poll would publish. ``before`` and ``after`` are the row's columns, extras included."""

    record_id: str
    op: str
    revision: int
    late: bool
    before: dict[str, str] | None
    after: dict[str, str] | None

    def fields(self) -> dict[str, tuple[str | None, str | None]]:
        """Return each column that differs, with its value before and after."""
        before, after = self.before or {}, self.after or {}
        names = sorted({*before, *after})
        return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of reading dead letters again; the first is the sum of the others."""

    letters: int
    published: int
    superseded: int
    """Their rows have been published since, or are gone."""
    still_dead: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a poll would do. Read ``differences`` before the poller is used again."""

    receipt: dict[str, Any]
    differences: Iterator[Difference]


def _values(event: dict[str, Any] | None) -> dict[str, str] | None:
    """Return an event's values, known columns and extras together, without nulls."""
    if event is None:
        return None
    return {name: value for name, value in {**event["row"], **event["extras"]}.items() if value is not None}


class Poller:
    """Polls one feed; one object serves any number of polls.

    Args:
        source: the feed.
        connections: where to publish, and where the ledger is.
        on_step: called after each step.
        role: poller; anything else publishes beside the feed's poller and does not fence it.
    """

    def __init__(self, source: Source, connections: Connections, on_step: Step = _ignore, role: str = "poller") -> None:
        self._source = source
        self._role = role
        self._connections = connections
        self._step = on_step
        self._raw = topics.raw(source.key)
        kafka_topics.ensure(connections.kafka, [self._raw, *topics.SHARED])
        self._encode = {
            topic.name: encoder(registry.register(connections.registry, topic), loader.parsed(topic.schema))
            for topic in (self._raw, topics.CURSORS, topics.POLLS, topics.DRIFT, topics.DEAD_LETTERS)
        }
        self._encode_event = cells_encoder(
            registry.register(connections.registry, self._raw), loader.parsed(self._raw.schema), RAW_FIELDS, "row"
        )
        self._shape = Shaper(source)
        self._publisher: Publisher | None = None
        self._ledger = Ledger(connections.ledgers, source, connections.kafka, connections.registry)

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def publisher(self) -> Publisher:
        """Return the feed's publisher. The first call fences any older poller of the feed."""
        if self._publisher is None:
            self._publisher = Publisher(self._source.key, self._connections.kafka, self._role)
        return self._publisher

    def preview(self, *, accept_shrink: bool = False, whole: bool = False) -> Preview:
        """Find what a poll would publish, and publish nothing: no event, no receipt, no cursor, no fencing.

        Args:
            accept_shrink: as for ``poll``.
            whole: read the feed as if it had never been polled, so that everything that differs is found.

        Raises:
            CivicwireError: as for ``poll``.
        """
        started = datetime.now(UTC)
        portal = Portal(self._source, self._connections.portal)
        attempt = _Attempt(self, portal, f"{self._source.key}@preview", started)
        try:
            with self._ledger.alone():
                receipt = attempt.run(accept_shrink=accept_shrink, publish=False, whole=whole)
            return Preview(receipt, attempt.differences())
        finally:
            portal.close()

    def replay(self, letters: list[dict[str, Any]], *, again: bool = False) -> Replayed:
        """Read dead letters of this feed again and publish those that can be used now, with a receipt.

        A row that never became an event is published as insert; the event of a row that normalise refused is published
        once more as its next revision. What has been published since is left alone, and so is, unless ``again`` is set,
        what normalise refused after a replay: without a change to the SQL every try would only add a revision.

        Raises:
            CivicwireError: as for ``poll``.
        """
        self.publisher()
        started = datetime.now(UTC)
        poll_id = f"{self._source.key}@{started.strftime('%Y%m%dT%H%M%S.%fZ')}{REPLAYED}"
        portal = Portal(self._source, self._connections.portal)
        try:
            with self._ledger.alone():
                return _Attempt(self, portal, poll_id, started).replay(letters, again=again)
        finally:
            portal.close()

    def widen(self, since: str) -> dict[str, Any]:
        """Read the rows from the day ``since`` up to the feed's present bound, and move the bound there, at once.

        The bound is part of the cursor, so a backfill is a row of these: it goes on where it was stopped, and between
        two of them the feed is polled as ever. Rows that are read here are not late.

        Returns:
            The receipt; its scan is ``backfill``.

        Raises:
            CivicwireError: as for ``poll``.
        """
        return self._attempt(lambda attempt: attempt.widen(since))

    def reread(self, since: str, until: str) -> dict[str, Any]:
        """Read the rows of ``[since, until)`` again, whatever the portal says of changes; deletes are not looked for.

        Raises:
            CivicwireError: as for ``poll``.
        """
        return self._attempt(lambda attempt: attempt.reread(since, until))

    def bound(self) -> str | None:
        """Return the first day of the rows that are held of the feed, None if all are."""
        with self._ledger.alone():
            self._ledger.restore()
        portal = Portal(self._source, self._connections.portal)
        try:
            unbounded = client(self._source, portal, datetime.now(UTC)).first_day()
        finally:
            portal.close()
        return self._ledger.position().get("since") or unbounded

    def estimate(self, since: str, until: str | None) -> Estimate:
        """Return what reading ``[since, until)`` would take."""
        portal = Portal(self._source, self._connections.portal)
        try:
            return client(self._source, portal, datetime.now(UTC), since, until).estimate()
        finally:
            portal.close()

    def poll(self, *, accept_shrink: bool = False) -> dict[str, Any]:
        """Poll once and return the receipt, which is also in the topic ``polls``.

        Args:
            accept_shrink: believe a complete scan that lost more rows than the source's ``shrink_limit``.

        Raises:
            RetriableError: the portal or the broker failed in a way that may pass.
            FatalError: the feed needs a person. In both cases a receipt says so, nothing else was published, and the
                cursor stays.
        """
        return self._attempt(lambda attempt: attempt.run(accept_shrink=accept_shrink))

    def _attempt(self, work: Callable[[_Attempt], dict[str, Any]]) -> dict[str, Any]:
        self.publisher()
        started = datetime.now(UTC)
        poll_id = f"{self._source.key}@{started.strftime('%Y%m%dT%H%M%S.%fZ')}"
        portal = Portal(self._source, self._connections.portal)
        attempt = _Attempt(self, portal, poll_id, started)
        try:
            with self._ledger.alone():
                return work(attempt)
        except CivicwireError as error:
            attempt.fail(error)
            raise
        finally:
            portal.close()


class _Attempt:
    """One poll from restore to commit."""

    def __init__(self, poller: Poller, portal: Portal, poll_id: str, started: datetime) -> None:
        self._source = poller._source  # noqa: SLF001 - one class in two lifetimes: the feed's and the poll's
        self._ledger = poller._ledger  # noqa: SLF001
        self._publisher = poller.publisher
        self._encode = poller._encode  # noqa: SLF001
        self._encode_event = poller._encode_event  # noqa: SLF001
        self._shape = poller._shape  # noqa: SLF001
        self._step = poller._step  # noqa: SLF001
        self._raw = poller._raw  # noqa: SLF001
        self._portal = portal
        self._since = poller._connections.since if self._source.can_be_bounded else None  # noqa: SLF001
        self._registry = poller._connections.registry  # noqa: SLF001
        self._affected = poller._connections.affected  # noqa: SLF001
        self._publish = True
        self._poll_id = poll_id
        self._started = started
        self._tally = _Tally()
        self._position: dict[str, str] = {}
        self._vocabulary = Vocabulary(self._source, {})
        self._silent = False
        self._not_late_before = ""

    def run(self, *, accept_shrink: bool, publish: bool = True, whole: bool = False) -> dict[str, Any]:
        self._publish = publish
        held = self._begin()
        self._position = {} if whole else held
        since = held.get("since", "") if held else self._since
        feed = client(self._source, self._portal, self._started, since or None)
        asked = feed.ask(self._position)
        self._step("asked")
        self._tally.newest_event = self._position.get("newest_event")
        before = dict(self._position)
        after = {**before, **asked.position, **({"since": since} if since else {})}
        if not asked.changed:
            return self._commit("unchanged", "none", asked, before, after)
        self._take(self._all_scans(feed, before), before, after, accept_shrink=accept_shrink)

        if self._tally.portal_rows is not None and self._tally.complete:
            after["gap"] = str(self._tally.portal_rows - self._ledger.live_rows_after())
        if self._tally.newest_event:
            after["newest_event"] = self._tally.newest_event
        self._note_drift(asked, before, after)
        self._step("reconciled")
        return self._commit("changed", "complete" if self._tally.complete else "incremental", asked, before, after)

    def _begin(self) -> dict[str, str]:
        """Restore the ledger and return the cursor's position."""
        self._ledger.restore()
        self._ledger.begin()
        self._position = self._ledger.position()
        self._vocabulary = Vocabulary(self._source, self._position, silent=self._silent)
        if self._vocabulary.unlearned():
            self._vocabulary.learn(self._ledger.published_rows())
        self._step("restored")
        return self._position

    def _take(
        self, scans: Iterator[Scan], before: dict[str, str], after: dict[str, str], *, accept_shrink: bool
    ) -> None:
        """Read ``scans``, find what is gone from those that are complete, and move ``after`` on."""
        for scan in scans:
            self._ledger.next_scan()
            self._read(scan, before)
            if scan.complete:
                self._delete_gone(scan, accept_shrink=accept_shrink)
            if scan.finished is None:
                raise FatalError(f"{self._source.key}: a scan did not finish. This is a defect; please report it.")
            after.update(scan.finished.position)
            self._tally.portal_rows = scan.finished.portal_rows
            self._tally.complete = scan.complete
        self._step("fetched")

    # --- backfill -------------------------------------------------------------------------------------------------

    def widen(self, since: str) -> dict[str, Any]:
        self._silent = True
        before = self._begin()
        bound = before.get("since") or client(self._source, self._portal, self._started).first_day()
        if bound is None or since >= bound:
            raise ConfigError(f"{self._source.key}: the rows from {since} on are in the feed's bound already.")
        self._not_late_before = bound
        self._tally.newest_event = before.get("newest_event")
        after = {**before, "since": since}
        rows_before = self._ledger.live_rows()
        feed = client(self._source, self._portal, self._started, since, bound)
        scans = feed.window(before)
        if scans is None:
            feed = client(self._source, self._portal, self._started, since)
        asked = feed.ask(feed.reopened(before, bound))
        self._step("asked")
        if scans is None:
            after.update(asked.position)
            scans = feed.scans({})
        self._take(scans, before, after, accept_shrink=False)
        if self._tally.complete and self._tally.portal_rows is not None:
            after["gap"] = str(self._tally.portal_rows - self._ledger.live_rows_after())
        elif self._tally.portal_rows is not None:
            missing = self._tally.portal_rows - (self._ledger.live_rows_after() - rows_before)
            after["gap"] = str(int(before.get("gap", "0")) + missing)
        return self._finish_backfill(asked, before, after)

    def reread(self, since: str, until: str) -> dict[str, Any]:
        self._silent = True
        before = self._begin()
        self._not_late_before = until
        self._tally.newest_event = before.get("newest_event")
        feed = client(self._source, self._portal, self._started, since, until)
        scans = feed.window(before)
        if scans is None:
            raise ConfigError(f"{self._source.key}: every poll reads this feed whole, so nothing is to be read again.")
        asked = feed.ask({})
        self._step("asked")
        self._take(scans, before, {}, accept_shrink=False)
        return self._finish_backfill(asked, before, dict(before))

    def _finish_backfill(self, asked: Asked, before: dict[str, str], after: dict[str, str]) -> dict[str, Any]:
        after.update(self._vocabulary.position())
        self._step("reconciled")
        return self._commit("changed", "backfill", asked, before, after)

    def _all_scans(self, feed: Client, before: dict[str, str]) -> Iterator[Scan]:
        yield from feed.scans(before)
        again = feed.recheck(before, self._ledger.live_rows_after()) if not self._tally.complete else None
        if again is not None:
            yield again

    # --- dead letters again ---------------------------------------------------------------------------------------

    def replay(self, letters: list[dict[str, Any]], *, again: bool) -> Replayed:
        self._ledger.restore()
        self._ledger.begin()
        self._position = self._ledger.position()
        self._tally.newest_event = self._position.get("newest_event")
        feed = client(self._source, self._portal, self._started)
        results = {"published": 0, "superseded": 0, "still_dead": 0}
        for letter in letters:
            if letter["stage"] == "poll":
                results[self._again_from_portal(letter, feed)] += 1
            else:
                results[self._again_from_topic(letter, again=again)] += 1
        self._tally.rows_in = len(letters)
        self._tally.unchanged, self._tally.dead = results["superseded"], results["still_dead"]
        if results["published"]:
            asked = Asked(changed=True, position={})
            self._commit("changed", "replay", asked, self._position, self._position)
        return Replayed(letters=len(letters), **results)

    def _again_from_portal(self, letter: dict[str, Any], feed: Client) -> str:
        item, scope = feed.reread(letter["payload"], self._position)
        if isinstance(item, Dead):
            return "still_dead"
        try:
            row = self._shape(item)
        except RecordError:
            return "still_dead"
        if not self._source.key_columns:
            row = numbered(row, scope, self._ledger.occurrences([row.record_id])[0])
        ((known, *_),) = self._ledger.look_up([row.record_id])
        if known is not None or self._ledger.pending([row.record_id]):
            return "superseded"
        event = self._event(row, row.cells, ("insert", 1, scope), late=False)
        self._ledger.put_changes([(row.record_id, "insert", 1, False, event)])
        return "published"

    def _again_from_topic(self, letter: dict[str, Any], *, again: bool) -> str:
        place = self._ledger.place(str(letter["record_id"]))
        if place is None or (place.partition, place.offset) != (letter["raw_partition"], letter["raw_offset"]):
            return "superseded"
        if str(letter["poll_id"]).endswith(REPLAYED) and not again:
            return "still_dead"
        ((_, last),) = self._ledger.last_events([place])
        self._ledger.put_changes([self._next(place, "revise", last, self._encode[self._raw.name])])
        return "published"

    # --- fetch and diff -----------------------------------------------------------------------------------------

    def _read(self, scan: Scan, before: dict[str, str]) -> None:
        newest_before = before.get("newest_event")
        if scan.columns is not None:
            self._tally.columns.update(scan.columns)
            self._tally.types.update(scan.types)
        for page in scan.pages:
            self._tally.rows_in += len(page)
            rows: list[Row] = []
            for item in page:
                if isinstance(item, Dead):
                    self._bury(item)
                    continue
                try:
                    rows.append(self._shape(item))
                except RecordError as error:
                    self._bury(dead_letter(self._source.key, error.reason, error.detail, item.original))
            if not self._source.key_columns:
                counted = self._ledger.occurrences([row.record_id for row in rows])
                rows = [numbered(row, scan.scope, occurrence) for row, occurrence in zip(rows, counted, strict=True)]
            self._diff(rows, scan.scope, newest_before)

    def _bury(self, dead: Dead) -> None:
        self._tally.dead += 1
        if len(self._tally.unreadable) <= UNREADABLE_KEPT:
            self._tally.unreadable.append(dead.payload)
        letter = {
            "dead_id": dead.dead_id,
            "source": self._source.key,
            "stage": "poll",
            "reason": dead.reason,
            "detail": dead.detail,
            "payload": dead.payload,
            "poll_id": self._poll_id,
            "observed_at": self._started,
        }
        self._ledger.put_dead(dead.dead_id, self._encode[topics.DEAD_LETTERS.name](letter))

    def _diff(self, rows: list[Row], scope: str, newest_before: str | None) -> None:
        identities = [row.record_id for row in rows]
        pending = self._ledger.pending(identities)
        changes: dict[str, Change] = {}
        unchanged = 0
        columns = None
        for row, (digest, revision, live, _) in zip(rows, self._ledger.look_up(identities), strict=True):
            if row.columns is not columns:
                columns = row.columns
                self._tally.extras.update(columns.extras.columns)
            if pending or changes:
                # The same identity twice in one poll: the later reading counts, the earlier one is a repeat.
                if changes.pop(row.record_id, None) is not None:
                    unchanged += 1
                elif row.record_id in pending:
                    pending.discard(row.record_id)
                    self._ledger.drop_change(row.record_id)
                    unchanged += 1
            if digest == row.digest and live:
                unchanged += 1
                continue
            event_time = row.event_time
            self._note_newest(event_time)
            op = "insert" if digest is None else "revise" if live else "reappear"
            late = op == "insert" and bool(
                newest_before and event_time and self._not_late_before <= event_time < newest_before
            )
            next_revision = 1 if digest is None else revision + 1
            cells = row.cells
            self._vocabulary.note(cells)
            event = self._event(row, cells, (op, next_revision, scope), late=late)
            changes[row.record_id] = (row.record_id, op, next_revision, late, event)
        self._tally.unchanged += unchanged
        self._ledger.put_changes(changes.values())

    def _event(self, row: Row, cells: list[str | None], change: tuple[str, int, str], *, late: bool) -> bytes:
        """Return the encoded raw event of ``RAW_FIELDS``; ``change`` is op, revision and scope."""
        op, revision, scope = change
        return self._encode_event(
            row.record_id,
            revision,
            op,
            row.content_hash,
            self._started,
            row.published.updated_at,
            late,
            self._poll_id,
            scope,
            cells,
            row.extras,
        )

    def _note_newest(self, event_time: str | None) -> None:
        if event_time is None or (self._tally.newest_event and event_time <= self._tally.newest_event):
            return
        try:
            moment = datetime.fromisoformat(event_time)
        except ValueError:
            return
        if moment.replace(tzinfo=moment.tzinfo or self._source.zone) - FUTURE <= self._started:
            self._tally.newest_event = event_time

    # --- reconcile ----------------------------------------------------------------------------------------------

    def _delete_gone(self, scan: Scan, *, accept_shrink: bool) -> None:
        gone = [row for row in self._ledger.gone(scan.scope) if not self._may_be_unreadable(row.record_id)]
        if not gone:
            return
        window = self._source.rolling_window
        opens = window.start(self._started.astimezone(self._source.zone).date()) if window else ""
        read_event_time = event_time_reader(self._source)
        encode = self._encode[self._raw.name]
        deleted = 0
        last_events = self._ledger.last_events(gone)
        while batch := list(itertools.islice(last_events, GONE_AT_ONCE)):
            changes = []
            for row, last in batch:
                happened = read_event_time(last["row"].get(self._source.event_time))
                op = "expire" if happened and happened < opens else "delete"
                deleted += op == "delete"
                changes.append(self._next(row, op, last, encode))
            self._ledger.put_changes(changes)
        live = self._ledger.live_rows()
        if not self._source.key_columns:
            # A row that was revised is gone and another one has come: what counts is what the feed has lost.
            deleted -= self._ledger.counts().get("insert", 0)
        if not accept_shrink and deleted > SHRINK_MATTERS and deleted > live * self._source.shrink_limit:
            raise FatalError(
                f"{self._source.key}: a complete scan lacks {deleted} of {live} rows, more than the limit of "
                f"{self._source.shrink_limit:.0%}. If the portal really dropped them, poll with --accept-shrink."
            )

    def _may_be_unreadable(self, record_id: str) -> bool:
        """Return whether a row that seems gone may be one that the portal sent and nobody could read: its delete waits.

        Such a row still has its key in its bytes, as it is where it has only plain characters. A row whose identity is
        a hash may be any of them.
        """
        unreadable = self._tally.unreadable
        if not unreadable or len(unreadable) > UNREADABLE_KEPT or not self._source.key_columns:
            return bool(unreadable)
        if PLAIN_KEY.fullmatch(record_id) is None:
            return True
        parts = [part.encode() for part in record_id.split("|")]
        return any(all(part in payload for part in parts) for payload in unreadable)

    def _next(self, row: Gone, op: str, last: dict[str, Any], encode: Callable[[dict[str, Any]], bytes]) -> Change:
        event = {
            **last,
            "revision": row.revision + 1,
            "op": op,
            "observed_at": self._started,
            "late": False,
            "poll_id": self._poll_id,
        }
        return row.record_id, op, row.revision + 1, False, encode(event)

    def _note_drift(self, asked: Asked, before: dict[str, str], after: dict[str, str]) -> None:
        stated = set(asked.columns) if asked.columns is not None else self._tally.columns or None
        now = drift.Columns(stated, asked.types or self._tally.types, self._tally.extras)
        found = [*drift.compare(self._source, before, now, self._revised_rows), *self._vocabulary.drift()]
        if stopping := drift.stops(self._source, found):
            said = " ".join(one.detail for one in stopping)
            raise FatalError(
                f"{said} The source's drift policy is {self._source.drift}, so the poll stops and the cursor stays: "
                f"adapt schemas/raw/{self._source.key}.avsc or the source file, or set `drift: evolve` there."
            )
        after.update(drift.position_after(self._source, before, now), **self._vocabulary.position())
        self._tally.drift.extend(self._drift_event(one) for one in found)

    def _drift_event(self, one: drift.Drift) -> dict[str, Any]:
        event = {**asdict(one), "source": self._source.key, "poll_id": self._poll_id, "observed_at": self._started}
        if self._affected is not None:
            affected = self._affected(self._source, self._source.renames.get(one.column, one.column))
            event["affected_columns"] = ", ".join(affected.columns)
            event["affected_marts"] = ", ".join(affected.marts)
            event["affected_panels"] = "; ".join(affected.panels)
        return event

    def _revised_rows(self) -> Iterator[drift.Pair]:
        revised = (one for one in self.differences(op="revise") if one.before is not None and one.after is not None)
        for one in itertools.islice(revised, RENAME_SAMPLE):
            yield one.before or {}, one.after or {}

    def differences(self, op: str | None = None) -> Iterator[Difference]:
        """Yield every change that was found, or those of one ``op``, with the row before and after it."""
        changes, again = itertools.tee(self._ledger.changes_with_last(op))
        last_events = self._ledger.last_events(place for _, _, _, place in again if place is not None)
        for record_id, found, event, place in changes:
            before = next(last_events)[1] if place is not None else None
            after = registry.decode(self._registry, event)
            yield Difference(
                record_id,
                found,
                after["revision"],
                late=after["late"],
                before=_values(before) if found in ("revise", *ENDS) else None,
                after=_values(after) if found not in ENDS else None,
            )

    # --- publish and commit -------------------------------------------------------------------------------------

    def _commit(
        self, status: str, scan: str, asked: Asked, before: dict[str, str], after: dict[str, str]
    ) -> dict[str, Any]:
        receipt = self._receipt(status, scan, asked.changed_at)
        if receipt["rows_in"] != sum(
            receipt[name] for name in ("inserted", "revised", "reappeared", "unchanged", "dead")
        ):
            raise FatalError(
                f"{self._source.key}: the counts do not add up ({receipt}). This is a defect; please report it."
            )
        if not self._publish:
            return receipt
        ends: Written = {}

        def produced() -> None:
            self._step("produced")
            ends.update(self._ledger.last_raw_offsets())

        written = self._publisher().publish(self._outgoing(receipt, before, after), produced, own=self._raw.name)
        self._step("committed")
        self._ledger.restore_past({**ends, **written})
        self._step("ledger updated")
        return receipt

    def _receipt(self, status: str, scan: str, changed_at: datetime | None) -> dict[str, Any]:
        counts = self._ledger.counts() if status == "changed" else {}
        return {
            "poll_id": self._poll_id,
            "source": self._source.key,
            "status": status,
            "scan": scan,
            "started_at": self._started,
            "finished_at": datetime.now(UTC),
            "requests": self._portal.cost.requests,
            "bytes_received": self._portal.cost.bytes_received,
            "rows_in": self._tally.rows_in,
            "inserted": counts.get("insert", 0),
            "revised": counts.get("revise", 0),
            "reappeared": counts.get("reappear", 0),
            "deleted": counts.get("delete", 0),
            "expired": counts.get("expire", 0),
            "unchanged": self._tally.unchanged,
            "dead": self._tally.dead,
            "late": counts.get("late", 0),
            "drift": len(self._tally.drift),
            "portal_rows": self._tally.portal_rows,
            "live_rows": self._ledger.live_rows_after() if status == "changed" else self._ledger.live_rows(),
            "newest_event_local": self._tally.newest_event,
            "portal_changed_at": changed_at,
            "error": None,
        }

    def _outgoing(self, receipt: dict[str, Any], before: dict[str, str], after: dict[str, str]) -> Iterator[Outgoing]:
        source = self._source.key
        if receipt["status"] == "changed":
            for record_id, event in self._ledger.changes():
                yield self._raw.name, record_id, event
            for dead_id, letter in self._ledger.dead_letters():
                yield topics.DEAD_LETTERS.name, dead_id, letter
            for drift in self._tally.drift:
                yield topics.DRIFT.name, source, self._encode[topics.DRIFT.name](drift)
        yield topics.POLLS.name, source, self._encode[topics.POLLS.name](receipt)
        if after != before:
            cursor = {"source": source, "poll_id": self._poll_id, "position": after, "updated_at": self._started}
            yield topics.CURSORS.name, source, self._encode[topics.CURSORS.name](cursor)

    def fail(self, error: CivicwireError) -> None:
        """Publish a receipt of the failed poll; the cursor is not in it."""
        self._tally = _Tally(newest_event=self._position.get("newest_event"))
        receipt = {**self._receipt("failed", "none", None), "error": str(error)}
        message = (topics.POLLS.name, self._source.key, self._encode[topics.POLLS.name](receipt))
        try:
            self._publisher().publish([message], lambda: None)
        except CivicwireError as also:
            # The broker may be what failed in the first place: the first error is the one to report.
            error.add_note(f"The receipt of the failed poll could not be written either: {also}")
