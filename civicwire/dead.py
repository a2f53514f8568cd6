"""Dead letters as a workflow: find them, look at the bytes, and read them again once the cause is mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from civicwire.polling import connections
from civicwire.settings import Settings
from producers import catalog, tail
from producers.poll import Poller, Replayed
from schemas import kafka_topics, registry, topics
from stream_jobs import versions


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters; None takes all. ``since`` is a UTC instant."""

    source: str | None = None
    stage: str | None = None
    reason: str | None = None
    since: datetime | None = None
    dead_id: str | None = None

    def fits(self, letter: dict[str, Any]) -> bool:
        """Return whether ``letter`` is wanted."""
        return (
            self.source in (None, letter["source"])
            and self.stage in (None, letter["stage"])
            and self.reason in (None, letter["reason"])
            and self.dead_id in (None, letter["dead_id"])
            and (self.since is None or letter["observed_at"] >= self.since)
        )


def letters(settings: Settings, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield the wanted dead letters of the topic, oldest first, each once by its id.

    Raises:
        EnvironmentMissingError: the broker or the registry is not running.
    """
    reach = connections(settings)
    kafka_topics.ensure(reach.kafka, [topics.DEAD_LETTERS])
    told: set[str] = set()
    # Pollers write to the first version alone; there the letters of normalise are of a generation that is not live.
    live = topics.DEAD_LETTERS.at(versions.current(reach.kafka, reach.registry).current.versions)
    names = list(dict.fromkeys([topics.DEAD_LETTERS.name, live.name]))
    for batch in tail.read(reach.kafka, names, {}, lambda _ends: None):
        for message in batch:
            letter: Any = registry.decode(reach.registry, message.value() or b"")
            if letter["stage"] == "normalise" and message.topic() != live.name:
                continue
            if letter["dead_id"] not in told and wanted.fits(letter):
                told.add(letter["dead_id"])
                yield letter


def summary(settings: Settings, wanted: Wanted) -> list[dict[str, Any]]:
    """Return how many dead letters there are by source, stage and reason, and when the first and the last was met."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for letter in letters(settings, wanted):
        key = (letter["source"], letter["stage"], letter["reason"])
        at = letter["observed_at"].isoformat(timespec="seconds")
        row = found.setdefault(key, dict(zip(("source", "stage", "reason"), key, strict=True)) | {"letters": 0})
        row["letters"] += 1
        row.setdefault("first", at)
        row["last"] = at
        row["newest"] = letter["dead_id"]
    return [found[key] for key in sorted(found)]


def replay(settings: Settings, wanted: Wanted, *, again: bool = False) -> dict[str, Replayed]:
    """Read the wanted dead letters again with today's source files and SQL, and return what came of it, by source.

    A letter whose row has been published since is left alone, so that a replay can be repeated. So is one that
    normalise refused after a replay, unless ``again`` is set.

    Raises:
        CivicwireError: as for a poll.
    """
    by_source: dict[str, list[dict[str, Any]]] = {}
    for letter in letters(settings, wanted):
        by_source.setdefault(letter["source"], []).append(letter)
    done = {}
    for source, found in by_source.items():
        poller = Poller(catalog.find(source), connections(settings))
        try:
            done[source] = poller.replay(found, again=again)
        finally:
            poller.close()
    return done
