"""Polling on a schedule: every feed at its own cadence, a few at a time, in one process.

A feed keeps one poller, and with it one transactional id, for as long as the process lives: a second process that polls
the same feed fences the first, which then leaves that feed alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from producers.catalog import Source
from producers.poll import Connections, Poller
from producers.publisher import FencedError
from schemas.errors import CivicwireError, RetriableError

Phase = Literal["active", "idle", "silent", "failing", "given up"]
FIRST_RETRY = timedelta(minutes=1)
IDLE_AFTER = 4
"""So many polls in a row that find nothing make a feed idle."""
IDLE_FACTOR = 2
SILENT_AFTER = 10
"""Cadences without a change at the portal after which its publisher counts as silent."""
SILENT_FACTOR = 4
LOOK_SECONDS = 0.2
"""How long the scheduler looks away at most while polls are running."""


@dataclass
class Feed:
    """One feed on the schedule.

    Attributes:
        source: the feed.
        due: monotonic seconds of its next poll.
        unchanged: polls in a row that found nothing.
        failures: polls in a row that failed.
        phase: active; idle (nothing new for some polls: half as often); silent (nothing published for ten cadences:
            a quarter as often, and a person should know); failing (tried again after a minute, then two, ...); given up
            (another process polls the feed).
    """

    source: Source
    due: float = 0.0
    unchanged: int = 0
    failures: int = 0
    phase: Phase = "active"
    poller: Poller | None = field(default=None, repr=False)

    def polled(self, receipt: dict[str, Any], now: datetime) -> None:
        """Note a poll that went well."""
        self.failures = 0
        self.unchanged = 0 if _published(receipt) else self.unchanged + 1
        cadence = timedelta(minutes=self.source.cadence_minutes)
        changed_at = receipt["portal_changed_at"]
        if changed_at is not None and now - changed_at > SILENT_AFTER * cadence:
            self.phase = "silent"
        else:
            self.phase = "idle" if self.unchanged >= IDLE_AFTER else "active"

    def failed(self, error: CivicwireError) -> None:
        """Note a poll that failed."""
        self.failures += 1
        self.phase = "given up" if isinstance(error, FencedError) else "failing"
        if not isinstance(error, RetriableError):
            # It needs a person; trying every minute would only ask the portal the same again and again.
            self.failures += 100

    def wait(self) -> timedelta:
        """Return how long to wait before the next poll."""
        cadence = timedelta(minutes=self.source.cadence_minutes)
        match self.phase:
            case "idle":
                return cadence * IDLE_FACTOR
            case "silent":
                return cadence * SILENT_FACTOR
            case "failing":
                longer: timedelta = FIRST_RETRY * 2 ** min(self.failures - 1, 20)
                return min(cadence, longer)
            case _:
                return cadence


def _published(receipt: dict[str, Any]) -> bool:
    return any(receipt[name] for name in ("inserted", "revised", "reappeared", "deleted", "expired"))


Told = Callable[[Feed, dict[str, Any] | None, CivicwireError | None], None]
"""Called after each poll with the feed and its receipt or its error."""


class Follower:
    """Polls feeds until it is told to stop.

    Args:
        sources: the feeds.
        connections: as for a poller.
        told: called after each poll, from the thread that called ``run``.
        at_once: polls that may run together; each holds a page of rows in memory, so this bounds the memory.
        every: seconds between two polls of a feed, instead of its cadence.
    """

    def __init__(
        self, sources: Iterable[Source], connections: Connections, told: Told, *, at_once: int = 2, every: float = 0.0
    ) -> None:
        self.feeds = [Feed(source) for source in sources]
        self._connections = connections
        self._told = told
        self._at_once = at_once
        self._every = every

    def run(self, stop: threading.Event) -> None:
        """Poll until ``stop`` is set or every feed is given up; polls that run then are waited for."""
        running: dict[Future[dict[str, Any]], Feed] = {}
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="poll") as pool:
            try:
                while not stop.is_set() and any(feed.phase != "given up" for feed in self.feeds):
                    now = time.monotonic()
                    for feed in sorted(self.feeds, key=lambda one: one.due):
                        free = len(running) < self._at_once
                        if free and feed.due <= now and feed.phase != "given up" and feed not in running.values():
                            running[pool.submit(self._poll, feed)] = feed
                    self._settle(running, self._pause(running, stop))
            finally:
                wait(running)
                self._settle(running, set(running))
                for feed in self.feeds:
                    if feed.poller is not None:
                        feed.poller.close()

    def _pause(self, running: dict[Future[dict[str, Any]], Feed], stop: threading.Event) -> set[Future[dict[str, Any]]]:
        if running:
            return wait(running, timeout=LOOK_SECONDS).done
        due = min(feed.due for feed in self.feeds if feed.phase != "given up")
        stop.wait(max(0.0, due - time.monotonic()))
        return set()

    def _settle(self, running: dict[Future[dict[str, Any]], Feed], done: set[Future[dict[str, Any]]]) -> None:
        for future in done:
            feed = running.pop(future)
            try:
                receipt = future.result()
            except CivicwireError as error:
                feed.failed(error)
                self._told(feed, None, error)
            else:
                feed.polled(receipt, datetime.now(UTC))
                self._told(feed, receipt, None)
            feed.due = time.monotonic() + (self._every or feed.wait().total_seconds())

    def _poll(self, feed: Feed) -> dict[str, Any]:
        if feed.poller is None:
            feed.poller = Poller(feed.source, self._connections)
        return feed.poller.poll()
